//! A resident's access to one site: who may come, what they may do with which device, where the invitation stands.
//!
//! Steps are pure: what is true now, what is asked, and the time. Knows nothing of mail, and of a secret only its hash.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::id::{SiteId, TokenId};
use super::site::Contact;
use super::site_devices::{SiteDevices, device_id};
use super::{Invalid, text};

/// How long an invitation can be accepted: a week of holidays is seldom longer, and mail that lies about is a risk.
pub const INVITATION_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Most invitations to one site within [`SENDING_WINDOW`], first ones and repeated ones.
pub const SENT_MAX: usize = 10;
/// The time within which no more than [`SENT_MAX`] are sent.
pub const SENDING_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// How long the one who accepted can ask for the same answer again: long enough to see that none came and to press the button
/// once more, and short, because the link that it takes lies in a mailbox.
pub const REPEAT_WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// What the resident may do with one device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePermission {
    /// See it.
    pub visible: bool,
    /// Switch its power.
    pub power: bool,
    /// Block its internet.
    pub block: bool,
}

/// How far the mail with an invitation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It waits for the mail server.
    Queued,
    /// The mail server took it.
    Sent,
    /// It cannot be sent: the mail server refuses it for good, because the address is wrong or the server is; or the key that
    /// its secret was encrypted with is another now; or it ran out before the mail server was there.
    Refused,
}

/// An invitation that was not accepted yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// SHA-256 of the secret in its link.
    pub secret_hash: [u8; 32],
    /// When it was made.
    pub invited_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How far its mail is.
    pub delivery: Delivery,
}

/// The resident came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// When.
    pub at: Timestamp,
    /// The token that they hold.
    pub token: TokenId,
}

/// Where the access stands. That of a site where nothing is set up is "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Set up, and nobody was invited.
    Ready,
    /// Invited, and not come yet.
    Invited,
    /// Come.
    Accepted,
    /// The invitation ran out.
    Expired,
    /// Taken back.
    Revoked,
}

/// Why a step cannot be made, and which one can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing is set up.
    #[error("no resident access is set up: update it with an owner_email first")]
    NotSetUp,
    /// It is off.
    #[error("resident access is off: enable it first")]
    Off,
    /// There is an invitation already.
    #[error("the resident is invited already: resend the invitation, or revoke it")]
    Invited,
    /// There is nothing to send again.
    #[error("there is no invitation to send again: invite the resident")]
    NotInvited,
    /// The resident came already.
    #[error("the resident has accepted already: revoke the access first")]
    Accepted,
    /// Nobody was invited.
    #[error("nobody was invited, so there is nothing to revoke")]
    NothingToRevoke,
    /// The address is the one that an invitation or an access is bound to.
    #[error("the invitation is bound to the owner_email: revoke it, then change the address")]
    Bound,
    /// Too many were sent lately.
    #[error("at most {SENT_MAX} invitations are sent to a site a day: wait")]
    TooOften,
}

/// The access to a site, as it is kept: beside the site, which nothing of this is read with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidentAccess {
    /// The site.
    pub site: SiteId,
    /// The resident's address, to which invitations go.
    pub owner_email: String,
    /// Whether it is on. Where it is off nobody is invited or comes, and who came is kept out.
    pub enabled: bool,
    /// What the resident may do, by device.
    pub permissions: BTreeMap<String, DevicePermission>,
    /// The last invitation; none once it was accepted or revoked.
    pub invitation: Option<Invitation>,
    /// Set while the resident has access.
    pub accepted: Option<Acceptance>,
    /// Set from a revocation until the next invitation.
    pub revoked_at: Option<Timestamp>,
    /// When invitations were made lately, so that they are not too many.
    pub made_at: Vec<Timestamp>,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl ResidentAccess {
    /// A new one, for nobody yet.
    #[must_use]
    pub fn new(site: SiteId, now: Timestamp) -> Self {
        Self {
            site,
            owner_email: String::new(),
            enabled: false,
            permissions: BTreeMap::new(),
            invitation: None,
            accepted: None,
            revoked_at: None,
            made_at: Vec::new(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether somebody set it up. One that is not remembers invitations of before it was taken away.
    #[must_use]
    pub fn is_set_up(&self) -> bool {
        !self.owner_email.is_empty()
    }

    /// What stays once it is taken away: when invitations were made lately, so that setting it up again is no way around
    /// [`SENT_MAX`]. An erasure leaves nothing.
    #[must_use]
    pub fn remains(&self, now: Timestamp) -> Option<Self> {
        let mut rest = Self::new(self.site, now);
        rest.made_at.extend(self.made_at.iter().filter(|at| now.duration_since(**at) < SENDING_WINDOW));
        (!rest.made_at.is_empty()).then_some(rest)
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        match (&self.revoked_at, &self.accepted, &self.invitation) {
            (Some(_), ..) => State::Revoked,
            (None, Some(_), _) => State::Accepted,
            (None, None, Some(invitation)) if now < invitation.expires_at => State::Invited,
            (None, None, Some(_)) => State::Expired,
            (None, None, None) => State::Ready,
        }
    }

    /// Names another owner. An invitation that ran out or was revoked counts no more: it was somebody else's.
    pub fn set_owner(&mut self, email: String, now: Timestamp) -> Result<(), Refused> {
        if email == self.owner_email {
            return Ok(());
        }
        if matches!(self.state(now), State::Invited | State::Accepted) {
            return Err(Refused::Bound);
        }
        self.owner_email = email;
        self.invitation = None;
        self.revoked_at = None;
        Ok(())
    }

    /// Says what the resident may do: each device is one of the site's that can do what is allowed newly, or has at most what
    /// it had.
    pub fn set_permissions(
        &mut self,
        wanted: BTreeMap<String, DevicePermission>,
        devices: &SiteDevices,
    ) -> Result<(), Invalid> {
        self.permissions = checked_permissions(wanted, &self.permissions, devices)?;
        Ok(())
    }

    /// Invites the owner.
    pub fn invite(&mut self, secret_hash: [u8; 32], now: Timestamp) -> Result<(), Refused> {
        match self.state(now) {
            State::Ready | State::Expired | State::Revoked => self.make_invitation(secret_hash, now),
            State::Invited => Err(Refused::Invited),
            State::Accepted => Err(Refused::Accepted),
        }
    }

    /// Sends another link; the one before is dead.
    pub fn resend(&mut self, secret_hash: [u8; 32], now: Timestamp) -> Result<(), Refused> {
        match self.state(now) {
            State::Invited | State::Expired => self.make_invitation(secret_hash, now),
            State::Ready | State::Revoked => Err(Refused::NotInvited),
            State::Accepted => Err(Refused::Accepted),
        }
    }

    fn make_invitation(&mut self, secret_hash: [u8; 32], now: Timestamp) -> Result<(), Refused> {
        if !self.enabled {
            return Err(Refused::Off);
        }
        self.made_at.retain(|at| now.duration_since(*at) < SENDING_WINDOW);
        if self.made_at.len() >= SENT_MAX {
            return Err(Refused::TooOften);
        }
        self.made_at.push(now);
        let expires_at = now + INVITATION_LIFE;
        self.invitation = Some(Invitation { secret_hash, invited_at: now, expires_at, delivery: Delivery::Queued });
        self.revoked_at = None;
        Ok(())
    }

    /// Takes invitation or access back; gives the token that ends with it. Doing it again changes nothing.
    pub fn revoke(&mut self, now: Timestamp) -> Result<Option<TokenId>, Refused> {
        match self.state(now) {
            State::Ready => Err(Refused::NothingToRevoke),
            State::Revoked => Ok(None),
            State::Invited | State::Accepted | State::Expired => {
                self.revoked_at = Some(now);
                self.invitation = None;
                Ok(self.accepted.take().map(|accepted| accepted.token))
            }
        }
    }

    /// Whether a secret with this hash opens the door now. Compares in constant time, whatever the state.
    #[must_use]
    pub fn opens(&self, secret_hash: &[u8; 32], now: Timestamp) -> bool {
        let known = self.invitation.as_ref().map_or([0; 32], |invitation| invitation.secret_hash);
        bool::from(known.ct_eq(secret_hash)) & self.enabled & (self.state(now) == State::Invited)
    }

    /// Lets the resident in with a new token, once; `false` where the secret does not open the door.
    pub fn accept(&mut self, secret_hash: &[u8; 32], token: TokenId, now: Timestamp) -> bool {
        let opens = self.opens(secret_hash, now);
        if opens {
            self.accepted = Some(Acceptance { at: now, token });
            self.invitation = None;
        }
        opens
    }

    /// Whether the answer that a token was in can be given again: it lets in, and was made within [`REPEAT_WINDOW`], whichever way
    /// the clock went since.
    #[must_use]
    pub fn repeats(&self, token: TokenId, now: Timestamp) -> bool {
        let at = self.accepted.as_ref().map(|accepted| accepted.at);
        self.admits(token) && at.is_some_and(|at| now.duration_since(at).abs() < REPEAT_WINDOW)
    }

    /// Whether the holder of a token has access.
    #[must_use]
    pub fn admits(&self, token: TokenId) -> bool {
        self.enabled && self.accepted.as_ref().is_some_and(|accepted| accepted.token == token)
    }
}

/// The owner's address, checked as those of contacts are. Required.
pub fn owner_email(text: &str) -> Result<String, Invalid> {
    let contact = Contact { email: text.to_owned(), ..Contact::default() };
    let email = contact.checked(None).map_err(|fault| Invalid::new("owner_email", fault.why))?.email;
    if email.is_empty() {
        return Err(Invalid::new("owner_email", "the resident's e-mail address is required"));
    }
    Ok(email)
}

/// Whether two addresses are one person's, as far as anybody can tell: without regard to case.
#[must_use]
pub fn is_same_email(one: &str, other: &str) -> bool {
    text::fold(one) == text::fold(other)
}

/// The permissions, if each device that is allowed more than before is one of the site's that can do that. What stood may
/// stand, or be less: a device may have gone meanwhile, or be able to do less.
fn checked_permissions(
    wanted: BTreeMap<String, DevicePermission>,
    before: &BTreeMap<String, DevicePermission>,
    devices: &SiteDevices,
) -> Result<BTreeMap<String, DevicePermission>, Invalid> {
    for (id, permission) in &wanted {
        let field = |part: &str| format!("device_permissions[{id}].{part}");
        device_id(&field("device_id"), id)?;
        let stood = before.get(id).copied().unwrap_or_default();
        let added = DevicePermission {
            visible: permission.visible && !stood.visible,
            power: permission.power && !stood.power,
            block: permission.block && !stood.block,
        };
        if before.contains_key(id) && added == DevicePermission::default() {
            continue;
        }
        let device = devices.get(id).ok_or_else(|| {
            Invalid::new(field("device_id"), "the site has no such device: list its devices, or report it first")
        })?;
        if added.power && !device.can_power {
            return Err(Invalid::new(field("power"), "the power of this device cannot be switched"));
        }
        if added.block && !device.can_block {
            return Err(Invalid::new(field("block"), "the internet of this device cannot be blocked at this site"));
        }
    }
    Ok(wanted)
}
