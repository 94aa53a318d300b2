//! Certificates that are not good: whoever shows one hears no request, and the reason is told.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::super::fake::gata;
use super::super::worlds::{KINDS, provider_at};
use super::super::{Candidate, Error};
use super::{ask, bare, photon};

/// The options of a new key.
const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

fn openssl(directory: &Path, arguments: &[&str]) {
    let made = Command::new("openssl").current_dir(directory).args(arguments).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// An authority in this directory; its certificate.
fn authority(directory: &Path) -> PathBuf {
    let more = ["-days", "2", "-subj", "/CN=authority", "-addext", "basicConstraints=critical,CA:TRUE"];
    let files = ["-keyout", "authority.key", "-out", "authority.pem"];
    openssl(directory, &[&["req", "-x509"], &KEY[..], &more, &files].concat());
    directory.join("authority.pem")
}

/// A certificate of the authority in this directory, for so many days from now and for this name.
fn issued(directory: &Path, days: &str, name: &str) -> TlsAcceptor {
    openssl(
        directory,
        &[&["req"], &KEY[..], &["-subj", "/CN=stub", "-keyout", "key.pem", "-out", "request.pem"]].concat(),
    );
    std::fs::write(
        directory.join("extensions"),
        format!("subjectAltName={name}\nbasicConstraints=critical,CA:FALSE\n"),
    )
    .unwrap();
    let signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-extfile", "extensions"];
    openssl(
        directory,
        &[&["x509", "-req", "-in", "request.pem", "-days", days, "-out", "cert.pem"], &signed[..]].concat(),
    );
    acceptor(directory)
}

/// A certificate of its own making.
fn self_signed(directory: &Path) -> TlsAcceptor {
    let more = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    let files = ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"];
    openssl(directory, &[&["req", "-x509"], &KEY[..], &more, &files].concat());
    acceptor(directory)
}

fn acceptor(directory: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(directory.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(directory.join("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A server with this certificate that finds nothing; tells of each of `clients` whether it sent a request.
async fn serve(acceptor: TlsAcceptor, clients: usize) -> (String, JoinHandle<Vec<bool>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut heard = Vec::new();
        while heard.len() < clients {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                heard.push(false);
                continue;
            };
            let read = stream.read(&mut [0; 4_096]).await.unwrap_or_default();
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(format!("{head}{{\"features\":[]}}").as_bytes()).await;
            let _ = stream.shutdown().await;
            heard.push(read > 0);
        }
        heard
    });
    (url, serving)
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (url, serving) = serve(self_signed(directory.path()), KINDS.len()).await;
    for kind in KINDS {
        let outcome = ask(&*bare(provider_at(kind, &url)), &gata()).await;
        assert!(
            matches!(&outcome, Err(Error::Unreachable { cause, .. }) if cause.contains("certificate")),
            "{outcome:?}"
        );
    }
    assert_eq!(serving.await.unwrap(), [false; KINDS.len()], "the fault took place, and nobody was told anything");
}

/// What a provider makes of a server with this certificate, if it trusts the authority; and whether the server was told
/// anything.
async fn trusting(authority: &Path, acceptor: TlsAcceptor) -> (Result<Vec<Candidate>, Error>, Vec<bool>) {
    let (url, serving) = serve(acceptor, 1).await;
    let authority = reqwest::Certificate::from_pem(&std::fs::read(authority).unwrap()).unwrap();
    let photon = photon(&url, Duration::from_secs(5), |builder| builder.tls_certs_only([authority]));
    (ask(&photon, &gata()).await, serving.await.unwrap())
}

#[tokio::test]
async fn a_certificate_that_is_over_or_of_another_host_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path());
    let good = issued(directory.path(), "2", "IP:127.0.0.1");
    assert_eq!(trusting(&authority, good).await, (Ok(Vec::new()), vec![true]), "the authority is trusted");
    for (days, name, why) in
        [("-1", "IP:127.0.0.1", "Expired"), ("2", "IP:127.0.0.2,DNS:maps.example", "not valid for name")]
    {
        let (outcome, heard) = trusting(&authority, issued(directory.path(), days, name)).await;
        assert!(matches!(&outcome, Err(Error::Unreachable { cause, .. }) if cause.contains(why)), "{why}: {outcome:?}");
        assert_eq!(heard, [false], "{why}");
    }
}
