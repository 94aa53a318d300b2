//! How many files the process may have open, and how many connections fit beside the others.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

/// Descriptors that are not connections of clients: the store and its readers, indexes, databases that are read anew,
/// connections to Redis, geocoders and ticketing systems.
const OTHERS: u64 = 256;
/// Fewest connections that a server is started with.
const CONNECTIONS_MIN: u64 = 16;

/// How many connections there may be where `wanted` are: the soft limit is raised as far as the system lets us, and where
/// that is not enough there are fewer, and a word in the log.
pub(super) fn connections_for(wanted: u32) -> usize {
    let needed = u64::from(wanted) + OTHERS;
    let had = getrlimit(Resource::Nofile);
    let may = raise(had, needed, |to| setrlimit(Resource::Nofile, to).is_ok());
    if may != had.current {
        info!(from = had.current, to = may, "the process may have more files open");
    }
    let connections = that_fit(wanted, may);
    if connections < u64::from(wanted) {
        warn!(
            files_max = may,
            connections,
            wanted,
            "the process may not have as many files open as listen.connections_max wants, so there are fewer connections: raise \
             its limit (ulimit -n, LimitNOFILE)"
        );
    }
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// Raises the soft limit to what is needed, or as far as the hard one; what it is then. `None` for no limit.
fn raise(had: Rlimit, needed: u64, set: impl FnOnce(Rlimit) -> bool) -> Option<u64> {
    let Some(soft) = had.current.filter(|soft| *soft < needed) else { return had.current };
    let wanted = had.maximum.map_or(needed, |hard| hard.min(needed));
    let is_raised = wanted > soft && set(Rlimit { current: Some(wanted), maximum: had.maximum });
    Some(if is_raised { wanted } else { soft })
}

/// How many of the wanted connections fit under a limit of descriptors.
fn that_fit(wanted: u32, files_max: Option<u64>) -> u64 {
    let room = files_max.map_or(u64::MAX, |max| max.saturating_sub(OTHERS));
    u64::from(wanted).min(room.max(CONNECTIONS_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is set, and what there is afterwards.
    #[track_caller]
    fn check(soft: Option<u64>, hard: Option<u64>, may_set: bool, expected: (Option<u64>, Option<u64>)) {
        let mut set = None;
        let now = raise(Rlimit { current: soft, maximum: hard }, 4_352, |to| {
            set = to.current;
            assert_eq!(to.maximum, hard, "the hard limit stays");
            may_set
        });
        assert_eq!((set, now), expected);
    }

    #[test]
    fn the_soft_limit_is_raised_where_it_can_be() {
        check(Some(1_024), Some(1_048_576), true, (Some(4_352), Some(4_352)));
        check(Some(1_024), None, true, (Some(4_352), Some(4_352)));
        check(Some(1_024), Some(2_000), true, (Some(2_000), Some(2_000)));
        check(Some(1_024), Some(1_024), true, (None, Some(1_024)));
        check(Some(1_024), Some(4_096), false, (Some(4_096), Some(1_024)));
    }

    #[test]
    fn enough_is_left_as_it_is() {
        for soft in [Some(4_352), Some(65_536), None] {
            check(soft, None, true, (None, soft));
        }
    }

    #[test]
    fn connections_leave_room_for_other_files() {
        assert_eq!(that_fit(4_096, None), 4_096);
        assert_eq!(that_fit(4_096, Some(4_352)), 4_096);
        assert_eq!(that_fit(4_096, Some(1_024)), 768);
        assert_eq!(that_fit(4_096, Some(64)), 16, "a server without any connection serves nobody");
        assert_eq!(that_fit(4, Some(64)), 4);
    }
}
