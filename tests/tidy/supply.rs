//! Holds what waymark is made of against `deny.toml`: licences, crates and versions that are not to come, crates that are to be there once,
//! and where crates come from. And what the image is built of against what the build reads.

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
    denied: Vec<Denied>,
}

/// A crate that is not wanted.
struct Denied {
    name: String,
    /// From this version on it may come.
    below: Option<Version>,
    /// Whether one version of it may come, and no second one.
    is_of_seconds: bool,
}

/// Major, minor and patch.
type Version = [u64; 3];

impl Denied {
    /// An entry of the list: `name`, `name:<version`, or a table with one of these.
    fn read(entry: &toml::Value) -> Self {
        let spec = entry.get("crate").unwrap_or(entry).as_str().expect("a crate");
        let (name, below) = match spec.split_once(':') {
            None => (spec, None),
            Some((name, requirement)) => {
                let below = requirement.strip_prefix('<').expect("versions below one are what is read here");
                (name, Some(version(below)))
            }
        };
        let is_of_seconds = entry.get("deny-multiple-versions").is_some_and(|only| only.as_bool() == Some(true));
        Self { name: name.to_owned(), below, is_of_seconds }
    }
}

/// A version without what stands behind its numbers.
fn version(text: &str) -> Version {
    let numbers = text.split(['-', '+']).next().unwrap_or_default().split('.');
    let mut version = [0; 3];
    for (part, number) in version.iter_mut().zip(numbers) {
        *part = number.parse().expect("a version is three numbers");
    }
    version
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
            denied: rules["bans"]["deny"].as_array().expect("a list").iter().map(Denied::read).collect(),
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
        let mut of_it = self.denied.iter().filter(|denied| denied.name == name && !denied.is_of_seconds);
        let found = package["version"].as_str().unwrap_or_default();
        if of_it.any(|denied| denied.below.is_none_or(|below| version(found) < below)) {
            faults
                .push(format!("{name} {found}: deny.toml does not want it: `cargo tree -i {name}` says who brings it"));
        }
        // A path has no source: that is this package alone.
        let is_ours = package["source"].is_null() && name == env!("CARGO_PKG_NAME");
        if !is_ours && package["source"] != REGISTRY {
            faults.push(format!("{name}: it is not from the registry: {}", package["source"]));
        }
        faults
    }

    /// What is there twice and is to be there once.
    fn seconds(&self, packages: &[Value]) -> Vec<String> {
        let of_seconds = self.denied.iter().filter(|denied| denied.is_of_seconds);
        let versions = |name: &str| -> Vec<&str> {
            let of_it = packages.iter().filter(|package| package["name"] == name);
            of_it.filter_map(|package| package["version"].as_str()).collect()
        };
        let found = of_seconds.map(|denied| (&denied.name, versions(&denied.name)));
        found
            .filter(|(_, found)| found.len() > 1)
            .map(|(name, found)| format!("{name} is there as {found:?}"))
            .collect()
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
    let mut faults: Vec<String> = packages.iter().flat_map(|package| rules.faults(package)).collect();
    faults.extend(rules.seconds(&packages));
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
    let package = |name: &str, version: &str| serde_json::json!({ "name": name, "version": version, "license": "MIT", "source": REGISTRY });
    let faults = |name: &str, licence: &str, source: &str| {
        let stated = serde_json::json!({ "name": name, "version": "1.0.0", "license": licence, "source": source });
        rules.faults(&stated).len()
    };
    assert_eq!(faults("x", "MIT", REGISTRY), 0);
    assert_eq!(faults("x", "ODbL-1.0", REGISTRY), 1);
    assert_eq!(faults("tzf-dist", "MIT AND ODbL-1.0", REGISTRY), 0);
    assert_eq!(faults("openssl-sys", "MIT", REGISTRY), 1);
    assert_eq!(faults("x", "MIT", "git+https://example.com/x"), 1);
    for (found, expect) in [("0.4.15", 1), ("0.3.99", 1), ("0.4.16", 0), ("0.4.16+more", 0), ("1.0.0", 0)] {
        assert_eq!(rules.faults(&package("h2", found)).len(), expect, "h2 {found}");
    }
    let two = [package("h2", "0.4.16"), package("h2", "0.5.0"), package("x", "1.0.0"), package("x", "2.0.0")];
    assert_eq!((rules.seconds(&two).len(), rules.seconds(&two[1..]).len()), (1, 0));
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
