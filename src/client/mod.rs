//! A client of a waymark server for programs in Rust: deadlines, repeats, and watches that go on after cuts.
//!
//! A [`Connection`] is what the generated clients of [`crate::api::proto`] are made over. It sends the token, gives each call a
//! deadline, repeats what may be repeated, and can ask to see what this program wrote itself on any replica. [`SiteWatch`]
//! follows the sites of an account, and tells each change once. What is repeated, when and for how long stands in
//! `clients/policy.json`, which the clients in Python and TypeScript read too; `docs/clients.md` shows it.
//!
//! ```no_run
//! use waymark::api::proto::waymark::v1 as pb;
//! use waymark::api::proto::waymark::v1::site_service_client::SiteServiceClient;
//! use waymark::client::{Config, Error, SiteChange, SiteWatch, Token};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let connection = Config::new("http://127.0.0.1:8642").token(Token::from_env()?).connect()?;
//!
//! let mut sites = SiteServiceClient::new(connection.clone());
//! let request = pb::ListSitesRequest { parent: "accounts/acme".into(), ..pb::ListSitesRequest::default() };
//! match sites.list_sites(request).await {
//!     Ok(page) => println!("{} sites", page.into_inner().sites.len()),
//!     Err(status) => {
//!         let error = Error::from(&status);
//!         println!("{error}: {}", error.what_to_do());
//!     }
//! }
//!
//! let mut watch = SiteWatch::new(&connection, "accounts/acme", "status = OFFLINE", 0);
//! loop {
//!     match watch.next().await?.change {
//!         SiteChange::Changed(site) => println!("{} is offline", site.display_name),
//!         SiteChange::Removed(name) => println!("{name} is not, any more"),
//!         SiteChange::Current | SiteChange::Resync => {}
//!     }
//! }
//! # }
//! ```
//!
//! Knows the API by its protos alone, and nothing of how it is served.

mod backoff;
mod config;
mod connection;
mod deadline;
mod error;
mod keys;
mod ledger;
mod policy;
mod watch;
mod wire;

pub use config::{Config, ConfigError, Token};
pub use connection::Connection;
pub use error::{Advice, Error, Violation};
pub use watch::{SiteChange, SiteEvent, SiteWatch};
