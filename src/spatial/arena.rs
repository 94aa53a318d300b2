//! Numbered places for values of one kind: 4-byte numbers in place of pointers, and no allocation a value.
//!
//! Knows nothing of what it holds. A number is good until its value is taken out.

use std::ops::{Index, IndexMut};

/// Values by number. Numbers of values that left are used again.
#[derive(Debug)]
pub(super) struct Arena<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

/// Most values of one arena: the top bit of a number is a tag elsewhere.
const VALUES_MAX: usize = (1 << 31) - 1;

impl<T: Default> Arena<T> {
    pub(super) fn reserve(&mut self, additional: usize) {
        self.items.reserve_exact(additional);
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self[number] = value;
            return number;
        }
        assert!(self.items.len() < VALUES_MAX, "more than 2^31 values in one account's map");
        let number = u32::try_from(self.items.len()).expect("just checked to be below 2^31");
        self.items.push(value);
        number
    }

    pub(super) fn take(&mut self, number: u32) -> T {
        self.free.push(number);
        std::mem::take(&mut self[number])
    }

    /// Gives back the room that no value takes.
    pub(super) fn shrink(&mut self) {
        if self.items.capacity() > self.items.len() {
            // Moved, because allocators keep a block that is only shrunk a little.
            let mut exact = Vec::with_capacity(self.items.len());
            exact.append(&mut self.items);
            self.items = exact;
        }
    }

    /// One more than the greatest number that was ever given out.
    pub(super) fn end(&self) -> u32 {
        u32::try_from(self.items.len()).expect("numbers are below 2^31")
    }

    /// Values that are in.
    pub(super) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }
}

impl<T> Index<u32> for Arena<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        &self.items[number as usize]
    }
}

impl<T> IndexMut<u32> for Arena<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        &mut self.items[number as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_and_others_stay() {
        let mut arena = Arena::default();
        let numbers: Vec<u32> = (0..4).map(|value| arena.insert(value)).collect();
        assert_eq!(arena.take(numbers[1]), 1);
        assert_eq!(arena.len(), 3);
        assert_eq!(arena.insert(9), numbers[1]);
        assert_eq!((arena[numbers[1]], arena[numbers[3]], arena.len()), (9, 3, 4));
    }
}
