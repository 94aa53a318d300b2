//! Who calls and from where: the connection's peer and certificate, the credential, the proxies' headers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::{Extensions, HeaderMap, header};

use super::protocol;
use super::status::Failure;
use crate::error::{Fault as _, Reason};
use crate::model::access::Principal;
use crate::model::certificate::ClientCertificate;
use crate::model::location::NoEstimate;
use crate::service::certificates::Credential;
use crate::service::{Error, Waymark};

/// The other end of the connection that a request came by. Put into each request's extensions by the listener.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The certificate that the other end of the connection showed, and that was found good. Put into each request's extensions by the
/// listener.
#[derive(Debug, Clone)]
pub struct PeerCertificate(Arc<ClientCertificate>);

impl PeerCertificate {
    /// The certificate of a key, by the SHA-256 of its `SubjectPublicKeyInfo`, with these subject alternative names.
    #[must_use]
    pub fn new<'a>(
        key_sha256: [u8; 32],
        uris: impl Iterator<Item = &'a str>,
        dns_names: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self(Arc::new(ClientCertificate::new(key_sha256, uris, dns_names)))
    }
}

/// The certificate that says who makes a call of gRPC: that of the connection, where no token is sent, good or not. A page of another
/// site cannot make a browser send such a call, which shows its certificate to whoever asks.
fn certificate<'a>(headers: &HeaderMap, extensions: &'a Extensions) -> Option<&'a ClientCertificate> {
    let is_grpc = protocol::is_grpc(headers);
    let shown = extensions.get::<PeerCertificate>();
    shown.filter(|_| is_grpc && !headers.contains_key(header::AUTHORIZATION)).map(|shown| &*shown.0)
}

/// What a call shows of who makes it.
pub(super) fn shown<'a>(headers: &'a HeaderMap, extensions: &'a Extensions) -> Result<Credential<'a>, Failure> {
    match certificate(headers, extensions) {
        Some(certificate) => Ok(Credential::Certificate(certificate)),
        None => credential(headers).map(Credential::Secret),
    }
}

/// The credential in the `authorization` header.
pub(super) fn credential(headers: &HeaderMap) -> Result<&str, Failure> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, credential) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(credential.trim())
    });
    bearer.ok_or(Failure(Error::Credential))
}

/// The principal behind the `authorization` header.
pub(super) fn principal(waymark: &Waymark, headers: &HeaderMap) -> Result<Principal, Failure> {
    waymark.authenticate(credential(headers)?).map_err(Failure)
}

/// The principal behind a call of gRPC: of its token, else of the connection's certificate.
pub(super) fn of_call(waymark: &Waymark, headers: &HeaderMap, extensions: &Extensions) -> Result<Principal, Failure> {
    waymark.identify(shown(headers, extensions)?).map_err(Failure)
}

/// Whether a credential was refused because nobody can judge it for now: the keys of its identity provider are away. Its bearer is
/// not at fault, and no stranger.
pub(super) fn is_unjudged(failure: &Failure) -> bool {
    failure.0.reason() == Reason::NotReady
}

/// The principal behind a gRPC request.
pub(super) fn of<T>(waymark: &Waymark, request: &tonic::Request<T>) -> Result<Principal, tonic::Status> {
    Ok(of_call(waymark, request.metadata().as_ref(), request.extensions())?)
}

/// The address under which a caller's requests are counted: the public one, or where proxies do not tell it the proxy's own.
pub(super) fn counted_ip(waymark: &Waymark, peer: Option<&Peer>, headers: &HeaderMap) -> Option<IpAddr> {
    public_ip(waymark, peer, headers).ok().or_else(|| peer.map(|peer| peer.0.ip()))
}

/// The public address that a request came from.
pub(super) fn public_ip(waymark: &Waymark, peer: Option<&Peer>, headers: &HeaderMap) -> Result<IpAddr, NoEstimate> {
    // A request without a peer did not come by a listener of ours.
    let peer = peer.ok_or(NoEstimate::UnknownAddress)?;
    // A header that is not even text is garbage that stops the walk, not a header that is not there.
    let lines = |name: &str| -> Vec<&str> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("\u{fffd}")).collect()
    };
    waymark.public_ip(peer.0.ip(), &lines("forwarded"), &lines("x-forwarded-for"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who speaks for a call with this content type and `authorization`, over a connection with a certificate or without.
    fn speaks(content_type: &str, authorization: Option<&str>, has_certificate: bool) -> &'static str {
        let (mut headers, mut extensions) = (HeaderMap::new(), Extensions::new());
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        }
        if has_certificate {
            extensions.insert(PeerCertificate::new([7; 32], std::iter::empty(), std::iter::empty()));
        }
        match shown(&headers, &extensions) {
            Ok(Credential::Certificate(_)) => "certificate",
            Ok(Credential::Secret(_)) => "token",
            Err(_) => "nobody",
        }
    }

    #[test]
    fn a_token_speaks_before_a_certificate_and_a_certificate_for_calls_of_grpc_alone() {
        for (content_type, authorization, has_certificate, expected) in [
            ("application/grpc", None, true, "certificate"),
            ("application/grpc+proto", None, true, "certificate"),
            ("application/grpc-web+proto", None, true, "certificate"),
            ("application/grpc", None, false, "nobody"),
            ("application/grpc", Some("Bearer wmk_x"), true, "token"),
            ("application/grpc", Some("Basic eA=="), true, "nobody"),
            ("application/grpc", Some(""), true, "nobody"),
            // What a page of another site may send without asking.
            ("text/plain", None, true, "nobody"),
            ("application/x-www-form-urlencoded", None, true, "nobody"),
        ] {
            let found = speaks(content_type, authorization, has_certificate);
            assert_eq!(found, expected, "{content_type} {authorization:?} {has_certificate}");
        }
    }
}
