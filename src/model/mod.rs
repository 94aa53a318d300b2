//! The nouns of waymark: accounts, sites, fixes, positions and who asks.
//!
//! Plain checked values. Knows nothing of storage, of the network, or of protobuf.

pub mod access;
pub mod address;
pub mod assignment;
pub mod attention;
pub mod audit;
pub mod card;
pub mod certificate;
pub mod connection;
pub mod coordinates;
pub mod device;
pub mod evidence;
pub mod geo;
pub mod gist;
pub mod history;
pub mod host;
pub mod id;
mod instant;
pub mod location;
pub mod neighbourhood;
mod personal_location;
pub mod phone;
pub mod polygon;
pub mod prefix;
pub mod public_url;
pub mod reestimation;
pub mod resident;
pub mod retention;
pub mod rough;
pub mod share;
pub mod site;
pub mod site_address;
pub mod site_devices;
pub mod sketch;
pub mod stack;
pub mod text;
pub mod ticketing;
pub mod uplink;

/// A value that cannot be what it claims to be.
///
/// Returned by the constructors of this module; after a constructor succeeded nobody asks again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Invalid {
    /// The field at fault, named as in the API (`position.lat`).
    pub field: String,
    /// What is wrong with it and what is allowed, lowercase, the value in it.
    pub why: String,
}

impl Invalid {
    /// A fault of `field`; `why` says what is allowed.
    pub fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into() }
    }

    /// The same fault, seen from a message that holds the value as its field `parent`.
    #[must_use]
    pub fn within(mut self, parent: &str) -> Self {
        self.field = if self.field.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.field) };
        self
    }
}
