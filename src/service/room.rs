//! Room for one site more in an account: the limit that the operator sets.

use super::{Error, Waymark};
use crate::live::LiveAccount;

impl Waymark {
    /// Refuses one site more where the account has as many as it may have; deleted ones do not count. Costs a read
    /// of the map's lock.
    ///
    /// What is written at this moment is not counted yet: calls that meet at the limit may go beyond it by as many as write
    /// at once, which is little beside what it is there for, the memory that an account takes.
    pub(super) fn require_room(&self, live: &LiveAccount) -> Result<(), Error> {
        let max = self.parts.config.sites_max.get();
        if live.site_count() >= max as usize { Err(Error::TooManySites(max)) } else { Ok(()) }
    }
}
