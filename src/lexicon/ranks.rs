//! Ranks of very many sites at once: for each binary digit of a rank the set of those who have it.
//!
//! What is added to many sites is added to 64 of them by a few operations, and the best are found by a look at each digit,
//! the highest first. Costs the same for few sites as for all of a segment.

use super::bits::Bits;
use super::query::Rank;

/// The ranks, 0 at first.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// The lowest digit first; as many as were needed.
    digits: Vec<Bits>,
}

impl Ranks {
    /// Adds to the rank of some sites, of a segment of `len`. No sum is greater than a rank can be.
    pub(super) fn add(&mut self, sites: &Bits, rank: Rank, len: usize) {
        for digit in (0..Rank::BITS as usize).filter(|digit| rank >> digit & 1 == 1) {
            let mut carry = sites.clone();
            for at in digit.. {
                if carry.is_empty() {
                    break;
                }
                if at >= self.digits.len() {
                    self.digits.resize_with(at + 1, || Bits::none(len));
                }
                self.digits[at].half_add(&mut carry);
            }
        }
    }

    /// The best of some sites by rank, then number, at most `limit`.
    pub(super) fn best(&self, mut sites: Bits, limit: usize) -> Vec<(Rank, u32)> {
        let mut best = Vec::new();
        for digit in self.digits.iter().rev() {
            let mut better = sites.clone();
            better.and_not(digit);
            if best.len() + better.count() >= limit {
                sites = better;
            } else {
                best.extend(better.iter());
                sites.and(digit);
            }
        }
        // All that are left have one rank.
        let room = limit - best.len();
        best.extend(sites.iter().take(room));
        let mut best: Vec<(Rank, u32)> = best.into_iter().map(|number| (self.of(number), number)).collect();
        best.sort_unstable();
        best
    }

    fn of(&self, number: u32) -> Rank {
        self.digits.iter().rev().fold(0, |rank, digit| rank << 1 | Rank::from(digit.get(number)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_and_the_best_are_those_of_plain_numbers(
            added in prop::collection::vec((prop::collection::vec(any::<bool>(), 150), 0..600_u16), 0..9),
            asked in prop::collection::vec(any::<bool>(), 150),
            limit in 0..160_usize,
        ) {
            let of = |members: &[bool]| {
                let mut bits = Bits::none(members.len());
                (0..).zip(members).filter(|(_, is_in)| **is_in).for_each(|(number, _)| bits.set(number));
                bits
            };
            let (mut ranks, mut plain) = (Ranks::default(), vec![0_u16; 150]);
            for (members, rank) in &added {
                ranks.add(&of(members), *rank, 150);
                plain.iter_mut().zip(members).filter(|(_, is_in)| **is_in).for_each(|(sum, _)| *sum += rank);
            }
            let mut expected: Vec<(Rank, u32)> =
                plain.into_iter().zip(0_u32..).filter(|(_, number)| asked[*number as usize]).collect();
            expected.sort_unstable();
            expected.truncate(limit);
            prop_assert_eq!(ranks.best(of(&asked), limit), expected);
        }
    }
}
