//! Tiles before they are made: what their layers hold, and whether they may be asked for.

use super::access::Permission;
use super::filter::MapFilter;
use super::{Error, Waymark};
use crate::model::access::Principal;
use crate::model::id::AccountId;

pub use crate::spatial::mercator::TileId;
pub use crate::spatial::tile_fields::{FieldKind, LAYERS, LayerFields};

impl Waymark {
    /// Whether the principal may ask for tiles of the account with this filter: for those who promise tiles before
    /// they make any.
    pub fn check_tiles(&self, principal: &Principal, account: &AccountId, filter: &str) -> Result<(), Error> {
        self.account_for(principal, account, Permission::Read)?;
        MapFilter::parse(filter)?;
        Ok(())
    }
}
