//! Health: whether the process serves, for gRPC's health service and for `/readyz` alike.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::server::HealthReporter;

use crate::api::proto;

/// The names of all services.
static SERVICES: LazyLock<Vec<String>> = LazyLock::new(proto::service_names);

/// Whether the process serves.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    is_serving: Arc<AtomicBool>,
    keeps_up: Arc<AtomicBool>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").field("is_serving", &self.is_serving).finish_non_exhaustive()
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { reporter: HealthReporter::new(), is_serving: Arc::default(), keeps_up: Arc::new(AtomicBool::new(true)) }
    }
}

impl Health {
    /// Says, everywhere, whether the process serves.
    pub async fn set_serving(&self, is_serving: bool) {
        self.is_serving.store(is_serving, Ordering::Release);
        self.report().await;
    }

    /// Says, everywhere, whether the process keeps up with the others that share its store; whether that is news.
    pub async fn set_keeping_up(&self, keeps_up: bool) -> bool {
        let is_news = self.keeps_up.swap(keeps_up, Ordering::AcqRel) != keeps_up;
        if is_news {
            self.report().await;
        }
        is_news
    }

    async fn report(&self) {
        let status = if self.is_serving() { ServingStatus::Serving } else { ServingStatus::NotServing };
        // The empty name stands for the whole server; some balancers ask by a service's.
        self.reporter.set_service_status("", status).await;
        for name in &*SERVICES {
            self.reporter.set_service_status(name, status).await;
        }
    }

    /// Whether the process serves.
    pub(in crate::api) fn is_serving(&self) -> bool {
        self.is_serving.load(Ordering::Acquire) && self.keeps_up.load(Ordering::Acquire)
    }

    pub(super) fn server(&self) -> HealthServer<impl HealthService> {
        HealthServer::new(tonic_health::server::HealthService::from_health_reporter(self.reporter.clone()))
    }
}
