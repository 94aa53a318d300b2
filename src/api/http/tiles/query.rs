//! What follows the `?` of a tile's address.

use crate::api::percent::decoded_form;
use crate::model::Invalid;
use crate::model::text::shown;

/// The parameters, each at most once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TileQuery {
    /// Which sites, in the language of filters.
    pub(super) filter: Option<String>,
    /// The seal of an address that needs no header.
    pub(super) signature: Option<String>,
    /// The first thing that is wrong. Told after the credential was looked at: a stranger learns nothing.
    pub(super) fault: Option<Invalid>,
}

impl TileQuery {
    /// Reads `application/x-www-form-urlencoded` pairs. Never fails as a whole.
    pub(super) fn parse(raw: &str) -> Self {
        let mut query = Self::default();
        let mut has_version = false;
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let is_first = match name {
                "filter" | "signature" => {
                    let place = if name == "filter" { &mut query.filter } else { &mut query.signature };
                    let is_first = place.is_none();
                    match decoded_form(value) {
                        Some(value) => drop(place.get_or_insert(value)),
                        None => query.blame(Invalid::new(name, "percent-encoded UTF-8 is expected")),
                    }
                    is_first
                }
                // Says nothing to the server: a map library that keeps tiles by address asks again when it changes.
                "r" => !std::mem::replace(&mut has_version, true),
                unknown => {
                    let unknown = shown(unknown);
                    let why = format!("there is no parameter {unknown}: `filter`, `signature` and `r` are known");
                    query.blame(Invalid::new("query", why));
                    continue;
                }
            };
            if !is_first {
                query.blame(Invalid::new(name, "stands more than once: name it once"));
            }
        }
        query
    }

    fn blame(&mut self, fault: Invalid) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(raw: &str) -> Option<String> {
        TileQuery::parse(raw).fault.map(|fault| fault.field)
    }

    #[test]
    fn parameters_come_decoded() {
        let query = TileQuery::parse("filter=a%20%3D+%22%C3%A9%26%22&r=17&signature=x_-");
        assert_eq!(query.filter.as_deref(), Some("a = \"é&\""));
        assert_eq!((query.signature.as_deref(), query.fault), (Some("x_-"), None));
        assert_eq!(TileQuery::parse(""), TileQuery::default());
        assert_eq!(TileQuery::parse("&filter&").filter.as_deref(), Some(""));
    }

    #[test]
    fn what_is_not_known_or_not_once_is_a_fault() {
        for (raw, field) in [
            ("token=1", "query"),
            ("Filter=a", "query"),
            ("r=1&r=1", "r"),
            ("filter=a&filter=a", "filter"),
            ("signature=a&signature=", "signature"),
            ("filter=%", "filter"),
            ("filter=%4", "filter"),
            ("filter=%+4", "filter"),
            ("filter=%ff", "filter"),
            ("filter=%C3", "filter"),
            ("x=1&filter=%ff", "query"),
        ] {
            assert_eq!(fault(raw).as_deref(), Some(field), "{raw}");
        }
        // A signature is looked at even so: who has none is told nothing of what is wrong besides.
        assert_eq!(TileQuery::parse("x=1&signature=a&signature=b").signature.as_deref(), Some("a"));
        let long = TileQuery::parse(&"x".repeat(10_000)).fault.unwrap();
        assert!(long.why.len() < 200, "{}", long.why);
    }
}
