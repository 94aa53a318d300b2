//! The one way in which a site gets into the store: its record, the entry of its history, and what else goes with it, in
//! one batch. A test of the tree holds that nobody else makes such a record.
//!
//! So the history has every change and nothing that did not happen, whoever wrote, and whatever the use case forgot. The
//! entry's number is counted in the record itself, which each write expects as it was read: no two writes count the same.

use jiff::Timestamp;

use super::{Versioned, Waymark, siblings};
use crate::model::access::Principal;
use crate::model::assignment::Assignment;
use crate::model::history::{Actor, Cause, Change, Edit, PastText, diff, replaced_text};
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::{Expect, Key, Kind, Mutation};

/// Who changes a site, and why.
#[derive(Debug, Clone)]
pub(super) struct Author {
    pub(super) actor: Actor,
    pub(super) cause: Cause,
    /// Which sites there are for them; `None` for all of the account.
    pub(super) assigned: Option<Assignment>,
}

impl Author {
    /// A principal.
    pub(super) fn of(principal: &Principal, cause: Cause) -> Self {
        Self { assigned: principal.assigned.clone(), ..Self::by(principal.into(), cause) }
    }

    /// Somebody who changes what the use case found for them.
    pub(super) fn by(actor: Actor, cause: Cause) -> Self {
        Self { actor, cause, assigned: None }
    }

    /// waymark itself.
    pub(super) fn system(cause: Cause) -> Self {
        Self::by(Actor::System, cause)
    }
}

/// What puts a new site into the store.
pub(super) fn create(site: &mut Site, author: &Author, at: Timestamp) -> Vec<Mutation> {
    let mut entries = Entries::behind(site, at);
    entries.add(author, Vec::new());
    entries.close(site, Mutation::create)
}

/// What puts `site` over `before`, which was read at `revision`. There is no entry where nobody sees a difference.
///
/// `before` is the version that is stored. What has gone from it because its provider's terms ended is an entry of its
/// own, so that it is not laid to whoever came by then.
pub(super) fn replace(
    before: &Site,
    revision: Revision,
    site: &mut Site,
    author: &Author,
    at: Timestamp,
) -> Vec<Mutation> {
    replace_by(Entries::behind(before, at), before, revision, site, author, at)
}

impl Waymark {
    /// The same of what machines report by the minute, which goes into the last entry where that is of reports, too.
    ///
    /// Costs a read of that entry, where there is a difference that people see: such a write waits for the disk anyway.
    pub(super) async fn replace_by_report(
        &self,
        before: &Site,
        revision: Revision,
        site: &mut Site,
        author: &Author,
        at: Timestamp,
    ) -> Vec<Mutation> {
        let mut entries = Entries::behind(before, at);
        if author.cause.is_report() && !diff(before, site).is_empty() {
            entries.open = self.last_entry(before).await;
        }
        replace_by(entries, before, revision, site, author, at)
    }

    /// As [`note`], of what machines report by the minute.
    pub(super) async fn note_report(
        &self,
        site: &Versioned<Site>,
        edits: Vec<Edit>,
        author: &Author,
        at: Timestamp,
    ) -> Vec<Mutation> {
        let open = if edits.is_empty() { None } else { self.last_entry(&site.value).await };
        note_behind(open, site, edits, author, at)
    }

    /// The last entry of a site's history. One that cannot be read costs a report nothing: it gets an entry of its own.
    async fn last_entry(&self, site: &Site) -> Option<(Change, Revision)> {
        if site.changes == 0 {
            return None;
        }
        let key = change_key(&site.account, site.id, site.changes);
        let record = self.parts.store.get(key).await.unwrap_or_default()?;
        match record.document {
            Document::Change(change) => Some((*change, record.revision)),
            _ => None,
        }
    }
}

fn replace_by(
    mut entries: Entries,
    before: &Site,
    revision: Revision,
    site: &mut Site,
    author: &Author,
    at: Timestamp,
) -> Vec<Mutation> {
    let has_ended = |site: &Site| site.kept_until().is_some_and(|until| until <= at);
    if has_ended(before) && !has_ended(site) {
        let mut rest = before.clone();
        rest.drop_expired(at);
        entries.note(before, &rest, &Author::system(Cause::AddressExpired));
        entries.note(&rest, site, author);
    } else {
        entries.note(before, site, author);
    }
    let mut batch = siblings::mutations(before, site);
    batch.extend(entries.close(site, |key, document| Mutation::replace(key, revision, document)));
    batch
}

/// What cuts addresses in a site and in entries of its history. That is no change of the site, and has no entry.
pub(super) fn cut(before: &Versioned<Site>, site: Site, entries: Vec<(Change, Revision)>) -> Vec<Mutation> {
    let mut batch = siblings::mutations(&before.value, &site);
    // Over what was read: others may take entries away.
    batch.extend(entries.into_iter().map(|(entry, revision)| {
        let key = change_key(&site.account, site.id, entry.number);
        Mutation::replace(key, revision, Document::Change(Box::new(entry)))
    }));
    let key = Key::of(&site.account, Kind::Site, site.id);
    batch.push(Mutation::replace(key, before.revision, Document::Site(Box::new(site))));
    batch
}

/// A site as it is: a batch that has it is good for the version that was read alone.
pub(super) fn unchanged(site: Versioned<Site>) -> Mutation {
    let key = Key::of(&site.value.account, Kind::Site, site.value.id);
    Mutation::replace(key, site.revision, Document::Site(Box::new(site.value)))
}

/// What goes with a change of something that stands beside a site: the entry of the site's history, and the site that
/// counts it. Nothing where nobody sees a difference.
pub(super) fn note(site: &Versioned<Site>, edits: Vec<Edit>, author: &Author, at: Timestamp) -> Vec<Mutation> {
    note_behind(None, site, edits, author, at)
}

fn note_behind(
    open: Option<(Change, Revision)>,
    site: &Versioned<Site>,
    edits: Vec<Edit>,
    author: &Author,
    at: Timestamp,
) -> Vec<Mutation> {
    if edits.is_empty() {
        return Vec::new();
    }
    let mut entries = Entries { open, ..Entries::behind(&site.value, at) };
    entries.add(author, edits);
    let revision = site.revision;
    entries.close(&mut site.value.clone(), |key, document| Mutation::replace(key, revision, document))
}

/// New entries of a site's history.
struct Entries {
    account: AccountId,
    site: SiteId,
    /// The number of the last entry.
    last: u32,
    /// When the site was changed last.
    seen_at: Timestamp,
    /// When they are made: never before the entry behind which they come, whatever clocks say.
    at: Timestamp,
    /// The last entry as it was read, where it may take more in.
    open: Option<(Change, Revision)>,
    batch: Vec<Mutation>,
}

impl Entries {
    /// None yet, behind those that the site has.
    fn behind(site: &Site, at: Timestamp) -> Self {
        let (account, seen_at) = (site.account.clone(), site.updated_at);
        let at = at.max(seen_at);
        Self { account, site: site.id, last: site.changes, seen_at, at, open: None, batch: Vec::new() }
    }

    /// An entry of what two versions differ in, if they do.
    fn note(&mut self, before: &Site, after: &Site, author: &Author) {
        let edits = diff(before, after);
        if edits.is_empty() {
            return;
        }
        if let Some((name, text)) = replaced_text(before, &edits) {
            let key = text_key(&self.account, self.site, &name);
            // The same text again is the same record.
            self.batch.push(Mutation::keep(key, Document::PastText(text.to_owned())));
        }
        self.add(author, edits);
    }

    fn add(&mut self, author: &Author, edits: Vec<Edit>) {
        let number = self.last.saturating_add(1);
        let Author { actor, cause, .. } = author.clone();
        let change = Change { number, made_at: self.at, actor, cause, edits, merged: None };
        if let Some((mut open, revision)) = self.open.take().filter(|(open, _)| open.number == self.last)
            && open.merge(&change)
        {
            let key = change_key(&self.account, self.site, open.number);
            // Over what was read: others may take entries away.
            return self.batch.push(Mutation::replace(key, revision, Document::Change(Box::new(open))));
        }
        self.last = number;
        let key = change_key(&self.account, self.site, self.last);
        // Nobody else can have this number: the batch is good for one version of the site.
        self.batch.push(Mutation { key, expect: Expect::Any, document: Some(Document::Change(Box::new(change))) });
    }

    /// The entries, and the site that counts them.
    fn close(mut self, site: &mut Site, write: impl FnOnce(Key, Document) -> Mutation) -> Vec<Mutation> {
        site.changes = self.last;
        // So the next entry, which looks at this time alone, is not before one of these.
        let last_at = if self.batch.is_empty() { self.seen_at } else { self.at };
        site.updated_at = site.updated_at.max(last_at);
        let key = Key::of(&self.account, Kind::Site, self.site);
        self.batch.push(write(key, Document::Site(Box::new(site.clone()))));
        self.batch
    }
}

/// What the ids of all of a site's records of the past begin with.
pub(super) fn past_prefix(site: SiteId) -> String {
    format!("{site}/")
}

/// The key of an entry. Of one width, so that ids have the order of numbers.
pub(super) fn change_key(account: &AccountId, site: SiteId, number: u32) -> Key {
    Key::of(account, Kind::Change, format!("{}{number:08x}", past_prefix(site)))
}

/// The key of a long text.
pub(super) fn text_key(account: &AccountId, site: SiteId, text: &PastText) -> Key {
    Key::of(account, Kind::PastText, format!("{}{}", past_prefix(site), text.digest))
}
