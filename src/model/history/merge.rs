//! What machines say one after the other goes into one entry, so that a site that flaps does not fill its history.
//!
//! An entry of reports spans less than an hour, so of reports alone a site has 24 of them a day, and one more behind each
//! entry of another cause. What reads a history backwards notices nothing: an entry goes from what the first of its
//! changes found to what the last one left, and no other entry is between them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::devices::DEVICES_TOLD_MAX;
use super::{Cause, Change, Field};

/// Reports of less than so long are one entry: of more than that people want to see when it was.
const TOGETHER: SignedDuration = SignedDuration::from_hours(1);
/// The same where they tell of the public address and its network alone: a carrier's pool gives out another one by the
/// minute.
pub const TURNS_TOGETHER: SignedDuration = SignedDuration::from_hours(24);

/// That an entry is of several changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// How many, two at least.
    pub count: u32,
    /// When the first of them was made; the entry's own time is the last one's.
    pub since: Timestamp,
}

impl Change {
    /// Takes a later change into this entry where both are reports; says whether it did. This one has to be the last entry.
    ///
    /// Of who and why the later ones are kept. What a person did is never merged. Values may come to be what they were
    /// before: that they were others meanwhile is what the entry is for. Of devices it tells no more than of so many.
    #[must_use]
    pub fn merge(&mut self, later: &Self) -> bool {
        let (count, since) = self.merged.map_or((1, self.made_at), |merged| (merged.count, merged.since));
        let together = if self.tells_turns() && later.tells_turns() { TURNS_TOGETHER } else { TOGETHER };
        let is_near = (SignedDuration::ZERO..together).contains(&later.made_at.duration_since(since));
        if !(self.is_report() && later.is_report() && is_near && later.made_at >= self.made_at) {
            return false;
        }
        for edit in &later.edits {
            let is_too_much = edit.field.is_device() && self.device_edits() >= DEVICES_TOLD_MAX;
            match self.edits.iter_mut().find(|known| known.field == edit.field) {
                Some(known) => known.to.clone_from(&edit.to),
                None if is_too_much => {}
                None => self.edits.push(edit.clone()),
            }
        }
        let more = later.merged.map_or(1, |merged| merged.count);
        self.merged = Some(Merged { count: count.saturating_add(more), since });
        self.made_at = later.made_at;
        self.actor.clone_from(&later.actor);
        self.cause.clone_from(&later.cause);
        true
    }

    /// Whether it is what machines say by the minute. The entry of a site that an agent made has no edits.
    #[must_use]
    pub fn is_report(&self) -> bool {
        self.cause.is_report() && !self.edits.is_empty()
    }

    fn tells_turns(&self) -> bool {
        self.edits.iter().all(|edit| matches!(edit.field, Field::PublicIp | Field::Asn | Field::Isp))
    }

    fn device_edits(&self) -> usize {
        self.edits.iter().filter(|edit| edit.field.is_device()).count()
    }
}

impl Cause {
    /// Whether an agent or a service said it, by itself: it is up, it is down, it comes from elsewhere, has other devices.
    #[must_use]
    pub fn is_report(&self) -> bool {
        matches!(self, Self::Reported | Self::Activated)
    }

    /// Whether the status that it brought is the word of an agent or of a service.
    #[must_use]
    pub fn is_by_agent(&self) -> bool {
        self.is_report() || *self == Self::TakenOver
    }
}
