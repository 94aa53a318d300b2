//! How fast a connection may ask: as many requests as the system's documentation allows, few at once, and none while the
//! system wants to be left alone.
//!
//! Outlives the connection's own settings, so that changing them is no way around a limit.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use reqwest::header::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::http_client::retry_after;
use crate::model::ticketing::System;

/// Requests at once: Autotask allows three to an endpoint, and a person beside us wants one too.
const AT_ONCE: usize = 2;
/// For how long a system is left alone that wants fewer requests and does not say until when: their windows are of a
/// minute.
const REST: Duration = Duration::from_mins(1);
/// Longest rest that it is believed: the longest window is of an hour.
const REST_MAX: Duration = Duration::from_hours(1);

/// Most requests in a time.
#[derive(Debug, Clone, Copy)]
struct Rate {
    requests: usize,
    period: Duration,
}

/// What the documentation of a system allows; where that depends on the plan, what the smallest one has.
fn rate(system: System) -> Rate {
    let (requests, period) = match system {
        // Not told in numbers; whoever asks too fast hears of it by 429.
        System::ConnectWise => (600, Duration::from_mins(1)),
        // 10,000 an hour, shared by all integrations of a database.
        System::Autotask => (2_500, Duration::from_mins(15)),
        System::Syncro => (180, Duration::from_mins(1)),
        System::Zendesk => (200, Duration::from_mins(1)),
        System::Freshservice => (100, Duration::from_mins(1)),
        System::Freshdesk => (50, Duration::from_mins(1)),
    };
    Rate { requests, period }
}

/// The limits of one connection.
#[derive(Debug)]
pub struct Governor {
    rate: Rate,
    state: Mutex<State>,
    turns: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    /// When the last requests were sent, at most as many as the rate allows.
    sent: VecDeque<Instant>,
    rests_until: Option<Instant>,
}

impl Governor {
    /// One that nobody has used.
    #[must_use]
    pub fn new(system: System) -> Self {
        Self { rate: rate(system), state: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }

    /// A turn to send one request, which is counted; or how long there will be none.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Duration> {
        let permit = self.turns.acquire().await.expect("nobody closes the turns");
        let (now, mut state) = (Instant::now(), self.state.lock());
        if let Some(end) = state.rests_until.filter(|end| *end > now) {
            return Err(end - now);
        }
        if state.sent.len() >= self.rate.requests {
            let free_at = state.sent.front().map_or(now, |first| *first + self.rate.period);
            if free_at > now {
                return Err(free_at - now);
            }
            state.sent.pop_front();
        }
        state.sent.push_back(now);
        drop(state);
        Ok(permit)
    }

    /// Takes note of what an answer says of limits. Tells how long the system is left alone, where it wants that.
    pub(super) fn hear(&self, status: u16, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
        let wait = match status {
            429 => Some(retry_after(headers, now).unwrap_or(REST)),
            503 => retry_after(headers, now),
            _ if remaining(headers) == Some(0) => Some(reset(headers).unwrap_or(REST)),
            _ => None,
        };
        let wait = wait?.clamp(Duration::from_secs(1), REST_MAX);
        self.state.lock().rests_until = Some(Instant::now() + wait);
        Some(wait)
    }
}

/// Requests that are left in the window, where an answer says that: Freshdesk and Freshservice in the first of these, Zendesk
/// in the others.
fn remaining(headers: &HeaderMap) -> Option<u64> {
    ["x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining"]
        .iter()
        .find_map(|name| number(headers, name))
}

/// Seconds until the window ends, where an answer says that.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    number(headers, "ratelimit-reset").map(Duration::from_secs)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_rate_in_any_window() {
        let governor = Governor::new(System::Freshdesk);
        for _ in 0..50 {
            drop(governor.turn().await.unwrap());
        }
        let wait = governor.turn().await.unwrap_err();
        assert!(wait <= Duration::from_mins(1) && wait > Duration::from_secs(59), "{wait:?}");
        tokio::time::advance(Duration::from_secs(61)).await;
        for _ in 0..50 {
            drop(governor.turn().await.unwrap());
        }
        assert!(governor.turn().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_system_rests_for_as_long_as_it_says() {
        let now = Timestamp::now();
        let check = async |status, pairs: &[(&'static str, &'static str)], expect: Option<u64>| {
            let governor = Governor::new(System::Zendesk);
            let wait = governor.hear(status, &headers(pairs), now);
            assert_eq!(wait, expect.map(Duration::from_secs), "{status} {pairs:?}");
            assert_eq!(governor.turn().await.is_err(), expect.is_some(), "{status} {pairs:?}");
            tokio::time::advance(Duration::from_secs(expect.unwrap_or(0))).await;
            assert!(governor.turn().await.is_ok(), "the rest is over");
        };
        check(200, &[], None).await;
        check(429, &[], Some(60)).await;
        check(429, &[("retry-after", "7")], Some(7)).await;
        check(429, &[("retry-after", "0")], Some(1)).await;
        check(429, &[("retry-after", "999999")], Some(3_600)).await;
        check(503, &[("retry-after", "9")], Some(9)).await;
        check(503, &[], None).await;
        check(200, &[("x-ratelimit-remaining", "3")], None).await;
        check(200, &[("x-ratelimit-remaining", "0")], Some(60)).await;
        check(200, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "11")], Some(11)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn few_are_asked_at_once() {
        let governor = Governor::new(System::Syncro);
        let (_one, two) = (governor.turn().await.unwrap(), governor.turn().await.unwrap());
        let third = tokio::time::timeout(Duration::from_secs(1), governor.turn()).await;
        assert!(third.is_err(), "it waits");
        drop(two);
        assert!(governor.turn().await.is_ok());
    }
}
