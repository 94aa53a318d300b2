//! Where a cluster falls apart: the first deeper zoom that draws its sites as more than one symbol.
//!
//! Read-only. Looks at the map of one zoom after the other, as far as it shows the cluster's sites.

use smallvec::SmallVec;

use super::board::{Clusters, Survey};
use super::mapping::{Numbers, cluster_on, locate_area_within};
use super::mercator::{CELL_LEVELS_BELOW_TILE, Cell, LEVEL_MAX};
use super::node::{Kind, Slot};
use super::plane::Content;
use super::refusal::Refusal;
use super::symbols::{AreaId, AreaKind, SymbolId};
use super::view::View;
use super::window::Window;

/// Most cells that climbs may fetch for one cluster, at all deeper zooms together: a quarter of what a tile may fetch. Cells of people's sites
/// need some tens. Those in and next to the windows below the cluster, 100 a zoom, are not among them.
pub(super) const EXPANSION_CELLS_MAX: usize = 16_384;

/// The first zoom, deeper than its own, at which the sites of the cluster that is kept in `cluster` are in more than one
/// symbol; `None` where no zoom is, or where there is no such cluster.
///
/// Where that takes more than `cells_max` cells beside the windows, the first zoom that is not known.
pub(super) fn expansion_zoom(view: View<'_>, cluster: Cell, cells_max: usize) -> Result<Option<u8>, Refusal> {
    let survey = Survey { view, level: cluster.level() };
    let mut clusters: Clusters = survey.one(Window::of(cluster));
    let numbers = cluster_on(&mut clusters, &survey, cluster);
    clusters.checked()?;
    let Some(mut numbers) = numbers else { return Ok(None) };
    let (mut areas, mut kept, mut cells_left) = (SmallVec::<[AreaId; 2]>::new(), cluster, cells_max);
    for level in cluster.level() + 1..=LEVEL_MAX {
        areas.extend(numbers.iter().filter_map(|number| area_from(view, clusters.content(*number))));
        if numbers.is_empty() {
            return Ok(areas_part(view, &areas, level, &mut cells_left));
        }
        let survey = Survey { view, level };
        // All cells with its sites are neighbours of one kept cell, or that itself.
        let below = Window::of(kept).widened(1).finer();
        let mut finer = survey.one(below).with_outside_max(cells_left);
        numbers = below_of(&clusters, &numbers, &mut finer, &survey);
        let holders = holders(&mut finer, &survey, &numbers, &areas, &mut cells_left);
        match holders.as_deref() {
            Ok([SymbolId::Cluster(cell)]) if finer.checked().is_ok() => kept = *cell,
            // All are in areas now, whose cells lie as they lay.
            Ok([SymbolId::Area(_)]) => {}
            _ => return Ok(Some(level - CELL_LEVELS_BELOW_TILE)),
        }
        cells_left = cells_left.saturating_sub(finer.outside_len());
        clusters = finer;
    }
    Ok(None)
}

/// The first zoom, from that of a level on, at which the areas are more than one symbol. Nothing that clusters around them
/// matters any more.
fn areas_part(view: View<'_>, areas: &[AreaId], from: u8, cells_left: &mut usize) -> Option<u8> {
    if areas.len() == 1 {
        return None;
    }
    let mut are_apart = |level: u8| {
        let mut first = None;
        areas.iter().any(|area| {
            match locate_area_within(Survey { view, level }, area.cell.corner(), *area, cells_left) {
                Ok(Some(shown)) => *first.get_or_insert(shown) != shown,
                _ => true,
            }
        })
    };
    (from..=LEVEL_MAX).find(|level| are_apart(*level)).map(|level| level - CELL_LEVELS_BELOW_TILE)
}

/// The cells of the next level with sites of these cells. Only the cluster's sites are in them.
fn below_of(clusters: &Clusters, numbers: &[u32], finer: &mut Clusters, survey: &Survey<'_>) -> Numbers {
    let corners = numbers.iter().map(|number| clusters.content(*number).cell).map(|cell| (cell.x() * 2, cell.y() * 2));
    let quarters = corners.flat_map(|(x, y)| [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)]);
    quarters.filter_map(|(x, y)| finer.at(x, y, survey)).collect()
}

/// The area that sites of a cell are in at all deeper levels, if any stop refining in it.
fn area_from(view: View<'_>, content: &Content<Slot>) -> Option<AreaId> {
    let cell = content.cell;
    let has_any = match content.detail.kind() {
        Kind::Empty => false,
        Kind::Node(at) => view.areas(at).is_some_and(|areas| areas.stopped.sums.count(view.classes) > 0),
        Kind::Chain(head) => view.piles(head).any(|pile| {
            let is_its = pile.stop.is_at(cell.level()) && Cell::holding(pile.point, cell.level()) == cell;
            is_its && view.has_any(pile)
        }),
    };
    has_any.then_some(AreaId { cell, kind: AreaKind::Stopped })
}

/// What shows the sites of areas and of cells of a plane. One alone where all of them are in one symbol; a pin counts as the
/// cluster of its cell.
fn holders(
    clusters: &mut Clusters,
    survey: &Survey<'_>,
    numbers: &[u32],
    areas: &[AreaId],
    cells_left: &mut usize,
) -> Result<SmallVec<[SymbolId; 4]>, Refusal> {
    let mut holders = SmallVec::new();
    for area in areas {
        let shown = locate_area_within(*survey, area.cell.corner(), *area, cells_left)?
            .expect("an area of sites in view is not empty");
        holders.push(SymbolId::Area(shown));
    }
    for number in numbers {
        let kept = clusters.kept(*number, survey);
        holders.push(SymbolId::Cluster(clusters.content(kept).cell));
    }
    holders.dedup();
    Ok(holders)
}
