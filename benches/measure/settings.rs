//! What the environment says of how to measure.

use std::time::Duration;

/// Sizes where `BENCH_SITES` names none.
const SITES_DEFAULT: &[usize] = &[10_000, 100_000, 1_000_000];
/// Rounds in process where `BENCH_ROUNDS` names none: odd, so that the median is a round.
const ROUNDS_DEFAULT: usize = 5;
/// Rounds over sockets, where more than one program is disturbed.
const SOCKET_ROUNDS_DEFAULT: usize = 15;
/// Milliseconds for which a call is made in each round where `BENCH_SLICE_MS` names none.
const SLICE_MS_DEFAULT: usize = 250;

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.trim().parse().ok()
}

/// `BENCH_SITES`: the sizes to measure, from small to large, with blanks or commas between.
pub(crate) fn sites() -> Vec<usize> {
    let text = std::env::var("BENCH_SITES").unwrap_or_default();
    let mut sites: Vec<usize> =
        text.split([' ', ',']).filter_map(|size| size.replace('_', "").parse().ok()).filter(|size| *size > 0).collect();
    if sites.is_empty() {
        sites = SITES_DEFAULT.to_vec();
    }
    sites.sort_unstable();
    sites
}

/// `BENCH_ROUNDS`: over so many rounds medians are taken.
pub(crate) fn rounds() -> usize {
    number("BENCH_ROUNDS").unwrap_or(ROUNDS_DEFAULT).max(1)
}

/// `BENCH_ROUNDS` for calls over sockets.
pub(crate) fn socket_rounds() -> usize {
    number("BENCH_ROUNDS").unwrap_or(SOCKET_ROUNDS_DEFAULT).max(1)
}

/// `BENCH_SLICE_MS`: for so long a call is made in each round.
pub(crate) fn slice() -> Duration {
    Duration::from_millis(number("BENCH_SLICE_MS").unwrap_or(SLICE_MS_DEFAULT).max(10) as u64)
}

/// Sites of the shape of many accounts: a million, or the largest size where that is smaller.
pub(crate) fn sites_of_many(sizes: &[usize]) -> usize {
    sizes.last().copied().unwrap_or(1_000_000).min(1_000_000)
}
