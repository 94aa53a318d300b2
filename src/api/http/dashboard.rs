//! The dashboard's files, built into the program.

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::api::etag;

/// The built page; empty where the program was built without it.
#[derive(RustEmbed)]
#[folder = "dashboard/dist"]
#[allow_missing = true]
struct Files;

/// What a build without the page answers.
const NOT_BUILT: &str = "this waymark was built without its dashboard: `make dashboard`, then build again\n";

/// Serves a file, or the page itself for `/`.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match Files::get(path) {
        Some(file) => serve(path, &file, &headers),
        None if path == "index.html" => (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such page\n").into_response(),
    }
}

fn serve(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = etag::of_sha256(&file.metadata.sha256_hash());
    // Built files carry a hash in their name and never change; the page that names them is asked for each time.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, caching.to_owned())];
    if super::is_not_modified(headers, &etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, file.metadata.mimetype().to_owned())];
    (common, content_type, file.data.clone()).into_response()
}
