//! Reads of one partition: records by name and by range, and where it stands. What another program made something else is a record
//! that cannot be read, or a key that is named; what else there is, is served.

use std::time::Instant;

use redis::{Cmd, FromRedisValue, Value, from_redis_value};

use super::super::{Error, Key, Kind, Range, Record, Revision, SCAN_MAX, Unreadable, faults};
use super::head::{self, Head};
use super::lane::Lane;
use super::pages::{self, Bounds, PAGE, Page};
use super::trouble::{self, PLACE, Trouble};
use super::{PATIENCE, PAUSE, Redis, foreign, place, script, value};
use crate::model::id::AccountId;

/// Most records of a kind of an account of which a range is found without the index of their ids: each call looks at all ids.
const UNORDERED_MAX: u64 = 10_000;

impl Redis {
    /// Asks a partition what changes nothing, or nothing when it is done twice. A connection that failed is not used again; for a
    /// moment another one is tried, perhaps to another node.
    pub(super) async fn ask<T: FromRedisValue>(&self, lane: &Lane, call: &Cmd) -> Result<T, Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            let asking = async {
                let (number, mut connection) = lane.reader.get(&self.nodes, lane.slot, end).await?;
                call.query_async(&mut connection).await.inspect_err(|cause| {
                    // A connection that says so is a good one.
                    if !matches!(Trouble::of(cause), Trouble::Damaged(_)) {
                        lane.reader.forget(number);
                    }
                })
            };
            let cause = match lane.unless_cut(asking).await? {
                Ok(found) => return Ok(found),
                Err(cause) => cause,
            };
            let lasts = matches!(Trouble::of(&cause), Trouble::Refused(_) | Trouble::NoRoom(_) | Trouble::Damaged(_));
            if lasts || Instant::now() > end {
                return Err(Trouble::of_read(&cause));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) async fn head(&self, lane: &Lane) -> Result<Option<Head>, Error> {
        let told = self.ask(lane, &head::call(&self.names, lane.partition)).await?;
        head::of(&self.names, lane.partition, told).map_err(|why| faults::damaged(PLACE, why))
    }

    /// The records of these names, each or why it cannot be read.
    pub(super) async fn read_keys(&self, keys: &[Key]) -> Result<Vec<Result<Option<Record>, Unreadable>>, Error> {
        let mut found: Vec<Result<Option<Record>, Unreadable>> = Vec::new();
        found.resize_with(keys.len(), || Ok(None));
        for lane in &self.lanes {
            let is_here =
                |key: &Key| self.names.partition(value::account_text(key.partition.as_ref())) == lane.partition;
            let asked: Vec<(usize, &Key)> = keys.iter().enumerate().filter(|(_, key)| is_here(key)).collect();
            if asked.is_empty() {
                continue;
            }
            // One script: all records of a partition as of one revision, and that it is ours. A key that is something else is
            // refused alone.
            let records = |key: &Key| self.names.records(value::account_text(key.partition.as_ref()), key.kind);
            let fields: Vec<(String, &str)> = asked.iter().map(|&(_, key)| (records(key), key.id.as_str())).collect();
            let answers = self.values(lane, &fields).await?;
            for ((at, key), answer) in asked.into_iter().zip(answers) {
                let account = value::account_text(key.partition.as_ref());
                let unreadable = || self.unreadable(account, key.kind, &key.id);
                found[at] = match answer {
                    Value::Nil => Ok(None),
                    Value::BulkString(value) => value::record(key.clone(), &value).map(Some).ok_or_else(unreadable),
                    _ => Err(unreadable()),
                };
            }
        }
        Ok(found)
    }

    /// What stands in these fields of hashes of a partition: text, `Nil` where there is nothing, and a number where the key is
    /// something else.
    async fn values(&self, lane: &Lane, fields: &[(String, &str)]) -> Result<Vec<Value>, Error> {
        let mut call = script::call(&script::VALUES);
        call.arg(fields.len() + 1).arg(self.names.head(lane.partition));
        for (key, _) in fields {
            call.arg(key);
        }
        for (_, field) in fields {
            call.arg(*field);
        }
        let mut answers = self.ask::<Vec<Value>>(lane, &call).await?.into_iter();
        let generation = answers.next();
        let is_ours = matches!(generation, Some(Value::BulkString(own)) if own == lane.generation.as_bytes());
        if is_ours && answers.len() == fields.len() { Ok(answers.collect()) } else { Err(foreign()) }
    }

    /// The records of a range, each or why it cannot be read. What stands under an id that is no text is told and passed over.
    pub(super) async fn read_range(&self, range: &Range) -> Result<Vec<Result<Record, Unreadable>>, Error> {
        let lane = self.lane(range.partition.as_ref())?;
        let (account, kind) = (value::account_text(range.partition.as_ref()), range.kind);
        let place = place(&self.nodes.settings.prefix);
        let mut left = range.limit.min(SCAN_MAX);
        let mut bounds = Bounds::of(range);
        let mut records = Vec::new();
        while left > 0 {
            bounds.limit = left.min(PAGE);
            let page = self.page(lane, account, kind, &bounds).await?;
            let is_last = page.len() < bounds.limit;
            if let Some(last) = page.last() {
                bounds.go_behind(last);
            }
            let rows = page.told(account, kind, &place);
            left = left.saturating_sub(rows.len());
            for row in rows {
                let record = row.record(range.partition.as_ref(), kind);
                records.push(record.ok_or_else(|| self.unreadable(account, kind, &row.id)));
            }
            if is_last {
                break;
            }
        }
        Ok(records)
    }

    /// A page by the index, or by the records themselves where it is damaged and they are few.
    async fn page(&self, lane: &Lane, account: &str, kind: Kind, bounds: &Bounds) -> Result<Page, Error> {
        let (names, generation) = (&self.names, &lane.generation);
        let told = |cause| Trouble::of_read(&cause);
        let damage = match self.ask(lane, &pages::call(names, generation, account, kind, bounds)).await {
            Ok(answer) => return pages::page(answer).map_err(told),
            Err(cause) if trouble::is_of_index(&cause) => cause,
            Err(cause) => return Err(cause),
        };
        let all = pages::ids_call(names, generation, account, kind, UNORDERED_MAX);
        let Ok(ids) = self.ask::<Vec<Vec<u8>>>(lane, &all).await else { return Err(damage) };
        let ids = bounds.choose(ids);
        if ids.is_empty() {
            return Ok(Page::default());
        }
        let values: Value = self.ask(lane, &pages::values_call(names, generation, account, kind, &ids)).await?;
        Ok(Page::of(ids, from_redis_value(values).map_err(|cause| told(cause.into()))?))
    }

    /// The last revision of a partition. One that is no number is that account's record, which cannot be read.
    pub(super) async fn read_revision(&self, partition: Option<&AccountId>) -> Result<Revision, Error> {
        let account = value::account_text(partition);
        let lane = self.lane(partition)?;
        let revisions = self.names.revisions(lane.partition);
        let found = self.values(lane, &[(revisions.clone(), account)]).await?;
        let field = match found.into_iter().next() {
            Some(Value::BulkString(field)) => field,
            None | Some(Value::Nil) => return Ok(Revision::default()),
            Some(_) => return Err(faults::damaged(PLACE, format!("{revisions} is not what waymark keeps there"))),
        };
        head::revision_of(&field).ok_or_else(|| {
            faults::unreadable(account, Kind::Account, account, format!("Redis, {revisions}").as_ref()).into()
        })
    }

    fn unreadable(&self, account: &str, kind: Kind, id: &str) -> Unreadable {
        faults::unreadable(account, kind, id, &place(&self.nodes.settings.prefix))
    }
}
