//! Holds the rules of the tree that no compiler holds: who may import whom, comments, sizes, and what must not be written.
//!
//! Each checker takes text and gives back what is wrong with it, so that it can be shown a small bad example too: a
//! checker that cannot fail is a defect. Knows nothing of what the code does.

#[path = "tidy/mutants.rs"]
mod mutants;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/supply.rs"]
mod supply;
#[path = "tidy/text.rs"]
mod text;

use std::path::{Path, PathBuf};

use source::{Code, blank, file_modules_of_tests, imports, long_functions, without_tests};

/// Most lines of a file: beyond it, it holds two ideas.
const FILE_LINES_MAX: usize = 400;
/// Most lines of a function: one screen.
const FUNCTION_LINES_MAX: usize = 70;

/// Which top module of `src/` may import which others. A new arrow is a change of the design: argue it in its commit and
/// in ARCHITECTURE.md.
const IMPORTS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("model", &[]),
    // Of `model` which hosts are this machine; of `secret_file` how a collector's headers are read. It is below all that tell it something,
    // and knows none of them.
    ("telemetry", &["model", "secret_file"]),
    ("spatial", &["model"]),
    ("geoip", &["model", "error"]),
    ("http_client", &[]),
    // How secrets lie in files, for all who read or write one.
    ("secret_file", &[]),
    // Both ask strangers over HTTP, and share how; neither knows of the other.
    ("geocode", &["model", "error", "http_client", "secret_file", "telemetry"]),
    ("ticketing", &["model", "error", "http_client", "telemetry"]),
    // Asks providers for their keys, and says who bears a token; knows no use case.
    ("identity", &["model", "error", "http_client"]),
    // What the store, mail, geocoders and ticketing systems do for a call is told to traces, by spans that `telemetry` alone makes.
    ("store", &["model", "error", "secret_file", "telemetry"]),
    ("mail", &["model", "secret_file", "telemetry"]),
    // Pure: the words of sites, and which have them.
    ("lexicon", &["model"]),
    ("live", &["model", "error", "spatial", "lexicon", "store"]),
    (
        "service",
        &["model", "error", "spatial", "lexicon", "geoip", "geocode", "ticketing", "identity", "store", "mail", "live"],
    ),
    ("api", &["model", "error", "service", "telemetry"]),
    // Of `api` the generated messages and clients, and how gRPC writes times and codes; of `model` which hosts are this machine.
    ("client", &["api", "model"]),
    // The configuration is the struct of the parts' own Config structs.
    (
        "config",
        &["error", "app", "api", "store", "geoip", "geocode", "ticketing", "identity", "mail", "service", "telemetry"],
    ),
    (
        "app",
        &[
            "error",
            "telemetry",
            "secret_file",
            "geoip",
            "geocode",
            "ticketing",
            "identity",
            "store",
            "mail",
            "live",
            "service",
            "api",
            "config",
        ],
    ),
    // `gazetteer build` and `demo` need the builder, a sample of networks and the generated client.
    (
        "cli",
        &[
            "app",
            "config",
            "service",
            "model",
            "error",
            "geocode",
            "geoip",
            "telemetry",
            "secret_file",
            "api",
            "client",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// What is not written in `src/` outside tests, and what to write instead.
const FORBIDDEN_CALLS: &[(&str, &str)] = &[
    (".unwrap()", "return the error, or say in `expect` why it cannot fail"),
    ("todo!", "write it, or leave it out"),
    ("unimplemented!", "write it, or leave it out"),
    ("dbg!", "use tracing"),
];

/// What makes a site's record, and the one file of the use cases that may: it puts the entry of the history beside it.
const SITE_RECORD: (&str, &str) = ("Document::Site(Box", "src/service/record.rs");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a checker over files and fails with everything that it found.
fn hold(files: &[PathBuf], check: impl Fn(&Path, &str) -> Vec<String>) {
    assert!(!files.is_empty(), "no file to look at: the walk of the tree is broken");
    let mut faults = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).expect("a file of the tree is readable UTF-8");
        let shown = path.strip_prefix(root()).expect("the walk began at the root");
        faults.extend(check(shown, &text).into_iter().map(|fault| format!("{}: {fault}", shown.display())));
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// The top module of `src/` that a file belongs to: `src/api/http/tiles.rs` to `api`, `src/main.rs` to `main`.
fn top_module(path: &Path) -> Option<String> {
    let inside = path.strip_prefix("src").ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

/// How many `super` lead from a file's module to the crate's root: 1 for `src/api/mod.rs`, 2 for `src/api/names.rs`.
fn module_depth(path: &Path) -> usize {
    let parts = path.components().count() - 1;
    if path.file_name().is_some_and(|name| name == "mod.rs") { parts - 1 } else { parts }
}

fn import_faults(path: &Path, text: &str) -> Vec<String> {
    let Some(from) = top_module(path) else { return Vec::new() };
    let Some((_, allowed)) = IMPORTS.iter().find(|(module, _)| *module == from) else {
        return vec![format!("`{from}` is a new top module: say in tests/tidy.rs what it may import")];
    };
    let code = without_tests(&blank(text));
    let forbidden = |to: &String| *to != from && !allowed.contains(&to.as_str()) && is_module(to);
    let mut faults: Vec<String> = imports(&code, module_depth(path))
        .into_iter()
        .filter(|(_, to)| forbidden(to))
        .map(|(line, to)| {
            format!("{line}: `{from}` may not import `{to}` (allowed: {allowed:?}); turn the arrow round")
        })
        .collect();
    faults.dedup();
    faults
}

/// Whether a name at the crate's root is one of the modules, and not an item of `lib.rs`.
fn is_module(name: &str) -> bool {
    IMPORTS.iter().any(|(module, _)| *module == name)
}

fn comment_faults(_: &Path, text: &str) -> Vec<String> {
    let opens = text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 10);
    if opens { Vec::new() } else { vec!["opens with a `//!` comment that says its job".to_owned()] }
}

fn size_faults(_: &Path, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let too_long =
        (lines > FILE_LINES_MAX).then(|| format!("{lines} lines, at most {FILE_LINES_MAX}: split it by idea"));
    let functions = long_functions(&blank(text), FUNCTION_LINES_MAX).into_iter().map(|(line, name, length)| {
        format!("{line}: `{name}` has {length} lines, at most {FUNCTION_LINES_MAX}: give its parts names")
    });
    too_long.into_iter().chain(functions).collect()
}

fn call_faults(code: &Code) -> Vec<String> {
    let code = without_tests(code);
    let mut faults = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for (call, instead) in FORBIDDEN_CALLS {
            if line.contains(call) {
                faults.push(format!("{}: `{call}`: {instead}", number + 1));
            }
        }
    }
    faults
}

fn record_faults(path: &Path, code: &Code) -> Vec<String> {
    let (made, only) = SITE_RECORD;
    if !path.starts_with("src/service") || path == Path::new(only) {
        return Vec::new();
    }
    let code = without_tests(code);
    let lines = code.lines().enumerate().filter(|(_, line)| line.contains(made));
    lines.map(|(number, _)| format!("{}: write sites by {only}, which keeps their history", number + 1)).collect()
}

#[test]
fn modules_import_what_the_design_allows() {
    hold(&text::files(root(), &["src"], &["rs"]), import_faults);
}

#[test]
fn every_rust_file_opens_with_its_job() {
    hold(&text::files(root(), &["src", "tests", "benches", "build.rs"], &["rs"]), comment_faults);
}

#[test]
fn files_and_functions_are_short() {
    hold(&text::files(root(), &["src", "tests", "benches", "build.rs"], &["rs"]), size_faults);
}

#[test]
fn nothing_unfinished_is_in_src() {
    hold(&files_of_the_program(), |_, text| call_faults(&blank(text)));
}

#[test]
fn sites_are_written_in_one_way() {
    hold(&files_of_the_program(), |path, text| record_faults(path, &blank(text)));
}

/// The files of `src/` that are not of tests alone.
fn files_of_the_program() -> Vec<PathBuf> {
    let files = text::files(root(), &["src"], &["rs"]);
    let test_files: Vec<PathBuf> = files.iter().flat_map(|path| file_modules_of_tests(path)).collect();
    files.into_iter().filter(|path| !test_files.iter().any(|test| path.starts_with(test))).collect()
}

#[test]
fn every_part_of_the_protos_is_commented() {
    hold(&text::files(root(), &["proto"], &["proto"]), |_, text| text::uncommented_parts(text));
}

#[test]
fn the_dashboards_files_are_short_and_say_their_job() {
    let files = text::files(root(), &["dashboard", "clients", "tests/e2e"], &["ts", "mjs", "svelte"]);
    hold(&files, |_, text| text::script_faults(text, FILE_LINES_MAX));
}

#[test]
fn nothing_of_a_machine_is_written_down() {
    hold(&text::files(root(), &[""], text::TEXT_ENDINGS), text::machine_faults);
}

#[test]
fn lock_files_hold_no_download_address() {
    hold(&text::files(root(), &[""], &["lock", "package-lock.json"]), text::lock_faults);
}

#[test]
fn the_tests_that_are_named_are_there() {
    hold(&[root().join("docs/faults.md")], |_, text| text::missing_tests(root(), text));
}

#[test]
fn the_checkers_can_fail() {
    let at = |path: &str, text: &str| import_faults(Path::new(path), text).len();
    assert_eq!(at("src/model/geo.rs", "//! Job.\nuse crate::service::Waymark;"), 1);
    assert_eq!(at("src/model/geo.rs", "//! Job.\nuse crate::{error::Fault, model::Invalid};"), 1);
    assert_eq!(at("src/spatial/tree.rs", "use crate::{\n  model::{geo::LatLng, id},\n  store::Store,\n};"), 1);
    assert_eq!(at("src/geoip/mod.rs", "fn f() { super::geocode::lookup() }"), 1);
    assert_eq!(at("src/geoip/record.rs", "use super::super::store::Store;"), 1);
    assert_eq!(at("src/novel/mod.rs", "//! Job."), 1);
    assert_eq!(
        at("src/geoip/record.rs", "use super::store::Local;\n// crate::service\nlet s = \"crate::service\";"),
        0
    );
    assert_eq!(at("src/geoip/mod.rs", "#[cfg(test)]\nmod tests {\n use crate::service::Waymark; }"), 0);
    assert_eq!(at("src/service/mod.rs", "use crate::{model::geo, live::Live};"), 0);

    assert_eq!(comment_faults(Path::new("x.rs"), "use std::fmt;").len(), 1);
    assert_eq!(comment_faults(Path::new("x.rs"), "//! Says what it is for.").len(), 0);
    let long = |lines: usize| format!("//! Job.\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
    assert_eq!(size_faults(Path::new("x.rs"), &long(FUNCTION_LINES_MAX + 1)).len(), 1);
    assert_eq!(size_faults(Path::new("x.rs"), &long(FUNCTION_LINES_MAX)).len(), 0);
    assert_eq!(size_faults(Path::new("x.rs"), &"\n".repeat(FILE_LINES_MAX + 1)).len(), 1);

    let calls = |text: &str| call_faults(&blank(text)).len();
    assert_eq!(calls("let a = b.unwrap();\ntodo!()"), 2);
    let records = |path: &str, text: &str| record_faults(Path::new(path), &blank(text)).len();
    assert_eq!(records("src/service/sites.rs", "f(Document::Site(Box::new(site)))"), 1);
    assert_eq!(records("src/service/record.rs", "f(Document::Site(Box::new(site)))"), 0);
    assert_eq!(records("src/service/sites.rs", "match d { Document::Site(site) => site }"), 0);
    assert_eq!(calls("// b.unwrap()\nlet a = \"todo!\"; b.unwrap_or(1);"), 0);
    assert_eq!(calls("#[cfg(test)]\nmod tests {\n fn f() { b.unwrap() }\n}\nfn g() { c.unwrap() }"), 1);
}
