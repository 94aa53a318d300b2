//! The program without its network: a store in a directory of its own, one account with something in it, and callers of
//! every role.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use hyper::body::Body as _;
use jiff::Timestamp;
use prost::Message;
use tempfile::TempDir;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use crate::api::basemap::Basemap;
use crate::api::proto::waymark::v1 as pb;
use crate::api::public_url::Reached;
use crate::api::traffic::Traffic;
use crate::api::traffic::config::Config as TrafficConfig;
use crate::api::{self, Health, Offered, Peer};
use crate::app::Error;
use crate::geoip::databases::Databases;
use crate::live::Live;
use crate::service::{self, Parts, Waymark};
use crate::store::Store;
use crate::store::embedded::Embedded;

/// Who calls: the operator, tokens of each scope, an agent, nobody, and who has something else.
pub(super) const ROLES: [&str; 11] = [
    "operator",
    "admin",
    "editor",
    "viewer",
    "service",
    "enrollment",
    "wallboard",
    "field",
    "agent",
    "nobody",
    "stranger",
];
/// Most messages of an answer that are read: a watch goes on for ever.
const FRAMES_MAX: usize = 4;
/// How long a message of a stream is waited for: a watch has nothing to tell until something changes.
const FRAME_TIME: Duration = Duration::from_millis(20);
/// How long an answer may take: the server gives up before.
const ANSWER_TIME: Duration = Duration::from_mins(1);

/// What a request over HTTP was answered.
pub(super) struct Answer {
    pub(super) head: http::response::Parts,
    /// All of an object of JSON; the beginning of all else.
    pub(super) body: Vec<u8>,
}

/// The program, and what there is to name.
pub(super) struct World {
    router: Router,
    tokens: Vec<Option<String>>,
    names: Vec<String>,
    _directory: TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Embedded::open(directory.path()).unwrap());
        let parts = Parts {
            live: Live::follow(&*store).await.unwrap(),
            store,
            geoip: Arc::new(Databases::empty()),
            geocoder: None,
            borders: None,
            ticketing: None,
            post: None,
            clock: Timestamp::now,
            config: service::Config::default(),
        };
        let waymark = Arc::new(Waymark::new(parts).await.unwrap());
        let operator = waymark.create_operator_token::<Error>("fuzz", |_| Ok(())).await.unwrap();
        let traffic = Arc::new(Traffic::new(&TrafficConfig::default()));
        let basemap = Arc::new(Basemap::default());
        let offered = Offered { reflection: true, metrics: true, traces: false };
        let reached = Reached::default();
        let router = api::router(&waymark, &Health::default(), &traffic, &basemap, offered, &reached).unwrap();
        let mut world = Self { router, tokens: vec![Some(operator)], names: Vec::new(), _directory: directory };
        world.fill().await;
        world
    }

    /// One account, a token of each scope, a site, an agent, and a token that nobody uses.
    async fn fill(&mut self) {
        let account = pb::Account { display_name: "Acme".into(), ..Default::default() };
        let _: pb::Account = self
            .made(
                "AdminService/CreateAccount",
                &pb::CreateAccountRequest { account_id: "acme".into(), account: Some(account) },
            )
            .await;
        let parent = || "accounts/acme".to_owned();
        let mut spare = String::new();
        for scope in ["ADMIN", "EDITOR", "VIEWER", "SERVICE", "ENROLLMENT", "WALLBOARD", "FIELD", "VIEWER"] {
            let assigned = if scope == "FIELD" { "labels.team = north".to_owned() } else { String::new() };
            let scope = pb::TokenScope::from_str_name(&format!("TOKEN_SCOPE_{scope}")).unwrap();
            let token = Some(pb::Token { scope: scope.into(), assigned, ..Default::default() });
            let request = pb::CreateTokenRequest { parent: parent(), token };
            let made: pb::CreateTokenResponse = self.made("AdminService/CreateToken", &request).await;
            self.tokens.push(Some(made.secret));
            spare = made.token.unwrap().name;
        }
        // The last one is there to be named, and ended.
        self.tokens.pop();
        let labels = [("team".to_owned(), "north".to_owned())].into();
        let site = Some(pb::Site { display_name: "the site".into(), labels, ..Default::default() });
        let request = pb::CreateSiteRequest { parent: parent(), site, ..Default::default() };
        let site: pb::Site = self.made("SiteService/CreateSite", &request).await;
        let request = pb::ActivateAgentRequest {
            parent: parent(),
            agent_id: "fw-1".into(),
            agent_key: vec![7; 32],
            ..Default::default()
        };
        let agent: pb::ActivateAgentResponse = self.made("ActivationService/ActivateAgent", &request).await;
        self.tokens.extend([Some(agent.credential), None, Some("wmk_0123456789abcdef_nobody".to_owned())]);
        assert_eq!(self.tokens.len(), ROLES.len());
        self.names = vec![
            parent(),
            format!("{}/changes/1", site.name),
            format!("{}/residentAccess", site.name),
            site.name,
            agent.site,
            spare,
            "accounts/acme/prefixes/10.8.0.0-16".into(),
            "accounts/acme/ticketingConnections/zendesk".into(),
            "accounts/acme/ticketingVerifications/000000000001".into(),
            "reestimations/none".into(),
        ];
    }

    /// What there is to name.
    pub(super) fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// The answer to what the operator makes.
    async fn made<A: Message + Default>(&self, method: &str, request: &impl Message) -> A {
        let (status, answer) = self.ask(&format!("/waymark.v1.{method}"), 0, &request.encode_to_vec()).await;
        assert_eq!(status.code(), Code::Ok, "{method}: {status:?}");
        A::decode(&answer[5..]).unwrap()
    }

    /// The code of the answer to a request of these bytes, and what is told with it.
    pub(super) async fn call(&self, path: &str, role: usize, message: &[u8]) -> (Code, String) {
        let (status, _) = self.ask(path, role, message).await;
        (status.code(), status.message().to_owned())
    }

    /// The answer to a request over HTTP, of somebody in this role.
    pub(super) async fn fetch(&self, mut request: Request<Body>, role: usize) -> Answer {
        if let Some(token) = &self.tokens[role] {
            let bearer = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        request.extensions_mut().insert(Peer(SocketAddr::from(([8, 8, 8, 8], 40_000))));
        let answer = async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            // One object, whole; all else may go on for ever.
            let is_json = head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
            let body = if is_json { to_bytes(body, usize::MAX).await.unwrap().to_vec() } else { read(body).await.0 };
            Answer { head, body }
        };
        tokio::time::timeout(ANSWER_TIME, answer).await.expect("the server ends each call in time")
    }

    /// Asserts that it still answers.
    pub(super) async fn is_well(&self) {
        let request = pb::GetAccountRequest { name: "accounts/acme".into() }.encode_to_vec();
        assert_eq!(self.call("/waymark.v1.AdminService/GetAccount", 0, &request).await.0, Code::Ok);
    }

    async fn ask(&self, path: &str, role: usize, message: &[u8]) -> (Status, Vec<u8>) {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        // Anything else is a browser's.
        let mut request = Request::post(path).version(Version::HTTP_2);
        request = request.header("content-type", "application/grpc").header("te", "trailers");
        if let Some(token) = &self.tokens[role] {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut request = request.body(Body::from([&[0][..], &length, message].concat())).unwrap();
        request.extensions_mut().insert(Peer(SocketAddr::from(([8, 8, 8, 8], 40_000))));
        let answer = async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            let (content, trailers) = read(body).await;
            let told = Status::from_header_map(&trailers).or_else(|| Status::from_header_map(&head.headers));
            assert!(told.is_some() || head.status == StatusCode::OK, "{path}: {}", head.status);
            // A stream that goes on has told no status: it is well until then.
            (told.unwrap_or_else(|| Status::ok("")), content)
        };
        tokio::time::timeout(ANSWER_TIME, answer).await.expect("the server ends each call in time")
    }
}

/// The beginning of a body, and its trailers where it ends there.
async fn read(mut body: Body) -> (Vec<u8>, HeaderMap) {
    let mut content = Vec::new();
    for _ in 0..FRAMES_MAX {
        let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let time = if content.is_empty() { ANSWER_TIME } else { FRAME_TIME };
        match tokio::time::timeout(time, next).await {
            Err(_) | Ok(None | Some(Err(_))) => break,
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => content.extend_from_slice(&data),
                Err(other) => return (content, other.into_trailers().unwrap_or_default()),
            },
        }
    }
    (content, HeaderMap::new())
}
