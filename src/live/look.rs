//! Looks at some of an account's sites; makes the selection first, where nobody has asked for it yet. And looks for names.

use std::collections::{BTreeMap, HashSet};

use parking_lot::RwLockWriteGuard;

use super::LiveAccount;
use crate::model::id::{Revision, SiteId};
use crate::spatial::class::Classes;
use crate::spatial::map_view::MapView;
use crate::spatial::{AccountMap, Wants};

/// What a selection in the making may cost before it lets others have the lock, in terms asked of a site: some 100 to 300
/// microseconds, whatever the filter.
pub const TERMS_A_STEP: u32 = 4_096;
/// Sites whose names are looked at before others may have the lock: some 100 to 300 microseconds.
const NAMES_A_STEP: u32 = 4_096;

/// Sites that are put where their cells are before others may have the lock: as long.
const ROUGHENED_A_STEP: u32 = 128;

/// Which sites are looked at, and how exactly.
#[derive(Debug, Clone)]
pub struct Selected {
    /// Their classes.
    pub classes: Classes,
    /// What more is wanted of them.
    pub texts: Option<Wants>,
    /// Of which sites they are: the others are not there, whatever is counted. `None` for all of the account. Whoever sets it wants no
    /// others by `texts` either.
    pub all: Option<Wants>,
    /// Whether each stands where its cell is, to about a kilometre, and not where it is.
    pub is_rough: bool,
}

impl Selected {
    /// The view of them, where all of it is made.
    fn view<'map>(&self, map: &'map AccountMap) -> Option<MapView<'map>> {
        let map = if self.is_rough { map.rough()? } else { map };
        let view = match &self.texts {
            None => map.within(self.classes),
            Some(wants) => map.selected(wants.key(), self.classes)?,
        };
        match &self.all {
            None => Some(view),
            Some(wants) => Some(view.among(map.selected(wants.key(), Classes::ALL)?)),
        }
    }

    /// Makes one step more of it. Answers whether all of it is made.
    fn go_on(&self, map: &mut AccountMap) -> bool {
        let map = if self.is_rough {
            let Some(rough) = map.roughen(ROUGHENED_A_STEP) else { return false };
            rough
        } else {
            map
        };
        let mut wanted = self.all.iter().chain(&self.texts);
        wanted.all(|wants| map.select(wants, (TERMS_A_STEP / wants.cost()).max(1)))
    }
}

impl LiveAccount {
    /// Reads from a view of the selected sites, at one instant; every write up to the revision is in, perhaps more.
    ///
    /// Costs what `read` costs; and where these texts were not wanted lately, or no rough map, a look at each site of the account,
    /// in steps between which others have their turn.
    pub async fn look<T>(&self, selected: &Selected, read: impl FnOnce(MapView<'_>, Revision) -> T) -> T {
        {
            let map = self.map.read();
            if let Some(view) = selected.view(&map) {
                return read(view, self.revision());
            }
        }
        // One at a time: selections in the making would push one another out, and none would ever be done.
        let _turn = self.selecting.lock().await;
        {
            // Whoever had the turn before may have made this one: no reader has to leave for that.
            let map = self.map.read();
            if let Some(view) = selected.view(&map) {
                return read(view, self.revision());
            }
        }
        loop {
            {
                let mut map = self.map.write();
                if selected.go_on(&mut map) {
                    let map = RwLockWriteGuard::downgrade(map);
                    let view = selected.view(&map).expect("what is complete is there until others write");
                    return read(view, self.revision());
                }
                // Whoever waits is next: a writer would lose the race for the lock against who is awake already.
                RwLockWriteGuard::unlock_fair(map);
            }
            tokio::task::yield_now().await;
        }
    }

    /// The turn to make a selection, where nobody has it: while it is kept no other is made.
    #[cfg(test)]
    pub(crate) fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        self.selecting.try_lock().ok()
    }

    /// The sites that have these folded names, as memory knows them: of two of one name the older. Deleted ones have none.
    ///
    /// Costs a look at each site of the account, in steps between which others have their turn. A site that comes meanwhile may be
    /// missed.
    pub async fn sites_named(&self, names: &HashSet<String>) -> Vec<(String, SiteId)> {
        let (mut found, mut from) = (BTreeMap::<String, SiteId>::new(), Some(0));
        while let Some(number) = from {
            let (some, next) = self.map.read().named(names, number, NAMES_A_STEP);
            for (name, site) in some {
                let known = found.entry(name).or_insert(site);
                *known = site.min(*known);
            }
            from = next;
            tokio::task::yield_now().await;
        }
        found.into_iter().collect()
    }
}
