//! A document of each kind, for tests that move or compare all of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::access::{Account, Contacts, Positions, Rotation, Scope, Token};
use crate::model::assignment::Assignment;
use crate::model::audit::AuditRecord;
use crate::model::certificate::Binding;
use crate::model::connection::{LinkFindings, Sealed, TicketingConnection, Verification, VerificationState};
use crate::model::geo::LatLng;
use crate::model::history::{Actor, Cause, Change};
use crate::model::id::{AccountId, ShareId, SiteId, TokenId};
use crate::model::location::Granularity;
use crate::model::prefix::Prefix;
use crate::model::reestimation::{Findings, Mode, Reach, Reestimation, State};
use crate::model::resident::ResidentAccess;
use crate::model::share::{Act, Share};
use crate::model::site::Site;
use crate::model::site_devices::SiteDevices;
use crate::model::ticketing::System;
use crate::store::Kind;
use crate::store::document::{
    AgentClaim, AnsweredRequest, Document, Lease, LocatedSite, NameClaim, QueuedMail, TokenUse,
};

/// A document of each kind that says `number` somewhere.
pub(super) fn document(kind: Kind, number: u64) -> Document {
    let (site, now) = (SiteId::from_u128(number.into()), Timestamp::from_second(number.cast_signed()).unwrap());
    let text = format!("text {number} \u{e9}\u{0} \"quoted\"");
    let sealed = Sealed { key_id: text.clone(), nonce: "n".into(), text: "t".into() };
    let hash = [u8::try_from(number % 256).unwrap(); 32];
    match kind {
        Kind::Account => Document::Account(an_account(text, now)),
        Kind::Token => Document::Token(a_token(text, now, site, number, hash)),
        Kind::Site => Document::Site(Box::new(Site { id: site, ..Site::new(account(), text, now) })),
        Kind::SiteName => Document::SiteName(NameClaim { site }),
        Kind::Agent => Document::Agent(AgentClaim { site, key_hash: Some(hash) }),
        Kind::Request => Document::Request(AnsweredRequest { request_hash: hash, site, answered_at: now }),
        Kind::Secret => Document::Secret(hash),
        Kind::Prefix => Document::Prefix(a_prefix(text, now)),
        Kind::Located => Document::Located(LocatedSite { site }),
        Kind::Reestimation => Document::Reestimation(Box::new(a_reestimation(text, now, site, number))),
        Kind::Change => Document::Change(Box::new(Change {
            number: 7,
            made_at: now,
            actor: Actor::System,
            cause: Cause::Updated,
            edits: Vec::new(),
            merged: None,
        })),
        Kind::PastText => Document::PastText(text),
        Kind::ResidentAccess => Document::ResidentAccess(Box::new(ResidentAccess::new(site, now))),
        Kind::SiteDevices => {
            Document::SiteDevices(SiteDevices { site, devices: BTreeMap::new(), reported_at: Some(now) })
        }
        Kind::Mail => Document::Mail(QueuedMail { site, secret_hash: hash, sealed, queued_at: now }),
        Kind::Connection => Document::Connection(Box::new(TicketingConnection {
            system: System::Zendesk,
            display_name: text,
            base_url: "https://t.example".into(),
            sealed,
            web_url: Some("https://w.example/".into()),
            created_at: now,
            updated_at: now,
        })),
        Kind::Verification => Document::Verification(Box::new(a_verification(text, now, site, number))),
        Kind::Lease => Document::Lease(Lease { holder: text }),
        Kind::Audit => Document::Audit(Box::new(an_audit_record(text, now, number))),
        Kind::TokenUse => Document::TokenUse(TokenUse { used_at: now }),
        Kind::Share => Document::Share(Box::new(a_share(text, now, hash))),
    }
}

fn an_account(text: String, now: Timestamp) -> Account {
    Account {
        id: account(),
        display_name: text,
        country: None,
        user_emails: vec!["a@acme.example".into()],
        support_contact: String::new(),
        created_at: now,
        updated_at: now,
    }
}

fn a_token(text: String, now: Timestamp, site: SiteId, number: u64, secret_hash: [u8; 32]) -> Token {
    Token {
        id: TokenId::MIN,
        secret_hash,
        display_name: text,
        scope: if number.is_multiple_of(2) { Scope::Agent } else { Scope::Viewer },
        account: Some(account()),
        agent: Some((site, "fw:1".parse().unwrap())),
        created_at: now,
        expires_at: None,
        revoked_at: number.is_multiple_of(3).then_some(now),
        contacts: Contacts::Masked,
        rotation: number.is_multiple_of(5).then_some(Rotation {
            number: 1,
            previous_hash: secret_hash,
            previous_ends_at: now,
        }),
        certificate: number.is_multiple_of(7).then_some(Binding::Key(secret_hash)),
        positions: Positions::Approximate,
        assigned: Some(Assignment::parse("labels.team = north").unwrap()),
    }
}

fn a_share(text: String, now: Timestamp, code_hash: [u8; 32]) -> Share {
    let act = || Act { by: "other".parse().unwrap(), at: now };
    Share {
        id: ShareId::from_random(&code_hash),
        owner: account(),
        display_name: text,
        sites: Assignment::parse("labels.team = north").unwrap(),
        contacts: Contacts::Masked,
        positions: Positions::Approximate,
        code_hash,
        proposed_at: now,
        offered_until: now,
        expires_at: Some(now),
        accepted: Some(act()),
        declined_at: None,
        ended: Some(act()),
    }
}

fn an_audit_record(text: String, now: Timestamp, number: u64) -> AuditRecord {
    AuditRecord {
        at: now,
        last_at: now,
        calls: number,
        actor: Some((None, TokenId::MIN, Scope::Admin)),
        identity: "https://id.example.com|anna".into(),
        method: text,
        resource: String::new(),
        reason: String::new(),
        changed: true,
    }
}

fn a_prefix(text: String, now: Timestamp) -> Prefix {
    Prefix {
        network: "10.0.0.0/8".parse().unwrap(),
        display_name: text,
        position: LatLng::new(64.1, 1.0 / 3.0).unwrap(),
        accuracy_m: Some(0.1 + 0.2),
        granularity: Granularity::City,
        created_at: now,
        updated_at: now,
    }
}

fn a_reestimation(text: String, now: Timestamp, site: SiteId, number: u64) -> Reestimation {
    Reestimation {
        id: text,
        mode: Mode::Preview,
        reach: Reach::All,
        candidate: None,
        state: State::Done,
        failure: String::new(),
        cursor: Some((account(), site)),
        unwritten: None,
        total: number,
        findings: Findings::default(),
        started_at: now,
        ended_at: None,
        started_by: "x".into(),
    }
}

fn a_verification(text: String, now: Timestamp, site: SiteId, number: u64) -> Verification {
    Verification {
        id: text,
        account: account(),
        state: VerificationState::Running,
        cursor: Some(site),
        total: number,
        findings: LinkFindings::default(),
        resumes_at: None,
        waits: 1,
        started_at: now,
        ended_at: None,
        started_by: "x".into(),
    }
}

fn account() -> AccountId {
    "acme".parse().unwrap()
}
