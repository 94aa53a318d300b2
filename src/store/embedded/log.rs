//! Looks through the write-ahead log before SQLite does: SQLite takes the first frame that is damaged for the log's end.
//!
//! A loss of power damages the last group of writes alone, because each group waits for the disk before the next begins. Whole
//! groups behind a damaged frame were acknowledged, so they must not be dropped: and where they were folded into the
//! database already, what stands before them would be put over it. The layout is that of SQLite's file format.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::medium::Files;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// Page size where the header does not say it: what [`super::schema`] makes.
const PAGE_BYTES_DEFAULT: usize = 8_192;
/// The magic number, but for its last bit, which says that checksums are of big-endian words.
const MAGIC: u32 = 0x377f_0682;
/// Groups that are whole behind a damaged frame, from which on it cannot have been a loss of power: that leaves one at most,
/// the one in hand.
const GROUPS_BEHIND_MAX: usize = 1;

/// SQLite's checksum of a log, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum(u32, u32);

impl Sum {
    /// With some more bytes, a multiple of eight.
    fn with(self, bytes: &[u8], is_big_endian: bool) -> Self {
        let (pairs, _) = bytes.as_chunks::<8>();
        pairs.iter().fold(self, |Self(one, other), &[a, b, c, d, e, f, g, h]| {
            let word = if is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
            let one = one.wrapping_add(word([a, b, c, d])).wrapping_add(other);
            Self(one, other.wrapping_add(word([e, f, g, h])).wrapping_add(one))
        })
    }
}

/// The big-endian word of a number.
fn word(bytes: &[u8], number: usize) -> u32 {
    bytes.as_chunks::<4>().0.get(number).map_or(0, |word| u32::from_be_bytes(*word))
}

/// Whether the log lost writes in its midst. Cost: it is read once.
pub(super) fn is_damaged(files: &dyn Files, path: &Path) -> io::Result<bool> {
    let Some(mut log) = files.open(path)? else { return Ok(false) };
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut *log, &mut header)? {
        return Ok(false);
    }
    let is_ours = word(&header, 0) & !1 == MAGIC;
    let is_big_endian = if is_ours { word(&header, 0) & 1 == 1 } else { cfg!(target_endian = "big") };
    let said = Sum(word(&header, 6), word(&header, 7));
    let mut is_whole = is_ours && Sum::default().with(&header[..24], is_big_endian) == said;
    let page = usize::try_from(word(&header, 2)).unwrap_or(0);
    let page = if is_whole && page.is_power_of_two() { page } else { PAGE_BYTES_DEFAULT };
    // Of a header that is damaged the first frame says which log it is.
    let mut salts = is_whole.then(|| [word(&header, 4), word(&header, 5)]);
    let (mut last, mut groups_behind) = (said, 0);
    let mut frame = vec![0; FRAME_HEADER_BYTES + page];
    while fill(&mut *log, &mut frame)? {
        let (head, content) = frame.split_at(FRAME_HEADER_BYTES);
        let is_of_this_log = *salts.get_or_insert([word(head, 2), word(head, 3)]) == [word(head, 2), word(head, 3)];
        let said = Sum(word(head, 4), word(head, 5));
        let is_good = is_of_this_log && last.with(&head[..8], is_big_endian).with(content, is_big_endian) == said;
        is_whole &= is_good;
        let ends_group = word(head, 1) != 0;
        groups_behind += usize::from(!is_whole && is_good && ends_group);
        // Each frame's sum goes on from the one before: behind a damaged one from what that one says.
        last = said;
    }
    Ok(groups_behind > GROUPS_BEHIND_MAX)
}

/// Fills the room; false where the log ends before.
fn fill(log: &mut dyn Read, room: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(room) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(cause) => Err(cause),
    }
}
