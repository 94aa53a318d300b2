//! What watchers are told of commits, and what of another history.

use super::super::recent::CHANGED_KEPT;
use super::*;

fn sites(numbers: &[u128]) -> Vec<SiteId> {
    numbers.iter().map(|number| SiteId::from_u128(*number)).collect()
}

fn sorted(mut sites: Vec<SiteId>) -> Vec<SiteId> {
    sites.sort_unstable();
    sites
}

fn publish(changes: &Changes, revision: u64, numbers: &[u128]) {
    let ids = sites(numbers);
    let purged = changes.are_watched().then(|| ids.iter().map(|site| Change::Purged(*site)).collect());
    changes.publish(Revision(revision), &ids, 0, purged.filter(|changes: &Vec<Change>| !changes.is_empty()));
}

#[test]
fn what_changed_since_is_told_as_long_as_it_is_known() {
    let changes = Changes::default();
    changes.start_at(Revision(10), true);
    let at = |revision| Standing { history: 0, revision: Revision(revision) };
    let since = |revision| changes.since(at(revision)).map(|(sites, _)| sites);
    assert_eq!(changes.since(at(10)), Some((vec![], at(10))));
    assert_eq!((since(9), since(11)), (None, None), "before the start; not yet");
    publish(&changes, 11, &[3, 1]);
    publish(&changes, 12, &[]);
    publish(&changes, 13, &[1]);
    assert_eq!(since(10).map(sorted), Some(sites(&[1, 3])));
    assert_eq!(since(11), Some(sites(&[1])));
    assert_eq!(since(13), Some(vec![]));
    // One site that changes again and again makes nobody forget the others.
    for revision in 14..1_014 {
        publish(&changes, revision, &[7]);
    }
    assert_eq!(since(10).map(sorted), Some(sites(&[1, 3, 7])));
    assert!(changes.log.lock().recent.kept() <= 2 * CHANGED_KEPT.0);
    for number in 0..CHANGED_KEPT.0 as u64 - 2 {
        publish(&changes, 1_014 + number, &[100 + u128::from(number)]);
    }
    assert_eq!(since(10), None, "revision 11 is not known any more");
    assert_eq!(since(11).map(|sites| sites.len()), Some(CHANGED_KEPT.0));
}

#[tokio::test]
async fn a_watcher_hears_of_each_commit_after_its_place_or_that_it_missed_some() {
    let changes = Arc::new(Changes::default());
    publish(&changes, 1, &[1]);
    let mut commits = changes.subscribe();
    assert!(matches!(commits.try_next(), Ok(Next::Quiet(Revision(1)))));
    publish(&changes, 2, &[1, 2]);
    publish(&changes, 3, &[]);
    let Ok(Next::Commit(commit)) = commits.try_next() else { panic!("two commits are there") };
    let touched: Vec<SiteId> = commit.changes.iter().map(Change::site).collect();
    assert_eq!((commit.revision, touched), (Revision(2), sites(&[1, 2])));
    assert!(matches!(commits.try_next(), Ok(Next::Quiet(Revision(3)))), "a commit without sites is passed over");
    let waiting = tokio::spawn(async move {
        commits.reach(Revision(4)).await;
        commits
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    publish(&changes, 4, &[5]);
    let mut commits = waiting.await.unwrap();
    assert!(matches!(commits.try_next(), Ok(Next::Commit(commit)) if commit.revision == Revision(4)));
    for revision in 5..=5 + COMMITS_KEPT as u64 {
        publish(&changes, revision, &[1]);
    }
    assert_eq!(commits.try_next().unwrap_err(), Missed::Lagged);
    drop(commits);
    publish(&changes, 1_000, &[1]);
    assert!(changes.log.lock().commits.is_empty(), "nobody watches, so nothing is kept");
    assert!(matches!(changes.subscribe().try_next(), Ok(Next::Quiet(Revision(1_000)))));
}

#[test]
fn great_commits_make_the_row_shorter_and_the_last_one_is_always_there() {
    let changes = Arc::new(Changes::default());
    let mut commits = changes.subscribe();
    let great: Vec<u128> = (0..=(BYTES_KEPT / size_of::<Change>()) as u128).collect();
    publish(&changes, 1, &great);
    assert!(matches!(commits.try_next(), Ok(Next::Commit(commit)) if commit.revision == Revision(1)));
    publish(&changes, 2, &great);
    publish(&changes, 3, &[1]);
    assert_eq!(commits.try_next().unwrap_err(), Missed::Lagged);
    assert_eq!(changes.log.lock().commits.len(), 1);
}

#[test]
fn a_commit_of_which_only_the_ids_are_told_makes_watchers_read() {
    let changes = Arc::new(Changes::default());
    assert!(!changes.are_watched());
    let mut commits = changes.subscribe();
    assert!(changes.are_watched());
    changes.publish(Revision(1), &sites(&[1]), 0, None);
    assert_eq!(commits.try_next().unwrap_err(), Missed::Lagged);
    drop(commits);
    assert!(!changes.are_watched());
}

#[test]
fn what_became_of_sites_is_kept_while_somebody_watches_and_never_what_it_was_before() {
    let changes = Arc::new(Changes::default());
    let latest = |number| changes.latest(&sites(&[number])).remove(0).map(|(revision, _)| revision.0);
    publish(&changes, 1, &[1]);
    assert_eq!(latest(1), None, "nobody watches");
    let (watching, commits) = (changes.watch(), changes.subscribe());
    publish(&changes, 2, &[1, 2]);
    publish(&changes, 3, &[2]);
    assert_eq!((latest(1), latest(2), latest(3)), (Some(2), Some(3), None));
    drop(commits);
    assert_eq!(latest(1), Some(2), "one still watches");
    changes.publish(Revision(4), &sites(&[1]), 0, None);
    assert_eq!((latest(1), latest(2)), (None, Some(3)), "of one only the id was told");
    changes.start_at(Revision(9), true);
    assert_eq!(latest(2), None, "others may have changed it");
    publish(&changes, 10, &[2]);
    assert_eq!(latest(2), Some(10));
    drop(watching);
    assert_eq!(latest(2), None);
}

fn at(history: u64, revision: u64) -> Standing {
    Standing { history, revision: Revision(revision) }
}

/// Watchers compared bare numbers once: who stood exactly where another history began, or above it, was told nothing.
#[test]
fn whoever_stood_below_at_or_above_where_another_history_begins_is_told() {
    for end in [8, 9, 10, 11, 12] {
        for is_busy in [false, true] {
            let changes = Arc::new(Changes::default());
            changes.start_at(Revision(5), true);
            let mut commits = changes.subscribe();
            for revision in 6..=10 {
                publish(&changes, revision, &[u128::from(revision)]);
            }
            while !matches!(commits.try_next(), Ok(Next::Quiet(_))) {}
            assert_eq!(commits.at(), at(0, 10));
            changes.start_at(Revision(end), false);
            if is_busy {
                (1..=10).for_each(|more| publish(&changes, end + more, &[1]));
            }
            assert_eq!(commits.try_next().unwrap_err(), Missed::Forked, "{end}");
            for known in 5..=10.max(end) {
                assert_eq!(changes.since(at(0, known)), None, "{end} {known}");
                assert_eq!(changes.resume(at(1, known)), Resumed::Unknown, "{end} {known}");
            }
            let above = if is_busy && end + 10 > 10.max(end) {
                Resumed::Since(vec![], at(1, end + 10))
            } else {
                Resumed::NotYet
            };
            assert_eq!(changes.resume(at(1, if is_busy { end + 10 } else { 30 })), above);
            assert_eq!(changes.resume(at(0, 30)), Resumed::Unknown, "it began to wait in the other history");
            assert!(matches!(changes.subscribe().try_next(), Ok(Next::Quiet(_))));
        }
    }
}

#[tokio::test]
async fn another_history_wakes_whoever_waits_for_a_revision_of_the_one_that_ended() {
    let changes = Arc::new(Changes::default());
    publish(&changes, 1, &[1]);
    let mut commits = changes.subscribe();
    let mut waiting = Box::pin(commits.reach(Revision(2)));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    changes.start_at(Revision(1), false);
    assert!(futures_util::poll!(&mut waiting).is_ready());
}

#[test]
fn a_gap_costs_nothing_where_nothing_was_missed_and_no_doubt_where_something_was() {
    let changes = Arc::new(Changes::default());
    publish(&changes, 1, &[1]);
    let mut commits = changes.subscribe();
    publish(&changes, 2, &[2]);
    changes.start_at(Revision(2), true);
    assert_eq!(changes.resume(at(0, 1)), Resumed::Since(sites(&[2]), at(0, 2)));
    assert!(matches!(commits.try_next(), Ok(Next::Commit(commit)) if commit.revision == Revision(2)));
    changes.start_at(Revision(4), true);
    assert_eq!(commits.try_next().unwrap_err(), Missed::Lagged);
    assert_eq!((changes.resume(at(0, 2)), changes.resume(at(0, 3))), (Resumed::Unknown, Resumed::Unknown));
    assert_eq!(changes.resume(at(0, 4)), Resumed::Since(vec![], at(0, 4)));
    // However it is called: what goes back is another history.
    changes.start_at(Revision(3), true);
    assert_eq!((changes.standing(), changes.resume(at(1, 4))), (at(1, 3), Resumed::Unknown));
}
