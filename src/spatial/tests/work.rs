//! The most work of one question, counted in steps on the worst data.

use std::f64::consts::TAU;
use std::ops::ControlFlow;

use super::world::{at, entry};
use crate::model::geo::{BoundingBox, DISTANCE_M_MAX, LatLng};
use crate::model::id::SiteId;
use crate::model::site::Status;
use crate::spatial::AccountMap;
use crate::spatial::board::{Clusters, Survey};
use crate::spatial::class::Classes;
use crate::spatial::entry::Entry;
use crate::spatial::fit::{FIT_LOOKS_MAX, fit_within};
use crate::spatial::mercator::{Cell, Point, TileId};
use crate::spatial::near::{DistanceCursor, NEAR_LOOKS_MAX};
use crate::spatial::plane::OUTSIDE_CELLS_MAX;
use crate::spatial::refusal::Refusal;
use crate::spatial::region::{BoxRegion, World};
use crate::spatial::search::{COUNT_LOOKS_MAX, count_within};
use crate::spatial::symbols::SymbolId;
use crate::spatial::view::View;
use crate::spatial::walk::{LOOKS_MAX, walk};
use crate::spatial::window::{VIEWPORT_CELLS_MAX, Window};

/// Sites of a world.
const SITES: u32 = 10_000;

fn world(position: impl Fn(u32) -> LatLng) -> AccountMap {
    AccountMap::bulk((0..SITES).map(|bits| entry(u128::from(bits), position(bits))))
}

fn view(map: &AccountMap) -> View<'_> {
    View::new(&map.entries, &map.whole.tree, Classes::ALL)
}

fn share(bits: u32) -> f64 {
    f64::from(bits) / f64::from(SITES)
}

/// All sites on one position.
fn stack() -> AccountMap {
    world(|_| at(60.0, 10.0))
}

/// Looks of the nearest ten, and of the tenth page of a circle that holds everything.
fn looks(map: &AccountMap, center: LatLng) -> [usize; 2] {
    let all = map.all();
    let last = all.within(center, DISTANCE_M_MAX, None, 900).unwrap().pop().unwrap();
    let after = DistanceCursor { distance_m: last.1, site: last.0.site };
    let nearest = all.looks_within(center, f64::INFINITY, None, 10, usize::MAX);
    [nearest, all.looks_within(center, DISTANCE_M_MAX, Some(after), 100, usize::MAX)].map(Result::unwrap)
}

/// A search looks at no site twice, wherever they all are: so an account of up to [`NEAR_LOOKS_MAX`] sites is never refused.
#[test]
fn a_search_looks_at_each_site_once_on_the_worst_data() {
    const { assert!(NEAR_LOOKS_MAX >= 2 * 1_000_000, "twice an account of the size that figures are held for") };
    let worlds: [(&str, AccountMap); 5] = [
        ("one far point", world(|_| at(-33.9, 151.2))),
        ("the antimeridian", world(|bits| at(10.0 * share(bits), if bits % 2 == 0 { 180.0 } else { -180.0 }))),
        ("around the pole", world(|bits| at(89.0, 360.0 * share(bits) - 180.0))),
        ("a parallel", world(|bits| at(60.0, 360.0 * share(bits) - 180.0))),
        ("a small circle", world(|bits| at(0.5 * (TAU * share(bits)).sin(), 0.5 * (TAU * share(bits)).cos()))),
    ];
    for (name, map) in &worlds {
        for center in [at(0.0, 0.0), at(90.0, 0.0), at(-90.0, 0.0), at(5.0, 180.0), at(33.9, -28.8), at(-33.9, 151.2)] {
            for looks in looks(map, center) {
                assert!(looks <= SITES as usize, "{name} from {center:?}: {looks} looks");
            }
            let nothing = map.within(Classes::of_status(Status::Offline));
            let looks = nothing.looks_within(center, f64::INFINITY, None, 10, usize::MAX).unwrap();
            assert!(looks <= 1, "{name}: {looks} looks for a filter that nothing matches");
        }
    }
}

#[test]
fn a_search_that_would_look_at_too_many_is_refused() {
    let ring = world(|bits| at(60.0, 360.0 * share(bits) - 180.0));
    let pole = at(90.0, 0.0);
    let asked = |looks_max| ring.all().looks_within(pole, f64::INFINITY, None, 10, looks_max);
    let needed = asked(usize::MAX).unwrap();
    assert!(needed > SITES as usize / 2, "all are as near: {needed}");
    assert_eq!(asked(needed), Ok(needed));
    assert_eq!(asked(needed / 2), Err(Refusal::TooManyNear));
    // Of those of one position no more are looked at than are asked for, and one look says where they are.
    assert_eq!(stack().all().looks_within(pole, f64::INFINITY, None, 10, usize::MAX), Ok(11));
    assert_eq!(stack().all().looks_within(pole, f64::INFINITY, None, 10, 10), Err(Refusal::TooManyNear));
}

#[test]
fn a_fit_looks_at_each_site_a_few_times_on_the_worst_data() {
    const { assert!(FIT_LOOKS_MAX >= 8 * 1_000_000, "eight times an account of the size that figures are held for") };
    let lng = |bits: u32| 360.0 * share(bits) - 180.0;
    let worlds = [
        ("beyond one pole", world(|bits| at(86.0 + 3.0 * share(bits), lng(bits)))),
        ("beyond both poles", world(|bits| at(if bits % 2 == 0 { 86.0 } else { -86.0 } + share(bits), lng(bits)))),
        ("a parallel", world(|bits| at(60.0, lng(bits)))),
        ("a meridian", world(|bits| at(120.0 * share(bits) - 60.0, 10.0))),
        ("a meridian beyond the pole", world(|bits| at(86.0 + 3.0 * share(bits), 10.0))),
        ("all meridians", world(|bits| at(80.0 * (37.0 * TAU * share(bits)).sin(), lng(bits)))),
    ];
    for (name, map) in &worlds {
        let (fit, looks) = fit_within(view(map), usize::MAX).unwrap();
        assert!(fit.is_some() && looks <= 8 * SITES as usize, "{name}: {looks} looks");
        assert_eq!(fit_within(view(map), looks), Ok((fit, looks)), "{name}");
        assert_eq!(fit_within(view(map), looks - 1), Err(Refusal::TooManyToFit), "{name}");
    }
    let (_, looks) = fit_within(view(&stack()), usize::MAX).unwrap();
    assert!(looks <= 8, "a stack is one position: {looks} looks");
}

#[test]
fn a_count_judges_those_of_one_position_together() {
    const { assert!(COUNT_LOOKS_MAX >= 2 * 1_000_000, "twice an account of the size that figures are held for") };
    let edge = BoundingBox::new(at(60.0, 0.0), at(70.0, 20.0)).unwrap();
    assert_eq!(count_within(view(&stack()), &BoxRegion::new(&edge), 1), Ok((u64::from(SITES), 1)));
    let beside = BoundingBox::new(at(60.000_000_001, 0.0), at(70.0, 20.0)).unwrap();
    assert_eq!(count_within(view(&stack()), &BoxRegion::new(&beside), 1), Ok((0, 1)));
    // All of one row of the map, and the box's edge through it.
    let lat = |bits: u32| 86.0 + 3.0 * share(bits);
    let row = world(|bits| at(lat(bits), 360.0 * share(bits) - 180.0));
    let beyond = BoundingBox::new(at(87.0, -180.0), at(89.9, 180.0)).unwrap();
    let counted = |looks_max| count_within(view(&row), &BoxRegion::new(&beyond), looks_max);
    let (count, looks) = counted(usize::MAX).unwrap();
    assert_eq!(count, (0..SITES).filter(|bits| lat(*bits) >= 87.0).count() as u64);
    assert!(looks <= SITES as usize, "{looks} looks");
    assert_eq!(counted(looks), Ok((count, looks)));
    assert_eq!(counted(looks - 1), Err(Refusal::TooManyToCount));
}

#[test]
fn a_page_of_a_stack_looks_at_what_is_on_it() {
    let stack = stack();
    let (mut seen, mut pages, mut from) = (0, 0, None);
    loop {
        let mut looks = 0;
        from = walk(view(&stack), &World, from, 100, |group| {
            (looks, seen) = (*group.looks, seen + group.sites.len());
            ControlFlow::Continue(())
        });
        pages += 1;
        // The point, and one site more than the page holds, to go on from.
        assert!(looks <= 102, "page {pages} takes {looks} looks");
        if from.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (SITES as usize, SITES as usize / 100));
}

#[test]
fn a_page_ends_where_a_stack_has_few_of_those_that_are_wanted() {
    let count = u128::try_from(LOOKS_MAX).unwrap() + 1_000;
    let map = AccountMap::bulk((0..count).map(|bits| Entry {
        status: if bits + 1 == count { Status::Offline } else { Status::Online },
        ..entry(bits, at(60.0, 10.0))
    }));
    let offline = map.within(Classes::of_status(Status::Offline));
    let first = offline.in_box(&BoundingBox::WORLD, None, 10);
    let site = first.next.expect("it is not the last page").site.as_u128();
    assert!(first.found.is_empty() && site.abs_diff(LOOKS_MAX as u128) < 10, "it goes on at {site}");
    let second = offline.in_box(&BoundingBox::WORLD, first.next, 10);
    assert_eq!((second.found.len(), second.found[0].site.as_u128(), second.next), (1, count - 1, None));
    assert_eq!(offline.count_in_box(&BoundingBox::WORLD), Ok(1));
}

/// The level of the cells of the climb.
const LEVEL: u8 = 13;
/// Cells of the climb, each of one site more than the one before.
const CLIMB: u32 = 120;

/// Where the sites of a cell of the climb stand: it goes eastward, and from row to row, so that each cell is near to the
/// next one alone.
fn step(at: u32) -> Point {
    let side: u32 = 1 << (32 - LEVEL);
    let (column, row) = (8 * 500, 8 * 300 + 4);
    let beside = if at.is_multiple_of(2) { -8 } else { 8 };
    Point { x: column * side + at * (side / 2) + side / 4, y: (row * side).wrapping_add_signed(beside) }
}

fn climb() -> AccountMap {
    let sites = (0..CLIMB).flat_map(|at| (0..=at).map(move |site| (at, site)));
    AccountMap::bulk(sites.map(|(at, site)| -> Entry { entry(u128::from(at * 1_000 + site), step(at).position()) }))
}

#[test]
fn a_climb_goes_as_far_as_it_must_and_no_farther_than_it_may() {
    let map = climb();
    let view = View::new(&map.entries, &map.whole.tree, Classes::ALL);
    let tile = TileId::holding(step(0), LEVEL - 3);
    let climbed = |outside_max| {
        let survey = Survey { view, level: LEVEL };
        let mut clusters: Clusters = survey.one(Window::of_tile(tile)).with_outside_max(outside_max);
        let cells = Window::of_tile(tile).cells();
        let numbers: Vec<u32> = cells.filter_map(|(x, y)| clusters.at(x, y, &survey)).collect();
        for number in numbers {
            clusters.kept(number, &survey);
        }
        (clusters.outside_len(), clusters.checked())
    };
    // Two rows of cells, and one on each side of them.
    let (fetched, told) = climbed(OUTSIDE_CELLS_MAX);
    assert_eq!(told, Ok(()));
    assert!((CLIMB as usize..3 * CLIMB as usize).contains(&fetched), "{fetched} cells");
    assert_eq!(climbed(fetched), (fetched, Ok(())));
    assert_eq!(climbed(fetched - 1), (fetched - 1, Err(Refusal::TooFarReaching)));
    // The last is kept, the one before joins it, and so on.
    let first = map.all().locate(SiteId::from_u128(0), LEVEL - 3).unwrap();
    assert_eq!(first, Some(SymbolId::Cluster(Cell::holding(step(1), LEVEL))));
    assert_eq!(OUTSIDE_CELLS_MAX as u64, 4 * VIEWPORT_CELLS_MAX);
}
