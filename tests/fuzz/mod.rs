//! What all fuzz targets share: a driver that makes mutants of real inputs and keeps those whose outcome was never seen.
//!
//! Runs on any toolchain, without instrumentation: the feedback is what the code answered, not which branches were taken.
//! Targets are tests named `fuzz` beside what they ask; `README.md` lists them. `WAYMARK_FUZZ_RUNS` says how many mutants
//! (`make fuzz`), `WAYMARK_FUZZ_SEED` repeats a run. A mutant that panics or does not end is printed as Rust writes it, so
//! that it can be put into a test. Knows nothing of what is asked.

mod json;
mod mutator;
mod numbers;
mod wire;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) use json::mutate_json;
pub(crate) use mutator::{Mutator, TEXTS};
pub(crate) use numbers::Numbers;
pub(crate) use wire::mutate_message;

/// Seed of a run of the tests: the same each time, so that a change is to blame for a failure.
const SEED_DEFAULT: u64 = 1;
/// Most parents that are kept.
const PARENTS_MAX: usize = 4_000;
/// Longest sketch of a text, in bytes: what tells outcomes apart stands at their beginning.
const SKETCH_BYTES_MAX: usize = 120;
/// A mutant that is not done with after so long never ends: the largest takes milliseconds.
const HANG: Duration = Duration::from_mins(1);

/// What is run, and how often.
pub(crate) struct Target<M> {
    /// Its name in `README.md`.
    pub(crate) name: &'static str,
    /// Real inputs, some of each kind.
    pub(crate) seeds: Vec<Vec<u8>>,
    /// Changes an input in place; the second one is there to take pieces from.
    pub(crate) mutate: M,
    /// Mutants of a run of the tests.
    pub(crate) runs: u64,
    /// A long run makes so many times fewer mutants than it was told to, and never fewer than one of the tests: of what costs
    /// more than microseconds.
    pub(crate) cost: u64,
}

impl<M: Fn(&mut Vec<u8>, &[u8], &mut Numbers)> Target<M> {
    /// Executes each seed, and then mutants; the outcomes that there were. `execute` panics where something is wrong, and
    /// sketches what came of it otherwise: coarsely, because each new sketch is kept as a parent.
    #[expect(clippy::print_stdout, reason = "a summary for who runs it")]
    pub(crate) fn run(&self, mut execute: impl FnMut(&[u8]) -> String) -> HashSet<String> {
        let runs = setting("WAYMARK_FUZZ_RUNS").map_or(self.runs, |runs| (runs / self.cost).max(self.runs));
        let seed = setting("WAYMARK_FUZZ_SEED").unwrap_or(SEED_DEFAULT);
        let (mut numbers, mut parents, mut outcomes) = (Numbers::new(seed), self.seeds.clone(), HashSet::new());
        let present = Present::watched(self.name, seed);
        for run in 0..runs {
            let seeded = usize::try_from(run).ok().and_then(|run| self.seeds.get(run));
            let mutant = seeded.cloned().unwrap_or_else(|| {
                let mut mutant = parents[numbers.below(parents.len())].clone();
                (self.mutate)(&mut mutant, &self.seeds[numbers.below(self.seeds.len())], &mut numbers);
                mutant
            });
            present.is(&mutant);
            let outcome = catch_unwind(AssertUnwindSafe(|| execute(&mutant)));
            let Ok(outcome) = outcome else {
                panic!("{}: seed {seed}, mutant {run} panics: b\"{}\"", self.name, mutant.escape_ascii())
            };
            if outcomes.insert(outcome) && parents.len() < PARENTS_MAX && !mutant.is_empty() {
                parents.push(mutant);
            }
        }
        println!("{}: seed {seed}: {runs} mutants, {} outcomes", self.name, outcomes.len());
        outcomes
    }
}

/// What a text comes down to that tells of a fault: its beginning, without numbers and what is quoted.
pub(crate) fn sketch(text: &str) -> String {
    let (mut told, mut quote) = (String::new(), None);
    for letter in text.chars() {
        match quote {
            Some(end) if letter == end => quote = None,
            Some(_) => continue,
            None if matches!(letter, '"' | '`') => quote = Some(letter),
            None => {}
        }
        if !letter.is_ascii_digit() && told.len() < SKETCH_BYTES_MAX {
            told.push(letter);
        }
    }
    told
}

/// A number of the environment.
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

/// The mutant in hand, for whoever has to say what does not end.
struct Present {
    mutant: Arc<Mutex<Vec<u8>>>,
    /// How many there were; the greatest number once there are no more.
    count: Arc<AtomicU64>,
}

impl Present {
    /// Ends the process with the mutant in hand where one does not end: a thread that hangs cannot be stopped.
    #[expect(clippy::print_stderr, reason = "the last word of a process that ends")]
    fn watched(name: &'static str, seed: u64) -> Self {
        let present = Self { mutant: Arc::default(), count: Arc::default() };
        let (mutant, count) = (Arc::clone(&present.mutant), Arc::clone(&present.count));
        std::thread::spawn(move || {
            let mut before = 0;
            loop {
                std::thread::sleep(HANG);
                let now = count.load(Ordering::Relaxed);
                if now == u64::MAX {
                    return;
                }
                if now == before {
                    let mutant = mutant.lock().map(|mutant| mutant.escape_ascii().to_string()).unwrap_or_default();
                    eprintln!("{name}: seed {seed}, mutant {} does not end: b\"{mutant}\"", now.saturating_sub(1));
                    std::process::abort();
                }
                before = now;
            }
        });
        present
    }

    fn is(&self, mutant: &[u8]) {
        let mut present = self.mutant.lock().expect("nobody panics who holds it");
        present.clear();
        present.extend_from_slice(mutant);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.count.store(u64::MAX, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_target(runs: u64) -> Target<impl Fn(&mut Vec<u8>, &[u8], &mut Numbers)> {
        let mutate = Mutator { words: &[b"("], bytes_max: 256 }.changes();
        Target { name: "itself", seeds: vec![b"(a (b 17))".to_vec(), b"c".to_vec()], mutate, runs, cost: u64::MAX }
    }

    /// A driver that finds nothing is a defect: the fault is three steps away, each of which has an outcome of its own.
    #[test]
    fn a_fault_behind_outcomes_is_found() {
        let found = catch_unwind(|| {
            text_target(200_000).run(|bytes| {
                let depth = bytes.iter().take_while(|byte| **byte == b'(').count();
                assert!(depth < 6, "too deep");
                format!("depth {depth}")
            })
        });
        let told = *found.expect_err("it is found").downcast::<String>().expect("a panic with a text");
        assert!(told.contains("itself: seed 1, mutant") && told.contains("panics: b\"(((((("), "{told}");
    }

    #[test]
    fn the_seeds_come_first_and_as_they_are() {
        let mut seen = Vec::new();
        let outcomes = text_target(50).run(|bytes| {
            seen.push(bytes.to_vec());
            String::new()
        });
        assert_eq!(seen[..2], [b"(a (b 17))".to_vec(), b"c".to_vec()]);
        assert_eq!(outcomes.len(), 1);
    }

    #[test]
    fn what_is_quoted_or_counted_tells_no_outcomes_apart() {
        assert_eq!(sketch("at byte 17: \"colour\" is no field"), sketch("at byte 2: \"x\" is no field"));
        assert_ne!(sketch("at byte 17: a is no field"), sketch("at byte 17: b is no sign"));
    }
}
