//! What a batch is: one write or none, of one partition. Every engine asks this before it does anything with one.

use super::{Error, Mutation};
use crate::model::id::AccountId;

/// The partition of all keys of a batch; refused where they are of several, or there are none. An engine that went by the first
/// key alone would write the others where nobody looks for them.
pub(super) fn partition_of(batch: &[Mutation]) -> Result<Option<&AccountId>, Error> {
    let first = batch.first().ok_or(Error::Partitions)?.key.partition.as_ref();
    let is_of_it = |mutation: &Mutation| mutation.key.partition.as_ref() == first;
    if batch.iter().all(is_of_it) { Ok(first) } else { Err(Error::Partitions) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Key, Kind};

    /// Audit records go along with batches of others, and are in the account's partition or in the operator's.
    #[test]
    fn a_batch_has_the_partition_of_all_its_keys_or_is_refused() {
        let account = |id: &str| id.parse::<AccountId>().unwrap();
        let site = |id: &str| Mutation::delete(Key::of(&account(id), Kind::Site, 1));
        let beside = |id: &str| Mutation::delete(Key::of(&account(id), Kind::Audit, "1"));
        let apart = Mutation::delete(Key::operator(Kind::Audit, "acme/1"));
        for (batch, expected) in
            [(vec![site("acme"), beside("acme")], Some("acme")), (vec![apart.clone(), apart.clone()], None)]
        {
            assert_eq!(partition_of(&batch).unwrap().map(AccountId::as_str), expected);
        }
        let mixed = [vec![site("acme"), beside("acme2")], vec![site("acme"), apart.clone()], vec![apart, site("acme")]];
        for batch in mixed.into_iter().chain([Vec::new()]) {
            let refused = partition_of(&batch);
            assert!(matches!(refused, Err(Error::Partitions)), "{refused:?}");
        }
    }
}
