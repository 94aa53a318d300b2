//! Records in the order of their ids, a page at a time.

use redis::{Cmd, RedisResult, Value};

use super::super::{Expect, Key, Kind, Mutation, Range, Record};
use super::keys::Names;
use super::{script, value};
use crate::model::id::AccountId;

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

/// Where a page begins and ends, as Redis says it.
pub(super) struct Bounds {
    from: Vec<u8>,
    end: Vec<u8>,
    is_descending: bool,
    limit: usize,
}

impl Bounds {
    /// Those of the next page, ascending.
    pub(super) fn behind(after: Option<&str>) -> Self {
        let from = after.map_or_else(|| b"-".to_vec(), |after| bound(b'(', after));
        Self { from, end: b"+".to_vec(), is_descending: false, limit: PAGE }
    }

    /// Those of a range, of which one page is asked.
    pub(super) fn of(range: &Range) -> Self {
        let (from, end) = range.bounds();
        let end = end.map_or_else(|| b"+".to_vec(), |end| bound(b'(', &end));
        Self { from: bound(b'[', &from), end, is_descending: range.descending, limit: range.limit.min(PAGE) }
    }
}

fn bound(mark: u8, id: &str) -> Vec<u8> {
    [&[mark], id.as_bytes()].concat()
}

/// The call for a page of an account's records of a kind. Refused where the partition is of another generation.
pub(super) fn call(names: &Names, generation: &str, account: &str, kind: Kind, bounds: &Bounds) -> Cmd {
    let mut call = script::call(&script::PAGE);
    call.arg(3).arg(names.head(names.partition(account)));
    call.arg(names.records(account, kind)).arg(names.index(account, kind));
    call.arg(generation).arg(&bounds.from).arg(&bounds.end).arg(u8::from(bounds.is_descending)).arg(bounds.limit);
    call
}

/// The rows of the call's answer.
pub(super) fn rows(answer: Value) -> RedisResult<Vec<Row>> {
    let (ids, values): (Vec<String>, Vec<Value>) = match answer {
        Value::Array(parts) if parts.is_empty() => return Ok(Vec::new()),
        both => redis::from_redis_value(both)?,
    };
    let rows = ids.into_iter().zip(values).map(|(id, value)| {
        let value = if let Value::BulkString(bytes) = value { Some(bytes) } else { None };
        Row { id, value }
    });
    Ok(rows.collect())
}
