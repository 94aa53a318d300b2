//! Runs that nobody asked for: begun where an account's links were not checked for longer than the operator wants.
//!
//! They are runs as all others: one an account, worked on by `worker` beside those that persons begin, within the limits
//! of each system.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::rhythm::{Rhythm, STARTER, Watchfulness};
use crate::live::LiveAccount;
use crate::model::connection::{Verification, VerificationState};
use crate::model::id::AccountId;
use crate::service::{Error, Versioned, Waymark};

/// How often is looked for what is due: in memory, so it costs next to nothing, and an account is met at its time.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A longer time without a look is a pause: the process stood still, or the clock was set.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(10);
/// For how long it is believed that an account is not due: others begin runs, and make and delete connections.
const BELIEVED: SignedDuration = SignedDuration::from_mins(10);
/// Accounts whose records are read at one look: 30,000 have their turn within ten minutes.
const LOOKED_MAX: usize = 100;

/// What is known of when accounts are due. Lost at a restart, and found again by looking.
#[derive(Debug, Default)]
pub(in crate::service) struct Plan {
    watchfulness: Watchfulness,
    /// When each account was looked at, and until when it need not be again.
    looked: HashMap<AccountId, (Timestamp, Timestamp)>,
}

impl Plan {
    /// Accounts with links that are to be looked at now, the longest not looked at first.
    fn turn(&self, lives: Vec<Arc<LiveAccount>>, now: Timestamp) -> Vec<Arc<LiveAccount>> {
        let mut turn: Vec<_> = lives
            .into_iter()
            .filter(|live| !live.links.is_empty())
            .map(|live| (self.looked.get(&live.account().id).copied(), live))
            // A clock that was set back makes what is known old too.
            .filter(|(known, _)| known.is_none_or(|(from, until)| !(from..until).contains(&now)))
            .collect();
        turn.sort_by_key(|(known, _)| *known);
        turn.into_iter().map(|(_, live)| live).take(LOOKED_MAX).collect()
    }
}

impl Waymark {
    /// Begins the runs that are due, for ever; where the operator wants none, waits for ever.
    pub(super) async fn begin_due_verifications(&self) {
        if self.rhythm().is_none() {
            std::future::pending::<()>().await;
        }
        let mut plan = Plan::default();
        loop {
            self.look_for_due(&mut plan).await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn rhythm(&self) -> Option<Rhythm> {
        self.parts.ticketing.as_ref()?.rhythm
    }

    /// Looks once at accounts that may be due, and begins their runs.
    pub(in crate::service) async fn look_for_due(&self, plan: &mut Plan) {
        let Some(rhythm) = self.rhythm() else { return };
        let now = self.now();
        let since = plan.watchfulness.look(now, PAUSE_MAX);
        let lives = self.parts.live.lives();
        if plan.looked.len() > lives.len() {
            plan.looked.retain(|account, _| self.parts.live.account(account).is_some());
        }
        for live in plan.turn(lives, now) {
            let account = live.account().id.clone();
            let believed = now + BELIEVED;
            let until = match self.begin_if_due(&live, rhythm, since).await {
                Ok(due) => due.unwrap_or(believed).min(believed),
                Err(cause) => {
                    warn!(%cause, %account, "whether ticketing links are to be checked again is looked at later");
                    believed
                }
            };
            plan.looked.insert(account, (now, until));
        }
    }

    /// Begins a run of an account where one is due; when one is, where that is not yet and it is known.
    async fn begin_if_due(
        &self,
        live: &LiveAccount,
        rhythm: Rhythm,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let account = live.account().id.clone();
        let made = self.connections_of(&account).await?;
        let Some(connected_at) = made.iter().map(|one| one.value.created_at).min() else { return Ok(None) };
        let due = |runs: &[Versioned<Verification>], now| {
            let is_open = runs.iter().any(|run| run.value.state == VerificationState::Running);
            // A clock that was ahead for a while has told nothing of when the next one is due.
            let last = runs.iter().map(|run| &run.value).find(|run| run.started_at <= now);
            (!is_open).then(|| rhythm.due(&account, last, connected_at, since))
        };
        let now = self.now();
        let next = due(&self.verifications_of(&account).await?, now);
        if next.is_none_or(|next| next > now) {
            return Ok(next);
        }
        // Over the runs that are read then, and at that time: what a person began meanwhile is the last one.
        let is_due = |runs: &[Versioned<Verification>]| {
            let now = self.now();
            due(runs, now).is_some_and(|next| next <= now)
        };
        let begun = self.begin_verification(live, STARTER, is_due).await?;
        if begun.is_some() {
            info!(%account, "ticketing links are checked again");
        }
        Ok(None)
    }
}
