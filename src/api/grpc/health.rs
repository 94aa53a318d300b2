//! Health: whether the process serves, for gRPC's health service and for `/readyz` alike.
//!
//! Checked, listed and watched as `grpc.health.v1` has it: by the name of a service, or by the empty one for the whole server; all of them
//! serve together. `tonic_health` brings the messages and two of the methods; `List` is newer than it, and is added to its descriptors
//! here.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet, MessageOptions, MethodDescriptorProto};
use tokio::sync::watch;
use tonic::Status;
use tonic::server::{Grpc, UnaryService};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;

use crate::api::proto;

/// The names of all services.
static SERVICES: LazyLock<Vec<String>> = LazyLock::new(proto::service_names);

/// The descriptors of the health service, encoded, with all of its methods.
pub(in crate::api) static DESCRIPTORS: LazyLock<Vec<u8>> = LazyLock::new(described);

/// The path of the method that `tonic_health` lacks.
const LIST_PATH: &str = "/grpc.health.v1.Health/List";

/// How the process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition {
    is_serving: bool,
    /// Whether it keeps up with the others that share its store.
    keeps_up: bool,
    /// Whether it will not serve any more.
    is_ending: bool,
}

impl Condition {
    fn status(self) -> ServingStatus {
        if self.is_serving && self.keeps_up { ServingStatus::Serving } else { ServingStatus::NotServing }
    }
}

/// Whether the process serves.
#[derive(Debug, Clone)]
pub struct Health {
    condition: Arc<watch::Sender<Condition>>,
}

impl Default for Health {
    fn default() -> Self {
        let condition = Condition { is_serving: false, keeps_up: true, is_ending: false };
        Self { condition: Arc::new(watch::Sender::new(condition)) }
    }
}

impl Health {
    /// Says, everywhere, that the process serves.
    pub fn begin(&self) {
        self.condition.send_modify(|condition| condition.is_serving = true);
    }

    /// Says, everywhere, that the process is about to end. Whoever watches it is told so, and nothing more: a watch that goes on would
    /// hold the end up.
    pub fn end(&self) {
        self.condition.send_modify(|condition| {
            condition.is_serving = false;
            condition.is_ending = true;
        });
    }

    /// Says, everywhere, whether the process keeps up with the others that share its store; whether that is news.
    #[must_use]
    pub fn set_keeping_up(&self, keeps_up: bool) -> bool {
        self.condition.send_if_modified(|condition| std::mem::replace(&mut condition.keeps_up, keeps_up) != keeps_up)
    }

    /// Whether the process serves.
    pub(in crate::api) fn is_serving(&self) -> bool {
        self.condition.borrow().status() == ServingStatus::Serving
    }

    /// `Check` and `Watch`.
    pub(super) fn server(&self) -> HealthServer<Self> {
        HealthServer::new(self.clone())
    }

    /// `List`.
    pub(super) fn listing(&self) -> Router {
        Router::new().route(LIST_PATH, post(list)).with_state(self.clone())
    }

    /// The status of a service now and whenever it changes, until the process ends.
    fn told(&self, service: &str) -> BoxStream<'static, Result<HealthCheckResponse, Status>> {
        let is_known = is_known(service);
        stream::unfold((self.condition.subscribe(), None), move |(mut condition, mut told)| async move {
            loop {
                let now = *condition.borrow_and_update();
                let status = if is_known { now.status() } else { ServingStatus::ServiceUnknown };
                if told.replace(status) != Some(status) {
                    return Some((Ok(answer(status)), (condition, told)));
                }
                if now.is_ending || condition.changed().await.is_err() {
                    return None;
                }
            }
        })
        .boxed()
    }
}

#[tonic::async_trait]
impl HealthService for Health {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        if !is_known(&request.get_ref().service) {
            return Err(Status::not_found("this server has no such service"));
        }
        let status = self.condition.borrow().status();
        Ok(tonic::Response::new(answer(status)))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, Status> {
        Ok(tonic::Response::new(self.told(&request.get_ref().service)))
    }
}

/// The question of `List`.
#[derive(Clone, PartialEq, prost::Message)]
struct ListRequest {}

/// Its answer: the status of each service, by its name.
#[derive(Clone, PartialEq, prost::Message)]
struct ListResponse {
    #[prost(btree_map = "string, message", tag = "1")]
    statuses: BTreeMap<String, HealthCheckResponse>,
}

/// `List`, which is answered at once.
struct Listing(Health);

impl UnaryService<ListRequest> for Listing {
    type Response = ListResponse;
    type Future = Ready<Result<tonic::Response<ListResponse>, Status>>;

    fn call(&mut self, _: tonic::Request<ListRequest>) -> Self::Future {
        let answer = answer(self.0.condition.borrow().status());
        let names = std::iter::once(String::new()).chain(SERVICES.iter().cloned());
        ready(Ok(tonic::Response::new(ListResponse { statuses: names.map(|name| (name, answer)).collect() })))
    }
}

async fn list(State(health): State<Health>, request: Request) -> Response {
    let mut grpc = Grpc::new(ProstCodec::<ListResponse, ListRequest>::default());
    grpc.unary(Listing(health), request).await.map(Body::new)
}

/// Whether there is something of this name whose health can be told: the whole server has none.
fn is_known(service: &str) -> bool {
    service.is_empty() || SERVICES.iter().any(|known| known == service)
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// What `tonic_health` describes, and `List` with its messages.
fn described() -> Vec<u8> {
    let named = |name: &str| Some(format!(".grpc.health.v1.{name}"));
    let field = |name: &str, number, label: Label, kind: Type, type_name| FieldDescriptorProto {
        name: Some(name.to_owned()),
        json_name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(kind.into()),
        type_name,
        ..FieldDescriptorProto::default()
    };
    let entry = DescriptorProto {
        name: Some("StatusesEntry".to_owned()),
        field: vec![
            field("key", 1, Label::Optional, Type::String, None),
            field("value", 2, Label::Optional, Type::Message, named("HealthCheckResponse")),
        ],
        options: Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() }),
        ..DescriptorProto::default()
    };
    let statuses = named("HealthListResponse.StatusesEntry");
    let response = DescriptorProto {
        name: Some("HealthListResponse".to_owned()),
        field: vec![field("statuses", 1, Label::Repeated, Type::Message, statuses)],
        nested_type: vec![entry],
        ..DescriptorProto::default()
    };
    let request = DescriptorProto { name: Some("HealthListRequest".to_owned()), ..DescriptorProto::default() };
    let method = MethodDescriptorProto {
        name: Some("List".to_owned()),
        input_type: named("HealthListRequest"),
        output_type: named("HealthListResponse"),
        ..MethodDescriptorProto::default()
    };
    // Malformed descriptors end the start by reflection's own refusal.
    let mut set = FileDescriptorSet::decode(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap_or_default();
    for file in &mut set.file {
        file.message_type.extend([request.clone(), response.clone()]);
        for service in &mut file.service {
            service.method.push(method.clone());
        }
    }
    set.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use prost_reflect::DescriptorPool;

    use super::*;

    /// What a watch tells that is there already: the numbers of its statuses, and whether it is over.
    fn heard(watch: &mut BoxStream<'static, Result<HealthCheckResponse, Status>>) -> (Vec<i32>, bool) {
        let mut statuses = Vec::new();
        while let Some(next) = watch.next().now_or_never() {
            match next {
                Some(answer) => statuses.push(answer.unwrap().status),
                None => return (statuses, true),
            }
        }
        (statuses, false)
    }

    #[test]
    fn a_watch_tells_what_changes_and_ends_with_the_process() {
        let [serving, not_serving, unknown] =
            [ServingStatus::Serving, ServingStatus::NotServing, ServingStatus::ServiceUnknown].map(i32::from);
        let health = Health::default();
        let (mut watch, mut nothing) = (health.told("waymark.v1.SiteService"), health.told("waymark.v1.NoService"));
        assert_eq!(heard(&mut watch), (vec![not_serving], false));
        assert_eq!(heard(&mut nothing), (vec![unknown], false), "it may come, and the watch goes on");
        health.begin();
        assert!(health.is_serving());
        assert_eq!(heard(&mut watch), (vec![serving], false));
        assert!(!health.set_keeping_up(true) && health.set_keeping_up(false));
        assert!(health.set_keeping_up(true));
        assert_eq!(heard(&mut watch), (vec![], false), "it is as it was when it was told last");
        assert!(health.set_keeping_up(false) && !health.is_serving());
        assert_eq!(heard(&mut watch), (vec![not_serving], false));
        health.end();
        assert_eq!(heard(&mut watch), (vec![], true));
        assert_eq!(heard(&mut nothing), (vec![], true));
        assert_eq!(heard(&mut health.told("")), (vec![not_serving], true), "who comes late hears it too");
    }

    #[test]
    fn all_methods_are_described_once() {
        let pool = DescriptorPool::decode(DESCRIPTORS.as_slice()).unwrap();
        let service = pool.get_service_by_name("grpc.health.v1.Health").unwrap();
        let mut methods: Vec<String> = service.methods().map(|method| method.name().to_owned()).collect();
        methods.sort_unstable();
        assert_eq!(methods, ["Check", "List", "Watch"]);
        let listed = service.methods().find(|method| method.name() == "List").unwrap().output();
        assert!(listed.get_field_by_name("statuses").unwrap().is_map());
        // As it is sent: two entries of a name, and a message of one number each.
        let statuses = ["", "a"].map(|name| (name.to_owned(), answer(ServingStatus::Serving)));
        let sent = ListResponse { statuses: BTreeMap::from(statuses) }.encode_to_vec();
        assert_eq!(sent, b"\x0a\x04\x12\x02\x08\x01\x0a\x07\x0a\x01a\x12\x02\x08\x01");
    }
}
