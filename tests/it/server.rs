//! A server process of a test: its own data directory, a free port, ended with the test.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// What the first start printed.
    pub(crate) admin_token: Option<String>,
}

/// The program with the arguments of a test: any free port, `directory` for its data.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waymark"));
    command.args(["serve", "--data-dir"]).arg(directory.join("data")).env("WAYMARK_LISTEN", "127.0.0.1:0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts a server and waits for its line that it is ready.
    pub(crate) fn start(directory: &Path) -> Self {
        Self::spawn(&mut command(directory))
    }

    /// Starts this command and waits for its line that it is ready.
    #[expect(clippy::zombie_processes, reason = "the panic ends the test, and the child with it")]
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut admin_token = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(token) = line.strip_prefix("admin token, shown once: ") {
                admin_token = Some(token.to_owned());
            }
            if let Some(url) = line.strip_prefix("waymark is ready at ") {
                return Self { child, url: url.to_owned(), admin_token };
            }
        }
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        panic!("the server ended before it was ready: {complaint}");
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// Sends a signal by number; see signal(7).
    pub(crate) fn signal(&self, number: i32) {
        let sent = Command::new("kill").args([format!("-{number}"), self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a start that must fail says on standard error.
pub(crate) fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "it started");
    String::from_utf8(output.stderr).unwrap()
}
