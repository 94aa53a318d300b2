//! What can go wrong, seen from outside: one closed list of kinds and one of reasons.
//!
//! Each module has its own error enum that answers [`Fault`]. Knows nothing of gRPC and HTTP codes:
//! those are `api/status.rs`'s alone.

use std::time::Duration;

/// The kind of a failure: what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong whatever the state; do not repeat it.
    InvalidArgument,
    /// What the request names does not exist, or not for this caller.
    NotFound,
    /// What the request would make exists.
    AlreadyExists,
    /// The state does not allow it; change the state first.
    FailedPrecondition,
    /// Somebody else was faster; read again and repeat.
    Aborted,
    /// No credential, or not a good one.
    Unauthenticated,
    /// The credential does not allow it.
    PermissionDenied,
    /// A limit is reached.
    ResourceExhausted,
    /// A part is out of service for now; repeat after a while.
    Unavailable,
    /// The time given was not enough.
    DeadlineExceeded,
    /// What was stored cannot be read any more.
    DataLoss,
    /// It is not to be had in this way.
    Unimplemented,
    /// A fault of waymark's own.
    Internal,
}

/// The stable, machine-readable reason of a failure. Part of the API: never renamed, only added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A field of the request is malformed or out of range.
    FieldInvalid,
    /// A page token is malformed, or was made for another query or account.
    PageTokenInvalid,
    /// A candidate token is malformed, expired, or was made for another site.
    CandidateTokenInvalid,
    /// The resource does not exist, or not for this caller.
    ResourceNotFound,
    /// The resource exists.
    ResourceExists,
    /// Another site of the account has this name.
    SiteNameTaken,
    /// The site is deleted; undelete it first.
    SiteDeleted,
    /// The site is not deleted.
    SiteNotDeleted,
    /// The etag is not the resource's present one.
    EtagMismatch,
    /// The `request_id` was used for another request.
    RequestIdReused,
    /// The agent is activated with another key.
    AgentKeyMismatch,
    /// The agent stands on another site.
    AgentElsewhere,
    /// No credential, or one that is unknown, expired or revoked.
    CredentialInvalid,
    /// No token, and a client certificate that is not that of one good token.
    ClientCertificateUnknown,
    /// A token of an identity provider is not one of a trusted issuer for this service, or not to the letter.
    JwtInvalid,
    /// A token of an identity provider is not good any more, or not yet.
    JwtExpired,
    /// An identity provider gives its bearer no account, or no role, that is known here.
    JwtUnmapped,
    /// The credential's scope does not allow the method.
    ScopeInsufficient,
    /// The token masks contacts, and this would read or write one.
    ContactsMasked,
    /// The token does not show exactly where sites are, and this would tell it.
    PositionsWithheld,
    /// The site has no fix of this source.
    FixMissing,
    /// The site has no position.
    SiteUnplaced,
    /// The position is outside of the stated country.
    PositionOutsideCountry,
    /// It is the operator's last good token.
    LastOperatorToken,
    /// The token was revoked or has expired.
    TokenEnded,
    /// The secret of an earlier rotation is still good.
    TokenRotating,
    /// The resident access is in a state that does not allow it.
    ResidentAccessState,
    /// An invitation is unknown, used, expired, revoked or superseded.
    InvitationInvalid,
    /// The code of a share is unknown, used, declined, withdrawn or expired.
    ShareCodeInvalid,
    /// The account sees sites of the other one by another share.
    ShareInEffect,
    /// No mail server is configured.
    MailNotConfigured,
    /// The time given was not enough.
    DeadlineExceeded,
    /// A limit of the account or of the process is reached.
    LimitReached,
    /// The disk is full.
    StorageFull,
    /// The store is out of service.
    StorageUnavailable,
    /// It is not known whether the write was done.
    OutcomeUnknown,
    /// A stored record fails its checksum.
    StorageCorrupt,
    /// Too many writers met at one record; repeat.
    Contention,
    /// The geocoder is out of service, or answers what cannot be used.
    GeocoderUnavailable,
    /// The geocoder wants fewer requests, or its quota is used up.
    GeocoderQuotaUsed,
    /// Too many ask the geocoder at once: there was no turn in time.
    GeocoderBusy,
    /// The geocoder does not take such a question.
    GeocoderRefused,
    /// No geocoder answers this kind of question.
    GeocoderUnsupported,
    /// There is no geocoder, or its URL, key or file is not good.
    GeocoderMisconfigured,
    /// A former value cannot be put back.
    ValueNotRestorable,
    /// A ticketing system is out of service, or answers what cannot be used.
    TicketingUnavailable,
    /// A ticketing system wants fewer requests.
    TicketingRateLimited,
    /// A ticketing system does not let the connection in.
    TicketingDenied,
    /// The base URL of a connection does not lead to the system.
    TicketingMisconfigured,
    /// A ticketing system does not take such a question.
    TicketingRefused,
    /// The account has no connection to the system.
    TicketingNotConnected,
    /// Stored credentials were encrypted with another key.
    CredentialsUnreadable,
    /// A token or an account makes more calls than it may.
    RateLimited,
    /// More calls are in flight than the server takes.
    ServerBusy,
    /// More such calls come from one address than may.
    NetworkRateLimited,
    /// The records of an account are being read for its search.
    SearchNotReady,
    /// A watch ended by a fault of waymark's own; another one may go on.
    WatchFailed,
    /// Over HTTP/JSON there is no such call.
    HttpUnsupported,
    /// The process is starting, or ending.
    NotReady,
    /// A fault of waymark's own.
    Internal,
}

impl Reason {
    /// The reason's name in the API, `UPPER_SNAKE_CASE`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FieldInvalid => "FIELD_INVALID",
            Self::PageTokenInvalid => "PAGE_TOKEN_INVALID",
            Self::CandidateTokenInvalid => "CANDIDATE_TOKEN_INVALID",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::ResourceExists => "RESOURCE_EXISTS",
            Self::SiteNameTaken => "SITE_NAME_TAKEN",
            Self::SiteDeleted => "SITE_DELETED",
            Self::SiteNotDeleted => "SITE_NOT_DELETED",
            Self::EtagMismatch => "ETAG_MISMATCH",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::AgentKeyMismatch => "AGENT_KEY_MISMATCH",
            Self::AgentElsewhere => "AGENT_ELSEWHERE",
            Self::CredentialInvalid => "CREDENTIAL_INVALID",
            Self::ClientCertificateUnknown => "CLIENT_CERTIFICATE_UNKNOWN",
            Self::JwtInvalid => "JWT_INVALID",
            Self::JwtExpired => "JWT_EXPIRED",
            Self::JwtUnmapped => "JWT_UNMAPPED",
            Self::ScopeInsufficient => "SCOPE_INSUFFICIENT",
            Self::ContactsMasked => "CONTACTS_MASKED",
            Self::PositionsWithheld => "POSITIONS_WITHHELD",
            Self::FixMissing => "FIX_MISSING",
            Self::SiteUnplaced => "SITE_UNPLACED",
            Self::PositionOutsideCountry => "POSITION_OUTSIDE_COUNTRY",
            Self::LastOperatorToken => "LAST_OPERATOR_TOKEN",
            Self::TokenEnded => "TOKEN_ENDED",
            Self::TokenRotating => "TOKEN_ROTATING",
            Self::ResidentAccessState => "RESIDENT_ACCESS_STATE",
            Self::InvitationInvalid => "INVITATION_INVALID",
            Self::ShareCodeInvalid => "SHARE_CODE_INVALID",
            Self::ShareInEffect => "SHARE_IN_EFFECT",
            Self::MailNotConfigured => "MAIL_NOT_CONFIGURED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::LimitReached => "LIMIT_REACHED",
            Self::StorageFull => "STORAGE_FULL",
            Self::StorageUnavailable => "STORAGE_UNAVAILABLE",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::StorageCorrupt => "STORAGE_CORRUPT",
            Self::Contention => "CONTENTION",
            Self::GeocoderUnavailable => "GEOCODER_UNAVAILABLE",
            Self::GeocoderQuotaUsed => "GEOCODER_QUOTA_USED",
            Self::GeocoderBusy => "GEOCODER_BUSY",
            Self::GeocoderRefused => "GEOCODER_REFUSED",
            Self::GeocoderUnsupported => "GEOCODER_UNSUPPORTED",
            Self::GeocoderMisconfigured => "GEOCODER_MISCONFIGURED",
            Self::ValueNotRestorable => "VALUE_NOT_RESTORABLE",
            Self::TicketingUnavailable => "TICKETING_UNAVAILABLE",
            Self::TicketingRateLimited => "TICKETING_RATE_LIMITED",
            Self::TicketingDenied => "TICKETING_DENIED",
            Self::TicketingMisconfigured => "TICKETING_MISCONFIGURED",
            Self::TicketingRefused => "TICKETING_REFUSED",
            Self::TicketingNotConnected => "TICKETING_NOT_CONNECTED",
            Self::CredentialsUnreadable => "CREDENTIALS_UNREADABLE",
            Self::RateLimited => "RATE_LIMITED",
            Self::ServerBusy => "SERVER_BUSY",
            Self::NetworkRateLimited => "NETWORK_RATE_LIMITED",
            Self::SearchNotReady => "SEARCH_NOT_READY",
            Self::WatchFailed => "WATCH_FAILED",
            Self::HttpUnsupported => "HTTP_UNSUPPORTED",
            Self::NotReady => "NOT_READY",
            Self::Internal => "INTERNAL",
        }
    }

    /// The kind that the reason belongs to.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::FieldInvalid
            | Self::PageTokenInvalid
            | Self::CandidateTokenInvalid
            | Self::GeocoderRefused
            | Self::TicketingRefused
            | Self::PositionOutsideCountry => Kind::InvalidArgument,
            Self::ResourceNotFound | Self::InvitationInvalid | Self::ShareCodeInvalid => Kind::NotFound,
            Self::ResourceExists | Self::SiteNameTaken | Self::RequestIdReused | Self::AgentElsewhere => {
                Kind::AlreadyExists
            }
            Self::SiteDeleted
            | Self::SiteNotDeleted
            | Self::FixMissing
            | Self::SiteUnplaced
            | Self::LastOperatorToken
            | Self::TokenEnded
            | Self::TokenRotating
            | Self::ResidentAccessState
            | Self::ShareInEffect
            | Self::MailNotConfigured
            | Self::ValueNotRestorable
            | Self::GeocoderUnsupported
            | Self::GeocoderMisconfigured
            | Self::TicketingDenied
            | Self::TicketingMisconfigured
            | Self::TicketingNotConnected
            | Self::CredentialsUnreadable => Kind::FailedPrecondition,
            Self::DeadlineExceeded => Kind::DeadlineExceeded,
            Self::EtagMismatch | Self::Contention => Kind::Aborted,
            Self::CredentialInvalid
            | Self::ClientCertificateUnknown
            | Self::JwtInvalid
            | Self::JwtExpired
            | Self::JwtUnmapped => Kind::Unauthenticated,
            Self::ScopeInsufficient | Self::ContactsMasked | Self::PositionsWithheld | Self::AgentKeyMismatch => {
                Kind::PermissionDenied
            }
            Self::LimitReached
            | Self::StorageFull
            | Self::GeocoderQuotaUsed
            | Self::GeocoderBusy
            | Self::TicketingRateLimited
            | Self::RateLimited
            | Self::NetworkRateLimited => Kind::ResourceExhausted,
            Self::StorageUnavailable
            | Self::OutcomeUnknown
            | Self::GeocoderUnavailable
            | Self::TicketingUnavailable
            | Self::SearchNotReady
            | Self::WatchFailed
            | Self::ServerBusy
            | Self::NotReady => Kind::Unavailable,
            Self::StorageCorrupt => Kind::DataLoss,
            Self::HttpUnsupported => Kind::Unimplemented,
            Self::Internal => Kind::Internal,
        }
    }
}

/// What every error enum of waymark answers.
pub trait Fault: std::error::Error {
    /// The reason, and through it the kind.
    fn reason(&self) -> Reason;

    /// When to try again, where that helps.
    fn retry_after(&self) -> Option<Duration> {
        matches!(self.reason().kind(), Kind::Unavailable | Kind::Aborted).then_some(Duration::from_millis(250))
    }
}
