//! The TLS handshake of a connection: within its time, and with what the client's certificate says of it. One that will not do ends
//! it, is counted each time, and told of now and then.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error as TlsError};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};
use webpki::EndEntityCert;

use super::tls::Certificates;
use crate::api::PeerCertificate;
use crate::api::traffic::{CertificateFault, Connections, End};

/// Time for the TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// The log says at most this often that certificates were refused: anybody can bring that about.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// The handshakes of one listener.
#[derive(Debug)]
pub(super) struct Handshakes {
    certificates: Arc<Certificates>,
    refused: Seldom,
}

impl Handshakes {
    pub(super) fn new(certificates: Arc<Certificates>) -> Self {
        Self { certificates, refused: Seldom::default() }
    }

    /// Secures a connection; with the certificate that its client showed, where it did. Else how the connection ends.
    pub(super) async fn shake(
        &self,
        stream: TcpStream,
        connections: &Connections,
    ) -> Result<(TlsStream<TcpStream>, Option<PeerCertificate>), End> {
        match timeout(HANDSHAKE_TIME, self.certificates.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).and_then(read);
                Ok((stream, shown))
            }
            Ok(Err(cause)) => {
                self.failed(&cause, connections);
                Err(End::Left)
            }
            Err(_) => {
                debug!("a TLS handshake took too long");
                Err(End::Silent)
            }
        }
    }

    fn failed(&self, cause: &io::Error, connections: &Connections) {
        let Some(fault) = fault_of(cause) else { return debug!(%cause, "a TLS handshake failed") };
        connections.refuse_certificate(fault);
        if let Some(refused) = self.refused.note() {
            let reason = fault.name();
            warn!(
                reason, %cause, refused,
                "client certificates were refused: this is one of them, see waymark_client_certificates_refused_total"
            );
        }
    }
}

/// Why a handshake failed, where it did by the client's certificate.
fn fault_of(cause: &io::Error) -> Option<CertificateFault> {
    match cause.get_ref()?.downcast_ref::<TlsError>()? {
        TlsError::NoCertificatesPresented => Some(CertificateFault::Missing),
        TlsError::InvalidCertificate(cause) => Some(match cause {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => CertificateFault::Expired,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => CertificateFault::Untrusted,
            _ => CertificateFault::Unfit,
        }),
        _ => None,
    }
}

/// What a certificate that was found good says of its bearer.
fn read(certificate: &CertificateDer<'_>) -> Option<PeerCertificate> {
    // Whoever found it good parsed it in the same way.
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    let key_sha256 = Sha256::digest(parsed.subject_public_key_info()).into();
    Some(PeerCertificate::new(key_sha256, parsed.valid_uri_names(), parsed.valid_dns_names()))
}

/// What is told of at most once a minute, with how often it was meanwhile.
#[derive(Debug, Default)]
struct Seldom(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    count: u64,
    told_at: Option<Instant>,
}

impl Seldom {
    /// Takes note of one more; how many there were since the last time where they are to be told now.
    fn note(&self) -> Option<u64> {
        let mut untold = self.0.lock();
        untold.count += 1;
        if untold.told_at.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return None;
        }
        untold.told_at = Some(Instant::now());
        Some(std::mem::take(&mut untold.count))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[test]
    fn faults_of_certificates_are_told_from_others() {
        let fault = |cause: TlsError| fault_of(&io::Error::new(io::ErrorKind::InvalidData, cause));
        let of = |cause: CertificateError| fault(TlsError::InvalidCertificate(cause));
        assert_eq!(fault(TlsError::NoCertificatesPresented), Some(CertificateFault::Missing));
        assert_eq!(of(CertificateError::Expired), Some(CertificateFault::Expired));
        assert_eq!(of(CertificateError::NotValidYet), Some(CertificateFault::Expired));
        assert_eq!(of(CertificateError::UnknownIssuer), Some(CertificateFault::Untrusted));
        assert_eq!(of(CertificateError::BadSignature), Some(CertificateFault::Untrusted));
        assert_eq!(of(CertificateError::InvalidPurpose), Some(CertificateFault::Unfit));
        assert_eq!(fault(TlsError::NoApplicationProtocol), None);
        assert_eq!(fault_of(&io::Error::from(io::ErrorKind::UnexpectedEof)), None);
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        for bytes in [&b""[..], b"\x30\x03\x02\x01\x01", b"-----BEGIN CERTIFICATE-----"] {
            assert!(read(&CertificateDer::from(bytes)).is_none(), "{bytes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_told_once_a_minute_with_their_number() {
        let seldom = Seldom::default();
        assert_eq!(seldom.note(), Some(1));
        assert_eq!([seldom.note(), seldom.note()], [None, None]);
        advance(TELL_EVERY).await;
        assert_eq!(seldom.note(), Some(3));
        assert_eq!(seldom.note(), None);
    }
}
