//! Addresses at which others reach this server, as an operator states them: what documents and links begin with.

use std::num::NonZeroU16;
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;
use serde::Deserialize;

use super::host::is_this_machine;

/// Longest address, and longest `host:port`, in bytes: a name of DNS has 253 at most.
const ADDRESS_BYTES_MAX: usize = 512;

/// What an operator may write.
const EXPECTED: &str =
    "an address such as https://waymark.example.com, of at most 512 bytes, without user, query or fragment";

/// An address that others stand behind: `https://host`, perhaps with a port and a path, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(String);

impl PublicUrl {
    /// As it is written, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nobody reads on the way what is sent there: by TLS, or because it is this machine.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let uri = self.0.parse::<Uri>();
        uri.is_ok_and(|uri| uri.scheme_str() == Some("https") || uri.host().is_some_and(is_this_machine))
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let is_web = matches!(uri.scheme_str(), Some("https" | "http"));
        let has_host = uri.authority().is_some_and(|authority| is_host(authority.as_str()));
        // Braces would be taken for those of a template.
        let is_bare = !text.contains(['?', '#', '{', '}']);
        let fits = text.len() <= ADDRESS_BYTES_MAX;
        if is_web && has_host && is_bare && fits {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(EXPECTED)
        }
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Whether a text is a host, perhaps with a port from 1 to 65,535, and holds nothing that could be taken for more.
#[must_use]
pub fn is_host(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let is_port = |port: &str| {
        port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<NonZeroU16>().is_ok())
    };
    text.len() <= ADDRESS_BYTES_MAX
        && text.bytes().all(is_plain)
        && text.parse::<Authority>().is_ok_and(|authority| {
            !authority.host().is_empty() && text.strip_prefix(authority.host()).is_some_and(is_port)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_writes_an_address_of_the_web_and_nothing_behind_it() {
        for (text, expected) in [
            ("https://waymark.example.com", "https://waymark.example.com"),
            ("https://waymark.example.com/", "https://waymark.example.com"),
            ("http://10.0.0.7:8642", "http://10.0.0.7:8642"),
            ("https://[2001:db8::1]:8443/maps/", "https://[2001:db8::1]:8443/maps"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().ok(), Some(PublicUrl(expected.to_owned())), "{text}");
        }
        for text in [
            "",
            "x",
            "waymark.example.com",
            "//waymark.example.com",
            "ftp://waymark.example.com",
            "https://",
            "https://user@waymark.example.com",
            "https://waymark.example.com/?a=b",
            "https://waymark.example.com/#a",
            "https://waymark.example.com/{z}",
            "https://way mark.example.com",
            "https://waymark.example.com:0",
            "https://waymark.example.com:65536",
            "https://waymark.example.com:",
            &format!("https://waymark.example.com/{}", "x".repeat(ADDRESS_BYTES_MAX)),
        ] {
            assert_eq!(text.parse::<PublicUrl>().ok(), None, "{text}");
        }
    }

    #[test]
    fn what_is_sent_there_is_read_by_nobody_on_the_way() {
        for (text, expected) in [
            ("https://waymark.example.com", true),
            ("http://127.0.0.1:8642", true),
            ("http://localhost", true),
            ("http://[::1]:1/x", true),
            ("http://waymark.example.com", false),
            ("http://10.0.0.7:8642", false),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().is_private(), expected, "{text}");
        }
    }
}
