//! Who may do how much at once and how often, and what is counted of it: the same for gRPC and plain HTTP.
//!
//! `gate` bounds what is done at once and `queue` says who is next, `limiter` bounds how often; `methods` says what a method
//! costs, `calls` counts. `places` are those of connections, `occupancy` is whether one is needed. Nothing here decides who may
//! do what: a refusal says "not now", and comes before any work.

mod calls;
pub mod config;
mod connections;
mod counted;
mod gate;
mod limiter;
mod limits;
mod methods;
pub mod occupancy;
pub mod places;
mod queue;
mod refusal;
pub mod untaken;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use tokio::time::Instant;
use tracing::warn;

use crate::model::access::Principal;
use crate::model::neighbourhood::neighbourhood;
pub(super) use calls::{Calls, DURATION_CLASSES_S, Durations, REST_OPEN, Route, code_of_end, status_of_end};
use config::Config;
pub use connections::{CertificateFault, Connections, End};
pub(super) use counted::{Asked, Call, code_of};
use gate::Gate;
pub(super) use gate::Place;
pub(super) use limits::Limit;
use limits::Limits;
use methods::Class;
pub(super) use methods::{Lane, Method, Methods, is_open};
pub(super) use refusal::Refusal;
use untaken::Untaken;

/// Most calls of strangers in flight: they get pages, accept invitations, or ask what methods there are, all of which is
/// quick. Theirs are no places of those who have a credential.
const STRANGERS_MAX: usize = 128;
/// Those of one address: a stranger who sends half a message holds a place until the call's end, and eight of them are as many
/// addresses as it takes to hold all.
const STRANGERS_OF_ADDRESS_MAX: usize = 16;
/// Cost of a tile, or of a page, in units of a short look.
const TILE_COST: usize = 2;
const PAGE_COST: usize = 1;
/// The log says at most this often that calls are refused because the server is full.
const TELL_EVERY_S: u64 = 60;

/// The traffic of one server.
#[derive(Debug)]
pub struct Traffic {
    methods: Methods,
    calls: Calls,
    /// By the numbers of the lanes.
    gates: [Arc<Gate>; 4],
    limits: Limits,
    connections: Arc<Connections>,
    untaken: Arc<Untaken>,
    begun: Instant,
    /// Names lines; drawn anew at each start, so that nobody can choose to stand in another one's.
    seed: RandomState,
    /// When the log was told that the server is full, in seconds since the start, plus one; 0 for never.
    told_at_s: AtomicU64,
}

impl Traffic {
    /// As the operator wants it.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let methods = Methods::new();
        let (waiting_max, wait_max) = (size(config.waiting_max), Duration::from_millis(config.wait_ms.into()));
        let gate = |units_max| Gate::new(units_max, waiting_max, wait_max);
        let [writes, outside] = [config.writes_max, config.outside_max].map(|max| size(max.get()));
        let gates = [config.reads_max(), writes, outside].map(gate);
        let [reads, writes, outside] = gates;
        let strangers = Gate::with_share(STRANGERS_MAX, STRANGERS_OF_ADDRESS_MAX, waiting_max, wait_max);
        Self {
            calls: Calls::new(&methods),
            methods,
            gates: [reads, writes, outside, strangers],
            limits: Limits::new(config),
            connections: Arc::default(),
            untaken: Arc::default(),
            begun: Instant::now(),
            seed: RandomState::new(),
            told_at_s: AtomicU64::new(0),
        }
    }

    /// The connections, for whoever accepts them.
    #[must_use]
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// What waits to be taken of answers, for whoever sends them.
    #[must_use]
    pub fn untaken(&self) -> &Arc<Untaken> {
        &self.untaken
    }

    /// Counts a request that has arrived, before anybody looks at it; the answer goes into its extensions.
    #[must_use]
    pub fn arrive(&self, path: &str) -> Arrived {
        Arrived(Arc::new(self.arrival(path)))
    }

    fn arrival(&self, path: &str) -> Arrival {
        let target = self.methods.find(path).map_or_else(|| Target::Route(Route::of(path)), Target::Method);
        let lane = match target {
            Target::Method(number) => {
                Some(self.method(number)).filter(|method| !method.is_health).map(|method| method.lane)
            }
            Target::Route(Route::Tiles) => Some(Lane::Reads),
            Target::Route(route) => (!route.is_always_answered()).then_some(Lane::Strangers),
        };
        let needs_credential = match target {
            Target::Method(number) => !self.method(number).needs_no_credential(),
            Target::Route(Route::Rest) => !REST_OPEN.contains(&path),
            Target::Route(route) => route == Route::Tiles,
        };
        let place = lane.map(|lane| self.gate(lane).arrive());
        Arrival { target, needs_credential, at: Instant::now(), place }
    }

    /// What was noted of a request when it arrived; taken from it, or made now where nothing was.
    pub(super) fn take_arrival(&self, request: &mut Request) -> Arrival {
        let noted = request.extensions_mut().remove::<Arrived>().and_then(|arrived| Arc::into_inner(arrived.0));
        noted.unwrap_or_else(|| self.arrival(request.uri().path()))
    }

    /// Gives back the place of a request that waits for something else than its turn. It arrives again when it goes on.
    pub(super) fn step_back(request: &mut Request) {
        request.extensions_mut().remove::<Arrived>();
    }

    /// What a request asks for, and when it arrived.
    pub(super) fn noted_of(&self, request: &Request<Body>) -> (Target, Instant) {
        let of = |arrival: &Arrival| (arrival.target, arrival.at);
        let noted = request.extensions().get::<Arrived>();
        noted.map_or_else(|| of(&self.arrival(request.uri().path())), |noted| of(&noted.0))
    }

    /// The number of the method that a target of gRPC stands for.
    pub(super) fn number_of(&self, target: Target) -> usize {
        match target {
            Target::Method(number) => number,
            Target::Route(_) => self.methods.other(),
        }
    }

    /// The method of a number.
    pub(super) fn method(&self, number: usize) -> &Method {
        self.methods.get(number)
    }

    /// All methods, in the order of their numbers.
    pub(super) fn methods(&self) -> &[Method] {
        self.methods.all()
    }

    /// What was counted of calls.
    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The places of a lane.
    pub(super) fn gate(&self, lane: Lane) -> &Arc<Gate> {
        &self.gates[lane as usize]
    }

    /// How often a limit refused.
    pub(super) fn refused_by(&self, limit: Limit) -> u64 {
        self.limits.refused_by(limit)
    }

    /// Counts a call of a good token against its limits, and says whose place it waits for. `ip` is asked for where a limit
    /// is of addresses.
    pub(super) fn ticket_of(
        &self,
        principal: &Principal,
        method: Wanted,
        ip: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<Ticket, Refusal> {
        let now = self.begun.elapsed();
        self.limits.take(Limit::Token, principal.token, now)?;
        if let Some(account) = &principal.account {
            self.limits.take(Limit::Account, account, now)?;
            match method.class {
                Class::Any => {}
                Class::Activation => self.limits.take(Limit::Activations, account, now)?,
                Class::Geocoding => self.limits.take(Limit::Geocoding, account, now)?,
                Class::Invitation => self.limits.take(Limit::Invitations, account, now)?,
            }
        }
        if method.class == Class::Geocoding {
            self.limits.take(Limit::GeocodingOfAddress, ip().map(neighbourhood), now)?;
        }
        let gate = Arc::clone(self.gate(method.lane));
        Ok(Ticket { gate, line: self.seed.hash_one((0, &principal.account)), cost: method.cost })
    }

    /// Counts a call without a good credential.
    pub(super) fn count_stranger(&self, ip: Option<IpAddr>) -> Result<(), Refusal> {
        self.limits.take(Limit::StrangersOfAddress, ip.map(neighbourhood), self.begun.elapsed())
    }

    /// Whose place somebody without a good credential waits for.
    pub(super) fn ticket_of_stranger(&self, ip: Option<IpAddr>) -> Ticket {
        let line = self.seed.hash_one((1, ip.map(neighbourhood)));
        Ticket { gate: Arc::clone(self.gate(Lane::Strangers)), line, cost: PAGE_COST }
    }

    /// A place for a call that has arrived.
    pub(super) async fn enter(&self, ticket: Ticket, arrived: Place) -> Result<Place, Refusal> {
        let Ticket { gate, line, cost } = ticket;
        let entered = gate.enter(arrived, line, cost).await;
        entered.map_err(|gate::Full| {
            self.tell_that_it_is_full();
            Refusal::busy()
        })
    }

    /// One line a minute: who is refused is told, and counted, each time.
    fn tell_that_it_is_full(&self) {
        let now = self.begun.elapsed().as_secs() + 1;
        let told = self.told_at_s.load(Relaxed);
        let is_due = told == 0 || now >= told + TELL_EVERY_S;
        if is_due && self.told_at_s.compare_exchange(told, now, Relaxed, Relaxed).is_ok() {
            warn!("more calls than the server takes: some are refused, see waymark_calls_shed_total");
        }
    }
}

/// What a call wants of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    lane: Lane,
    cost: usize,
    class: Class,
}

impl Wanted {
    /// A call of a method.
    pub(super) fn of(method: &Method) -> Self {
        Self { lane: method.lane, cost: method.cost, class: method.class }
    }

    /// A tile.
    pub(super) fn tile() -> Self {
        Self { lane: Lane::Reads, cost: TILE_COST, class: Class::Any }
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// A method of gRPC, by its number.
    Method(usize),
    /// Something over plain HTTP.
    Route(Route),
}

/// What is noted of a request when it arrives. Put into its extensions by the listener.
#[derive(Debug, Clone)]
pub struct Arrived(Arc<Arrival>);

impl Arrived {
    /// Whether nobody without a good credential is served so: what anybody may ask keeps no connection.
    #[must_use]
    pub fn needs_credential(&self) -> bool {
        self.0.needs_credential
    }
}

/// A request that has arrived.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) target: Target,
    needs_credential: bool,
    pub(super) at: Instant,
    /// Its place until it is looked at; none where it is answered whatever else happens.
    pub(super) place: Option<Place>,
}

/// Where a call waits for its place.
#[derive(Debug)]
pub(super) struct Ticket {
    gate: Arc<Gate>,
    line: u64,
    cost: usize,
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
