//! A site as it is shown: its record, and what is known of it beside its record.
//!
//! Every answer that holds a site goes through here, so that no two of them differ about the same site.

use super::{Versioned, Waymark};
use crate::model::site::Site;

impl Waymark {
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
