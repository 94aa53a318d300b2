//! From boards to symbols, and back from a symbol to its sites.
//!
//! Read-only: knows the tree, and nothing of how it is kept.

use smallvec::SmallVec;

use crate::model::geo::LatLng;
use crate::model::id::SiteId;
use crate::model::polygon::Relation;

use super::board::{Areas, Clusters, Survey};
use super::frame::Rect;
use super::mercator::{CELL_LEVELS_BELOW_TILE, Cell, LEVEL_MAX, Point};
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::plane::{OUTSIDE_CELLS_MAX, Plane, Source};
use super::refusal::Refusal;
use super::region::Region;
use super::stop::{Stop, country_level};
use super::symbols::{Area, AreaId, AreaKind, Cluster, Pin, Span, SymbolId, Symbols};
use super::view::View;
use super::window::Window;

/// The cells of a cluster, by their numbers on a plane.
pub(super) type Numbers = SmallVec<[u32; 9]>;

/// Symbols of a kind that there is room for from the start: what a tile mostly has.
const CAPACITY: usize = 32;

/// The symbols of a window whose drawn point `is_shown`.
pub(super) fn symbols(
    view: View<'_>,
    window: Window,
    is_shown: impl Fn(Point) -> bool,
) -> Result<Symbols<'_>, Refusal> {
    let survey = Survey { view, level: window.level };
    let (mut clusters, mut areas) = survey.both(window);
    let mut symbols = Symbols::default();
    symbols.pins.reserve(clusters.len().min(CAPACITY));
    symbols.clusters.reserve(clusters.len().min(CAPACITY));
    each_kept(&mut clusters, &survey, window, &is_shown, |clusters, number, joiners| {
        let content = clusters.content(number);
        match content.mass.lone() {
            Some(entry) if joiners.is_empty() => {
                symbols.pins.push(Pin { entry: view.entries.get(entry), point: content.point });
            }
            _ => symbols.clusters.push(cluster(view, clusters, number, joiners)),
        }
    })?;
    each_kept(&mut areas, &survey, window, &is_shown, |areas, number, joiners| {
        symbols.areas.push(area(view, areas, number, joiners));
    })?;
    Ok(symbols)
}

/// Visits the kept cells of a window whose drawn point `is_shown`, row by row, each with those that joined it. Refuses
/// where what was visited may not hold.
fn each_kept<T>(
    plane: &mut Plane<T>,
    source: &impl Source<T>,
    window: Window,
    is_shown: &impl Fn(Point) -> bool,
    mut visit: impl FnMut(&Plane<T>, u32, &[u32]),
) -> Result<(), Refusal> {
    if plane.len() == 0 {
        return Ok(());
    }
    for (x, y) in window.cells() {
        let Some(number) = plane.at(x, y, source) else { continue };
        if is_shown(plane.content(number).point) && plane.kept(number, source) == number {
            let joiners = plane.joiners(number, source);
            visit(plane, number, &joiners);
        }
    }
    plane.checked()
}

fn cluster(view: View<'_>, clusters: &Clusters, kept: u32, joiners: &[u32]) -> Cluster {
    let content = clusters.content(kept);
    let cell = content.cell;
    let (mut tally, mut span) = (content.mass.tally, Span::default());
    for joiner in joiners.iter().map(|joiner| clusters.content(*joiner)) {
        tally.merge(&joiner.mass.tally);
        // Columns wrap at the antimeridian, so the difference is taken within the world's width.
        let columns = (1_u32 << cell.level()) - 1;
        span.west |= u32::from(joiner.cell.x() == (cell.x().wrapping_sub(1) & columns));
        span.east |= u32::from(joiner.cell.x() == ((cell.x() + 1) & columns));
        span.north |= u32::from(joiner.cell.y() < cell.y());
        span.south |= u32::from(joiner.cell.y() > cell.y());
    }
    // No cell holds all: whatever stands around may part them at the next level, and only a look at that tells.
    let split = if joiners.is_empty() { split_level(view, content.detail, cell) } else { Some(cell.level() + 1) };
    let expansion_zoom = split.filter(|level| *level <= LEVEL_MAX).map(|level| level - CELL_LEVELS_BELOW_TILE);
    Cluster { cell, tally, point: content.point, expansion_zoom, span }
}

fn area<'map>(view: View<'map>, areas: &Areas, kept: u32, joiners: &[u32]) -> Area<'map> {
    let content = areas.content(kept);
    let (mut mass, mut uncertainty) = (content.mass, content.detail.clone());
    for joiner in joiners.iter().map(|joiner| areas.content(*joiner)) {
        mass.merge(&joiner.mass);
        uncertainty.merge(&joiner.detail);
    }
    Area {
        id: id_of(content.cell, &uncertainty.ids),
        tally: mass.tally,
        point: content.point,
        radius_m: uncertainty.radius_m,
        granularity: uncertainty.granularity,
        lone: mass.lone().map(|entry| view.entries.get(entry)),
        widest: uncertainty.ids.iter().map(|id| id.cell.level()).min().expect("there is an area"),
    }
}

/// The id of areas that are one symbol, kept in `cell`.
fn id_of(cell: Cell, ids: &[AreaId]) -> AreaId {
    if let [only] = ids { *only } else { AreaId { cell, kind: AreaKind::Joined } }
}

/// The first level at which the sites that cluster in `cell` are no longer in one cell or one area; at most 32
/// nodes are looked at. May lie beyond [`LEVEL_MAX`], where no map shows it. Neighbours may hold them together there:
/// `expansion` tells for how long.
fn split_level(view: View<'_>, mut slot: Slot, cell: Cell) -> Option<u8> {
    let mut level = cell.level();
    while let Kind::Node(at) = slot.kind() {
        let stopped = view.areas(at).map_or(0, |areas| areas.stopped.sums.count(view.classes));
        if stopped > 0 {
            // The rest goes on clustering where these become an area; if there is a rest.
            return (stopped < view.count(at)).then_some(level + 1);
        }
        let children = view.node(at).children.into_iter();
        let mut clustering = children.filter(|child| clusters_below(view, *child, level + 1));
        match (clustering.next(), clustering.next()) {
            (Some(only), None) => slot = only,
            (None, _) => return None,
            _ => return Some(level + 1),
        }
        level += 1;
    }
    let mut piles = view.piles(slot.head()).filter(|pile| clusters_in(view, pile, cell));
    let first = piles.next()?;
    let (mut shared_bits, mut low, mut high) = (32, first.stop, first.stop);
    for pile in piles {
        let differing = (pile.point.x ^ first.point.x) | (pile.point.y ^ first.point.y);
        shared_bits = shared_bits.min(differing.leading_zeros());
        (low, high) = (low.min(pile.stop), high.max(pile.stop));
    }
    let apart = u8::try_from(shared_bits).expect("at most 32") + 1;
    let low_ends = low.level().map_or(0, |level| level + 1);
    if low == high { (apart < low_ends).then_some(apart) } else { Some(apart.min(low_ends)) }
}

fn clusters_below(view: View<'_>, slot: Slot, level: u8) -> bool {
    match slot.kind() {
        Kind::Empty => false,
        Kind::Node(at) => view.count(at) > 0,
        Kind::Chain(head) => view.piles(head).any(|pile| pile.stop.clusters_at(level) && view.count_of_pile(pile) > 0),
    }
}

fn clusters_in(view: View<'_>, pile: &Pile, cell: Cell) -> bool {
    let is_there = pile.stop.clusters_at(cell.level()) && Cell::holding(pile.point, cell.level()) == cell;
    is_there && view.count_of_pile(pile) > 0
}

/// The cells of the cluster that is kept in `cell`, that one first; `None` where there is none.
fn cluster_cells(view: View<'_>, cell: Cell) -> Result<Option<Parts>, Refusal> {
    let survey = Survey { view, level: cell.level() };
    let mut clusters: Clusters = survey.one(Window::of(cell));
    let numbers = cluster_on(&mut clusters, &survey, cell);
    clusters.checked()?;
    let part = |number| Part { cell: clusters.content(number).cell, area: None };
    Ok(numbers.map(|numbers| numbers.into_iter().map(part).collect()))
}

/// The numbers of the same cells on a plane, which is to be checked before they are used.
pub(super) fn cluster_on(clusters: &mut Clusters, survey: &Survey<'_>, cell: Cell) -> Option<Numbers> {
    let number = clusters.at(cell.x(), cell.y(), survey)?;
    let joiners = clusters.joiners(number, survey);
    let is_pin = joiners.is_empty() && clusters.content(number).mass.lone().is_some();
    let is_shown = !is_pin && clusters.kept(number, survey) == number;
    is_shown.then(|| std::iter::once(number).chain(joiners).collect())
}

/// The areas that are one symbol, kept in `cell`; `None` where there is no such symbol.
fn joined_areas(view: View<'_>, cell: Cell) -> Result<Option<Parts>, Refusal> {
    let survey = Survey { view, level: cell.level() };
    let mut areas: Areas = survey.one(Window::of(cell));
    let Some(number) = areas.at(cell.x(), cell.y(), &survey) else { return Ok(None) };
    let is_kept = areas.kept(number, &survey) == number;
    let ids = ids_of(&mut areas, &survey, number);
    areas.checked()?;
    let part = |id: &AreaId| Part { cell: id.cell, area: Some(id.kind) };
    Ok((is_kept && ids.len() > 1).then(|| ids.iter().map(part).collect()))
}

/// The areas of a kept cell.
fn ids_of(areas: &mut Areas, survey: &Survey<'_>, kept: u32) -> SmallVec<[AreaId; 4]> {
    let joiners = areas.joiners(kept, survey);
    let numbers = std::iter::once(kept).chain(joiners);
    numbers.flat_map(|number| areas.content(number).detail.ids.iter().copied()).collect()
}

/// What shows the site of a pile at `zoom`.
pub(super) fn locate(view: View<'_>, site: SiteId, pile: &Pile, zoom: u8) -> Result<SymbolId, Refusal> {
    let survey = Survey { view, level: zoom + CELL_LEVELS_BELOW_TILE };
    if let Some(id) = survey.area_of(pile) {
        let shown = locate_area(survey, pile.point, id)?.expect("the area of a site in view is not empty");
        return Ok(SymbolId::Area(shown));
    }
    let cell = Cell::holding(pile.point, survey.level);
    let mut clusters: Clusters = survey.one(Window::of(cell));
    let number = clusters.at(cell.x(), cell.y(), &survey).expect("the cell of a site that clusters is not empty");
    let kept = clusters.kept(number, &survey);
    let stands_alone = clusters.content(kept).mass.lone().is_some() && clusters.joiners(kept, &survey).is_empty();
    clusters.checked()?;
    Ok(if stands_alone { SymbolId::Pin(site) } else { SymbolId::Cluster(clusters.content(kept).cell) })
}

/// What shows the area `id`, in whose cell `point` is; `None` where it has no site.
fn locate_area(survey: Survey<'_>, point: Point, id: AreaId) -> Result<Option<AreaId>, Refusal> {
    locate_area_within(survey, point, id, &mut { OUTSIDE_CELLS_MAX })
}

/// The same, with the cells that climbs fetch for it taken off those that are left.
pub(super) fn locate_area_within(
    survey: Survey<'_>,
    point: Point,
    id: AreaId,
    cells_left: &mut usize,
) -> Result<Option<AreaId>, Refusal> {
    let mass = survey.area_mass(point, id);
    if mass.count() == 0 {
        return Ok(None);
    }
    let cell = Cell::holding(mass.centroid(), survey.level);
    let mut areas: Areas = survey.one(Window::of(cell)).with_outside_max(*cells_left);
    let number = areas.at(cell.x(), cell.y(), &survey).expect("the cell of an area's centroid is not empty");
    let kept = areas.kept(number, &survey);
    let ids = ids_of(&mut areas, &survey, kept);
    areas.checked()?;
    *cells_left -= areas.outside_len();
    Ok(Some(id_of(areas.content(kept).cell, &ids)))
}

/// A cell, and which of its sites are meant.
struct Part {
    cell: Cell,
    /// Of which area; `None` for those that cluster at the cell's level.
    area: Option<AreaKind>,
}

/// Where a symbol's sites are.
type Parts = SmallVec<[Part; 9]>;

impl Part {
    fn takes(&self, point: Point, stop: Stop) -> bool {
        let level = self.cell.level();
        let is_its = match self.area {
            None => stop.clusters_at(level),
            Some(AreaKind::Country) => stop.is_country(),
            Some(_) => stop.is_at(level),
        };
        is_its && Cell::holding(point, level) == self.cell
    }
}

/// Where a symbol's sites are: cells, and which of the piles there are its.
pub(super) struct Leaves {
    parts: Parts,
    rects: SmallVec<[Rect; 9]>,
}

impl Leaves {
    /// Those of a cluster or area that may show at `zoom`; `None` where nothing of that id does.
    pub(super) fn of(view: View<'_>, id: SymbolId, zoom: u8) -> Result<Option<Self>, Refusal> {
        let level = zoom + CELL_LEVELS_BELOW_TILE;
        let parts = match id {
            SymbolId::Cluster(cell) if cell.level() == level => cluster_cells(view, cell)?,
            SymbolId::Area(AreaId { cell, kind: AreaKind::Joined }) if cell.level() == level => {
                joined_areas(view, cell)?
            }
            SymbolId::Pin(_) | SymbolId::Cluster(_) | SymbolId::Area(AreaId { kind: AreaKind::Joined, .. }) => None,
            SymbolId::Area(id) => {
                let (cell, kind) = (id.cell, id.kind);
                let is_country = kind == AreaKind::Country;
                let is_of_zoom = if is_country { cell.level() == country_level(level) } else { cell.level() < level };
                let is_shown = is_of_zoom && locate_area(Survey { view, level }, cell.corner(), id)? == Some(id);
                is_shown.then(|| Parts::from_iter([Part { cell, area: Some(kind) }]))
            }
        };
        Ok(parts.map(|parts| {
            let rects = parts.iter().flat_map(|part| Window::of(part.cell).rects()).collect();
            Self { parts, rects }
        }))
    }
}

/// All that is drawn in the cells, whatever its exact position.
impl Region for Leaves {
    fn relation(&self, rect: &Rect) -> Relation {
        if self.rects.iter().any(|cell| cell.holds(rect)) {
            Relation::Inside
        } else if self.rects.iter().any(|cell| cell.meets(rect)) {
            Relation::Mixed
        } else {
            Relation::Outside
        }
    }

    fn contains(&self, position: LatLng) -> bool {
        self.relation(&Rect::at(Point::project(position))) == Relation::Inside
    }

    fn takes(&self, point: Point, stop: Stop) -> bool {
        self.parts.iter().any(|part| part.takes(point, stop))
    }
}
