//! Who may use a Redis: a user with a password who may do just what the engine does, and encrypted connections.

use std::path::Path;
use std::process::Command;

use super::memory::{KIND, key, put, replica, until};
use super::server::{Proxy, SAFE, Server, Way, config, free_port};
use crate::secret_file;
use crate::store::redis::Redis;
use crate::store::redis::config::Config;
use crate::store::{Range, Store};

const USER: &str = "waymark";
const PASSWORD: &str = "correct-horse-battery-staple";
const OPERATOR: &str = "operator-of-redis";

/// What the user may do. `wait` comes with `redis.wait_replicas`, `cluster|slots` with a cluster.
const COMMANDS: [&str; 26] = [
    "ping",
    "role",
    "info",
    "config|get",
    "script|load",
    "evalsha",
    "multi",
    "exec",
    "hget",
    "hmget",
    "hgetall",
    "hset",
    "hsetnx",
    "hdel",
    "hexists",
    "hkeys",
    "hlen",
    "zscore",
    "zadd",
    "zrem",
    "zrange",
    "xadd",
    "xread",
    "xrange",
    "xtrim",
    "bgrewriteaof",
];

fn ask<T: redis::FromRedisValue>(server: &Server, command: &[&str]) -> T {
    let client = redis::Client::open(format!("redis://:{OPERATOR}@127.0.0.1:{}", server.port)).unwrap();
    redis::cmd(command[0]).arg(&command[1..]).query(&mut client.get_connection().unwrap()).unwrap()
}

/// A server that knows the user, and lets nobody in without a password.
fn guarded(prefix: &str) -> Server {
    let server = Server::start();
    let (password, keys) = (format!(">{PASSWORD}"), format!("~{prefix}:*"));
    let allowed: Vec<String> = COMMANDS.iter().map(|command| format!("+{command}")).collect();
    let mut user = vec!["ACL", "SETUSER", USER, "reset", "on", &password, &keys];
    user.extend(allowed.iter().map(String::as_str));
    server.run::<()>(&user).unwrap();
    server.run::<()>(&["CONFIG", "SET", "requirepass", OPERATOR]).unwrap();
    server
}

fn as_user(config: Config, directory: &Path, password: &str) -> Config {
    let file = directory.join(password.len().to_string());
    secret_file::write(&file, password).unwrap();
    Config { username: Some(USER.to_owned()), password_file: Some(file), ..config }
}

#[tokio::test]
async fn a_user_who_may_do_what_is_listed_can_do_everything() {
    let (server, directory) = (guarded("user"), tempfile::tempdir().unwrap());
    let proxy = Proxy::to(server.port).await;
    let here = as_user(server.config("user"), directory.path(), PASSWORD);
    let (direct, _) = replica(&here).await;
    let (store, memory) = replica(&as_user(config(proxy.port, "user"), directory.path(), PASSWORD)).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    store.commit(vec![crate::store::Mutation::delete(key("acme", "one")), put("acme", "two", 2)]).await.unwrap();
    assert!(store.get(key("acme", "two")).await.unwrap().is_some());
    assert_eq!(store.scan(Range::all(Some("acme".parse().unwrap()), KIND)).await.unwrap().len(), 1);
    store.load(vec![Box::new(|_| {})]).await.unwrap();
    // One that was away looks whether the stream has what it missed.
    proxy.set(Way::Cut);
    until("it does not notice", || store.lag().trouble.is_some()).await;
    let revision = direct.commit(vec![put("acme", "three", 3)]).await.unwrap();
    proxy.set(Way::Open);
    until("it does not go on", || memory.revisions.lock().get("acme") == Some(&revision)).await;
    store.scrub().await.unwrap();
    let refused: Vec<Vec<redis::Value>> = ask(&server, &["ACL", "LOG"]);
    let refused = format!("{refused:?}");
    assert_eq!(refused, "[]", "something else is needed");
    let used: String = ask(&server, &["INFO", "commandstats"]);
    // The first is for connections that were idle.
    for command in &COMMANDS[1..] {
        assert!(used.contains(&format!("cmdstat_{command}:")), "{command} is not needed");
    }
}

/// The script ended behind the entry of the stream, whose number the next commit wanted: nobody wrote there any more.
#[tokio::test]
async fn a_commit_that_may_not_read_what_it_needs_writes_nothing() {
    let (server, directory) = (guarded("unread"), tempfile::tempdir().unwrap());
    let (store, _) = replica(&as_user(server.config("unread"), directory.path(), PASSWORD)).await;
    let () = ask(&server, &["ACL", "SETUSER", USER, "-hkeys"]);
    store.commit(vec![put("acme", "one", 1)]).await.unwrap_err();
    let () = ask(&server, &["ACL", "SETUSER", USER, "+hkeys"]);
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_no_password_is_told() {
    let (server, directory) = (guarded("wrong"), tempfile::tempdir().unwrap());
    let right = as_user(server.config("wrong"), directory.path(), PASSWORD);
    let wrong = as_user(server.config("wrong"), directory.path(), "wrong-horse");
    let told = Redis::open(&wrong).await.unwrap_err();
    let nobody = Redis::open(&server.config("wrong")).await.unwrap_err();
    let foreign = Config { prefix: "foreign".to_owned(), ..right.clone() };
    let foreign = Redis::open(&foreign).await.unwrap_err();
    assert!(nobody.to_string().contains("NOAUTH") && foreign.to_string().contains("permission"), "{nobody} {foreign}");
    let store = Redis::open(&right).await.unwrap();
    for text in [format!("{told} {told:?} {nobody:?} {foreign:?}"), format!("{store:?} {right:?} {wrong:?}")] {
        assert!(!text.contains(PASSWORD) && !text.contains("wrong-horse"), "{text}");
    }
}

fn openssl(directory: &Path, line: &str) {
    let done = Command::new("openssl").args(line.split(' ')).current_dir(directory).output().unwrap();
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}

/// An authority, and a server's certificate that it signed.
fn certificates(directory: &Path) {
    const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(directory, &format!("req -x509 {KEY} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"));
    openssl(directory, &format!("req {KEY} -keyout server.key -out server.csr -subj /CN=localhost"));
    std::fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(
        directory,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    );
}

#[tokio::test]
async fn connections_are_encrypted_and_another_authority_is_refused() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: there is no openssl to make certificates with");
        return;
    }
    let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificates(ours.path());
    certificates(other.path());
    let file = |name: &str| ours.path().join(name).to_str().unwrap().to_owned();
    let (port, certificate, secret, authority) = (free_port(), file("server.pem"), file("server.key"), file("ca.pem"));
    let number = port.to_string();
    let tls = ["--tls-port", &number, "--tls-cert-file", &certificate, "--tls-key-file", &secret];
    let settings = [&SAFE[..], &tls, &["--tls-ca-cert-file", &authority, "--tls-auth-clients", "no"]].concat();
    let server = Server::start_with(&settings);
    let with = |ca: &Path| Config { tls: true, ca_file: Some(ca.join("ca.pem")), ..config(port, "tls") };
    let (store, _) = replica(&with(ours.path())).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    let streams: Vec<String> = server.run(&["KEYS", "tls:*:commits"]).unwrap();
    assert_eq!(streams.len(), 1, "it was not written there");
    let told = Redis::open(&with(other.path())).await.unwrap_err().to_string();
    assert!(told.contains("certificate"), "{told}");
    let plain = Redis::open(&config(port, "tls")).await;
    assert!(plain.is_err(), "it answers without TLS");
}

/// Sentinels and clusters name nodes that the configuration does not.
#[test]
fn no_password_goes_unencrypted_to_a_node_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let (node, sentinel) = (("10.0.0.5".to_owned(), 6379), true);
    let config = as_user(config(6379, "plain"), directory.path(), PASSWORD);
    let settings = config.settings().unwrap();
    let told = settings.client(&node, !sentinel).unwrap_err().to_string();
    assert!(told.contains("would go unencrypted"), "{told}");
    assert!(
        settings.client(&node, sentinel).is_ok() && settings.client(&("127.0.0.1".to_owned(), 1), !sentinel).is_ok()
    );
    let allowed = Config { allow_plaintext: true, ..config }.settings().unwrap();
    assert!(allowed.client(&node, !sentinel).is_ok());
}
