//! From boards to symbols, and back from a symbol to its sites.
//!
//! Read-only: knows the tree, and nothing of how it is kept.

use smallvec::SmallVec;

use crate::model::geo::LatLng;
use crate::model::id::SiteId;
use crate::model::polygon::Relation;

use super::board::{AreaContent, Board};
use super::frame::Rect;
use super::mercator::{CELL_LEVELS_BELOW_TILE, Cell, LEVEL_MAX, Point};
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::refusal::Refusal;
use super::region::Region;
use super::stop::{Stop, country_level};
use super::symbols::{Area, AreaId, Cluster, Pin, Span, SymbolId, Symbols};
use super::view::View;
use super::window::Window;

/// Cells of a cluster: the kept one and those that joined it.
type Cells = SmallVec<[Cell; 9]>;

/// Symbols of a kind that there is room for from the start: what a tile mostly has.
const CAPACITY: usize = 32;

/// The symbols of a window whose drawn point `is_shown`.
pub(super) fn symbols(
    view: View<'_>,
    window: Window,
    is_shown: impl Fn(Point) -> bool,
) -> Result<Symbols<'_>, Refusal> {
    let mut board = Board::new(view, window, true);
    let mut symbols = Symbols::default();
    symbols.pins.reserve(board.len().min(CAPACITY));
    symbols.clusters.reserve(board.len().min(CAPACITY));
    for (x, y) in window.cells() {
        let Some(number) = board.at(x, y) else { continue };
        if !is_shown(board.content(number).point) || board.kept(number) != number {
            continue;
        }
        let joiners = board.joiners(number);
        match board.content(number).mass.lone() {
            Some(entry) if joiners.is_empty() => {
                let entry = view.entries.get(entry);
                symbols.pins.push(Pin { entry, point: board.content(number).point });
            }
            _ => symbols.clusters.push(cluster(view, &board, number, &joiners)),
        }
    }
    board.checked()?;
    let areas = board.take_areas().into_iter().filter(|area| is_shown(area.mass.centroid()));
    symbols.areas = areas.map(|content| area(view, &content)).collect();
    Ok(symbols)
}

fn cluster(view: View<'_>, board: &Board<'_>, kept: u32, joiners: &[u32]) -> Cluster {
    let content = board.content(kept);
    let cell = content.cell;
    let (mut tally, mut span) = (content.mass.tally, Span::default());
    for joiner in joiners.iter().map(|joiner| board.content(*joiner)) {
        tally.merge(&joiner.mass.tally);
        // Columns wrap at the antimeridian, so the difference is taken within the world's width.
        let columns = (1_u32 << cell.level()) - 1;
        span.west |= u32::from(joiner.cell.x() == (cell.x().wrapping_sub(1) & columns));
        span.east |= u32::from(joiner.cell.x() == ((cell.x() + 1) & columns));
        span.north |= u32::from(joiner.cell.y() < cell.y());
        span.south |= u32::from(joiner.cell.y() > cell.y());
    }
    let split = if joiners.is_empty() { split_level(view, content.slot, cell) } else { Some(cell.level() + 1) };
    let expansion_zoom = split.filter(|level| *level <= LEVEL_MAX).map(|level| level - CELL_LEVELS_BELOW_TILE);
    Cluster { cell, tally, point: content.point, expansion_zoom, span }
}

fn area<'map>(view: View<'map>, content: &AreaContent) -> Area<'map> {
    Area {
        id: content.id,
        tally: content.mass.tally,
        point: content.mass.centroid(),
        radius_m: content.radius_m,
        granularity: content.granularity,
        lone: content.mass.lone().map(|entry| view.entries.get(entry)),
    }
}

/// The first level at which the sites that cluster in `cell` are no longer in one cell or one area; at most 32
/// nodes are looked at. May lie beyond [`LEVEL_MAX`], where no map shows it.
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
fn cluster_cells(view: View<'_>, cell: Cell) -> Result<Option<Cells>, Refusal> {
    let mut board = Board::new(view, Window::of(cell), false);
    let Some(number) = board.at(cell.x(), cell.y()) else { return Ok(None) };
    let joiners = board.joiners(number);
    let is_pin = joiners.is_empty() && board.content(number).mass.lone().is_some();
    let is_shown = !is_pin && board.kept(number) == number;
    board.checked()?;
    let cells = || std::iter::once(number).chain(joiners).map(|number| board.content(number).cell).collect();
    Ok(is_shown.then(cells))
}

/// What shows the site of a pile at `zoom`.
pub(super) fn locate(view: View<'_>, site: SiteId, pile: &Pile, zoom: u8) -> Result<SymbolId, Refusal> {
    let level = zoom + CELL_LEVELS_BELOW_TILE;
    if let Some(area_level) = pile.stop.area_level(level) {
        let cell = Cell::holding(pile.point, area_level);
        return Ok(SymbolId::Area(AreaId { cell, is_country: pile.stop.is_country() }));
    }
    let cell = Cell::holding(pile.point, level);
    let mut board = Board::new(view, Window::of(cell), false);
    let number = board.at(cell.x(), cell.y()).expect("the cell of a site that clusters is not empty");
    let kept = board.kept(number);
    let stands_alone = board.content(kept).mass.lone().is_some() && board.joiners(kept).is_empty();
    board.checked()?;
    Ok(if stands_alone { SymbolId::Pin(site) } else { SymbolId::Cluster(board.content(kept).cell) })
}

/// Where a symbol's sites are: cells, and which of the piles there are its.
pub(super) struct Leaves {
    level: u8,
    rects: SmallVec<[Rect; 9]>,
    is_area: bool,
    is_country: bool,
}

impl Leaves {
    /// Those of a cluster or area that may show at `zoom`; `None` where nothing of that id does.
    pub(super) fn of(view: View<'_>, id: SymbolId, zoom: u8) -> Result<Option<Self>, Refusal> {
        let level = zoom + CELL_LEVELS_BELOW_TILE;
        let (cells, is_area, is_country) = match id {
            SymbolId::Pin(_) => return Ok(None),
            SymbolId::Cluster(cell) if cell.zoom() != Some(zoom) => return Ok(None),
            SymbolId::Cluster(cell) => match cluster_cells(view, cell)? {
                Some(cells) => (cells, false, false),
                None => return Ok(None),
            },
            SymbolId::Area(AreaId { cell, is_country }) => {
                let is_shown = if is_country { cell.level() == country_level(level) } else { cell.level() < level };
                if !is_shown {
                    return Ok(None);
                }
                (Cells::from_slice(&[cell]), true, is_country)
            }
        };
        let rects = cells.iter().flat_map(|cell| Window::of(*cell).rects()).collect();
        Ok(Some(Self { level: cells[0].level(), rects, is_area, is_country }))
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

    fn takes(&self, stop: Stop) -> bool {
        match (self.is_area, self.is_country) {
            (false, _) => stop.clusters_at(self.level),
            (true, true) => stop.is_country(),
            (true, false) => stop.is_at(self.level),
        }
    }
}
