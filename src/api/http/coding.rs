//! Content codings: bytes to fewer bytes, fast. Knows nothing of who wants which.

use std::cell::RefCell;

use brotli::enc::BrotliEncoderParams;
use flate2::{Compress, Compression, FlushCompress, Status};
use zstd::bulk::Compressor;

/// Levels: the fastest of each that pays. On tiles gzip's next one takes half as long again for 3 % fewer bytes, zstd's
/// third a quarter longer for 2 %, and brotli's fifth eighty times as long for 13 %.
const GZIP_LEVEL: u32 = 1;
const BROTLI_LEVEL: i32 = 1;
const ZSTD_LEVEL: i32 = 1;
/// Binary digits of brotli's window, 64 KiB: most tiles fit, and a greater one costs time to be cleared.
const BROTLI_WINDOW_BITS: i32 = 16;

/// Why encoding cannot fail.
const TO_MEMORY: &str = "bytes are encoded from memory to memory, within bounds that the codings state";

/// How bytes are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

/// What a gzip member begins with (RFC 1952, 2.3): deflate, no name, no time, the fastest level, no system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

thread_local! {
    /// Kept, because making one takes as long as compressing a tile with it, or ten times as long where its 300 KB of
    /// state come fresh from the system.
    static DEFLATE: RefCell<Option<Compress>> = const { RefCell::new(None) };
    static ZSTD: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

impl Coding {
    /// The coding of a name in lower case, as in `Accept-Encoding`.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its name in `Content-Encoding`; `None` for identity, which is never named there.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// The bytes encoded, the same each time.
    pub(super) fn encode(self, bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Identity => bytes,
            Self::Gzip => gzip(&bytes),
            Self::Brotli => {
                let parameters = BrotliEncoderParams {
                    quality: BROTLI_LEVEL,
                    lgwin: BROTLI_WINDOW_BITS,
                    size_hint: bytes.len(),
                    ..BrotliEncoderParams::default()
                };
                let mut encoded = Vec::with_capacity(bytes.len());
                brotli::BrotliCompress(&mut bytes.as_slice(), &mut encoded, &parameters).expect(TO_MEMORY);
                encoded
            }
            Self::Zstd => ZSTD.with_borrow_mut(|kept| {
                let compressor = match kept {
                    Some(compressor) => compressor,
                    None => kept.insert(Compressor::new(ZSTD_LEVEL).expect(TO_MEMORY)),
                };
                compressor.compress(&bytes).expect(TO_MEMORY)
            }),
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes.len());
    encoded.extend_from_slice(&GZIP_HEAD);
    DEFLATE.with_borrow_mut(|kept| {
        let deflate = kept.get_or_insert_with(|| Compress::new(Compression::new(GZIP_LEVEL), false));
        deflate.reset();
        loop {
            let taken = usize::try_from(deflate.total_in()).expect(TO_MEMORY);
            let status = deflate.compress_vec(&bytes[taken..], &mut encoded, FlushCompress::Finish);
            if status.expect(TO_MEMORY) == Status::StreamEnd {
                break;
            }
            // What is left has nowhere to go. `reserve` doubles.
            encoded.reserve(encoded.capacity() - encoded.len() + 64);
        }
    });
    encoded.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    // The length is written modulo 2^32.
    #[expect(clippy::cast_possible_truncation, reason = "as the format says")]
    encoded.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    encoded
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        match coding {
            Coding::Identity => plain.extend_from_slice(bytes),
            Coding::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap()),
            Coding::Brotli => brotli::BrotliDecompress(&mut &bytes[..], &mut plain).unwrap(),
            Coding::Zstd => plain = zstd::bulk::decompress(bytes, 1 << 20).unwrap(),
        }
        plain
    }

    #[test]
    fn every_coding_gives_the_bytes_back_and_saves_some() {
        let text: Vec<u8> = (0..2_000_u32).flat_map(|number| format!("site {number} online ").into_bytes()).collect();
        for coding in [Coding::Identity, Coding::Gzip, Coding::Brotli, Coding::Zstd] {
            for length in [0, 1, 1_000, text.len()] {
                let encoded = coding.encode(text[..length].to_vec());
                assert_eq!(decoded(coding, &encoded), text[..length], "{coding:?} {length}");
                assert_eq!(encoded, coding.encode(text[..length].to_vec()), "the same bytes each time");
                assert!(length < 1_000 || coding == Coding::Identity || encoded.len() < length, "{coding:?} {length}");
            }
            assert!(coding.name().is_none_or(|name| Coding::named(name) == Some(coding)));
        }
    }

    #[test]
    fn what_cannot_be_compressed_hardly_grows() {
        let mut state = 0x2545_f491_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .take(200_000)
        .collect();
        for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
            let encoded = coding.encode(noise.clone());
            assert!(encoded.len() < noise.len() + 200, "{coding:?}: {} bytes", encoded.len());
        }
    }
}
