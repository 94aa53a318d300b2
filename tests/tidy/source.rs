//! Reads Rust source just well enough for the rules: what is code, what is a test, who is imported, how long a function is.
//!
//! A small lexer, no parser: it knows comments, strings and braces, and nothing of types.

use std::path::{Path, PathBuf};

/// Source whose comments, strings and characters are spaces; lines are where they were.
pub(crate) type Code = String;

/// Blanks everything that is not code.
pub(crate) fn blank(text: &str) -> Code {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => find(&chars, at, |c| c == '\n'),
            ('/', Some('*')) => end_of_block_comment(&chars, at),
            ('"', _) => end_of_string(&chars, at),
            ('r', Some('"' | '#')) if is_word_start(&chars, at) => end_of_raw_string(&chars, at),
            ('\'', _) => end_of_char(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn find(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|&at| wanted(chars[at])).unwrap_or(chars.len())
}

fn is_word_start(chars: &[char], at: usize) -> bool {
    // `br"…"` is a raw string too; any other letter before it makes it the end of a name.
    at == 0 || !(chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') || chars[at - 1] == 'b'
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of `r"…"` or `r#"…"#`; `start` itself for a raw identifier such as `r#type`.
fn end_of_raw_string(chars: &[char], start: usize) -> usize {
    let quote = find(chars, start + 1, |c| c != '#');
    if chars.get(quote) != Some(&'"') {
        return start;
    }
    let hashes = quote - start - 1;
    let closes =
        |at: usize| chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    (quote + 1..chars.len()).find(|&at| closes(at)).map_or(chars.len(), |at| at + 1 + hashes)
}

/// The end of a character; `start` itself for a lifetime.
fn end_of_char(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), _) => find(chars, start + 3, |c| c == '\'') + 1,
        (Some(_), Some('\'')) => start + 3,
        _ => start,
    }
}

/// The code without what stands under `#[cfg(test)]`; lines are where they were.
pub(crate) fn without_tests(code: &Code) -> Code {
    let mut out = code.clone();
    while let Some(start) = out.find("#[cfg(test)]") {
        let end = end_of_item(&out, start);
        let blanked: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blanked);
    }
    out
}

/// Where the item that begins at `start` ends: behind its `;`, or behind the brace that closes it.
fn end_of_item(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, c) in code[start..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return start + offset + 1;
                }
            }
            ';' if depth == 0 => return start + offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// Files and folders that a file declares as test modules of their own: `#[cfg(test)] mod fixture;`.
pub(crate) fn file_modules_of_tests(path: &Path) -> Vec<PathBuf> {
    let code = blank(&std::fs::read_to_string(path).expect("a file of the tree is readable UTF-8"));
    let parent = path.parent().expect("a file stands in a folder");
    let is_root = path.file_name().is_some_and(|name| name == "mod.rs" || name == "lib.rs" || name == "main.rs");
    let folder = if is_root { parent.to_path_buf() } else { path.with_extension("") };
    let mut found = Vec::new();
    for part in code.split("#[cfg(test)]").skip(1) {
        let declared = part.trim_start().split(';').next().unwrap_or_default();
        let name = declared.split_whitespace().skip_while(|word| *word != "mod").nth(1);
        if let (Some(name), false) = (name, declared.contains('{')) {
            found.extend([folder.join(format!("{name}.rs")), folder.join(name)]);
        }
    }
    found
}

/// The names at the crate's root that the code reaches, with their lines, by `crate::…` or by climbing with `super`.
pub(crate) fn imports(code: &Code, depth: usize) -> Vec<(usize, String)> {
    let climb = "super::".repeat(depth);
    let mut found = Vec::new();
    for prefix in ["crate::", climb.as_str()] {
        for (start, _) in code.match_indices(prefix) {
            let continues = code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
            if !continues {
                let line = code[..start].matches('\n').count() + 1;
                let names = first_names(&code[start + prefix.len()..]);
                found.extend(names.into_iter().filter(|name| name != "super").map(|name| (line, name)));
            }
        }
    }
    found.sort();
    found
}

/// The first name of a path, or of each path in a group: `a::b` gives a, `{a::{b, c}, d}` gives a and d.
fn first_names(path: &str) -> Vec<String> {
    let word =
        |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let path = path.trim_start();
    if !path.starts_with('{') {
        return vec![word(path)];
    }
    let (mut names, mut depth) = (Vec::new(), 0_usize);
    for (at, c) in path.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(c, '{' | ',') {
            names.push(word(&path[at + 1..]));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Functions of more than `lines_max` lines: line, name, length.
pub(crate) fn long_functions(code: &Code, lines_max: usize) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let inside_word = code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let name: String = code[start + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if inside_word || name.is_empty() {
            continue;
        }
        let length = code[start..end_of_item(code, start)].lines().count();
        if length > lines_max {
            found.push((code[..start].matches('\n').count() + 1, name, length));
        }
    }
    found
}

#[test]
fn what_is_not_code_is_blank() {
    let check = |text: &str, expect: &str| assert_eq!(blank(text), expect, "{text}");
    check("a // b\nc", "a     \nc");
    check("a /* b /* c */ d */ e", "a                   e");
    check(r#"a("\"b", c)"#, "a(     , c)");
    check("r#\"a\"b\"# r#type", "         r#type");
    check("'a' '\\'' &'a str", "         &'a str");
    check("for b in x", "for b in x");
}
