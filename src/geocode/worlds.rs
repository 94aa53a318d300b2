//! Stub servers for tests that speak the protocols of the providers, over a world of one street in Reykjavík.

use serde_json::{Value, json};

use super::config::{Kind, ProviderConfig};
use crate::http_client::stub::{Received, Reply, Stub};

/// Where the door of all worlds is: that of the gazetteer's fixture too.
const LAT: f64 = 64.102;
const LNG: f64 = -21.9;

/// The kinds of servers.
pub(super) const KINDS: [Kind; 3] = [Kind::Nominatim, Kind::Photon, Kind::OpenCage];

/// A provider of this kind at a base URL, as an operator would write it.
pub(super) fn provider_at(kind: Kind, url: &str) -> ProviderConfig {
    ProviderConfig {
        kind,
        name: None,
        url: Some(url.to_owned()),
        plain_http: None,
        key_file: None,
        // The one variable that every test run has.
        key_env: (kind == Kind::OpenCage).then(|| "CARGO_PKG_NAME".to_owned()),
        requests_per_s: Some(1_000.0),
        timeout_ms: Some(5_000),
        suggest: None,
        attribution: None,
        store_days: None,
        cache_s: None,
        cache_empty_s: None,
    }
}

/// A server of this kind.
pub(super) async fn world(kind: Kind) -> Stub {
    Stub::start(move |received| match kind {
        Kind::Nominatim | Kind::Gazetteer => nominatim(received),
        Kind::Photon => photon(received),
        Kind::OpenCage => opencage(received),
    })
    .await
}

/// An answer of a server of this kind with one result, whose position is written as given.
pub(super) fn answer(kind: Kind, lat: &Value, lng: &Value) -> String {
    match kind {
        Kind::Nominatim | Kind::Gazetteer => json!([nominatim_door(lat, lng)]).to_string(),
        Kind::Photon => photon_answer(&[photon_door(lat, lng)]),
        Kind::OpenCage => opencage_answer(&[opencage_door(lat, lng)]),
    }
}

/// A number as a position has it in the protocol of this kind.
pub(super) fn number(kind: Kind, degrees: f64) -> Value {
    if kind == Kind::Nominatim { json!(degrees.to_string()) } else { json!(degrees) }
}

fn is_street(text: &str) -> bool {
    text.to_lowercase().starts_with("laugav")
}

fn is_near(lat: Option<&String>, lng: Option<&String>) -> bool {
    let near = |text: Option<&String>, degrees: f64| {
        text.and_then(|text| text.parse::<f64>().ok()).is_some_and(|number| (number - degrees).abs() < 0.001)
    };
    near(lat, LAT) && near(lng, LNG)
}

fn nominatim_door(lat: &Value, lon: &Value) -> Value {
    json!({
        "place_id": 1_234, "licence": "Data © OpenStreetMap contributors, ODbL 1.0.", "osm_type": "node", "osm_id": 1,
        "lat": lat, "lon": lon, "category": "place", "type": "house", "place_rank": 30, "importance": 0.000_1,
        "addresstype": "place", "name": "", "display_name": "1, Laugavegur, Miðborg, Reykjavík, 101, Ísland",
        "address": {
            "house_number": "1", "road": "Laugavegur", "suburb": "Miðborg", "city": "Reykjavík", "postcode": "101",
            "country": "Ísland", "country_code": "is"
        },
        "boundingbox": ["64.1", "64.2", "-21.9", "-21.8"]
    })
}

fn nominatim(received: &Received) -> Reply {
    let parameters = received.parameters();
    let of = |name: &str| parameters.get(name);
    let door = nominatim_door(&json!(LAT.to_string()), &json!(LNG.to_string()));
    let is_mixed = of("q").is_some() && of("street").is_some();
    if of("format").is_none_or(|format| format != "jsonv2") || is_mixed {
        let body = br#"{"error":{"code":400,"message":"Parameter 'format' must be one of: ..."}}"#;
        return Reply::Whole(400, vec![("content-type", "application/json".into())], body.to_vec());
    }
    let list = |is_there: bool| if is_there { json!([door]) } else { json!([]) };
    let answer = match received.path().as_str() {
        "/search" => list(of("q").or(of("street")).is_some_and(|text| is_street(text))),
        "/lookup" => list(of("osm_ids").is_some_and(|ids| ids == "N1")),
        "/reverse" if is_near(of("lat"), of("lon")) => door,
        "/reverse" => json!({"error": "Unable to geocode"}),
        _ => return Reply::Whole(404, vec![("content-type", "text/html".into())], b"<html>".to_vec()),
    };
    Reply::Json(answer.to_string())
}

fn photon_door(lat: &Value, lng: &Value) -> Value {
    json!({
        "type": "Feature", "geometry": {"type": "Point", "coordinates": [lng, lat]},
        "properties": {
            "osm_type": "N", "osm_id": 1, "osm_key": "place", "osm_value": "house", "type": "house",
            "housenumber": "1", "street": "Laugavegur", "postcode": "101", "city": "Reykjavík", "country": "Ísland",
            "countrycode": "IS"
        }
    })
}

fn photon_answer(features: &[Value]) -> String {
    json!({"type": "FeatureCollection", "features": features}).to_string()
}

fn photon(received: &Received) -> Reply {
    let parameters = received.parameters();
    let of = |name: &str| parameters.get(name);
    let is_there = match received.path().as_str() {
        "/api" => of("q").is_some_and(|text| is_street(text)),
        "/reverse" => is_near(of("lat"), of("lon")),
        _ => return Reply::Whole(404, vec![("content-type", "text/html".into())], b"<html>".to_vec()),
    };
    let features = if is_there { vec![photon_door(&json!(LAT), &json!(LNG))] } else { Vec::new() };
    Reply::Json(photon_answer(&features))
}

fn opencage_door(lat: &Value, lng: &Value) -> Value {
    json!({
        "annotations": {}, "bounds": {}, "confidence": 10, "formatted": "Laugavegur 1, 101 Reykjavík, Ísland",
        "geometry": {"lat": lat, "lng": lng},
        "components": {
            "ISO_3166-1_alpha-2": "IS", "_category": "building", "_type": "building", "city": "Reykjavík",
            "continent": "Europe", "country": "Ísland", "country_code": "is", "house_number": "1", "postcode": "101",
            "road": "Laugavegur", "ISO_3166-2": ["IS-1"]
        }
    })
}

fn opencage_answer(results: &[Value]) -> String {
    json!({
        "documentation": "…", "licenses": [], "rate": {"limit": 2_500, "remaining": 2_499, "reset": 1_700_000_000},
        "results": results, "status": {"code": 200, "message": "OK"}, "total_results": results.len()
    })
    .to_string()
}

fn opencage(received: &Received) -> Reply {
    let parameters = received.parameters();
    let of = |name: &str| parameters.get(name);
    let kind = || vec![("content-type", "application/json; charset=utf-8".to_owned())];
    if of("key").is_none_or(|key| key != "waymark") {
        return Reply::Whole(
            401,
            kind(),
            br#"{"results":[],"status":{"code":401,"message":"invalid API key"}}"#.to_vec(),
        );
    }
    if received.path() != "/geocode/v1/json" || of("no_annotations").is_none() || of("no_record").is_none() {
        return Reply::Whole(404, kind(), br#"{"results":[],"status":{"code":404,"message":"invalid"}}"#.to_vec());
    }
    let query = of("q").cloned().unwrap_or_default();
    let at = query.split_once(',').map(|(lat, lng)| (lat.to_owned(), lng.to_owned()));
    let is_at = at.is_some_and(|(lat, lng)| is_near(Some(&lat), Some(&lng)));
    let is_there = is_street(&query) || is_at;
    let results = if is_there { vec![opencage_door(&json!(LAT), &json!(LNG))] } else { Vec::new() };
    Reply::Json(opencage_answer(&results))
}
