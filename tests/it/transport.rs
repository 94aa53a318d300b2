//! TLS, and what is answered to paths and methods that are not there.

use std::process::Command;

use super::server::{Server, command};

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

#[test]
fn tls_serves_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut command = command(directory.path());
    command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
    let server = Server::spawn(&mut command);
    assert!(server.url.starts_with("https://"));
    let trust = certificate.to_str().unwrap();
    for version in ["--http1.1", "--http2"] {
        let (code, _) = curl(&[version, "--cacert", trust, &format!("{}/readyz", server.url)]);
        assert_eq!(code, "200", "{version}");
    }
}
