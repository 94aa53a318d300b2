//! Changes of the map: alone, while another thread reads, and what they do to the reader's tiles.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use waymark::live::BriefLock;
use waymark::model::geo::LatLng;
use waymark::model::site::Status;
use waymark::spatial::entry::Entry;
use waymark::spatial::{AccountMap, mvt};

use crate::data::queries::Queries;
use crate::data::random::Random;
use crate::data::towns::near;
use crate::data::{Plan, Site, entry};
use crate::measure::{Figure, Sheet, median, nanoseconds, settings};

/// Changes of a round.
const CHANGES: usize = 100_000;
/// Changes a second beside which tiles are read: M7 of DESIGN.md, section 9.
const PACE: usize = 10_000;
/// Pause between two bursts of the paced writer.
const TICK: Duration = Duration::from_millis(1);
/// How far a site moves, in degrees: some hundred metres.
const MOVE_DEGREES: f64 = 0.005;
/// Decides which sites change.
const SEED: u64 = 11;

/// An account's map behind the lock that the server has.
type Locked = BriefLock<AccountMap>;
type Change = fn(&mut Site, &mut Random);

/// A change that was drawn: the site, what it was before, and what the map is told.
#[derive(Debug)]
struct Drawn {
    number: usize,
    before: (Status, LatLng),
    account: usize,
    entry: Entry,
}

/// Draws changes. It knows what each site has become, so that every change changes something, and one thing alone: a
/// status that stays what it was costs nearly nothing, and one that brought the old position along would be a move. So
/// what was drawn has to be applied in its order, or taken back.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    plan: &'a Plan,
    random: Random,
    changed: HashMap<usize, (Status, LatLng)>,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        Self { plan, random: Random::new(SEED), changed: HashMap::new() }
    }

    /// Entries are made before the clock starts: what is measured is the map.
    fn draw(&mut self, change: Change, count: usize) -> Vec<Drawn> {
        let draw = |_| {
            let mut site = self.plan.any_site(&mut self.random);
            if let Some((status, position)) = self.changed.get(&site.number) {
                (site.status, site.position) = (*status, *position);
            }
            let before = (site.status, site.position);
            change(&mut site, &mut self.random);
            self.changed.insert(site.number, (site.status, site.position));
            Drawn { number: site.number, before, account: site.account, entry: entry::of(&site) }
        };
        (0..count).map(draw).collect()
    }

    /// Forgets changes that were drawn last and never applied.
    fn take_back(&mut self, unused: impl DoubleEndedIterator<Item = Drawn>) {
        for drawn in unused.rev() {
            self.changed.insert(drawn.number, drawn.before);
        }
    }
}

/// Measures every change.
pub(crate) fn measure(sheet: &mut Sheet, changes: &mut Changes<'_>, maps: &mut [Locked], queries: &Queries) {
    sheet.add(of_status(changes, maps));
    sheet.add(alone("change of position", changes, maps, relocate));
    let kinds: [(&str, Change); 2] = [("status", restatus), ("position", relocate)];
    for (what, change) in kinds {
        sheet.add(beside_a_reader(&format!("change of {what} under read load"), changes, maps, queries, change));
    }
    let [still, busy] = tiles_beside_a_writer(changes, maps, queries);
    let growth = busy.p99_us.zip(still.p99_us).map(|(busy, still)| busy / still);
    sheet.add(still);
    sheet.add(busy);
    let note = "p99 of tiles beside the writer, divided by p99 without; both with the lock";
    sheet.add(Figure::of("p99 growth by 10,000 changes/s", "×", growth.into_iter().collect()).with_note(note));
}

/// Changes of status with nobody beside them.
pub(crate) fn of_status(changes: &mut Changes<'_>, maps: &mut [Locked]) -> Figure {
    alone("change of status", changes, maps, restatus)
}

/// To one of the other three.
fn restatus(site: &mut Site, random: &mut Random) {
    let others = Status::ALL.len() - 1;
    site.status = Status::ALL[(site.status as usize + 1 + random.below(others)) % Status::ALL.len()];
}

fn relocate(site: &mut Site, random: &mut Random) {
    site.position = near(random, site.position.lat(), site.position.lng(), MOVE_DEGREES);
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
fn alone(what: &str, changes: &mut Changes<'_>, maps: &mut [Locked], change: Change) -> Figure {
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    for _ in 0..settings::rounds() {
        let drawn = changes.draw(change, CHANGES);
        let start = Instant::now();
        for Drawn { account, entry, .. } in drawn {
            maps[account].get_mut().upsert(&entry);
        }
        rates.push(CHANGES as f64 / start.elapsed().as_secs_f64());
        for Drawn { account, entry, .. } in changes.draw(change, CHANGES) {
            let start = Instant::now();
            maps[account].get_mut().upsert(&entry);
            times.push(nanoseconds(start));
        }
    }
    Figure::of(what, "/s", rates).with_times(&mut times)
}

/// Times include the wait for the lock that the reader holds.
#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
fn beside_a_reader(
    what: &str,
    changes: &mut Changes<'_>,
    maps: &[Locked],
    queries: &Queries,
    change: Change,
) -> Figure {
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    let (ends, read) = (AtomicBool::new(false), AtomicUsize::new(0));
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| read_until(&ends, maps, queries, &read));
        for _ in 0..settings::rounds() {
            let drawn = changes.draw(change, CHANGES);
            let start = Instant::now();
            for Drawn { account, entry, .. } in drawn {
                let start = Instant::now();
                maps[account].write().upsert(&entry);
                times.push(nanoseconds(start));
            }
            rates.push(CHANGES as f64 / start.elapsed().as_secs_f64());
        }
        ends.store(true, Ordering::Relaxed);
    });
    let tiles = read.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    Figure::of(what, "/s", rates).with_times(&mut times).with_note(format!("beside {tiles:.0} tiles/s of one reader"))
}

fn read_until(ends: &AtomicBool, maps: &[Locked], queries: &Queries, read: &AtomicUsize) {
    for (account, tile) in queries.tiles.iter().cycle() {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        black_box(mvt::encode(&maps[*account].read().all().tile(*tile).unwrap(), *tile));
        read.fetch_add(1, Ordering::Relaxed);
    }
}

/// The same tiles without and with [`PACE`] changes of status a second, in alternating rounds.
fn tiles_beside_a_writer(changes: &mut Changes<'_>, maps: &[Locked], queries: &Queries) -> [Figure; 2] {
    let (mut rates, mut times) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut paces = Vec::new();
    for _ in 0..settings::rounds() {
        rates[0].push(timed_tiles(maps, queries, &mut times[0]));
        let ends = AtomicBool::new(false);
        // Twice as many as the pace makes of a round, so that they never run out.
        let mut drawn = changes.draw(restatus, PACE * 2 * settings::slice().as_millis() as usize / 1_000).into_iter();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| write_until(&ends, maps, &mut drawn));
            rates[1].push(timed_tiles(maps, queries, &mut times[1]));
            ends.store(true, Ordering::Relaxed);
            paces.push(writer.join().expect("the writer does not panic"));
        });
        changes.take_back(drawn);
    }
    let [still, busy] = rates;
    let [mut still_times, mut busy_times] = times;
    let note = format!("{:.0} changes/s were made", median(&paces));
    let busy = Figure::of("tiles beside 10,000 changes/s", "/s", busy).with_times(&mut busy_times).with_note(note);
    [Figure::of("tiles without changes", "/s", still).with_times(&mut still_times), busy]
}

/// Writes at the pace until `ends`; answers how many changes a second there were.
#[expect(clippy::cast_precision_loss, reason = "a count of changes")]
fn write_until(ends: &AtomicBool, maps: &[Locked], drawn: &mut impl Iterator<Item = Drawn>) -> f64 {
    let (start, mut written) = (Instant::now(), 0);
    while !ends.load(Ordering::Relaxed) {
        // Behind the pace it writes on; ahead of it, it waits for the next tick.
        if written * 1_000_000 / PACE >= usize::try_from(start.elapsed().as_micros()).expect("a short run") {
            std::thread::sleep(TICK);
            continue;
        }
        let Some(Drawn { account, entry, .. }) = drawn.next() else { break };
        maps[account].write().upsert(&entry);
        written += 1;
    }
    written as f64 / start.elapsed().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
fn timed_tiles(maps: &[Locked], queries: &Queries, times: &mut Vec<u32>) -> f64 {
    let (start, slice, first) = (Instant::now(), settings::slice(), times.len());
    for (account, tile) in queries.tiles.iter().cycle() {
        let call = Instant::now();
        black_box(mvt::encode(&maps[*account].read().all().tile(*tile).unwrap(), *tile));
        times.push(nanoseconds(call));
        if start.elapsed() >= slice {
            break;
        }
    }
    (times.len() - first) as f64 / start.elapsed().as_secs_f64()
}
