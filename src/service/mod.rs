//! The use cases: what callers can do, who may do it, and what then holds.
//!
//! Every use case takes the principal that asks. Knows nothing of gRPC, HTTP and protobuf.

pub mod access;
pub mod accounts;
pub mod activation;
pub mod addresses;
mod advancing;
mod assigned;
pub mod attention;
pub mod audit;
pub mod call;
pub mod candidates;
pub mod certificates;
pub mod checks;
pub mod databases;
pub mod erasure;
pub mod error;
pub mod export;
pub mod filter;
mod guests;
pub mod history;
pub mod importing;
mod last_seen;
pub mod leading;
pub mod location;
pub mod map;
mod name_claims;
mod noted;
pub mod paging;
mod pasted;
pub mod patch;
pub mod prefixes;
mod reach;
mod record;
pub mod reestimation;
mod renewal;
pub mod replacement;
pub mod reports;
mod requests;
pub mod resident;
mod restoring;
pub mod retention;
mod room;
pub mod rotation;
mod sealed;
pub mod search;
pub mod sharing;
pub mod shown;
pub mod siblings;
pub mod site_batch;
pub mod site_list;
pub mod sites;
pub mod sizes;
pub mod symbols;
#[cfg(test)]
mod tests;
pub mod ticketing;
mod tickets;
pub mod tile_url;
pub mod time_zone;
mod token_use;
pub mod tokens;
pub mod vault;
mod visit;
mod waiting;
pub mod watch;
pub mod whereabouts;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::geocode::borders::Borders;
use crate::geocode::on_behalf::OnBehalf;
use crate::geocode::{self, Asker, Geocoder};
use crate::geoip::attribution::Attribution;
use crate::geoip::client_ip::{self, ForwardingHeaders};
use crate::geoip::databases::Databases;
use crate::identity::Issuers;
use crate::live::Live;
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::location::NoEstimate;
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::{Key, Kind, Lag, Mutation, Record, Store, Unreadable, faults};
pub use error::Error;
use sealed::Sealer;

/// A replica that has heard nothing for so long may be stale. One that follows hears something twice a second.
const STALE_AFTER: Duration = Duration::from_secs(3);

/// Attempts at a change that somebody else keeps overtaking, before the caller is told to repeat it.
const ATTEMPTS_MAX: usize = 16;

/// How use cases behave, as configured.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Service")]
pub struct Config {
    /// Networks of the proxies whose forwarding headers are believed.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Seconds for which a site has to come from elsewhere alone before its estimate follows; 0 for at once.
    pub move_after_s: u32,
    /// Seconds after which an address whose geocoder did not answer is asked for again, at least 1; the next waits are
    /// twice as long each, up to six hours.
    pub address_retry_s: NonZeroU32,
    /// Days for which an address that a site came from is kept in full after it was seen last; 0 for ever.
    pub raw_ip_days: u32,
    /// Days for which audit records are kept; 0 for ever.
    pub audit_days: u32,
    /// Most sites of an account, at least 1; deleted ones do not count.
    pub sites_max: NonZeroU32,
}

/// Two uplinks of one site take turns within minutes, a site that moved is seen from its old network no more.
const MOVE_AFTER_S: u32 = 3_600;

/// Most failures of a geocoder are over within minutes.
const ADDRESS_RETRY_S: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");

/// As long as a customer may ask why their site moved, and no longer.
const RAW_IP_DAYS: u32 = 30;

/// As long as a yearly review looks back.
const AUDIT_DAYS: u32 = 400;

/// Ten times the sites of an account of the size that figures are held for, in some 2 GB of memory.
const SITES_MAX: NonZeroU32 = NonZeroU32::new(10_000_000).expect("10,000,000 is not 0");

impl Default for Config {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            move_after_s: MOVE_AFTER_S,
            address_retry_s: ADDRESS_RETRY_S,
            raw_ip_days: RAW_IP_DAYS,
            audit_days: AUDIT_DAYS,
            sites_max: SITES_MAX,
        }
    }
}

impl Config {
    fn move_after(&self) -> SignedDuration {
        SignedDuration::from_secs(self.move_after_s.into())
    }
}

/// A record together with the revision that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// The record.
    pub value: T,
    /// The write that made this version.
    pub revision: Revision,
}

/// The parts that use cases work with.
#[derive(Debug)]
pub struct Parts {
    /// Where records live.
    pub store: Arc<dyn Store>,
    /// What is true now.
    pub live: Arc<Live>,
    /// The `GeoIP` databases.
    pub geoip: Arc<Databases>,
    /// The geocoder; `None` where none is configured.
    pub geocoder: Option<Arc<dyn Geocoder>>,
    /// Where countries end; without them the checks that need them are not made.
    pub borders: Option<Arc<Borders>>,
    /// How ticketing systems are connected to; `None` where this process does not.
    pub ticketing: Option<ticketing::Setup>,
    /// How residents are invited; `None` where no mail server is configured.
    pub post: Option<resident::Post>,
    /// Tells the time; the tests' clock or the system's.
    pub clock: fn() -> Timestamp,
    /// How use cases behave.
    pub config: Config,
}

/// All use cases. Cheap to share; its state is in the store and in [`Live`].
#[derive(Debug)]
pub struct Waymark {
    parts: Parts,
    sealer: Sealer,
    /// Counts who tries invitations.
    doorbell: resident::Doorbell,
    /// Whether no further work is to be done.
    mails_ending: tokio::sync::watch::Sender<bool>,
    /// Who watches, and whether they have to go.
    watchers: watch::Watchers,
    /// Tells this replica from others.
    replica: String,
    /// What is kept of connections to ticketing systems while they are used.
    ticketing: ticketing::Pool,
    /// Those who wait for what this replica has not heard of.
    newcomers: reach::Newcomers,
    /// Calls that are told of, until they are written.
    audit: Arc<audit::Waiting>,
    /// When tokens were used, until that is written.
    uses: token_use::Uses,
    /// Identity providers whose tokens are taken beside waymark's own.
    issuers: Arc<Issuers>,
}

impl Waymark {
    /// Puts the parts together; reads the deployment's secret from the store, or makes it.
    pub async fn new(mut parts: Parts) -> Result<Self, Error> {
        let key = Key::operator(Kind::Secret, "sealing");
        let audit = Arc::<audit::Waiting>::default();
        let (store, clock) = (Arc::clone(&parts.store), parts.clock);
        parts.store = Arc::new(noted::Noted { store, audit: Arc::clone(&audit), clock });
        loop {
            if let Some(record) = parts.store.get(key.clone()).await? {
                let Document::Secret(secret) = record.document else { return Err(Error::Mismatched { key }) };
                let replica = access::random_bytes()?
                    .first_chunk()
                    .map(|bytes| u128::from_be_bytes(*bytes))
                    .unwrap_or_default()
                    .to_string();
                return Ok(Self {
                    parts,
                    sealer: Sealer::new(&secret),
                    doorbell: resident::Doorbell::default(),
                    mails_ending: tokio::sync::watch::Sender::new(false),
                    watchers: watch::Watchers::default(),
                    replica,
                    ticketing: ticketing::Pool::default(),
                    newcomers: reach::Newcomers::default(),
                    audit,
                    uses: token_use::Uses::default(),
                    issuers: Arc::default(),
                });
            }
            let secret = access::random_bytes()?;
            match parts.store.commit(vec![Mutation::create(key.clone(), Document::Secret(secret))]).await {
                // Made now, or by another replica that was faster: either way it is there to be read.
                Ok(_) | Err(crate::store::Error::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
    }

    /// The same with identity providers; without, no token is taken but waymark's own.
    #[must_use]
    pub fn with_issuers(self, issuers: Arc<Issuers>) -> Self {
        Self { issuers, ..self }
    }

    /// The public address of a caller: the peer's, or what trusted proxies say in their headers.
    pub fn public_ip(&self, peer: IpAddr, forwarded: &[&str], x_forwarded_for: &[&str]) -> Result<IpAddr, NoEstimate> {
        let headers = ForwardingHeaders { forwarded, x_forwarded_for };
        client_ip::resolve(peer, headers, &self.parts.config.trusted_proxies)
    }

    /// The attributions that the databases and the geocoder's data ask for, as plain text.
    #[must_use]
    pub fn attributions(&self) -> Vec<String> {
        let databases = self.parts.geoip.attributions().into_iter().map(|attribution| attribution.text);
        databases.chain(self.geocoder_attributions()).collect()
    }

    /// The same attributions as HTML, with links where they are known, safe to be set into a page.
    #[must_use]
    pub fn attributions_html(&self) -> Vec<String> {
        let plain = |text| Attribution { text, url: None }.html();
        let databases = self.parts.geoip.attributions().into_iter().map(|attribution| attribution.html());
        databases.chain(self.geocoder_attributions().into_iter().map(plain)).collect()
    }

    /// The geocoder, asked on behalf of an account: accounts take turns at providers that allow few requests.
    fn geocoder_for(&self, account: &AccountId) -> Result<Arc<dyn Geocoder>, geocode::Error> {
        let geocoder = self.parts.geocoder.as_ref().ok_or(geocode::Error::NotConfigured)?;
        Ok(Arc::new(OnBehalf::new(Arc::clone(geocoder), Asker::of(account))))
    }

    fn geocoder_attributions(&self) -> Vec<String> {
        self.parts.geocoder.as_ref().map(|geocoder| geocoder.attributions()).unwrap_or_default()
    }

    /// How far this replica may be behind the others.
    #[must_use]
    pub fn lag(&self) -> Lag {
        self.parts.store.lag()
    }

    /// For how many seconds it is not known what other replicas write; `None` where this one follows them.
    #[must_use]
    pub fn stale_s(&self) -> Option<u64> {
        Some(self.lag().behind).filter(|behind| *behind > STALE_AFTER).map(|behind| behind.as_secs())
    }

    /// What of the store may lose what it acknowledges; `None` where nothing does, as far as it looks at that.
    #[must_use]
    pub fn store_danger(&self) -> Option<String> {
        self.parts.store.danger()
    }

    /// How many reads of the store met a record that is not what was written. Each read counts.
    #[must_use]
    pub fn corrupt_reads(&self) -> u64 {
        faults::corrupt_reads()
    }

    fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }

    /// The site's record; `None` where there is none. Deleted sites are found too.
    async fn find_site(&self, account: &AccountId, site: SiteId) -> Result<Option<Versioned<Site>>, Error> {
        let key = Key::of(account, Kind::Site, site);
        self.parts.store.get(key).await?.map(site_of).transpose()
    }

    /// The same, where a record that cannot be read ends nothing.
    async fn read_site(
        &self,
        account: &AccountId,
        site: SiteId,
    ) -> Result<Result<Option<Versioned<Site>>, Unreadable>, Error> {
        let key = Key::of(account, Kind::Site, site);
        match self.parts.store.get_each(vec![key]).await?.pop() {
            Some(Err(unreadable)) => Ok(Err(unreadable)),
            Some(Ok(Some(record))) => Ok(Ok(Some(site_of(record)?))),
            Some(Ok(None)) | None => Ok(Ok(None)),
        }
    }
}

/// The site that a record holds.
fn site_of(record: Record) -> Result<Versioned<Site>, Error> {
    match record.document {
        Document::Site(site) => Ok(Versioned { value: *site, revision: record.revision }),
        _ => Err(Error::Mismatched { key: record.key }),
    }
}
