//! What a store has to hold, kept in a map: the oracle of the tests that cut the power.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::{Embedded, Error, Key, Mutation, Revision, Store as _, Visit};
use super::disk::Random;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::store::document::{Document, NameClaim};
use crate::store::{Expect, Kind, Loaded, Range};

/// Ids of each kind: few, so that records are written again, deleted, and made anew.
const IDS: usize = 8;
/// Longest text, in bytes: some pages of the file.
const TEXT_BYTES_MAX: usize = 20_000;
const PARTITIONS: [Option<&str>; 3] = [None, Some("acme"), Some("beta")];
const KINDS: [Kind; 3] = [Kind::Site, Kind::SiteName, Kind::PastText];

/// A partition's name, and the record's kind and id.
type Name = (Option<&'static str>, u8, String);

/// All that a store holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Model {
    records: BTreeMap<Name, (Revision, Document)>,
    revisions: BTreeMap<Option<&'static str>, Revision>,
}

fn account(partition: Option<&str>) -> Option<AccountId> {
    partition.map(|name| name.parse().unwrap())
}

fn partition_of(key: &Key) -> Option<&'static str> {
    let name = key.partition.as_ref().map(AccountId::as_str);
    PARTITIONS.into_iter().find(|known| *known == name).unwrap()
}

fn name_of(key: &Key) -> Name {
    (partition_of(key), key.kind as u8, key.id.clone())
}

impl Model {
    /// What a commit of the batch answers: the revision, or nothing for a conflict, which changes nothing.
    pub(super) fn commit(&mut self, batch: &[Mutation]) -> Option<Revision> {
        let is_as_expected = |mutation: &Mutation| {
            let present = self.records.get(&name_of(&mutation.key)).map(|(revision, _)| *revision);
            match mutation.expect {
                Expect::Any | Expect::Kept => true,
                Expect::Absent => present.is_none(),
                Expect::Revision(revision) => present == Some(revision),
            }
        };
        if !batch.iter().all(is_as_expected) {
            return None;
        }
        let last = self.revisions.entry(partition_of(&batch[0].key)).or_default();
        let revision = Revision(last.0 + 1);
        *last = revision;
        for mutation in batch {
            let name = name_of(&mutation.key);
            match &mutation.document {
                Some(_) if mutation.expect == Expect::Kept && self.records.contains_key(&name) => {}
                Some(document) => drop(self.records.insert(name, (revision, document.clone()))),
                None => drop(self.records.remove(&name)),
            }
        }
        Some(revision)
    }

    /// What the engine holds, as it says itself.
    pub(super) async fn read(store: &Embedded) -> Result<Self, String> {
        let mut found = Self::default();
        for partition in PARTITIONS {
            let account = account(partition);
            let revision = store.revision(account.as_ref()).await.map_err(|cause| cause.to_string())?;
            if revision.0 > 0 {
                found.revisions.insert(partition, revision);
            }
            for kind in KINDS {
                let range = Range::all(account.clone(), kind);
                for record in store.scan(range).await.map_err(|cause| cause.to_string())? {
                    found.records.insert(name_of(&record.key), (record.revision, record.document));
                }
            }
        }
        Ok(found)
    }

    /// The sites that a start finds, by id and name: of each change they have another name.
    pub(super) fn sites(&self) -> Sites {
        let site = |document: &Document| match document {
            Document::Site(site) => Some((site.id, site.display_name.clone())),
            _ => None,
        };
        let mut sites: Sites = self.records.values().filter_map(|(_, document)| site(document)).collect();
        sites.sort();
        sites
    }

    /// All records.
    pub(super) fn expected(&self) -> impl Iterator<Item = (Key, Revision, &Document)> {
        self.records.iter().map(|((partition, kind, id), (revision, document))| {
            let kind = KINDS.into_iter().find(|known| *known as u8 == *kind).unwrap();
            (Key { partition: account(*partition), kind, id: id.clone() }, *revision, document)
        })
    }

    /// Whether it has the record as it is said to be.
    pub(super) fn holds(&self, key: &Key, revision: Revision, document: &Document) -> bool {
        let held = self.records.get(&name_of(key));
        held.is_some_and(|(of, held)| (*of, held) == (revision, document))
    }

    /// How this one differs from another, in a line.
    pub(super) fn difference(&self, other: &Self) -> String {
        let names = self.records.keys().chain(other.records.keys());
        let changed: Vec<_> = names
            .filter(|name| self.records.get(*name) != other.records.get(*name))
            .take(5)
            .map(|name| {
                let revision = |model: &Self| model.records.get(name).map(|(revision, _)| revision.0);
                format!("{name:?}: {:?} and {:?}", revision(self), revision(other))
            })
            .collect();
        format!("revisions {:?} and {:?}; records {}", self.revisions, other.revisions, changed.join(", "))
    }

    /// A batch of one to five mutations that this model may take or refuse.
    pub(super) fn draw(&self, random: &mut Random) -> Vec<Mutation> {
        let partition = PARTITIONS[random.below(PARTITIONS.len())];
        let mut batch: Vec<Mutation> = Vec::new();
        for _ in 0..=random.below(5) {
            let mutation = self.draw_mutation(partition, random);
            // A record stands once in a batch.
            if batch.iter().all(|other| other.key != mutation.key) {
                batch.push(mutation);
            }
        }
        batch
    }

    fn draw_mutation(&self, partition: Option<&'static str>, random: &mut Random) -> Mutation {
        let kind = KINDS[random.below(KINDS.len())];
        let site = SiteId::from_u128(random.below(IDS) as u128);
        let key = Key { partition: account(partition), kind, id: site.to_string() };
        let present = self.records.get(&name_of(&key)).map(|(revision, _)| *revision);
        let expect = match (random.below(8), present) {
            (0, _) => Expect::Absent,
            (1 | 2, Some(revision)) => Expect::Revision(revision),
            (1, None) => Expect::Revision(Revision(1)),
            (3, _) => Expect::Kept,
            _ => Expect::Any,
        };
        let is_deletion = expect != Expect::Kept && random.one_in(5);
        let document = (!is_deletion).then(|| draw_document(kind, site, random));
        Mutation { key, expect, document }
    }
}

/// Ids and names of sites, in their order.
pub(super) type Sites = Vec<(SiteId, String)>;

/// The sites that a start takes into memory, and how many records it cannot read.
pub(super) async fn start(store: &Embedded) -> Result<(Sites, usize), Error> {
    let told: Arc<Mutex<(Sites, usize)>> = Arc::default();
    let visit = || {
        let told = Arc::clone(&told);
        Box::new(move |found: Result<Loaded<'_>, Error>| match found {
            Ok(Loaded::Site(site)) => told.lock().0.push((site.id, site.display_name.to_string())),
            Ok(_) => {}
            Err(_) => told.lock().1 += 1,
        }) as Visit
    };
    store.load(vec![visit(), visit()]).await?;
    let (mut sites, unreadable) = std::mem::take(&mut *told.lock());
    sites.sort();
    Ok((sites, unreadable))
}

fn draw_document(kind: Kind, site: SiteId, random: &mut Random) -> Document {
    let length = if random.one_in(4) { random.below(TEXT_BYTES_MAX) } else { random.below(200) };
    let word = format!("{:016x}", random.next());
    let text = word.repeat(length / 16);
    match kind {
        Kind::SiteName => Document::SiteName(NameClaim { site: SiteId::from_u128(random.next().into()) }),
        Kind::PastText => Document::PastText(text),
        _ => {
            let made = Site::new("acme".parse().unwrap(), word, jiff::Timestamp::UNIX_EPOCH);
            Document::Site(Box::new(Site { id: site, note: text, ..made }))
        }
    }
}
