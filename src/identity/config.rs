//! What an operator configures of identity providers: whose tokens are taken, and what they may do here.
//!
//! Nothing is allowed that is not written down: no algorithm, no role, and least of all the operator's.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;
use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;

use super::role::{Role, RoleMapping};
use crate::model::assignment::ASSIGNMENTS_MAX;
use crate::model::host::is_this_machine;
use crate::model::id::AccountId;

/// Most providers: each is asked for its keys for as long as the server runs.
const ISSUERS_MAX: usize = 32;
/// Longest `iss` and `aud` in bytes, and longest name or value of a claim: URLs, as a rule.
const NAME_BYTES_MAX: usize = 256;
/// Most roles that are mapped for a provider, and most accounts.
const ENTRIES_MAX: usize = 1_000;
/// Longest leeway in seconds: clocks that differ by more are wrong.
const LEEWAY_S_MAX: u32 = 60;
/// Default leeway in seconds.
const LEEWAY_S: u32 = 30;
/// Default age in seconds at which a token ends whatever it says: a day.
const TOKEN_AGE_MAX_S: NonZeroU32 = NonZeroU32::new(24 * 60 * 60).expect("a day is not 0");
/// Default seconds between two looks at a provider's keys.
const REFRESH_S: NonZeroU32 = NonZeroU32::new(5 * 60).expect("five minutes are not 0");
/// Default seconds between two looks where tokens come with keys that nobody knows.
const REFRESH_PAUSE_S: NonZeroU32 = NonZeroU32::new(30).expect("30 is not 0");
/// Default seconds for which keys are good that cannot be read again: a provider's bad day.
const STALE_MAX_S: NonZeroU32 = NonZeroU32::new(24 * 60 * 60).expect("a day is not 0");

/// Why the table is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many providers.
    #[error("auth.jwt: at most {ISSUERS_MAX} issuers")]
    TooMany,
    /// A setting of one of them.
    #[error("auth.jwt of {issuer:?}: {why}")]
    Setting {
        /// Which one.
        issuer: String,
        /// What is wrong, with the key and what to write.
        why: String,
    },
}

/// The `[auth]` table.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Auth")]
pub struct Config {
    /// Identity providers whose tokens (JWT) are taken beside waymark's own.
    pub jwt: Vec<Issuer>,
}

/// An identity provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuthJwt")]
pub struct Issuer {
    /// `iss` of its tokens, to the letter.
    pub issuer: String,
    /// What `aud` of a token has to be, or to hold.
    pub audience: String,
    /// File of its public keys, a JSON Web Key Set; read again like an address.
    pub jwks_file: Option<PathBuf>,
    /// Address of its public keys: `https://…`, or `http://…` on this machine alone.
    pub jwks_url: Option<String>,
    /// Algorithms that its tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the account: a name, or a JSON pointer such as `/resource/account`. Without it all tokens are
    /// of the one account in `accounts`.
    pub account_claim: Option<String>,
    /// The accounts that it speaks for; none for every account that its tokens name.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The claim that names roles, a text or a list of them: a name, or a JSON pointer such as `/realm_access/roles`.
    pub role_claim: String,
    /// What its roles may do here. The first of them that a token has counts; a token that has none is refused.
    pub roles: Vec<RoleMapping>,
    /// Seconds by which its clock may differ from this server's, at most 60.
    #[serde(default = "leeway_s")]
    pub leeway_s: u32,
    /// Seconds since `iat` after which a token ends, whatever it says.
    #[serde(default = "token_age_max_s")]
    pub token_age_max_s: NonZeroU32,
    /// Seconds between two looks at its keys, at least `refresh_pause_s`.
    #[serde(default = "refresh_s")]
    pub refresh_s: NonZeroU32,
    /// Least seconds between two looks where a token comes with a key that is not known, or a look failed.
    #[serde(default = "refresh_pause_s")]
    pub refresh_pause_s: NonZeroU32,
    /// Seconds for which keys are used that cannot be read again.
    #[serde(default = "stale_max_s")]
    pub stale_max_s: NonZeroU32,
}

/// An algorithm of signatures, as RFC 7518 and RFC 8037 name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[schemars(rename = "AuthAlgorithm")]
pub enum Algorithm {
    /// RSA with PKCS #1 v1.5 and SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA with PSS and SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// The algorithm of a header; `None` for all that are never taken, `none` and those with a shared secret among them.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

fn leeway_s() -> u32 {
    LEEWAY_S
}

fn token_age_max_s() -> NonZeroU32 {
    TOKEN_AGE_MAX_S
}

fn refresh_s() -> NonZeroU32 {
    REFRESH_S
}

fn refresh_pause_s() -> NonZeroU32 {
    REFRESH_PAUSE_S
}

fn stale_max_s() -> NonZeroU32 {
    STALE_MAX_S
}

/// A provider's settings, checked: what is asked of its tokens.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) issuer: Arc<str>,
    pub(super) audience: String,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) account_claim: Option<String>,
    /// Where there is no claim, its one account; else those that a claim may name, none for all.
    pub(super) accounts: Vec<AccountId>,
    pub(super) role_claim: String,
    pub(super) roles: Vec<RoleMapping>,
    pub(super) leeway: SignedDuration,
    pub(super) token_age_max: SignedDuration,
}

/// Where a provider's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file.
    File(PathBuf),
    /// At an address.
    Url(Url),
}

impl Config {
    /// The settings of each provider, if all of them are good.
    pub(super) fn check(&self) -> Result<Vec<(Rules, Place)>, Error> {
        if self.jwt.len() > ISSUERS_MAX {
            return Err(Error::TooMany);
        }
        let mut seen = HashSet::new();
        let checked = self.jwt.iter().map(|issuer| -> Result<(Rules, Place), Error> {
            if !seen.insert(issuer.issuer.as_str()) {
                return Err(issuer.refusal("it stands there twice: give it one table"));
            }
            Ok((issuer.rules()?, issuer.place()?))
        });
        checked.collect()
    }
}

impl Issuer {
    /// Why it is refused.
    pub(super) fn refusal(&self, why: impl Into<String>) -> Error {
        Error::Setting { issuer: self.issuer.clone(), why: why.into() }
    }

    fn rules(&self) -> Result<Rules, Error> {
        let refuse = |why: &str| Err(self.refusal(why));
        let is_name = |text: &str| (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if !is_name(&self.issuer) || self.issuer.contains('|') {
            return refuse("issuer is 1 to 256 bytes without control characters and without `|`");
        }
        let names = [&self.audience, &self.role_claim].into_iter().chain(&self.account_claim);
        if !names.chain(self.roles.iter().map(|role| &role.value)).all(|name| is_name(name)) {
            return refuse(
                "audience, role_claim, account_claim and the values of roles are 1 to 256 bytes without control characters",
            );
        }
        if self.algorithms.is_empty() {
            return refuse("algorithms: name at least one of RS256, PS256, ES256, EdDSA");
        }
        if self.roles.is_empty() || self.roles.len() > ENTRIES_MAX || self.accounts.len() > ENTRIES_MAX {
            return refuse("roles: 1 to 1000 of them, and at most 1000 accounts");
        }
        if self.roles.iter().any(RoleMapping::blinds_who_acts) {
            return refuse("roles: positions other than exact are for the role viewer: others act on what they see");
        }
        if !self.roles.iter().all(RoleMapping::says_whose_sites) {
            return refuse("roles: assigned says which sites the role field is for, and stands with that role alone");
        }
        let assigned = self.roles.iter().filter_map(|role| Some(role.assigned.as_ref()?.as_str()));
        if assigned.collect::<HashSet<_>>().len() > ASSIGNMENTS_MAX {
            return refuse("roles: at most 128 different assigned: the map keeps the sites of each");
        }
        if self.leeway_s > LEEWAY_S_MAX {
            return refuse("leeway_s: at most 60; where clocks differ by more, set them right");
        }
        // A look that failed would be made again later than one that did not.
        if self.refresh_s < self.refresh_pause_s {
            let why =
                "is less than refresh_pause_s, the least time between two looks: raise it, or lower refresh_pause_s";
            return Err(self.refusal(format!("refresh_s: {} {why} ({})", self.refresh_s, self.refresh_pause_s)));
        }
        let accounts: Result<Vec<AccountId>, _> = self.accounts.iter().map(|account| account.parse()).collect();
        let accounts = accounts.map_err(|fault| self.refusal(format!("accounts: {}", fault.why)))?;
        let is_of_accounts = self.roles.iter().any(|mapping| mapping.role != Role::Operator);
        if is_of_accounts && self.account_claim.is_none() && accounts.len() != 1 {
            return refuse("account_claim: name the claim that tells the account, or one account in accounts");
        }
        Ok(Rules {
            issuer: self.issuer.as_str().into(),
            audience: self.audience.clone(),
            algorithms: self.algorithms.clone(),
            account_claim: self.account_claim.clone(),
            accounts,
            role_claim: self.role_claim.clone(),
            roles: self.roles.clone(),
            leeway: SignedDuration::from_secs(self.leeway_s.into()),
            token_age_max: SignedDuration::from_secs(self.token_age_max_s.get().into()),
        })
    }

    fn place(&self) -> Result<Place, Error> {
        let text = match (&self.jwks_file, &self.jwks_url) {
            (Some(path), None) => return Ok(Place::File(path.clone())),
            (None, Some(text)) => text,
            _ => return Err(self.refusal("set either jwks_file or jwks_url")),
        };
        let why = "jwks_url is an address such as https://id.example.com/keys, without user or fragment; \
                   http:// goes to this machine alone";
        let url = Url::parse(text).map_err(|_| self.refusal(why))?;
        let host = url.host_str().unwrap_or_default();
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_this_machine(host);
        let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if is_safe && is_bare && !host.is_empty() { Ok(Place::Url(url)) } else { Err(self.refusal(why)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a table; empty for nothing.
    fn check(change: &str) -> String {
        let mut lines: Vec<(&str, &str)> = vec![
            ("issuer", "'https://id.example.com'"),
            ("audience", "'waymark'"),
            ("jwks_file", "'keys.json'"),
            ("algorithms", "['ES256']"),
            ("account_claim", "'account'"),
            ("role_claim", "'roles'"),
            ("roles", "[{ value = 'tech', role = 'editor' }]"),
        ];
        for line in change.lines().filter_map(|line| line.split_once(" = ")) {
            lines.retain(|(key, _)| *key != line.0);
            lines.push(line);
        }
        let table = lines.iter().filter(|(_, value)| *value != "-");
        let table = table.fold("[[jwt]]\n".to_owned(), |text, (key, value)| format!("{text}{key} = {value}\n"));
        match toml::from_str::<Config>(&table) {
            Ok(config) => config.check().err().map(|cause| cause.to_string()).unwrap_or_default(),
            Err(cause) => cause.message().to_owned(),
        }
    }

    #[test]
    fn there_is_an_end_to_different_assignments() {
        let roles_of = |assignments: usize| {
            let role = |number: usize| {
                let crew = number % assignments;
                format!("{{ value = 'crew {number}', role = 'field', assigned = 'labels.crew = c{crew}' }}")
            };
            let roles: Vec<String> = (0..130).map(role).collect();
            check(&format!("roles = [{}]", roles.join(", ")))
        };
        assert_eq!(roles_of(ASSIGNMENTS_MAX), "");
        assert!(roles_of(ASSIGNMENTS_MAX + 1).contains("at most 128 different"));
    }

    #[test]
    fn what_is_not_safe_or_not_whole_is_refused() {
        for good in [
            "",
            "jwks_file = -\njwks_url = 'https://id.example.com/keys?x=1'",
            "jwks_file = -\njwks_url = 'http://127.0.0.1:8/keys'",
            "account_claim = -\naccounts = ['acme']",
            "account_claim = -\nroles = [{ value = 'root', role = 'operator' }]",
            "roles = [{ value = 'hall', role = 'wallboard' }]",
            "roles = [{ value = 'partner', role = 'viewer', positions = 'hidden' }]",
            "roles = [{ value = 'crew', role = 'field', assigned = 'labels.team = north' }]",
            "leeway_s = 60",
            "refresh_s = 30",
            "refresh_s = 5\nrefresh_pause_s = 5",
            "algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']",
        ] {
            assert_eq!(check(good), "", "{good}");
        }
        for (bad, named) in [
            ("jwks_file = -", "jwks_url"),
            ("jwks_url = 'https://id.example.com/keys'", "either"),
            ("jwks_file = -\njwks_url = 'http://id.example.com/keys'", "this machine alone"),
            ("jwks_file = -\njwks_url = 'https://me@id.example.com/keys'", "without user"),
            ("jwks_file = -\njwks_url = 'file:///keys'", "jwks_url"),
            ("account_claim = -", "account_claim"),
            ("account_claim = -\naccounts = ['acme', 'beta']", "account_claim"),
            ("accounts = ['Acme']", "accounts"),
            ("roles = []", "roles"),
            ("roles = [{ value = 'x', role = 'agent' }]", "unknown variant"),
            ("roles = [{ value = 'x', role = 'resident' }]", "unknown variant"),
            ("roles = [{ value = 'x', role = 'editor', positions = 'approximate' }]", "the role viewer"),
            ("roles = [{ value = 'x', role = 'viewer', positions = 'about' }]", "unknown variant"),
            ("roles = [{ value = 'x', role = 'field' }]", "assigned says which sites"),
            ("roles = [{ value = 'x', role = 'editor', assigned = 'labels.team = north' }]", "with that role alone"),
            ("roles = [{ value = 'x', role = 'field', assigned = 'status = ONLINE' }]", "sites are assigned by labels"),
            ("algorithms = []", "algorithms"),
            ("algorithms = ['HS256']", "unknown variant"),
            ("algorithms = ['none']", "unknown variant"),
            ("leeway_s = 61", "leeway_s"),
            ("token_age_max_s = 0", "nonzero"),
            ("refresh_s = 29", "refresh_s: 29 is less than refresh_pause_s"),
            ("refresh_pause_s = 301", "lower refresh_pause_s (301)"),
            ("issuer = 'a|b'", "issuer"),
            ("audience = ''", "audience"),
            ("secret = 'x'", "unknown field"),
        ] {
            let told = check(bad);
            assert!(told.contains(named), "{bad}: {told:?} names {named}");
        }
        let twice: Config = toml::from_str(&"[[jwt]]\nissuer = 'a'\naudience = 'b'\njwks_file = 'c'\nalgorithms = ['ES256']\nrole_claim = 'r'\naccounts = ['acme']\nroles = [{ value = 'x', role = 'viewer' }]\n".repeat(2)).unwrap();
        assert!(twice.check().unwrap_err().to_string().contains("twice"));
    }
}
