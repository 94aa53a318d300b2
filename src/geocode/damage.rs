//! Answers that are nearly right: what comes of them is a whole candidate or an error, never half of one.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::time::Instant;

use super::build::provider;
use super::config::{Config, Plan};
use super::fake::{SOON, gata};
use super::worlds::{KINDS, answer, number, provider_at};
use crate::http_client::stub::{Reply, Stub};

/// Answers of each provider.
const ROUNDS: u64 = 400;
/// What is put into an answer where it does not belong.
const STRANGE: [&str; 16] = [
    "NaN",
    "1e999",
    "-0",
    "null",
    "\"\"",
    "[]",
    "{}",
    "true",
    "\u{0}",
    "\\u0000",
    "\"lat\":",
    "91",
    "99999999999999999999",
    "\\ud800",
    "<b>",
    "\u{202e}",
];

/// Numbers that look random, and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }
}

/// An answer with one to three faults.
fn damaged(whole: &[u8], seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut bytes = whole.to_vec();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(bytes.len());
        match dice.roll(5) {
            0 => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
            1 => drop(bytes.drain(at..(at + 1 + dice.roll(20)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, STRANGE[dice.roll(STRANGE.len())].bytes())),
            3 => {
                // In the place of a whole value.
                let from = bytes[at..].iter().position(|byte| *byte == b':').map_or(at, |colon| at + colon + 1);
                let to = bytes[from..].iter().position(|byte| b",}]".contains(byte)).map_or(from, |end| from + end);
                drop(bytes.splice(from..to, STRANGE[dice.roll(STRANGE.len())].bytes()));
            }
            _ => bytes.truncate(at + 1),
        }
        if bytes.is_empty() {
            return bytes;
        }
    }
    bytes
}

#[tokio::test]
async fn damaged_answers_do_no_harm() {
    for kind in KINDS {
        let whole = answer(kind, &number(kind, 64.102), &number(kind, -21.9)).into_bytes();
        let seed = AtomicU64::new(0);
        let stub = Stub::start(move |_| {
            let headers = vec![("content-type", "application/json".to_owned())];
            Reply::Whole(200, headers, damaged(&whole, seed.fetch_add(1, Ordering::SeqCst)))
        })
        .await;
        let config = Config { providers: vec![provider_at(kind, &stub.url)], ..Config::default() };
        let Plan::Remote(remote) = config.plans().unwrap().remove(0) else { panic!("it is asked over HTTP") };
        let geocoder = provider(*remote, Timestamp::now).unwrap();
        let mut refused = 0;
        for seed in 0..ROUNDS {
            let Ok(found) = geocoder.answer(&gata(), Instant::now() + SOON).await else {
                refused += 1;
                continue;
            };
            for candidate in found {
                let is_text = !candidate.formatted_address.is_empty()
                    && !candidate.formatted_address.contains(|c: char| c.is_control() || c == '\u{202e}');
                let is_whole = is_text
                    && !candidate.position.is_null_island()
                    && (0.0..=1.0).contains(&candidate.confidence)
                    && candidate.place_id.len() <= 21;
                assert!(is_whole, "{kind:?}, seed {seed}: {candidate:?}");
            }
        }
        assert_eq!(stub.count() as u64, ROUNDS);
        assert!((ROUNDS / 4..ROUNDS).contains(&refused), "{kind:?}: {refused} of {ROUNDS} refused");
    }
}
