//! Builds the geocoder out of its configuration: each provider with what protects it and us, then all of them in order.
//!
//! What was built before is used again where nothing about it changed, with all that it remembers. What fails changes
//! nothing.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Geocoder;
use super::breaker::Breaker;
use super::cached::{Cached, Shared, SharedAnswers};
use super::chain::{Chain, Link};
use super::coalesced::Coalesced;
use super::config::{Config, Error, Kind, Plan, Remote};
use super::counted::Counted;
use super::gazetteer::{self, Gazetteer, MANIFEST_FILE};
use super::http::{Client, Endpoint};
use super::limiter::{Limiter, Limits};
use super::nominatim::Nominatim;
use super::opencage::OpenCage;
use super::photon::Photon;
use super::retried::Retried;
use super::terms::Terms;
use super::throttled::Throttled;
use super::timed::Timed;
use super::traced::Traced;
use crate::telemetry::geocoders;

/// The geocoders of a configuration.
#[derive(Debug, Default)]
pub struct Built {
    parts: Vec<Part>,
    confidence_min: f64,
    geocoder: Option<Arc<dyn Geocoder>>,
}

impl Built {
    /// All of them in order; `None` where there is none.
    #[must_use]
    pub fn geocoder(&self) -> Option<Arc<dyn Geocoder>> {
        self.geocoder.clone()
    }

    /// Whether both are the same geocoders in the same order, so that they answer alike.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Part, &Part)| Arc::ptr_eq(&one.link.geocoder, &other.link.geocoder);
        self.parts.len() == other.parts.len()
            && self.confidence_min.to_bits() == other.confidence_min.to_bits()
            && self.parts.iter().zip(&other.parts).all(is_same)
    }
}

/// A geocoder, and what it was made of.
#[derive(Debug)]
struct Part {
    made_of: MadeOf,
    link: Link,
}

#[derive(Debug)]
enum MadeOf {
    Gazetteer(Stamp),
    Remote(Remote),
}

/// Which gazetteer it is: a new one in the same directory has another manifest.
#[derive(Debug, PartialEq)]
struct Stamp {
    directory: PathBuf,
    /// Device, number, size and time of the manifest.
    manifest: Option<(u64, u64, u64, i64, i64)>,
}

impl Stamp {
    fn of(directory: &Path) -> Self {
        let manifest = fs::metadata(directory.join(MANIFEST_FILE)).ok();
        let manifest = manifest.map(|of| (of.dev(), of.ino(), of.size(), of.mtime(), of.mtime_nsec()));
        Self { directory: directory.to_owned(), manifest }
    }
}

/// The geocoders of a configuration, as far as possible those of `before`. Sends nothing.
///
/// `limits` outlive them, so that a rate is kept across reloads; a changed one holds when all else is built. Blocking:
/// reads files of keys, opens the gazetteer.
///
/// # Errors
/// The first fault that is found, with the key that it is in. Then nothing changes.
pub fn build(config: &Config, limits: &dyn Limits, clock: fn() -> Timestamp, before: &Built) -> Result<Built, Error> {
    let plans = config.plans()?;
    let mut periods: HashMap<String, Duration> = HashMap::new();
    for plan in &plans {
        if let Plan::Remote(remote) = plan {
            let period = periods.entry(remote.server()).or_default();
            *period = remote.period.max(*period);
        }
    }
    let mut parts = Vec::new();
    for plan in plans {
        parts.push(match plan {
            Plan::Gazetteer(directory) => embedded(&directory, before)?,
            Plan::Remote(remote) => {
                let server = remote.server();
                remote_part(*remote, || limits.limiter(&server, periods[&server]), limits.answers(), clock, before)?
            }
        });
    }
    for (server, period) in periods {
        limits.keep_to(&server, period);
    }
    let mut links: Vec<Link> = parts.iter().map(|part| part.link.clone()).collect();
    let geocoder: Option<Arc<dyn Geocoder>> = match links.len() {
        0 => None,
        1 => links.pop().map(|link| link.geocoder),
        _ => Some(Arc::new(Chain::new(links, config.confidence_min))),
    };
    Ok(Built { parts, confidence_min: config.confidence_min, geocoder })
}

fn embedded(directory: &Path, before: &Built) -> Result<Part, Error> {
    let stamp = Stamp::of(directory);
    let is_same = |part: &&Part| matches!(&part.made_of, MadeOf::Gazetteer(other) if *other == stamp);
    let link = match before.parts.iter().find(is_same) {
        Some(part) if stamp.manifest.is_some() => part.link.clone(),
        _ => {
            let opened = Arc::new(Gazetteer::open(directory)?);
            let geocoder = Arc::new(Counted::new(opened, geocoders::of(gazetteer::PROVIDER)));
            Link { provider: gazetteer::PROVIDER.into(), geocoder }
        }
    };
    Ok(Part { made_of: MadeOf::Gazetteer(stamp), link })
}

fn remote_part(
    remote: Remote,
    limiter: impl FnOnce() -> Arc<dyn Limiter>,
    answers: Option<Arc<dyn SharedAnswers>>,
    clock: fn() -> Timestamp,
    before: &Built,
) -> Result<Part, Error> {
    let is_same = |part: &&Part| matches!(&part.made_of, MadeOf::Remote(other) if other.is_like(&remote));
    let link = match before.parts.iter().find(is_same) {
        Some(part) => part.link.clone(),
        None => protected(remote.clone(), limiter(), answers, clock)?,
    };
    Ok(Part { made_of: MadeOf::Remote(remote), link })
}

/// A provider with what is around it.
fn protected(
    remote: Remote,
    limiter: Arc<dyn Limiter>,
    answers: Option<Arc<dyn SharedAnswers>>,
    clock: fn() -> Timestamp,
) -> Result<Link, Error> {
    let name = Arc::clone(&remote.name);
    let (time_max, times, keep) = (remote.time_max, remote.times, remote.terms.keep);
    let shared = answers.map(|answers| Shared { answers, provider: remote.signature() });
    let protocol = remote.kind.name();
    let geocoder = around(provider(remote, clock)?, protocol, &name, time_max, limiter);
    Ok(Link { provider: name, geocoder: Arc::new(Cached::new(geocoder, times, keep, shared)) })
}

/// What is around a provider below its memory, from the inside: a time for each request, a span for each, a count of them, a turn for
/// each, a rest after failures, repetitions, and one call for equal questions.
fn around(
    geocoder: Arc<dyn Geocoder>,
    protocol: &'static str,
    name: &Arc<str>,
    time_max: Duration,
    limiter: Arc<dyn Limiter>,
) -> Arc<dyn Geocoder> {
    let geocoder = Arc::new(Timed::new(geocoder, Arc::clone(name), time_max));
    let geocoder = Arc::new(Traced::new(geocoder, protocol));
    let geocoder = Arc::new(Counted::new(geocoder, geocoders::of(protocol)));
    let geocoder = Arc::new(Throttled::new(geocoder, Arc::clone(name), limiter));
    let geocoder = Arc::new(Breaker::new(geocoder, Arc::clone(name)));
    let geocoder = Arc::new(Retried::new(geocoder));
    Arc::new(Coalesced::new(geocoder, Arc::clone(name)))
}

/// A provider alone.
pub(super) fn provider(remote: Remote, clock: fn() -> Timestamp) -> Result<Arc<dyn Geocoder>, Error> {
    let Remote { kind, name, url, key, user_agent, time_max, may_suggest, terms, .. } = remote;
    let endpoint = Endpoint { provider: Arc::clone(&name), base: url, user_agent, key, time_max, clock };
    let fault = |why| Error::Provider { provider: name.to_string(), key: "url", why };
    let client = Client::new(endpoint).map_err(fault)?;
    Ok(of_kind(kind, client, terms, may_suggest))
}

fn of_kind(kind: Kind, client: Client, terms: Terms, may_suggest: bool) -> Arc<dyn Geocoder> {
    match kind {
        Kind::Photon => Arc::new(Photon::new(client, terms)),
        Kind::OpenCage => Arc::new(OpenCage::new(client, terms)),
        // The gazetteer is no remote one: `plans` makes none of it.
        Kind::Nominatim | Kind::Gazetteer => Arc::new(Nominatim::new(client, terms, may_suggest)),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use parking_lot::Mutex;
    use tokio::time::Instant;

    use super::super::fake::{Act, Fake, line};
    use super::super::gazetteer::fixture;
    use super::super::inquiry::Asker;
    use super::super::limiter::{LocalLimits, NoTurn};
    use super::super::{ANSWER_TIME, Error as GeocodeError, Inquiry};
    use super::*;

    /// Notes which limits are set, and gives everybody a turn.
    #[derive(Debug, Default)]
    struct Noted(Mutex<Vec<(String, u64)>>);

    #[derive(Debug)]
    struct Free;

    #[async_trait]
    impl Limiter for Free {
        async fn turn(&self, _asker: Asker, _latest: Instant) -> Result<(), NoTurn> {
            Ok(())
        }
    }

    impl Limits for Noted {
        fn limiter(&self, _server: &str, _period: Duration) -> Arc<dyn Limiter> {
            Arc::new(Free)
        }

        fn keep_to(&self, server: &str, period: Duration) {
            self.0.lock().push((server.to_owned(), period.as_secs()));
        }
    }

    fn read(written: &str) -> Config {
        toml::from_str(written).unwrap()
    }

    fn built(written: &str, limits: &dyn Limits, before: &Built) -> Result<Built, Error> {
        build(&read(written), limits, Timestamp::now, before)
    }

    #[test]
    fn one_server_has_one_limit() {
        let written = "
            [[providers]]
            kind = 'photon'
            requests_per_s = 0.5
            url = 'https://maps.example/photon'
            [[providers]]
            kind = 'nominatim'
            requests_per_s = 0.1
            url = 'http://maps.example/nominatim'
            plain_http = true
            [[providers]]
            kind = 'photon'
            name = 'other'
            url = 'https://maps.example:8443'";
        let noted = Noted::default();
        assert!(built(written, &noted, &Built::default()).unwrap().geocoder().is_some());
        let mut kept = noted.0.into_inner();
        kept.sort();
        assert_eq!(kept, [("maps.example".to_owned(), 10), ("maps.example:8443".to_owned(), 1)]);
    }

    /// A limit that was raised by a configuration that was refused a line later.
    #[test]
    fn what_is_refused_changes_no_limit() {
        let noted = Noted::default();
        let written = "gazetteer = 'nowhere'\n[[providers]]\nkind = 'photon'\nrequests_per_s = 100";
        assert!(built(written, &noted, &Built::default()).is_err());
        assert!(noted.0.lock().is_empty());
    }

    /// Whether each geocoder of the second configuration is that of the first, in the order of the second.
    fn kept(before: &Built, after: &Built) -> Vec<bool> {
        let is_kept = |part: &Part| {
            let same = |other: &Part| Arc::ptr_eq(&other.link.geocoder, &part.link.geocoder);
            before.parts.iter().any(same)
        };
        after.parts.iter().map(is_kept).collect()
    }

    /// SIGHUP for another file threw away what each provider had answered, and asked those again that rested.
    #[tokio::test]
    async fn what_did_not_change_is_kept_with_its_memory() {
        let directory = tempfile::tempdir().unwrap();
        let gazetteer = fixture::built(directory.path());
        let limits = LocalLimits::default();
        let written = format!(
            "gazetteer = '{}'\n[[providers]]\nkind = 'photon'\n[[providers]]\nkind = 'photon'\nname = 'b'\ncache_s = 7",
            gazetteer.display()
        );
        let first = built(&written, &limits, &Built::default()).unwrap();
        let check = |written: &str, expect: &[bool]| {
            let after = built(written, &limits, &first).unwrap();
            assert_eq!(kept(&first, &after), expect, "{written}");
        };
        check(&written, &[true, true, true]);
        check(&written.replace("cache_s = 7", "cache_s = 8"), &[true, false, true]);
        check(&written.replace("cache_s = 7", "cache_s = 7\nrequests_per_s = 0.5"), &[true, true, true]);
        check(&format!("confidence_min = 0.1\n{written}"), &[true, true, true]);
        // Built anew in its place.
        let manifest = gazetteer.join(MANIFEST_FILE);
        let text = fs::read(&manifest).unwrap();
        fs::write(gazetteer.join("new"), text).unwrap();
        fs::rename(gazetteer.join("new"), &manifest).unwrap();
        check(&written, &[true, true, false]);
    }

    /// An account that imported a list was a hundred time-outs of the provider's, which was left alone for it, and for all
    /// accounts.
    #[tokio::test(start_paused = true)]
    async fn a_storm_is_the_storms_affair() {
        let fake = Arc::new(Fake::of(vec![Act::AnswerAfter(Duration::from_millis(300)); 200]));
        let limiter = LocalLimits::default().limiter("fake", Duration::from_secs(1));
        let geocoder = around(Arc::clone(&fake) as _, "photon", &"fake".into(), Duration::from_secs(5), limiter);
        let start = Instant::now();
        let asking = |tenant: &'static str, number: usize| {
            let geocoder = Arc::clone(&geocoder);
            let inquiry = Inquiry { asker: Asker::of(&tenant), ..line(&format!("Gata {number}")) };
            tokio::spawn(async move {
                let answered = geocoder.answer(&inquiry, Instant::now() + ANSWER_TIME).await;
                (answered, start.elapsed())
            })
        };
        let storm: Vec<_> = (0..100).map(|number| asking("storm", number)).collect();
        tokio::time::advance(Duration::from_millis(10)).await;
        for number in 0..3 {
            let (answered, _) = asking("other", number).await.unwrap();
            assert_eq!(answered.map(|found| found.len()), Ok(1));
        }
        assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());
        let mut answered = 0;
        for task in storm {
            match task.await.unwrap() {
                (Ok(_), _) => answered += 1,
                (Err(GeocodeError::Busy { .. }), at) => assert!(at < ANSWER_TIME, "{at:?}"),
                (Err(other), _) => panic!("{other:?}"),
            }
        }
        assert!((5..=10).contains(&answered), "{answered}");
        assert_eq!(fake.count(), answered + 3, "nothing was asked twice or in vain");
    }
}
