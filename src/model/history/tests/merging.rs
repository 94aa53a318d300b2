//! Entries that reports went into, beside a model that keeps each change.

use super::*;

/// A change as it was made.
fn made(edits: Vec<Edit>, cause: &Cause, made_at: Timestamp) -> Change {
    Change { number: 0, made_at, actor: Actor::System, cause: cause.clone(), edits, merged: None }
}

fn any_cause() -> impl Strategy<Value = Cause> {
    prop_oneof![4 => Just(Cause::Reported), 1 => Just(Cause::Activated), 1 => one_of([Cause::Updated, Cause::TakenOver])]
}

/// Seconds to the next change.
fn any_pause() -> impl Strategy<Value = i64> {
    prop_oneof![3 => 0..1_200_i64, 1 => 3_500..3_700_i64, 1 => 40_000..90_000_i64]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn entries_of_reports_tell_what_each_of_them_told(
        first in any_site(),
        steps in prop::collection::vec((any_site(), any_cause(), any_pause(), any::<bool>()), 1..12),
    ) {
        // Each entry with the versions around it, and the times of all that went into it.
        let mut entries: Vec<(Change, Site, Site, Vec<i64>)> = Vec::new();
        let (mut version, mut second) = (first, 0);
        for (next, cause, pause, is_turn) in steps {
            second += pause;
            let turn = || Site { public_ip: next.public_ip, network: next.network.clone(), ..version.clone() };
            let next = if is_turn { turn() } else { next };
            let change = made(diff(&version, &next), &cause, at(second));
            if change.edits.is_empty() {
                continue;
            }
            let last = entries.last_mut();
            if let Some((_, _, after, times)) = last.and_then(|all| all.0.merge(&change).then_some(all)) {
                *after = next.clone();
                times.push(second);
            } else {
                entries.push((change, version, next.clone(), vec![second]));
            }
            version = next;
        }
        for (entry, before, after, times) in &entries {
            let mut past = facts(after);
            for edit in &entry.edits {
                prop_assert_eq!(past.get(&edit.field), edit.to.as_ref(), "{} is not what the next entry says", edit.field);
                set(&mut past, edit.field.clone(), edit.from.clone());
            }
            prop_assert_eq!(past, facts(before));
            let names: BTreeSet<_> = entry.edits.iter().map(|edit| &edit.field).collect();
            prop_assert_eq!(names.len(), entry.edits.len());
            let told = entry.merged.map_or((1, entry.made_at), |merged| (merged.count, merged.since));
            prop_assert_eq!(told, (u32::try_from(times.len()).unwrap(), at(times[0])));
            prop_assert_eq!(Some(entry.made_at), times.last().map(|second| at(*second)));
            prop_assert!(times.len() == 1 || entry.is_report(), "a person's entry");
            let is_turns = names.iter().all(|name| matches!(name, Field::PublicIp | Field::Asn | Field::Isp));
            let longest = if is_turns { 24 * 3_600 } else { 3_600 };
            prop_assert!(times[times.len() - 1] - times[0] < longest);
        }
        // Of two neighbours that both are reports the second one was too late for the first.
        for pair in entries.windows(2) {
            let ((one, .., times), (two, .., others)) = (&pair[0], &pair[1]);
            prop_assert!(!one.is_report() || !two.is_report() || others[0] - times[0] >= 3_600);
        }
    }
}

#[test]
fn a_report_and_its_opposite_are_one_entry_that_says_how_many() {
    let (up, down) = (Site { status: Status::Online, ..blank() }, Site { status: Status::Offline, ..blank() });
    let mut entry = made(diff(&up, &down), &Cause::Reported, at(0));
    for minute in 1..60 {
        let (from, to) = if minute % 2 == 0 { (&up, &down) } else { (&down, &up) };
        assert!(entry.merge(&made(diff(from, to), &Cause::Reported, at(minute * 60))));
    }
    assert_eq!(entry.merged, Some(Merged { count: 60, since: at(0) }));
    assert_eq!(entry.edits[0].from, entry.edits[0].to);
    assert!(!entry.merge(&made(diff(&up, &down), &Cause::Reported, at(3_600))), "the next hour");
    let person = made(diff(&up, &down), &Cause::Updated, at(3_590));
    assert!(!entry.merge(&person) && !person.clone().merge(&entry));
    let record = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Change>(&record).unwrap(), entry);
    assert!(!serde_json::to_string(&person).unwrap().contains("merged"), "as records of before were");
}
