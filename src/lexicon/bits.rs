//! A set of numbers below a bound, a bit each.

/// The set.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// The empty set of numbers below `end`.
    pub(super) fn none(end: usize) -> Self {
        Self(vec![0; end.div_ceil(64)])
    }

    /// All numbers below `end`.
    pub(super) fn all(end: usize) -> Self {
        let mut bits = Self(vec![u64::MAX; end.div_ceil(64)]);
        if let Some(last) = bits.0.last_mut().filter(|_| !end.is_multiple_of(64)) {
            *last = (1 << (end % 64)) - 1;
        }
        bits
    }

    pub(super) fn get(&self, number: u32) -> bool {
        self.0[number as usize / 64] >> (number % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, number: u32) {
        self.0[number as usize / 64] |= 1 << (number % 64);
    }

    /// Takes a number out; whether it was in.
    pub(super) fn clear(&mut self, number: u32) -> bool {
        let was_in = self.get(number);
        self.0[number as usize / 64] &= !(1 << (number % 64));
        was_in
    }

    pub(super) fn or(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn and(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn and_not(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
    }

    /// Whether no number is in.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Adds a bit to each: what is in both stays in `carry`, and what was in one of them alone is in.
    pub(super) fn half_add(&mut self, carry: &mut Self) {
        let both = self.0.iter_mut().zip(&mut carry.0);
        both.for_each(|(word, carry)| (*word, *carry) = (*word ^ *carry, *word & *carry));
    }

    /// How many numbers are in.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        Self::numbers(self.0.iter().copied())
    }

    /// The numbers that are in both, ascending.
    pub(super) fn both<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        Self::numbers(self.0.iter().zip(&other.0).map(|(word, other)| word & other))
    }

    fn numbers(words: impl Iterator<Item = u64>) -> impl Iterator<Item = u32> {
        words.zip((0_u32..).step_by(64)).flat_map(|(mut word, first)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                (bit < 64).then(|| {
                    word &= word - 1;
                    first + bit
                })
            })
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len() * 8
    }
}

/// A set whose numbers are counted: the place of each among all.
#[derive(Debug)]
pub(super) struct Ranked {
    bits: Bits,
    /// How many are in the words before.
    before: Vec<u32>,
    len: usize,
}

impl Ranked {
    pub(super) fn new(bits: Bits) -> Self {
        let mut len = 0;
        let before = bits
            .0
            .iter()
            .map(|word| {
                let before = len;
                len += word.count_ones();
                before
            })
            .collect();
        Self { bits, before, len: len as usize }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bits(&self) -> &Bits {
        &self.bits
    }

    /// The place of a number among those that are in; `None` where it is not.
    pub(super) fn place(&self, number: u32) -> Option<usize> {
        let (word, bit) = (number as usize / 64, number % 64);
        let bits = self.bits.0[word];
        (bits >> bit & 1 == 1).then(|| (self.before[word] + (bits & ((1 << bit) - 1)).count_ones()) as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_holds_what_was_put_in(numbers in prop::collection::btree_set(0_u32..300, 0..60), others in prop::collection::btree_set(0_u32..300, 0..60)) {
            let of = |numbers: &BTreeSet<u32>| {
                let mut bits = Bits::none(300);
                numbers.iter().for_each(|number| bits.set(*number));
                bits
            };
            let (bits, other) = (of(&numbers), of(&others));
            prop_assert!(bits.iter().eq(numbers.iter().copied()));
            prop_assert!(bits.both(&other).eq(numbers.intersection(&others).copied()));
            prop_assert_eq!((bits.count(), bits.is_empty()), (numbers.len(), numbers.is_empty()));
            let (mut sum, mut carry) = (bits.clone(), other.clone());
            sum.half_add(&mut carry);
            prop_assert!(sum.iter().eq(numbers.symmetric_difference(&others).copied()));
            prop_assert!(carry.iter().eq(numbers.intersection(&others).copied()));
            let ranked = Ranked::new(bits);
            for number in 0..300 {
                let place = numbers.contains(&number).then(|| numbers.range(..number).count());
                prop_assert_eq!(ranked.place(number), place);
            }
        }
    }

    #[test]
    fn all_are_those_below_the_end() {
        for end in [0, 1, 63, 64, 65, 128] {
            assert!(Bits::all(end).iter().eq(0..u32::try_from(end).unwrap()), "{end}");
        }
    }
}
