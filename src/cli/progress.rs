//! How far something long has come: a bar where a person watches, a line now and then where a file or another program does.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Counts to a total.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    what: &'static str,
    /// Where it is known.
    total: Option<u64>,
    done: u64,
    told_at: Instant,
}

impl Progress {
    /// Counts things called `what`.
    pub(super) fn of(total: u64, what: &'static str) -> Self {
        Self::new(Some(total), what)
    }

    /// The same where nobody knows how many there are.
    pub(super) fn open(what: &'static str) -> Self {
        Self::new(None, what)
    }

    fn new(total: Option<u64>, what: &'static str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let form = if total.is_some() {
                "{msg:24} {wide_bar} {pos}/{len} {per_sec} {eta}"
            } else {
                "{msg:24} {spinner} {pos} {per_sec}"
            };
            let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
            bar.with_style(style).with_message(what)
        });
        Self { bar, what, total, done: 0, told_at: Instant::now() }
    }

    /// So many more are done.
    pub(super) fn add(&mut self, count: u64) {
        self.done += count;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        } else if self.told_at.elapsed() >= LINE_EVERY {
            self.told_at = Instant::now();
            // Where standard error is closed nobody wants to know.
            let _ = writeln!(stderr(), "{self}");
        }
    }

    /// All are done.
    pub(super) fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.total {
            Some(total) => write!(f, "{} of {total} {}", self.done, self.what),
            None => write!(f, "{} {}", self.done, self.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_has_come() {
        let mut progress = Progress::of(10, "rows");
        progress.add(3);
        assert_eq!(progress.to_string(), "3 of 10 rows");
        let mut progress = Progress::open("sites");
        progress.add(3);
        assert_eq!(progress.to_string(), "3 sites");
    }
}
