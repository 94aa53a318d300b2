//! What of a site's record tells where its people live: what they, their account and their device said of its position. What
//! a database estimates from the public address is none of it.

use super::location::{Evidence, Fix, Source};
use super::site::Site;

impl Fix {
    /// Whether it tells where people live: all but a database's estimate. An estimate from a network that the account placed
    /// itself is the account's word on the spot.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        !matches!(self.evidence, Evidence::Database(_))
    }
}

impl Site {
    /// The fixes that tell where its people live.
    pub fn personal_fixes(&self) -> impl Iterator<Item = &Fix> {
        self.fixes.iter().filter(|fix| fix.is_personal())
    }

    /// Takes away the stated address with the answer to it, the pin, and all else that tells where its people live. A
    /// dismissal goes where it holds a checksum of that.
    pub fn forget_personal_location(&mut self) {
        for source in Source::ALL {
            if self.fixes.get(source).is_some_and(Fix::is_personal) {
                self.fixes.remove(source);
            }
        }
        (self.address, self.device_removed) = (None, None);
        self.dismissals.retain(|dismissal| !dismissal.reason.is_of_location());
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::address::AddressQuery;
    use crate::model::attention::{AttentionReason, Dismissal};
    use crate::model::device::DevicePosition;
    use crate::model::evidence::{GeocodedEvidence, NetworkKind, PrefixEvidence, Storage};
    use crate::model::geo::LatLng;
    use crate::model::location::{DatabaseEvidence, Granularity};
    use crate::model::site_address::SiteAddress;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    /// Stands in all that tells where people live, and in nothing else.
    const CANARY: &str = "kanarie";

    fn fix(source: Source, evidence: Evidence) -> Fix {
        let (position, granularity, made_by) = (LatLng::new(1.5, 2.5).unwrap(), Granularity::Door, CANARY.to_owned());
        Fix { source, position, accuracy_m: None, granularity, evidence, made_at: NOW, made_by }
    }

    fn answer() -> Evidence {
        Evidence::Geocoded(GeocodedEvidence {
            provider: CANARY.into(),
            place_id: CANARY.into(),
            formatted_address: CANARY.into(),
            query: CANARY.into(),
            attribution: CANARY.into(),
            country: None,
            storage: Storage::Unlimited,
        })
    }

    fn estimate() -> Fix {
        let evidence = Evidence::Database(DatabaseEvidence {
            database_type: "Test-City".into(),
            build_time: NOW,
            network: "192.0.2.0/24".into(),
            city: "Zürich".into(),
            region: String::new(),
            country: None,
            region_code: String::new(),
            postcode: String::new(),
            time_zone: String::new(),
            lowered_by: NetworkKind::default(),
            is_outdated: false,
            others: Vec::new(),
            attribution: String::new(),
        });
        Fix { position: LatLng::new(47.3, 8.5).unwrap(), made_by: "geoip".into(), ..fix(Source::GeoIp, evidence) }
    }

    /// A site of which everybody said where it is.
    fn site(estimate: Fix) -> Site {
        let query = AddressQuery::Line(CANARY.into());
        let dismissal = |reason| Dismissal { reason, fingerprint: 7, by: String::new(), at: NOW };
        let fixes = vec![
            estimate,
            fix(Source::Device, Evidence::Measured),
            fix(Source::Address, answer()),
            fix(Source::Pin, Evidence::Dropped),
        ];
        Site {
            fixes: fixes.into(),
            address: Some(SiteAddress::stated(&query, None, true, CANARY.into(), NOW)),
            device_removed: Some(DevicePosition::new(LatLng::new(3.5, 4.5).unwrap(), 9.0).unwrap()),
            dismissals: AttentionReason::ALL.map(dismissal).into(),
            ..Site::new("acme".parse().unwrap(), "Attic".into(), NOW)
        }
    }

    #[test]
    fn what_a_database_estimates_is_left_and_nothing_that_people_said() {
        let mut site = site(estimate());
        let personal: Vec<_> = site.personal_fixes().map(|fix| fix.source).collect();
        assert_eq!(personal, [Source::Device, Source::Address, Source::Pin]);
        site.forget_personal_location();
        assert_eq!(site.fixes.iter().collect::<Vec<_>>(), [&estimate()]);
        let kept: Vec<_> = site.dismissals.iter().map(|dismissal| dismissal.reason).collect();
        assert_eq!(kept, [AttentionReason::Unplaced, AttentionReason::TicketingLinkBroken]);
        let left = serde_json::to_string(&site).unwrap();
        assert!(!left.contains(CANARY) && !left.contains("3.5") && left.contains("Zürich"), "{left}");
    }

    #[test]
    fn an_estimate_from_a_network_of_the_account_is_its_word() {
        let (network, display_name) = ("192.0.2.7/32".to_owned(), CANARY.to_owned());
        let own = fix(Source::GeoIp, Evidence::Prefix(PrefixEvidence { network, display_name }));
        let mut site = site(own);
        assert_eq!(site.personal_fixes().count(), 4);
        site.forget_personal_location();
        assert!(site.fixes.effective().is_none());
        assert!(!serde_json::to_string(&site).unwrap().contains(CANARY));
    }
}
