//! The server as a process: started on a free port of loopback, watched, and ended by its own id.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Longest wait for a server that was asked to end.
const END_TIME: Duration = Duration::from_secs(30);
/// Between two looks at whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to its line that it is ready.
    pub(crate) ready_s: f64,
}

/// Memory of a process in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) peak: f64,
}

impl Server {
    /// Starts a server on a data directory and waits until it is ready.
    pub(crate) fn start(data: &Path) -> Result<Self> {
        Self::start_with(data, &[])
    }

    /// The same with more to say to it.
    pub(crate) fn start_with(data: &Path, arguments: &[String]) -> Result<Self> {
        let start = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_waymark"))
            .args(["serve", "--data-dir"])
            .arg(data)
            .args(arguments)
            .env("WAYMARK_LISTEN", "127.0.0.1:0")
            .env("WAYMARK_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("the server does not start")?;
        let lines = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
        for line in lines {
            if let Some(url) = line?.strip_prefix("waymark is ready at http://") {
                let address = url.parse().with_context(|| format!("{url} is no address"))?;
                let server = Self { child, address, ready_s: start.elapsed().as_secs_f64() };
                server.check_readiness()?;
                return Ok(server);
            }
        }
        let mut complaint = String::new();
        child.stderr.take().context("its errors are piped")?.read_to_string(&mut complaint)?;
        child.wait()?;
        bail!("the server ended before it was ready: {complaint}")
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The line on standard output is a promise: `/readyz` has to agree at once.
    fn check_readiness(&self) -> Result<()> {
        use std::io::Write as _;
        let mut stream = std::net::TcpStream::connect(self.address)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 200") {
            Ok(())
        } else {
            bail!("it said that it is ready, and /readyz: {answer}")
        }
    }

    /// What the process holds of the machine's memory now, and the most that it ever held.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a field of /proc")?;
            let kib: f64 = line.trim_matches([':', ' ', '\t', 'k', 'B']).parse()?;
            Ok::<f64, anyhow::Error>(kib * 1024.0)
        };
        Ok(Memory { resident: field("VmRSS")?, peak: field("VmHWM")? })
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and a wait for the end.
    pub(crate) fn end(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let asked = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server did not end in order: {status}"),
                None if asked.elapsed() > END_TIME => bail!("the server did not end within {END_TIME:?}"),
                None => std::thread::sleep(LOOK_EVERY),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
