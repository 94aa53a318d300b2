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

/// Hosts at which Syncro itself is, whose limit is that of an IP address: ours, for all accounts together.
const SYNCRO_DOMAIN: &str = ".syncromsp.com";

/// Most requests in a time.
#[derive(Debug, Clone, Copy)]
struct Rate {
    requests: usize,
    period: Duration,
}

/// What one connection may ask of what the documentation of a system allows; where that depends on the plan, of what the
/// smallest one has.
fn rate(system: System) -> Rate {
    let requests = match system {
        // Not told in numbers; whoever asks too fast hears of it by 429.
        System::ConnectWise => 600,
        // A quarter of the 10,000 an hour that all integrations of the customer's database share, and that grow slow from
        // half of it on: 625 in a quarter of an hour, and no more of them in one minute than in another.
        System::Autotask => 41,
        // Half of what all accounts share, so that one alone does not use it up.
        System::Syncro => 90,
        System::Zendesk => 200,
        System::Freshservice => 100,
        System::Freshdesk => 50,
    };
    Rate { requests, period: Duration::from_mins(1) }
}

/// The limits of one connection.
#[derive(Debug)]
pub struct Governor {
    own: Window,
    turns: Semaphore,
}

/// Requests that are counted, and a system that may want to be left alone.
#[derive(Debug)]
pub(super) struct Window {
    rate: Rate,
    state: Mutex<State>,
}

/// The limits that all connections of the deployment share, because a system counts by IP address.
#[derive(Debug)]
pub struct Shared {
    syncro: Window,
}

impl Default for Shared {
    fn default() -> Self {
        let rate = Rate { requests: 180, period: Duration::from_mins(1) };
        Self { syncro: Window { rate, state: Mutex::default() } }
    }
}

impl Shared {
    /// The shared limits that hold for a system at a host. None at any other host than the system's own: what an account
    /// has there counts for nobody else, and what is answered there holds for nobody else.
    pub(super) fn of(&self, system: System, host: &str) -> Option<&Window> {
        let is_own = system == System::Syncro && host.to_ascii_lowercase().ends_with(SYNCRO_DOMAIN);
        is_own.then_some(&self.syncro)
    }
}

#[derive(Debug, Default)]
struct State {
    /// When the last requests were sent, at most as many as the rate allows.
    sent: VecDeque<Instant>,
    rests_until: Option<Instant>,
}

impl State {
    /// How long there is no turn; none at all where there is one now.
    fn wait(&self, rate: Rate, now: Instant) -> Option<Duration> {
        let is_full = self.sent.len() >= rate.requests;
        let free_at = self.sent.front().filter(|_| is_full).map(|first| *first + rate.period);
        free_at.max(self.rests_until).filter(|end| *end > now).map(|end| end - now)
    }

    fn count(&mut self, rate: Rate, now: Instant) {
        if self.sent.len() >= rate.requests {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }
}

impl Governor {
    /// One that nobody has used.
    #[must_use]
    pub fn new(system: System) -> Self {
        let own = Window { rate: rate(system), state: Mutex::default() };
        Self { own, turns: Semaphore::new(AT_ONCE) }
    }

    /// A turn to send one request, which is counted here and in what is shared; or how long there will be none. Nothing is
    /// counted where either refuses.
    pub(super) async fn turn(&self, shared: Option<&Window>) -> Result<SemaphorePermit<'_>, Duration> {
        let permit = self.turns.acquire().await.expect("nobody closes the turns");
        let now = Instant::now();
        let mut windows: Vec<_> =
            [Some(&self.own), shared].into_iter().flatten().map(|window| (window.rate, window.state.lock())).collect();
        if let Some(wait) = windows.iter().filter_map(|(rate, state)| state.wait(*rate, now)).max() {
            return Err(wait);
        }
        windows.iter_mut().for_each(|(rate, state)| state.count(*rate, now));
        drop(windows);
        Ok(permit)
    }

    /// Takes note of what an answer says of limits, here and in what is shared. Tells how long the system is left alone,
    /// where it wants that.
    pub(super) fn hear(
        &self,
        shared: Option<&Window>,
        status: u16,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<Duration> {
        let windows = [Some(&self.own), shared].into_iter().flatten();
        windows.filter_map(|window| window.hear(status, headers, now)).max()
    }
}

impl Window {
    fn hear(&self, status: u16, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
        let wait = match status {
            429 => Some(retry_after(headers, now).unwrap_or(REST)),
            503 => retry_after(headers, now),
            _ if remaining(headers) == Some(0) => Some(reset(headers).unwrap_or(REST)),
            _ => None,
        };
        let (now, mut state) = (Instant::now(), self.state.lock());
        // Answers overtake each other, so what was said first may hold longer.
        let end = (now + wait?.clamp(Duration::from_secs(1), REST_MAX)).max(state.rests_until.unwrap_or(now));
        state.rests_until = Some(end);
        Some(end - now)
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
            drop(governor.turn(None).await.unwrap());
        }
        let wait = governor.turn(None).await.unwrap_err();
        assert!(wait <= Duration::from_mins(1) && wait > Duration::from_secs(59), "{wait:?}");
        tokio::time::advance(Duration::from_secs(61)).await;
        for _ in 0..50 {
            drop(governor.turn(None).await.unwrap());
        }
        assert!(governor.turn(None).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_system_rests_for_as_long_as_it_says() {
        let now = Timestamp::now();
        let check = async |status, pairs: &[(&'static str, &'static str)], expect: Option<u64>| {
            let governor = Governor::new(System::Zendesk);
            let wait = governor.hear(None, status, &headers(pairs), now);
            assert_eq!(wait, expect.map(Duration::from_secs), "{status} {pairs:?}");
            assert_eq!(governor.turn(None).await.is_err(), expect.is_some(), "{status} {pairs:?}");
            tokio::time::advance(Duration::from_secs(expect.unwrap_or(0))).await;
            assert!(governor.turn(None).await.is_ok(), "the rest is over");
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
        // Zendesk's own, beside which it says when in another one, or not at all.
        check(200, &[("x-rate-limit", "700"), ("x-rate-limit-remaining", "699")], None).await;
        check(200, &[("x-rate-limit", "700"), ("x-rate-limit-remaining", "0")], Some(60)).await;
        check(200, &[("x-rate-limit-remaining", "0"), ("ratelimit-reset", "23")], Some(23)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn few_are_asked_at_once() {
        let governor = Governor::new(System::Syncro);
        let (_one, two) = (governor.turn(None).await.unwrap(), governor.turn(None).await.unwrap());
        let third = tokio::time::timeout(Duration::from_secs(1), governor.turn(None)).await;
        assert!(third.is_err(), "it waits");
        drop(two);
        assert!(governor.turn(None).await.is_ok());
    }

    /// Autotask's limit is that of the customer's whole database, and slows all of its integrations from half of it on.
    #[tokio::test(start_paused = true)]
    async fn autotask_keeps_three_quarters_for_others_and_every_minute_has_some() {
        let governor = Governor::new(System::Autotask);
        let (mut all, mut in_minutes) = (0, Vec::new());
        for _ in 0..15 {
            let before = all;
            for _ in 0..60 {
                while governor.turn(None).await.is_ok() {
                    all += 1;
                }
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            in_minutes.push(all - before);
        }
        assert!((500..=625).contains(&all), "{all}");
        assert!(in_minutes.iter().all(|count| (20..=62).contains(count)), "{in_minutes:?}");
    }

    /// Syncro counts by IP address: two accounts of ours together were twice as fast as it allows.
    #[tokio::test(start_paused = true)]
    async fn accounts_share_what_is_counted_by_address() {
        let shared = Shared::default();
        let all = shared.of(System::Syncro, "Example.SyncroMSP.com");
        assert!(all.is_some());
        for (system, host) in [
            (System::Syncro, "evil.example"),
            (System::Syncro, "evilsyncromsp.com"),
            (System::Zendesk, "example.syncromsp.com"),
        ] {
            assert!(shared.of(system, host).is_none(), "{system:?} {host}");
        }
        let accounts: Vec<Governor> = (0..3).map(|_| Governor::new(System::Syncro)).collect();
        let mut counts = [0; 3];
        for (governor, count) in accounts.iter().zip(&mut counts) {
            while governor.turn(all).await.is_ok() {
                *count += 1;
            }
        }
        assert_eq!(counts, [90, 90, 0]);
        assert!(accounts[2].turn(None).await.is_ok(), "what the others refuse is not counted as its own");
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(accounts[2].turn(all).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_rest_ends_no_longer_one() {
        let (governor, now) = (Governor::new(System::Zendesk), Timestamp::now());
        governor.hear(None, 429, &headers(&[("retry-after", "600")]), now);
        governor.hear(None, 429, &headers(&[("retry-after", "2")]), now);
        governor.hear(None, 200, &headers(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "3")]), now);
        tokio::time::advance(Duration::from_secs(599)).await;
        assert!(governor.turn(None).await.is_err());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(governor.turn(None).await.is_ok());
    }
}
