//! Certificate, key, and the authorities of clients to a TLS acceptor, which takes up new files without a restart.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::Error;
use crate::config::{ClientCertificates, Tls};
use crate::secret_file;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What a server shows to new connections, and asks of them. Those that are open go on as they began.
#[derive(Debug)]
pub(super) struct Certificates {
    files: Tls,
    current: ArcSwap<ServerConfig>,
    /// The files as they were read last, whether they would do or not.
    read: Mutex<[Stamp; 3]>,
}

/// What tells that a file is another, or was written: device, inode, size, time of change. Nothing for none.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

impl Certificates {
    /// Reads a certificate and its key, and whose certificates clients may show.
    pub(super) fn open(files: &Tls) -> Result<Arc<Self>, Error> {
        // Before they are read: what changes meanwhile is read again.
        let stamps = Mutex::new(stamps(files));
        let current = ArcSwap::from_pointee(read(files)?);
        Ok(Arc::new(Self { files: files.clone(), current, read: stamps }))
    }

    /// An acceptor for one connection, by the files that were read last.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Reads the files again. Where they will not do, what was read before stays.
    pub(super) fn reload(&self) {
        *self.read.lock() = stamps(&self.files);
        match read(&self.files) {
            Ok(read) => {
                self.current.store(Arc::new(read));
                info!(path = %self.files.certificate.display(), "the certificate, and what is asked of clients, was read");
            }
            Err(cause) => warn!(%cause, "the certificate was not read again, the former one stays"),
        }
    }

    /// Looks at the files, for ever, and reads them again when they are others and have come to rest: whoever renews a
    /// certificate writes two files.
    pub(super) async fn watch(&self) {
        let mut seen = *self.read.lock();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let found = stamps(&self.files);
            if found != *self.read.lock() && found == seen {
                self.reload();
            }
            seen = found;
        }
    }
}

/// TLS 1.2 and 1.3, HTTP/2 preferred.
fn read(files: &Tls) -> Result<ServerConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = certified_key(files, &provider)?;
    let verifier = verifier(files, &provider)?;
    let asks = verifier.is_some();
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| refuse(&files.certificate, cause.to_string()))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if asks {
        // A session that is taken up again shows no certificate anew: one that expired meanwhile would be taken for a day.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

fn certified_key(files: &Tls, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
    let chain = certificates_in(&files.certificate)?;
    secret_file::refuse_open(&files.key).map_err(|cause| refuse(&files.key, cause))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|cause| refuse(&files.key, cause.to_string()))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|cause| refuse(&files.certificate, cause.to_string()))
}

/// Who judges certificates of clients; nobody where none is asked for.
fn verifier(files: &Tls, provider: &Arc<CryptoProvider>) -> Result<Option<Arc<dyn ClientCertVerifier>>, Error> {
    let Some(path) = files.client_ca_file.as_ref().filter(|_| files.asks() != ClientCertificates::Off) else {
        return Ok(None);
    };
    let mut authorities = RootCertStore::empty();
    for authority in certificates_in(path)? {
        authorities.add(authority).map_err(|cause| refuse(path, cause.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(provider));
    let builder = if files.asks() == ClientCertificates::Optional { builder.allow_unauthenticated() } else { builder };
    builder.build().map(Some).map_err(|cause| refuse(path, cause.to_string()))
}

/// The certificates of a file, at least one.
fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| refuse(path, cause.to_string()))?;
    if found.is_empty() { Err(refuse(path, "it holds no certificate".to_owned())) } else { Ok(found) }
}

fn refuse(path: &Path, cause: String) -> Error {
    Error::Tls { path: path.to_owned(), cause }
}

fn stamps(files: &Tls) -> [Stamp; 3] {
    [Some(&files.certificate), Some(&files.key), files.client_ca_file.as_ref()]
        .map(|path| path.and_then(|path| stamp(path)))
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
