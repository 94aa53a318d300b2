//! `/openapi.json`: what there is over HTTP/JSON. Encoded once, since it is the same as long as the program runs.

use std::io::Write;
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use tracing::error;

use super::accept::Accepted;
use super::coding::Coding;
use crate::api::json::Error;
use crate::api::{etag, openapi, status};

/// The document in one coding.
#[derive(Debug)]
struct Form {
    bytes: Bytes,
    etag: String,
}

impl Form {
    fn of(bytes: Bytes) -> Self {
        Self { etag: etag::of_bytes(&bytes), bytes }
    }
}

/// The document in both codings.
#[derive(Debug)]
struct Forms {
    plain: Form,
    gzip: Form,
}

/// `GET /openapi.json`
pub(super) async fn document(headers: HeaderMap) -> Response {
    match forms() {
        Ok(forms) => answer(forms, &headers),
        Err(fault) => {
            error!(%fault, "the API is not described");
            status::panicked_page()
        }
    }
}

/// Made by the first who asks; some tens of milliseconds.
fn forms() -> Result<&'static Forms, Error> {
    static FORMS: OnceLock<Forms> = OnceLock::new();
    let plain = openapi::document()?;
    Ok(FORMS.get_or_init(|| Forms {
        plain: Form::of(Bytes::from_static(plain.as_bytes())),
        gzip: Form::of(gzipped(plain.as_bytes()).into()),
    }))
}

/// With the best level, which takes its time.
fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("bytes are encoded from memory to memory")
}

fn answer(forms: &Forms, headers: &HeaderMap) -> Response {
    let coding = Accepted::of(headers).best_of(&[Coding::Gzip, Coding::Identity]).unwrap_or(Coding::Identity);
    let form = if coding == Coding::Gzip { &forms.gzip } else { &forms.plain };
    let common =
        [(header::ETAG, form.etag.as_str()), (header::CACHE_CONTROL, "no-cache"), (header::VARY, "accept-encoding")];
    if super::is_not_modified(headers, &form.etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (common, content_type, form.bytes.clone()).into_response();
    if let Some(name) = coding.name() {
        response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static(name));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn asked(name: header::HeaderName, value: &str) -> Response {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        answer(forms().unwrap(), &headers)
    }

    fn header_of(response: &Response, name: header::HeaderName) -> Option<&str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn both_forms_are_the_document_and_are_made_once() {
        let document = openapi::document().unwrap();
        for (accept, coding) in
            [("gzip", Some("gzip")), ("gzip;q=0", None), ("br", None), ("identity, gzip;q=0.5", None)]
        {
            let bytes = [(); 2].map(|()| {
                let response = asked(header::ACCEPT_ENCODING, accept);
                assert_eq!(header_of(&response, header::CONTENT_ENCODING), coding, "{accept}");
                assert_eq!(header_of(&response, header::VARY), Some("accept-encoding"));
                response.into_body()
            });
            let [one, other] = bytes.map(|body| axum::body::to_bytes(body, usize::MAX));
            let (one, other) = (one.await.unwrap(), other.await.unwrap());
            assert_eq!(one.as_ptr(), other.as_ptr(), "{accept}: the same bytes in memory");
            let mut text = String::new();
            let length = match coding {
                Some(_) => GzDecoder::new(&*one).read_to_string(&mut text),
                None => (&*one).read_to_string(&mut text),
            };
            assert!(length.unwrap() == document.len() && text == document, "{accept}");
        }
    }

    #[test]
    fn who_has_a_form_gets_it_no_more() {
        let forms = forms().unwrap();
        assert_ne!(forms.plain.etag, forms.gzip.etag);
        assert_eq!(asked(header::IF_NONE_MATCH, &forms.plain.etag).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asked(header::IF_NONE_MATCH, &forms.gzip.etag).status(), StatusCode::OK, "another form");
    }
}
