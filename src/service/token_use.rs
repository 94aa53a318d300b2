//! When tokens were used last: noted in memory with each call, written with others when a step of time is over.
//!
//! A call costs a look into a table. Agents' tokens are left out: there are as many as sites, and their sites tell when they
//! were heard of.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use parking_lot::RwLock;

use super::advancing::Reached;
use super::{Error, Waymark};
use crate::model::access::{Scope, Token};
use crate::model::audit::use_step;
use crate::model::id::TokenId;
use crate::store::document::{Document, TokenUse};
use crate::store::{Key, Kind};

/// Most tokens whose uses are noted at once: those of a step. Uses of further ones are not told.
const USES_MAX: usize = 65_536;

/// The steps of a token's last use, by seconds of Unix time.
#[derive(Debug)]
struct Use {
    noted: AtomicI64,
    written: AtomicI64,
}

/// Uses of tokens that are not all written.
#[derive(Debug, Default)]
pub(super) struct Uses(RwLock<HashMap<TokenId, Use>>);

impl Uses {
    /// Takes note of a use.
    pub(super) fn note(&self, token: TokenId, scope: Scope, now: Timestamp) {
        if scope == Scope::Agent {
            return;
        }
        let step = use_step(now).as_second();
        let table = self.0.read();
        if let Some(known) = table.get(&token) {
            // Nothing else is read with it; most calls find it as it is and write nothing to memory that others read.
            if known.noted.load(Ordering::Relaxed) < step {
                known.noted.fetch_max(step, Ordering::Relaxed);
            }
            return;
        }
        drop(table);
        let mut table = self.0.write();
        if table.len() < USES_MAX {
            table.entry(token).or_insert(Use { noted: step.into(), written: i64::MIN.into() });
        }
    }

    /// The step in which a token was used last, as far as this process noted it.
    fn last(&self, token: TokenId) -> Option<Timestamp> {
        let table = self.0.read();
        Timestamp::from_second(table.get(&token)?.noted.load(Ordering::Relaxed)).ok()
    }

    /// Up to `most` records of uses that are not written.
    pub(super) fn unwritten(&self, most: usize) -> Vec<Reached> {
        let table = self.0.read();
        let steps = table.iter().filter_map(|(token, known)| {
            let noted = known.noted.load(Ordering::Relaxed);
            let used_at = Timestamp::from_second(noted).ok()?;
            let is_further = noted > known.written.load(Ordering::Relaxed);
            is_further.then(|| (key_of(*token), Document::TokenUse(TokenUse { used_at })))
        });
        steps.take(most).collect()
    }

    /// Takes note that uses were written, and forgets tokens that were not used in the present step.
    pub(super) fn are_written(&self, written: &[Reached], now: Timestamp) {
        let mut table = self.0.write();
        for (key, document) in written {
            let known = key.id.parse().ok().and_then(|token: TokenId| table.get(&token));
            if let (Some(known), Document::TokenUse(last)) = (known, document) {
                known.written.fetch_max(last.used_at.as_second(), Ordering::Relaxed);
            }
        }
        let step = use_step(now).as_second();
        table.retain(|_, known| {
            let noted = *known.noted.get_mut();
            noted > *known.written.get_mut() || noted == step
        });
    }
}

impl Waymark {
    /// When each of some tokens was used last, as far as that is known.
    pub(super) async fn last_uses(&self, tokens: &[impl AsRef<Token>]) -> Result<Vec<Option<Timestamp>>, Error> {
        let keys = tokens.iter().map(|token| key_of(token.as_ref().id)).collect();
        let read = self.parts.store.get_each(keys).await?;
        // One that cannot be read is as good as none.
        let stored = read.into_iter().map(|read| match read.ok().flatten()?.document {
            Document::TokenUse(last) => Some(last.used_at),
            _ => None,
        });
        Ok(tokens.iter().zip(stored).map(|(token, stored)| self.uses.last(token.as_ref().id).max(stored)).collect())
    }
}

/// In the operator's partition, all tokens together: a use counts in no account's revisions.
fn key_of(token: TokenId) -> Key {
    Key::operator(Kind::TokenUse, token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_use_is_written_once_a_step_and_forgotten_when_the_step_is_over() {
        let (uses, token) = (Uses::default(), TokenId::MIN);
        let written = |uses: &Uses, now: i64| {
            let batch = uses.unwritten(10);
            uses.are_written(&batch, at(now));
            batch.len()
        };
        uses.note(token, Scope::Agent, at(1_000));
        assert_eq!((uses.last(token), written(&uses, 1_000)), (None, 0), "an agent's");
        uses.note(token, Scope::Viewer, at(1_000));
        uses.note(token, Scope::Viewer, at(1_100));
        assert_eq!((uses.last(token), written(&uses, 1_100)), (Some(at(900)), 1));
        uses.note(token, Scope::Viewer, at(1_200));
        assert_eq!(written(&uses, 1_200), 0, "twice in a step");
        uses.note(token, Scope::Viewer, at(1_900));
        assert_eq!((uses.last(token), written(&uses, 1_900)), (Some(at(1_800)), 1));
        assert_eq!((written(&uses, 2_700), uses.last(token)), (0, None), "a step that is over is held in memory");
    }

    #[test]
    fn uses_that_are_not_written_stay() {
        let (uses, token) = (Uses::default(), TokenId::MIN);
        uses.note(token, Scope::Viewer, at(1_000));
        assert_eq!(uses.unwritten(10).len(), 1);
        uses.are_written(&[], at(9_000));
        assert_eq!(uses.unwritten(10).len(), 1, "it was not written");
    }
}
