//! Who calls and from where: the connection's peer, the credential, the proxies' headers.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, header};

use super::status::Failure;
use crate::model::access::Principal;
use crate::model::location::NoEstimate;
use crate::service::{Error, Waymark};

/// The other end of the connection that a request came by. Put into each request's extensions by the listener.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

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

/// The principal behind a gRPC request.
pub(super) fn of<T>(waymark: &Waymark, request: &tonic::Request<T>) -> Result<Principal, tonic::Status> {
    Ok(principal(waymark, request.metadata().as_ref())?)
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
