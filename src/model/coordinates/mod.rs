//! Coordinates as people paste them where an address is asked for: decimal or sexagesimal, plus codes, links of maps.
//!
//! `angle` numbers with signs, marks and hemispheres; `plus_code` Open Location Codes; `link` addresses of map pages.
//! A text that is none of these is an address, and not a fault.

mod angle;
mod link;
mod plus_code;

use super::Invalid;
use super::geo::LatLng;
use plus_code::PlusCode;

/// What was pasted.
#[derive(Debug, Clone, PartialEq)]
pub enum Pasted {
    /// A position.
    Position(LatLng),
    /// The middle of a map that somebody looked at, which may be anywhere near what they mean.
    Shown(LatLng),
    /// A plus code without its first letters, and the place near which it is: `9G8F+6X Zurich`. The place may be empty.
    Near(ShortCode, String),
}

/// A plus code without its first letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortCode(PlusCode);

impl ShortCode {
    /// The position of this code that is nearest to a reference.
    #[must_use]
    pub fn nearest(&self, reference: LatLng) -> LatLng {
        self.0.nearest(reference)
    }
}

/// What coordinates a text holds; `None` for a text that is something else, such as an address.
///
/// # Errors
/// Coordinates that are none: out of range, with 75 minutes, with one hemisphere for both.
pub fn parse(text: &str) -> Result<Option<Pasted>, Invalid> {
    let text = text.trim();
    if let Some(found) = link::parse(text) {
        return found.map(Some);
    }
    if let Some((code, place)) = plus_code::parse(text) {
        let pasted = match code.position() {
            Some(_) if !code.is_a_door() => {
                return Err(Invalid::new("address_line", "the plus code names an area: write all of its digits"));
            }
            // A place beside a whole code says the same twice.
            Some(position) => Pasted::Position(position),
            None => Pasted::Near(ShortCode(code), place),
        };
        return Ok(Some(pasted));
    }
    angle::parse(text).map(|found| found.map(Pasted::Position))
}

/// A position of two numbers, latitude first, with a word for those who gave longitude first.
fn position(lat: f64, lng: f64) -> Result<LatLng, Invalid> {
    LatLng::new(lat, lng).map_err(|fault| match LatLng::new(lng, lat) {
        Ok(_) => Invalid::new("address_line", format!("latitude comes first: {lat} and {lng} look swapped")),
        Err(_) => Invalid::new("address_line", fault.why),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &str) {
        let told = match parse(text) {
            Ok(None) => "an address".to_owned(),
            Ok(Some(Pasted::Shown(at))) => format!("around {:.5} {:.5}", at.lat(), at.lng()),
            Ok(Some(Pasted::Position(at))) => format!("{:.5} {:.5}", at.lat(), at.lng()),
            Ok(Some(Pasted::Near(code, place))) => {
                let at = code.nearest(LatLng::new(47.4, 8.6).unwrap());
                format!("near {place:?}: {:.5} {:.5}", at.lat(), at.lng())
            }
            Err(fault) => format!("{}: {}", fault.field, fault.why),
        };
        assert_eq!(told, expect, "{text:?}");
    }

    #[test]
    fn decimal_degrees() {
        for text in [
            "64.1466, -21.9426",
            "64.1466,-21.9426",
            " ( 64.1466 , -21.9426 ) ",
            "64.1466 -21.9426",
            "64.1466; -21.9426",
            "64.1466/-21.9426",
            "+64.1466-021.9426/",
            "64.1466° -21.9426°",
            "64.1466°, \u{2212}21.9426°",
            "64.1466N 21.9426W",
            "64.1466 n, 21.9426 w",
            "N64.1466 W21.9426",
            "N 64.1466°, W 21.9426°",
            "21.9426 W 64.1466 N",
            "lat 64.1466 lng -21.9426",
            "Latitude: 64.1466, Longitude: -21.9426",
            "lat=64.1466 lon=-21.9426",
            "lng: -21.9426, lat: 64.1466",
            "64,1466; -21,9426",
            "64,1466 -21,9426",
            "64,1466, -21,9426",
        ] {
            check(text, "64.14660 -21.94260");
        }
    }

    #[test]
    fn degrees_minutes_and_seconds() {
        for text in [
            "64°08'47.76\"N 21°56'33.36\"W",
            "64°08′47.76″N, 21°56′33.36″W",
            "64° 8' 47.76'' N 21° 56' 33.36'' W",
            "N 64°8.796' W 21°56.556'",
            "64 08 47.76 N 21 56 33.36 W",
            "64 08 47.76, -21 56 33.36",
            "64º8’47.76”N 21º56’33.36”W",
            "64d08m47.76sN 21d56m33.36sW",
            "64°08'47.76\" -21°56'33.36\"",
            "64°08'47.76\", -21°56'33.36\"",
            "64 08 47.76 -21 56 33.36",
        ] {
            check(text, "64.14660 -21.94260");
        }
    }

    #[test]
    fn a_sign_before_zero_counts() {
        check("51°28'38\", -0°07'05\"", "51.47722 -0.11806");
        check("-0 7 5.0, 0 30 0", "-0.11806 0.50000");
        check("-0.5, \u{2212}0.25", "-0.50000 -0.25000");
    }

    #[test]
    fn links_of_maps() {
        for text in [
            "https://www.google.com/maps/place/X/@10.0,20.0,17z/data=!3m1!4b1!4m5!3m4!1s0x0:0x0!8m2!3d64.1466!4d-21.9426",
            "https://maps.google.com/?q=64.1466,-21.9426",
            "https://www.google.com/maps/search/?api=1&query=64.1466%2C-21.9426",
            "https://www.google.is/maps/dir/?api=1&destination=64.1466,-21.9426",
            "https://www.openstreetmap.org/?mlat=64.1466&mlon=-21.9426#map=15/1.0/2.0",
            "https://share.here.com/l/64.1466,-21.9426,Harpa",
            "geo:64.1466,-21.9426",
            "geo:64.1466,-21.9426;u=35?z=15",
            "geo:0,0?q=64.1466,-21.9426(Harpa)",
        ] {
            check(text, "64.14660 -21.94260");
        }
        for text in [
            "https://www.google.com/maps/@64.1466,-21.9426,3z",
            "https://www.google.com/maps/dir/A/B/@64.1466,-21.9426,12z",
            "https://www.openstreetmap.org/#map=3/64.1466/-21.9426",
            "https://maps.apple.com/?ll=64.1466,-21.9426&q=Harpa",
            "https://www.bing.com/maps?cp=64.1466~-21.9426&lvl=15",
            "https://yandex.com/maps/?ll=-21.9426%2C64.1466&z=12",
            "https://waze.com/ul?ll=64.1466,-21.9426&navigate=yes",
            "https://wego.here.com/?map=64.1466,-21.9426,15,normal",
        ] {
            check(text, "around 64.14660 -21.94260");
        }
        check("https://goo.gl/maps/abc", "address_line: the link names no position: open it and paste the coordinates");
        check(
            "https://example.com/?q=Harpa",
            "address_line: the link names no position: open it and paste the coordinates",
        );
    }

    #[test]
    fn plus_codes() {
        check("8FVC9G8F+6X", "47.36556 8.52494");
        check("8fvc9g8f+6x", "47.36556 8.52494");
        for text in ["8FVC0000+", "8F000000+"] {
            check(text, "address_line: the plus code names an area: write all of its digits");
        }
        check("8FVC9G8F+6XQ", "47.36559 8.52498");
        check("9G8F+6X Zurich", "near \"Zurich\": 47.36556 8.52494");
        check("9G8F+6X, Zürich, Switzerland", "near \"Zürich, Switzerland\": 47.36556 8.52494");
        check("9G8F+6X", "near \"\": 47.36556 8.52494");
        for text in ["22+24 High Street, London", "8FVC9G8+6X", "8FVC9A8F+6X", "C+F", "A+B Street 5", "8FVC9G8F+6"] {
            check(text, "an address");
        }
    }

    #[test]
    fn what_is_no_coordinate_is_an_address() {
        for text in [
            "",
            "Laugavegur 1",
            "101 Reykjavík",
            "12 34",
            "1, 2",
            "5 Main St N",
            "221B Baker Street",
            "N",
            "12 N Main",
            "10 Downing Street, London SW1A 2AA",
            "64",
            "64.5",
            "1.2.3.4",
            "Route 66",
            "+354 555 1234",
            "64.1 N",
            "W 5",
            "350 S 400 W",
            "45 S 60 E",
            "12 SE 34 SW",
            "51° 30'",
            "64°8.796'",
            "5' 3\"",
            "1600 Pennsylvania Ave NW, 20500",
            "3.14 159 2",
            "°",
            "'\"",
            "🙂 64",
            "12/3",
            "Haus 12, 3. OG",
        ] {
            check(text, "an address");
        }
    }

    #[test]
    fn what_is_a_wrong_coordinate_says_so() {
        for (text, why) in [
            ("121.5, 31.2", "latitude comes first: 121.5 and 31.2 look swapped"),
            ("95.5, 195.5", "latitude is in [-90, 90] degrees, got 95.5"),
            ("64°75'00\"N 21°00'00\"W", "minutes and seconds are in [0, 60)"),
            ("64.1466N 21.9426N", "one latitude (N, S) and one longitude (E, W)"),
            ("-64.1466N 21.9426W", "a sign or a hemisphere, not both"),
            ("64.5°30'N 21°00'W", "only the last of degrees, minutes and seconds has a fraction"),
            ("geo:95,200", "latitude is in [-90, 90] degrees, got 95"),
        ] {
            check(text, &format!("address_line: {why}"));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_coordinates_an_address_or_a_fault(
            text in prop_oneof![".{0,60}", "[-+0-9.,;/°'\"NSEWnsewdm ]{0,40}", "https?://[a-z@!#?&=0-9.,~%/+-]{0,60}"],
        ) {
            let _ = parse(&text);
        }

        #[test]
        fn a_position_comes_back_however_it_is_written(lat in -89.9..89.9_f64, lng in -179.9..179.9_f64, form in 0..6_u8, is_near in any::<bool>()) {
            // Within a degree of the equator and of Greenwich signs stand before zeros.
            let (lat, lng) = if is_near { (lat / 90.0, lng / 180.0) } else { (lat, lng) };
            let hemisphere = |at: f64, both: [char; 2]| if at < 0.0 { both[1] } else { both[0] };
            let (north, east) = (hemisphere(lat, ['N', 'S']), hemisphere(lng, ['E', 'W']));
            let sexagesimal = |at: f64| {
                let minutes = at.abs().fract() * 60.0;
                format!("{}°{:02}'{:09.6}\"", at.abs().trunc(), minutes.trunc(), (minutes.fract() * 60.0).min(59.999_999))
            };
            let text = match form {
                0 => format!("{lat:.7}, {lng:.7}"),
                1 => format!("{:.7}{north} {:.7}{east}", lat.abs(), lng.abs()),
                2 => format!("{}{north} {}{east}", sexagesimal(lat), sexagesimal(lng)),
                5 => {
                    let sign = |at: f64| if at < 0.0 { "-" } else { "" };
                    format!("{}{}, {}{}", sign(lat), sexagesimal(lat), sign(lng), sexagesimal(lng))
                }
                3 => format!("https://www.openstreetmap.org/?mlat={lat:.7}&mlon={lng:.7}"),
                _ => format!("{lat:.7}; {lng:.7}").replace('.', ","),
            };
            let Ok(Some(Pasted::Position(at))) = parse(&text) else { panic!("{text:?} is a position") };
            prop_assert!((at.lat() - lat).abs() < 1e-6 && (at.lng() - lng).abs() < 1e-6, "{text:?}: {at:?}");
        }
    }
}
