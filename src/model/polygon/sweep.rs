//! Whether the rings of one polygon cross, touch themselves, or lie where they may not: a sweep from west to east.
//!
//! A line sweeps over the plane and keeps the edges that it cuts in order, from south to north. At each corner it looks at
//! everything that meets there; between corners only neighbours can cross, so only they are compared. All signs are exact,
//! so the order is right up to the first fault, and there the sweep ends.
//!
//! Cost for n edges: n log n signs, and n moves within the list of cut edges, at most 4n bytes each; edges that reach the
//! 180th meridian count twice. That is the worst case too, of whatever rings.

use std::cmp::Ordering;

use super::plane::{Edge, EdgeName, HALF_TURN, Point, turn};

/// What two edges must not do, of one ring or of two rings of one polygon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    /// They go through each other, as edges or as corners of their rings.
    Cross,
    /// They share more than a point.
    Overlap,
    /// Two stretches of one ring share a point.
    Touch,
}

/// Two edges that must not meet as they do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meeting {
    /// The two.
    pub(super) edges: (EdgeName, EdgeName),
    /// How they meet.
    pub(super) contact: Contact,
}

/// Which ring runs inside of which.
#[derive(Debug)]
pub(super) struct Nesting {
    /// By ring and other ring; nothing is said of a ring and itself.
    is_within: Vec<Vec<bool>>,
}

impl Nesting {
    /// Whether the line of `ring` runs inside of `other`. It may touch it in points.
    pub(super) fn is_within(&self, ring: usize, other: usize) -> bool {
        self.is_within[ring][other]
    }
}

/// Sweeps over all edges of a polygon, copies included. `corners` are the ends of all within the plane and the beginnings
/// of copies, in order; `windings` has one entry a ring.
pub(super) fn sweep(edges: &[Edge], corners: &[Point], windings: &[i128]) -> Result<Nesting, Meeting> {
    let mut starts: Vec<u32> = (0..).take(edges.len()).collect();
    starts.sort_unstable_by_key(|number| edges[*number as usize].start);
    let is_within = vec![None; windings.len()];
    let mut sweep = Sweep { edges, windings, cut: Vec::new(), around: Vec::new(), is_within };
    let mut next = 0;
    for stop in corners {
        let count = starts[next..].iter().take_while(|number| edges[**number as usize].start == *stop).count();
        sweep.pass(*stop, &starts[next..next + count])?;
        next += count;
    }
    let place = |place: Option<Vec<bool>>| place.expect("each ring has edges, and each edge begins in the plane");
    let is_within = sweep.is_within.into_iter().map(place).collect();
    Ok(Nesting { is_within })
}

struct Sweep<'a> {
    edges: &'a [Edge],
    windings: &'a [i128],
    /// The edges that the line cuts now, from south to north. No two of them have crossed.
    cut: Vec<u32>,
    /// What meets at the corner under the line; its room is used again.
    around: Vec<u32>,
    /// For each ring that was met: inside of which others it runs.
    is_within: Vec<Option<Vec<bool>>>,
}

impl Sweep<'_> {
    fn edge(&self, number: u32) -> &Edge {
        &self.edges[number as usize]
    }

    /// Moves the line over a corner at which the edges `starts` begin.
    fn pass(&mut self, stop: Point, starts: &[u32]) -> Result<(), Meeting> {
        let mut around = std::mem::take(&mut self.around);
        around.clear();
        let low = self.cut.partition_point(|number| self.edge(*number).side_beside(stop) == Ordering::Greater);
        let here = self.cut[low..].partition_point(|number| self.edge(*number).side_beside(stop) == Ordering::Equal);
        let arriving = &self.cut[low..low + here];
        let through = arriving.iter().copied().filter(|number| self.edge(*number).end != stop);
        around.extend(through.chain(starts.iter().copied()));
        around.sort_by(|a, b| turn(stop, self.edge(*b).end, self.edge(*a).end));

        for pair in around.windows(2) {
            let (a, b) = (self.edge(pair[0]), self.edge(pair[1]));
            if turn(stop, a.end, b.end) == Ordering::Equal {
                return Err(Meeting { edges: (a.name(), b.name()), contact: Contact::Overlap });
            }
        }
        // Counter-clockwise round the corner, beginning in the south.
        let leaving = around.len();
        around.extend(arriving.iter().rev());
        self.check_corner(&around)?;

        let high = low + leaving;
        self.cut.splice(low..low + here, around[..leaving].iter().copied());
        self.around = around;
        self.check_neighbours(low)?;
        if high != low {
            self.check_neighbours(high)?;
        }
        self.place(low..high);
        Ok(())
    }

    /// Looks at what meets in a corner: `around` has one entry for each end of an edge, and two for one that runs through.
    fn check_corner(&self, around: &[u32]) -> Result<(), Meeting> {
        if around.len() <= 2 {
            return Ok(());
        }
        let ring = |number: u32| self.edge(number).ring;
        let of_same_ring = |number: u32| around.iter().filter(move |other| ring(**other) == ring(number));
        if let Some(many) = around.iter().find(|number| of_same_ring(**number).count() > 2) {
            return Err(self.touch(of_same_ring(*many).copied().collect()));
        }
        // West of the plane's edge stand only copies, so a ring's other end may be missing there: the corner is looked at
        // again where it is whole.
        if around.iter().any(|number| of_same_ring(*number).count() == 1) {
            return Ok(());
        }
        // Lines that do not cross nest like brackets.
        let mut open: Vec<u32> = Vec::new();
        for number in around {
            match open.last() {
                Some(last) if ring(*last) == ring(*number) => _ = open.pop(),
                _ => open.push(*number),
            }
        }
        let again = |from: usize| open[from + 1..].iter().position(|other| ring(*other) == ring(open[from]));
        // Of the ring that comes back first, all rings between come only once.
        let nearest = (0..open.len()).filter_map(|from| again(from).map(|distance| (distance, from))).min();
        match nearest {
            Some((_, from)) => {
                let edges = (self.edge(open[from]).name(), self.edge(open[from + 1]).name());
                Err(Meeting { edges, contact: Contact::Cross })
            }
            None => Ok(()),
        }
    }

    /// The fault of a ring that meets itself with the ends `numbers`, three at least.
    fn touch(&self, numbers: Vec<u32>) -> Meeting {
        let mut edges: Vec<EdgeName> = numbers.into_iter().map(|number| self.edge(number).name()).collect();
        edges.sort_unstable();
        // Two that follow each other stand side by side in this order, or at its two ends.
        Meeting { edges: (edges[0], edges[2]), contact: Contact::Touch }
    }

    /// Refuses that the edge at `at` of the cut and the one below it cross.
    fn check_neighbours(&self, at: usize) -> Result<(), Meeting> {
        let Some(below) = at.checked_sub(1) else { return Ok(()) };
        let Some(above) = self.cut.get(at) else { return Ok(()) };
        let (a, b) = (self.edge(self.cut[below]), self.edge(*above));
        let parts = |a: &Edge, b: &Edge| {
            let sides = (a.side_of(b.start), a.side_of(b.end));
            sides.0 != Ordering::Equal && sides.0 == sides.1.reverse()
        };
        if parts(a, b) && parts(b, a) {
            return Err(Meeting { edges: (a.name(), b.name()), contact: Contact::Cross });
        }
        Ok(())
    }

    /// Notes, for each ring that the line meets for the first time, inside of which others it runs: an odd number of
    /// their edges is below it, or an even one where the south pole is inside.
    fn place(&mut self, new: std::ops::Range<usize>) {
        for at in new {
            let edge = self.edge(self.cut[at]);
            let ring = edge.ring as usize;
            if self.is_within[ring].is_some() || edge.start.x < -HALF_TURN {
                continue;
            }
            let mut is_within: Vec<bool> = self.windings.iter().map(|winding| *winding == -1).collect();
            for number in &self.cut[..at] {
                let other = &mut is_within[self.edge(*number).ring as usize];
                *other = !*other;
            }
            self.is_within[ring] = Some(is_within);
        }
    }
}
