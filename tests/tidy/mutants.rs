//! Holds the broken builds of `tests/mutants` against the tree: each still applies, and names tests that are there. Builds
//! nothing: that is for `scripts/mutants`.

use std::path::Path;

use serde::Deserialize;

use super::text::files;
use super::{hold, root};

const FOLDER: &str = "tests/mutants";
/// Fewer would say little of the tests.
const MUTANTS_MIN: usize = 10;

/// A way to break waymark, as a file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    /// What is not true any more.
    breaks: String,
    /// The fault of docs/faults.md, or the decision of ARCHITECTURE.md, that it is an example of.
    stands_for: String,
    /// The commands that fail on it.
    tests: Vec<String>,
    change: Vec<Change>,
}

/// A text that stands once in a file, and what takes its place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    file: String,
    find: String,
    replace: String,
}

impl Mutant {
    /// What is wrong with it; `read` gives the text of a file of the tree, an empty one for none.
    fn faults(&self, read: &impl Fn(&str) -> String) -> Vec<String> {
        let changes = self.change.iter().filter_map(|Change { file, find, replace }| {
            let found = read(file).matches(find.as_str()).count();
            let is_fit = found == 1 && find != replace;
            (!is_fit).then(|| format!("its text stands {found} times in {file}: make it fit what stands there now"))
        });
        let tests = self.tests.iter().filter(|test| !is_there(test, read));
        let mut faults: Vec<String> = changes.chain(tests.map(|test| format!("there is no test `{test}`"))).collect();
        if self.change.is_empty() || self.tests.is_empty() {
            faults.push("it changes nothing, or no test is to notice it".to_owned());
        }
        faults
    }

    /// Its row in the table of README.md.
    fn row(&self, name: &str) -> String {
        let tests: Vec<String> = self.tests.iter().map(|test| format!("`{test}`")).collect();
        format!("| `{name}` | {} | {} | {} |", self.breaks, self.stands_for, tests.join(", "))
    }
}

/// Whether a command runs a test that is there.
fn is_there(command: &str, read: &impl Fn(&str) -> String) -> bool {
    if let Some((module, name)) = command.strip_prefix("cargo test --lib ").and_then(|path| path.rsplit_once("::")) {
        let file = format!("src/{}", module.replace("::", "/"));
        // Tests at the end of a file are a module within it.
        let around = file.strip_suffix("/tests").unwrap_or(&file);
        let files = [format!("{file}.rs"), format!("{file}/mod.rs"), format!("{around}.rs")];
        return files.iter().any(|file| read(file).contains(&format!("fn {name}(")));
    }
    let named = command.strip_prefix("pytest ").and_then(|test| test.split_once("::"));
    named.is_some_and(|(file, name)| {
        // Parameters stand in brackets.
        let name = name.split_once('[').map_or(name, |(name, _)| name);
        read(file).contains(&format!("def {name}("))
    })
}

#[test]
fn broken_builds_apply_have_their_tests_and_are_listed() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap_or_default();
    let (page, found) = (read(&format!("{FOLDER}/README.md")), files(root(), &[FOLDER], &["toml"]));
    assert!(found.len() >= MUTANTS_MIN, "{} mutants, at least {MUTANTS_MIN}", found.len());
    hold(&found, |path: &Path, text| {
        let mutant: Mutant = match toml::from_str(text) {
            Ok(mutant) => mutant,
            Err(cause) => return vec![cause.to_string()],
        };
        let row = mutant.row(path.file_stem().and_then(|name| name.to_str()).unwrap_or_default());
        let mut faults = mutant.faults(&read);
        if !page.contains(&row) {
            faults.push(format!("{FOLDER}/README.md lacks its row:\n{row}"));
        }
        faults
    });
}

#[test]
fn the_checker_of_broken_builds_can_fail() {
    let read = |file: &str| match file {
        "src/a.rs" => "one two two\n#[test]\nfn inside() {}".to_owned(),
        "src/a/tests/mod.rs" => "fn beside() {}".to_owned(),
        "tests/e2e/python/test_a.py" => "def test_it(server):".to_owned(),
        _ => String::new(),
    };
    let faults = |find: &str, tests: &[&str]| {
        let change = Change { file: "src/a.rs".to_owned(), find: find.to_owned(), replace: String::new() };
        let tests = tests.iter().map(|test| (*test).to_owned()).collect();
        let mutant = Mutant { breaks: String::new(), stands_for: String::new(), tests, change: vec![change] };
        mutant.faults(&read).len()
    };
    let good = "cargo test --lib a::tests::inside";
    let python = "pytest tests/e2e/python/test_a.py::test_it";
    assert_eq!(faults("one", &[good, "cargo test --lib a::tests::beside", python, &format!("{python}[x]")]), 0);
    assert_eq!(faults("two", &[good]), 1, "it stands there twice");
    assert_eq!(faults("three", &[good]), 1, "it is not there any more");
    assert_eq!(faults("one", &[]), 1);
    for missing in ["cargo test --lib a::tests::gone", "cargo test inside", "pytest test_a.py", &format!("{python}s")] {
        assert_eq!(faults("one", &[missing]), 1, "{missing}");
    }
}
