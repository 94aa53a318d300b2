//! The index against a look at every site, over random histories; and the rank, case by case.

mod many;

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::field::{PHONE_ENDS, each_text};
use super::query::rank;
use super::words::each_word;
use super::*;
use crate::model::phone::{Phone, PhoneKind};
use crate::model::site::TicketingLink;
use crate::model::text::fold;
use crate::model::ticketing::LinkCheck;

/// Steps of a history between two comparisons.
const COMPARED_EVERY: usize = 9;

/// A look at every site: the same answer, made the slow way.
#[derive(Debug, Default)]
struct Oracle(BTreeMap<SiteId, Site>);

impl Oracle {
    fn rank_of(site: &Site, way: &[query::QueryWord], classes: Classes) -> Option<u16> {
        let mut words = Vec::new();
        each_text(site, |text| {
            let note: String = text.value.chars().take(1_000).collect();
            let shown = if text.field == Field::Note { note.into() } else { text.shown() };
            each_word(&shown, |word| words.push((word.text.to_owned(), text.field, word.is_first)));
        });
        let mut sum = 0;
        for wanted in way {
            let fits =
                words.iter().filter(|(_, field, _)| classes.has(field.class())).filter_map(|(word, field, first)| {
                    let end: Option<String> = wanted.phone_end.as_ref().map(|end| end.chars().rev().collect());
                    let is_end = *field == Field::Phone && end.is_some_and(|end| word.ends_with(&end));
                    let begins = word.starts_with(&wanted.text);
                    let as_word = begins.then(|| rank(field.column(*first), *word == wanted.text));
                    as_word.into_iter().chain(is_end.then(|| rank(PHONE_ENDS, false))).min()
                });
            sum += fits.min()?;
        }
        Some(sum)
    }

    fn search(&self, query: &Query, classes: Classes, wanted: impl Fn(SiteId) -> bool) -> Vec<SiteId> {
        for way in &query.ways {
            let rank_of = |site: &Site| Some((Self::rank_of(site, way, classes)?, fold(&site.display_name), site.id));
            let mut hits: Vec<_> = self.0.values().filter_map(rank_of).collect();
            if !hits.is_empty() {
                hits.retain(|(.., site)| wanted(*site));
                hits.sort_unstable();
                return hits.into_iter().map(|(.., site)| site).collect();
            }
        }
        Vec::new()
    }

    /// Asks both, with and without a filter, with and without contacts.
    fn compare(&self, lexicon: &Lexicon, typed: &str) {
        let Ok(query) = Query::parse(typed) else { return };
        for classes in [Classes::ALL, Classes::ALL.without(Class::Contact).without(Class::Note)] {
            for limit in [1, 3, 100] {
                let all = self.search(&query, classes, |_| true);
                let found = lexicon.search(&query, classes, limit, None);
                assert_eq!(found.sites, all[..all.len().min(limit)], "{typed:?} {classes:?} {limit}");
                assert_eq!((found.total, found.is_exact), (all.len(), true), "{typed:?} {classes:?} {limit}");
                let odd = |site: SiteId| site.as_u128() % 2 == 1;
                let some = self.search(&query, classes, odd);
                let found = lexicon.search(&query, classes, limit, Some(&mut { odd }));
                assert_eq!(found.sites, some[..some.len().min(limit)], "{typed:?} {classes:?} {limit} odd");
                assert!(
                    found.total == some.len() || !found.is_exact && found.total < some.len(),
                    "{typed:?} {found:?}"
                );
                self.compare_among(lexicon, &query, classes, limit);
            }
            for site in self.0.values() {
                let is_hit = query.ways.iter().any(|way| Self::rank_of(site, way, classes).is_some());
                assert_eq!(!matches(&query, classes, site).is_empty(), is_hit, "{typed:?} {site:?}");
            }
        }
    }
}

impl Oracle {
    /// Asks both among some sites alone: the others might as well not be there.
    fn compare_among(&self, lexicon: &Lexicon, query: &Query, classes: Classes, limit: usize) {
        let own: BTreeMap<SiteId, Site> =
            self.0.iter().filter(|(site, _)| site.as_u128() % 3 == 1).map(|(id, site)| (*id, site.clone())).collect();
        let (among, alone) = (own.keys().copied().collect::<HashSet<_>>(), Self(own));
        let odd = |site: SiteId| site.as_u128() % 2 == 1;
        let (all, some) = (alone.search(query, classes, |_| true), alone.search(query, classes, odd));
        let found = lexicon.search_among(Some(&among), query, classes, limit, None);
        assert_eq!(found.sites, all[..all.len().min(limit)], "{query:?} {classes:?} {limit} among");
        assert_eq!((found.total, found.is_exact), (all.len(), true), "{query:?} {classes:?} {limit} among");
        let found = lexicon.search_among(Some(&among), query, classes, limit, Some(&mut { odd }));
        assert_eq!(found.sites, some[..some.len().min(limit)], "{query:?} {classes:?} {limit} odd among");
        assert_eq!((found.total, found.is_exact), (some.len(), true), "{query:?} {classes:?} {limit} odd among");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, Box<Texts>),
    Remove(u8),
    /// Begins a merge, and installs the one before.
    Merge,
    /// Begins a bulk of what is there, or puts it in.
    Bulk,
}

/// Texts of a site, of few words, so that they meet.
#[derive(Debug, Clone)]
struct Texts([String; 5]);

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Anna",
        "anna",
        "an",
        "Malmö",
        "malmo-nord",
        "C-17",
        "c",
        "17",
        "1",
        "Nord",
        "noRD",
        "x.y@z.is",
        "東京",
        "straße",
        "5551234",
        "b",
        "north",
        "ann",
    ]);
    prop::collection::vec(word, 0..4).prop_map(|words| words.join(" "))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let texts = [words(), words(), words(), words(), words()].prop_map(|texts| Box::new(Texts(texts)));
    let step = prop_oneof![
        12 => (0..40_u8, texts).prop_map(|(site, texts)| Step::Put(site, texts)),
        3 => (0..40_u8).prop_map(Step::Remove),
        2 => Just(Step::Merge),
        1 => Just(Step::Bulk),
    ];
    prop::collection::vec(step, 0..120)
}

fn site(number: u8, Texts([name, ids, contact, around, note]): &Texts) -> Site {
    let mut site = Site::new("acme".parse().unwrap(), name.clone(), Timestamp::UNIX_EPOCH);
    site.id = SiteId::from_u128(u128::from(number) + 1);
    site.customer_id.clone_from(ids);
    site.contact.first_name.clone_from(contact);
    site.contact.phones =
        vec![Phone { number: format!("+354{number}5551234"), kind: PhoneKind::Other, ..Phone::default() }];
    site.labels.insert("region".to_owned(), around.clone());
    site.note.clone_from(note);
    site
}

fn put(lexicon: &mut Lexicon, site: &Site) {
    lexicon.entry_of(site).into_iter().for_each(|entry| lexicon.put(entry));
}

/// What happens to a lexicon that freezes and merges all the time.
fn run(steps: Vec<Step>, queries: &[String]) {
    let (mut lexicon, mut oracle) = (Lexicon { last_max: 3, ..Lexicon::default() }, Oracle::default());
    let (mut merging, mut bulk) = (None, None);
    let last = steps.len().saturating_sub(1);
    for (at, step) in steps.into_iter().enumerate() {
        match step {
            Step::Put(number, texts) => {
                let site = site(number, &texts);
                put(&mut lexicon, &site);
                oracle.0.insert(site.id, site);
            }
            Step::Remove(number) => {
                let id = SiteId::from_u128(u128::from(number) + 1);
                lexicon.remove(id);
                oracle.0.remove(&id);
            }
            Step::Merge => match merging.take() {
                Some(merge) => drop(lexicon.install(Merge::run(merge))),
                None => merging = lexicon.merge(),
            },
            Step::Bulk => match bulk.take() {
                Some(made) => lexicon.install_bulk(Bulk::finish(made)),
                None if lexicon.is_empty() => {
                    // What is in the store when a start reads it; some of it changes meanwhile.
                    lexicon.await_bulk();
                    let mut made = lexicon.bulk();
                    for number in 0..10 {
                        let site = site(number, &Texts(["anna nord", "c-1", "x", "b", "17"].map(str::to_owned)));
                        made.push(&site);
                        oracle.0.insert(site.id, site);
                    }
                    lexicon.install_bulk(made.finish());
                }
                None => {
                    lexicon.await_bulk();
                    let mut made = lexicon.bulk();
                    for site in std::mem::take(&mut oracle.0).into_values() {
                        made.push(&site);
                        lexicon.kill(site.id);
                        oracle.0.insert(site.id, site);
                    }
                    bulk = Some(made);
                }
            },
        }
        if bulk.is_none() && (at % COMPARED_EVERY == 0 || at == last) {
            assert_eq!(lexicon.len(), oracle.0.len());
            queries.iter().for_each(|typed| oracle.compare(&lexicon, typed));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// A failure prints its seed and the shortest history that shows it.
    #[test]
    fn a_search_is_a_look_at_every_site(steps in steps(), queries in prop::collection::vec(words(), 3)) {
        let mut typed = vec!["a".to_owned(), "n 1".to_owned(), "1234".to_owned(), "region=anna".to_owned()];
        typed.extend(queries.into_iter().map(|query| {
            // As it is while it is being typed.
            let cut = query.floor_char_boundary(query.len().saturating_sub(1));
            query[..cut].to_owned()
        }));
        run(steps, &typed);
    }
}

fn named(number: u8, name: &str) -> Site {
    site(number, &Texts([name, "", "", "", ""].map(str::to_owned)))
}

/// The names of what a query finds, of sites in a segment as of sites that changed last.
fn check(sites: &[Site], typed: &str, expect: &[&str]) {
    for last_max in [1, 2, 1_000] {
        let mut lexicon = Lexicon { last_max, ..Lexicon::default() };
        sites.iter().for_each(|site| put(&mut lexicon, site));
        while let Some(merge) = lexicon.merge() {
            drop(lexicon.install(merge.run()));
        }
        let found = lexicon.search(&Query::parse(typed).unwrap(), Classes::ALL, 50, None);
        let name = |id: &SiteId| sites.iter().find(|site| site.id == *id).map(|site| site.display_name.as_str());
        let names: Vec<&str> = found.sites.iter().filter_map(name).collect();
        assert_eq!(names, expect, "{typed:?}, {last_max} last");
    }
}

#[test]
fn whole_words_come_before_beginnings_and_better_fields_before_others() {
    let mut by_id = named(1, "Delta");
    by_id.customer_id = "Nord".to_owned();
    let mut by_note = named(2, "Beta");
    by_note.note = "go nord".to_owned();
    let mut by_contact = named(3, "Gamma");
    by_contact.contact.last_name = "Nord".to_owned();
    let mut by_label = named(4, "Epsilon");
    by_label.labels.insert("side".to_owned(), "nord".to_owned());
    let sites = [by_note, by_label, by_contact, by_id, named(5, "Nordic"), named(6, "Alpha Nord"), named(7, "Nord 2")];
    check(&sites, "nord", &["Nord 2", "Alpha Nord", "Delta", "Gamma", "Epsilon", "Beta", "Nordic"]);
    check(&sites, "nordi", &["Nordic"]);
    check(&sites, "alp no", &["Alpha Nord"]);
    check(&sites, "nothing", &[]);
}

#[test]
fn equal_ranks_come_in_the_order_of_names() {
    let sites = [named(1, "Nord b"), named(2, "Nord C"), named(3, "Nord a"), named(4, "nord b")];
    check(&sites, "nord", &["Nord a", "Nord b", "nord b", "Nord C"]);
}

#[test]
fn ids_mails_and_phones_are_found_by_their_parts() {
    let mut one = named(1, "One");
    one.agent = Some("fw:0a-1B".parse().unwrap());
    one.contact.email = "anna.jons@example.is".to_owned();
    one.contact.phones = vec![Phone { number: "+3548881234".to_owned(), kind: PhoneKind::Work, ..Phone::default() }];
    one.ticketing_links = vec![TicketingLink {
        system: "zendesk".to_owned(),
        organization_id: "99017".to_owned(),
        organization_name: "Große Firma".to_owned(),
        external_site_id: "22".to_owned(),
        external_site_name: "Lagerhaus".to_owned(),
        uri: String::new(),
        check: LinkCheck::default(),
    }];
    let sites = [one, named(2, "Two")];
    for typed in ["fw:0a-1b", "0A", "1b fw", "anna.jons@example.is", "anna", "example.is", "jons@exa", "zendesk 99017"]
    {
        check(&sites, typed, &["One"]);
    }
    for typed in ["+354 888 1234", "8881234", "0888-1234", "81234", "grosse fir", "354888", "00354 888 1234", "fw0a1b"]
    {
        check(&sites, typed, &["One"]);
    }
    check(&sites, "1234", &["One", "Two"]);
}

#[test]
fn of_a_long_note_the_beginning_is_searched() {
    let mut long = named(1, "Long");
    long.note = (0..2 * NOTE_WORDS_MAX).map(|word| format!("w{word}q")).collect::<Vec<_>>().join(" ");
    let last = format!("w{}q", NOTE_WORDS_MAX - 1);
    check(std::slice::from_ref(&long), &last, &["Long"]);
    check(&[long], &format!("w{NOTE_WORDS_MAX}q"), &[]);
    let mut far = named(1, "Far");
    far.note = format!("{}needle", "é ".repeat(NOTE_BYTES_MAX / 3));
    check(std::slice::from_ref(&far), "needle", &[]);
    far.note = format!("{}needle", "é ".repeat(NOTE_BYTES_MAX / 4));
    check(&[far], "needle", &["Far"]);
}

#[test]
fn what_was_found_is_shown_where_it_stands() {
    let mut found = named(1, "Malmö-Nord 7");
    found.note = format!("{} see Malmö, then mail", "x ".repeat(100));
    found.contact.phones = vec![Phone { number: "+3548881234".to_owned(), kind: PhoneKind::Work, ..Phone::default() }];
    let shown = |typed: &str, classes| {
        let found = matches(&Query::parse(typed).unwrap(), classes, &found);
        let marked = |found: &Match| {
            let parts: Vec<&str> = found.ranges.iter().map(|(start, end)| &found.text[*start..*end]).collect();
            (found.field, parts.join("|"))
        };
        found.iter().map(marked).collect::<Vec<_>>()
    };
    assert_eq!(shown("malm", Classes::ALL), [(Field::DisplayName, "Malm".to_owned())]);
    assert_eq!(shown("nord malmo", Classes::ALL), [(Field::DisplayName, "Malmö|Nord".to_owned())]);
    assert_eq!(shown("malmonor", Classes::ALL), [(Field::DisplayName, "Malmö-Nor".to_owned())]);
    assert_eq!(shown("1234", Classes::ALL), [(Field::Phone, "1234".to_owned())]);
    assert_eq!(shown("1234", Classes::ALL.without(Class::Contact)), []);
    assert_eq!(
        shown("see mal", Classes::ALL),
        [(Field::Note, "see|Mal".to_owned()), (Field::DisplayName, "Mal".to_owned())]
    );
}

#[test]
fn where_a_filter_is_asked_about_too_many_the_newest_are_found() {
    let mut lexicon = Lexicon { last_max: 2, examined_max: 5, ..Lexicon::default() };
    lexicon.await_bulk();
    let mut bulk = lexicon.bulk();
    (1..20).for_each(|number| bulk.push(&named(number, &format!("Nord {number}"))));
    lexicon.install_bulk(bulk.finish());
    (20..22).for_each(|number| put(&mut lexicon, &named(number, &format!("Nord {number}"))));
    let newest = named(21, "").id;
    let found = lexicon.search(&Query::parse("nord").unwrap(), Classes::ALL, 3, Some(&mut |site| site == newest));
    assert_eq!((found.sites, found.total, found.is_exact), (vec![newest], 1, false));
    let all = lexicon.search(&Query::parse("nord").unwrap(), Classes::ALL, 3, None);
    assert_eq!((all.total, all.is_exact), (21, true));
}

#[test]
fn what_changes_no_text_is_no_entry() {
    let mut lexicon = Lexicon::default();
    let mut one = named(1, "Nord");
    put(&mut lexicon, &one);
    one.status = crate::model::site::Status::Maintenance;
    assert!(lexicon.entry_of(&one).is_none());
    lexicon.await_bulk();
    assert!(lexicon.entry_of(&one).is_some(), "it is newer than what the bulk has of it");
}

#[test]
fn a_merge_is_due_until_it_is_begun() {
    let mut lexicon = Lexicon { last_max: 1, ..Lexicon::default() };
    let put_named = |lexicon: &mut Lexicon, number| put(lexicon, &named(number, "Nord"));
    (1..4).for_each(|number| put_named(&mut lexicon, number));
    assert!(!lexicon.is_merge_due());
    put_named(&mut lexicon, 4);
    assert!(lexicon.is_merge_due());
    let merge = lexicon.merge().unwrap();
    assert!(!lexicon.is_merge_due() && lexicon.merge().is_none());
    drop(lexicon.install(merge.run()));
    // Segments of 1, 1, 1 and 4 sites: the last is not twice as large as the others.
    (5..8).for_each(|number| put_named(&mut lexicon, number));
    assert!(lexicon.is_merge_due());
}
