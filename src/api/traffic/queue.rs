//! Who waits for a place, and who is next: lines, one an account, served in turn by what they cost.
//!
//! Pure: knows no time, no task and no lock. A line's turn is that of its first waiter, who stands by its cost behind the one
//! before it, or behind the last one who was served, and the line whose turn is earliest is next. So lines that always have
//! somebody waiting get places of the same cost in sum, however many stand in each, and whoever comes anew does not wait
//! behind what others have lined up.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// Names a line: an account, or whoever has none.
pub(super) type LineId = u64;

/// Lines of `T`, which is told of its place, or dropped where there is none for it.
#[derive(Debug)]
pub(super) struct Queue<T> {
    lines: HashMap<LineId, Line<T>>,
    /// The same lines by their turns.
    turns: BTreeSet<(u64, LineId)>,
    /// The turn of whoever was served last.
    now: u64,
    /// Numbers who waits.
    last: u64,
    length: usize,
}

#[derive(Debug)]
struct Line<T> {
    turn: u64,
    /// Never empty.
    waiters: VecDeque<Waiter<T>>,
}

#[derive(Debug)]
struct Waiter<T> {
    number: u64,
    cost: usize,
    told: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { lines: HashMap::new(), turns: BTreeSet::new(), now: 0, last: 0, length: 0 }
    }
}

impl<T> Queue<T> {
    /// How many wait.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Stands in a line; gives the number by which it is left.
    pub(super) fn push(&mut self, line: LineId, cost: usize, told: T) -> u64 {
        self.last += 1;
        let turn = self.now.saturating_add(cost as u64);
        let joined = self.lines.entry(line).or_insert_with(|| Line { turn, waiters: VecDeque::new() });
        self.turns.insert((joined.turn, line));
        joined.waiters.push_back(Waiter { number: self.last, cost, told });
        self.length += 1;
        self.last
    }

    /// Whose turn it is, of the lines that may have a place of what their first one costs, and that cost.
    pub(super) fn next(&self, may: impl Fn(LineId, usize) -> bool) -> Option<(LineId, usize)> {
        let first_of = |id: LineId| Some((id, self.lines.get(&id)?.waiters.front()?.cost));
        self.turns.iter().filter_map(|(_, id)| first_of(*id)).find(|(id, cost)| may(*id, *cost))
    }

    /// The first one of a line, who leaves the queue.
    pub(super) fn pop(&mut self, id: LineId) -> Option<T> {
        let line = self.lines.get_mut(&id)?;
        let waiter = line.waiters.pop_front()?;
        self.length -= 1;
        self.turns.remove(&(line.turn, id));
        // A line that may have no place for a while is served late, and nobody behind it again.
        self.now = self.now.max(line.turn);
        match line.waiters.front() {
            Some(next) => {
                line.turn = line.turn.saturating_add(next.cost as u64);
                self.turns.insert((line.turn, id));
            }
            None => {
                self.lines.remove(&id);
            }
        }
        Some(waiter.told)
    }

    /// Leaves a line, wherever in it: the first ones leave first as a rule, because all wait as long.
    pub(super) fn leave(&mut self, line: LineId, number: u64) -> Option<T> {
        let waiters = &mut self.lines.get_mut(&line)?.waiters;
        let at = waiters.iter().position(|waiter| waiter.number == number)?;
        let left = waiters.remove(at)?;
        self.shrunk(line);
        Some(left.told)
    }

    /// Sends away the last one of the longest line, where that is longer than `line` with one more. Looks at each line once, which
    /// happens only where the queue is full.
    pub(super) fn make_room_for(&mut self, line: LineId) -> Option<T> {
        let own = self.lines.get(&line).map_or(0, |line| line.waiters.len());
        let lengths = self.lines.iter().map(|(id, line)| (*id, line.waiters.len()));
        let (longest, _) = lengths.max_by_key(|(_, length)| *length).filter(|(_, length)| *length > own + 1)?;
        let sent_away = self.lines.get_mut(&longest)?.waiters.pop_back()?;
        self.shrunk(longest);
        Some(sent_away.told)
    }

    fn shrunk(&mut self, id: LineId) {
        self.length -= 1;
        if let Some(line) = self.lines.get(&id).filter(|line| line.waiters.is_empty()) {
            self.turns.remove(&(line.turn, id));
            self.lines.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve<T>(queue: &mut Queue<T>) -> Option<T> {
        let (line, _) = queue.next(|_, _| true)?;
        queue.pop(line)
    }

    /// Who is served, in order, of arrivals in lines at costs.
    #[track_caller]
    fn check(arrivals: &[(LineId, usize)], expected: &[LineId]) {
        let mut queue = Queue::default();
        for (line, cost) in arrivals {
            queue.push(*line, *cost, *line);
        }
        let mut served = Vec::new();
        while let Some(told) = serve(&mut queue) {
            served.push(told);
        }
        assert_eq!(served, expected);
        assert_eq!((queue.length(), queue.lines.len(), queue.turns.len()), (0, 0, 0), "nothing is left behind");
    }

    #[test]
    fn lines_take_turns_however_long_they_are() {
        check(&[(1, 1), (1, 1), (1, 1), (1, 1), (2, 1), (2, 1)], &[1, 2, 1, 2, 1, 1]);
    }

    #[test]
    fn who_costs_more_is_served_less_often() {
        check(&[(1, 3), (1, 3), (2, 1), (2, 1), (2, 1), (2, 1)], &[2, 2, 1, 2, 2, 1]);
    }

    #[test]
    fn who_comes_anew_neither_waits_behind_a_long_line_nor_brings_turns_along() {
        let mut queue = Queue::default();
        (0..100).for_each(|_| _ = queue.push(1, 1, 1));
        (0..50).for_each(|_| assert_eq!(serve(&mut queue), Some(1)));
        (0..3).for_each(|_| _ = queue.push(2, 1, 2));
        let next: Vec<_> = (0..8).map(|_| serve(&mut queue).unwrap()).collect();
        // At most one of the others is before it, and the two alternate; then the first one goes on alone.
        assert_eq!(next.iter().filter(|line| **line == 2).count(), 3);
        assert!(next[..2].contains(&2) && next[..6].iter().filter(|line| **line == 1).count() == 3, "{next:?}");
    }

    #[test]
    fn a_line_that_may_have_no_place_keeps_nobody_else() {
        let mut queue = Queue::default();
        (0..3).for_each(|_| _ = queue.push(1, 4, "a"));
        (0..3).for_each(|_| _ = queue.push(2, 5, "b"));
        for _ in 0..2 {
            assert_eq!(queue.next(|line, cost| line != 1 && cost < 6), Some((2, 5)));
            assert_eq!(queue.pop(2), Some("b"));
        }
        assert_eq!(queue.next(|_, cost| cost > 5), None);
        // Its turn was kept; it brings no more of them along than one.
        assert_eq!(std::array::from_fn(|_| serve(&mut queue)), [Some("a"), Some("a"), Some("a"), Some("b"), None]);
    }

    #[test]
    fn the_longest_line_loses_its_last_one_to_a_shorter_one() {
        let mut queue = Queue::default();
        for told in ["a1", "a2", "a3"] {
            queue.push(1, 1, told);
        }
        queue.push(2, 1, "b1");
        assert_eq!(queue.make_room_for(1), None, "no line is longer than its own");
        assert_eq!(queue.make_room_for(2), Some("a3"));
        assert_eq!(queue.make_room_for(2), None, "it would be the longest itself");
        assert_eq!(queue.make_room_for(3), Some("a2"));
        assert_eq!(queue.length(), 2);
        assert_eq!(std::array::from_fn(|_| serve(&mut queue)), [Some("a1"), Some("b1"), None]);
    }

    #[test]
    fn who_leaves_is_served_no_more() {
        let mut queue = Queue::default();
        let numbers: Vec<u64> = ["a1", "a2", "a3"].into_iter().map(|told| queue.push(1, 1, told)).collect();
        let other = queue.push(2, 1, "b1");
        assert_eq!(queue.leave(1, numbers[1]), Some("a2"));
        assert_eq!(queue.leave(1, numbers[1]), None);
        assert_eq!(queue.leave(2, other), Some("b1"));
        assert_eq!(queue.leave(3, 1), None);
        assert_eq!(std::array::from_fn(|_| serve(&mut queue)), [Some("a1"), Some("a3"), None]);
        assert_eq!((queue.lines.len(), queue.turns.len()), (0, 0));
    }
}
