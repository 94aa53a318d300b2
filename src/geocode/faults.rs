//! What providers do wrong, one by one: each is told by its own error, and nothing of it becomes a candidate.
//!
//! Every test sees to it that the fault took place: a stub that nobody asked proves nothing.

mod names;
mod tls;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{ClientBuilder, Url};
use serde_json::json;
use tokio::time::Instant;

use super::build::{Built, build, provider};
use super::config::{Config, Kind, Plan, ProviderConfig};
use super::fake::{SOON, gata};
use super::http::answer::RESULTS_MAX;
use super::http::{ANSWER_BYTES_MAX, Client, Endpoint};
use super::limiter::LocalLimits;
use super::photon::Photon;
use super::terms::{Keep, Terms};
use super::worlds::{KINDS, answer, number, provider_at};
use super::{Bias, Candidate, Error, Geocoder, Inquiry, Rest, Subject};
use crate::error::Fault as _;
use crate::http_client::stub::{Reply, Stub};
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};

/// The key that `worlds` gives to a provider that wants one, as a parameter of a URL.
const KEY_PARAMETER: &str = "key=waymark";

fn bare(config: ProviderConfig) -> Arc<dyn Geocoder> {
    match (Config { providers: vec![config], ..Config::default() }).plans().unwrap().remove(0) {
        Plan::Remote(remote) => provider(*remote, Timestamp::now).unwrap(),
        Plan::Gazetteer(_) => panic!("the gazetteer is not asked over HTTP"),
    }
}

/// A Photon at this URL whose client is changed.
fn photon(url: &str, time_max: Duration, change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Photon {
    let endpoint = Endpoint {
        provider: "photon".into(),
        base: Url::parse(url).unwrap(),
        user_agent: "waymark".to_owned(),
        key: None,
        time_max,
        clock: Timestamp::now,
    };
    let terms = Terms { attribution: "the stub".to_owned(), keep: Keep::Unlimited };
    Photon::new(Client::changed(endpoint, change).unwrap(), terms)
}

async fn ask(geocoder: &dyn Geocoder, inquiry: &Inquiry) -> Result<Vec<Candidate>, Error> {
    geocoder.answer(inquiry, Instant::now() + SOON).await
}

/// What all three kinds make of a reply; and that they were asked once, and told nothing that they should not.
async fn each(reply: impl Fn(Kind) -> Reply, timeout_ms: u64) -> Vec<Result<Vec<Candidate>, Error>> {
    let mut outcomes = Vec::new();
    for kind in KINDS {
        let stub = Stub::always(reply(kind)).await;
        let config = ProviderConfig { timeout_ms: Some(timeout_ms), ..provider_at(kind, &stub.url) };
        let geocoder = bare(config);
        let outcome = ask(&*geocoder, &gata()).await;
        assert_eq!(stub.count(), 1, "the fault took place, once");
        if kind == Kind::OpenCage {
            assert!(stub.received()[0].target.contains(KEY_PARAMETER), "the key was sent");
        }
        if let Err(failure) = &outcome {
            let told = format!("{failure} {failure:?} {geocoder:?}");
            assert!(!told.contains(KEY_PARAMETER) && !told.contains("Laugavegur"), "{told}");
            assert!(!failure.told().contains("status"), "{}", failure.told());
        }
        outcomes.push(outcome);
    }
    outcomes
}

/// That all three kinds tell a reply by the same error.
macro_rules! tells {
    ($reply:expr, $timeout_ms:expr, $error:pat $(if $guard:expr)?) => {
        for outcome in each($reply, $timeout_ms).await {
            assert!(matches!(&outcome, Err($error) $(if $guard)?), "{outcome:?}");
        }
    };
}

fn json_headers() -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned())]
}

fn status(status: u16, more: &[(&'static str, &str)]) -> Reply {
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    Reply::Whole(status, json_headers().into_iter().chain(more).collect(), b"{}".to_vec())
}

#[tokio::test]
async fn statuses_have_their_errors() {
    let seven = Some(Duration::from_secs(7));
    for code in [500, 502, 503, 504, 408] {
        tells!(|_| status(code, &[]), 5_000, Error::Failed { retry_after: None, .. });
    }
    tells!(|_| status(503, &[("retry-after", "7")]), 5_000, Error::Failed { retry_after, .. } if *retry_after == seven);
    tells!(|_| status(429, &[("retry-after", "7")]), 5_000, Error::QuotaUsed { retry_after, .. } if *retry_after == seven);
    tells!(|_| status(429, &[]), 5_000, Error::QuotaUsed { retry_after: None, .. });
    let tomorrow = (Timestamp::now().as_second() + 80_000).to_string();
    let reset = [("x-ratelimit-reset", tomorrow.as_str())];
    tells!(|_| status(402, &reset), 5_000, Error::QuotaUsed { retry_after: Some(_), .. });
    tells!(|_| status(429, &[("retry-after", "0")]), 5_000, Error::QuotaUsed { retry_after: None, .. });
    tells!(|_| status(503, &reset), 5_000, Error::Failed { retry_after: None, .. });
    tells!(|_| status(401, &[]), 5_000, Error::Denied { status: 401, .. });
    tells!(|_| status(403, &[]), 5_000, Error::Denied { status: 403, .. });
    tells!(|_| status(400, &[]), 5_000, Error::Refused { .. });
    tells!(|_| status(404, &[]), 5_000, Error::WrongUrl { .. });
    tells!(|_| status(204, &[]), 5_000, Error::WrongUrl { .. });
}

#[tokio::test]
async fn opencage_tells_its_status_in_the_answer_too() {
    for (code, is_expected) in [(402, true), (401, false), (403, false), (429, true)] {
        let body = json!({"results": [], "status": {"code": code, "message": "…"}}).to_string();
        let stub = Stub::always(Reply::Json(body)).await;
        let failure = ask(&*bare(provider_at(Kind::OpenCage, &stub.url)), &gata()).await.unwrap_err();
        assert_eq!(matches!(failure, Error::QuotaUsed { .. }), is_expected, "{failure:?}");
        assert_eq!(stub.count(), 1);
    }
}

#[tokio::test]
async fn nobody_follows_a_redirect() {
    let elsewhere = Stub::always(Reply::Json("[]".to_owned())).await;
    let metadata = "http://169.254.169.254/latest/meta-data".to_owned();
    for target in [elsewhere.url.clone(), metadata, "file:///etc/passwd".to_owned()] {
        for code in [301, 302, 307, 308] {
            tells!(|_| status(code, &[("location", &target)]), 5_000, Error::Redirected { .. });
        }
    }
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn silence_and_drops_end_in_time() {
    let start = Instant::now();
    tells!(|_| Reply::Silent, 500, Error::TimedOut { .. });
    tells!(|_| Reply::Dripping, 500, Error::TimedOut { .. });
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn the_callers_deadline_holds_without_anything_around() {
    for kind in KINDS {
        let stub = Stub::always(Reply::Silent).await;
        let geocoder = bare(provider_at(kind, &stub.url));
        let outcome = geocoder.answer(&gata(), Instant::now() + Duration::from_millis(500)).await;
        assert!(matches!(outcome, Err(Error::TimedOut { .. })), "{outcome:?}");
        assert_eq!(stub.count(), 1);
    }
}

#[tokio::test]
async fn connections_that_break_are_told() {
    tells!(|_| Reply::Reset, 5_000, Error::Unreachable { .. });
    tells!(|_| Reply::Truncated, 5_000, Error::Unreachable { .. } | Error::Malformed { .. });
    let gone = Stub::always(Reply::Reset).await.url.clone();
    for kind in KINDS {
        let outcome = ask(&*bare(provider_at(kind, &gone)), &gata()).await;
        assert!(matches!(outcome, Err(Error::Unreachable { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let html = vec![("content-type", "text/html".to_owned())];
    tells!(|_| Reply::Whole(200, html.clone(), b"<form>log in</form>".to_vec()), 5_000, Error::Malformed { .. });
    tells!(|_| Reply::Whole(200, html.clone(), b"[]".to_vec()), 5_000, Error::Malformed { .. });
    tells!(|_| Reply::Whole(200, Vec::new(), b"[]".to_vec()), 5_000, Error::Malformed { .. });
    let latin = b"[{\"display_name\": \"Reykjav\xedk\"}]".to_vec();
    tells!(|_| Reply::Whole(200, json_headers(), latin.clone()), 5_000, Error::Malformed { .. });
    for garbage in ["", "<html>", "[{", "nul", "7", "\"text\"", "[NaN]", "[1e400]", "{}{}", "\u{feff}[]", "[7]"] {
        tells!(|_| Reply::Json(garbage.to_owned()), 5_000, Error::Malformed { .. });
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    tells!(|_| Reply::Json(deep.clone()), 5_000, Error::Malformed { .. });
}

#[tokio::test]
async fn an_answer_has_a_size() {
    tells!(|_| Reply::Endless, 5_000, Error::TooLarge { .. });
    let large = format!("[{}]", " ".repeat(ANSWER_BYTES_MAX));
    tells!(|_| Reply::Json(large.clone()), 5_000, Error::TooLarge { .. });
    // 64 MiB of spaces in 64 KiB.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < ANSWER_BYTES_MAX);
    let headers: Vec<_> = json_headers().into_iter().chain([("content-encoding", "gzip".to_owned())]).collect();
    tells!(|_| Reply::Whole(200, headers.clone(), bomb.clone()), 5_000, Error::TooLarge { .. });
    let many = format!("[{}]", vec!["{}"; RESULTS_MAX + 1].join(","));
    for outcome in each(|kind| many_results(kind, &many), 5_000).await {
        assert!(matches!(outcome, Err(Error::Malformed { .. })), "{outcome:?}");
    }
}

fn many_results(kind: Kind, results: &str) -> Reply {
    Reply::Json(match kind {
        Kind::Photon => format!("{{\"features\": {results}}}"),
        Kind::OpenCage => format!("{{\"status\": {{\"code\": 200}}, \"results\": {results}}}"),
        Kind::Nominatim | Kind::Gazetteer => results.to_owned(),
    })
}

/// Positions outside of the globe, and 0,0, are no places; the answer is one all the same.
#[tokio::test]
async fn positions_that_are_none_are_not_taken() {
    for (lat, lng) in [(91.0, 0.0), (-90.1, 0.0), (0.0, 180.1), (0.0, 0.0), (-0.0, 0.0), (64.0, -200.0)] {
        for outcome in each(|kind| Reply::Json(answer(kind, &number(kind, lat), &number(kind, lng))), 5_000).await {
            assert_eq!(outcome, Ok(Vec::new()), "{lat}, {lng}");
        }
    }
    for bad in [json!(null), json!("abc"), json!("NaN"), json!("1e400"), json!([]), json!({}), json!(true)] {
        tells!(|kind| Reply::Json(answer(kind, &bad, &bad)), 5_000, Error::Malformed { .. });
    }
    // The other kind of number: a text where a number belongs, and a number where a text does.
    let other = |kind| if kind == Kind::Nominatim { json!(64.1) } else { json!("64.1") };
    tells!(|kind| Reply::Json(answer(kind, &other(kind), &other(kind))), 5_000, Error::Malformed { .. });
}

/// A provider that honestly knew no place for five questions in a row was left alone as if it were broken.
#[tokio::test]
async fn answers_without_a_place_are_empty_and_no_failures() {
    for kind in KINDS {
        let stub = Stub::start(move |_| Reply::Json(answer(kind, &number(kind, 0.0), &number(kind, 0.0)))).await;
        let config = Config { providers: vec![provider_at(kind, &stub.url)], ..Config::default() };
        let geocoder = build(&config, &LocalLimits::default(), Timestamp::now, &Built::default()).unwrap();
        let geocoder = geocoder.geocoder().unwrap();
        for house in 0..7 {
            assert_eq!(ask(&*geocoder, &super::fake::line(&format!("Gata {house}"))).await, Ok(Vec::new()));
        }
        assert_eq!(stub.count(), 7);
    }
}

#[tokio::test]
async fn a_country_alone_is_not_asked_for() {
    for kind in KINDS {
        let stub = Stub::always(status(400, &[])).await;
        let parts = PostalAddress { country: CountryCode::parse("IS"), ..PostalAddress::default() };
        let subject = Subject::Address(AddressQuery::Parts(parts));
        let outcome = ask(&*bare(provider_at(kind, &stub.url)), &Inquiry::new(subject, &Bias::default(), 5)).await;
        assert_eq!((outcome, stub.count()), (Err(Error::TooCoarse), 0));
    }
}

#[tokio::test]
async fn one_bad_result_leaves_the_others() {
    let stub = Stub::start(|_| {
        let good = answer(Kind::Nominatim, &json!("64.102"), &json!("-21.9"));
        let bad = answer(Kind::Nominatim, &json!("0"), &json!("0"));
        Reply::Json(format!("[{},{}]", &bad[1..bad.len() - 1], &good[1..good.len() - 1]))
    })
    .await;
    let found = ask(&*bare(provider_at(Kind::Nominatim, &stub.url)), &gata()).await.unwrap();
    assert_eq!((found.len(), stub.count()), (1, 1));
}

#[tokio::test]
async fn markup_is_text() {
    let stub = Stub::start(|_| {
        let plain = answer(Kind::Nominatim, &json!("64.102"), &json!("-21.9"));
        Reply::Json(plain.replace("1, Laugavegur,", "<img src=x onerror=alert(1)>"))
    })
    .await;
    let found = ask(&*bare(provider_at(Kind::Nominatim, &stub.url)), &gata()).await.unwrap();
    assert!(found[0].formatted_address.starts_with("<img src=x onerror=alert(1)>"), "{found:?}");
    assert_eq!(stub.count(), 1);
}

/// Everything together: a provider that fails is asked three times, then rests, and the next in the chain answers.
#[tokio::test]
async fn the_next_answers_while_one_rests() {
    let broken = Stub::always(status(503, &[])).await;
    let good = super::worlds::world(Kind::Photon).await;
    let providers = vec![provider_at(Kind::Nominatim, &broken.url), provider_at(Kind::Photon, &good.url)];
    let config = Config { providers, ..Config::default() };
    let geocoder =
        build(&config, &LocalLimits::default(), Timestamp::now, &Built::default()).unwrap().geocoder().unwrap();
    for house in 1..=4 {
        let found = ask(&*geocoder, &super::fake::line(&format!("Laugavegur 1, Reykjavík {house}"))).await.unwrap();
        assert_eq!(&*found[0].provider, "photon");
    }
    assert_eq!((broken.count(), good.count()), (5, 4), "left alone after five failures");
}

/// A provider that names a time is not asked before it: by nobody, and for nothing.
#[tokio::test]
async fn a_named_time_is_kept() {
    let stub = Stub::always(status(429, &[("retry-after", "3600")])).await;
    let config = Config { providers: vec![provider_at(Kind::OpenCage, &stub.url)], ..Config::default() };
    let geocoder =
        build(&config, &LocalLimits::default(), Timestamp::now, &Built::default()).unwrap().geocoder().unwrap();
    assert!(matches!(ask(&*geocoder, &gata()).await, Err(Error::QuotaUsed { .. })));
    let failure = ask(&*geocoder, &super::fake::line("Other 1")).await.unwrap_err();
    assert!(matches!(failure, Error::Resting { why: Rest::Quota, .. }), "{failure:?}");
    assert!(failure.retry_after().is_some_and(|wait| wait > Duration::from_mins(50)));
    assert_eq!(stub.count(), 1);
}

/// One that names none is not asked again for the same question, nor at once for another, and the next one answers.
#[tokio::test]
async fn who_wants_fewer_requests_gets_none_for_a_while() {
    for (code, more) in [(429, vec![]), (402, vec![]), (429, vec![("retry-after", "0")])] {
        let stub = Stub::always(status(code, &more)).await;
        let good = super::worlds::world(Kind::Photon).await;
        let providers = vec![provider_at(Kind::Nominatim, &stub.url), provider_at(Kind::Photon, &good.url)];
        let config = Config { providers, ..Config::default() };
        let built = build(&config, &LocalLimits::default(), Timestamp::now, &Built::default()).unwrap();
        for house in 0..3 {
            let line = super::fake::line(&format!("Laugavegur 1, Reykjavík {house}"));
            assert_eq!(ask(&*built.geocoder().unwrap(), &line).await.unwrap().len(), 1);
        }
        assert_eq!((stub.count(), good.count()), (1, 3));
    }
}

/// What is on the way to a provider ends when nobody waits for it: callers go away, and no connection stays.
#[tokio::test]
async fn callers_that_go_away_leave_nothing_behind() {
    let stub = Stub::always(Reply::Silent).await;
    let bare = bare(ProviderConfig { timeout_ms: Some(60_000), ..provider_at(Kind::Photon, &stub.url) });
    go_away(&stub, &bare, 200).await;
    let config = Config {
        providers: vec![ProviderConfig { timeout_ms: Some(60_000), ..provider_at(Kind::Photon, &stub.url) }],
        ..Config::default()
    };
    let all = build(&config, &LocalLimits::default(), Timestamp::now, &Built::default()).unwrap().geocoder().unwrap();
    go_away(&stub, &all, 12).await;
}

/// Lets so many callers ask a stub that never answers, and go away when it has heard all of them.
async fn go_away(stub: &Stub, geocoder: &Arc<dyn Geocoder>, callers: usize) {
    let before = stub.count();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..callers {
        let geocoder = Arc::clone(geocoder);
        calls.spawn(async move { ask(&*geocoder, &super::fake::line(&format!("Gata {number}"))).await });
    }
    until(|| stub.count() == before + callers).await;
    assert_eq!(stub.open(), callers);
    calls.shutdown().await;
    until(|| stub.open() == 0).await;
}

/// Waits until it is so; fails when it takes longer than anything may.
async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.expect("it comes to pass");
}
