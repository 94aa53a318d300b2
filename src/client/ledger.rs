//! What a watch of sites has told its program: so that cuts, snapshots and repeats tell each change once, and lose none.
//!
//! Knows messages alone, and nothing of connections. The clients in Python and TypeScript have the same, and all three are held
//! to `clients/cases.json`.

use std::collections::{HashMap, HashSet};

use super::watch::{SiteChange, SiteEvent};
use crate::api::proto::waymark::v1 as pb;

/// A version of a site: its revision, and when it was last changed. Where a store lost writes, the same revision may come again
/// with something else in it, at another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    revision: u64,
    changed: Option<(i64, i32)>,
}

impl Version {
    fn of(site: &pb::Site) -> Self {
        let changed = site.update_time.as_ref().map(|time| (time.seconds, time.nanos));
        Self { revision: site.revision, changed }
    }

    /// Whether it is news to who was told of another version. What a crowd of sites brought came with the revision of a
    /// neighbour's write, so the record itself may have a lower one and be no news.
    fn is_news_after(self, told: Self) -> bool {
        self.changed != told.changed || self.revision > told.revision
    }
}

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The sites that the program holds, as far as this watch told of them.
    held: HashMap<String, Version>,
    /// Sites that were told to be gone, of a watch that does not know all that the program holds.
    gone: HashSet<String>,
    /// Whether `held` is all that the program holds: it is not where the program brought its own revision.
    is_whole: bool,
    /// All changes up to this revision were told; 0 for nothing.
    position: u64,
    /// Sites that were told since, while more of the same write, or of what was missed, is on its way.
    told_since: HashSet<String>,
    /// While all sites are on their way: those that came.
    snapshot: Option<HashSet<String>>,
}

impl Ledger {
    /// Of a program that knows everything up to a revision; 0 for nothing.
    pub(super) fn new(resume_revision: u64) -> Self {
        Self { is_whole: resume_revision == 0, position: resume_revision, ..Self::default() }
    }

    /// All changes up to this revision were told.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The revision to resume from. To be called when a stream begins.
    pub(super) fn begin(&mut self) -> u64 {
        self.snapshot = (self.position == 0).then(HashSet::new);
        self.position
    }

    /// What is new in a message.
    pub(super) fn take(&mut self, message: pb::WatchSitesResponse) -> Vec<SiteEvent> {
        let mark = message.mark();
        let mut news = Vec::new();
        if mark == pb::WatchMark::Resync {
            news.extend(self.forget());
        }
        news.extend(message.changed_sites.into_iter().filter_map(|site| self.change(site)));
        news.extend(message.removed_sites.into_iter().filter_map(|name| self.remove(name)));
        if mark == pb::WatchMark::Current {
            if let Some(came) = self.snapshot.take() {
                news.extend(self.drop_all_but(&came));
            }
            news.push(SiteChange::Current);
        }
        self.tell(news, message.revision, mark)
    }

    /// Makes ready for all sites anew. A program that brought its own revision has to forget what it holds, too.
    fn forget(&mut self) -> Option<SiteChange> {
        self.snapshot = Some(HashSet::new());
        self.position = 0;
        self.told_since.clear();
        if std::mem::replace(&mut self.is_whole, true) {
            return None;
        }
        self.held.clear();
        self.gone.clear();
        Some(SiteChange::Resync)
    }

    fn change(&mut self, site: pb::Site) -> Option<SiteChange> {
        let version = Version::of(&site);
        if let Some(came) = &mut self.snapshot {
            came.insert(site.name.clone());
        }
        let may_be_told = self.snapshot.is_some() || self.told_since.contains(&site.name);
        let is_told = self.held.get(&site.name).is_some_and(|told| may_be_told && !version.is_news_after(*told));
        if is_told {
            return None;
        }
        self.held.insert(site.name.clone(), version);
        self.gone.remove(&site.name);
        self.told_since.insert(site.name.clone());
        Some(SiteChange::Changed(Box::new(site)))
    }

    fn remove(&mut self, name: String) -> Option<SiteChange> {
        if let Some(came) = &mut self.snapshot {
            came.remove(&name);
        }
        let was_held = self.held.remove(&name).is_some();
        let is_news = if self.is_whole { was_held } else { self.gone.insert(name.clone()) };
        is_news.then_some(SiteChange::Removed(name))
    }

    /// Removes what did not come with all sites.
    fn drop_all_but(&mut self, came: &HashSet<String>) -> Vec<SiteChange> {
        let mut missing: Vec<String> = self.held.keys().filter(|name| !came.contains(*name)).cloned().collect();
        missing.sort_unstable();
        for name in &missing {
            self.held.remove(name);
        }
        missing.into_iter().map(SiteChange::Removed).collect()
    }

    /// The changes, each with the revision from which to resume once it is dealt with: the message's own behind the last one.
    fn tell(&mut self, news: Vec<SiteChange>, revision: u64, mark: pb::WatchMark) -> Vec<SiteEvent> {
        let before = self.position;
        if revision != before || matches!(mark, pb::WatchMark::Current | pb::WatchMark::Progress) {
            self.position = revision;
            self.told_since.clear();
        }
        let last = news.len().saturating_sub(1);
        let event = |(at, change)| SiteEvent { change, revision: if at == last { self.position } else { before } };
        news.into_iter().enumerate().map(event).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// `name@revision@seconds`, as `clients/cases.json` has it.
    fn site(text: &str) -> pb::Site {
        let parts: Vec<&str> = text.split('@').collect();
        let update_time = Some(prost_types::Timestamp { seconds: parts[2].parse().unwrap(), nanos: 0 });
        pb::Site { name: parts[0].into(), revision: parts[1].parse().unwrap(), update_time, ..pb::Site::default() }
    }

    fn texts(value: &Value) -> Vec<&str> {
        value.as_array().map(|texts| texts.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    fn message(value: &Value) -> pb::WatchSitesResponse {
        let mark = match value["mark"].as_str().unwrap_or_default() {
            "" => pb::WatchMark::Unspecified,
            "CURRENT" => pb::WatchMark::Current,
            "PROGRESS" => pb::WatchMark::Progress,
            "RESYNC" => pb::WatchMark::Resync,
            other => panic!("{other}"),
        };
        pb::WatchSitesResponse {
            mark: mark.into(),
            revision: value["revision"].as_u64().unwrap(),
            changed_sites: texts(&value["changed"]).into_iter().map(site).collect(),
            removed_sites: texts(&value["removed"]).into_iter().map(str::to_owned).collect(),
        }
    }

    fn shown(event: &SiteEvent) -> String {
        let change = match &event.change {
            SiteChange::Changed(site) => format!("+{}@{}", site.name, site.revision),
            SiteChange::Removed(name) => format!("-{name}"),
            SiteChange::Current => "current".to_owned(),
            SiteChange::Resync => "resync".to_owned(),
        };
        format!("{change} ={}", event.revision)
    }

    #[test]
    fn each_change_is_told_once_as_the_cases_of_all_clients_say() {
        let cases: Value = serde_json::from_str(include_str!("../../clients/cases.json")).unwrap();
        let cases = cases["watch"].as_array().unwrap();
        assert!(cases.len() > 10);
        for case in cases {
            let name = case["name"].as_str().unwrap();
            let mut ledger = Ledger::new(case["resume"].as_u64().unwrap());
            for step in case["steps"].as_array().unwrap() {
                if let Some(expected) = step["begin"].as_u64() {
                    assert_eq!(ledger.begin(), expected, "{name}");
                    continue;
                }
                let told: Vec<String> = ledger.take(message(&step["take"])).iter().map(shown).collect();
                assert_eq!(told, texts(&step["tell"]), "{name}: {}", step["take"]);
            }
        }
    }
}
