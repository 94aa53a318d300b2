//! A site as it is shown: its record, and what is known of it beside its record.
//!
//! Every answer that holds a site goes through here, so that no two of them differ about the same site.

use super::{Versioned, Waymark};
use crate::model::access::Principal;
use crate::model::location::{Fix, Source};
use crate::model::rough::shown_as;
use crate::model::site::Site;

/// A site as a principal sees it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The site, without what its place would tell beyond what is shown of it.
    pub site: Versioned<Site>,
    /// Its etag: that of all that people say of it, shown or not.
    pub etag: String,
}

impl Waymark {
    /// The site as [`Self::shown`], as far as the principal sees where it is. A guest is not told who of the account located it.
    #[must_use]
    pub fn shown_to(&self, principal: &Principal, versioned: Versioned<Site>) -> Shown {
        let Versioned { value, revision } = self.shown(versioned);
        let etag = self.etag_of(&value);
        let value = if principal.guest.is_some() { without_makers(value) } else { value };
        Shown { site: Versioned { value: shown_as(principal.positions, value), revision }, etag }
    }

    /// The site with the time and the address of its last report, which may be in memory alone, and without what ended: a
    /// consent, and what the terms of a geocoder's provider do not allow to be held any more.
    #[must_use]
    pub fn shown(&self, mut versioned: Versioned<Site>) -> Versioned<Site> {
        let site = &mut versioned.value;
        let now = self.now();
        site.drop_expired(now);
        site.replacement = site.replacement.take().filter(|consent| consent.until > now);
        let Some(live) = self.parts.live.account(&site.account) else { return versioned };
        site.last_seen_at = site.last_seen_at.max(live.heard_at(site.id));
        if let Some(ip) = live.noted_ip(site.id) {
            let found = self.whereabouts(&live, ip, now);
            if found.is_public() {
                (site.public_ip, site.public_network, site.network) = (Some(found.ip), None, found.facts);
            }
        }
        versioned
    }
}

/// The site without who located it and stated its address: tokens and people of the account whose it is.
fn without_makers(mut site: Site) -> Site {
    let mut fixes: Vec<Fix> = std::mem::take(&mut site.fixes).into();
    // Of an estimate it says no more than what made it.
    for fix in fixes.iter_mut().filter(|fix| fix.source != Source::GeoIp) {
        fix.made_by.clear();
    }
    site.fixes = fixes.into();
    if let Some(address) = &mut site.address {
        address.stated_by.clear();
    }
    site
}
