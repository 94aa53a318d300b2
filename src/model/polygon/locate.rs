//! Where a point lies in one polygon: inside, outside or on a line. Exact, and logarithmic for whatever rings.
//!
//! The plane is cut into strips at the longitudes of all corners. A segment tree over the strips keeps each edge at the few
//! nodes whose strips it passes from side to side. Edges at one node never change places, so they are kept in order, and
//! those above a point are counted by bisection: one for each level of the tree.

use std::cmp::Ordering;

use super::plane::{Edge, HALF_TURN, Point};

/// Where a point lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Not in the polygon.
    Outside,
    /// On a line of it: its edge, or that of a hole.
    Edge,
    /// In it.
    Inside,
}

/// The lines of one polygon, in order to find points among them. At most 20,000 edges take some megabytes.
#[derive(Debug, Clone)]
pub(super) struct Locator {
    /// Whether the plane just south of the north pole's latitude is inside.
    is_north_inside: bool,
    /// All corners, in order.
    corners: Vec<Point>,
    /// Edges along meridians, in order. No two of one polygon overlap.
    verticals: Vec<Edge>,
    /// The western ends of the strips, in order; the first one is the 180th meridian.
    strips: Vec<i128>,
    /// The edges at each node, node after node, from south to north. The root is node 1, the children of `n` are `2n` and
    /// `2n + 1`.
    members: Vec<u32>,
    /// Where each node's members begin, and where the last one's end.
    begins: Vec<u32>,
    /// The number of leaves: a power of two.
    leaves: usize,
    edges: Vec<Edge>,
}

impl Locator {
    /// Over edges that do not cross, copies included, and the `corners` of a sweep over them. Costs n log² n signs for n edges.
    pub(super) fn new(edges: Vec<Edge>, mut corners: Vec<Point>, is_north_inside: bool) -> Self {
        corners.retain(|point| (-HALF_TURN..HALF_TURN).contains(&point.x));
        let mut strips: Vec<i128> = corners.iter().map(|corner| corner.x).collect();
        strips.insert(0, -HALF_TURN);
        strips.dedup();
        let mut verticals: Vec<Edge> = edges.iter().filter(|edge| edge.is_vertical()).copied().collect();
        verticals.sort_unstable_by_key(|edge| edge.start);

        let leaves = strips.len().next_power_of_two();
        let (members, begins) = members(&edges, &strips, leaves);
        Self { is_north_inside, corners, verticals, strips, members, begins, leaves, edges }
    }

    /// Where a point of the plane lies, its longitude in [-half a turn, half a turn). At a pole's latitude this is the
    /// plane's word: that all longitudes are one point there is for the caller to see to. Costs log² n signs.
    pub(super) fn place(&self, point: Point) -> Place {
        let strip = self.strips.partition_point(|west| *west <= point.x) - 1;
        let is_at_corners = self.strips[strip] == point.x;
        if is_at_corners && (self.corners.binary_search(&point).is_ok() || self.is_on_vertical(point)) {
            return Place::Edge;
        }
        let mut node = strip + self.leaves;
        let mut is_inside = self.is_north_inside;
        while node > 0 {
            let edges = &self.members[self.begins[node] as usize..self.begins[node + 1] as usize];
            let side = |number: &u32| self.edges[*number as usize].side_beside(point);
            let below = edges.partition_point(|number| side(number) == Ordering::Greater);
            if edges.get(below).is_some_and(|number| side(number) == Ordering::Equal) {
                return Place::Edge;
            }
            is_inside ^= (edges.len() - below) % 2 == 1;
            node /= 2;
        }
        if is_inside { Place::Inside } else { Place::Outside }
    }

    fn is_on_vertical(&self, point: Point) -> bool {
        let from = self.verticals.partition_point(|edge| edge.start <= point);
        let last = from.checked_sub(1).map(|at| &self.verticals[at]);
        last.is_some_and(|edge| edge.start.x == point.x && point.y <= edge.end.y)
    }

    /// Its edges, copies included.
    pub(super) fn edges(&self) -> &[Edge] {
        &self.edges
    }
}

/// The edges at each node of the tree over the strips, and where each node's begin.
fn members(edges: &[Edge], strips: &[i128], leaves: usize) -> (Vec<u32>, Vec<u32>) {
    let strip = |x: i128| strips.partition_point(|west| *west < x) + leaves;
    let passed: Vec<(usize, usize)> = edges.iter().map(|edge| (strip(edge.start.x), strip(edge.end.x))).collect();
    let mut begins = vec![0_u32; 2 * leaves + 1];
    for (low, high) in &passed {
        nodes_over(*low, *high, |node| begins[node] += 1);
    }
    let mut end = 0;
    for begin in &mut begins {
        end += *begin;
        *begin = end;
    }
    // Each node's number runs back from its end to its beginning as its members come in.
    let mut members = vec![0; end as usize];
    for (number, (low, high)) in (0..).zip(&passed) {
        nodes_over(*low, *high, |node| {
            begins[node] -= 1;
            members[begins[node] as usize] = number;
        });
    }
    for node in 0..2 * leaves {
        members[begins[node] as usize..begins[node + 1] as usize]
            .sort_unstable_by(|a, b| edges[*a as usize].stands_to(&edges[*b as usize]));
    }
    (members, begins)
}

/// Says the fewest nodes that together are over the leaves `low..high`.
fn nodes_over(mut low: usize, mut high: usize, mut say: impl FnMut(usize)) {
    while low < high {
        if low % 2 == 1 {
            say(low);
            low += 1;
        }
        if high % 2 == 1 {
            high -= 1;
            say(high);
        }
        low /= 2;
        high /= 2;
    }
}
