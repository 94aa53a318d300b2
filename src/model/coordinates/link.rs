//! Links of map pages and `geo:` addresses: where in them the position stands.
//!
//! Nothing is ever fetched: a short link that has to be followed names no position.

use super::{Pasted, position};
use crate::model::Invalid;
use crate::model::geo::LatLng;

/// Names of parameters that hold the `lat,lng` that somebody searched for or marked.
const MEANT: [&str; 4] = ["q", "query", "destination", "daddr"];
/// Names of those that hold the middle of what the page shows.
const SHOWN: [&str; 5] = ["ll", "sll", "center", "map", "cp"];

/// The position that a link names; `None` for a text that is no link.
pub(super) fn parse(text: &str) -> Option<Result<Pasted, Invalid>> {
    let (scheme, rest) = text.split_once(':')?;
    if scheme.eq_ignore_ascii_case("geo") {
        return Some(geo(rest).map(Pasted::Position));
    }
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) || text.contains(char::is_whitespace) {
        return None;
    }
    let missing = || Invalid::new("address_line", "the link names no position: open it and paste the coordinates");
    let found = page(&decoded(rest.trim_start_matches('/')));
    Some(found.ok_or_else(missing).and_then(|((lat, lng), is_meant)| {
        let at = position(lat, lng)?;
        Ok(if is_meant { Pasted::Position(at) } else { Pasted::Shown(at) })
    }))
}

/// `lat,lng[,altitude][;parameters][?q=lat,lng(label)]`, as RFC 5870 and Android have it.
fn geo(rest: &str) -> Result<LatLng, Invalid> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let asked = parameters(&decoded(query)).find_map(|(name, value)| if name == "q" { pair(value, ',') } else { None });
    let found = asked.or_else(|| pair(path, ','));
    let (lat, lng) = found.ok_or_else(|| Invalid::new("address_line", "geo: is followed by latitude and longitude"))?;
    position(lat, lng)
}

/// Latitude and longitude of a page's address, without its scheme, and whether the link is about them: others are what the
/// page happens to show.
fn page(address: &str) -> Option<((f64, f64), bool)> {
    let (address, fragment) = address.split_once('#').unwrap_or((address, ""));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let host = path.split('/').next().unwrap_or_default();
    // Yandex gives longitude first.
    let turned = |(a, b): (f64, f64)| if host.contains("yandex") { (b, a) } else { (a, b) };
    let of = |wanted: &str| parameters(query).find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let marked = || Some((of("mlat")?.parse().ok()?, of("mlon")?.parse().ok()?));
    let named = |names: &[&str]| {
        names.iter().find_map(|name| {
            let value = of(name)?;
            pair(value, ',').or_else(|| pair(value, '~')).map(turned)
        })
    };
    let shown = || {
        let segment = path.split('/').find_map(|segment| segment.strip_prefix('@'))?;
        pair(segment, ',')
    };
    let osm = || {
        let map = parameters(fragment).find(|(name, _)| *name == "map")?.1;
        pair(map.split_once('/')?.1, '/')
    };
    let shared =
        || path.split('/').skip(1).filter(|segment| !segment.starts_with('@')).find_map(|segment| pair(segment, ','));
    let meant = pinned(path).or_else(marked).or_else(|| named(&MEANT)).or_else(shared);
    let seen = || named(&SHOWN).or_else(shown).or_else(osm);
    meant.map(|at| (at, true)).or_else(|| seen().map(|at| (at, false)))
}

/// The place of a Google link: `!3dLAT!4dLNG`, the last one where there are several.
fn pinned(path: &str) -> Option<(f64, f64)> {
    let (_, behind) = path.rsplit_once("!3d")?;
    let (lat, behind) = behind.split_once("!4d")?;
    Some((lat.parse().ok()?, leading(behind)?))
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|parameter| parameter.split_once('='))
}

/// Two numbers with something between them, whatever follows.
fn pair(text: &str, between: char) -> Option<(f64, f64)> {
    let (first, rest) = text.trim().split_once(between)?;
    Some((first.trim().parse().ok()?, leading(rest.trim_start())?))
}

/// The number that a text begins with.
fn leading(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The text without percent signs, where they stand for text.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                at += 1;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
