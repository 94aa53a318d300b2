//! Which symbols give way: the order of cells, and how near is too near.
//!
//! Pure arithmetic. What follows from it is `plane`'s.

use super::mercator::Cell;

/// Square of the least distance between the centroids of kept cells: 48 px, three quarters of a cell's 64 px, so
/// that only the eight neighbours of a cell can be that near.
pub(super) fn spacing_squared(level: u8) -> u64 {
    let spacing = 3_u64 << (30 - level);
    spacing * spacing
}

/// What cells are ordered by. Equal counts are decided by a scrambled key: with the key itself, a long row of single
/// sites would be one long climb.
pub(super) fn order(count: u32, cell: Cell) -> (u32, u64) {
    (count, scrambled(cell.key()))
}

/// A bijection, so that no two keys are equal after it (the finalizer of `SplitMix64`).
fn scrambled(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn greater_counts_come_first_and_no_two_cells_are_equal() {
        let cells: Vec<Cell> = (0..4_096).map(|at| Cell::new(6, at % 64, at / 64).unwrap()).collect();
        assert!(order(2, cells[0]) > order(1, cells[1]) && order(2, cells[1]) > order(1, cells[0]));
        let orders: BTreeSet<_> = cells.iter().map(|cell| order(1, *cell)).collect();
        assert_eq!(orders.len(), cells.len());
    }

    #[test]
    fn the_order_of_equal_counts_has_no_long_climbs() {
        // Along each row of the grid, the longest run of cells that only grow.
        for y in 0..1_024 {
            let (mut run, mut longest, mut last) = (0, 0, (0, 0));
            for x in 0..1_024 {
                let next = order(1, Cell::new(10, x, y).unwrap());
                run = if next > last { run + 1 } else { 1 };
                (longest, last) = (longest.max(run), next);
            }
            assert!(longest < 14, "{longest} cells in row {y}");
        }
    }

    #[test]
    fn spacing_is_three_quarters_of_a_cell() {
        assert_eq!(spacing_squared(3), (3 << 27_u64) * (3 << 27));
        assert_eq!(spacing_squared(25), 96 * 96);
    }
}
