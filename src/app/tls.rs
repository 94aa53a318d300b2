//! Certificate and key to a TLS acceptor.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::Error;
use crate::config::Tls;

/// The acceptor for a certificate and its key: TLS 1.2 and 1.3, HTTP/2 preferred.
pub(super) fn acceptor(tls: &Tls) -> Result<TlsAcceptor, Error> {
    let refuse = |path: &Path, cause: String| Error::Tls { path: path.to_owned(), cause };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| refuse(&tls.certificate, cause.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|cause| refuse(&tls.key, cause.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|cause| refuse(&tls.certificate, cause.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
