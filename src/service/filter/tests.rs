//! Filters, data in, answer out.

use super::*;
use crate::model::attention::AttentionReason;
use crate::model::phone::{Phone, PhoneKind};
use crate::model::site::{Status, TicketingLink};
use crate::model::ticketing::{LinkCheck, LinkState};

pub(super) fn site() -> Site {
    let mut site =
        Site::new("acme".parse().unwrap(), "Head Office Malmö".into(), "2026-11-01T00:00:00Z".parse().unwrap());
    site.status = Status::Online;
    site.customer_id = "C-17".into();
    site.labels.insert("region".into(), "Nordics".into());
    site.labels.insert("spare".into(), String::new());
    // Folding leaves nothing of it.
    site.contract_id = "\u{3000}".into();
    site.agent = Some("fw-1".parse().unwrap());
    let phone = |number: &str| Phone { number: number.into(), kind: PhoneKind::Work, extension: "77".into() };
    site.contact.phones = vec![phone("+3545451000"), phone("+4712345678")];
    let link = |organization: &str, external_site_id: &str, state| TicketingLink {
        system: "zendesk".into(),
        organization_id: organization.into(),
        organization_name: format!("Harbour {organization}"),
        external_site_id: external_site_id.into(),
        external_site_name: if external_site_id.is_empty() { String::new() } else { "Quay".into() },
        uri: String::new(),
        check: LinkCheck { state, ..LinkCheck::default() },
    };
    site.ticketing_links = vec![link("7", "22", LinkState::Broken), link("19", "", LinkState::Unverified)];
    site
}

fn check(filter: &str, expected: bool) {
    let parsed = Filter::parse(filter).unwrap_or_else(|fault| panic!("{filter}: {fault}"));
    assert_eq!(parsed.matches(&site(), |_| on_the_map()), expected, "{filter}");
}

/// The map may be of an older record, whose address failed.
pub(super) fn on_the_map() -> Attention {
    [AttentionReason::Crowded, AttentionReason::AddressFailed].into_iter().collect()
}

fn check_fault(filter: &str, expected: &str) {
    let fault = Filter::parse(filter).expect_err(filter).to_string();
    assert!(fault.contains(expected), "{filter}: {fault}");
}

#[test]
fn tests_of_single_fields() {
    check("", true);
    check("status = ONLINE", true);
    check("status=online", true);
    check("status != ONLINE", false);
    check("status = OFFLINE", false);
    check("display_name = \"head office malmö\"", true);
    check("display_name = \"head office\"", false);
    check("display_name = \"head*\"", true);
    check("display_name = *malmö", true);
    check("display_name : office", true);
    check("customer_id = 'c-17'", true);
    check("labels.region = nordics", true);
    check("labels.region != nordics", false);
    check("labels.other : nordics", false);
    check("location.placed = false", true);
    check("location.confirmed = true", false);
    check("location.source != PIN", true);
    check("create_time >= 2026-11-01T00:00:00Z", true);
    check("create_time < \"2026-11-01T00:00:00Z\"", false);
    check("agent_id = fw-1", true);
    check("display_name = \"head *\"", true);
    check("display_name = \"hea *\"", false);
    check("display_name = \"* malmö\"", true);
    check("display_name = \"* almö\"", false);
}

#[test]
fn phones_are_compared_as_they_are_kept() {
    for (filter, expected) in [
        ("contact.phones : \"+4712\"", true),
        ("contact.phones : \"+47 12-34\"", true),
        ("contact.phones : \"(545) 10.00\"", true),
        ("contact.phones : +4754", false),
        ("contact.phones = \"+47 12 34 56 78\"", true),
        ("contact.phones = \"47 12 34 56 78\"", true),
        ("contact.phones = \"12 34 56 78\"", false),
        ("contact.phones = \"*12 34 56 78\"", true),
        ("contact.phones = 354*", true),
        ("contact.phones = 545*", false),
        ("contact.phones != 3545451000", false),
        ("contact.phones != 3545451001", true),
        ("contact.phones = ''", false),
        ("contact.phones != ''", true),
        ("contact.phones : *", true),
        ("contact.phones : \u{ff0b}\u{ff14}\u{ff17}", true),
        // Neither an extension, nor the end of one number with the beginning of the next.
        ("contact.phones : 77", false),
        ("contact.phones : 100047", false),
        ("5451000", true),
        ("+4712 -5452", true),
    ] {
        check(filter, expected);
    }
    for value in ["anna", "'()'", "1*2", "+47x12", "'1000 +47'"] {
        check_fault(&format!("contact.phones : {value}"), "at byte 17: a phone number is written in digits");
    }
    check_fault("contact.phones > 354", "at byte 15: texts compare by");
    // What no number can be: that of a country at home, the prefix of calls abroad, too many digits, a star within.
    for value in ["0545451000", "+0545451000", "'00354 545 1000'", "00354*", "1234567890123456", "+1234567890123456*"] {
        check_fault(&format!("contact.phones = {value}"), "at byte 17: begin with + and the country's calling code");
        check_fault(&format!("contact.phones != {value}"), "a number has at most 15 digits");
    }
    for value in ["**47", "47**", "***"] {
        check_fault(&format!("contact.phones = {value}"), "at byte 17: a phone number is written in digits");
    }
    check("contact.phones = 123456789012345", false);
    check("contact.phones = *000", true);
    check("contact.phones = *0700*", false);
    check("contact.phones : 000", true);
    check("contact.phones : **47", true);
}

#[test]
fn conditions_on_links_hold_where_some_link_meets_them() {
    check("ticketing_links.organization_name = 'harbour 7'", true);
    check("ticketing_links.organization_name : quay", false);
    check("ticketing_links.external_site_id = 22", true);
    check("ticketing_links.external_site_id = ''", false);
    check("ticketing_links.external_site_name = quay", true);
    check("ticketing_links.external_site_name : harbour", false);
    check("ticketing_links.state = BROKEN", true);
    check("ticketing_links.state : ticketing_link_state_unverified", true);
    check("ticketing_links.state = DRIFTED", false);
    check("ticketing_links.state != BROKEN", false);
    check("ticketing_links.state != VERIFIED", true);
    // By two links, too.
    check("ticketing_links.organization_id = 19 ticketing_links.state = BROKEN", true);
    // A state is no word.
    check("broken", false);
    check("harbour quay", true);
    check_fault("ticketing_links.state = GONE", "at byte 24: the state of a link is");
    check_fault("ticketing_links.state > BROKEN", "at byte 22: ticketing_links.state compares by");
}

#[test]
fn what_needs_attention_is_asked_for_by_reason() {
    check("attention : UNPLACED", true);
    check("attention = attention_reason_unplaced", true);
    check("attention : *", true);
    check("attention : CROWDED", true);
    check("attention : ADDRESS_FAILED", false);
    check("attention != ADDRESS_FAILED", true);
    check("NOT attention : *", false);
    check("-attention:ADDRESS_PENDING AND attention:UNPLACED", true);
    check_fault("attention : nonsense", "at byte 12: attention is one of UNPLACED, ADDRESS_EXPIRED");
    check_fault("attention < UNPLACED", "attention compares by = and !=");
}

#[test]
fn a_field_without_text_is_empty() {
    check("contact.first_name = ''", true);
    check("contact.first_name != ''", false);
    check("customer_id = ''", false);
    check("customer_id != ''", true);
    check("labels.other = ''", true);
    check("labels.region != ''", true);
    check("labels.region = ''", false);
    check("labels.spare = ''", true);
    check("labels.spare != ''", false);
    check("labels.spare = '*'", true);
    check("labels.other = '*'", false);
    check("contract_id = ''", true);
    check("contract_id != ''", false);
}

#[test]
fn words_look_everywhere() {
    check("malmö", true);
    check("\"office malmö\"", true);
    check("nordics fw-1", true);
    check("nordics missing", false);
}

#[test]
fn or_binds_tighter_than_and() {
    check("status = OFFLINE OR status = ONLINE AND customer_id = none", false);
    check("(status = OFFLINE) OR (status = ONLINE AND customer_id : 17)", true);
    check("NOT status = OFFLINE", true);
    check("-status = ONLINE", false);
    check("NOT (status = OFFLINE OR customer_id = none)", true);
    check("status = ONLINE -missing", true);
}

#[test]
fn faults_say_where_and_what() {
    check_fault("status = SLEEPING", "at byte 9: a status is");
    check_fault("status < ONLINE", "at byte 7: status compares by");
    check_fault("note > a", "at byte 5: texts compare by");
    check_fault("create_time : 2026", "at byte 14: a time is like");
    check_fault("create_time = yesterday", "a time is like");
    check_fault("location.confirmed = maybe", "true or false");
    check_fault("a colour = red", "at byte 2: \"colour\" is no field");
    let long = format!("{} = red", "x".repeat(500));
    assert!(Filter::parse(&long).unwrap_err().to_string().len() < 200, "a long name is not told back whole");
    check_fault("labels. = a", "no field");
    check_fault("a AND", "at byte 5: the filter ends where a term");
    check_fault("AND a", "at byte 0: a term is missing");
    check_fault("a )", "at byte 2");
    check_fault("b ( a", "at byte 2: this parenthesis");
    check_fault("note = \"open", "does not end");
    check_fault("note = )", "where a value should be");
    check_fault("!", "not understood");
    check_fault(&"(".repeat(1_000), "nested deeper");
    check_fault(&"NOT ".repeat(500), "nested deeper");
    check_fault(&"a ".repeat(101), "more than 100 terms");
    check_fault(&"a".repeat(2_049), "at most 2048 bytes");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        let _ = Filter::parse(&text).map(|filter| filter.matches(&site(), |_| on_the_map()));
    }

    #[test]
    fn no_row_of_signs_makes_the_parser_panic(text in "[()=:<>!\\- a\"'NOTADR*]{0,40}") {
        let _ = Filter::parse(&text).map(|filter| filter.matches(&site(), |_| on_the_map()));
    }
}
