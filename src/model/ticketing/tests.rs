//! Tables of ids, of states, and of edits that begin anew.

use super::*;

fn link(system: &str, organization: &str, site: &str) -> TicketingLink {
    TicketingLink {
        system: system.to_owned(),
        organization_id: organization.to_owned(),
        organization_name: "Acme".to_owned(),
        external_site_id: site.to_owned(),
        external_site_name: String::new(),
        uri: String::new(),
        check: LinkCheck::default(),
    }
}

#[test]
fn ids_are_those_that_the_system_gives() {
    let check = |system: &str, organization: &str, site: &str, expect: Option<&str>| {
        let fault = check_ids(&link(system, organization, site)).err().map(|fault| fault.field);
        assert_eq!(fault.as_deref(), expect, "{system} {organization:?} {site:?}");
    };
    for system in System::ALL {
        let name = system.facts().name;
        check(name, "17", "", None);
        for bad in ["", "x", "-1", "+1", "017", "1 ", "1.0", "١", "99999999999999999999"] {
            check(name, bad, "", Some("organization_id"));
        }
        let is_named = system.facts().site_term.is_some();
        check(name, "17", "3", if is_named { None } else { Some("external_site_id") });
        check(name, "17", "x", Some("external_site_id"));
    }
    check("autotask", "0", "", None);
    check("autotask", "0", "0", Some("external_site_id"));
    check("zendesk", "0", "", Some("organization_id"));
    check("connectwise", "2147483648", "", Some("organization_id"));
    check("zendesk", "9223372036854775807", "", None);
    check("our own", "AC-17/b", "anything", None);
}

#[test]
fn systems_are_known_by_both_names() {
    for system in System::ALL {
        let facts = system.facts();
        assert_eq!(System::parse(facts.name), Some(system));
        assert_eq!(system_name(&facts.display_name.to_uppercase()), facts.name);
    }
    assert_eq!(system_name("HaloPSA"), "halopsa");
    assert_eq!(System::parse("halopsa"), None);
}

#[test]
fn a_check_tells_names_and_times() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let found = |name: &str| FarEnd::Found { organization: name.to_owned(), site: String::new() };
    let mut one = link("zendesk", "1", "");
    for (second, end, state, since) in [
        (1, found("ACME"), LinkState::Verified, 1),
        (2, found("Acme"), LinkState::Verified, 1),
        (3, found("Apex"), LinkState::Drifted, 3),
        (4, FarEnd::Gone, LinkState::Broken, 4),
        (5, FarEnd::SiteGone { organization: "Acme".to_owned() }, LinkState::Broken, 4),
        (6, found("Acme"), LinkState::Verified, 6),
    ] {
        one.check = one.judged(&end, at(second));
        assert_eq!((one.check.state, one.check.checked_at), (state, Some(at(second))), "{end:?}");
        assert_eq!(one.check.since, Some(at(since)), "{end:?}");
    }
    let nameless = TicketingLink { organization_name: String::new(), ..one };
    assert_eq!(nameless.judged(&found("Any"), at(7)).state, LinkState::Verified);
    let to_a_site = TicketingLink { external_site_id: "22".into(), external_site_name: "Warehouse".into(), ..nameless };
    for (site, state) in [("WAREHOUSE ", LinkState::Verified), ("Depot", LinkState::Drifted), ("", LinkState::Drifted)]
    {
        let end = FarEnd::Found { organization: "Any".to_owned(), site: site.to_owned() };
        let check = to_a_site.judged(&end, at(8));
        assert_eq!((check.state, check.site_name.as_str()), (state, site), "what was found stays what was found");
    }
}

#[test]
fn an_edit_of_id_system_or_name_begins_anew_and_one_of_the_page_does_not() {
    let now = Timestamp::UNIX_EPOCH;
    let mut known = link("connectwise", "1", "2");
    known.check = known.judged(&FarEnd::Gone, now);
    let kept = |change: fn(&mut TicketingLink)| {
        let mut after = [link("connectwise", "1", "2")];
        change(&mut after[0]);
        keep_checks(std::slice::from_ref(&known), &mut after);
        after[0].check.state
    };
    assert_eq!(kept(|_| ()), LinkState::Broken);
    assert_eq!(kept(|link| link.uri = "https://x".into()), LinkState::Broken);
    assert_eq!(kept(|link| link.organization_id = "3".into()), LinkState::Unverified);
    assert_eq!(kept(|link| link.external_site_id.clear()), LinkState::Unverified);
    assert_eq!(kept(|link| link.system = "autotask".into()), LinkState::Unverified);
    assert_eq!(kept(|link| link.organization_name = "Apex".into()), LinkState::Unverified);
    assert_eq!(kept(|link| link.external_site_name = "Depot".into()), LinkState::Unverified);
}

#[test]
fn told_names_are_lines() {
    assert_eq!(told_name(" Acme\r\n\u{202e}Ltd\u{0} "), "Acme Ltd");
    assert_eq!(told_name(&"þ".repeat(300)).len(), text::LINE_BYTES_MAX);
    assert!(text::line("x", &told_name("a\u{2028}b"), text::LINE_BYTES_MAX).is_ok());
}
