//! A look at each record of a deployment, while replicas work on it or not: those that cannot be read, keys that another program made
//! something else, and records that nobody finds.

use std::collections::HashSet;

use super::super::pages::{self, Bounds};
use super::super::place;
use super::super::trouble::{self, PLACE, Trouble};
use super::super::value;
use super::super::walk::Walk;
use super::{Deployment, whole};
use crate::model::id::AccountId;
use crate::store::transfer::Looked;
use crate::store::{Error, Kind, faults};

impl Deployment {
    /// Looks at each record of a kind of an account, by the index of ids and without it.
    pub(super) async fn look_at(&self, partition: Option<&AccountId>, kind: Kind) -> Result<Looked, Error> {
        let account = value::account_text(partition);
        let number = self.names.partition(account);
        let (slot, generation) = (self.slot(number), self.generation(number).await?);
        let place = place(&self.nodes.settings.prefix);
        let (mut looked, mut seen) = (Looked::default(), HashSet::new());
        let mut walk = Walk::new(&self.names, &generation, account, kind);
        while let Some(call) = walk.call() {
            let page = match self.ask(slot, &call).await {
                Ok(answer) => walk.take(answer).map_err(|cause| Trouble::of_read(&cause))?,
                Err(cause) if trouble::is_of_index(&cause) && walk.leave_index() => {
                    looked.damaged.push(cause);
                    continue;
                }
                // The records are something else, too: there is nothing to look at.
                Err(Error::Damaged { .. }) if walk.has_no_index() => {
                    looked.damaged.push(self.no_hash(account, kind));
                    return Ok(looked);
                }
                Err(cause) => return Err(cause),
            };
            let (rows, strays) = page.parted(account, kind, &place);
            looked.damaged.extend(strays.into_iter().map(Error::from));
            for row in rows {
                looked.records += 1;
                if whole(account, kind, &row).is_none() {
                    looked.damaged.push(faults::unreadable(account, kind, &row.id, &place).into());
                }
                seen.insert(row.id.into_bytes());
            }
        }
        self.look_behind_index(partition, kind, &seen, &mut looked).await?;
        Ok(looked)
    }

    /// Takes down the records that stand under no id of the index: nobody finds them. What is written meanwhile is none of these.
    async fn look_behind_index(
        &self,
        partition: Option<&AccountId>,
        kind: Kind,
        seen: &HashSet<Vec<u8>>,
        looked: &mut Looked,
    ) -> Result<(), Error> {
        let account = value::account_text(partition);
        let number = self.names.partition(account);
        let (slot, generation) = (self.slot(number), self.generation(number).await?);
        let place = place(&self.nodes.settings.prefix);
        let all = pages::ids_call(&self.names, &generation, account, kind, u64::MAX);
        let ids = match self.ask::<Vec<Vec<u8>>>(slot, &all).await {
            Ok(ids) => ids,
            Err(Error::Damaged { .. }) => {
                looked.damaged.push(self.no_hash(account, kind));
                return Ok(());
            }
            Err(cause) => return Err(cause),
        };
        for id in ids.into_iter().filter(|id| !seen.contains(id)) {
            let one = pages::call(&self.names, &generation, account, kind, &Bounds::only(&id));
            let is_found = match self.ask(slot, &one).await {
                Ok(answer) => pages::page(answer).map_err(|cause| Trouble::of_read(&cause))?.len() > 0,
                // It was told.
                Err(cause) if trouble::is_of_index(&cause) => true,
                Err(cause) => return Err(cause),
            };
            if !is_found {
                let id = String::from_utf8_lossy(&id);
                looked.damaged.push(faults::unreadable(account, kind, &id, &place).into());
            }
        }
        Ok(())
    }

    fn no_hash(&self, account: &str, kind: Kind) -> Error {
        let records = self.names.records(account, kind);
        faults::damaged(PLACE, format!("{records} is not the hash of records that waymark keeps there"))
    }
}
