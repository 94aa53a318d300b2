//! First start, restart, refusal, drain.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use super::server::{Server, command, refusal};

pub(crate) const SIGHUP: i32 = 1;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// Runs a client command of the program against `server` with its token.
pub(crate) fn client(server: &Server, token: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_waymark"))
        .args(arguments)
        .env("WAYMARK_SERVER", &server.url)
        .env("WAYMARK_TOKEN", token)
        .output()
        .unwrap()
}

fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn the_first_start_alone_gives_an_admin_token() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("admin.token");
    let mut first = Server::spawn(command(directory.path()).arg("--admin-token-file").arg(&file));
    let token = first.admin_token.clone().unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim_end(), token);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    first.signal(SIGTERM);
    assert!(first.wait().success(), "a drained server ends with 0");
    let second = Server::start(directory.path());
    assert_eq!(second.admin_token, None);
    assert_eq!(said(client(&second, &token, &["account", "list"])), "");
}

#[test]
fn accounts_and_tokens_outlive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let token = server.admin_token.clone().unwrap();
    said(client(&server, &token, &["account", "create", "acme", "--display-name", "Acme"]));
    let create = ["token", "create", "--account", "acme", "--scope", "admin", "--expires", "1h"];
    let secret = said(client(&server, &token, &create));
    server.signal(SIGKILL);
    assert!(!server.wait().success());
    let server = Server::start(directory.path());
    assert_eq!(said(client(&server, &secret, &["account", "list"])), "accounts/acme\tAcme");
    let listed = said(client(&server, &secret, &["token", "list", "--account", "acme"]));
    let name = listed.split('\t').next().unwrap();
    said(client(&server, &secret, &["token", "revoke", name]));
    let refused = client(&server, &secret, &["account", "list"]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("Unauthenticated"), "revoked, and still good");
}

#[test]
fn a_token_gets_a_new_secret_and_the_audit_log_tells_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let token = server.admin_token.clone().unwrap();
    said(client(&server, &token, &["account", "create", "acme"]));
    let old = said(client(&server, &token, &["token", "create", "--account", "acme", "--scope", "admin"]));
    let listed = said(client(&server, &old, &["token", "list", "--account", "acme"]));
    let (name, _) = listed.split_once('\t').unwrap();
    assert!(listed.contains("\tused "), "{listed}");
    let new = said(client(&server, &old, &["token", "rotate", name, "--overlap", "0m"]));
    let refused = client(&server, &old, &["account", "list"]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("Unauthenticated"), "replaced, and still good");
    let list = ["audit", "list", "--account", "acme", "--method", "AdminService.RotateToken"];
    let told = said(client(&server, &new, &list));
    assert!(told.contains(&format!("\t{name}\twrote\t1")), "{told}");
}

#[test]
fn a_token_that_cannot_be_handed_over_is_made_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("nowhere/admin.token");
    let complaint = refusal(command(directory.path()).arg("--admin-token-file").arg(&nowhere));
    assert!(complaint.contains("nowhere/admin.token"), "{complaint}");
    assert!(Server::start(directory.path()).admin_token.is_some());
}

#[test]
fn an_operator_who_lost_the_token_gets_a_new_one_from_the_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let reset = ["token", "reset", "--data-dir", data.to_str().unwrap()];
    let mut server = Server::start(directory.path());
    let while_running = client(&server, "", &reset);
    assert!(String::from_utf8(while_running.stderr).unwrap().contains("another process holds it"));
    server.signal(SIGTERM);
    assert!(server.wait().success());
    let secret = said(client(&server, "", &reset));
    let server = Server::start(directory.path());
    assert_eq!(said(client(&server, &secret, &["account", "list"])), "");
}

#[test]
fn databases_that_are_not_there_are_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = directory.path().join("garbage.mmdb");
    std::fs::write(&garbage, "no database").unwrap();
    let files = ["--geoip", "nowhere.mmdb", "--geoip", garbage.to_str().unwrap()];
    let log = directory.path().join("log");
    let mut server =
        Server::spawn(with(command(directory.path()), &files).stderr(std::fs::File::create(&log).unwrap()));
    // A hangup asks for a look at the files, and ends nothing.
    server.signal(SIGHUP);
    server.signal(SIGTERM);
    assert!(server.wait().success());
    let log = std::fs::read_to_string(log).unwrap();
    for told in ["nowhere.mmdb cannot be read", "garbage.mmdb is not a MaxMind DB file"] {
        assert!(log.contains(told), "{log}");
    }
}

/// Changing the geocoder needs the file and a hangup; a file that is refused changes nothing and is told.
#[test]
fn geocoders_are_exchanged_at_a_hangup() {
    let directory = tempfile::tempdir().unwrap();
    let (config, log) = (directory.path().join("waymark.toml"), directory.path().join("log"));
    let write = |name: &str, more: &str| {
        let provider = format!("[[geocode.providers]]\nkind = \"photon\"\nname = \"{name}\"\n");
        std::fs::write(&config, format!("{provider}url = \"http://127.0.0.1:1\"\n{more}")).unwrap();
    };
    write("first", "");
    let mut starting = with(command(directory.path()), &["--config", config.to_str().unwrap()]);
    let mut server = Server::spawn(starting.stderr(std::fs::File::create(&log).unwrap()));
    let wait_for = |told: &str| {
        let start = std::time::Instant::now();
        while !std::fs::read_to_string(&log).unwrap().contains(told) {
            assert!(start.elapsed().as_secs() < 30, "{told}: {}", std::fs::read_to_string(&log).unwrap());
            std::thread::yield_now();
        }
    };
    wait_for("first");
    write("second", "");
    server.signal(SIGHUP);
    wait_for("second");
    write("third", "colour = 1\n");
    server.signal(SIGHUP);
    wait_for("unknown field `colour`");
    server.signal(SIGTERM);
    assert!(server.wait().success());
}

#[test]
fn what_cannot_be_served_is_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let running = Server::start(directory.path());
    let other = tempfile::tempdir().unwrap();
    let config = other.path().join("waymark.toml");
    std::fs::write(&config, "[listen]\nport = 1\n").unwrap();
    for (mut attempt, expected) in [
        (command(directory.path()), "another process holds it"),
        (with(command(other.path()), &["--listen", "0.0.0.0:0"]), "reachable by others without TLS"),
        (with(command(other.path()), &["--listen", running.address()]), "cannot listen on"),
        (with(command(other.path()), &["--gazetteer", "nowhere"]), "waymark gazetteer build"),
        (with(command(other.path()), &["--config", config.to_str().unwrap()]), "unknown field `port`"),
    ] {
        let complaint = refusal(&mut attempt);
        assert!(complaint.contains(expected), "{complaint}");
        // Log lines begin with a date; an error of TOML shows the line at fault below.
        let own: Vec<_> = complaint.lines().skip_while(|line| !line.starts_with("waymark: ")).collect();
        let is_one_line = own.len() == 1 || (complaint.contains("TOML") && own.len() < 8);
        assert!(is_one_line, "{complaint}");
    }
}

/// The same command with another value for what was given before.
fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let mut silent = TcpStream::connect(server.address()).unwrap();
    // Far above the server's own limit: this only keeps a broken server from hanging the test.
    silent.set_read_timeout(Some(std::time::Duration::from_mins(2))).unwrap();
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0, "closed by the server");
}

#[test]
fn half_a_request_does_not_hold_the_drain() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let mut silent = TcpStream::connect(server.address()).unwrap();
    // Half a request: the server waits for the rest.
    silent.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    server.signal(SIGTERM);
    assert!(server.wait().success());
    let mut rest = Vec::new();
    // Closed by the server, politely or not.
    let _ = silent.read_to_end(&mut rest);
    assert!(TcpStream::connect(server.address()).is_err(), "it still listens");
}
