//! Serves the operator's own base map: what it is, and the files of its directory, whole or by ranges as `PMTiles` wants.
//!
//! A file may be replaced while the server runs: its entity tag changes with it. Nothing that a browser would run is served
//! as such.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream;
use tokio::sync::Semaphore;
use tracing::error;

use crate::api::basemap::{Basemap, FILES};
use crate::api::caller;
use crate::api::status::Failure;
use crate::service::Waymark;

/// Most bytes of one answer: above any tile, sprite and directory of an archive. A longer range is cut to it.
const PIECE_BYTES_MAX: u64 = 8 << 20;
/// Bytes that are read and sent at once: an answer that its caller does not take holds so many, and a file.
const CHUNK_BYTES: u64 = 64 << 10;
/// Reads at once, those of callers who left among them: a disk that stands still has so many threads, and not all.
const READS_MAX: usize = 16;

/// What the handlers share.
#[derive(Clone)]
struct Served {
    waymark: Arc<Waymark>,
    basemap: Arc<Basemap>,
    reads: Arc<Semaphore>,
}

/// The base map's routes.
pub(super) fn router(waymark: &Arc<Waymark>, basemap: &Arc<Basemap>) -> Router {
    let reads = Arc::new(Semaphore::new(READS_MAX));
    let served = Served { waymark: Arc::clone(waymark), basemap: Arc::clone(basemap), reads };
    Router::new()
        .route("/v1/basemap.json", get(describe))
        .route(&format!("{FILES}{{*path}}"), get(file))
        .with_state(served)
}

/// `/v1/basemap.json`, for whoever has a token: an address may hold a key.
async fn describe(State(served): State<Served>, headers: HeaderMap) -> Result<Response, Failure> {
    caller::principal(&served.waymark, &headers)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(&*served.basemap)).into_response())
}

/// `/basemap/…`
async fn file(State(served): State<Served>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = served.basemap.file(&path) else { return not_there() };
    let wanted = Wanted::of(&headers);
    let basemap = Arc::clone(&served.basemap);
    match in_turn(&served.reads, move || find(&basemap, &file, &wanted)).await {
        Ok(found) => found.answer(content_type(&path), &served.reads),
        // Anybody may ask, so the log does not tell of it.
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => not_there(),
        Err(cause) => unreadable(&cause),
    }
}

/// Reads on a thread that may wait, at most so many at once. Who left does not end the read, and it keeps its turn.
async fn in_turn<T: Send + 'static>(
    reads: &Arc<Semaphore>,
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let turn = Arc::clone(reads).acquire_owned().await.map_err(io::Error::other)?;
    let reading = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        read()
    });
    reading.await.map_err(io::Error::other)?
}

fn not_there() -> Response {
    (StatusCode::NOT_FOUND, "there is no such file\n").into_response()
}

fn unreadable(cause: &io::Error) -> Response {
    error!(%cause, "a file of basemap.directory cannot be read");
    (StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n").into_response()
}

/// The media type by a file's ending. What has none here is bytes: no page and no script is among them.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json" | "geojson") => "application/json",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("pbf" | "mvt") => "application/x-protobuf",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// What of a file a request asks for.
#[derive(Debug, Default)]
struct Wanted {
    range: Option<Range>,
    /// The range is good for the file with this tag alone: `If-Range` of RFC 9110, 13.1.5.
    of_tag: Option<String>,
    headers: HeaderMap,
}

/// The one range of a `Range` header. Several are answered as none: with the whole file, as far as it is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    /// From the first byte on, to the last one where it is told.
    From(u64, Option<u64>),
    /// The last so many bytes.
    Last(u64),
}

impl Wanted {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let range = text(header::RANGE).and_then(Range::parse);
        Self { range, of_tag: text(header::IF_RANGE).map(str::to_owned), headers: headers.clone() }
    }
}

impl Range {
    /// Absent for what is none, which counts as not sent (RFC 9110, 14.2).
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
        match (first, last) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// Where it begins and how long it is in a file of so many bytes; absent where nothing of it is in there.
    fn within(self, total: u64) -> Option<(u64, u64)> {
        let (from, length) = match self {
            Self::From(first, last) => (first, last.map_or(u64::MAX, |last| (last - first).saturating_add(1))),
            Self::Last(length) => (total.saturating_sub(length), length.min(total)),
        };
        let length = length.min(total.saturating_sub(from));
        (length > 0).then_some((from, length))
    }
}

/// What became of a request for a file.
#[derive(Debug)]
enum Found {
    Whole {
        tag: String,
        piece: Piece,
    },
    Piece {
        tag: String,
        total: u64,
        piece: Piece,
    },
    NotModified {
        tag: String,
    },
    /// The range begins behind the end.
    Beyond {
        total: u64,
    },
    /// Too long to be sent whole.
    Long,
}

/// A part of a file that is to be sent.
#[derive(Debug)]
struct Piece {
    file: Arc<File>,
    from: u64,
    length: u64,
}

fn find(basemap: &Basemap, path: &FilePath, wanted: &Wanted) -> io::Result<Found> {
    let path = basemap.real(path)?;
    // Before it is opened: a pipe would wait for its other end.
    if !std::fs::metadata(&path)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = Arc::new(File::open(path)?);
    let about = file.metadata()?;
    let total = about.len();
    let changed = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let tag = format!("\"{total:x}-{:x}\"", changed.as_nanos());
    let range = wanted.range.filter(|_| wanted.of_tag.as_ref().is_none_or(|of| *of == tag));
    let Some(range) = range else {
        if super::is_not_modified(&wanted.headers, &tag) {
            return Ok(Found::NotModified { tag });
        }
        if total > PIECE_BYTES_MAX {
            return Ok(Found::Long);
        }
        return Ok(Found::Whole { tag, piece: Piece { file, from: 0, length: total } });
    };
    let Some((from, length)) = range.within(total) else { return Ok(Found::Beyond { total }) };
    Ok(Found::Piece { tag, total, piece: Piece { file, from, length: length.min(PIECE_BYTES_MAX) } })
}

impl Piece {
    /// Its bytes, read as they are taken. A file that became shorter meanwhile breaks the answer off.
    fn body(self, reads: &Arc<Semaphore>) -> Body {
        let reads = Arc::clone(reads);
        Body::from_stream(stream::try_unfold(self, move |Self { file, from, length }| {
            let reads = Arc::clone(&reads);
            async move {
                if length == 0 {
                    return Ok::<_, io::Error>(None);
                }
                let next = length.min(CHUNK_BYTES);
                let of = Arc::clone(&file);
                let bytes = in_turn(&reads, move || bytes_of(&of, from, next)).await?;
                Ok(Some((bytes, Self { file, from: from + next, length: length - next })))
            }
        }))
    }
}

fn bytes_of(file: &File, from: u64, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}

impl Found {
    fn answer(self, content_type: &'static str, reads: &Arc<Semaphore>) -> Response {
        let long = |piece: &Piece| [(header::CONTENT_LENGTH, piece.length.to_string())];
        let common = |tag| {
            [
                (header::ETAG, tag),
                (header::CACHE_CONTROL, "no-cache".to_owned()),
                (header::ACCEPT_RANGES, "bytes".to_owned()),
                (header::CONTENT_TYPE, content_type.to_owned()),
            ]
        };
        match self {
            Self::Whole { tag, piece } => (common(tag), long(&piece), piece.body(reads)).into_response(),
            Self::Piece { tag, total, piece } => {
                let (from, last) = (piece.from, (piece.from + piece.length).saturating_sub(1));
                let range = [(header::CONTENT_RANGE, format!("bytes {from}-{last}/{total}"))];
                (StatusCode::PARTIAL_CONTENT, range, common(tag), long(&piece), piece.body(reads)).into_response()
            }
            Self::NotModified { tag } => (StatusCode::NOT_MODIFIED, common(tag)).into_response(),
            Self::Beyond { total } => {
                let range = [(header::CONTENT_RANGE, format!("bytes */{total}"))];
                (StatusCode::RANGE_NOT_SATISFIABLE, range).into_response()
            }
            Self::Long => {
                let why = format!("this file is longer than {PIECE_BYTES_MAX} bytes: ask for ranges of it\n");
                (StatusCode::FORBIDDEN, why).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests;
