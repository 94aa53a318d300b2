//! Siblings: sites of one account behind the same public address or network. Where a person located one of them, the
//! others get its position as a suggestion.
//!
//! Suggestions are made when somebody asks, from what is true then: nothing is kept that could grow stale. To find them,
//! each site that a person located has a small record under the address that it comes from.

use std::net::IpAddr;

use ipnet::IpNet;

use super::access::Permission;
use super::assigned::is_for;
use super::{Error, Versioned, Waymark};
use crate::model::access::Principal;
use crate::model::id::{AccountId, SiteId};
use crate::model::location::Fix;
use crate::model::site::Site;
use crate::model::uplink::Seen;
use crate::store::document::{Document, LocatedSite};
use crate::store::{Expect, Key, Kind, Mutation, Range, Record, scan_past};

/// Most suggestions of one site.
pub const SUGGESTIONS_MAX: usize = 20;
/// Most records that are read for them, of the address and of the network each: behind a carrier's address there may be very
/// many sites. The proto tells it.
const LOOKED_AT_MAX: usize = 200;
/// Most records that are passed over for who is assigned some of them, until so many of these are found. Behind more of others than that, how
/// many these are tells; no address has so many located sites but a carrier's.
const PASSED_OVER_MAX: usize = 10_000;
/// Shortest prefixes of databases that make siblings: beyond, a network is a provider's, and says nothing of places.
/// An account's own networks do so at any length.
const SIBLINGS_PREFIX_MIN: (u8, u8) = (22, 40);

/// How near two sites are in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// They come from the same address.
    SameAddress,
    /// They come from the same network.
    SameNetwork,
}

/// A position that a sibling has by a person's word.
#[derive(Debug, Clone)]
pub struct Suggestion {
    /// The sibling.
    pub sibling: Site,
    /// Its fix.
    pub fix: Fix,
    /// How near it is in the network.
    pub nearness: Nearness,
    /// The network that they share: one address, or more.
    pub network: IpNet,
    /// Metres from where the site is shown now; `None` for one without a position.
    pub distance_m: Option<f64>,
}

impl Waymark {
    /// Positions that a site may have because persons located its siblings, the nearest in the network first, then the
    /// newest. Empty for a site that a person located itself. Siblings are those that there are for the principal.
    ///
    /// Cost: reads at most 200 records and as many sites, for the address and again for the network; for who is assigned some sites up to
    /// 10,200 records, of which the others' are passed over.
    pub async fn suggest_locations(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
    ) -> Result<Vec<Suggestion>, Error> {
        let site = self.get_site(principal, account, id).await?.value;
        self.account_for(principal, account, Permission::Study)?;
        let is_settled = site.fixes.effective().is_some_and(|fix| fix.source.is_person());
        let Some(home) = site.uplinks.home.filter(|_| !is_settled) else { return Ok(Vec::new()) };
        let mut found = self.located_in(principal, account, IpNet::from(home.ip)).await?;
        let shared = self.shared_network(account, home);
        if let Some(network) = shared {
            for sibling in self.located_in(principal, account, network).await? {
                if !found.iter().any(|known| known.value.id == sibling.value.id) {
                    found.push(sibling);
                }
            }
        }
        let now = self.now();
        let here = site.fixes.effective().map(|fix| fix.position);
        let mut suggestions: Vec<Suggestion> = found
            .into_iter()
            .filter(|sibling| is_for(principal, &sibling.value))
            .filter_map(|sibling| {
                let mut sibling = sibling.value;
                sibling.drop_expired(now);
                // The record may be a moment older than the site.
                let fix = sibling.fixes.effective().filter(|fix| fix.source.is_person())?.clone();
                let is_same = sibling.uplinks.home.is_some_and(|theirs| theirs.ip == home.ip);
                let nearness = if is_same { Nearness::SameAddress } else { Nearness::SameNetwork };
                let network = if is_same { IpNet::from(home.ip) } else { shared? };
                let distance_m = here.map(|here| here.distance_m(fix.position));
                Some(Suggestion { sibling, fix, nearness, network, distance_m })
            })
            .collect();
        suggestions.sort_by_key(|it| (it.nearness, std::cmp::Reverse(it.fix.made_at), it.sibling.id));
        suggestions.truncate(SUGGESTIONS_MAX);
        Ok(suggestions)
    }

    /// The network whose sites are siblings of one that comes from `home`; `None` where it is too wide to say anything.
    fn shared_network(&self, account: &AccountId, home: Seen) -> Option<IpNet> {
        let own = self.parts.live.account(account).and_then(|live| live.prefix_of(home.ip));
        if let Some(prefix) = own {
            return Some(prefix.network);
        }
        let (v4, v6) = SIBLINGS_PREFIX_MIN;
        let min = if home.ip.is_ipv4() { v4 } else { v6 };
        Some(home.network).filter(|network| network.prefix_len() >= min)
    }

    /// Sites that persons located and that come from `network`, as far as they can be read. The first of those that there are for the
    /// principal: where a number of all is looked at, it tells how many others there are.
    async fn located_in(
        &self,
        principal: &Principal,
        account: &AccountId,
        network: IpNet,
    ) -> Result<Vec<Versioned<Site>>, Error> {
        let last = address_text(network.broadcast());
        let is_inside = |record: &Record| record.key.id.get(..last.len()) <= Some(last.as_str());
        // Ids are compared as texts: every one of the first address is behind the address alone.
        let mut after = address_text(network.network());
        let (mut found, mut passed_over) = (Vec::new(), 0);
        loop {
            let range =
                Range { after: Some(after), limit: LOOKED_AT_MAX, ..Range::all(Some(account.clone()), Kind::Located) };
            let (records, is_end) = scan_past(&*self.parts.store, range, |_| {}).await?;
            let next = records.last().filter(|record| !is_end && is_inside(record)).map(|record| record.key.id.clone());
            let located = records.into_iter().take_while(is_inside).filter_map(|record| match record.document {
                Document::Located(located) => Some(located.site),
                _ => None,
            });
            let located: Vec<SiteId> = located.collect();
            let count = located.len();
            let own = self.assigned_of(principal, account, located).await?;
            passed_over += count - own.len();
            found.extend(own);
            let is_done = principal.assigned.is_none() || found.len() >= LOOKED_AT_MAX || passed_over > PASSED_OVER_MAX;
            match next {
                Some(next) if !is_done => after = next,
                _ => break,
            }
        }
        let keys = found.iter().take(LOOKED_AT_MAX).map(|site| Key::of(account, Kind::Site, site));
        let sites = self.parts.store.get_each(keys.collect()).await?;
        let sites = sites.into_iter().filter_map(|read| read.ok().flatten());
        let sites = sites.filter_map(|record| match record.document {
            Document::Site(site) if site.deleted_at.is_none() => {
                Some(Versioned { value: *site, revision: record.revision })
            }
            _ => None,
        });
        Ok(sites.collect())
    }
}

/// An address as a text whose order is that of addresses, IPv4 before IPv6.
fn address_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("4:{:08x}", ip.to_bits()),
        IpAddr::V6(ip) => format!("6:{:032x}", ip.to_bits()),
    }
}

/// The key under which a site is found by its address; `None` for one that no person located.
fn key_of(site: &Site) -> Option<Key> {
    let is_located = site.fixes.effective().is_some_and(|fix| fix.source.is_person());
    let home = site.uplinks.home.filter(|_| is_located && site.deleted_at.is_none())?;
    Some(Key::of(&site.account, Kind::Located, format!("{}/{}", address_text(home.ip), site.id)))
}

/// What a change of a site does to the record under its address.
pub(super) fn mutations(before: &Site, after: &Site) -> Vec<Mutation> {
    let (old, new) = (key_of(before), key_of(after));
    if old == new {
        return Vec::new();
    }
    let put =
        |key| Mutation { key, expect: Expect::Any, document: Some(Document::Located(LocatedSite { site: after.id })) };
    old.into_iter().map(Mutation::delete).chain(new.map(put)).collect()
}
