//! The names of a segment's sites, in order, each without what it shares with the one before.

/// Names of a block: as many are read at most to tell one.
const BLOCK: usize = 16;

/// The names.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Each as: bytes shared with the one before, bytes more (two bytes each, the low one first), these.
    bytes: Box<[u8]>,
    blocks: Box<[u32]>,
}

impl Names {
    /// The name of a number; whole in UTF-8, as it was put in.
    pub(super) fn get(&self, number: u32) -> Vec<u8> {
        let (block, before) = (number as usize / BLOCK, number as usize % BLOCK);
        let mut rest = &self.bytes[self.blocks[block] as usize..];
        let mut name = Vec::new();
        (0..=before).for_each(|_| next(&mut rest, &mut name));
        name
    }

    /// Reads all of them from the first.
    pub(super) fn read(&self) -> NamesReader<'_> {
        NamesReader { rest: &self.bytes, name: Vec::new() }
    }
}

/// Reads names in order.
#[derive(Debug)]
pub(super) struct NamesReader<'a> {
    rest: &'a [u8],
    name: Vec<u8>,
}

impl NamesReader<'_> {
    /// Goes to the next name.
    pub(super) fn next(&mut self) {
        next(&mut self.rest, &mut self.name);
    }

    /// The name that it stands at.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }
}

fn next(rest: &mut &[u8], name: &mut Vec<u8>) {
    let [a, b, c, d, behind @ ..] = *rest else { return };
    let (more, behind) = behind.split_at(usize::from(u16::from_le_bytes([*c, *d])));
    name.truncate(usize::from(u16::from_le_bytes([*a, *b])));
    name.extend_from_slice(more);
    *rest = behind;
}

/// Puts names together that come in order.
#[derive(Debug, Default)]
pub(super) struct NamesBuilder {
    bytes: Vec<u8>,
    blocks: Vec<u32>,
    len: usize,
    last: Vec<u8>,
}

impl NamesBuilder {
    pub(super) fn push(&mut self, name: &[u8]) {
        let is_first = self.len.is_multiple_of(BLOCK);
        let shared =
            if is_first { 0 } else { name.iter().zip(&self.last).take_while(|(one, other)| one == other).count() };
        if is_first {
            self.blocks.push(super::number(self.bytes.len()));
        }
        let short = |count: usize| u16::try_from(count).expect("a name is a line of some hundred bytes").to_le_bytes();
        self.bytes.extend(short(shared));
        self.bytes.extend(short(name.len() - shared));
        self.bytes.extend_from_slice(&name[shared..]);
        self.last.clear();
        self.last.extend_from_slice(name);
        self.len += 1;
    }

    pub(super) fn finish(self) -> Names {
        Names { bytes: self.bytes.into(), blocks: self.blocks.into() }
    }
}
