//! The one place where a site becomes an entry of a map.

use std::time::Instant;

use waymark::live::entry_of;
use waymark::model::card::CardPacker;
use waymark::model::sketch::SiteSketch;
use waymark::spatial::AccountMap;
use waymark::spatial::entry::Entry;

use super::{Plan, Site, account_id, record};

/// What the map is told of a site: all that the server would tell it, at the site's present position and status.
pub(crate) fn of(site: &Site) -> Entry {
    let record = record::site_of(&account_id(site.account), site);
    let mut entry = entry_of(&SiteSketch::from(&record)).expect("it is not deleted");
    let place = entry.place.as_mut().expect("it has a position");
    place.position = site.position;
    entry
}

/// The same with no text but its name.
pub(crate) fn of_name(site: &Site) -> Entry {
    let entry = of(site);
    let card = entry.card.as_ref();
    let (created_at, updated_at) = (card.created_at(), card.updated_at());
    Entry { card: CardPacker::new(&site.name, created_at, updated_at).pack(), ..entry }
}

/// The map of each account, and the seconds that it took to put the sites in; making them is left out.
pub(crate) fn maps(plan: &Plan, make: impl Fn(&Site) -> Entry) -> (Vec<AccountMap>, f64) {
    let mut load_s = 0.0;
    let map = |account| {
        let entries: Vec<Entry> = plan.sites_of(account).map(|number| make(&plan.site(number))).collect();
        let start = Instant::now();
        let map = AccountMap::bulk(entries);
        load_s += start.elapsed().as_secs_f64();
        map
    };
    let maps = (0..plan.accounts()).map(map).collect();
    (maps, load_s)
}
