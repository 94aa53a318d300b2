//! Under which address callers reach this server, for documents that name others of its addresses in full: as the operator says,
//! else as the request itself says.
//!
//! Nothing is decided by it, and nobody but who asks is told what they said.

use http::uri::Authority;
use http::{HeaderMap, Uri, header};

pub use crate::model::public_url::PublicUrl;
use crate::model::public_url::is_host;

/// How the main listener is reached, as far as it is known without a request.
#[derive(Debug, Clone, Default)]
pub struct Reached {
    /// What the operator says; it goes before all that requests say.
    pub public_url: Option<PublicUrl>,
    /// Whether the listener itself speaks TLS.
    pub is_tls: bool,
    /// Whether a proxy stands before it: which scheme callers speak with that one, and by which name, no request says.
    pub is_behind_proxy: bool,
}

impl Reached {
    /// Whether what `base` answers is of the request.
    pub(super) fn is_told_by_requests(&self) -> bool {
        self.public_url.is_none() && !self.is_behind_proxy
    }

    /// What paths of this server stand behind, without a slash at its end; `None` where neither the operator nor the request says, or
    /// the request says two things.
    ///
    /// A request says which host it is for, and that is its caller's own word: what is made of it goes into the answer to that
    /// request, and nowhere else.
    pub(super) fn base(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        if let Some(url) = &self.public_url {
            return Some(url.as_str().to_owned());
        }
        if self.is_behind_proxy {
            return None;
        }
        // HTTP/2 says it in the address, HTTP/1.1 in a header.
        let mut said: Vec<&str> = uri.authority().map(Authority::as_str).into_iter().collect();
        for host in headers.get_all(header::HOST) {
            said.push(host.to_str().ok()?);
        }
        let (host, others) = said.split_first()?;
        let is_one = headers.get_all(header::HOST).iter().nth(1).is_none();
        if !is_one || others.iter().any(|other| !other.eq_ignore_ascii_case(host)) {
            return None;
        }
        let scheme = if self.is_tls { "https" } else { "http" };
        is_host(host).then(|| format!("{scheme}://{host}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> Option<PublicUrl> {
        text.parse().ok()
    }

    /// The base for a request to an address, with a `host` or without.
    fn base(public_url: Option<&str>, is_tls: bool, uri: &str, host: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        let public_url = public_url.map(|text| public(text).unwrap());
        Reached { public_url, is_tls, is_behind_proxy: false }.base(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn a_request_says_its_host_where_the_operator_says_nothing() {
        let host = Some("maps.example.com:8642");
        assert_eq!(base(None, false, "/v1/x", host).as_deref(), Some("http://maps.example.com:8642"));
        assert_eq!(base(None, true, "/v1/x", host).as_deref(), Some("https://maps.example.com:8642"));
        // HTTP/2, which may have a `host` beside its address.
        let whole = "http://[::1]:8642/v1/x";
        assert_eq!(base(None, false, whole, None).as_deref(), Some("http://[::1]:8642"));
        let named = "http://Maps.example.com:8642/v1/x";
        assert_eq!(base(None, true, named, host).as_deref(), Some("https://Maps.example.com:8642"));
        let told = Some("https://waymark.example.com/maps/");
        assert_eq!(base(told, false, whole, host).as_deref(), Some("https://waymark.example.com/maps"));
    }

    #[test]
    fn who_says_two_things_says_nothing() {
        assert_eq!(base(None, true, "http://[::1]:8642/v1/x", Some("maps.example.com")), None);
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "maps.example.com".parse().unwrap());
        let reached = Reached::default();
        let uri: Uri = "/v1/x".parse().unwrap();
        assert!(reached.base(&uri, &headers).is_some() && reached.is_told_by_requests());
        headers.append(header::HOST, "maps.example.com".parse().unwrap());
        assert_eq!(reached.base(&uri, &headers), None);
    }

    #[test]
    fn behind_a_proxy_the_operator_alone_says() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "maps.example.com".parse().unwrap());
        let uri: Uri = "/v1/x".parse().unwrap();
        let behind = Reached { is_behind_proxy: true, ..Reached::default() };
        assert_eq!(behind.base(&uri, &headers), None);
        let told = Reached { public_url: public("https://waymark.example.com"), ..behind };
        assert_eq!(told.base(&uri, &headers).as_deref(), Some("https://waymark.example.com"));
        assert!(!told.is_told_by_requests());
    }

    #[test]
    fn what_is_no_host_is_taken_for_none() {
        for host in [
            "",
            ":80",
            "example.com:0",
            "example.com:65536",
            "example.com:",
            "user@example.com",
            "example.com/x",
            "a b",
            "{z}",
            "exa\"mple",
            "example.com?x",
        ] {
            assert_eq!(base(None, false, "/v1/x", Some(host)), None, "{host}");
        }
        assert_eq!(base(None, false, "/v1/x", None), None);
        assert_eq!(base(None, false, "/v1/x", Some(&"x".repeat(1_024))), None);
    }
}
