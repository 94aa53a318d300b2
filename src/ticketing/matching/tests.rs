//! Which organisations stand out, and which do not: by examples, and by what must hold of any.

use proptest::prelude::*;

use super::*;

fn organization(id: &str, name: &str, address: [&str; 3]) -> Prepared {
    let [street, postal_code, city] = address.map(str::to_owned);
    let address = Address { street, city, postal_code, ..Address::default() };
    Prepared::new(Organization { id: id.to_owned(), name: name.to_owned(), address })
}

fn check(site: &SiteTexts, organizations: &[Prepared], expect: &str, is_clear: bool) {
    let found = suggest(site, organizations, 5);
    let ids: Vec<&str> = found.best.iter().map(|found| found.organization.id.as_str()).collect();
    assert_eq!(ids.join(" "), expect, "{:?}", found.best);
    assert_eq!(found.is_clear, is_clear, "{:?}", found.best);
}

const NONE: [&str; 3] = ["", "", ""];
const AKUREYRI: [&str; 3] = ["Hafnarstræti 5", "600", "Akureyri"];

#[test]
fn names_are_compared_without_legal_forms_and_places() {
    let all = [
        organization("1", "ACME, Inc.", NONE),
        organization("2", "Apex Holding GmbH", NONE),
        organization("3", "Northern Lights ehf", NONE),
        organization("4", "Zenith", NONE),
    ];
    check(&SiteTexts::new("Acme Ltd", "", &[]), &all, "1", true);
    check(&SiteTexts::new("Norhtern Lights", "", &[]), &all, "3", true);
    check(&SiteTexts::new("Completely else", "", &[]), &all, "", false);
    check(&SiteTexts::new("Something", "4", &[]), &all, "4", false);
    check(&SiteTexts::new("Zenit", "4", &[]), &all, "4", true);
    check(&SiteTexts::new("", "", &[]), &all, "", false);
}

#[test]
fn ties_are_told_and_never_clear() {
    let twins = [organization("1", "Acme", NONE), organization("2", "ACME Ltd", NONE)];
    check(&SiteTexts::new("Acme", "", &[]), &twins, "1 2", false);
    check(&SiteTexts::new("Acme", "", &["Hafnarstræti 5, 600 Akureyri"]), &twins, "1 2", false);
}

#[test]
fn an_address_tells_twins_apart() {
    let twins = [organization("1", "Acme", ["Laugavegur 1", "101", "Reykjavík"]), organization("2", "Acme", AKUREYRI)];
    let site = SiteTexts::new("Acme", "", &["Hafnarstræti 5, 600 Akureyri"]);
    check(&site, &twins, "2 1", true);
    let found = suggest(&site, &twins, 1);
    assert_eq!(found.best[0].whys, [Why::SameName, Why::SamePostalCode, Why::SameCity, Why::SameStreet]);
    // A number within another one is none.
    check(&SiteTexts::new("Acme", "", &["1600 Akureyrarvegur 55"]), &twins, "1 2", false);
}

/// The organisation without an address was clear, because an address could only take something away.
#[test]
fn an_address_that_agrees_wins_against_none() {
    let site = SiteTexts::new("Acme", "", &["Hafnarstræti 5, 600 Akureyri"]);
    let bare = organization("1", "Acme", NONE);
    // The town alone is said alike: ahead, and not enough to be sure.
    let nearly = organization("2", "Acme", ["Hafnarstr. 5", "", "Akureyri"]);
    check(&site, &[bare.clone(), nearly], "2 1", false);
    check(&site, &[bare.clone(), organization("2", "Acme", AKUREYRI)], "2 1", true);
    check(&site, &[bare.clone(), organization("2", "Acme", ["Laugavegur 1", "101", "Reykjavík"])], "1 2", false);
    check(&site, &[bare], "1", true);
    check(&site, &[organization("1", "Acme", ["Laugavegur 1", "101", "Reykjavík"])], "1", false);
}

/// The customer's number named one, and another one was clear.
#[test]
fn nothing_is_clear_against_the_customer_id() {
    let all =
        [organization("1", "Acme", NONE), organization("2", "Acme North", NONE), organization("3", "Zenith", NONE)];
    check(&SiteTexts::new("Acme", "2", &[]), &all, "1 2", false);
    let [acme, _, zenith] = all;
    check(&SiteTexts::new("Acme", "3", &[]), &[acme, zenith], "1 3", false);
}

#[test]
fn a_name_within_another_is_clear_with_more_evidence_alone() {
    let name = "Acme Akureyri";
    check(&SiteTexts::new(name, "", &[]), &[organization("1", "Acme", NONE)], "1", false);
    let address = ["Hafnarstræti 5, 600 Akureyri"];
    check(&SiteTexts::new(name, "", &address), &[organization("1", "Acme", NONE)], "1", false);
    check(&SiteTexts::new(name, "", &address), &[organization("1", "Acme", AKUREYRI)], "1", true);
    check(&SiteTexts::new(name, "1", &[]), &[organization("1", "Acme", NONE)], "1", true);
}

proptest! {
    #[test]
    fn a_score_is_a_share_and_no_order_of_organisations_matters(
        name in "\\PC{0,20}",
        names in proptest::collection::vec("\\PC{0,12}|acme( ltd)?", 0..6),
    ) {
        let of = |(at, name): (usize, &String)| organization(&at.to_string(), name, NONE);
        let all: Vec<_> = names.iter().enumerate().map(of).collect();
        let site = SiteTexts::new(&name, "", &[]);
        let found = suggest(&site, &all, 10);
        let told = |found: &Matches<'_>| -> Vec<(String, u64)> {
            found.best.iter().map(|one| (one.organization.id.clone(), one.score.to_bits())).collect()
        };
        prop_assert!(found.best.iter().all(|one| (SCORE_MIN..=1.0).contains(&one.score)));
        let turned: Vec<_> = all.iter().rev().cloned().collect();
        let other = suggest(&site, &turned, 10);
        prop_assert_eq!((told(&found), found.is_clear), (told(&other), other.is_clear));
    }

    /// What speaks for a rival makes no other one clear: neither its name, nor a part of its address, nor its id.
    #[test]
    fn evidence_for_a_rival_makes_no_other_clear(
        all in proptest::collection::vec((name(), part(0), part(1), part(2)), 1..5),
        (site_name, street, code, city) in (name(), part(0), part(1), part(2)),
        customer in 0_usize..6,
        rival in 0_usize..5,
        kind in 0_usize..6,
    ) {
        let rival = rival % all.len();
        let line = format!("{street}, {code} {city}");
        let texts = |customer: usize| SiteTexts::new(site_name, &customer.to_string(), &[&line]);
        let built = |all: &[Given]| -> Vec<Prepared> {
            let of = |(at, (name, street, code, city)): (usize, &Given)| {
                organization(&at.to_string(), name, [street, code, city])
            };
            all.iter().enumerate().map(of).collect()
        };
        let clear = |customer: usize, all: &[Given]| -> Option<usize> {
            let prepared = built(all);
            let found = suggest(&texts(customer), &prepared, 1);
            found.is_clear.then(|| found.best[0].organization.id.parse().unwrap())
        };
        let before = clear(customer, &all);
        let (mut after, mut customer_after) = (all.clone(), customer);
        match kind {
            0 => after[rival].0 = site_name,
            1 => after[rival].1 = street,
            2 => after[rival].2 = code,
            3 => after[rival].3 = city,
            // An address where none was known, of which the town alone is written alike.
            4 if [after[rival].1, after[rival].2, after[rival].3] == NONE && !city.is_empty() => {
                (after[rival].1, after[rival].3) = ("Hafnarstr. 5", city);
            }
            4 => {}
            _ => customer_after = rival,
        }
        if let Some(now) = clear(customer_after, &after).filter(|now| *now != rival) {
            prop_assert_eq!(before, Some(now), "{:?} and then {:?}, for {} at {}", all, after, site_name, line);
        }
    }
}

/// Name, street, postal code and town.
type Given = (&'static str, &'static str, &'static str, &'static str);

fn name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["Acme", "Acme Ltd", "Acme North", "Acne", "Acme North East", "Zenith", "Apex Acme"])
}

/// A part of an address, or nothing.
fn part(kind: usize) -> impl Strategy<Value = &'static str> {
    let all = [["Hafnarstræti 5", "Laugavegur 1", ""], ["600", "101", ""], ["Akureyri", "Reykjavík", ""]];
    proptest::sample::select(all[kind].to_vec())
}
