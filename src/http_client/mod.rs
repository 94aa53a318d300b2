//! What every client of somebody else's HTTP service has in common: nothing is followed, nothing is repeated, no proxy
//! of the environment is asked, and an answer is a stranger's data of a bounded size and depth.
//!
//! Knows no service, no key and no error of its callers: what went wrong is told so that they can say it in their words.

#[cfg(test)]
pub(crate) mod stub;

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{ClientBuilder, Response};

/// Longest time for a connection to stand: further away than any real provider.
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// Longest time that an unused connection is kept: some providers close theirs after half a minute.
const IDLE_TIME: Duration = Duration::from_secs(20);

/// A client that goes nowhere by itself; each request takes at most `time_max` in all.
pub fn builder(user_agent: &str, time_max: Duration) -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIME)
        .timeout(time_max)
        .pool_idle_timeout(IDLE_TIME)
}

/// Why a body was not read.
#[derive(Debug)]
pub enum BodyFault {
    /// It is longer than it may be.
    TooLarge,
    /// The connection broke off, took too long, or the body cannot be decompressed.
    Broken(reqwest::Error),
}

/// The body of an answer, of at most `bytes_max` bytes. What is counted is what comes out of decompression.
pub async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, BodyFault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyFault::Broken)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(BodyFault::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether an answer says that it is JSON, such as `application/json` or `application/geo+json; charset=utf-8`.
#[must_use]
pub fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| is_json_type(kind.as_bytes()))
}

fn is_json_type(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence == b"application/json" || (essence.starts_with(b"application/") && essence.ends_with(b"+json"))
}

/// Refuses JSON that is nested deeper than `depth_max`, before anything is built of it.
pub fn check_depth(json: &[u8], depth_max: usize) -> Result<(), &'static str> {
    let (mut depth, mut is_in_text, mut is_escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_in_text => is_escaped = true,
            b'"' => is_in_text = !is_in_text,
            b'[' | b'{' if !is_in_text => depth += 1,
            b']' | b'}' if !is_in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > depth_max {
            return Err("it is nested deeper than any real one");
        }
    }
    Ok(())
}

/// What `retry-after` says, in seconds or as a date; `None` where it says nothing that can be read.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => jiff::fmt::rfc2822::parse(text).ok().map(|date| until(date.timestamp(), now)),
    }
}

/// The time from now until then; none where that is past.
#[must_use]
pub fn until(end: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(now)).unwrap_or_default()
}

/// An error of the client with its causes, on one line, and without the URL, which may hold a key.
#[must_use]
pub fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_of_json() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/geo+json"] {
            assert!(is_json_type(good.as_bytes()), "{good}");
        }
        for bad in ["text/html", "text/json", "application/jsonp", "", "application/xml; x=application/json"] {
            assert!(!is_json_type(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn depth_is_counted_outside_of_texts() {
        let check = |json: &str, expect: bool| assert_eq!(check_depth(json.as_bytes(), 3).is_ok(), expect, "{json}");
        check("[[[1]]]", true);
        check("[[[[1]]]]", false);
        check(r#"["[[[[", {"a\"[[[": [2]}]"#, true);
        check(&"[".repeat(500_000), false);
    }
}
