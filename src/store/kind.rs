//! What records are.

/// Longest id that is told in a log, in bytes: junk may be called anything.
const SHOWN_ID_BYTES_MAX: usize = 128;

/// What a record is. The discriminants are part of the stored format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// An account; id: the account's.
    Account = 1,
    /// A token; id: the token's.
    Token = 2,
    /// A site; id: the site's.
    Site = 3,
    /// The claim of a site on a name; id: the folded name.
    SiteName = 4,
    /// The claim of an agent on a site; id: the agent's.
    Agent = 5,
    /// The answer that a `request_id` had; id: the request id.
    Request = 6,
    /// A secret of the deployment; id: what it is for.
    Secret = 7,
    /// A network that an account placed; id: the network.
    Prefix = 8,
    /// A site that a person located, under the address that it comes from; id: address and site.
    Located = 9,
    /// A re-estimation of fixes; id: its own.
    Reestimation = 10,
    /// A resident's access to a site; id: the site's.
    ResidentAccess = 14,
    /// The devices of a site; id: the site's.
    SiteDevices = 15,
    /// A mail that waits to be sent; id: its own.
    Mail = 16,
    /// A change in a site's history; id: the site and the change's number.
    Change = 11,
    /// A long text of a site's history; id: the site and the text's digest.
    PastText = 12,
    /// A connection to a ticketing system; id: the system's name.
    Connection = 20,
    /// A run that checks ticketing links; id: its own.
    Verification = 21,
    /// Who does some work for all replicas; id: the work.
    Lease = 22,
    /// Calls that are told of; id: when, in the operator's partition behind the account whose matter they are.
    Audit = 23,
    /// When a token was used last; id: the token's. All in the operator's partition: no use counts in an account's revisions.
    TokenUse = 24,
    /// Sites that another account sees; id: the share's. In the partition of the account whose sites they are.
    Share = 25,
}

impl Kind {
    /// Whether records of this kind are of the past: many, of which memory holds nothing, and read by few. An engine keeps them where
    /// [`Store::load`](super::Store::load) does not come by, and tells other replicas nothing of them but that there was a commit.
    #[must_use]
    pub fn is_past(self) -> bool {
        matches!(self, Self::Change | Self::PastText | Self::Audit | Self::TokenUse)
    }

    /// Whether who has a record of this kind acts alone. An engine of several machines acknowledges one only when it stands where
    /// another machine takes over, if there is one: cut off from each other two would have it.
    #[must_use]
    pub(super) fn is_exclusive(self) -> bool {
        matches!(self, Self::Lease)
    }

    /// An id of this kind as logs and answers may have it: a checksum of one that says what a person called something, or where it is
    /// in a network, and the site alone of one that says both.
    #[must_use]
    pub fn shown_id(self, id: &str) -> String {
        let shown = match self {
            Self::SiteName | Self::Agent | Self::Prefix => return format!("#{:08x}", crc32fast::hash(id.as_bytes())),
            Self::Located => id.rsplit('/').next().unwrap_or_default(),
            _ => id,
        };
        shown[..shown.floor_char_boundary(SHOWN_ID_BYTES_MAX)].to_owned()
    }

    /// The kinds that [`Store::load`](super::Store::load) gives.
    pub(super) const LOADED: [Self; 3] = [Self::Account, Self::Token, Self::Site];

    /// The kinds that observers keep something of.
    pub(super) const IN_MEMORY: [Self; 6] =
        [Self::Account, Self::Token, Self::Site, Self::Prefix, Self::Mail, Self::Share];

    /// All kinds.
    pub(super) const ALL: [Self; 21] = [
        Self::Account,
        Self::Token,
        Self::Site,
        Self::SiteName,
        Self::Agent,
        Self::Request,
        Self::Secret,
        Self::Prefix,
        Self::Located,
        Self::Reestimation,
        Self::Change,
        Self::PastText,
        Self::ResidentAccess,
        Self::SiteDevices,
        Self::Mail,
        Self::Connection,
        Self::Verification,
        Self::Lease,
        Self::Audit,
        Self::TokenUse,
        Self::Share,
    ];

    /// The kind of a discriminant.
    pub(super) fn of(discriminant: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == discriminant)
    }
}
