//! That turns come in order, in time, and by turns between askers; and that nobody waits for nothing.

use futures_util::FutureExt as _;
use proptest::prelude::*;
use tokio::task::{JoinSet, yield_now};

use super::super::pace::LocalPace;
use super::*;

const PERIOD: Duration = Duration::from_secs(1);

fn turns() -> Arc<Turns> {
    Arc::new(Turns::new(Arc::new(LocalPace::new(PERIOD))))
}

fn asker(name: &str) -> Asker {
    Asker::of(&name)
}

fn far() -> Instant {
    Instant::now() + PERIOD * 10_000
}

/// Lets all of these wait in this order, and gives the order in which they are served with the times.
async fn served(turns: &Arc<Turns>, names: &[&'static str]) -> Vec<(&'static str, Duration)> {
    let start = Instant::now();
    let mut waiting = JoinSet::new();
    for name in names.iter().copied() {
        let turns = Arc::clone(turns);
        waiting.spawn(async move {
            turns.turn(asker(name), far()).await.unwrap();
            (name, start.elapsed())
        });
        yield_now().await;
    }
    let mut served = waiting.join_all().await;
    served.sort_by_key(|(_, at)| *at);
    served
}

#[tokio::test(start_paused = true)]
async fn turns_are_a_period_apart_and_in_order() {
    for (number, (_, at)) in (0..).zip(served(&turns(), &["a"; 5]).await) {
        let late = at.checked_sub(PERIOD * number).expect("not before its turn");
        assert!(late < Duration::from_millis(20), "{number}: {at:?}");
    }
}

/// One account that imported a thousand addresses took all turns for a quarter of an hour.
#[tokio::test(start_paused = true)]
async fn a_storm_of_one_does_not_hold_the_others_back() {
    let turns = turns();
    let storm = ["storm"; WAITING_PER_ASKER_MAX];
    let order: Vec<&str> =
        served(&turns, &[&storm[..], &["a", "b", "a"]].concat()).await.into_iter().map(|(name, _)| name).collect();
    // The storm was served once before the others came, and from then on they take turns.
    assert_eq!(order[..7], ["storm", "storm", "a", "b", "storm", "a", "storm"]);
    assert_eq!(order.len(), storm.len() + 3);
}

#[tokio::test(start_paused = true)]
async fn an_asker_has_so_many_places_and_no_more() {
    let turns = turns();
    turns.turn(asker("storm"), far()).await.unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..WAITING_PER_ASKER_MAX {
        let turns = Arc::clone(&turns);
        waiting.spawn(async move { turns.turn(asker("storm"), far()).await });
    }
    yield_now().await;
    yield_now().await;
    let refused = turns.turn(asker("storm"), far()).now_or_never().expect("at once").unwrap_err();
    assert!(refused.retry_after >= PERIOD * 16, "{refused:?}");
    let start = Instant::now();
    turns.turn(asker("other"), far()).await.unwrap();
    assert!(start.elapsed() <= PERIOD * 2 + PERIOD / 10, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn all_places_together_have_a_limit() {
    let turns = turns();
    turns.turn(asker(""), far()).await.unwrap();
    let mut waiting = JoinSet::new();
    for number in 0..WAITING_MAX {
        let turns = Arc::clone(&turns);
        waiting.spawn(async move { turns.turn(Asker::of(&(number / WAITING_PER_ASKER_MAX)), far()).await });
    }
    while turns.line.lock().waiting.values().map(VecDeque::len).sum::<usize>() < WAITING_MAX {
        yield_now().await;
    }
    assert!(turns.turn(asker("late"), far()).now_or_never().expect("at once").is_err());
}

/// Whoever came later and happens to look first does not take the turn of the one who waits.
#[tokio::test(start_paused = true)]
async fn nobody_overtakes() {
    let turns = turns();
    turns.turn(asker("a"), far()).await.unwrap();
    let mut first = turns.turn(asker("a"), far());
    assert_eq!((&mut first).now_or_never(), None);
    tokio::time::advance(PERIOD).await;
    assert_eq!(turns.turn(asker("b"), far()).now_or_never(), None, "the turn is another's");
    first.await.unwrap();
}

/// Questions without hope waited to their end, took a turn then, and had no time left to use it.
#[tokio::test(start_paused = true)]
async fn who_cannot_have_a_turn_in_time_is_told_at_once() {
    let turns = turns();
    turns.turn(asker("a"), Instant::now()).await.unwrap();
    let soon = turns.turn(asker("a"), Instant::now() + PERIOD / 2).now_or_never().expect("at once");
    assert_eq!(soon, Err(NoTurn { retry_after: PERIOD }));
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let turns = Arc::clone(&turns);
        waiting.spawn(async move { turns.turn(asker("a"), far()).await });
    }
    yield_now().await;
    let behind = turns.turn(asker("a"), Instant::now() + PERIOD * 3).now_or_never().expect("at once");
    assert_eq!(behind, Err(NoTurn { retry_after: PERIOD * 4 }));
    let other = turns.turn(asker("b"), Instant::now() + PERIOD * 3).now_or_never();
    assert_eq!(other, None, "another one's second turn is in time");
}

#[tokio::test(start_paused = true)]
async fn who_is_pushed_back_leaves_in_time() {
    let turns = turns();
    turns.turn(asker("a"), far()).await.unwrap();
    let latest = Instant::now() + PERIOD * 2;
    let mut waiting = JoinSet::new();
    for name in ["a", "a", "b", "c", "d"] {
        let turns = Arc::clone(&turns);
        let until = if name == "a" { latest } else { far() };
        waiting.spawn(async move { turns.turn(asker(name), until).await.map_err(|_| name) });
        yield_now().await;
    }
    let refused: Vec<&str> = waiting.join_all().await.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, ["a"]);
    assert!(turns.line.lock().order.is_empty() && turns.line.lock().waiting.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_takes_no_turn_and_wakes_the_next() {
    let turns = turns();
    turns.turn(asker("a"), far()).await.unwrap();
    let first = Arc::clone(&turns);
    let first = tokio::spawn(async move { first.turn(asker("a"), far()).await });
    yield_now().await;
    let second = Arc::clone(&turns);
    let second = tokio::spawn(async move { second.turn(asker("b"), far()).await });
    yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let start = Instant::now();
    second.await.unwrap().unwrap();
    assert!(start.elapsed() <= PERIOD + PERIOD / 10, "the turn was still there");
}

proptest! {
    /// What is foretold is what comes, where nobody comes later: for the last of any line.
    #[test]
    fn the_wait_is_foretold(line in proptest::collection::vec(0..4_usize, 0..14), last in 0..4_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let turns = turns();
            turns.turn(Asker::of(&0), far()).await.unwrap();
            let mut waiting = JoinSet::new();
            for number in line {
                let turns = Arc::clone(&turns);
                waiting.spawn(async move { turns.turn(Asker::of(&number), far()).await });
                yield_now().await;
            }
            let foretold = turns.line.lock().wait(Asker::of(&last), turns.pace.outlook());
            let start = Instant::now();
            turns.turn(Asker::of(&last), far()).await.unwrap();
            let late = start.elapsed().abs_diff(foretold);
            assert!(late < Duration::from_millis(50), "{foretold:?}, and it was {:?}", start.elapsed());
        });
    }
}
