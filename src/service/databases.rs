//! The `GeoIP` databases: what they say of addresses, for whoever may see an account; what state they are in, for the
//! operator.

use std::net::IpAddr;

use super::access::Permission;
use super::accounts::require_operator;
use super::whereabouts::{Whereabouts, whereabouts_in};
use super::{Error, Waymark};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::evidence::PrefixEvidence;
use crate::model::id::AccountId;
use crate::model::location::Evidence;

pub use crate::geoip::age::Freshness;
pub use crate::geoip::database::DatabaseInfo;
pub use crate::geoip::databases::{DatabaseStatus, Failure};
pub use crate::geoip::error::FailureReason;
pub use crate::geoip::explain::{Explanation, Said, Stated, Step};
pub use crate::geoip::special::Wrapping;

/// Most addresses of one question: some milliseconds in the largest stack of databases.
pub const ADDRESSES_MAX: usize = 1_000;
/// Most addresses of one question whose answers are explained. Each has a step for each of up to 16 databases, some 4 kB in
/// all, and 30 kB where every text is as long as can be; clients of gRPC take 4 MiB if nobody tells them to take more.
pub const EXPLAINED_MAX: usize = 100;

/// What is known of an address, and how that came about where it was asked for.
#[derive(Debug)]
pub struct LookUp {
    /// The answer.
    pub whereabouts: Whereabouts,
    /// The way to it.
    pub explanation: Option<Way>,
}

/// The way to an answer: the account's own network first, then the databases.
#[derive(Debug)]
pub struct Way {
    /// The account's own network that the answer is the word of; `None` where the databases answered.
    pub own: Option<PrefixEvidence>,
    /// What the databases say, and what of it was taken.
    pub explanation: Explanation,
}

impl Way {
    /// The way to `whereabouts`. Where a network of the account's own places the address, no database does.
    fn to(whereabouts: &Whereabouts, mut explanation: Explanation) -> Self {
        let Some((fix, Evidence::Prefix(own))) = whereabouts.fix.as_ref().ok().map(|fix| (fix, &fix.evidence)) else {
            return Self { own: None, explanation };
        };
        explanation.agreement = None;
        for step in &mut explanation.steps {
            step.gave.retain(|part| part.is_of_network());
            if let Said::Record(stated) = &mut step.said {
                stated.distance_m = stated.position.map(|position| position.distance_m(fix.position));
            }
        }
        Self { own: Some(own.clone()), explanation }
    }
}

impl Waymark {
    /// What the account's own networks and the databases say of an address.
    pub fn lookup_ip(
        &self,
        principal: &Principal,
        account: &AccountId,
        ip: IpAddr,
        explain: bool,
    ) -> Result<LookUp, Error> {
        let mut answers = self.lookup_ips(principal, account, &[ip], explain)?;
        Ok(answers.pop().expect("one question has one answer"))
    }

    /// What the account's own networks and the databases say of up to [`ADDRESSES_MAX`] addresses, all asked in the same
    /// versions of the files; of [`EXPLAINED_MAX`] where it is explained.
    pub fn lookup_ips(
        &self,
        principal: &Principal,
        account: &AccountId,
        ips: &[IpAddr],
        explain: bool,
    ) -> Result<Vec<LookUp>, Error> {
        let live = self.account_for(principal, account, Permission::Read)?;
        let (most, explained) = if explain { (EXPLAINED_MAX, " to be explained") } else { (ADDRESSES_MAX, "") };
        if !(1..=most).contains(&ips.len()) {
            let why = format!("between 1 and {most} addresses{explained}, got {}", ips.len());
            return Err(Invalid::new("ips", why).into());
        }
        let (databases, now) = (self.parts.geoip.current(), self.now());
        let look_up = |ip: &IpAddr| {
            let whereabouts = whereabouts_in(&databases, &live, *ip, now);
            let explanation = explain.then(|| Way::to(&whereabouts, databases.explain(*ip, now)));
            LookUp { whereabouts, explanation }
        };
        Ok(ips.iter().map(look_up).collect())
    }

    /// The state of each configured file, in the order in which they are asked. For the operator.
    pub fn list_databases(&self, principal: &Principal) -> Result<Vec<DatabaseStatus>, Error> {
        require_operator(principal)?;
        Ok(self.parts.geoip.statuses())
    }

    /// Takes every file that changed; the states afterwards, and how many files were taken. For the operator.
    pub async fn reload_databases(&self, principal: &Principal) -> Result<(Vec<DatabaseStatus>, usize), Error> {
        require_operator(principal)?;
        let taken = self.parts.geoip.reload().await.iter().filter(|outcome| outcome.is_taken).count();
        Ok((self.parts.geoip.statuses(), taken))
    }
}
