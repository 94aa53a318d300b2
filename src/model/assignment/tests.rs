//! Assignments: text in, text or fault out; and which labels they hold for.

use proptest::prelude::*;

use super::*;

/// What a text is told as, or what is wrong with it.
fn told(text: &str) -> String {
    match Assignment::parse(text) {
        Ok(assignment) => assignment.as_str().to_owned(),
        Err(fault) => fault.to_string(),
    }
}

fn check(text: &str, expect: &str) {
    assert_eq!(told(text), expect, "{text}");
}

fn check_fault(text: &str, expect: &str) {
    let told = told(text);
    assert!(told.starts_with("assigned: ") && told.contains(expect), "{text}: {told}");
    assert!(told.len() < 300, "a long text is not told back whole");
}

#[test]
fn each_is_written_in_one_way() {
    check("labels.team=north", "labels.team = \"north\"");
    check(" labels.team = '  North  ' ", "labels.team = \"North\"");
    check("labels.a = b labels.c = d", "labels.a = \"b\" AND labels.c = \"d\"");
    check(
        "labels.a = b AND labels.c = d OR labels.e/x.y-z_1 = f",
        "labels.a = \"b\" AND (labels.c = \"d\" OR labels.e/x.y-z_1 = \"f\")",
    );
    check("((labels.a = b) AND (labels.c = d))", "labels.a = \"b\" AND labels.c = \"d\"");
    check("(labels.a=b labels.c=d) OR labels.e=f", "(labels.a = \"b\" AND labels.c = \"d\") OR labels.e = \"f\"");
    check("labels.a = \"a \\\"b\\\" \\\\ c\"", "labels.a = \"a \\\"b\\\" \\\\ c\"");
    check("labels.at = 2026-11-23T12:00:00Z", "labels.at = \"2026-11-23T12:00:00Z\"");
    check("labels.a = AND", "labels.a = \"AND\"");
}

#[test]
fn faults_say_where_and_what() {
    check_fault("", "at byte 0: sites are assigned by labels");
    check_fault("team = north", "at byte 0: sites are assigned by labels");
    check_fault("status = ONLINE", "labels.team = \"north\"");
    check_fault("north", "sites are assigned by labels");
    check_fault("NOT labels.a = b", "sites are assigned by labels");
    check_fault("-labels.a = b", "sites are assigned by labels");
    check_fault("labels.a = b OR", "at byte 15: sites are assigned by labels");
    check_fault("labels. = b", "a label's key is");
    check_fault("labels.Team = b", "a label's key is");
    check_fault("labels.a != b", "at byte 9: `=` is missing");
    check_fault("labels.a : b", "`=` is missing");
    check_fault("labels.a", "`=` is missing");
    check_fault("labels.a =", "a value is missing");
    check_fault("labels.a = )", "a value is missing");
    check_fault("labels.a = ''", "at byte 11: an empty value");
    check_fault("labels.a = '\u{3000}'", "an empty value");
    check_fault("labels.a = b*", "a star");
    check_fault("labels.a = '*'", "a star");
    check_fault("labels.a = 'b", "does not end");
    check_fault("labels.a = 'b\\", "does not end");
    check_fault("labels.a = \"b\u{7}\"", "control");
    check_fault("labels.a = b)", "without an opening one");
    check_fault("(labels.a = b", "never closed");
    check_fault("(((((labels.a = b)))))", "nested deeper than 4");
    // As it is told, a group stands in parentheses that had none.
    let deep = "((((labels.a=b labels.c=d OR labels.e=f) OR labels.g=h) labels.i=j) OR labels.k=l) labels.m=n";
    check_fault(deep, "nested deeper");
    assert!(Assignment::parse(&deep.replace("labels.a=b ", "")).is_ok());
    check_fault(&"(".repeat(1_000), "nested deeper");
    check_fault(&"labels.a = b ".repeat(21), "more than 20 labels");
    check_fault(&format!("labels.a = {}", "x".repeat(257)), "at most 256 bytes");
    check_fault(&"x".repeat(1_025), "at most 1024 bytes, got 1025");
    check_fault(&format!("status = {}", "x".repeat(1_000)), "sites are assigned by labels");
    // Each quote and backslash is told as two.
    let quoted = format!("labels.a = '{}'", "\"".repeat(250));
    check_fault(&[quoted.as_str(); 3].join(" "), "at most 1024 bytes");
}

#[test]
fn labels_decide_and_nothing_else() {
    let site = |labels: &[(&str, &str)]| {
        let mut site = Site::new("acme".parse().unwrap(), "Pump".into(), jiff::Timestamp::UNIX_EPOCH);
        site.labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        site
    };
    let text = "labels.team = North AND labels.kind = pump OR labels.kind = valve";
    let assignment = Assignment::parse(text).unwrap();
    assert!(assignment.holds(&site(&[("team", "  ＮＯＲＴＨ "), ("kind", "Valve"), ("other", "x")])));
    assert!(assignment.holds(&site(&[("team", "north"), ("kind", "pump")])));
    let others: [&[(&str, &str)]; 4] =
        [&[], &[("team", "north")], &[("kind", "pump")], &[("team", "north"), ("kind", "pumps")]];
    for other in others {
        assert!(!assignment.holds(&site(other)), "{other:?}");
    }
    let mut deleted = site(&[("team", "north"), ("kind", "pump")]);
    deleted.deleted_at = Some(jiff::Timestamp::UNIX_EPOCH);
    assert!(assignment.matches(&deleted.labels) && !assignment.holds(&deleted));
}

#[test]
fn records_hold_its_text() {
    let assignment = Assignment::parse("labels.team = north").unwrap();
    let json = serde_json::to_string(&assignment).unwrap();
    assert_eq!(json, "\"labels.team = \\\"north\\\"\"");
    assert_eq!(serde_json::from_str::<Assignment>(&json).unwrap(), assignment);
    assert!(serde_json::from_str::<Assignment>("\"status = ONLINE\"").is_err());
}

fn any_text() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec!["north", "\"a b\"", "'it\\'s'", "\"\\\\\"", "Ö", "17"]);
    let leaf = ("[a-z0-9._/-]{1,6}", value).prop_map(|(key, value)| format!("labels.{key} = {value}"));
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|all| format!("({})", all.join(" AND "))),
            prop::collection::vec(inner, 1..4).prop_map(|any| format!("({})", any.join(" OR "))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_told_is_parsed_as_the_same(text in any_text()) {
        if let Ok(assignment) = Assignment::parse(&text) {
            prop_assert_eq!(Assignment::parse(assignment.as_str()).unwrap(), assignment);
        } else {
            prop_assert!(text.len() > 100, "{}", text);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}|[()=\"'\\\\ alebs.nDOR*]{0,40}") {
        let _ = Assignment::parse(&text).map(|assignment| assignment.matches(&BTreeMap::new()));
    }
}
