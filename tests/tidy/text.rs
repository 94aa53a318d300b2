//! Reads files that are not Rust: protos, scripts, the dashboard, lock files. Knows which files of the tree are ours.

use std::path::{Path, PathBuf};

/// Endings of files that people write.
pub(crate) const TEXT_ENDINGS: &[&str] = &[
    "rs",
    "toml",
    "md",
    "proto",
    "py",
    "ts",
    "mjs",
    "js",
    "svelte",
    "html",
    "css",
    "json",
    "yaml",
    "yml",
    "txt",
    "ini",
    "lock",
    "csv",
    "Makefile",
    ".npmrc",
    ".gitignore",
    "run",
    "fetch-data",
    "install-tools",
    "install-node",
    "test",
    "build-dashboard",
    "build-gazetteer",
    "package",
    "package-deb",
    "stage",
    "third-party",
    "mutants",
    "Dockerfile",
    "postinst",
    "prerm",
    "postrm",
];

/// Folders that nobody writes by hand.
const SKIPPED: &[&str] = &[
    ".git",
    "target",
    "node_modules",
    "dist",
    "gen",
    "fetched",
    "built",
    "basemap",
    ".venv",
    ".venv-nominatim",
    "__pycache__",
    ".svelte-kit",
];

/// Our files under the given places whose names end so, sorted.
pub(crate) fn files(root: &Path, places: &[&str], endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in places {
        walk(&root.join(place), root, &mut found);
    }
    found.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        endings.iter().any(|ending| name == *ending || name.rsplit_once('.').is_some_and(|(_, last)| last == *ending))
    });
    found.sort();
    found
}

fn walk(place: &Path, root: &Path, found: &mut Vec<PathBuf>) {
    if place.is_file() {
        found.push(place.to_path_buf());
    }
    let Ok(entries) = std::fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        // The server's data of `make run`; scripts/run is a file of ours.
        let is_data = entry.path() == root.join("run");
        if !is_data && !SKIPPED.iter().any(|skipped| name == *skipped) {
            walk(&entry.path(), root, found);
        }
    }
}

/// Parts of a proto file without a comment above.
pub(crate) fn uncommented_parts(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut faults = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let commented = number > 0 && lines[number - 1].starts_with("//");
        if is_proto_part(line) && !commented {
            faults.push(format!("{}: `{line}` has no comment above that says what it means", number + 1));
        }
    }
    faults
}

/// Whether a line begins a message, enum, service, oneof, rpc, field or enum value.
fn is_proto_part(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    match first {
        "message" | "enum" | "service" | "oneof" | "rpc" => true,
        "" | "//" | "syntax" | "package" | "import" | "option" | "reserved" | "extensions" | "}" => false,
        _ => !line.starts_with("//") && line.contains(" = "),
    }
}

/// What is wrong with a TypeScript, JavaScript or Svelte file.
pub(crate) fn script_faults(text: &str, lines_max: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let count = text.lines().count();
    if count > lines_max {
        faults.push(format!("{count} lines, at most {lines_max}: split it by idea"));
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("#!"));
    let first = lines.next().unwrap_or_default();
    let opening = if first.starts_with("<script") { lines.next().unwrap_or_default() } else { first };
    if !["//", "/*", "<!--"].iter().any(|comment| opening.starts_with(comment)) {
        faults.push("opens with a comment that says its job".to_owned());
    }
    faults
}

/// Paths of one machine, and addresses in files that tell tools where to fetch from.
pub(crate) fn machine_faults(path: &Path, text: &str) -> Vec<String> {
    // In pieces, so that this file does not hold what it looks for.
    let homes = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for home in homes {
            if line.match_indices(home).any(|(at, _)| is_path_start(line, at)) {
                faults.push(format!(
                    "{}: `{home}` is a path of one machine: say it from the repository's root",
                    number + 1
                ));
            }
        }
        if tells_where_to_fetch(path) && line.match_indices("://").any(|(at, _)| !is_own_host(&line[at + 3..])) {
            faults.push(format!(
                "{}: an address in a set-up file: fetch by package name with the user's client",
                number + 1
            ));
        }
    }
    faults
}

/// Whether a path begins here, and not in the middle of another: `/homepage/home/x` is none.
fn is_path_start(line: &str, at: usize) -> bool {
    !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*' | '/'))
}

fn tells_where_to_fetch(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    path.starts_with("scripts")
        || path.starts_with(".ci")
        || path.starts_with(".cargo")
        || [".npmrc", "Makefile", "requirements.txt", "data.lock"].contains(&name)
}

fn is_own_host(rest: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]", "{"].iter().any(|host| rest.starts_with(host))
}

/// Download addresses in lock files: they name one machine's mirror, and go stale.
pub(crate) fn lock_faults(path: &Path, text: &str) -> Vec<String> {
    let is_cargo = path.file_name().is_some_and(|name| name == "Cargo.lock");
    // The name that Cargo itself gives to its default registry; not where anything is fetched from.
    let default_registry = concat!("source = \"registry+https://github.com/rust-lang/", "crates.io-index\"");
    let wrong = |line: &str| {
        if is_cargo {
            line.starts_with("source = ") && line != default_registry
        } else {
            line.contains("\"resolved\"") || line.contains(".tgz\"") || line.contains(".whl\"")
        }
    };
    let numbered = text.lines().enumerate().filter(|(_, line)| wrong(line));
    numbered
        .map(|(n, _)| format!("{}: a download address: make the lock file anew with the .npmrc beside it", n + 1))
        .collect()
}

fn suffix(file: &str) -> Option<&str> {
    Path::new(file).extension()?.to_str()
}

/// Tests that a page names by their files, `path::name`, and that are not there. Python's are under `tests/e2e/python`; those of browsers,
/// under `tests/e2e/node`, are named by their files alone.
pub(crate) fn missing_tests(root: &Path, text: &str) -> Vec<String> {
    let pages = text.split('`').filter(|part| part.ends_with(".test.mjs") && part.is_ascii());
    let missing_pages = pages.filter(|file| !root.join("tests/e2e/node").join(file).exists());
    let named = text.split('`').filter_map(|part| part.split_once("::")).filter(|(file, name)| {
        matches!(suffix(file), Some("rs" | "py")) && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    });
    let is_there = |(file, name): &(&str, &str)| {
        let (folder, keyword) = if suffix(file) == Some("py") { ("tests/e2e/python", "def") } else { ("", "fn") };
        let found = std::fs::read_to_string(root.join(folder).join(file)).unwrap_or_default();
        found.contains(&format!("{keyword} {name}("))
    };
    let missing = named.filter(|test| !is_there(test)).map(|(file, name)| format!("there is no test {file}::{name}"));
    missing.chain(missing_pages.map(|file| format!("there is no file of tests {file}"))).collect()
}

#[test]
fn the_checkers_of_text_can_fail() {
    let proto = |text: &str| uncommented_parts(text).len();
    assert_eq!(proto("message A {\n  string b = 1;\n}"), 2);
    assert_eq!(proto("// A.\nmessage A {\n  // B.\n  string b = 1;\n  map<string, string> c = 2;\n}"), 1);
    assert_eq!(proto("// E.\nenum E {\n  // Zero.\n  E_A = 0;\n\n  E_B = 1;\n}"), 1);
    assert_eq!(proto("// S.\nservice S {\n  rpc Get(A) returns (B);\n}"), 1);
    assert_eq!(proto("syntax = \"proto3\";\n\npackage a.v1;\n\nimport \"b.proto\";\n"), 0);

    assert_eq!(script_faults("import x from 'y';", 400).len(), 1);
    assert_eq!(script_faults("<script lang=\"ts\">\n  let a = 1;", 400).len(), 1);
    assert_eq!(script_faults(&"// Job.\n".repeat(401), 400).len(), 1);
    assert_eq!(script_faults("<!-- Job. -->\n<script>", 400).len(), 0);
    assert_eq!(script_faults("#!/usr/bin/env node\n// Job.", 400).len(), 0);

    let machine = |path: &str, text: &str| machine_faults(Path::new(path), text).len();
    assert_eq!(machine("README.md", concat!("see /ro", "ot/x or /ho", "me/me/y")), 2);
    assert_eq!(machine("README.md", concat!("https://example.com/ho", "me/x")), 0);
    assert_eq!(machine("Makefile", "fetch https://example.com/x"), 1);
    assert_eq!(machine("scripts/run", "open http://127.0.0.1:8642/"), 0);

    let missing = |text: &str| missing_tests(Path::new(env!("CARGO_MANIFEST_DIR")), text).len();
    assert_eq!(missing("`tests/tidy/text.rs::the_checkers_of_text_can_fail`, `a::b`"), 0);
    assert_eq!(missing("`tests/tidy/text.rs::no_such_test`, `test_bad_input.py::test_nothing`, `src/no.rs::file`"), 3);
    assert_eq!(missing("`hostile.test.mjs`, `….test.mjs`, `no_such.test.mjs`"), 1);

    let lock = |path: &str, text: &str| lock_faults(Path::new(path), text).len();
    assert_eq!(lock("package-lock.json", "\"resolved\": \"https://example.com/a\""), 1);
    assert_eq!(lock("Cargo.lock", "source = \"registry+https://example.com/index\""), 1);
    assert_eq!(lock("Cargo.lock", "source = \"git+https://example.com/a\""), 1);
    assert_eq!(lock("package-lock.json", "\"integrity\": \"sha512-x\""), 0);
}

#[test]
fn the_walk_finds_what_is_there_and_skips_what_is_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = files(root, &[""], TEXT_ENDINGS);
    for wanted in ["Makefile", "scripts/run", ".ci/run", "proto/waymark/v1/site.proto", "tests/tidy/text.rs"] {
        assert!(found.contains(&root.join(wanted)), "{wanted} is not found");
    }
    let skipped = |path: &PathBuf| SKIPPED.iter().any(|name| path.components().any(|part| part.as_os_str() == *name));
    assert!(!found.iter().any(|path| skipped(&path.strip_prefix(root).expect("under the root").to_path_buf())));
}
