//! What a client shows of a map, and what of a newer picture is news to it.
//!
//! Keeps a digest of each symbol, not the symbol: a crowded screen of a watch costs some hundred KiB.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher, RandomState};

use crate::model::geo::{BoundingBox, LatLng};
use crate::service::symbols::{Area, Cluster, SiteSummary, Symbols};
use crate::spatial::symbols::SymbolId;

/// The symbols that a client shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Id to digest.
    symbols: HashMap<String, u64>,
    /// Secret of these digests: nobody can choose a name that hides a change.
    keys: RandomState,
}

impl Shown {
    /// What appeared or changed in a newer picture, and the ids of what vanished. From now on the client shows it.
    pub(super) fn update(&mut self, picture: Symbols) -> (Symbols, Vec<String>) {
        let mut next = HashMap::with_capacity(picture.pins.len() + picture.clusters.len() + picture.areas.len());
        let changed = Symbols {
            pins: self.news(picture.pins, &mut next, |pin| SymbolId::Pin(pin.site).to_string(), hash_site),
            clusters: self.news(picture.clusters, &mut next, |cluster| cluster.id.clone(), hash_cluster),
            areas: self.news(picture.areas, &mut next, |area| area.id.clone(), hash_area),
        };
        let mut removed: Vec<String> = std::mem::replace(&mut self.symbols, next).into_keys().collect();
        removed.sort_unstable();
        (changed, removed)
    }

    /// Those that are new or not as they were shown; each is moved from what was shown to what is.
    fn news<T>(
        &mut self,
        symbols: Vec<T>,
        next: &mut HashMap<String, u64>,
        id_of: impl Fn(&T) -> String,
        hash: impl Fn(&T, &mut dyn Hasher),
    ) -> Vec<T> {
        let mut news = Vec::new();
        for symbol in symbols {
            let mut hasher = self.keys.build_hasher();
            hash(&symbol, &mut hasher);
            let (id, digest) = (id_of(&symbol), hasher.finish());
            if self.symbols.remove(&id) != Some(digest) {
                news.push(symbol);
            }
            next.insert(id, digest);
        }
        news
    }
}

fn hash_position(position: LatLng, mut state: &mut dyn Hasher) {
    (position.lat().to_bits(), position.lng().to_bits()).hash(&mut state);
}

fn hash_bounds(bounds: &BoundingBox, state: &mut dyn Hasher) {
    hash_position(bounds.low, state);
    hash_position(bounds.high, state);
}

fn hash_site(site: &SiteSummary, mut state: &mut dyn Hasher) {
    let SiteSummary { site, display_name, status, position, accuracy_m, granularity, source } = site;
    (site, display_name, status, granularity, source, accuracy_m.map(f64::to_bits)).hash(&mut state);
    hash_position(*position, state);
}

fn hash_cluster(cluster: &Cluster, mut state: &mut dyn Hasher) {
    let Cluster { id: _, tally, position, bounds, expansion_zoom, is_stack } = cluster;
    (tally, expansion_zoom, is_stack).hash(&mut state);
    hash_position(*position, state);
    hash_bounds(bounds, state);
}

fn hash_area(area: &Area, mut state: &mut dyn Hasher) {
    let Area { id: _, tally, position, radius_m, extent_m, granularity, site } = area;
    (tally, radius_m.map(f64::to_bits), extent_m.to_bits(), granularity, site.is_some()).hash(&mut state);
    hash_position(*position, state);
    if let Some(site) = site {
        hash_site(site, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::SiteId;
    use crate::model::location::{Granularity, Source};
    use crate::model::site::Status;
    use crate::service::symbols::Tally;

    fn pin(number: u128) -> SiteSummary {
        SiteSummary {
            site: SiteId::from_u128(number),
            display_name: format!("site {number}"),
            status: Status::Online,
            position: LatLng::ORIGIN,
            accuracy_m: None,
            granularity: Granularity::City,
            source: Source::Pin,
        }
    }

    fn bounds(high: f64) -> BoundingBox {
        BoundingBox::new(LatLng::ORIGIN, LatLng::new(high, high).unwrap()).unwrap()
    }

    fn cluster() -> Cluster {
        let tally = Tally::default();
        Cluster {
            id: "c-1".into(),
            tally,
            position: LatLng::ORIGIN,
            bounds: bounds(5.0),
            expansion_zoom: Some(3),
            is_stack: false,
        }
    }

    fn area() -> Area {
        Area {
            id: "a-1".into(),
            tally: Tally::default(),
            position: LatLng::ORIGIN,
            radius_m: None,
            extent_m: 5.0,
            granularity: Granularity::City,
            site: Some(pin(9)),
        }
    }

    #[test]
    fn only_what_appeared_changed_or_vanished_is_news() {
        let picture = || Symbols { pins: vec![pin(1), pin(2)], clusters: vec![cluster()], areas: vec![area()] };
        let mut shown = Shown::default();
        assert_eq!(shown.update(picture()), (picture(), vec![]));
        assert_eq!(shown.update(picture()), (Symbols::default(), vec![]));
        let fewer = Symbols { pins: vec![pin(2), pin(3)], areas: vec![area()], ..Symbols::default() };
        let news = Symbols { pins: vec![pin(3)], ..Symbols::default() };
        let gone = vec!["c-1".to_owned(), SymbolId::Pin(SiteId::from_u128(1)).to_string()];
        assert_eq!(shown.update(fewer), (news, gone));
    }

    #[test]
    fn every_part_of_a_symbol_counts() {
        let there = LatLng::new(1.0, 2.0).unwrap();
        let pins = [
            SiteSummary { display_name: "other".into(), ..pin(1) },
            SiteSummary { status: Status::Offline, ..pin(1) },
            SiteSummary { position: there, ..pin(1) },
            SiteSummary { accuracy_m: Some(0.0), ..pin(1) },
            SiteSummary { granularity: Granularity::Door, ..pin(1) },
            SiteSummary { source: Source::Address, ..pin(1) },
        ];
        let clusters = [
            Cluster { position: there, ..cluster() },
            Cluster { bounds: bounds(6.0), ..cluster() },
            Cluster { expansion_zoom: None, ..cluster() },
            Cluster { is_stack: true, ..cluster() },
        ];
        let areas = [
            Area { position: there, ..area() },
            Area { radius_m: Some(1.0), ..area() },
            Area { extent_m: 6.0, ..area() },
            Area { granularity: Granularity::Country, ..area() },
            Area { site: None, ..area() },
            Area { site: Some(pin(8)), ..area() },
        ];
        let picture = |pin, cluster, area| Symbols { pins: vec![pin], clusters: vec![cluster], areas: vec![area] };
        let count = |other: Symbols| {
            let mut shown = Shown::default();
            shown.update(picture(pin(1), cluster(), area()));
            let (news, gone) = shown.update(other);
            (news.pins.len() + news.clusters.len() + news.areas.len(), gone.len())
        };
        for other in pins {
            assert_eq!(count(picture(other.clone(), cluster(), area())), (1, 0), "{other:?}");
        }
        for other in clusters {
            assert_eq!(count(picture(pin(1), other.clone(), area())), (1, 0), "{other:?}");
        }
        for other in areas {
            assert_eq!(count(picture(pin(1), cluster(), other.clone())), (1, 0), "{other:?}");
        }
    }
}
