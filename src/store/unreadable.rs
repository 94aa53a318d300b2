//! Records that are not what was written, among others that are: what is known of one, and reading past it.
//!
//! Nobody writes over one: it is left as it is for a person, who restores it from a backup or looks at what it was. What only counts
//! up, as when a token was used last, is written anew.

use std::path::PathBuf;

use super::{Error, Kind, Range, Record, SCAN_MAX, Store};

/// A record that fails its checksum or does not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
}

impl From<Unreadable> for Error {
    fn from(Unreadable { kind, id, path }: Unreadable) -> Self {
        Self::Corrupt { kind, id, path }
    }
}

/// The id of a record, whether it can be read or not.
#[must_use]
pub fn id_of(read: &Result<Record, Unreadable>) -> &str {
    match read {
        Ok(record) => &record.key.id,
        Err(unreadable) => &unreadable.id,
    }
}

/// Scans as [`Store::scan_each`] does, and answers with it whether nothing stands behind. Where something does, those that cannot be
/// read and stand behind the last record that can are left for the next scan, which begins at that record: only of such a one the id
/// is what it was. Where none can, the next scan begins behind the last id, if that is one behind which the range goes on.
pub async fn scan_on(store: &dyn Store, mut range: Range) -> Result<(Vec<Result<Record, Unreadable>>, bool), Error> {
    range.limit = range.limit.min(SCAN_MAX);
    let mut read = store.scan_each(range.clone()).await?;
    if read.len() < range.limit || read.is_empty() {
        return Ok((read, true));
    }
    if let Some(readable) = read.iter().rposition(Result::is_ok) {
        read.truncate(readable + 1);
        return Ok((read, false));
    }
    let last = read.last().map(id_of);
    let is_behind = |after: &str, last: &str| if range.descending { last < after } else { last > after };
    if range.after.as_deref().zip(last).is_some_and(|(after, last)| !is_behind(after, last)) {
        // An id that is no more what it was: nobody knows what stands behind it.
        return Err(Error::Unavailable { cause: "a range of records does not go on behind a damaged one".into() });
    }
    Ok((read, false))
}

/// Scans as [`Store::scan`] does, past records that cannot be read: each is told to `left_out`. Answers with it whether nothing
/// stands behind; where something does, there is a record at least, and records may be fewer than the range's limit.
///
/// Those that stand behind the last record are left for the next scan, which begins there.
pub async fn scan_past(
    store: &dyn Store,
    mut range: Range,
    mut left_out: impl FnMut(&Error),
) -> Result<(Vec<Record>, bool), Error> {
    loop {
        let (read, is_end) = scan_on(store, range.clone()).await?;
        let last = read.last().map(|read| id_of(read).to_owned());
        let mut records = Vec::with_capacity(read.len());
        for read in read {
            match read {
                Ok(record) => records.push(record),
                Err(unreadable) => left_out(&unreadable.into()),
            }
        }
        if is_end || !records.is_empty() {
            return Ok((records, is_end));
        }
        range.after = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::SiteId;
    use crate::store::document::{Document, NameClaim};
    use crate::store::embedded::Embedded;
    use crate::store::embedded::transfer::Directory;
    use crate::store::{Key, Mutation, transfer};

    /// Ids of records that are damaged here, each in another way.
    const DAMAGED: [&str; 4] = ["0", "3", "8", "9"];

    fn key(id: &str) -> Key {
        Key::of(&"acme".parse().unwrap(), Kind::SiteName, id)
    }

    /// A store of ten records, of which some are damaged.
    async fn damaged(directory: &std::path::Path) -> Embedded {
        let store = Embedded::open(directory).unwrap();
        let claim = |number: u128| Document::SiteName(NameClaim { site: SiteId::from_u128(number) });
        let batch = (0..10).map(|number| Mutation::create(key(&number.to_string()), claim(number)));
        store.commit(batch.collect()).await.unwrap();
        store.close().await;
        drop(store);
        let file = rusqlite::Connection::open(directory.join("waymark.sqlite3")).unwrap();
        let damages = ["checksum = checksum + 1", "checksum = -1", "document = x'00'", "revision = revision + 7"];
        for (id, damage) in DAMAGED.into_iter().zip(damages) {
            let hit = file.execute(&format!("UPDATE records SET {damage} WHERE id = '{id}'"), []).unwrap();
            assert_eq!(hit, 1, "the fault was not injected");
        }
        drop(file);
        Embedded::open(directory).unwrap()
    }

    #[tokio::test]
    async fn reading_goes_on_past_what_cannot_be_read_and_tells_of_each_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = damaged(directory.path()).await;
        for limit in [1, 2, 3, 4, 5, 20] {
            let (mut ids, mut left_out, mut after) = (Vec::new(), Vec::new(), None);
            loop {
                let range = Range { after, limit, ..Range::all(key("").partition, Kind::SiteName) };
                let told = |cause: &Error| match cause {
                    Error::Corrupt { id, .. } => left_out.push(id.clone()),
                    other => panic!("{other}"),
                };
                let (records, is_end) = scan_past(&store, range, told).await.unwrap();
                after = records.last().map(|record| record.key.id.clone());
                ids.extend(records.into_iter().map(|record| record.key.id));
                if is_end {
                    break;
                }
                assert!(after.is_some(), "nobody could go on from there");
            }
            assert_eq!(ids, ["1", "2", "4", "5", "6", "7"], "{limit} at once");
            assert_eq!(left_out, DAMAGED, "{limit} at once");
        }
        assert!(matches!(store.scan(Range::all(key("").partition, Kind::SiteName)).await, Err(Error::Corrupt { .. })));
    }

    #[tokio::test]
    async fn one_that_cannot_be_read_keeps_no_other_from_being_got() {
        let directory = tempfile::tempdir().unwrap();
        let store = damaged(directory.path()).await;
        let keys: Vec<Key> = ["1", "3", "none", "9", "7"].map(key).into();
        let found = store.get_each(keys.clone()).await.unwrap();
        let ids: Vec<_> =
            found.iter().map(|read| read.as_ref().map(Option::is_some).map_err(|it| it.id.as_str())).collect();
        assert_eq!(ids, [Ok(true), Err("3"), Ok(false), Err("9"), Ok(true)]);
        assert!(matches!(store.get_many(keys).await, Err(Error::Corrupt { id, .. }) if id == "3"));
        assert!(matches!(store.get(key("8")).await, Err(Error::Corrupt { .. })));
    }

    /// What an operator is told goes past each, and is of all of them.
    #[tokio::test]
    async fn a_look_names_each_that_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let store = damaged(directory.path()).await;
        store.close().await;
        drop(store);
        let begun = std::time::Instant::now();
        let source = loop {
            match Directory::source(directory.path()) {
                Ok(source) => break source,
                // The engine's thread may hold it a moment longer.
                Err(cause) => assert!(begun.elapsed().as_secs() < 30, "{cause}"),
            }
            tokio::task::yield_now().await;
        };
        let mut told = Vec::new();
        let count = transfer::look(&source, &mut |partition, cause| match cause {
            Error::Corrupt { kind: Kind::SiteName, id, .. } => {
                told.push((partition.map(ToString::to_string), id.clone()));
            }
            other => panic!("{other}"),
        })
        .await;
        assert_eq!(count.unwrap(), 10);
        assert_eq!(told, DAMAGED.map(|id| (Some("acme".to_owned()), id.to_owned())));
    }

    /// An id that is no text is read as another one, behind which it stands itself: page by page it came for ever.
    #[tokio::test]
    async fn ids_that_are_no_texts_end_a_scan_that_nothing_else_moves_on() {
        let directory = tempfile::tempdir().unwrap();
        drop(damaged(directory.path()).await);
        let file = rusqlite::Connection::open(directory.path().join("waymark.sqlite3")).unwrap();
        let hit = file.execute("UPDATE records SET id = CAST(x'35ff' AS TEXT) WHERE id = '5'", []).unwrap();
        assert_eq!(hit, 1, "the fault was not injected");
        drop(file);
        let store = Embedded::open(directory.path()).unwrap();
        for (limit, descending) in [(1, false), (1, true), (2, false), (3, false), (3, true), (100, false)] {
            let (mut after, mut scans) = (None, 0);
            let is_ended = loop {
                scans += 1;
                assert!(scans < 50, "it goes on for ever, {limit} at once, descending: {descending}");
                let range = Range { after, descending, limit, ..Range::all(key("").partition, Kind::SiteName) };
                match scan_on(&store, range).await {
                    Ok((read, false)) => after = read.last().map(|read| id_of(read).to_owned()),
                    Ok((_, true)) => break false,
                    Err(Error::Unavailable { .. }) => break true,
                    Err(other) => panic!("{other}"),
                }
            };
            assert_eq!(is_ended, (limit, descending) == (1, false), "{limit} at once, descending: {descending}");
        }
    }

    /// Nothing that was written over could be restored or looked at.
    #[tokio::test]
    async fn no_write_goes_over_what_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let store = damaged(directory.path()).await;
        let claim = Document::SiteName(NameClaim { site: SiteId::from_u128(99) });
        let made = store.commit(vec![Mutation::create(key("3"), claim.clone())]).await;
        assert!(matches!(made, Err(Error::Conflict { .. })), "{made:?}");
        let kept = store.commit(vec![Mutation::keep(key("3"), claim)]).await;
        assert!(kept.is_ok(), "{kept:?}");
        assert!(matches!(store.get(key("3")).await, Err(Error::Corrupt { .. })));
    }
}
