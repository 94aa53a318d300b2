//! The one place where a site becomes an entry of a map. A field that `Entry` gets is filled in here.

use std::time::Instant;

use jiff::Timestamp;
use waymark::model::card::{CardField, CardPacker};
use waymark::model::location::{Granularity, Source};
use waymark::spatial::AccountMap;
use waymark::spatial::entry::{Entry, Place};

use super::{Plan, Site};

/// What the map is told of a site.
pub(crate) fn of(site: &Site) -> Entry {
    let place = Place {
        position: site.position,
        accuracy_m: None,
        granularity: if site.is_estimate { Granularity::City } else { Granularity::Door },
        source: if site.is_estimate { Source::GeoIp } else { Source::Address },
    };
    let made_at = Timestamp::UNIX_EPOCH;
    let mut card = CardPacker::new(&site.name, made_at, made_at);
    card.text(CardField::CustomerId, &site.customer());
    Entry { site: site.id, status: site.status, place: Some(place), card: card.pack() }
}

/// The map of each account, and the seconds that it took to put the sites in; making them is left out.
pub(crate) fn maps(plan: &Plan) -> (Vec<AccountMap>, f64) {
    let mut load_s = 0.0;
    let map = |account| {
        let entries: Vec<Entry> = plan.sites_of(account).map(|number| of(&plan.site(number))).collect();
        let start = Instant::now();
        let map = AccountMap::bulk(entries);
        load_s += start.elapsed().as_secs_f64();
        map
    };
    let maps = (0..plan.accounts()).map(map).collect();
    (maps, load_s)
}
