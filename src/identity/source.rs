//! Where a provider's keys are read: a file, or an address. An answer is a stranger's data of a bounded size.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{StatusCode, Url};

use super::config::Place;
use super::jwk::{KeySet, SET_BYTES_MAX};
use crate::http_client::{self, BodyFault};

/// Longest time of one request: providers answer in a tenth of it.
const TIME_MAX: Duration = Duration::from_secs(5);
/// How requests name us.
const USER_AGENT: &str = concat!("waymark/", env!("CARGO_PKG_VERSION"));

/// Where keys are read.
#[derive(Debug)]
pub(super) enum Source {
    /// A file.
    File(PathBuf),
    /// An address.
    Url {
        /// The address.
        url: Url,
        /// Who asks there.
        http: reqwest::Client,
    },
}

impl Source {
    /// Connects nowhere yet.
    pub(super) fn of(place: &Place) -> Result<Self, String> {
        match place {
            Place::File(path) => Ok(Self::File(path.clone())),
            Place::Url(url) => {
                let http = http_client::builder(USER_AGENT, TIME_MAX).build().map_err(http_client::causes)?;
                Ok(Self::Url { url: url.clone(), http })
            }
        }
    }

    /// Reads the keys.
    pub(super) async fn read(&self) -> Result<KeySet, String> {
        match self {
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
                read.map_err(|_| "the reading of the file panicked".to_owned())?
            }
            Self::Url { url, http } => fetch(http, url).await,
        }
    }
}

/// Reads the keys in a file. Blocking.
pub(super) fn read_file(path: &Path) -> Result<KeySet, String> {
    let told = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let mut json = Vec::new();
    let most = u64::try_from(SET_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let file = File::open(path).map_err(|cause| told(&cause))?;
    file.take(most).read_to_end(&mut json).map_err(|cause| told(&cause))?;
    KeySet::parse(&json).map_err(|fault| told(&fault))
}

async fn fetch(http: &reqwest::Client, url: &Url) -> Result<KeySet, String> {
    let request = http.get(url.clone()).header(ACCEPT, "application/jwk-set+json, application/json");
    let response = request.send().await.map_err(http_client::causes)?;
    if response.status() != StatusCode::OK {
        return Err(format!("it answered with status {}", response.status().as_u16()));
    }
    let body = http_client::read(response, SET_BYTES_MAX).await.map_err(|fault| match fault {
        BodyFault::TooLarge => format!("it answered with more than {SET_BYTES_MAX} bytes"),
        BodyFault::Broken(cause) => http_client::causes(cause),
    })?;
    KeySet::parse(&body).map_err(|fault| fault.to_string())
}
