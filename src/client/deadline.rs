//! Deadlines of calls: as the header that tells a server of them, and as the end of waiting for it.

use std::error::Error as _;

use http::{HeaderMap, HeaderValue};
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use crate::api::protocol;

/// Tells the server how much time is left, rounded up to milliseconds.
pub(super) fn tell(headers: &mut HeaderMap, ends: Instant) {
    let left = ends.saturating_duration_since(Instant::now());
    let left_ms = left.as_nanos().div_ceil(1_000_000).clamp(1, 99_999_999);
    if let Ok(value) = HeaderValue::try_from(format!("{left_ms}m")) {
        headers.insert(protocol::TIMEOUT, value);
    }
}

/// What comes of work that may last until `ends`; without an end, for as long as it takes. Its failure at the end, such as of a
/// connection that gives up by then, is that the time is over.
pub(super) async fn within<T>(
    ends: Option<Instant>,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let Some(ends) = ends else { return work.await };
    match timeout_at(ends, work).await {
        Ok(Err(status)) if status.source().is_some() && Instant::now() >= ends => Err(too_late()),
        Ok(done) => done,
        Err(_) => Err(too_late()),
    }
}

fn too_late() -> Status {
    Status::deadline_exceeded("the time for the call is over")
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tonic::Code;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_told_is_the_time_that_is_left() {
        let mut headers = HeaderMap::new();
        tell(&mut headers, Instant::now() + Duration::from_micros(20_500));
        assert_eq!(protocol::timeout(&headers), Some(Duration::from_millis(21)));
        // The server takes no time of nothing, nor one of nine digits.
        tell(&mut headers, Instant::now());
        assert_eq!(protocol::timeout(&headers), Some(Duration::from_millis(1)));
        tell(&mut headers, Instant::now() + Duration::from_hours(100));
        assert_eq!(headers[protocol::TIMEOUT], "99999999m");
    }

    #[tokio::test(start_paused = true)]
    async fn work_ends_when_its_time_is_over() {
        let begun = Instant::now();
        let ends = begun + Duration::from_millis(500);
        let ended = within::<()>(Some(ends), pending()).await.unwrap_err();
        assert_eq!(ended.code(), Code::DeadlineExceeded);
        // Timers go by milliseconds.
        assert!(Instant::now() >= ends && Instant::now() <= ends + Duration::from_millis(2));
        assert_eq!(within(Some(ends), async { Ok(1) }).await.unwrap(), 1);
        let refused = within::<()>(Some(ends), async { Err(Status::not_found("x")) }).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    }
}
