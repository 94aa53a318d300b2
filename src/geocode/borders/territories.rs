//! Codes of countries, who belongs to whom, and who claims what: the little that the lines do not tell.

use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// ISO 3166-1: number and alpha-2 code of each country. Source: `GeoNames`, 2026.
const CODES: &str = "\
    004AF 008AL 010AQ 012DZ 016AS 020AD 024AO 028AG 031AZ 032AR 036AU 040AT 044BS 048BH 050BD 051AM 052BB \
    056BE 060BM 064BT 068BO 070BA 072BW 074BV 076BR 084BZ 086IO 090SB 092VG 096BN 100BG 104MM 108BI 112BY \
    116KH 120CM 124CA 132CV 136KY 140CF 144LK 148TD 152CL 156CN 158TW 162CX 166CC 170CO 174KM 175YT 178CG \
    180CD 184CK 188CR 191HR 192CU 196CY 203CZ 204BJ 208DK 212DM 214DO 218EC 222SV 226GQ 231ET 232ER 233EE \
    234FO 238FK 239GS 242FJ 246FI 248AX 250FR 254GF 258PF 260TF 262DJ 266GA 268GE 270GM 275PS 276DE 288GH \
    292GI 296KI 300GR 304GL 308GD 312GP 316GU 320GT 324GN 328GY 332HT 334HM 336VA 340HN 344HK 348HU 352IS \
    356IN 360ID 364IR 368IQ 372IE 376IL 380IT 384CI 388JM 392JP 398KZ 400JO 404KE 408KP 410KR 414KW 417KG \
    418LA 422LB 426LS 428LV 430LR 434LY 438LI 440LT 442LU 446MO 450MG 454MW 458MY 462MV 466ML 470MT 474MQ \
    478MR 480MU 484MX 492MC 496MN 498MD 499ME 500MS 504MA 508MZ 512OM 516NA 520NR 524NP 528NL 531CW 533AW \
    534SX 535BQ 540NC 548VU 554NZ 558NI 562NE 566NG 570NU 574NF 578NO 580MP 581UM 583FM 584MH 585PW 586PK \
    591PA 598PG 600PY 604PE 608PH 612PN 616PL 620PT 624GW 626TL 630PR 634QA 638RE 642RO 643RU 646RW 652BL \
    654SH 659KN 660AI 662LC 663MF 666PM 670VC 674SM 678ST 682SA 686SN 688RS 690SC 694SL 702SG 703SK 704VN \
    705SI 706SO 710ZA 716ZW 724ES 728SS 729SD 732EH 740SR 744SJ 748SZ 752SE 756CH 760SY 762TJ 764TH 768TG \
    772TK 776TO 780TT 784AE 788TN 792TR 795TM 796TC 798TV 800UG 804UA 807MK 818EG 826GB 831GG 832JE 833IM \
    834TZ 840US 850VI 854BF 858UY 860UZ 862VE 876WF 882WS 887YE 894ZM";

/// Parts of the world without a number of their own, by their name in Natural Earth, and who runs them. What is not here
/// is nobody's: buffer zones, the Siachen, reefs.
const NAMED: &[(&str, &str)] = &[
    ("Akrotiri", "CY"),
    ("Baikonur", "KZ"),
    ("Clipperton I.", "FR"),
    ("Coral Sea Is.", "AU"),
    ("Dhekelia", "CY"),
    ("Kosovo", "XK"),
    ("N. Cyprus", "CY"),
    ("Somaliland", "SO"),
    ("USNB Guantanamo Bay", "CU"),
];

/// Territories with a code of their own, and the country that an address in them may name as well: many are part of its
/// postal system, and the borders draw some of them as part of it.
const TERRITORIES: &[(&str, &str)] = &[
    ("AU", "CC CX HM NF"),
    ("CN", "HK MO"),
    ("DK", "FO GL"),
    ("FI", "AX"),
    ("FR", "BL GF GP MF MQ NC PF PM RE TF WF YT"),
    ("GB", "AI BM FK GG GI GS IM IO JE KY MS PN SH TC VG"),
    ("IL", "PS"),
    ("MA", "EH"),
    ("NL", "AW BQ CW SX"),
    ("NO", "BV SJ"),
    ("NZ", "CK NU TK"),
    ("RS", "XK"),
    ("US", "AS GU MP PR UM VI"),
];

/// Land that one country holds and another one claims or is held to own, as boxes: south, west, north and east in degrees.
/// Addresses there may name either.
const CLAIMS: &[([f64; 4], &str)] = &[
    // Crimea.
    ([44.3, 32.4, 46.3, 36.7], "UA"),
    // The Golan Heights.
    ([32.6, 35.6, 33.4, 36.0], "SY"),
    // Jammu, Kashmir and Ladakh, Aksai Chin included.
    ([32.2, 72.5, 37.2, 80.5], "IN"),
    ([32.2, 72.5, 37.2, 80.5], "PK"),
    // Arunachal Pradesh.
    ([26.6, 91.5, 29.5, 97.5], "CN"),
    // The Halayib triangle.
    ([21.9, 33.9, 23.2, 37.1], "SD"),
    // Abyei, and Kafia Kingi.
    ([9.2, 27.7, 10.6, 29.1], "SS"),
    ([8.6, 23.9, 9.9, 25.1], "SS"),
];

/// The country of an id and name of the data; `None` for land that is nobody's.
pub(super) fn country_of(id: Option<&str>, name: &str) -> Option<CountryCode> {
    let code = match id {
        Some(id) => CODES
            .split_whitespace()
            .find(|row| row.len() == id.len() + 2 && row.starts_with(id))
            .map(|row| &row[id.len()..]),
        None => NAMED.iter().find(|(known, _)| *known == name).map(|(_, code)| *code),
    };
    code.and_then(CountryCode::parse)
}

/// Whether an address may name either country for the same place: they are one, or one is a territory of the other.
#[must_use]
pub fn are_kin(one: CountryCode, other: CountryCode) -> bool {
    let has = |country: CountryCode, territory: CountryCode| {
        let row = TERRITORIES.iter().find(|(code, _)| *code == country.as_str());
        row.is_some_and(|(_, codes)| codes.split(' ').any(|code| code == territory.as_str()))
    };
    one == other || has(one, other) || has(other, one)
}

/// Whether a country has a claim on the land around a position, whoever holds it.
pub(super) fn is_claimed_by(position: LatLng, country: CountryCode) -> bool {
    let holds = |[south, west, north, east]: [f64; 4]| {
        (south..=north).contains(&position.lat()) && (west..=east).contains(&position.lng())
    };
    CLAIMS.iter().any(|(area, code)| *code == country.as_str() && holds(*area))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &str) -> CountryCode {
        CountryCode::parse(code).unwrap()
    }

    #[test]
    fn every_code_is_one_and_every_territory_is_known() {
        let rows: Vec<&str> = CODES.split_whitespace().collect();
        assert_eq!(rows.len(), 249);
        for row in &rows {
            let (number, letters) = row.split_at(3);
            assert!(number.parse::<u16>().is_ok() && CountryCode::parse(letters).is_some(), "{row}");
            assert_eq!(country_of(Some(number), ""), CountryCode::parse(letters));
        }
        let is_known = |code: &str| code == "XK" || rows.iter().any(|row| row.ends_with(code));
        for (country, territories) in TERRITORIES {
            assert!(is_known(country) && territories.split(' ').all(is_known), "{country}: {territories}");
        }
        assert!(CLAIMS.iter().all(|(_, code)| is_known(code)));
        assert!(NAMED.iter().all(|(_, code)| is_known(code)));
    }

    #[test]
    fn land_of_nobody_has_no_code() {
        assert_eq!(country_of(None, "Kosovo"), CountryCode::parse("XK"));
        assert_eq!(country_of(None, "Spratly Is."), None);
        assert_eq!(country_of(Some("999"), "Nowhere"), None);
        assert_eq!(country_of(Some(""), "Nowhere"), None);
    }

    #[test]
    fn territories_go_with_their_country_alone() {
        assert!(are_kin(code("FR"), code("RE")) && are_kin(code("PR"), code("US")) && are_kin(code("IS"), code("IS")));
        assert!(
            !are_kin(code("RE"), code("YT")) && !are_kin(code("FR"), code("PR")) && !are_kin(code("DE"), code("FR"))
        );
        let sevastopol = LatLng::new(44.6, 33.5).unwrap();
        assert!(is_claimed_by(sevastopol, code("UA")) && !is_claimed_by(sevastopol, code("TR")));
        assert!(!is_claimed_by(LatLng::new(55.7, 37.6).unwrap(), code("UA")));
    }
}
