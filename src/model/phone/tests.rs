//! Phone numbers against the examples of the numbering plans themselves, and against what people write.

use proptest::prelude::*;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};

use super::*;

/// The kinds of numbers that plans give examples of.
const TYPES: [PhoneNumberType; 10] = [
    PhoneNumberType::FixedLine,
    PhoneNumberType::Mobile,
    PhoneNumberType::TollFree,
    PhoneNumberType::PremiumRate,
    PhoneNumberType::SharedCost,
    PhoneNumberType::VoIP,
    PhoneNumberType::PersonalNumber,
    PhoneNumberType::Pager,
    PhoneNumberType::UAN,
    PhoneNumberType::VoiceMail,
];

fn phone(number: &str) -> Phone {
    Phone { number: number.into(), ..Phone::default() }
}

fn country(code: &str) -> Option<CountryCode> {
    CountryCode::parse(code)
}

fn check(number: &str, region: &str, expect: &str) {
    let told = match phone(number).checked(country(region)) {
        Ok(Phone { number, extension, .. }) if extension.is_empty() => number,
        Ok(Phone { number, extension, .. }) => format!("{number} x{extension}"),
        Err(fault) => fault.to_string(),
    };
    if expect.starts_with('+') {
        assert_eq!(told, expect, "{number:?} in {region:?}");
    } else {
        assert!(told.contains(expect), "{number:?} in {region:?}: {told}, not {expect}");
    }
}

/// Every example of every kind of every country, and its E.164 form.
fn examples() -> Vec<(Region, PhoneNumberType, String)> {
    let regions = PHONE_NUMBER_UTIL.get_supported_regions();
    let of_region = |region: Region| {
        TYPES.into_iter().filter_map(move |kind| {
            let number = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind).ok()?;
            Some((region, kind, PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned()))
        })
    };
    regions.flat_map(of_region).collect()
}

#[test]
fn the_example_of_every_country_is_taken_in_every_form() {
    let mut countries = 0;
    for region in PHONE_NUMBER_UTIL.get_supported_regions() {
        let example = PHONE_NUMBER_UTIL.get_example_number(region).unwrap();
        let e164 = PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::E164).into_owned();
        for form in [PhoneNumberFormat::E164, PhoneNumberFormat::International, PhoneNumberFormat::RFC3966] {
            check(&PHONE_NUMBER_UTIL.format(&example, form), "", &e164);
        }
        check(&PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::National), &region.to_string(), &e164);
        countries += 1;
    }
    assert!(countries > 240, "{countries} countries have numbering plans");
}

#[test]
fn numbers_of_every_kind_keep_their_form() {
    let examples = examples();
    assert!(examples.len() > 1_000, "{} examples", examples.len());
    for (region, kind, number) in examples {
        let kept = phone(&number).checked(None).unwrap_or_else(|fault| panic!("{region} {kind:?} {number}: {fault}"));
        assert_eq!(kept.number, number, "{region} {kind:?}");
    }
}

#[test]
fn what_people_write_is_understood() {
    check("545 1000", "IS", "+3545451000");
    check("00354 545-1000", "IS", "+3545451000");
    check("+354 (545) 10.00", "", "+3545451000");
    check("＋３５４５４５１０００", "", "+3545451000");
    check("020 7946 0018", "gb", "+442079460018");
    check("(0)20/7946 0018", "GB", "+442079460018");
    check("06 6982 1234", "IT", "+390669821234");
    check("+1 212 555 0123", "IS", "+12125550123");
    check("tel:+354-545-1000", "", "+3545451000");
}

#[test]
fn extensions_come_in_many_forms() {
    for behind in
        [" ext. 12", " ext 12", " ext:12", " x12", "x 12", " Extn. 12", " extension 12", ";ext=12", " #12", ", x12#"]
    {
        check(&format!("+354 545 1000{behind}"), "", "+3545451000 x12");
    }
    for behind in [" ext.", " x12 13", " x123456789012", " x1a", ";isub=12"] {
        check(&format!("+354 545 1000{behind}"), "", "digits");
    }
    let both = |written: &str, extension: &str| {
        let phone = Phone { extension: extension.into(), ..phone(written) };
        phone.checked(None).map(|phone| phone.extension).map_err(|fault| fault.field)
    };
    assert_eq!(both("+354 545 1000", " 007 "), Ok("007".into()));
    assert_eq!(both("+354 545 1000 x12", "12"), Ok("12".into()));
    assert_eq!(both("+354 545 1000 x12", "13"), Err("extension".into()));
    assert_eq!(both("+354 545 1000", "12a"), Err("extension".into()));
    assert_eq!(both("+354 545 1000", "123456789012"), Err("extension".into()));
}

#[test]
fn numbers_of_nobody_are_refused_with_what_to_do() {
    check("545 1000", "", "begin with +");
    check("+999 123 4567", "", "calling code");
    check("+000 123 4567", "IS", "calling code");
    check("+354 54", "", "too few");
    check("+354 5", "", "few");
    check("+354 545 1000 1000 10", "", "too many");
    check("+35454510001000100010", "", "too many");
    check("+1 234", "", "too few");
    check("+1 000 555 0123", "", "nobody has");
    check("+1 800 FLOWERS", "", "in digits");
    check("1-800-FLOWERS", "US", "in digits");
    check("пять", "RU", "in digits");
    for number in ["", "+", "-", "()", "call me", "@", "0", "+354 545\r\n1000", "\u{202e}+3545451000"] {
        assert!(phone(number).checked(country("IS")).is_err(), "{number:?}");
    }
    assert_eq!(phone(&"1".repeat(65)).checked(None).unwrap_err().field, "number");
}

#[test]
fn an_old_record_is_read_as_it_is_and_a_new_one_says_no_more_than_it_has() {
    let old: Phone = serde_json::from_str(r#"{"number":"+0","kind":"work"}"#).unwrap();
    assert_eq!(old, Phone { number: "+0".into(), kind: PhoneKind::Work, extension: String::new() });
    // Hashes of requests are made of this.
    assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"number":"+0","kind":"work"}"#);
}

proptest! {
    /// Whatever is written: what is kept is E.164, valid, and read as itself, in any country.
    #[test]
    fn what_is_kept_stays(
        written in "[+]?[0-9 ()./-]{2,20}|[+][1-9][0-9]{6,14}|\\PC{0,24}|[+]?[0-9x#;=ext .,]{4,24}",
        region in prop::sample::select(vec!["", "IS", "US", "IT", "AR", "MX", "BR", "GB", "CI", "ZZ"]),
        later in prop::sample::select(vec!["", "IS", "US", "AR"]),
    ) {
        if let Ok(kept) = phone(&written).checked(country(region)) {
            let digits = kept.number.strip_prefix('+').unwrap_or_default();
            prop_assert!((7..=15).contains(&digits.len()) || digits.len() >= 5, "{}", kept.number);
            prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0'));
            prop_assert_eq!(kept.clone().checked(country(later)).unwrap(), kept);
        }
    }

    /// The same near real numbers, where most digits that are changed give another good number, or none.
    #[test]
    fn neighbours_of_examples_stay(at in any::<prop::sample::Index>(), digit in 0_u8..10, place in any::<prop::sample::Index>()) {
        let examples = examples();
        let mut number = examples[at.index(examples.len())].2.clone().into_bytes();
        let place = 1 + place.index(number.len() - 1);
        number[place] = b'0' + digit;
        let written = String::from_utf8(number).unwrap();
        if let Ok(kept) = phone(&written).checked(None) {
            prop_assert_eq!(kept.clone().checked(country("US")).unwrap(), kept);
        }
    }
}
