//! What providers do wrong, one by one: each is told by its own error, and nothing of it becomes a candidate.
//!
//! Every test sees to it that the fault took place: a stub that nobody asked proves nothing.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::build::{build, provider};
use super::config::{Config, Kind, Plan, ProviderConfig};
use super::fake::{SOON, gata};
use super::http::answer::RESULTS_MAX;
use super::http::stub::{Reply, Stub};
use super::http::{ANSWER_BYTES_MAX, stub};
use super::limiter::LocalLimits;
use super::worlds::{KINDS, answer, number, provider_at};
use super::{Candidate, Error, Geocoder, Inquiry};
use crate::error::{Fault as _, Kind as FaultKind};

/// The key that `worlds` gives to a provider that wants one, as a parameter of a URL.
const KEY_PARAMETER: &str = "key=waymark";

fn bare(config: ProviderConfig) -> Arc<dyn Geocoder> {
    match (Config { providers: vec![config], ..Config::default() }).plans().unwrap().remove(0) {
        Plan::Remote(remote) => provider(*remote, Timestamp::now).unwrap(),
        Plan::Gazetteer(_) => panic!("the gazetteer is not asked over HTTP"),
    }
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
            assert_eq!(failure.reason().kind(), FaultKind::Unavailable);
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
    tells!(|_| status(402, &[("x-ratelimit-reset", "1")]), 5_000, Error::QuotaUsed { retry_after: Some(_), .. });
    tells!(|_| status(401, &[]), 5_000, Error::Denied { status: 401, .. });
    tells!(|_| status(403, &[]), 5_000, Error::Denied { status: 403, .. });
    tells!(|_| status(400, &[]), 5_000, Error::Refused { .. });
    tells!(|_| status(404, &[]), 5_000, Error::Refused { .. });
    tells!(|_| status(204, &[]), 5_000, Error::Refused { .. });
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

/// A server with a certificate that nobody vouches for hears no request.
#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (acceptor, listener) = (distrusted(directory.path()), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    let refused = tokio::spawn(async move {
        let mut count = 0;
        while count < KINDS.len() {
            let (stream, _) = listener.accept().await.unwrap();
            count += usize::from(acceptor.accept(stream).await.is_err());
        }
        count
    });
    for kind in KINDS {
        let outcome = ask(&*bare(provider_at(kind, &format!("https://{address}"))), &gata()).await;
        assert!(
            matches!(&outcome, Err(Error::Unreachable { cause, .. }) if cause.contains("certificate")),
            "{outcome:?}"
        );
    }
    assert_eq!(refused.await.unwrap(), KINDS.len(), "the fault took place");
}

/// TLS with a certificate of its own making.
fn distrusted(directory: &Path) -> TlsAcceptor {
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let certificate = CertificateDer::from_pem_file(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
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

#[tokio::test]
async fn positions_that_are_none_are_not_taken() {
    for (lat, lng) in [(91.0, 0.0), (-90.1, 0.0), (0.0, 180.1), (0.0, 0.0), (-0.0, 0.0), (64.0, -200.0)] {
        let reply = |kind| Reply::Json(answer(kind, &number(kind, lat), &number(kind, lng)));
        tells!(reply, 5_000, Error::Malformed { .. });
    }
    for bad in [json!(null), json!("abc"), json!("NaN"), json!("1e400"), json!([]), json!({}), json!(true)] {
        tells!(|kind| Reply::Json(answer(kind, &bad, &bad)), 5_000, Error::Malformed { .. });
    }
    // The other kind of number: a text where a number belongs, and a number where a text does.
    let other = |kind| if kind == Kind::Nominatim { json!(64.1) } else { json!("64.1") };
    tells!(|kind| Reply::Json(answer(kind, &other(kind), &other(kind))), 5_000, Error::Malformed { .. });
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
    let geocoder = build(&config, &LocalLimits::default(), Timestamp::now).unwrap().unwrap();
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
    let geocoder = build(&config, &LocalLimits::default(), Timestamp::now).unwrap().unwrap();
    assert!(matches!(ask(&*geocoder, &gata()).await, Err(Error::QuotaUsed { .. })));
    let failure = ask(&*geocoder, &super::fake::line("Other 1")).await.unwrap_err();
    assert!(matches!(failure, Error::Resting { .. }), "{failure:?}");
    assert!(failure.retry_after().is_some_and(|wait| wait > Duration::from_mins(50)));
    assert_eq!(stub.count(), 1);
}

/// What is on the way to a provider ends when nobody waits for it: 200 callers go away, and no connection stays.
#[tokio::test]
async fn callers_that_go_away_leave_nothing_behind() {
    let stub = Stub::always(Reply::Silent).await;
    let geocoder = bare(provider_at(Kind::Photon, &stub.url));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let geocoder = Arc::clone(&geocoder);
        calls.spawn(async move { ask(&*geocoder, &gata()).await.map(|found| found.len()) });
    }
    while stub.count() < 200 {
        tokio::task::yield_now().await;
    }
    calls.shutdown().await;
    drop(geocoder);
    let mut told = String::new();
    for received in stub.received() {
        writeln!(told, "{}", stub::Received::path(&received)).unwrap();
    }
    assert_eq!(told.lines().count(), 200);
}
