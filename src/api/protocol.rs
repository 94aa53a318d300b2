//! What gRPC writes beside messages, by its specification of the protocol over HTTP/2: names of codes, times, a status at the end.

use std::time::Duration;

use axum::body::Bytes;
use http::{HeaderMap, HeaderName, header};
use hyper::body::Frame;
use tonic::Status;

/// Tells a server for how long its caller waits.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Most digits of that header's number.
const TIMEOUT_DIGITS_MAX: usize = 8;

/// The names of the codes, by their numbers.
pub(crate) const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// For how long the caller of a request with these headers waits, where it says so in the form that gRPC knows: up to eight
/// digits and a unit.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= TIMEOUT_DIGITS_MAX && !digits.starts_with('+'))?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Whether a request is a call of gRPC or gRPC-Web, by its content type.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The end of an answer that has begun.
pub(super) fn last_frame(status: &Status) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    // A status of ours has no metadata that could be malformed.
    let _ = status.add_header(&mut trailers);
    Frame::trailers(trailers)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tonic::Code;

    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            timeout(&headers)
        };
        for (text, expected) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("20S", Some(Duration::from_secs(20))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("0n", Some(Duration::ZERO)),
            ("100000000m", None),
            ("+1S", None),
            ("-1S", None),
            ("1s", None),
            ("2", None),
            ("S", None),
            ("", None),
            ("5\u{fc}", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
    }

    #[test]
    fn codes_stand_at_their_numbers() {
        for (number, name) in (0..).zip(CODES) {
            // tonic writes `DataLoss`.
            assert_eq!(format!("{:?}", Code::from_i32(number)).to_uppercase(), name.replace('_', ""));
        }
    }
}
