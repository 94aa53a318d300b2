//! Features of a `GeoJSON` file one by one, whatever its size: objects one behind another, of which each is a feature or a
//! `FeatureCollection` of some.
//!
//! Finds where each object ends and no more: what is in it is read by who asked for it, so that a feature that is no JSON
//! is a fault of its own. Holds one feature at a time, and of one that is too long its beginning alone.

use std::io::BufRead;

use anyhow::bail;

/// Longest feature, in bytes: a note of 64 KiB whose every character is escaped, and all else that a site may have.
pub(in crate::cli) const FEATURE_BYTES_MAX: usize = 1024 * 1024;
/// Longest key that is told apart, in bytes.
const KEY_BYTES_MAX: usize = 16;
/// The sign before each text of a sequence (RFC 8142).
const RECORD_SEPARATOR: u8 = 0x1e;

/// The features of a file.
#[derive(Debug)]
pub(in crate::cli) struct Features<R> {
    input: R,
    /// The number of the last feature, from 1.
    number: u64,
    /// The collection whose features are being read.
    collection: Option<Inside>,
}

/// A feature's bytes; one that is too long is told by `None`.
pub(in crate::cli) type Feature = (u64, Option<Vec<u8>>);

/// Where in an object its bytes are.
#[derive(Debug, Default)]
struct Inside {
    bytes: Vec<u8>,
    is_long: bool,
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// The last text at the object's own level.
    key: Vec<u8>,
}

impl<R: BufRead> Features<R> {
    /// The features of `input`, which begins behind any byte order mark.
    pub(in crate::cli) fn new(input: R) -> Self {
        Self { input, number: 0, collection: None }
    }

    /// The next feature; `None` at the end. An error is one of the file, behind which nothing can be read.
    pub(in crate::cli) fn next(&mut self) -> anyhow::Result<Option<Feature>> {
        // The object that is being read: a feature, or a collection outside of its features.
        let mut inside: Option<Inside> = None;
        // Whether it is a collection behind its features.
        let mut is_behind = false;
        loop {
            let Some(byte) = self.byte()? else {
                if inside.is_some() || self.collection.is_some() {
                    bail!("the file ends in the middle, behind feature {}", self.number);
                }
                return Ok(None);
            };
            let Some(object) = &mut inside else {
                match byte {
                    b'{' => {
                        inside = Some(Inside { bytes: vec![byte], depth: 1, ..Inside::default() });
                    }
                    b']' if self.collection.is_some() => (inside, is_behind) = (self.collection.take(), true),
                    b' ' | b'\t' | b'\r' | b'\n' | b',' | RECORD_SEPARATOR => {}
                    _ => bail!("behind feature {} stands no feature: an object begins with {{", self.number),
                }
                continue;
            };
            let begins_list = object.take(byte, self.collection.is_some());
            if begins_list && is_behind {
                bail!("behind feature {} the collection has a second list of features", self.number);
            } else if begins_list {
                self.collection = inside.take();
            } else if object.depth == 0 && is_behind {
                (inside, is_behind) = (None, false);
            } else if object.depth == 0 {
                self.number += 1;
                let bytes = inside.take().filter(|object| !object.is_long).map(|object| object.bytes);
                return Ok(Some((self.number, bytes)));
            }
        }
    }

    fn byte(&mut self) -> std::io::Result<Option<u8>> {
        let byte = self.input.fill_buf()?.first().copied();
        if byte.is_some() {
            self.input.consume(1);
        }
        Ok(byte)
    }
}

impl Inside {
    /// Takes a byte; whether it begins the list of a collection's features. What is in a collection is none.
    fn take(&mut self, byte: u8, in_collection: bool) -> bool {
        if self.bytes.len() < FEATURE_BYTES_MAX {
            self.bytes.push(byte);
        } else {
            self.is_long = true;
        }
        if self.in_text {
            self.take_of_text(byte);
            return false;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                if self.depth == 1 {
                    self.key.clear();
                }
            }
            b'[' if self.depth == 1 && !in_collection && self.key == b"features" => return true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        false
    }

    fn take_of_text(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => {
                self.in_text = false;
                return;
            }
            _ => {}
        }
        if self.depth == 1 && self.key.len() < KEY_BYTES_MAX {
            self.key.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let mut features = Features::new(text.as_bytes());
        let mut found = Vec::new();
        loop {
            match features.next() {
                Ok(Some((number, bytes))) => {
                    assert_eq!(number, found.len() as u64 + 1);
                    found.push(bytes.map_or("too long".into(), |bytes| String::from_utf8(bytes).unwrap()));
                }
                Ok(None) => break,
                Err(cause) => {
                    found.push(cause.to_string());
                    break;
                }
            }
        }
        assert_eq!(found.len(), expect.len(), "{text:?}: {found:?}");
        for (found, expect) in found.iter().zip(expect) {
            assert!(found.contains(expect), "{text:?}: {found:?}, not {expect:?}");
        }
    }

    #[test]
    fn a_collection_and_lines_give_their_features() {
        let (one, two) = (r#"{"a":{"features":[1]},"b":"}\"{"}"#, r#"{"c":[{}]}"#);
        check(
            &format!(
                r#"{{"type":"FeatureCollection", "features" : [{one},
            {two} ] , "bbox":[1,2]}}"#
            ),
            &[one, two],
        );
        check(&format!("{one}\n{two}\n"), &[one, two]);
        check(&format!("\u{1e}{one}\n\u{1e}{two}\n"), &[one, two]);
        check(r#"{"features":[]}"#, &[]);
        check("", &[]);
    }

    /// What stood behind a collection was passed over, be it another one.
    #[test]
    fn what_stands_behind_a_collection_is_read() {
        let (one, two, three) = (r#"{"a":1}"#, r#"{"b":{"features":[7]}}"#, r#"{"c":3}"#);
        let behind = r#","title":"]}\"{","features2":[{"d":4}]"#;
        check(
            &format!(r#"{{"features":[{one}]{behind}}} {{"features":[]}}{two}{{"x":[1],"features":[{three}]}}"#),
            &[one, two, three],
        );
        let nested = r#"{"features":[1],"a":2}"#;
        check(&format!(r#"{{"features":[{nested}]}}"#), &[nested]);
        check(&format!(r#"{{"features":[{one}]}} x"#), &[one, "behind feature 1 stands no feature"]);
        check(&format!(r#"{{"features":[{one}],"features":[{two}]}}"#), &[one, "a second list of features"]);
        check(&format!(r#"{{"features":[{one}],"title":"}}""#), &[one, "ends in the middle, behind feature 1"]);
    }

    #[test]
    fn what_is_no_file_of_features_is_told_where() {
        check("name,address\n", &["behind feature 0 stands no feature"]);
        check(r#"{"features":[{"a":1},{"b":"#, &[r#"{"a":1}"#, "ends in the middle, behind feature 1"]);
        check(r#"{"features":[{"a":1}"#, &[r#"{"a":1}"#, "ends in the middle"]);
        check(r#"{"features":[7]}"#, &["stands no feature"]);
        check("[{}]", &["stands no feature"]);
    }

    #[test]
    fn a_feature_that_is_too_long_keeps_none_of_the_others_away() {
        let long = format!(r#"{{"note":"{}"}}"#, "x".repeat(FEATURE_BYTES_MAX));
        check(&format!(r#"{{"features":[{{"a":1}},{long},{{"b":2}}]}}"#), &[r#"{"a":1}"#, "too long", r#"{"b":2}"#]);
    }
}
