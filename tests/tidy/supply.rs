//! Holds what waymark is made of against `deny.toml`: licences, crates that are not to come, and where crates come from. And what
//! the image is built of against what the build reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The registry that Cargo has by default, by the name that it gives it; not where anything is fetched from.
const REGISTRY: &str = concat!("registry+https://github.com/rust-lang/", "crates.io-index");

/// What `deny.toml` says.
struct Rules {
    allowed: Vec<String>,
    /// Crate and licence.
    exceptions: Vec<(String, String)>,
    denied: Vec<String>,
}

impl Rules {
    fn read() -> Self {
        let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
        let rules: toml::Table = text.parse().expect("it is TOML");
        let texts = |value: &toml::Value| -> Vec<String> {
            let items = value.as_array().expect("a list").iter();
            items.map(|item| item.as_str().expect("a text").to_owned()).collect()
        };
        let exceptions = rules["licenses"]["exceptions"].as_array().expect("a list").iter().flat_map(|exception| {
            let name = exception["crate"].as_str().expect("a name").to_owned();
            texts(&exception["allow"]).into_iter().map(move |licence| (name.clone(), licence))
        });
        Self {
            allowed: texts(&rules["licenses"]["allow"]),
            exceptions: exceptions.collect(),
            denied: texts(&rules["bans"]["deny"]),
        }
    }

    /// What is wrong with a package.
    fn faults(&self, package: &Value) -> Vec<String> {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        let is_good = |id: &str| {
            self.allowed.iter().any(|allowed| allowed == id)
                || self.exceptions.iter().any(|(of, allowed)| of == name && allowed == id)
        };
        let mut faults = Vec::new();
        if !is_met(licence, &is_good) {
            faults.push(format!("{name}: licence {licence:?} is not one of deny.toml"));
        }
        if self.denied.iter().any(|denied| denied == name) {
            faults.push(format!("{name}: deny.toml does not want it: `cargo tree -i {name}` says who brings it"));
        }
        // A path has no source: that is this package alone.
        let is_ours = package["source"].is_null() && name == env!("CARGO_PKG_NAME");
        if !is_ours && package["source"] != REGISTRY {
            faults.push(format!("{name}: it is not from the registry: {}", package["source"]));
        }
        faults
    }
}

/// Whether an SPDX expression can be met with licences that are good. `/` is what `OR` was before.
fn is_met(expression: &str, is_good: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any_of(&tokens, &mut at, is_good);
    met && at == tokens.len()
}

fn any_of(tokens: &[&str], at: &mut usize, is_good: &dyn Fn(&str) -> bool) -> bool {
    let mut met = all_of(tokens, at, is_good);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        // Read to its end, whatever the first says.
        met |= all_of(tokens, at, is_good);
    }
    met
}

fn all_of(tokens: &[&str], at: &mut usize, is_good: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(tokens, at, is_good);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at, is_good);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize, is_good: &dyn Fn(&str) -> bool) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if *token == "(" {
        let met = any_of(tokens, at, is_good);
        *at += 1;
        return met;
    }
    if tokens.get(*at) == Some(&"WITH") {
        let exception = tokens.get(*at + 1).unwrap_or(&"");
        *at += 2;
        return is_good(&format!("{token} WITH {exception}"));
    }
    is_good(token)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the lock file has for this platform, tests and build tools included.
fn packages() -> Vec<Value> {
    let output_of = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(root()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it writes UTF-8")
    };
    let version = output_of("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("it names its host");
    let arguments = ["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&output_of(env!("CARGO"), &arguments)).expect("it writes JSON");
    metadata["packages"].as_array().expect("a list").clone()
}

#[test]
fn what_it_is_made_of_is_allowed() {
    let (rules, packages) = (Rules::read(), packages());
    assert!(packages.len() > 200, "{} packages: the list is cut", packages.len());
    let faults: Vec<String> = packages.iter().flat_map(|package| rules.faults(package)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_rules_of_supply_can_fail() {
    let good = |id: &str| ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].contains(&id);
    for (expression, expect) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT OR GPL-3.0-only", true),
        ("GPL-3.0-only / MIT", true),
        ("MIT AND GPL-3.0-only", false),
        ("MIT AND (GPL-3.0-only OR Apache-2.0)", true),
        ("(MIT OR X) AND (Y OR Z)", false),
        ("X AND Y OR MIT", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT WITH X", false),
        ("", false),
        ("MIT MIT", false),
    ] {
        assert_eq!(is_met(expression, &good), expect, "{expression}");
    }
    let rules = Rules::read();
    let faults = |name: &str, licence: &str, source: &str| {
        rules.faults(&serde_json::json!({ "name": name, "license": licence, "source": source })).len()
    };
    assert_eq!(faults("x", "MIT", REGISTRY), 0);
    assert_eq!(faults("x", "ODbL-1.0", REGISTRY), 1);
    assert_eq!(faults("tzf-dist", "MIT AND ODbL-1.0", REGISTRY), 0);
    assert_eq!(faults("openssl-sys", "MIT", REGISTRY), 1);
    assert_eq!(faults("x", "MIT", "git+https://example.com/x"), 1);
}

/// What the `COPY` lines of a Dockerfile take out of the repository.
fn copied(dockerfile: &str) -> Vec<PathBuf> {
    let lines =
        dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|rest| !rest.starts_with("--from"));
    let sources = lines.flat_map(|rest| {
        let mut words: Vec<&str> = rest.split_whitespace().collect();
        words.pop();
        words
    });
    sources.map(PathBuf::from).collect()
}

/// The image is built on machines that nobody tests on: it lacks a file only there.
#[test]
fn the_image_has_what_the_build_reads() {
    let dockerfile = std::fs::read_to_string(root().join("deploy/Dockerfile")).expect("it is there");
    let copied = copied(&dockerfile);
    for source in &copied {
        assert!(root().join(source).exists(), "{} is not there", source.display());
    }
    let has = |path: &str| copied.iter().any(|source| Path::new(path).starts_with(source));
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    let manifest: toml::Table = manifest.parse().expect("it is TOML");
    let benches = manifest["bench"].as_array().expect("a list").iter();
    let mut wanted: Vec<String> = benches.map(|bench| bench["path"].as_str().expect("a path").to_owned()).collect();
    let read = ["Cargo.toml", "Cargo.lock", "build.rs", "src/main.rs", "proto", "dashboard", "clients/policy.json"];
    wanted.extend(read.map(str::to_owned));
    for path in wanted {
        assert!(has(&path), "{path} is not copied into the image");
    }
    assert!(!has("tests/tidy.rs"), "the check would take anything");
}
