//! A real redis-server as a process, that loses no write it answered: started on a free port of loopback, ended by its id.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// The longest that a start may take.
const START_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running Redis.
#[derive(Debug)]
pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
}

impl Redis {
    /// Starts one in a directory: each write is in its file, and the file on the disk, before it is answered.
    pub(crate) fn start(directory: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server does not start: scripts/install-tools test installs it")?;
        let (redis, begun) = (Self { child, port }, Instant::now());
        while redis.run(&["PING"]).is_err() {
            ensure!(begun.elapsed() < START_MAX, "redis-server does not answer within {START_MAX:?}");
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(redis)
    }

    /// One command; its answer's lines, without what says their kind.
    pub(crate) fn run(&self, words: &[&str]) -> Result<Vec<String>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let words: Vec<String> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        write!(stream, "*{}\r\n{}", words.len(), words.concat())?;
        let mut answer = BufReader::new(stream);
        let mut lines = Vec::new();
        read(&mut answer, &mut lines)?;
        Ok(lines)
    }

    /// A field of `INFO`.
    pub(crate) fn info(&self, section: &str, field: &str) -> Result<f64> {
        let told = self.run(&["INFO", section])?.concat();
        let found = told.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(found.with_context(|| format!("INFO has no {field}"))?.trim().parse()?)
    }
}

/// Reads one answer of Redis' protocol.
fn read(answer: &mut BufReader<TcpStream>, lines: &mut Vec<String>) -> Result<()> {
    let mut head = String::new();
    answer.read_line(&mut head)?;
    let head = head.trim_end();
    match head.split_at_checked(1).context("an empty answer")? {
        ("-", cause) => bail!("Redis refuses: {cause}"),
        ("$", "-1") => Ok(()),
        ("$", length) => {
            let mut text = vec![0; length.parse::<usize>()? + 2];
            answer.read_exact(&mut text)?;
            text.truncate(text.len() - 2);
            lines.push(String::from_utf8(text)?);
            Ok(())
        }
        ("*", count) => (0..count.parse::<usize>()?).try_for_each(|_| read(answer, lines)),
        (_, text) => {
            lines.push(text.to_owned());
            Ok(())
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
