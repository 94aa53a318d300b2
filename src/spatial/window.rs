//! Windows: rectangles of cells that run over the antimeridian where they must.
//!
//! Pure geometry of the grid. Knows nothing of what lies in the cells.

use crate::model::Invalid;
use crate::model::geo::BoundingBox;

use super::frame::Rect;
use super::mercator::{CELL_LEVELS_BELOW_TILE, Cell, POINT_BITS, Point, TileId, shifted};

/// Most cells of a viewport: four times what a screen of 3,840 × 2,160 px shows at its own zoom, and the whole
/// world up to zoom 4.
pub const VIEWPORT_CELLS_MAX: u64 = 16_384;

/// A rectangle of cells of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) level: u8,
    x: u32,
    y: u32,
    /// At most all columns.
    width: u32,
    /// At most the rows from `y` on.
    height: u32,
}

impl Window {
    /// The cell alone.
    pub(super) fn of(cell: Cell) -> Self {
        Self { level: cell.level(), x: cell.x(), y: cell.y(), width: 1, height: 1 }
    }

    /// The cells of a tile.
    pub(super) fn of_tile(tile: TileId) -> Self {
        let side = 1 << CELL_LEVELS_BELOW_TILE;
        let level = tile.z() + CELL_LEVELS_BELOW_TILE;
        Self { level, x: tile.x() * side, y: tile.y() * side, width: side, height: side }
    }

    /// The cells that meet a box; refuses more than [`VIEWPORT_CELLS_MAX`].
    pub(super) fn of_box(bounds: &BoundingBox, zoom: u8) -> Result<Self, Invalid> {
        let level = zoom + CELL_LEVELS_BELOW_TILE;
        let (low, high) = (Point::project(bounds.low), Point::project(bounds.high));
        let (west, east) = (shifted(low.x, level), shifted(high.x, level));
        let (north, south) = (shifted(high.y, level), shifted(low.y, level));
        let columns = 1_u32 << level;
        let width =
            if low.x <= high.x && !bounds.crosses_antimeridian() { east - west + 1 } else { columns - west + east + 1 };
        // The meridians -180 and 180 are one: what is drawn at the other end of the map is in a box that ends at one.
        let (more_west, more_east) = (bounds.begins_at_antimeridian(), bounds.ends_at_antimeridian());
        let x = west.wrapping_sub(u32::from(more_west)) & (columns - 1);
        // Where it ends in the column that it begins in, it holds that column once.
        let width = (width + u32::from(more_west) + u32::from(more_east)).min(columns);
        let height = south - north + 1;
        let cells = u64::from(width) * u64::from(height);
        if cells > VIEWPORT_CELLS_MAX {
            let limit = format!("the box has {cells} cells at zoom {zoom}, at most {VIEWPORT_CELLS_MAX} are drawn");
            return Err(Invalid::new("zoom", format!("{limit}: use a smaller zoom or a smaller box")));
        }
        Ok(Self { level, x, y: north, width, height })
    }

    /// The window with `cells` more on each side, as far as the world goes.
    pub(super) fn widened(self, cells: u32) -> Self {
        let north = self.y.saturating_sub(cells);
        let south = (self.y + self.height + cells).min(self.side());
        let width = (self.width + 2 * cells).min(self.side());
        // A window of all columns may begin anywhere.
        let x = self.x.wrapping_sub(cells) & (self.side() - 1);
        Self { x, y: north, width, height: south - north, ..self }
    }

    /// The cells of the next level that lie in these.
    pub(super) fn finer(self) -> Self {
        Self { level: self.level + 1, x: self.x * 2, y: self.y * 2, width: self.width * 2, height: self.height * 2 }
    }

    /// Cells along one side of the world.
    pub(super) fn side(&self) -> u32 {
        1 << self.level
    }

    /// Its cells.
    pub(super) fn len(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// The place of a cell among those of the window, row by row.
    pub(super) fn place(&self, x: u32, y: u32) -> Option<usize> {
        let column = x.wrapping_sub(self.x) & (self.side() - 1);
        let row = y.wrapping_sub(self.y);
        (column < self.width && row < self.height).then(|| (row * self.width + column) as usize)
    }

    /// The places of the eight cells around one, row by row; `None` where one of them may be outside.
    pub(super) fn places_around(&self, x: u32, y: u32) -> Option<[usize; 8]> {
        let column = x.wrapping_sub(self.x) & (self.side() - 1);
        let row = y.wrapping_sub(self.y);
        let is_inner =
            (1..self.width.saturating_sub(1)).contains(&column) && (1..self.height.saturating_sub(1)).contains(&row);
        is_inner.then(|| {
            let width = self.width as usize;
            let place = row as usize * width + column as usize;
            let (north, south) = (place - width, place + width);
            [north - 1, north, north + 1, place - 1, place + 1, south - 1, south, south + 1]
        })
    }

    /// Columns and rows of its cells, row by row.
    pub(super) fn cells(self) -> impl Iterator<Item = (u32, u32)> {
        let rows = self.y..self.y + self.height;
        rows.flat_map(move |y| (0..self.width).map(move |column| ((self.x + column) & (self.side() - 1), y)))
    }

    /// Its points: one rectangle, or two where it runs over the antimeridian.
    pub(super) fn rects(self) -> impl Iterator<Item = Rect> {
        // At level 0 a cell has 2^32 points to a side, one more than the last coordinate.
        let edge = move |cell: u32| u64::from(cell) << (POINT_BITS - self.level);
        let first = move |cell: u32| u32::try_from(edge(cell)).expect("a cell begins inside of the world");
        let last = move |cell: u32| u32::try_from(edge(cell + 1) - 1).expect("a cell ends inside of the world");
        let end = self.x + self.width;
        let over = end.saturating_sub(self.side());
        let (north, south) = (first(self.y), last(self.y + self.height - 1));
        [(self.x, end - over), (0, over)].into_iter().filter(|(from, to)| from < to).map(move |(from, to)| Rect {
            west: first(from),
            east: last(to - 1),
            north,
            south,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::geo::LatLng;

    fn window(low: (f64, f64), high: (f64, f64), zoom: u8) -> Result<Window, Invalid> {
        let corner = |(lat, lng)| LatLng::new(lat, lng).unwrap();
        Window::of_box(&BoundingBox::new(corner(low), corner(high)).unwrap(), zoom)
    }

    #[test]
    fn windows_run_over_the_antimeridian_once() {
        let pacific = window((-10.0, 170.0), (10.0, -170.0), 0).unwrap();
        assert_eq!(pacific.cells().collect::<Vec<_>>(), [(7, 3), (0, 3), (7, 4), (0, 4)]);
        assert_eq!(pacific.rects().count(), 2);
        let around = window((-10.0, 10.0), (10.0, 9.0), 0).unwrap();
        assert_eq!((around.width, around.len()), (8, 16));
        let wide = pacific.widened(6);
        assert_eq!((wide.width, wide.height, wide.len()), (8, 8, 64));
        let mut places: Vec<_> = wide.cells().map(|(x, y)| wide.place(x, y).unwrap()).collect();
        assert_eq!(pacific.widened(1).places_around(7, 4), Some([4, 5, 6, 8, 10, 12, 13, 14].map(|place| place)));
        places.dedup();
        assert_eq!(places, (0..64).collect::<Vec<_>>());
    }

    #[test]
    fn the_world_fits_up_to_zoom_4() {
        for zoom in 0..=4 {
            assert_eq!(Window::of_box(&BoundingBox::WORLD, zoom).unwrap().len(), 64 << (2 * zoom));
        }
        assert_eq!(Window::of_box(&BoundingBox::WORLD, 5).unwrap_err().field, "zoom");
        assert!(Window::of_box(&BoundingBox::WORLD, 22).is_err());
    }
}
