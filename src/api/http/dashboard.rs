//! The dashboard's files, built into the program in the codings that they are sent in.
//!
//! `dashboard/scripts/served.mjs` lays them out: what a coding makes smaller is there in br and in gzip, the rest as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use parking_lot::Mutex;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::accept::Accepted;
use super::coding::Coding;
use crate::api::etag;

/// Files that are small, or compressed already. As all of them, empty where the program was built without the page.
#[derive(RustEmbed)]
#[folder = "dashboard/dist/served/plain"]
#[allow_missing = true]
struct PlainFiles;

#[derive(RustEmbed)]
#[folder = "dashboard/dist/served/br"]
#[allow_missing = true]
struct BrotliFiles;

#[derive(RustEmbed)]
#[folder = "dashboard/dist/served/gzip"]
#[allow_missing = true]
struct GzipFiles;

/// The codings of a file that is compressed, the fewest bytes first.
const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Identity];

/// What a build without the page answers.
const NOT_BUILT: &str = "this waymark was built without its dashboard: `make dashboard`, then build again\n";

/// A file as it is sent.
struct Form {
    bytes: Bytes,
    etag: String,
    content_type: String,
    coding: Coding,
    /// Whether there are others of the same file.
    varies: bool,
}

impl Form {
    fn of(file: EmbeddedFile, coding: Coding, varies: bool) -> Self {
        let etag = etag::of_sha256(&file.metadata.sha256_hash());
        let content_type = file.metadata.mimetype().to_owned();
        let bytes = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Self { bytes, etag, content_type, coding, varies }
    }

    /// What a file in gzip was made of.
    fn decoded(file: &EmbeddedFile) -> Self {
        let (bytes, etag) = decode_once(file.metadata.sha256_hash(), &file.data);
        let content_type = file.metadata.mimetype().to_owned();
        Self { bytes, etag, content_type, coding: Coding::Identity, varies: true }
    }
}

/// Serves a file, or the page itself for `/`.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match form_of(path, &headers) {
        Some(form) => serve(path, form, &headers),
        None if path == "index.html" => (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such page\n").into_response(),
    }
}

/// The form of a file that a request wants; `None` where there is no such file.
fn form_of(path: &str, headers: &HeaderMap) -> Option<Form> {
    if let Some(file) = PlainFiles::get(path) {
        return Some(Form::of(file, Coding::Identity, false));
    }
    match Accepted::of(headers).best_of(&CODINGS) {
        Some(Coding::Brotli) => BrotliFiles::get(path).map(|file| Form::of(file, Coding::Brotli, true)),
        Some(Coding::Gzip) => GzipFiles::get(path).map(|file| Form::of(file, Coding::Gzip, true)),
        // Also where every coding is refused: whoever asks for a page is better served with it than with a refusal.
        _ => GzipFiles::get(path).map(|file| Form::decoded(&file)),
    }
}

/// The bytes that were compressed, and their tag, for callers that take no coding: some tools. Decoded once and kept, 4 MB
/// of all files: each of many slow readers would hold bytes of its own.
fn decode_once(hash: [u8; 32], compressed: &[u8]) -> (Bytes, String) {
    static DECODED: Mutex<BTreeMap<[u8; 32], (Bytes, String)>> = Mutex::new(BTreeMap::new());
    if let Some(known) = DECODED.lock().get(&hash) {
        return known.clone();
    }
    let mut bytes = Vec::new();
    let read = GzDecoder::new(compressed).read_to_end(&mut bytes);
    read.expect("the build compressed it, and put it into the program whole");
    let etag = etag::of_bytes(&bytes);
    DECODED.lock().entry(hash).or_insert((bytes.into(), etag)).clone()
}

fn serve(path: &str, form: Form, headers: &HeaderMap) -> Response {
    // Built files carry a hash in their name and never change; the page that names them is asked for each time.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let vary = form.varies.then_some([(header::VARY, "accept-encoding")]);
    let is_known = super::is_not_modified(headers, &form.etag);
    let common = [(header::ETAG, form.etag), (header::CACHE_CONTROL, caching.to_owned())];
    if is_known {
        return (StatusCode::NOT_MODIFIED, vary, common).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, form.content_type)];
    let encoding = form.coding.name().map(|name| [(header::CONTENT_ENCODING, name)]);
    (common, vary, content_type, encoding, form.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn what_is_asked_for_without_a_coding_is_decoded_once() {
        let page = b"a page ".repeat(1_000);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&page).unwrap();
        let compressed = encoder.finish().unwrap();
        let [one, other] = [(); 2].map(|()| decode_once([7; 32], &compressed));
        assert!(one.0 == page, "{} bytes", one.0.len());
        assert_eq!(one.0.as_ptr(), other.0.as_ptr(), "the same bytes in memory");
        assert_eq!([&one.1, &other.1], [&etag::of_bytes(&page); 2]);
    }

    #[test]
    fn a_form_says_its_coding_and_whether_there_are_others() {
        let form = |coding, varies| Form {
            bytes: Bytes::from_static(b"bytes"),
            etag: "\"tag\"".to_owned(),
            content_type: "text/css".to_owned(),
            coding,
            varies,
        };
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, "\"tag\"".parse().unwrap())]);
        for (coding, varies, name) in
            [(Coding::Brotli, true, Some("br")), (Coding::Identity, true, None), (Coding::Identity, false, None)]
        {
            for (headers, status) in [(&HeaderMap::new(), StatusCode::OK), (&known, StatusCode::NOT_MODIFIED)] {
                let response = serve("assets/a.css", form(coding, varies), headers);
                let told = |name: header::HeaderName| response.headers().get(name).map(|value| value.to_str().unwrap());
                assert_eq!((response.status(), told(header::ETAG)), (status, Some("\"tag\"")), "{coding:?}");
                assert_eq!(told(header::VARY), varies.then_some("accept-encoding"), "{coding:?}");
                let name = name.filter(|_| status == StatusCode::OK);
                assert_eq!(told(header::CONTENT_ENCODING), name, "{coding:?}");
            }
        }
    }
}
