//! Looks at some of an account's sites; makes the selection first, where nobody has asked for it yet.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLockWriteGuard;

use super::LiveAccount;
use crate::model::id::Revision;
use crate::spatial::Wants;
use crate::spatial::class::Classes;
use crate::spatial::map_view::MapView;

/// Sites that a selection in the making looks at before it lets others have the lock: some hundred microseconds.
const SITES_A_STEP: u32 = 1_024;

/// Which sites are looked at.
#[derive(Clone)]
pub struct Selected {
    /// Their classes.
    pub classes: Classes,
    /// What more is wanted of them, with a text that stands for it.
    pub texts: Option<(Arc<str>, Wants)>,
}

impl fmt::Debug for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Selected").field(&self.classes).field(&self.texts.as_ref().map(|(key, _)| key)).finish()
    }
}

impl LiveAccount {
    /// Reads from a view of the selected sites, at one instant; every write up to the revision is in, perhaps more.
    ///
    /// Costs what `read` costs; and where these texts were not wanted lately, a look at each site of the account, in
    /// steps between which others have their turn.
    pub async fn look<T>(&self, selected: &Selected, read: impl FnOnce(MapView<'_>, Revision) -> T) -> T {
        let Some((key, wants)) = &selected.texts else {
            let map = self.map.read();
            return read(map.within(selected.classes), self.revision());
        };
        {
            let map = self.map.read();
            if let Some(view) = map.selected(key, selected.classes) {
                return read(view, self.revision());
            }
        }
        // One at a time: selections in the making would push one another out, and none would ever be done.
        let _turn = self.selecting.lock().await;
        {
            // Whoever had the turn before may have made this one: no reader has to leave for that.
            let map = self.map.read();
            if let Some(view) = map.selected(key, selected.classes) {
                return read(view, self.revision());
            }
        }
        loop {
            {
                let mut map = self.map.write();
                if map.select(key, wants, SITES_A_STEP) {
                    let map = RwLockWriteGuard::downgrade(map);
                    let view =
                        map.selected(key, selected.classes).expect("what is complete is there until others write");
                    return read(view, self.revision());
                }
            }
            tokio::task::yield_now().await;
        }
    }
}
