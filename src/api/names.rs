//! Resource names: `accounts/{account}/sites/{site}` and the like, to ids and back.
//!
//! What is parsed is what the call is about, and noted as that.

use ipnet::IpNet;

use crate::model::Invalid;
use crate::model::id::{AccountId, ShareId, SiteId, TokenId};
use crate::model::prefix::parse_network;
use crate::model::text::shown;
use crate::model::ticketing::System;
use crate::service::call;

/// How the names of resident accesses end.
const RESIDENT_ACCESS: &str = "/residentAccess";
/// Longest id of a run that is looked for, in bytes.
const REESTIMATION_ID_BYTES_MAX: usize = 64;

/// The account of `accounts/{account}` in the request's `field`.
pub(super) fn account(field: &str, name: &str) -> Result<AccountId, Invalid> {
    let id = name.strip_prefix("accounts/").ok_or_else(|| malformed(field, "accounts/{account}", name))?;
    let id = id.parse::<AccountId>().map_err(|fault| Invalid::new(field, fault.why))?;
    call::is_about(|| name.to_owned());
    Ok(id)
}

/// The account and site of `accounts/{account}/sites/{site}` in the request's `field`.
pub(super) fn site(field: &str, name: &str) -> Result<(AccountId, SiteId), Invalid> {
    let parsed = parse_site(field, name)?;
    call::is_about(|| name.to_owned());
    Ok(parsed)
}

fn parse_site(field: &str, name: &str) -> Result<(AccountId, SiteId), Invalid> {
    let parts: Vec<&str> = name.split('/').collect();
    let ["accounts", account_id, "sites", site_id] = parts.as_slice() else {
        return Err(malformed(field, "accounts/{account}/sites/{site}", name));
    };
    let renamed = |fault: Invalid| Invalid::new(field, fault.why);
    Ok((account_id.parse().map_err(renamed)?, site_id.parse().map_err(renamed)?))
}

/// The account and site of `accounts/{account}/sites/{site}/residentAccess` in the request's `field`.
pub(super) fn resident_access(field: &str, name: &str) -> Result<(AccountId, SiteId), Invalid> {
    let of = name.strip_suffix(RESIDENT_ACCESS);
    let malformed = || malformed(field, "accounts/{account}/sites/{site}/residentAccess", name);
    let parsed = parse_site(field, of.ok_or_else(malformed)?)?;
    call::is_about(|| name.to_owned());
    Ok(parsed)
}

/// The name of the resident access to a site.
pub(super) fn of_resident_access(account: &AccountId, site: SiteId) -> String {
    of_site(account, site) + RESIDENT_ACCESS
}

/// The account, site and number of `accounts/{account}/sites/{site}/changes/{change}` in the request's `field`.
pub(super) fn change(field: &str, name: &str) -> Result<(AccountId, SiteId, u32), Invalid> {
    let form = "accounts/{account}/sites/{site}/changes/{change}, the change a number from 1 on";
    let (of_site, number) = name.rsplit_once("/changes/").ok_or_else(|| malformed(field, form, name))?;
    let (account, id) = site(field, of_site)?;
    // One name for one change.
    let number = number.parse().ok().filter(|parsed: &u32| *parsed > 0 && parsed.to_string() == number);
    Ok((account, id, number.ok_or_else(|| malformed(field, form, name))?))
}

/// The account and token of `accounts/{account}/tokens/{token}`, or of the operator's `tokens/{token}`.
pub(super) fn token(field: &str, name: &str) -> Result<(Option<AccountId>, TokenId), Invalid> {
    let parts: Vec<&str> = name.split('/').collect();
    let renamed = |fault: Invalid| Invalid::new(field, fault.why);
    let parsed = match parts.as_slice() {
        ["tokens", id] => (None, id.parse().map_err(renamed)?),
        ["accounts", account, "tokens", id] => (Some(account.parse().map_err(renamed)?), id.parse().map_err(renamed)?),
        _ => return Err(malformed(field, "accounts/{account}/tokens/{token} or tokens/{token}", name)),
    };
    call::is_about(|| name.to_owned());
    Ok(parsed)
}

/// The account and network of `accounts/{account}/prefixes/{prefix}` in the request's `field`.
pub(super) fn prefix(field: &str, name: &str) -> Result<(AccountId, IpNet), Invalid> {
    let form = "accounts/{account}/prefixes/{prefix}";
    let parts: Vec<&str> = name.split('/').collect();
    let ["accounts", account, "prefixes", id] = parts.as_slice() else { return Err(malformed(field, form, name)) };
    let account = account.parse().map_err(|fault: Invalid| Invalid::new(field, fault.why))?;
    let network = id.rsplit_once('-').and_then(|(ip, length)| parse_network(field, &format!("{ip}/{length}")).ok());
    // One name for one network.
    let network = network.filter(|network| network.trunc() == *network && prefix_id(network) == *id);
    let parsed = (account, network.ok_or_else(|| malformed(field, form, name))?);
    call::is_about(|| name.to_owned());
    Ok(parsed)
}

/// The id of `reestimations/{reestimation}` in the request's `field`.
pub(super) fn reestimation<'name>(field: &str, name: &'name str) -> Result<&'name str, Invalid> {
    let id = name.strip_prefix("reestimations/").filter(|id| !id.is_empty() && id.len() <= REESTIMATION_ID_BYTES_MAX);
    id.ok_or_else(|| malformed(field, "reestimations/{reestimation}", name))
}

/// The account and system of `accounts/{account}/ticketingConnections/{system}` in the request's `field`.
pub(super) fn connection(field: &str, name: &str) -> Result<(AccountId, System), Invalid> {
    let form = "accounts/{account}/ticketingConnections/{system}";
    let parts: Vec<&str> = name.split('/').collect();
    let ["accounts", account, "ticketingConnections", id] = parts.as_slice() else {
        return Err(malformed(field, form, name));
    };
    let account = account.parse().map_err(|fault: Invalid| Invalid::new(field, fault.why))?;
    let system = System::ALL.into_iter().find(|system| system.facts().name == *id);
    let parsed = (account, system.ok_or_else(|| malformed(field, form, name))?);
    call::is_about(|| name.to_owned());
    Ok(parsed)
}

/// The account and run of `accounts/{account}/ticketingVerifications/{verification}` in the request's `field`.
pub(super) fn verification<'name>(field: &str, name: &'name str) -> Result<(AccountId, &'name str), Invalid> {
    let form = "accounts/{account}/ticketingVerifications/{verification}";
    let parts: Vec<&str> = name.split('/').collect();
    let ["accounts", account, "ticketingVerifications", id] = parts.as_slice() else {
        return Err(malformed(field, form, name));
    };
    let account = account.parse().map_err(|fault: Invalid| Invalid::new(field, fault.why))?;
    let is_good = (1..=REESTIMATION_ID_BYTES_MAX).contains(&id.len());
    if is_good { Ok((account, id)) } else { Err(malformed(field, form, name)) }
}

/// The account and share of `accounts/{account}/shares/{share}` in the request's `field`.
pub(super) fn share(field: &str, name: &str) -> Result<(AccountId, ShareId), Invalid> {
    let parts: Vec<&str> = name.split('/').collect();
    let ["accounts", account, "shares", id] = parts.as_slice() else {
        return Err(malformed(field, "accounts/{account}/shares/{share}", name));
    };
    let renamed = |fault: Invalid| Invalid::new(field, fault.why);
    let parsed = (account.parse().map_err(renamed)?, id.parse().map_err(renamed)?);
    call::is_about(|| name.to_owned());
    Ok(parsed)
}

/// The share's name.
pub(super) fn of_share(account: &AccountId, share: ShareId) -> String {
    format!("accounts/{account}/shares/{share}")
}

/// The connection's name.
pub(super) fn of_connection(account: &AccountId, system: System) -> String {
    format!("accounts/{account}/ticketingConnections/{}", system.facts().name)
}

/// The run's name.
pub(super) fn of_verification(account: &AccountId, id: &str) -> String {
    format!("accounts/{account}/ticketingVerifications/{id}")
}

/// The network's name.
pub(super) fn of_prefix(account: &AccountId, network: &IpNet) -> String {
    format!("accounts/{account}/prefixes/{}", prefix_id(network))
}

fn prefix_id(network: &IpNet) -> String {
    format!("{}-{}", network.addr(), network.prefix_len())
}

/// The run's name.
pub(super) fn of_reestimation(id: &str) -> String {
    format!("reestimations/{id}")
}

/// The account's name.
pub(super) fn of_account(account: &AccountId) -> String {
    format!("accounts/{account}")
}

/// The site's name.
pub(super) fn of_site(account: &AccountId, site: SiteId) -> String {
    SiteNames::of(account).of_site(site)
}

/// The names of an account's sites.
pub(super) fn of_sites(account: &AccountId, sites: Vec<SiteId>) -> Vec<String> {
    let names = SiteNames::of(account);
    sites.into_iter().map(|site| names.of_site(site)).collect()
}

/// The change's name.
pub(super) fn of_change(account: &AccountId, site: SiteId, number: u32) -> String {
    format!("{}/changes/{number}", of_site(account, site))
}

/// Names the sites of one account: answers hold up to a thousand names that begin alike.
pub(super) struct SiteNames {
    prefix: String,
}

impl SiteNames {
    /// Of an account's sites.
    pub(super) fn of(account: &AccountId) -> Self {
        Self { prefix: format!("accounts/{account}/sites/") }
    }

    /// The site's name.
    pub(super) fn of_site(&self, site: SiteId) -> String {
        let mut name = String::with_capacity(self.prefix.len() + SiteId::TEXT_BYTES);
        name.push_str(&self.prefix);
        site.push_to(&mut name);
        name
    }
}

/// The token's name.
pub(super) fn of_token(account: Option<&AccountId>, token: TokenId) -> String {
    match account {
        Some(account) => format!("accounts/{account}/tokens/{token}"),
        None => format!("tokens/{token}"),
    }
}

fn malformed(field: &str, form: &str, name: &str) -> Invalid {
    Invalid::new(field, format!("a name has the form {form}, got {}", shown(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_whole_or_refused() {
        let id = "0190b5a0-0000-7000-8000-000000000001";
        assert!(site("name", &format!("accounts/acme/sites/{id}")).is_ok());
        for name in [
            String::new(),
            "accounts/acme".into(),
            "accounts/acme/sites/".into(),
            format!("accounts/-/sites/{id}"),
            format!("accounts/Acme/sites/{id}"),
            format!("accounts/acme/sites/{}", id.to_uppercase().replace('0', "A")),
            format!("accounts/acme/sites/{id}/"),
            format!("/accounts/acme/sites/{id}"),
            format!("accounts/acme/../acme/sites/{id}"),
        ] {
            assert_eq!(site("name", &name).unwrap_err().field, "name", "{name}");
        }
        assert_eq!(prefix("name", "accounts/acme/prefixes/10.0.0.0-8").unwrap().1.to_string(), "10.0.0.0/8");
        assert_eq!(prefix("name", "accounts/acme/prefixes/2001:db8::-32").unwrap().1.to_string(), "2001:db8::/32");
        for id in ["", "10.0.0.0", "10.0.0.1-8", "10.0.0.0-08", "10.0.0.0-33", "2001:DB8::-32", "2001:db8:0::-32", "-8"]
        {
            assert!(prefix("name", &format!("accounts/acme/prefixes/{id}")).is_err(), "{id}");
        }
        let of = |number: &str| format!("accounts/acme/sites/{id}/changes/{number}");
        assert_eq!(change("name", &of("17")).unwrap().2, 17);
        for number in ["", "0", "017", "+1", "-1", "4294967296", "1/"] {
            assert_eq!(change("name", &of(number)).unwrap_err().field, "name", "{number}");
        }
        assert!(change("name", &format!("accounts/acme/sites/{id}")).is_err());
        assert!(account("parent", "accounts/acme/").is_err());
        assert!(token("name", "tokens/0123456789abcdef").unwrap().0.is_none());
        assert!(token("name", "tokens/0123456789ABCDEF").is_err());
    }
}
