//! A real redis-server for a test, and a way to it that can be cut.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::super::Redis;
use super::super::config::{Config, Mode};

/// How long a test waits for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Partitions of a test's deployment: more than one, and few connections.
pub(super) const PARTITIONS: u16 = 3;

/// A redis-server on a free port of loopback that ends with the test.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    directory: tempfile::TempDir,
    arguments: Vec<String>,
}

/// What keeps a Redis from losing anything.
pub(crate) const SAFE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

impl Server {
    /// One that loses nothing.
    pub(crate) fn start() -> Self {
        Self::start_with(&SAFE)
    }

    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let port = free_port();
        let number = port.to_string();
        let own = ["--bind", "127.0.0.1", "--port", &number, "--save", ""];
        let server = Self::spawn(port, tempfile::tempdir().unwrap(), [&own[..], settings].concat());
        server.wait();
        server
    }

    /// One that runs with these arguments; whether it answers is not waited for.
    pub(super) fn spawn(port: u16, directory: tempfile::TempDir, arguments: Vec<&str>) -> Self {
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        Self { process: spawn(directory.path(), &arguments), port, directory, arguments }
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on its own files, mended as docs/replicas.md says.
    pub(super) fn restart(&mut self) {
        mend(self.directory.path());
        self.process = spawn(self.directory.path(), &self.arguments);
        self.wait();
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub(super) fn wait(&self) {
        let begun = Instant::now();
        loop {
            let answer =
                self.client().get_connection().and_then(|mut there| redis::cmd("PING").query::<String>(&mut there));
            if answer.is_ok() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "redis-server does not start");
            std::thread::yield_now();
        }
    }

    pub(super) fn client(&self) -> redis::Client {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap()
    }

    pub(crate) fn run<T: redis::FromRedisValue>(&self, command: &[&str]) -> redis::RedisResult<T> {
        let mut there = self.client().get_connection().unwrap();
        redis::cmd(command[0]).arg(&command[1..]).query(&mut there)
    }

    pub(crate) fn config(&self, prefix: &str) -> Config {
        config(self.port, prefix)
    }

    pub(crate) async fn open(&self, prefix: &str) -> Redis {
        Redis::open(&self.config(prefix)).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(directory: &Path, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(arguments)
        .current_dir(directory)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is there: scripts/install-tools test")
}

/// Takes half of a batch that a kill left away from the end of the append-only file. Redis itself cuts within that half and writes on behind
/// it: at the start after the next one it would run it with the first batch behind it.
fn mend(directory: &Path) {
    let manifest = directory.join("appendonlydir").join("appendonly.aof.manifest");
    if !manifest.exists() {
        return;
    }
    let mut check = Command::new("redis-check-aof")
        .arg("--fix")
        .arg(manifest)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-check-aof is there: scripts/install-tools test");
    // One that finds nothing asks nothing.
    let _ = check.stdin.take().unwrap().write_all(b"y\n");
    let told = check.wait_with_output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}

/// A port that nobody has, and that the system gives to no connection: a server that is started again finds it free.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Programs of tests that run at once begin at different ports.
    let begin = u16::try_from(std::process::id() % 200).unwrap() * 100;
    loop {
        let port = 11_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub(super) fn config(port: u16, prefix: &str) -> Config {
    Config {
        nodes: vec![format!("127.0.0.1:{port}")],
        mode: Mode::Single,
        prefix: prefix.to_owned(),
        partitions: PARTITIONS,
        ..toml::from_str("nodes = []").unwrap()
    }
}

/// What a way does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Lets them through.
    Open,
    /// Ends connections, and takes no new ones.
    Cut,
    /// Lets commands through, and ends the connection instead of the next answer.
    LoseAnswers,
    /// Holds everything back, and ends nothing.
    Clog,
    /// Lets commands through, holds answers back, and ends nothing.
    Deaf,
    /// Lets commands through, and of answers so many bytes a second on each connection.
    Slow(u32),
}

impl Way {
    /// Whether it holds commands back, or answers.
    fn holds(self, is_answer: bool) -> bool {
        self == Self::Clog || is_answer && self == Self::Deaf
    }
}

/// A way to a server that can be cut.
pub(super) struct Proxy {
    pub(super) port: u16,
    way: watch::Sender<Way>,
    /// Connections that were cut.
    pub(super) cuts: Arc<AtomicUsize>,
    /// Pieces of a connection that were held back, or slowed down.
    pub(super) held: Arc<AtomicUsize>,
}

impl Proxy {
    pub(super) async fn to(port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let (way, ways) = watch::channel(Way::Open);
        let (cuts, held) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (counted, holding) = (Arc::clone(&cuts), Arc::clone(&held));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (ways, cuts, held) = (ways.clone(), Arc::clone(&counted), Arc::clone(&holding));
                tokio::spawn(async move {
                    if Box::pin(pass(client, port, ways, &held)).await.is_none() {
                        cuts.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { port: here, way, cuts, held }
    }

    pub(super) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

/// Passes bytes both ways until one side ends; `None` where it was cut.
async fn pass(mut client: TcpStream, port: u16, mut ways: watch::Receiver<Way>, held: &AtomicUsize) -> Option<()> {
    if *ways.borrow() == Way::Cut {
        return None;
    }
    let Ok(mut server) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await else { return Some(()) };
    let (mut asked, mut answered) = ([0; 16_384], [0; 16_384]);
    let now = ways.clone();
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(count) if count > 0 => {
                    hold(now.clone(), held, false).await;
                    server.write_all(&asked[..count]).await.ok()?;
                }
                _ => return Some(()),
            },
            read = server.read(&mut answered) => {
                hold(now.clone(), held, true).await;
                let way = *now.borrow();
                match read {
                    Ok(_) if way == Way::LoseAnswers => return None,
                    Ok(count) if count > 0 => {
                        slow(way, count, held).await;
                        client.write_all(&answered[..count]).await.ok()?;
                    }
                    _ => return Some(()),
                }
            },
            () = async { drop(ways.wait_for(|way| *way == Way::Cut).await) } => return None,
        }
    }
}

/// Waits while the way holds commands back, or answers.
async fn hold(mut ways: watch::Receiver<Way>, held: &AtomicUsize, is_answer: bool) {
    if ways.borrow().holds(is_answer) {
        held.fetch_add(1, Ordering::SeqCst);
        // The way ends with the test.
        let _ = ways.wait_for(|way| !way.holds(is_answer)).await;
    }
}

/// Waits for as long as the way takes for so many bytes of an answer.
async fn slow(way: Way, count: usize, held: &AtomicUsize) {
    if let Way::Slow(bytes_per_s) = way {
        held.fetch_add(1, Ordering::SeqCst);
        let bytes = u32::try_from(count).unwrap();
        tokio::time::sleep(Duration::from_secs(1) * bytes / bytes_per_s).await;
    }
}
