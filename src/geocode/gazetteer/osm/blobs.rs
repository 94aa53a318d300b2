//! The blobs that an `.osm.pbf` file is a row of: each a small header, and a block that may be packed.
//!
//! Holds one blob at a time, whose size is checked before anything is read for it. Knows nothing of what blocks hold.
//! Source: <https://wiki.openstreetmap.org/wiki/PBF_Format>.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;

use super::super::sources::{malformed, open};
use super::wire::{Damaged, Message};
use crate::geocode::Error;

/// Longest header of a blob, in bytes: the format's limit.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// Longest block, in bytes, packed or not: the format's limit.
pub(super) const BLOCK_BYTES_MAX: usize = 32 << 20;

/// What a block is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the file is: the first block.
    Header,
    /// Nodes, ways and relations.
    Data,
}

/// The blobs of a file, in their order.
pub(super) struct Blobs {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the present blob begins, and where the next one does.
    offset: u64,
    next_offset: u64,
    blob: Vec<u8>,
    block: Vec<u8>,
}

impl Blobs {
    /// Opens the file.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        Ok(Self { path: path.to_owned(), file, offset: 0, next_offset: 0, blob: Vec::new(), block: Vec::new() })
    }

    /// How far the file is read, in bytes.
    pub(super) fn bytes_read(&self) -> u64 {
        self.next_offset
    }

    /// Goes on to the next block; `None` behind the last. [`Self::block`] is what it holds.
    ///
    /// # Errors
    /// `SourceFile` with the offset of the blob, for what ends in the middle, is larger than the format allows, is
    /// packed in a way that is not read here, or does not unpack to what it says.
    pub(super) fn next(&mut self) -> Result<Option<Kind>, Error> {
        loop {
            self.offset = self.next_offset;
            let Some(kind) = self.read().map_err(|damage| self.damaged(damage))? else { return Ok(None) };
            match kind.as_slice() {
                b"OSMHeader" => return Ok(Some(Kind::Header)),
                b"OSMData" => return Ok(Some(Kind::Data)),
                // The format says that others are passed over.
                _ => {}
            }
        }
    }

    /// The block of the present blob, unpacked.
    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }

    /// The present blob is not what it should be.
    pub(super) fn damaged(&self, damage: Damaged) -> Error {
        malformed(&self.path, &format!("the block at byte {} is damaged: {}", self.offset, damage.0))
    }

    /// Reads a blob and unpacks its block; gives its type, or `None` at the end of the file.
    fn read(&mut self) -> Result<Option<Vec<u8>>, Damaged> {
        const WITHIN: Damaged = Damaged("the file ends within it");
        let mut length = [0; 4];
        match self.file.read(&mut length[..1]).map_err(|_| Damaged("it cannot be read"))? {
            0 => return Ok(None),
            _ => self.file.read_exact(&mut length[1..]).map_err(|_| WITHIN)?,
        }
        let header_bytes = u32::from_be_bytes(length) as usize;
        if header_bytes > HEADER_BYTES_MAX {
            return Err(Damaged("its header is larger than the format allows; is this an .osm.pbf file?"));
        }
        self.blob.resize(header_bytes, 0);
        self.file.read_exact(&mut self.blob).map_err(|_| WITHIN)?;
        let (mut kind, mut blob_bytes) = (Vec::new(), None);
        let mut header = Message(&self.blob);
        while let Some((field, value)) = header.next()? {
            match field {
                1 => kind = value.bytes()?.to_vec(),
                3 => blob_bytes = usize::try_from(value.number()?).ok(),
                _ => {}
            }
        }
        let blob_bytes = blob_bytes.ok_or(Damaged("its header does not say how long it is"))?;
        if blob_bytes > BLOCK_BYTES_MAX {
            return Err(Damaged("it is larger than the format allows"));
        }
        self.blob.resize(blob_bytes, 0);
        self.file.read_exact(&mut self.blob).map_err(|_| WITHIN)?;
        self.next_offset += (length.len() + header_bytes + blob_bytes) as u64;
        self.unpack()?;
        Ok(Some(kind))
    }

    fn unpack(&mut self) -> Result<(), Damaged> {
        let (mut raw_bytes, mut packed) = (None, None);
        let mut blob = Message(&self.blob);
        while let Some((field, value)) = blob.next()? {
            match field {
                1 | 3..=7 => packed = Some((field, value.bytes()?)),
                2 => raw_bytes = Some(value.number()?),
                _ => {}
            }
        }
        let (form, packed) = packed.ok_or(Damaged("it holds no data"))?;
        let raw_bytes = if form == 1 { packed.len() as u64 } else { raw_bytes.unwrap_or(u64::MAX) };
        if raw_bytes > BLOCK_BYTES_MAX as u64 {
            return Err(Damaged("it does not say its size, or one larger than the format allows"));
        }
        self.block.clear();
        let mut sink = |mut source: &mut dyn Read| {
            // One byte more shows what is too long.
            (&mut source).take(raw_bytes + 1).read_to_end(&mut self.block).map_err(|_| Damaged("it does not unpack"))
        };
        let count = match form {
            1 => sink(&mut &*packed)?,
            3 => sink(&mut ZlibDecoder::new(packed))?,
            7 => {
                let unpacked = zstd::stream::read::Decoder::new(packed);
                sink(&mut unpacked.map_err(|_| Damaged("it does not unpack"))?)?
            }
            4 => return Err(Damaged("it is packed with LZMA, which is not read here; pack the file anew with zlib")),
            6 => return Err(Damaged("it is packed with LZ4, which is not read here; pack the file anew with zlib")),
            _ => return Err(Damaged("it is packed in a way that is not known")),
        };
        if count as u64 != raw_bytes {
            return Err(Damaged("it unpacks to another size than it says"));
        }
        Ok(())
    }
}
