//! Health: whether the process serves, for gRPC's health service and for `/readyz` alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::server::HealthReporter;

/// Whether the process serves.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    is_serving: Arc<AtomicBool>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").field("is_serving", &self.is_serving).finish_non_exhaustive()
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { reporter: HealthReporter::new(), is_serving: Arc::default() }
    }
}

impl Health {
    /// Says, everywhere, whether the process serves.
    pub async fn set_serving(&self, is_serving: bool) {
        self.is_serving.store(is_serving, Ordering::Release);
        let status = if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        // The empty name stands for the whole server.
        self.reporter.set_service_status("", status).await;
    }

    /// Whether the process serves.
    pub(in crate::api) fn is_serving(&self) -> bool {
        self.is_serving.load(Ordering::Acquire)
    }

    pub(super) fn server(&self) -> HealthServer<impl HealthService> {
        HealthServer::new(tonic_health::server::HealthService::from_health_reporter(self.reporter.clone()))
    }
}
