//! Places under more calls than there are places for. Time stands still but where a test lets it pass.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::*;

const WAIT_MAX: Duration = Duration::from_secs(1);

/// What a call became.
type Entered = Pin<Box<dyn Future<Output = Result<Place, Full>>>>;

fn gate(units_max: usize, waiting_max: usize) -> Arc<Gate> {
    Gate::new(units_max, waiting_max, WAIT_MAX)
}

/// A call of a line that has arrived and asks for a place.
fn call(gate: &Arc<Gate>, line: LineId, cost: usize) -> Entered {
    let (gate, arrived) = (Arc::clone(gate), gate.arrive());
    Box::pin(async move { gate.enter(arrived, line, cost).await })
}

/// Looks at a call once.
fn look(call: &mut Entered) -> Poll<Result<Place, Full>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// The place that a call has at once.
#[track_caller]
fn place(gate: &Arc<Gate>, line: LineId, cost: usize) -> Place {
    match look(&mut call(gate, line, cost)) {
        Poll::Ready(Ok(place)) => place,
        other => panic!("no place at once: {other:?}"),
    }
}

/// A call that waits.
#[track_caller]
fn waiter(gate: &Arc<Gate>, line: LineId, cost: usize) -> Entered {
    let mut call = call(gate, line, cost);
    assert!(look(&mut call).is_pending(), "it does not wait");
    call
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_given_back_is_the_next_ones() {
    let gate = gate(4, 9);
    let (held, other) = ([place(&gate, 1, 1), place(&gate, 1, 2)], place(&gate, 2, 1));
    assert_eq!(gate.in_use(), 4);
    let mut next = waiter(&gate, 2, 1);
    assert_eq!((gate.in_use(), gate.waiting()), (4, 1));
    drop(other);
    let got = look(&mut next);
    assert!(matches!(got, Poll::Ready(Ok(_))), "{got:?}");
    assert_eq!((gate.in_use(), gate.waiting()), (4, 0));
    drop((held, got));
    assert_eq!((gate.in_use(), gate.refused()), (0, 0));
    assert!(gate.held.iter().all(|held| held.load(SeqCst) == 0));
}

#[tokio::test(start_paused = true)]
async fn who_gets_no_place_in_time_is_refused_and_no_sooner() {
    let gate = gate(1, 9);
    let held = place(&gate, 1, 1);
    let begun = Instant::now();
    assert_eq!(call(&gate, 2, 1).await.unwrap_err(), Full);
    assert_eq!(begun.elapsed(), WAIT_MAX);
    assert_eq!((gate.in_use(), gate.waiting(), gate.refused()), (1, 0, 1));
    drop(held);
    drop(place(&gate, 2, 1));
}

/// The deadline of a call, or its client, ends it while it waits.
#[tokio::test(start_paused = true)]
async fn who_leaves_takes_nothing_along() {
    let gate = gate(1, 9);
    let held = place(&gate, 1, 1);
    let (first, mut second) = (waiter(&gate, 2, 1), waiter(&gate, 3, 1));
    drop(first);
    assert_eq!(gate.waiting(), 1);
    drop(held);
    assert!(matches!(look(&mut second), Poll::Ready(Ok(_))));
    // One that leaves after it was given a place, and before it took it.
    let held = place(&gate, 1, 1);
    let first = waiter(&gate, 2, 1);
    drop(held);
    assert_eq!((gate.in_use(), gate.waiting()), (1, 0), "the place is on its way");
    drop(first);
    assert_eq!(gate.in_use(), 0);
}

/// One account had all places while it waited for its disk or its geocoder, and all others waited behind it.
#[tokio::test(start_paused = true)]
async fn the_last_quarter_is_for_others() {
    let gate = gate(8, 9);
    let held: Vec<Place> = (0..6).map(|_| place(&gate, 1, 1)).collect();
    let mut more = waiter(&gate, 1, 1);
    let others = [place_in_turn(&gate, 2), place_in_turn(&gate, 3)];
    assert!(look(&mut more).is_pending());
    drop(others);
    assert!(look(&mut more).is_pending(), "a free place of the last quarter is not for it");
    drop(held);
    assert!(matches!(look(&mut more), Poll::Ready(Ok(_))));
    // Alone, and dearer than its share, it is let in all the same.
    assert_eq!(place(&gate, 1, 100).units, 6);
}

/// The place of a call that finds somebody waiting, and is before them.
#[track_caller]
fn place_in_turn(gate: &Arc<Gate>, line: LineId) -> Place {
    match look(&mut call(gate, line, 1)) {
        Poll::Ready(Ok(place)) => place,
        other => panic!("it is kept by others: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn lines_are_served_in_turn_and_the_longest_gives_way() {
    let gate = gate(1, 4);
    let held = place(&gate, 9, 1);
    let mut noisy: Vec<Entered> = (0..4).map(|_| waiter(&gate, 1, 1)).collect();
    assert!(matches!(look(&mut call(&gate, 1, 1)), Poll::Ready(Err(Full))), "the queue is full of its own");
    let mut quiet = waiter(&gate, 2, 1);
    let sent_away = noisy.pop().unwrap().await;
    assert_eq!(sent_away.unwrap_err(), Full);
    drop(held);
    let first = look(&mut noisy[0]);
    assert!(matches!(first, Poll::Ready(Ok(_))) && look(&mut quiet).is_pending());
    drop(first);
    assert!(matches!(look(&mut quiet), Poll::Ready(Ok(_))), "it is before the others of the long line");
    assert_eq!(gate.refused(), 2);
}

/// Calls that wait for a processor have arrived, and hold places that nobody sees otherwise.
#[tokio::test(start_paused = true)]
async fn calls_that_arrived_and_were_not_looked_at_count() {
    let gate = gate(4, 100);
    let mut arrived: Vec<Entered> = (0..10).map(|_| call(&gate, 1, 1)).collect();
    let mut late = call(&gate, 2, 1);
    assert_eq!(gate.in_use(), 11);
    // As they are looked at they stand in line; once few enough were not, places are given out in turn.
    assert!(arrived.iter_mut().take(7).all(|call| look(call).is_pending()));
    assert_eq!((gate.in_use(), gate.waiting()), (4, 7));
    let got = look(&mut late);
    assert!(gate.in_use() <= 4, "{}", gate.in_use());
    assert!(matches!(got, Poll::Ready(Ok(_))) || gate.waiting() > 0);
    let mut done = 0;
    while done < 10 {
        let before = done;
        arrived.retain_mut(|call| match look(call) {
            Poll::Ready(Ok(place)) => {
                drop(place);
                done += 1;
                false
            }
            Poll::Ready(Err(Full)) => panic!("refused"),
            Poll::Pending => true,
        });
        assert!(done > before, "nobody was served: {gate:?}");
    }
    drop((got, late));
    assert_eq!((gate.in_use(), gate.waiting(), gate.refused()), (0, 0, 0));
}

/// A call may belong to other places than those where it was counted first.
#[tokio::test(start_paused = true)]
async fn a_call_that_changes_gates_leaves_nothing_behind() {
    let (reads, strangers) = (gate(2, 9), gate(1, 9));
    let mut first = pin!(strangers.enter(reads.arrive(), 1, 1));
    let Poll::Ready(Ok(held)) = first.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("no place")
    };
    assert_eq!((reads.in_use(), strangers.in_use()), (0, 1));
    let refused = strangers.enter(reads.arrive(), 2, 1).await;
    assert_eq!(refused.unwrap_err(), Full);
    assert_eq!((reads.in_use(), strangers.in_use()), (0, 1));
    drop(held);
    assert_eq!(strangers.in_use(), 0);
}

/// A call is counted where its path says and waits where its credential says. One that joined just behind the last who gave a place
/// back waited beside free places until its time was over: its own place, given back elsewhere, looked for those who wait there.
#[tokio::test(start_paused = true)]
async fn who_joins_from_another_gate_sees_what_came_free_before() {
    let (reads, strangers) = (gate(2, 9), gate(1, 9));
    let (held, arrived) = (place(&strangers, 1, 1), reads.arrive());
    assert!(strangers.place_over(&arrived, 2, 1).is_none(), "there is one at once");
    // Between that look and the joining, where nobody waits yet.
    drop(held);
    let (told, mut answer) = oneshot::channel();
    let waits = strangers.stand(arrived, 2, 1, told).unwrap();
    let got = answer.try_recv();
    assert!(got.is_ok(), "it waits beside a free place: {strangers:?}");
    assert_eq!((reads.in_use(), strangers.in_use(), strangers.waiting()), (0, 1, 0));
    drop((got, waits));
    assert_eq!(strangers.in_use(), 0);
}

/// Many threads, many lines, more calls than places: never too many at once, nobody forgotten, nothing left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_lose_no_place_and_forget_nobody() {
    const UNITS_MAX: usize = 8;
    const CALLS: u64 = 4_000;
    let gate = Gate::new(UNITS_MAX, usize::MAX, Duration::from_mins(10));
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let (gate, inside, most) = (Arc::clone(&gate), Arc::clone(&inside), Arc::clone(&most));
            tokio::spawn(async move {
                let cost = 1 + usize::try_from(number % 3).unwrap();
                let place = gate.enter(gate.arrive(), number % 5, cost).await.unwrap();
                let now = inside.fetch_add(cost, SeqCst) + cost;
                most.fetch_max(now, SeqCst);
                tokio::task::yield_now().await;
                inside.fetch_sub(cost, SeqCst);
                drop(place);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let most = most.load(SeqCst);
    assert!(most <= UNITS_MAX && most > 1, "{most}");
    assert_eq!((gate.in_use(), gate.waiting(), gate.refused()), (0, 0, 0));
}

/// Answers and refusals of an overload that lasts: all places are in use for all of it, and each line gets as much.
#[tokio::test(start_paused = true)]
async fn an_overload_takes_no_places_away_and_is_shared_evenly() {
    const LINES: usize = 3;
    let gate = gate(6, 12);
    // Three times as many calls as there are places, each of a tenth of a second, for a minute; the first line asks most.
    let callers = (0..18_u64).map(|number| if number < 12 { 0 } else { 1 + number % 2 });
    let begun = Instant::now();
    let tasks: Vec<_> = callers
        .map(|line| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                let mut answered = 0;
                while begun.elapsed() < Duration::from_mins(1) {
                    if let Ok(place) = gate.enter(gate.arrive(), line, 1).await {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        drop(place);
                        answered += 1;
                    }
                }
                (line, answered)
            })
        })
        .collect();
    let mut of_line = [0_u64; LINES];
    for task in tasks {
        let (line, answered) = task.await.unwrap();
        of_line[usize::try_from(line).unwrap()] += answered;
    }
    let sum: u64 = of_line.iter().sum();
    let even = sum / LINES as u64;
    // Six places for 600 tenths.
    assert!((3_500..=3_620).contains(&sum), "{of_line:?}");
    assert!(of_line.iter().all(|answered| answered.abs_diff(even) < even / 10), "{of_line:?}");
}
