//! From boards to symbols, and back from a symbol to its sites.
//!
//! Read-only: knows the tree, and nothing of how it is kept.

use smallvec::SmallVec;

use crate::model::id::SiteId;

use super::board::{AreaContent, Board};
use super::mercator::{CELL_LEVELS_BELOW_TILE, Cell, LEVEL_MAX, Point, ZOOM_MAX};
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::stop::{Stop, country_level};
use super::symbols::{Area, AreaId, Cluster, Expansion, Pin, Span, SymbolId, Symbols};
use super::view::View;
use super::window::Window;

/// Cells of a cluster: the kept one and those that joined it.
type Cells = SmallVec<[Cell; 9]>;

/// Symbols of a kind that there is room for from the start: what a tile mostly has.
const CAPACITY: usize = 32;

/// The symbols of a window whose drawn point `is_shown`.
pub(super) fn symbols(view: View<'_>, window: Window, is_shown: impl Fn(Point) -> bool) -> Symbols<'_> {
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
                let entry = view.entries[entry].as_ref();
                symbols.pins.push(Pin { entry, point: board.content(number).point });
            }
            _ => symbols.clusters.push(cluster(view, &board, number, &joiners)),
        }
    }
    let areas = board.take_areas().into_iter().filter(|area| is_shown(area.mass.centroid()));
    symbols.areas = areas.map(|content| area(view, &content)).collect();
    symbols
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
        lone: content.mass.lone().map(|entry| view.entries[entry].as_ref()),
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
fn cluster_cells(view: View<'_>, cell: Cell) -> Option<Cells> {
    let mut board = Board::new(view, Window::of(cell), false);
    let number = board.at(cell.x(), cell.y())?;
    if board.kept(number) != number {
        return None;
    }
    let joiners = board.joiners(number);
    Some(std::iter::once(number).chain(joiners).map(|number| board.content(number).cell).collect())
}

/// What shows the site of a pile at `zoom`.
pub(super) fn locate(view: View<'_>, site: SiteId, pile: &Pile, zoom: u8) -> SymbolId {
    let level = zoom + CELL_LEVELS_BELOW_TILE;
    if let Some(area_level) = pile.stop.area_level(level) {
        let cell = Cell::holding(pile.point, area_level);
        return SymbolId::Area(AreaId { cell, is_country: pile.stop.is_country() });
    }
    let cell = Cell::holding(pile.point, level);
    let mut board = Board::new(view, Window::of(cell), false);
    let number = board.at(cell.x(), cell.y()).expect("the cell of a site that clusters is not empty");
    let kept = board.kept(number);
    let stands_alone = board.content(kept).mass.lone().is_some() && board.joiners(kept).is_empty();
    if stands_alone { SymbolId::Pin(site) } else { SymbolId::Cluster(board.content(kept).cell) }
}

/// Where to look for a symbol's sites: cells, and which of the piles there are its.
pub(super) struct Leaves {
    pub(super) cells: Cells,
    is_area: bool,
    is_country: bool,
}

impl Leaves {
    /// Those of a cluster or area that shows at `zoom`; `None` where nothing of that id does.
    pub(super) fn of(view: View<'_>, id: SymbolId, zoom: u8) -> Option<Self> {
        match id {
            SymbolId::Pin(_) => None,
            SymbolId::Cluster(cell) if cell.zoom() != Some(zoom) => None,
            SymbolId::Cluster(cell) => {
                Some(Self { cells: cluster_cells(view, cell)?, is_area: false, is_country: false })
            }
            SymbolId::Area(AreaId { cell, is_country }) => {
                let level = zoom + CELL_LEVELS_BELOW_TILE;
                let shown = if is_country { cell.level() == country_level(level) } else { cell.level() < level };
                shown.then(|| Self { cells: std::iter::once(cell).collect(), is_area: true, is_country })
            }
        }
    }

    /// Whether sites of this stop in one of the cells are its.
    pub(super) fn has(&self, stop: Stop) -> bool {
        let level = self.cells[0].level();
        match (self.is_area, self.is_country) {
            (false, _) => stop.clusters_at(level),
            (true, true) => stop.is_country(),
            (true, false) => stop.is_at(level),
        }
    }
}

/// The first zoom at which the sites of the cluster kept in `cell` are in more than one symbol.
///
/// `None` where there is no such cluster. Costs a board of a few cells a zoom.
pub(super) fn expansion(view: View<'_>, cell: Cell) -> Option<Expansion> {
    let zoom = cell.zoom()?;
    let mut cells = cluster_cells(view, cell)?;
    let count = |board: &mut Board<'_>, cell: Cell| {
        board.at(cell.x(), cell.y()).map_or(0, |number| board.content(number).mass.count())
    };
    for zoom in zoom..ZOOM_MAX {
        let level = zoom + CELL_LEVELS_BELOW_TILE;
        let mut board = Board::new(view, Window::of(cells[0]), false);
        let mut finer_board = Board::new(view, Window::of(cells[0]).finer(), false);
        let (mut finer_cells, mut symbols, mut areas) = (Cells::new(), SmallVec::<[Cell; 9]>::new(), 0);
        for cell in &cells {
            let before = count(&mut board, *cell);
            let mut after = 0;
            for (x, y) in Window::of(*cell).finer().cells() {
                let Some(number) = finer_board.at(x, y) else { continue };
                let kept = finer_board.kept(number);
                let kept = finer_board.content(kept).cell;
                if !symbols.contains(&kept) {
                    symbols.push(kept);
                }
                after += finer_board.content(number).mass.count();
                finer_cells.push(finer_board.content(number).cell);
            }
            areas += usize::from(after < before);
        }
        debug_assert!(finer_cells.iter().all(|cell| cell.level() == level + 1), "cells of the next level");
        match symbols.len() + areas {
            0 | 1 if areas == 1 => return Some(Expansion::Never),
            0 | 1 => cells = finer_cells,
            _ => return Some(Expansion::At(zoom + 1)),
        }
    }
    Some(Expansion::Never)
}
