//! Certificate and key to a TLS acceptor, which takes up new files without a restart.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::Error;
use crate::config::Tls;
use crate::secret_file;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What a server shows to new connections. Those that are open go on with what they were shown.
#[derive(Debug)]
pub(super) struct Certificates {
    files: Tls,
    current: ArcSwap<CertifiedKey>,
    /// The files as they were read last, whether they would do or not.
    read: Mutex<[Stamp; 2]>,
}

/// What tells that a file is another, or was written: device, inode, size, time of change. Nothing for none.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

impl Certificates {
    /// Reads a certificate and its key.
    pub(super) fn open(files: &Tls) -> Result<Arc<Self>, Error> {
        // Before they are read: what changes meanwhile is read again.
        let stamps = Mutex::new(stamps(files));
        let current = ArcSwap::from_pointee(read(files)?);
        Ok(Arc::new(Self { files: files.clone(), current, read: stamps }))
    }

    /// An acceptor of TLS 1.2 and 1.3, HTTP/2 preferred, for what is read now and what will be.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|cause| refuse(&self.files.certificate, cause.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads the files again. Where they will not do, what was read before stays.
    pub(super) fn reload(&self) {
        *self.read.lock() = stamps(&self.files);
        match read(&self.files) {
            Ok(read) => {
                self.current.store(Arc::new(read));
                info!(path = %self.files.certificate.display(), "the certificate was read");
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

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(files: &Tls) -> Result<CertifiedKey, Error> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| refuse(&files.certificate, cause.to_string()))?;
    if chain.is_empty() {
        return Err(refuse(&files.certificate, "it holds no certificate".to_owned()));
    }
    secret_file::refuse_open(&files.key).map_err(|cause| refuse(&files.key, cause))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|cause| refuse(&files.key, cause.to_string()))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|cause| refuse(&files.certificate, cause.to_string()))
}

fn refuse(path: &Path, cause: String) -> Error {
    Error::Tls { path: path.to_owned(), cause }
}

fn stamps(files: &Tls) -> [Stamp; 2] {
    [&files.certificate, &files.key].map(|path| stamp(path))
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
