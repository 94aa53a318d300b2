//! A walk over all records of a kind of an account; where the index of their ids is damaged, over the records without it.
//!
//! Asks nothing itself: it says what to ask next, and takes the answer.

use redis::{Cmd, RedisResult, Value, from_redis_value};

use super::super::Kind;
use super::amount::LESS;
use super::keys::Names;
use super::pages::{self, Bounds, PAGE, Page};
use crate::model::id::Revision;

/// Of how many records the ids are asked at once where there is no index: of all that a Redis holds.
const RECORDS_MAX: u64 = 1 << 53;

/// The walk.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    names: &'a Names,
    generation: &'a str,
    account: &'a str,
    kind: Kind,
    /// Records of up to this revision are known, and need not be answered whole.
    known: Revision,
    /// Most records of one answer.
    page: usize,
    state: State,
}

/// Where it stands.
#[derive(Debug)]
enum State {
    /// Behind this id of the index.
    Ordered(Option<Vec<u8>>),
    /// The same, and the ids behind it are to be asked of the records.
    Listing(Option<Vec<u8>>),
    /// These ids are left.
    Listed(Vec<Vec<u8>>),
    /// At the end.
    Ended,
}

impl<'a> Walk<'a> {
    pub(super) fn new(names: &'a Names, generation: &'a str, account: &'a str, kind: Kind) -> Self {
        let (known, state) = (Revision::default(), State::Ordered(None));
        Self { names, generation, account, kind, known, page: PAGE, state }
    }

    /// The same walk for who knows all records of up to a revision.
    pub(super) fn beyond(self, known: Revision) -> Self {
        Self { known, ..self }
    }

    /// The same walk with so many records an answer, at least one and at most [`PAGE`].
    pub(super) fn by(self, page: usize) -> Self {
        Self { page, ..self }
    }

    /// Goes on with fewer records an answer; whether there can be fewer.
    pub(super) fn ask_less(&mut self) -> bool {
        let before = self.page;
        self.page = (before / LESS).max(1);
        self.page < before
    }

    /// What to ask next; `None` at the end.
    pub(super) fn call(&self) -> Option<Cmd> {
        let Self { names, generation, account, kind, known, page, state } = self;
        match state {
            State::Ordered(after) => {
                let mut bounds = Bounds::behind(after.as_deref());
                bounds.limit = *page;
                let call = pages::call(names, generation, account, *kind, &bounds);
                Some(if *known == Revision::default() { call } else { pages::call_beyond(call, *known) })
            }
            State::Listing(_) => Some(pages::ids_call(names, generation, account, *kind, RECORDS_MAX)),
            State::Listed(ids) if !ids.is_empty() => {
                let (_, next) = ids.split_at(ids.len().saturating_sub(*page));
                Some(pages::values_call(names, generation, account, *kind, next))
            }
            State::Listed(_) | State::Ended => None,
        }
    }

    /// Takes the answer; the records in it.
    pub(super) fn take(&mut self, answer: Value) -> RedisResult<Page> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ordered(_) => {
                let page = pages::page(answer)?;
                if let Some(last) = page.last() {
                    self.state = State::Ordered(Some(last.to_vec()));
                }
                Ok(page)
            }
            State::Listing(after) => {
                let mut ids: Vec<Vec<u8>> = from_redis_value(answer)?;
                ids.retain(|id| after.as_ref().is_none_or(|after| id > after));
                self.state = State::Listed(ids);
                Ok(Page::default())
            }
            State::Listed(mut ids) => {
                let taken = ids.split_off(ids.len().saturating_sub(self.page));
                self.state = State::Listed(ids);
                Ok(Page::of(taken, from_redis_value(answer)?))
            }
            State::Ended => Ok(Page::default()),
        }
    }

    /// Goes on without the index, which is damaged; whether it had one so far.
    pub(super) fn leave_index(&mut self) -> bool {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ordered(after) => {
                self.state = State::Listing(after);
                true
            }
            state => {
                self.state = state;
                false
            }
        }
    }

    /// Whether it goes on without the index.
    pub(super) fn has_no_index(&self) -> bool {
        matches!(self.state, State::Listing(_) | State::Listed(_))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn texts(texts: impl IntoIterator<Item = String>) -> Value {
        Value::Array(texts.into_iter().map(|text| Value::BulkString(text.into_bytes())).collect())
    }

    fn id(number: usize) -> String {
        format!("{number:06}")
    }

    fn ids_of(page: Page) -> Vec<String> {
        page.told("acme", Kind::Site, Path::new("here")).into_iter().map(|row| row.id).collect()
    }

    #[test]
    fn an_index_that_is_damaged_on_the_way_costs_no_record_and_gives_none_twice() {
        let names = Names::new("waymark", 16);
        let mut walk = Walk::new(&names, "g", "acme", Kind::Site);
        assert!(walk.call().is_some() && !walk.has_no_index());
        let first = Value::Array(vec![texts((0..PAGE).map(id)), texts((0..PAGE).map(id))]);
        let mut found = ids_of(walk.take(first).unwrap());
        assert!(walk.leave_index() && walk.has_no_index());
        assert!(!walk.leave_index(), "it has left it");
        let count = 3 * PAGE + 7;
        assert!(walk.call().is_some());
        found.extend(ids_of(walk.take(texts((0..count).rev().map(id))).unwrap()));
        while walk.call().is_some() {
            let left = count - found.len();
            found.extend(ids_of(walk.take(texts((0..left.min(PAGE)).map(id))).unwrap()));
        }
        found.sort();
        assert_eq!(found, (0..count).map(id).collect::<Vec<_>>());
    }

    #[test]
    fn an_index_without_a_fault_ends_with_its_last_page() {
        let names = Names::new("waymark", 16);
        let mut walk = Walk::new(&names, "g", "acme", Kind::Site);
        let page = Value::Array(vec![texts([id(1)]), texts([id(1)])]);
        assert_eq!(ids_of(walk.take(page).unwrap()), [id(1)]);
        assert!(walk.call().is_some());
        assert!(ids_of(walk.take(Value::Array(Vec::new())).unwrap()).is_empty());
        assert!(walk.call().is_none());
    }
}
