//! The span of each call and request: by its method or the template of its path, which are fixed when waymark is built, and never by
//! what a caller wrote. Calls that ask how the server is have none.
//!
//! It stands around everything that is served, and lies in the request's extensions for whoever learns how the call ends.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, StatusCode};
use tracing::{Instrument as _, Span};

use super::protocol::is_grpc;
use super::rest;
use super::rest::rules::Rules;
use super::traffic::{Method, Methods, Route, Target, Traffic};
use crate::telemetry::spans::{self, Names};
use crate::telemetry::traces;

/// Where a caller says of which trace its call is.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Templates of paths that are not of HTTP/JSON.
const TILE: &str = "/v1/accounts/{account}/tiles/{z}/{x}/{y}";
const TILE_JSON: &str = "/v1/accounts/{account}/tiles.json";
const BASEMAP_FILE: &str = "/basemap/{*path}";
/// Paths that are whole.
const WHOLE: [&str; 6] = [
    "/invitation",
    "/invitation/page.css",
    "/invitation/page.js",
    "/invitation/redeem",
    "/openapi.json",
    "/v1/basemap.json",
];

/// What spans of calls are called by: all methods, and all templates of paths.
#[must_use]
pub fn span_names() -> Names {
    let rules = Rules::all().bindings().iter().map(|binding| binding.route.clone());
    let others = [TILE, TILE_JSON, BASEMAP_FILE].into_iter().chain(WHOLE).map(str::to_owned);
    Names {
        methods: Methods::new().all().iter().map(Method::full_name).collect(),
        routes: rules.chain(others).collect(),
    }
}

/// Has a call's span around whatever answers it.
pub(super) async fn tell(State(traffic): State<Arc<Traffic>>, mut request: Request, next: Next) -> Response {
    let Some(span) = of(&traffic, &request) else { return next.run(request).await };
    if let Some(parent) = traceparent(request.headers()) {
        traces::follow(&span, parent);
    }
    let is_call = is_grpc(request.headers());
    request.extensions_mut().insert(span.clone());
    let response = next.run(request).instrument(span.clone()).await;
    // A call that never came to its method has no code of gRPC: what answered it said so in HTTP.
    if !is_call || response.status() != StatusCode::OK {
        spans::answered_http(&span, response.status().as_u16());
    }
    response
}

/// The span of a request; a disabled one where it has none.
pub(super) fn span_of(request: &Request) -> Span {
    request.extensions().get::<Span>().cloned().unwrap_or_else(Span::none)
}

/// A new span for a request, if it has one.
fn of(traffic: &Traffic, request: &Request) -> Option<Span> {
    let (target, _) = traffic.noted_of(request);
    if is_grpc(request.headers()) {
        let method = traffic.method(traffic.number_of(target));
        return (!method.is_probe()).then(|| spans::rpc(&method.service, &method.name));
    }
    let (verb, path) = (request.method(), request.uri().path());
    let (route, binding) = match target {
        Target::Route(Route::Health | Route::Metrics) => return None,
        Target::Route(Route::Rest) => {
            let binding = rest::binding_of(verb, path);
            (binding.map(|binding| binding.route.as_str()), binding)
        }
        Target::Route(route) => (template(route, path), None),
        // A method's path, and no call of it.
        Target::Method(_) => (None, None),
    };
    let called = binding.map(|binding| (binding.method.parent_service().full_name(), binding.method.name()));
    Some(spans::http(verb.as_str(), route, called))
}

/// The template of a path that is not of HTTP/JSON; `None` for files of the dashboard, and for what is not there.
fn template(route: Route, path: &str) -> Option<&'static str> {
    match route {
        Route::Tiles if path.ends_with("/tiles.json") => Some(TILE_JSON),
        Route::Tiles => Some(TILE),
        _ if path.starts_with("/basemap/") => Some(BASEMAP_FILE),
        _ => WHOLE.into_iter().find(|whole| *whole == path),
    }
}

/// What the caller says of its trace, if it says it once.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let mut said = headers.get_all(TRACEPARENT).iter();
    let first = said.next()?;
    if said.next().is_some() { None } else { first.to_str().ok() }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use http::header;
    use parking_lot::Mutex;
    use tower::ServiceExt as _;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};

    use super::*;
    use crate::api::traffic::config::Config;

    /// Remembers what new spans are called.
    #[derive(Debug, Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl Visit for Heard {
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "otel.name" {
                self.0.lock().push(value.to_owned());
            }
        }

        fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
    }

    impl<S: tracing::Subscriber> Layer<S> for Heard {
        fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
            if attributes.metadata().target() == spans::TARGET {
                attributes.record(&mut self.clone());
            }
        }
    }

    /// What the span of a request is called.
    async fn name_of(verb: &str, path: &str, content_type: &str) -> Option<String> {
        let heard = Heard::default();
        let subscriber = tracing_subscriber::registry().with(heard.clone());
        let _guard = tracing::subscriber::set_default(subscriber);
        let traffic = Arc::new(Traffic::new(&Config::default()));
        let answer = |request: Request| async move {
            assert_eq!(span_of(&request).is_disabled(), is_untold(request.uri().path()));
            StatusCode::NO_CONTENT
        };
        let router = Router::new().fallback(answer).layer(from_fn_with_state(traffic, tell));
        let request = Request::builder().method(verb).uri(path).header(header::CONTENT_TYPE, content_type);
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let mut names = heard.0.lock().clone();
        assert!(names.len() <= 1, "{names:?}");
        names.pop()
    }

    fn is_untold(path: &str) -> bool {
        ["/healthz", "/readyz", "/metrics"].contains(&path) || path.starts_with("/grpc.health")
    }

    #[tokio::test]
    async fn spans_are_called_by_what_is_served_and_never_by_what_is_asked() {
        let names = span_names();
        let site = "/v1/accounts/kanari/sites/kanari";
        for (verb, path, expect) in [
            ("GET", site, Some("GET /v1/{name=accounts/*/sites/*}")),
            ("POST", "/v1/accounts/kanari/sites", Some("POST /v1/{parent=accounts/*}/sites")),
            ("PUT", site, Some("PUT")),
            ("GET", "/v1/kanari", Some("GET")),
            ("KANARI", site, Some("HTTP")),
            ("GET", "/v1/accounts/kanari/tiles/1/2/3.mvt", Some("GET /v1/accounts/{account}/tiles/{z}/{x}/{y}")),
            ("GET", "/v1/accounts/kanari/tiles.json", Some("GET /v1/accounts/{account}/tiles.json")),
            ("GET", "/basemap/kanari.pmtiles", Some("GET /basemap/{*path}")),
            ("HEAD", "/openapi.json", Some("HEAD /openapi.json")),
            ("POST", "/invitation/redeem", Some("POST /invitation/redeem")),
            ("GET", "/kanari", Some("GET")),
            ("GET", "/waymark.v1.SiteService/GetSite", Some("GET")),
            ("GET", "/healthz", None),
            ("GET", "/readyz", None),
            ("GET", "/metrics", None),
        ] {
            let name = name_of(verb, path, "").await;
            assert_eq!(name.as_deref(), expect, "{verb} {path}");
            let route = name.as_deref().and_then(|name| name.split_once(' ')).map(|(_, route)| route.to_owned());
            assert!(route.is_none_or(|route| names.routes.contains(&route)), "{verb} {path}");
        }
        for content_type in ["application/grpc", "application/grpc-web+proto"] {
            let method = "waymark.v1.SiteService/GetSite";
            assert_eq!(name_of("POST", &format!("/{method}"), content_type).await.as_deref(), Some(method));
            assert!(names.methods.contains(method));
            let unknown = name_of("POST", "/waymark.v1.SiteService/Kanari", content_type).await;
            assert_eq!(unknown.as_deref(), Some("other/other"));
            assert!(names.methods.contains("other/other"));
            assert_eq!(name_of("POST", "/grpc.health.v1.Health/Check", content_type).await, None);
        }
    }

    #[test]
    fn a_trace_that_is_named_twice_is_none() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for &value in values {
                headers.append(TRACEPARENT, http::HeaderValue::from_static(value));
            }
            headers
        };
        assert_eq!(traceparent(&headers(&["00-a"])), Some("00-a"));
        assert_eq!(traceparent(&headers(&[])), None);
        assert_eq!(traceparent(&headers(&["00-a", "00-a"])), None);
    }
}
