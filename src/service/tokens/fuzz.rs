//! Mutants of secrets and of sealed values: none is taken but in the one form in which it was given out.

use serde_json::Value;

use super::super::access::secret;
use super::super::sealed::{SEALED_BYTES_MAX, Sealer};
use crate::fuzzing::{Mutator, Target};
use crate::model::id::TokenId;

/// Mutants of a run of the tests.
const RUNS: u64 = 20_000;
/// Longest mutant, in bytes: what is too long to be looked at is among them.
const TEXT_BYTES_MAX: usize = SEALED_BYTES_MAX + 64;
/// Characters of a secret's checksum.
const CHECKSUM_CHARS: usize = 8;
/// What the values of the test are sealed for.
const PURPOSE: &str = "page:fuzz";

const WORDS: [&[u8]; 12] =
    [b"wmk_", b"_", b"=", b"==", b"-", b"+", b"/", b"A", b"\n", b"0123456789abcdef", b"eyJ", b"\xc3\xbc"];

#[test]
fn no_mutant_of_a_secret_is_another_form_of_one() {
    let ids = ["000000000000feed", "0123456789abcdef"].map(|id| id.parse::<TokenId>().unwrap());
    let seeds: Vec<Vec<u8>> = ids.map(|id| secret::format(id, &[0xab; 32]).into_bytes()).to_vec();
    let mutate = Mutator { words: &WORDS, bytes_max: 256 }.changes();
    let target = Target { name: "tokens", seeds, mutate, runs: RUNS, cost: 1 };
    let outcomes = target.run(|mutant| {
        let text = String::from_utf8_lossy(mutant);
        // With its checksum made right, so that what is behind it is reached.
        let body: String = text.chars().take(text.chars().count().saturating_sub(CHECKSUM_CHARS)).collect();
        let mended = format!("{body}{:08x}", crc32fast::hash(body.as_bytes()));
        let [is_taken, is_taken_mended] = [&*text, mended.as_str()].map(|text| match secret::parse(text) {
            Some((id, random)) => {
                assert_eq!(secret::format(id, &random), text, "a secret has one form");
                true
            }
            None => false,
        });
        format!("{is_taken} {is_taken_mended} {}", text.is_ascii())
    });
    for wanted in ["true true true", "false true true", "false false true", "false false false"] {
        assert!(outcomes.contains(wanted), "{wanted} never came: {outcomes:?}");
    }
}

#[test]
fn no_mutant_of_a_sealed_value_opens() {
    let sealer = Sealer::new(&[7; 32]);
    let values =
        [serde_json::json!(["cursor", 5]), serde_json::json!({"token": "00", "filter": "x", "ends_at": "2026"})];
    let sealed: Vec<Vec<u8>> = values.iter().map(|value| sealer.seal(PURPOSE, value).into_bytes()).collect();
    let mutate = Mutator { words: &WORDS, bytes_max: TEXT_BYTES_MAX }.changes();
    let target = Target { name: "sealed values", seeds: sealed.clone(), mutate, runs: RUNS, cost: 3 };
    let outcomes = target.run(|mutant| {
        let text = String::from_utf8_lossy(mutant);
        let opened = sealer.open::<Value>(PURPOSE, &text);
        let at = sealed.iter().position(|sealed| sealed == text.as_bytes());
        assert_eq!(opened.as_ref(), at.map(|at| &values[at]), "what was never sealed opens");
        assert_eq!(sealer.open::<Value>("page:other", &text), None);
        format!("{} {}", opened.is_some(), text.len() > SEALED_BYTES_MAX)
    });
    assert!(outcomes.len() >= 2, "the mutants do not get far: {outcomes:?}");
}
