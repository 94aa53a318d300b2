//! A file of the disk of tests: what is seen of it, what would be left of it without power, and what lies between.

use super::random::Random;

/// What a disk writes whole or not at all, in bytes.
pub(super) const SECTOR_BYTES: usize = 512;

/// A change that no sync has made durable.
#[derive(Debug, Clone)]
enum Pending {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// What a loss of power did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Losses {
    /// Changes that were not durable.
    pub(in super::super) pending: u64,
    /// Those that are gone.
    pub(in super::super) lost: u64,
    /// Writes of which some sectors are gone.
    pub(in super::super) torn: u64,
    /// Changes that are there though an earlier one of the same file is gone.
    pub(in super::super) reordered: u64,
    /// Files that are gone, or there again.
    pub(in super::super) names: u64,
}

impl Losses {
    pub(in super::super) fn add(&mut self, other: Self) {
        self.pending += other.pending;
        self.lost += other.lost;
        self.torn += other.torn;
        self.reordered += other.reordered;
        self.names += other.names;
    }
}

/// What becomes of changes that are not durable.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// None is left.
    Lost,
    /// The first ones are left, and of the next one some sectors.
    Prefix,
    /// Any are left, in any order, whole or in part.
    Any,
    /// All are left: a process that dies without a loss of power.
    Kept,
}

/// A file.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    /// What is left without power.
    durable: Vec<u8>,
    /// What readers see.
    pub(super) seen: Vec<u8>,
    pending: Vec<Pending>,
}

impl File {
    /// One that is durable as it is.
    pub(super) fn of(image: Vec<u8>) -> Self {
        Self { durable: image.clone(), seen: image, pending: Vec::new() }
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let change = Pending::Write { at, bytes: bytes.to_owned() };
        apply(&mut self.seen, &change);
        self.pending.push(change);
    }

    pub(super) fn truncate(&mut self, size: usize) {
        let change = Pending::Truncate(size);
        apply(&mut self.seen, &change);
        self.pending.push(change);
    }

    /// Makes all of it durable.
    pub(super) fn sync(&mut self) {
        self.pending.drain(..).for_each(|change| apply(&mut self.durable, &change));
    }

    /// A sync that fails, as on Linux: what the disk did not take is seen until the power fails, and no later sync writes
    /// it.
    pub(super) fn fail_sync(&mut self, random: &mut Random) -> Losses {
        self.settle(random)
    }

    /// The power fails.
    pub(super) fn lose_power(&mut self, random: &mut Random) -> Losses {
        let losses = self.settle(random);
        self.seen.clone_from(&self.durable);
        losses
    }

    /// Decides what becomes of each change that is not durable.
    fn settle(&mut self, random: &mut Random) -> Losses {
        let mut changes: Vec<_> = self.pending.drain(..).enumerate().collect();
        let fate = match random.below(8) {
            0 => Fate::Lost,
            1 | 2 => Fate::Kept,
            3 | 4 => Fate::Prefix,
            _ => Fate::Any,
        };
        let mut losses = Losses { pending: changes.len() as u64, ..Losses::default() };
        let first_lost = random.below(changes.len());
        if matches!(fate, Fate::Any) {
            random.shuffle(&mut changes);
        }
        let mut is_kept = vec![false; changes.len()];
        for (number, change) in changes {
            let (keep, tear) = match fate {
                Fate::Lost => (false, false),
                Fate::Kept => (true, false),
                Fate::Prefix => (number <= first_lost, number == first_lost),
                Fate::Any => (!random.one_in(3), random.one_in(3)),
            };
            is_kept[number] = keep;
            losses.lost += u64::from(!keep);
            if keep {
                losses.torn += u64::from(put(&mut self.durable, &change, tear, random));
            }
        }
        let first_gone = is_kept.iter().position(|kept| !kept).unwrap_or(is_kept.len());
        losses.reordered = is_kept[first_gone..].iter().filter(|kept| **kept).count() as u64;
        losses
    }
}

/// Puts a change into an image; of a torn one some sectors only. Says whether some are gone.
fn put(image: &mut Vec<u8>, change: &Pending, tear: bool, random: &mut Random) -> bool {
    let Pending::Write { at, bytes } = change else {
        apply(image, change);
        return false;
    };
    if !tear {
        apply(image, change);
        return false;
    }
    let (mut from, mut is_torn) = (0, false);
    while from < bytes.len() {
        let end = bytes.len().min((at + from) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES - at);
        let sector = &bytes[from..end];
        if random.one_in(2) {
            apply(image, &Pending::Write { at: at + from, bytes: sector.to_owned() });
        } else {
            is_torn = true;
            // The file has grown by then; what stands there is what the disk had there before.
            if at + end > image.len() {
                let filler = if random.one_in(2) { 0 } else { 0xa5 };
                image.resize(at + end, filler);
            }
        }
        from = end;
    }
    is_torn
}

fn apply(image: &mut Vec<u8>, change: &Pending) {
    match change {
        Pending::Write { at, bytes } => {
            let end = at + bytes.len();
            if image.len() < end {
                image.resize(end, 0);
            }
            image[*at..end].copy_from_slice(bytes);
        }
        Pending::Truncate(size) => image.resize(*size, 0),
    }
}
