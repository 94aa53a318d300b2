//! TLS, and what is answered to paths and methods that are not there.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::lifecycle::{SIGHUP, client};
use super::server::{Server, command, refusal};

/// For whatever has to come, on a busy machine.
const COMES_MAX: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[test]
fn the_token_is_not_sent_in_the_clear() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let listening = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = [0; 3];
        stream.read_exact(&mut seen).unwrap();
        seen
    });
    let output = Command::new(env!("CARGO_BIN_EXE_waymark"))
        .args(["account", "list", "--server", &url])
        .env("WAYMARK_TOKEN", "wmk_secret")
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert_eq!(listening.join().unwrap()[..2], [0x16, 0x03], "a TLS hello, not a request");
    let far = Command::new(env!("CARGO_BIN_EXE_waymark"))
        .args(["account", "list", "--server", "http://192.0.2.1:1"])
        .env("WAYMARK_TOKEN", "wmk_secret")
        .output()
        .unwrap();
    assert!(String::from_utf8(far.stderr).unwrap().contains("another machine"));
}

/// Asks with curl, which speaks everything; gives the status code and the body.
fn curl(arguments: &[&str]) -> (String, String) {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20", "-w", "\n%{http_code}"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (body, code) = text.rsplit_once('\n').unwrap();
    (code.to_owned(), body.to_owned())
}

#[test]
fn probes_pages_and_missing_paths_answer() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let ask = |path: &str| curl(&[&format!("{}{path}", server.url)]);
    assert_eq!(ask("/healthz"), ("200".into(), "alive\n".into()));
    assert_eq!(ask("/readyz"), ("200".into(), "ready\n".into()));
    assert_eq!(ask("/nothing/here").0, "404");
    assert_eq!(ask("/v1/accounts/acme/tiles/0/0/0.mvt").0, "401");
    let unknown = curl(&[
        "--http2-prior-knowledge",
        "-D",
        "-",
        "-H",
        "content-type: application/grpc",
        "-d",
        "",
        &format!("{}/waymark.v1.SiteService/Explode", server.url),
    ]);
    assert!(unknown.1.contains("grpc-status: 12"), "UNIMPLEMENTED: {}", unknown.1);
}

/// A new certificate of this machine that signs itself, and its key, in files of these names.
fn certify(directory: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

#[test]
fn tls_serves_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = certify(directory.path(), "one");
    let mut command = command(directory.path());
    command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
    let server = Server::spawn(&mut command);
    assert!(server.url.starts_with("https://"));
    let trust = certificate.to_str().unwrap();
    for version in ["--http1.1", "--http2"] {
        let (code, _) = curl(&[version, "--cacert", trust, &format!("{}/readyz", server.url)]);
        assert_eq!(code, "200", "{version}");
    }
    let token = server.admin_token.clone().unwrap();
    let trusting = client(&server, &token, &["account", "list", "--ca", trust]);
    assert!(trusting.status.success(), "{}", String::from_utf8_lossy(&trusting.stderr));
    let distrusting = client(&server, &token, &["account", "list"]);
    assert!(!distrusting.status.success(), "a certificate that nobody trusts was taken");
}

#[test]
fn a_handshake_that_never_ends_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = certify(directory.path(), "one");
    let mut command = command(directory.path());
    command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
    let server = Server::spawn(&mut command);
    for beginning in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut silent = TcpStream::connect(server.address()).unwrap();
        // Far above the server's own limit: this only keeps a broken server from hanging the test.
        silent.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        silent.write_all(beginning).unwrap();
        assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0, "closed by the server");
    }
}

/// Whether the server shows a certificate that this one vouches for.
fn shows(server: &Server, trust: &Path) -> bool {
    let asked = Command::new("curl")
        .args(["-sS", "--max-time", "20", "--cacert"])
        .arg(trust)
        .arg(format!("{}/readyz", server.url))
        .output()
        .unwrap();
    asked.status.success()
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = certify(directory.path(), "current");
    let first = directory.path().join("first.pem");
    fs::copy(&certificate, &first).unwrap();
    let mut command = command(directory.path());
    command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
    let server = Server::spawn(&mut command);
    assert!(shows(&server, &first));

    // Files that will not do change nothing: no certificate, then one that the key does not belong to.
    let (second, second_key) = certify(directory.path(), "second");
    for other in [Vec::new(), fs::read(&second).unwrap()] {
        fs::write(&certificate, other).unwrap();
        server.signal(SIGHUP);
        assert!(shows(&server, &first));
    }
    fs::rename(&second_key, &key).unwrap();
    server.signal(SIGHUP);
    let begun = Instant::now();
    while !shows(&server, &second) {
        assert!(begun.elapsed() < COMES_MAX, "the new certificate was not shown");
        sleep(LOOK_EVERY);
    }
    assert!(!shows(&server, &first), "the old one is shown still");
}

#[test]
fn a_key_that_everybody_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = certify(directory.path(), "open");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let mut command = command(directory.path());
    let told = refusal(command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key));
    assert!(told.contains("chmod o-r"), "{told}");
}
