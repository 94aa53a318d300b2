//! Which certificate a token is for, as a command line says it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::ParsedCertificate;
use sha2::{Digest as _, Sha256};

use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::certificate_binding::KnownBy;

/// One of them, for a token that has no secret.
#[derive(Debug, clap::Args)]
#[group(id = "known_by", multiple = false)]
pub(super) struct Arguments {
    /// For whoever connects with the key of this certificate, PEM, and brings no token; the operator alone makes such a token
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// For whoever connects with a certificate that has this URI among its alternative names, such as `spiffe://example.org/agent/7`
    #[arg(long)]
    certificate_uri: Option<String>,
    /// For whoever connects with a certificate that has this DNS name among its alternative names
    #[arg(long)]
    certificate_dns: Option<String>,
}

impl Arguments {
    /// By what the certificate is known; nothing where the token is to have a secret.
    pub(super) fn binding(self) -> anyhow::Result<Option<pb::CertificateBinding>> {
        let known_by = match self {
            Self { certificate: Some(path), .. } => {
                KnownBy::KeySha256(key_sha256(&path).with_context(|| path.display().to_string())?)
            }
            Self { certificate_uri: Some(uri), .. } => KnownBy::Uri(uri),
            Self { certificate_dns: Some(name), .. } => KnownBy::DnsName(name),
            _ => return Ok(None),
        };
        Ok(Some(pb::CertificateBinding { known_by: Some(known_by) }))
    }
}

/// The SHA-256 of the public key of the first certificate in a file.
fn key_sha256(path: &Path) -> anyhow::Result<Vec<u8>> {
    let read = CertificateDer::from_pem_file(path).map_err(|cause| anyhow!("it holds no certificate: {cause}"))?;
    let parsed = ParsedCertificate::try_from(&read).map_err(|cause| anyhow!("it holds no certificate: {cause}"))?;
    Ok(Sha256::digest(parsed.subject_public_key_info()).to_vec())
}
