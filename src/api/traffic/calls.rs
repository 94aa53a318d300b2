//! What is counted of calls: how many, how they ended, how long they took. Bounded by methods, routes and codes: nothing that
//! a caller chooses is a label, and nothing is allocated while it is counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use http::StatusCode;
use tonic::Code;

use super::methods::Methods;
use crate::api::protocol::CODES;

/// Upper ends of the classes of durations, in seconds, each closed; above the last one there is one more class. From a look in
/// memory to the longest call but an erasure.
pub(crate) const DURATION_CLASSES_S: [f64; 14] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Statuses of HTTP, from 100 to 599.
const STATUSES: usize = 500;

/// A kind of request over plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/healthz` and `/readyz`.
    Health,
    /// `/metrics`.
    Metrics,
    /// A tile, or the description of tiles.
    Tiles,
    /// The page of an invitation, and its acceptance.
    Invitation,
    /// The dashboard's files, and what is not there.
    Pages,
    /// A path of HTTP/JSON. What is a method's call is counted as that; the rest has this route.
    Rest,
}

/// Where HTTP/JSON begins: the version of the API.
const REST: [&str; 2] = ["/v1/", "/v1:"];
/// What needs no credential of it, as it needs none over gRPC.
pub(in crate::api) const REST_OPEN: [&str; 1] = ["/v1/invitations:redeem"];

impl Route {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] =
        [Self::Health, Self::Metrics, Self::Tiles, Self::Invitation, Self::Pages, Self::Rest];

    /// The route of a path.
    pub(in crate::api) fn of(path: &str) -> Self {
        match path {
            "/healthz" | "/readyz" => Self::Health,
            "/metrics" => Self::Metrics,
            // What the dashboard asks, and no method has.
            "/v1/basemap.json" => Self::Pages,
            _ if is_of_tiles(path) => Self::Tiles,
            _ if REST.iter().any(|beginning| path.starts_with(beginning)) => Self::Rest,
            _ if path == "/invitation" || path.starts_with("/invitation/") => Self::Invitation,
            _ => Self::Pages,
        }
    }

    /// Its name as a label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Tiles => "tiles",
            Self::Invitation => "invitation",
            Self::Pages => "pages",
            Self::Rest => "rest",
        }
    }

    /// Whether it is answered whatever else happens: who watches a server that is full has to see it.
    pub(super) fn is_always_answered(self) -> bool {
        matches!(self, Self::Health | Self::Metrics)
    }
}

/// Whether a path is of a tile, or of their description.
fn is_of_tiles(path: &str) -> bool {
    let behind = path.strip_prefix("/v1/accounts/").and_then(|path| path.split_once('/'));
    behind.is_some_and(|(_, rest)| rest == "tiles.json" || rest.starts_with("tiles/"))
}

/// Durations, counted by class.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    classes: [AtomicU64; DURATION_CLASSES_S.len() + 1],
    sum_ns: AtomicU64,
}

impl Durations {
    fn count(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let class = DURATION_CLASSES_S.partition_point(|end| *end < seconds);
        self.classes[class].fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// For each class how many took no longer than its end, all in the last one; and the sum in seconds.
    pub(crate) fn read(&self) -> ([u64; DURATION_CLASSES_S.len() + 1], f64) {
        let mut sum = 0;
        let cumulated = std::array::from_fn(|class| {
            sum += self.classes[class].load(Relaxed);
            sum
        });
        (cumulated, Duration::from_nanos(self.sum_ns.load(Relaxed)).as_secs_f64())
    }
}

/// The calls of one method, or of one route.
#[derive(Debug)]
pub(crate) struct Counts {
    ends: Box<[AtomicU64]>,
    in_flight: AtomicUsize,
    durations: Durations,
}

impl Counts {
    fn new(ends: usize) -> Self {
        let ends = (0..ends).map(|_| AtomicU64::new(0)).collect();
        Self { ends, in_flight: AtomicUsize::new(0), durations: Durations::default() }
    }

    /// Counts a call that begins.
    pub(in crate::api) fn begin(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// Counts the time until the answer began.
    pub(in crate::api) fn answer_began(&self, after: Duration) {
        self.durations.count(after);
    }

    /// Counts a call that ended.
    pub(in crate::api) fn end(&self, end: usize) {
        self.in_flight.fetch_sub(1, Relaxed);
        self.ends[end.min(self.ends.len() - 1)].fetch_add(1, Relaxed);
    }

    /// How often each end came that came at all.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (usize, u64)> {
        self.ends.iter().enumerate().map(|(end, count)| (end, count.load(Relaxed))).filter(|(_, count)| *count > 0)
    }

    /// Calls that began and did not end.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// The times until answers began.
    pub(crate) fn durations(&self) -> &Durations {
        &self.durations
    }
}

/// The calls of everything.
#[derive(Debug)]
pub(crate) struct Calls {
    /// By the numbers of the methods.
    grpc: Vec<Counts>,
    /// By the numbers of the routes.
    http: [Counts; Route::ALL.len()],
}

impl Calls {
    pub(super) fn new(methods: &Methods) -> Self {
        Self {
            grpc: methods.all().iter().map(|_| Counts::new(CODES.len())).collect(),
            http: Route::ALL.map(|_| Counts::new(STATUSES)),
        }
    }

    /// Those of a method.
    pub(crate) fn of_method(&self, number: usize) -> &Counts {
        &self.grpc[number.min(self.grpc.len() - 1)]
    }

    /// Those of a route.
    pub(crate) fn of_route(&self, route: Route) -> &Counts {
        &self.http[route as usize]
    }
}

/// The end of a gRPC call with this code.
pub(super) fn end_of_code(code: Code) -> usize {
    code as usize
}

/// The name of the code that an end stands for, as in the specification.
pub(crate) fn code_of_end(end: usize) -> &'static str {
    CODES[end.min(CODES.len() - 1)]
}

/// The end of a request over HTTP with this status; 499, as proxies write it, where the client left before.
pub(super) fn end_of_status(status: Option<StatusCode>) -> usize {
    usize::from(status.map_or(499, |status| status.as_u16())).saturating_sub(100)
}

/// The status that an end stands for.
pub(crate) fn status_of_end(end: usize) -> usize {
    end + 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names() {
        assert_eq!(code_of_end(end_of_code(Code::Unauthenticated)), "UNAUTHENTICATED");
        for status in [100, 200, 404, 599] {
            assert_eq!(status_of_end(end_of_status(StatusCode::from_u16(status).ok())), usize::from(status));
        }
        assert_eq!(status_of_end(end_of_status(None)), 499);
    }

    #[test]
    fn durations_are_in_the_class_that_they_end() {
        let durations = Durations::default();
        for ms in [0, 1, 2, 10_000, 10_001] {
            durations.count(Duration::from_millis(ms));
        }
        let (cumulated, sum_s) = durations.read();
        let up_to =
            |end: f64| cumulated[DURATION_CLASSES_S.iter().position(|class| class.total_cmp(&end).is_eq()).unwrap()];
        assert_eq!((up_to(0.000_25), up_to(0.001), up_to(0.002_5), up_to(10.0)), (1, 2, 3, 4));
        assert_eq!(cumulated.last(), Some(&5));
        assert!((sum_s - 20.004).abs() < 1e-9);
    }

    #[test]
    fn paths_have_routes_and_no_other_labels() {
        for (path, route) in [
            ("/healthz", Route::Health),
            ("/metrics", Route::Metrics),
            ("/v1/accounts/acme/tiles/0/0/0.mvt", Route::Tiles),
            ("/v1/accounts/acme/tiles.json", Route::Tiles),
            ("/v1/accounts/acme/tiles:stream", Route::Rest),
            ("/v1/accounts/acme", Route::Rest),
            ("/v1/accounts", Route::Rest),
            ("/v1:whoAmI", Route::Rest),
            ("/v1", Route::Pages),
            ("/v12/accounts", Route::Pages),
            ("/openapi.json", Route::Pages),
            ("/v1/basemap.json", Route::Pages),
            ("/invitation/redeem", Route::Invitation),
            ("/invitations", Route::Pages),
            ("/healthz/", Route::Pages),
            ("/", Route::Pages),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
