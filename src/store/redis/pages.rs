//! Records in the order of their ids, a page at a time. An id that is no text is told and passed over: no waymark wrote it.

use std::path::Path;

use redis::{Cmd, RedisResult, Value};

use super::super::{Expect, Key, Kind, Mutation, Range, Record, Unreadable, faults};
use super::keys::Names;
use super::{script, value};
use crate::model::id::{AccountId, Revision};

/// Records of one page: some megabytes, for which Redis does nothing else.
pub(super) const PAGE: usize = 1_000;

/// A record as it lies in Redis.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    /// `None` where another program took it away, or made it something else.
    pub(super) value: Option<Vec<u8>>,
}

impl Row {
    /// Whether it is of up to this revision, and was answered without what stands in it therefore.
    pub(super) fn is_known(&self, known: Revision) -> bool {
        let revision = self.value.as_deref().and_then(|value| value.try_into().ok()).map(u64::from_be_bytes);
        revision.is_some_and(|revision| Revision(revision) <= known)
    }

    /// The record; `None` for one that is not what was written.
    pub(super) fn record(&self, partition: Option<&AccountId>, kind: Kind) -> Option<Record> {
        let key = Key { partition: partition.cloned(), kind, id: self.id.clone() };
        value::record(key, self.value.as_deref()?)
    }

    /// The same as a write that makes it so.
    pub(super) fn mutation(&self, partition: Option<&AccountId>, kind: Kind) -> Option<Mutation> {
        let record = self.record(partition, kind)?;
        Some(Mutation { key: record.key, expect: Expect::Any, document: Some(record.document) })
    }
}

/// A page as it was answered.
#[derive(Debug, Default)]
pub(super) struct Page {
    rows: Vec<Row>,
    /// Ids that are no texts.
    strays: Vec<Vec<u8>>,
    /// The id behind which the next page begins; `None` of an empty one.
    last: Option<Vec<u8>>,
}

impl Page {
    /// A page of ids and their values, of which there may be fewer.
    pub(super) fn of(ids: Vec<Vec<u8>>, values: Vec<Value>) -> Self {
        let mut page = Self { last: ids.last().cloned(), ..Self::default() };
        let mut values = values.into_iter();
        for id in ids {
            let value = if let Some(Value::BulkString(bytes)) = values.next() { Some(bytes) } else { None };
            match String::from_utf8(id) {
                Ok(id) => page.rows.push(Row { id, value }),
                Err(stray) => page.strays.push(stray.into_bytes()),
            }
        }
        page
    }

    /// How many ids it has, whatever they are.
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.strays.len()
    }

    /// Its last id.
    pub(super) fn last(&self) -> Option<&[u8]> {
        self.last.as_deref()
    }

    /// The records whose ids are texts. Those that are none are told.
    pub(super) fn told(self, account: &str, kind: Kind, place: &Path) -> Vec<Row> {
        self.parted(account, kind, place).0
    }

    /// The same, with what is known of those that are none.
    pub(super) fn parted(self, account: &str, kind: Kind, place: &Path) -> (Vec<Row>, Vec<Unreadable>) {
        let told = |id: Vec<u8>| faults::unreadable(account, kind, &String::from_utf8_lossy(&id), place);
        (self.rows, self.strays.into_iter().map(told).collect())
    }
}

/// Where a page begins and ends, as Redis says it.
#[derive(Debug)]
pub(super) struct Bounds {
    from: Vec<u8>,
    end: Vec<u8>,
    is_descending: bool,
    /// At most so many records.
    pub(super) limit: usize,
}

impl Bounds {
    /// Those of the next page, ascending.
    pub(super) fn behind(after: Option<&[u8]>) -> Self {
        let from = after.map_or_else(|| b"-".to_vec(), |after| bound(b'(', after));
        Self { from, end: b"+".to_vec(), is_descending: false, limit: PAGE }
    }

    /// Those of a range, of which one page is asked.
    pub(super) fn of(range: &Range) -> Self {
        let (from, end) = range.bounds();
        let end = end.map_or_else(|| b"+".to_vec(), |end| bound(b'(', end.as_bytes()));
        Self { from: bound(b'[', from.as_bytes()), end, is_descending: range.descending, limit: range.limit.min(PAGE) }
    }

    /// Those of one id.
    pub(super) fn only(id: &[u8]) -> Self {
        Self { from: bound(b'[', id), end: bound(b'[', id), is_descending: false, limit: 1 }
    }

    /// Leaves what is up to an id behind.
    pub(super) fn go_behind(&mut self, last: &[u8]) {
        let behind = bound(b'(', last);
        if self.is_descending { self.end = behind } else { self.from = behind }
    }

    /// Those of the ids that are within, in their order, as many as the limit says.
    pub(super) fn choose(&self, mut ids: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        ids.retain(|id| self.holds(id));
        ids.sort_unstable();
        if self.is_descending {
            ids.reverse();
        }
        ids.truncate(self.limit);
        ids
    }

    fn holds(&self, id: &[u8]) -> bool {
        let is_above = match self.from.split_first() {
            Some((b'[', from)) => id >= from,
            Some((b'(', from)) => id > from,
            _ => true,
        };
        let is_below = match self.end.split_first() {
            Some((b'[', end)) => id <= end,
            Some((b'(', end)) => id < end,
            _ => true,
        };
        is_above && is_below
    }
}

fn bound(mark: u8, id: &[u8]) -> Vec<u8> {
    [&[mark], id].concat()
}

/// The call for a page of an account's records of a kind. Refused where the partition is of another generation, and where the index
/// is damaged.
pub(super) fn call(names: &Names, generation: &str, account: &str, kind: Kind, bounds: &Bounds) -> Cmd {
    let mut call = script::call(&script::PAGE);
    call.arg(3).arg(names.head(names.partition(account)));
    call.arg(names.records(account, kind)).arg(names.index(account, kind));
    call.arg(generation).arg(&bounds.from).arg(&bounds.end).arg(u8::from(bounds.is_descending)).arg(bounds.limit);
    call
}

/// The same call; records of up to a revision are answered with nothing but their own.
pub(super) fn call_beyond(mut call: Cmd, known: Revision) -> Cmd {
    call.arg(&known.0.to_be_bytes());
    call
}

/// The page in the call's answer.
pub(super) fn page(answer: Value) -> RedisResult<Page> {
    let (ids, values): (Vec<Vec<u8>>, Vec<Value>) = match answer {
        Value::Array(parts) if parts.is_empty() => return Ok(Page::default()),
        both => redis::from_redis_value(both)?,
    };
    Ok(Page::of(ids, values))
}

/// The call for the ids of an account's records of a kind without their index, in no order. Refused where there are more than so many.
pub(super) fn ids_call(names: &Names, generation: &str, account: &str, kind: Kind, most: u64) -> Cmd {
    let mut call = script::call(&script::RECORDS);
    call.arg(2).arg(names.head(names.partition(account))).arg(names.records(account, kind)).arg(generation).arg(most);
    call
}

/// The call for the values of these ids, of which there is one at least.
pub(super) fn values_call(names: &Names, generation: &str, account: &str, kind: Kind, ids: &[Vec<u8>]) -> Cmd {
    let mut call = ids_call(names, generation, account, kind, 0);
    for id in ids {
        call.arg(id);
    }
    call
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(all: &[&[u8]]) -> Vec<Vec<u8>> {
        all.iter().map(|id| id.to_vec()).collect()
    }

    #[test]
    fn ids_that_are_no_texts_are_apart_and_the_page_goes_on_behind_them() {
        let value = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let page = Page::of(ids(&[b"a", b"\xff\xfe", b"b"]), vec![value("1"), value("2")]);
        assert_eq!((page.len(), page.last()), (3, Some(&b"b"[..])));
        let (rows, strays) = page.parted("acme", Kind::Site, Path::new("here"));
        let rows: Vec<_> = rows.into_iter().map(|row| (row.id, row.value)).collect();
        assert_eq!(rows, [("a".to_owned(), Some(b"1".to_vec())), ("b".to_owned(), None)]);
        assert_eq!(strays.len(), 1);
        assert_eq!(strays[0].id, "\u{fffd}\u{fffd}");
        assert_eq!(Page::of(ids(&[b"\xff"]), Vec::new()).last(), Some(&b"\xff"[..]), "the next page begins behind it");
    }

    #[test]
    fn without_an_index_the_same_ids_are_chosen() {
        let range = |after: Option<&str>, descending, limit| {
            let after = after.map(str::to_owned);
            Range { prefix: "b".to_owned(), after, descending, limit, ..Range::all(None, Kind::Site) }
        };
        let all = || ids(&[b"b3", b"a9", b"c", b"b1", b"b\xff", b"b2"]);
        let chosen = |after, descending, limit| Bounds::of(&range(after, descending, limit)).choose(all());
        assert_eq!(chosen(None, false, 9), ids(&[b"b1", b"b2", b"b3", b"b\xff"]));
        assert_eq!(chosen(None, true, 2), ids(&[b"b\xff", b"b3"]));
        assert_eq!(chosen(Some("b1"), false, 1), ids(&[b"b2"]));
        assert_eq!(chosen(Some("b2"), true, 9), ids(&[b"b1"]));
        let mut bounds = Bounds::of(&range(None, true, 9));
        bounds.go_behind(b"b\xff");
        assert_eq!(bounds.choose(all()), ids(&[b"b3", b"b2", b"b1"]));
        assert_eq!(Bounds::only(b"c").choose(all()), ids(&[b"c"]));
        assert_eq!(Bounds::behind(Some(b"b\xff")).choose(all()), ids(&[b"c"]));
    }
}
