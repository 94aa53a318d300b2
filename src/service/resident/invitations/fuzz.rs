//! Mutants of invitations' codes: none is taken but in the one form in which it was given out.

use super::{CODE_BYTES_MAX, code};
use crate::fuzzing::{Mutator, Target};
use crate::model::id::SiteId;

/// Mutants of a run of the tests.
const RUNS: u64 = 20_000;

const WORDS: [&[u8]; 8] =
    [b"wmi_", b".", b"..", b"-", b"=", b"acme", b"0190b5a0-0000-7000-8000-000000000001", b"\xc3\xbc"];

#[test]
fn no_mutant_of_a_code_is_another_form_of_one() {
    let site = SiteId::from_u128(0x0190_b5a0_0000_7000_8000_0000_0000_0001);
    let of = |account: &str| code::format(&account.parse().unwrap(), site, &[0xab; 32]).into_bytes();
    let seeds = vec![of("acme"), of(&"a".repeat(63)), of("x")];
    let mutate = Mutator { words: &WORDS, bytes_max: CODE_BYTES_MAX + 64 }.changes();
    let target = Target { name: "invitations", seeds, mutate, runs: RUNS, cost: 1 };
    let outcomes = target.run(|mutant| {
        let text = String::from_utf8_lossy(mutant);
        let Some((account, site, random)) = code::parse(&text) else {
            return format!("refused {}", text.split('.').count().min(5));
        };
        assert_eq!(code::format(&account, site, &random), text, "a code has one form");
        format!("taken {}", account.as_str().len())
    });
    let taken = outcomes.iter().filter(|outcome| outcome.starts_with("taken")).count();
    assert!(taken > 3 && outcomes.len() > taken + 3, "the mutants do not get far: {outcomes:?}");
}
