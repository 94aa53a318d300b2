//! Looks at some of an account's sites; makes the selection first, where nobody has asked for it yet.

use parking_lot::RwLockWriteGuard;

use super::LiveAccount;
use crate::model::id::Revision;
use crate::spatial::Wants;
use crate::spatial::class::Classes;
use crate::spatial::map_view::MapView;

/// What a selection in the making may cost before it lets others have the lock, in terms asked of a site: some 100 to 300
/// microseconds, whatever the filter.
const TERMS_A_STEP: u32 = 4_096;

/// Which sites are looked at.
#[derive(Debug, Clone)]
pub struct Selected {
    /// Their classes.
    pub classes: Classes,
    /// What more is wanted of them.
    pub texts: Option<Wants>,
}

impl LiveAccount {
    /// Reads from a view of the selected sites, at one instant; every write up to the revision is in, perhaps more.
    ///
    /// Costs what `read` costs; and where these texts were not wanted lately, a look at each site of the account, in
    /// steps between which others have their turn.
    pub async fn look<T>(&self, selected: &Selected, read: impl FnOnce(MapView<'_>, Revision) -> T) -> T {
        let Some(wants) = &selected.texts else {
            let map = self.map.read();
            return read(map.within(selected.classes), self.revision());
        };
        {
            let map = self.map.read();
            if let Some(view) = map.selected(wants.key(), selected.classes) {
                return read(view, self.revision());
            }
        }
        // One at a time: selections in the making would push one another out, and none would ever be done.
        let _turn = self.selecting.lock().await;
        {
            // Whoever had the turn before may have made this one: no reader has to leave for that.
            let map = self.map.read();
            if let Some(view) = map.selected(wants.key(), selected.classes) {
                return read(view, self.revision());
            }
        }
        let sites = (TERMS_A_STEP / wants.cost()).max(1);
        loop {
            {
                let mut map = self.map.write();
                if map.select(wants, sites) {
                    let map = RwLockWriteGuard::downgrade(map);
                    let view = map
                        .selected(wants.key(), selected.classes)
                        .expect("what is complete is there until others write");
                    return read(view, self.revision());
                }
                // Whoever waits is next: a writer would lose the race for the lock against who is awake already.
                RwLockWriteGuard::unlock_fair(map);
            }
            tokio::task::yield_now().await;
        }
    }
}
