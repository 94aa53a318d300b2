//! Medians and percentiles, and the files in which the benches leave them for `benches/report.py`.

pub(crate) mod disk;
mod machine;
pub(crate) mod redis;
pub(crate) mod settings;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use machine::Machine;

/// One thing that was measured.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Figure {
    /// What was done, such as `tile z4`.
    pub(crate) what: String,
    /// The median over rounds.
    pub(crate) value: f64,
    /// What the value counts: `/s`, `bytes`, `s`.
    pub(crate) unit: &'static str,
    /// The value of each round.
    pub(crate) runs: Vec<f64>,
    /// Median time of one call, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<f64>,
    /// The time that 99 of 100 calls stay within, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<f64>,
    /// The call that it is held against, measured in the same rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compared_with: Option<String>,
    /// `value`, divided by that of the other call: the median of what each round had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
    /// That of each round.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ratios: Vec<f64>,
    /// Time of all cores that the server spent on one call, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_us: Option<f64>,
    /// Time that the generator spent on one call, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generator_us: Option<f64>,
    /// Calls that were made in all, unmeasured ones too, where each is made once.
    #[serde(skip)]
    pub(crate) spent: Option<usize>,
    /// What a reader has to know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

impl Figure {
    /// A value that was taken once or in some rounds.
    pub(crate) fn of(what: impl Into<String>, unit: &'static str, runs: Vec<f64>) -> Self {
        Self { what: what.into(), value: median(&runs), unit, runs, ..Self::default() }
    }

    /// With the times of single calls, in nanoseconds.
    pub(crate) fn with_times(mut self, times: &mut [u32]) -> Self {
        times.sort_unstable();
        self.p50_us = percentile(times, 50);
        self.p99_us = percentile(times, 99);
        self
    }

    /// With what a reader has to know.
    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Held against another figure of the same rounds, round by round.
    pub(crate) fn against(mut self, other: &Self) -> Self {
        self.ratios = self.runs.iter().zip(&other.runs).map(|(mine, theirs)| mine / theirs).collect();
        self.ratio = Some(median(&self.ratios));
        self.compared_with = Some(other.what.clone());
        self
    }

    fn print(&self) {
        let times = match (self.p50_us, self.p99_us) {
            (Some(p50), Some(p99)) => format!("  p50 {p50:>8.1} µs  p99 {p99:>8.1} µs"),
            _ => String::new(),
        };
        let cpu = match (self.server_us, self.generator_us) {
            (Some(server), Some(generator)) => format!("  cpu {server:.1} + {generator:.1} µs"),
            _ => String::new(),
        };
        let ratio = self.ratio.map(|ratio| format!("  {ratio:.2} of {}", self.compared_with.as_deref().unwrap_or("?")));
        println!("{:<44} {:>12.1} {:<6}{times}{cpu}{}", self.what, self.value, self.unit, ratio.unwrap_or_default());
    }
}

/// All that one bench measured on one set of sites.
#[derive(Debug, Serialize)]
pub(crate) struct Sheet {
    /// `map`, `load` or `compare`.
    pub(crate) bench: &'static str,
    /// How the sites are spread: `one` or `many` accounts.
    pub(crate) shape: &'static str,
    pub(crate) sites: usize,
    pub(crate) accounts: usize,
    /// How it was built: `bench` (as `release`, with link-time optimization: as `make dist` builds) or `debug`.
    pub(crate) profile: &'static str,
    /// Seconds since 1970.
    pub(crate) measured_at: i64,
    pub(crate) machine: Machine,
    pub(crate) figures: Vec<Figure>,
}

impl Sheet {
    pub(crate) fn new(bench: &'static str, shape: &'static str, sites: usize, accounts: usize) -> Self {
        println!("\n{bench}: {sites} sites in {accounts} account(s)");
        let profile = if cfg!(debug_assertions) { "debug" } else { "bench" };
        let measured_at = jiff::Timestamp::now().as_second();
        Self { bench, shape, sites, accounts, profile, measured_at, machine: Machine::this(), figures: Vec::new() }
    }

    pub(crate) fn add(&mut self, figure: Figure) {
        figure.print();
        self.figures.push(figure);
    }

    /// Writes the sheet where `benches/report.py` looks for it.
    pub(crate) fn write(&self) -> std::io::Result<()> {
        let directory = directory("results");
        std::fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{}-{}-{}.json", self.bench, self.shape, self.sites));
        std::fs::write(path, serde_json::to_vec_pretty(self)?)
    }
}

/// A directory for what the benches make, below the build's own.
pub(crate) fn directory(name: &str) -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    target.parent().unwrap_or(&target).join("bench").join(name)
}

/// The middle value; of an even number the lower of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// The time in microseconds within which `percent` of 100 calls stay, of sorted nanoseconds.
pub(crate) fn percentile(sorted: &[u32], percent: usize) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some(f64::from(sorted[(sorted.len() * percent / 100).min(last)]) / 1_000.0)
}

/// Nanoseconds since `start`, at most 4 s.
pub(crate) fn nanoseconds(start: Instant) -> u32 {
    u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

/// Calls a second over `rounds` rounds of `calls` calls, and in as many more rounds the time of each call alone.
#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
pub(crate) fn time(what: impl Into<String>, calls: usize, mut call: impl FnMut(usize)) -> Figure {
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    for round in 0..settings::rounds() {
        let first = round * calls;
        let start = Instant::now();
        (first..first + calls).for_each(&mut call);
        rates.push(calls as f64 / start.elapsed().as_secs_f64());
        for number in first..first + calls {
            let start = Instant::now();
            call(number);
            times.push(nanoseconds(start));
        }
    }
    Figure::of(what, "/s", rates).with_times(&mut times)
}
