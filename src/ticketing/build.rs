//! From a system's name, a base URL and credentials to a connector.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use secrecy::{ExposeSecret as _, SecretString};

use super::Connector;
use super::autotask::Autotask;
use super::client::{Client, Setting, header, secret};
use super::connectwise::ConnectWise;
use super::error::Error;
use super::freshdesk::Freshdesk;
use super::freshservice::Freshservice;
use super::syncro::Syncro;
use super::zendesk::Zendesk;
use crate::model::Invalid;
use crate::model::ticketing::System;

/// Longest part of credentials, in bytes: the longest real ones have some 100.
const PART_BYTES_MAX: usize = 1_024;

/// What a connection is let in with, by the names of the system's facts. Nothing prints it.
#[derive(Clone, Default)]
pub struct Credentials(BTreeMap<String, SecretString>);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Credentials {
    /// The credentials of a system, each part of them checked for being one.
    ///
    /// # Errors
    /// Names the part that is missing, is none of the system's, or cannot be sent. Holds nothing of its value.
    pub fn new(system: System, mut parts: BTreeMap<String, String>) -> Result<Self, Invalid> {
        let facts = system.facts();
        let names: Vec<&str> = facts.credentials.iter().map(|part| part.name).collect();
        let mut checked = BTreeMap::new();
        for part in facts.credentials {
            let at = format!("credentials[{}]", part.name);
            let value = parts.remove(part.name).unwrap_or_default();
            let value = value.trim();
            if value.is_empty() {
                return Err(Invalid::new(at, format!("required for {}: {}", facts.display_name, part.about)));
            }
            if value.len() > PART_BYTES_MAX {
                return Err(Invalid::new(at, format!("at most {PART_BYTES_MAX} bytes, got {}", value.len())));
            }
            if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                return Err(Invalid::new(at, "printable ASCII alone can be sent"));
            }
            checked.insert(part.name.to_owned(), SecretString::from(value.to_owned()));
        }
        if !parts.is_empty() {
            let why = format!("{} needs {} and nothing else", facts.display_name, names.join(", "));
            return Err(Invalid::new("credentials", why));
        }
        Ok(Self(checked))
    }

    /// The parts, to be encrypted.
    #[must_use]
    pub fn expose(&self) -> BTreeMap<&str, &str> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect()
    }

    /// A part; empty where there is none.
    fn part(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.expose_secret())
    }
}

/// Builds the connector of a system. Connects nowhere yet.
pub fn connector(
    system: System,
    base: Url,
    credentials: &Credentials,
    setting: Setting,
) -> Result<Arc<dyn Connector>, Error> {
    let part = |name: &str| credentials.part(name);
    let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut pairs: Vec<(HeaderName, String)> = Vec::new();
    match system {
        System::ConnectWise => {
            let user = format!("{}+{}", part("company"), part("public_key"));
            pairs.push((AUTHORIZATION, basic(&user, part("private_key"))));
            pairs.push((header("clientid"), part("client_id").to_owned()));
        }
        System::Autotask => {
            pairs.push((header("username"), part("user_name").to_owned()));
            pairs.push((header("secret"), part("secret").to_owned()));
            pairs.push((header("apiintegrationcode"), part("integration_code").to_owned()));
        }
        System::Syncro => pairs.push((AUTHORIZATION, format!("Bearer {}", part("api_token")))),
        System::Zendesk => {
            pairs.push((AUTHORIZATION, basic(&format!("{}/token", part("email")), part("api_token"))));
        }
        // The password is not looked at, and must not be empty.
        System::Freshservice | System::Freshdesk => pairs.push((AUTHORIZATION, basic(part("api_key"), "X"))),
    }
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let value = secret(&value).map_err(|why| super::error::Cause::Malformed(why).of(system))?;
        headers.insert(name, value);
    }
    let user_name = part("user_name").to_owned();
    let client = |headers| Client::new(system, base, headers, setting);
    Ok(match system {
        System::ConnectWise => Arc::new(ConnectWise::new(client(ConnectWise::headers(headers))?)),
        System::Autotask => Arc::new(Autotask::new(client(headers)?, user_name)),
        System::Syncro => Arc::new(Syncro(client(headers)?)),
        System::Zendesk => Arc::new(Zendesk(client(headers)?)),
        System::Freshservice => Arc::new(Freshservice(client(headers)?)),
        System::Freshdesk => Arc::new(Freshdesk(client(headers)?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn credentials_are_those_of_the_system_and_are_never_shown() {
        let check = |pairs: &[(&str, &str)], expect: Option<&str>| {
            let made = Credentials::new(System::Zendesk, parts(pairs));
            let told = format!("{made:?}");
            assert!(!told.contains("Canary"), "{told}");
            assert_eq!(made.err().map(|fault| fault.field).as_deref(), expect, "{pairs:?}");
        };
        check(&[("email", "Canary@example.com"), ("api_token", "Canary")], None);
        check(&[("email", "Canary@example.com")], Some("credentials[api_token]"));
        check(&[("email", "a"), ("api_token", " ")], Some("credentials[api_token]"));
        check(&[("email", "a"), ("api_token", "Canary\r\nx: y")], Some("credentials[api_token]"));
        check(&[("email", "a"), ("api_token", "Canary\u{e9}")], Some("credentials[api_token]"));
        check(&[("email", "a"), ("api_token", &"Canary".repeat(500))], Some("credentials[api_token]"));
        check(&[("email", "a"), ("api_token", "b"), ("password", "Canary")], Some("credentials"));
    }
}
