//! The library's client against a real server: answers that are lost, waits that are asked for, deadlines, and watches over cuts
//! and crashes.

use std::net::TcpListener;
use std::time::Duration;

use tokio::time::timeout;
use tonic::{Code, Request};
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::admin_service_client::AdminServiceClient;
use waymark::api::proto::waymark::v1::site_service_client::SiteServiceClient;
use waymark::client::{Advice, Config, Connection, Error, SiteChange, SiteWatch, Token};

use super::relay::Relay;
use super::server::{Server, command};

const SIGKILL: i32 = 9;
/// For what a watch has to tell.
const HEARD_MAX: Duration = Duration::from_mins(1);

fn connect(url: &str, token: &Token) -> Connection {
    Config::new(url).token(token.clone()).connect().unwrap()
}

/// A new account of a server, and a token that may do everything in it.
async fn account(server: &Server) -> (String, Token) {
    let operator = Token::new(server.admin_token.as_deref().unwrap()).unwrap();
    let mut admin = AdminServiceClient::new(connect(&server.url, &operator));
    let request = pb::CreateAccountRequest { account_id: "acme".into(), account: Some(pb::Account::default()) };
    let account = admin.create_account(request).await.unwrap().into_inner().name;
    let token = pb::Token { scope: pb::TokenScope::Admin.into(), ..pb::Token::default() };
    let request = pb::CreateTokenRequest { parent: account.clone(), token: Some(token) };
    let made = admin.create_token(request).await.unwrap().into_inner();
    (account, Token::new(&made.secret).unwrap())
}

/// Makes a site; its name.
async fn create(connection: &Connection, account: &str, display_name: &str) -> String {
    let site = Some(pb::Site { display_name: display_name.into(), ..pb::Site::default() });
    let request = pb::CreateSiteRequest { parent: account.into(), site, ..pb::CreateSiteRequest::default() };
    SiteServiceClient::new(connection.clone()).create_site(request).await.unwrap().into_inner().name
}

async fn list(connection: &Connection, account: &str) -> Vec<String> {
    let request = pb::ListSitesRequest { parent: account.into(), page_size: 1_000, ..pb::ListSitesRequest::default() };
    let page = SiteServiceClient::new(connection.clone()).list_sites(request).await.unwrap().into_inner();
    page.sites.into_iter().map(|site| site.name).collect()
}

#[tokio::test]
async fn a_site_whose_answer_was_lost_is_made_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let (account, token) = account(&server).await;
    let relay = Relay::before(server.address(), b"lost on its way");
    let connection = connect(&relay.url, &token);
    let made = create(&connection, &account, "lost on its way").await;
    assert!(relay.has_lost());
    assert_eq!(list(&connection, &account).await, [made]);
    let written = connection.written(&account).unwrap();
    assert!(written.starts_with("accounts/acme="), "{written}");
    assert_eq!(list(&connection.at_least(&written).unwrap(), &account).await.len(), 1);
}

#[tokio::test]
async fn a_token_whose_secret_was_lost_is_not_made_twice() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let (account, token) = account(&server).await;
    let relay = Relay::before(server.address(), b"wmk_");
    let mut admin = AdminServiceClient::new(connect(&relay.url, &token));
    let new = pb::Token { scope: pb::TokenScope::Viewer.into(), ..pb::Token::default() };
    let request = pb::CreateTokenRequest { parent: account.clone(), token: Some(new) };
    let error = Error::from(admin.create_token(request).await.unwrap_err());
    assert!(relay.has_lost() && error.is_lost(), "{error}");
    assert_eq!(error.advice(), Advice::Look);
    let request = pb::ListTokensRequest { parent: account, ..pb::ListTokensRequest::default() };
    let tokens = admin.list_tokens(request).await.unwrap().into_inner().tokens;
    assert_eq!(tokens.len(), 2, "the one that asks, and the one whose secret was lost");
}

#[tokio::test]
async fn the_wait_that_a_server_asks_for_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("waymark.toml");
    std::fs::write(&config, "[traffic]\ncalls_of_token = { per_s = 1, burst = 2 }\n").unwrap();
    let server = Server::spawn(command(directory.path()).arg("--config").arg(&config));
    let (_, token) = account(&server).await;
    let hasty = Config::new(server.url.as_str()).token(token.clone()).attempts_max(1).connect().unwrap();
    let mut refused = None;
    for _ in 0..20 {
        refused = refused.or(AdminServiceClient::new(hasty.clone()).who_am_i(pb::WhoAmIRequest {}).await.err());
    }
    let error = Error::from(refused.unwrap());
    assert_eq!((error.reason(), error.advice()), (pb::ErrorReason::RateLimited, Advice::Later));
    assert!(error.retry_after().is_some_and(|wait| !wait.is_zero()));
    // Who keeps it is let through.
    let mut patient = AdminServiceClient::new(connect(&server.url, &token));
    assert_eq!(patient.who_am_i(pb::WhoAmIRequest {}).await.unwrap().into_inner().account, "accounts/acme");
}

#[tokio::test]
async fn a_deadline_ends_a_call() {
    // Takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut admin = AdminServiceClient::new(connect(&url, &Token::new("wmk_x").unwrap()));
    let mut request = Request::new(pb::WhoAmIRequest {});
    request.set_timeout(Duration::from_millis(200));
    let error = Error::from(admin.who_am_i(request).await.unwrap_err());
    assert_eq!((error.code(), error.advice(), error.is_lost()), (Code::DeadlineExceeded, Advice::Look, false));
}

/// Reads a watch until it told of so many sites; fails where a change never comes.
async fn hear(watch: &mut SiteWatch, told: &mut Vec<String>, count: usize) {
    while told.len() < count {
        let event = timeout(HEARD_MAX, watch.next()).await.unwrap().unwrap();
        match event.change {
            SiteChange::Changed(site) => told.push(site.name),
            SiteChange::Removed(name) => told.push(format!("-{name}")),
            SiteChange::Current => {}
            SiteChange::Resync => panic!("a watch that began with all sites makes up for it by itself"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_tells_each_change_once_over_cuts_and_crashes() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let (account, token) = account(&server).await;
    let address = server.address().to_owned();
    let relay = Relay::before(&address, b"");
    let config = Config::new(server.url.as_str()).token(token.clone()).patience(Duration::from_mins(1));
    let writer = config.connect().unwrap();
    let mut watch = SiteWatch::new(&connect(&relay.url, &token), &account, "", 0);
    let (mut names, mut told) = (Vec::new(), Vec::new());
    for turn in 0..4 {
        for site in 0..5 {
            names.push(create(&writer, &account, &format!("site {turn} {site}")).await);
        }
        if turn % 2 == 0 {
            relay.cut();
        }
        hear(&mut watch, &mut told, names.len()).await;
        // More is written while the server dies: what was acknowledged, and what is repeated, is there once.
        let writing = tokio::spawn({
            let (writer, account) = (writer.clone(), account.clone());
            async move {
                let mut names = Vec::new();
                for site in 0..10 {
                    names.push(create(&writer, &account, &format!("more {turn} {site}")).await);
                }
                names
            }
        });
        if turn == 1 || turn == 3 {
            server.signal(SIGKILL);
            assert!(!server.wait().success());
            server = Server::spawn(command(directory.path()).env("WAYMARK_LISTEN", &address));
        }
        names.extend(writing.await.unwrap());
    }
    hear(&mut watch, &mut told, names.len()).await;
    assert_eq!(told, names);
    assert_eq!(list(&writer, &account).await, names);
    let written = writer.written(&account).unwrap();
    let revision: u64 = written.split_once('=').unwrap().1.parse().unwrap();
    let request = pb::DeleteSiteRequest { name: names[0].clone(), ..pb::DeleteSiteRequest::default() };
    SiteServiceClient::new(writer.clone()).delete_site(request).await.unwrap();
    hear(&mut watch, &mut told, names.len() + 1).await;
    assert_eq!(told.last(), Some(&format!("-{}", names[0])));
    // A later watch hears of that alone.
    let mut later = SiteWatch::new(&writer, &account, "", revision);
    assert_eq!(later.next().await.unwrap().change, SiteChange::Removed(names[0].clone()));
    let wrong = SiteWatch::new(&writer, &account, "status = ", 0).next().await.unwrap_err();
    assert_eq!(wrong.violations()[0].field, "filter");
}
