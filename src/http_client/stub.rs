//! A server on loopback for tests: speaks HTTP/1.1 as it is told to, well or badly, and counts what it was asked.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a client sent.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The method.
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    /// The headers, as sent.
    head: String,
    /// The headers, in small letters.
    pub(crate) headers: String,
    /// The body; none where no length was told.
    pub(crate) body: String,
}

impl Received {
    fn url(&self) -> Url {
        Url::parse("http://stub").unwrap().join(&self.target).unwrap()
    }

    /// The value of a header, as sent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The path.
    pub(crate) fn path(&self) -> String {
        self.url().path().to_owned()
    }

    /// The parameters.
    pub(crate) fn parameters(&self) -> HashMap<String, String> {
        self.url().query_pairs().into_owned().collect()
    }
}

/// What the stub does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers JSON with status 200.
    Json(String),
    /// Answers this status line, these headers and this body.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Promises more than it sends, and closes.
    Truncated,
    /// Closes in the middle of nowhere, with a reset.
    Reset,
    /// Never answers, and keeps the connection until the client closes it.
    Silent,
    /// Answers one byte after the other, for ever.
    Dripping,
    /// Sends a body that never ends.
    Endless,
}

/// A running stub; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Stub {
    /// Its base URL.
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    open: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// A connection, counted as long as it is open.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    /// Answers each request as `answer` says.
    pub(crate) async fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let open = Arc::<AtomicUsize>::default();
        let (seen, count, answer) = (Arc::clone(&received), Arc::clone(&open), Arc::new(answer));
        let task = tokio::spawn(async move {
            // Connections end with the stub.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                let open = Open::new(&count);
                connections.spawn(async move {
                    let _open = open;
                    // A client that went away is no fault of the stub.
                    let _ = serve(stream, &seen, &*answer).await;
                });
            }
        });
        Self { url, received, open, task }
    }

    /// Always answers the same.
    pub(crate) async fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    /// What was asked so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().clone()
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// How often it was asked.
    pub(crate) fn count(&self) -> usize {
        self.received.lock().len()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Received>>,
    answer: &(dyn Fn(&Received) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (line, headers) = head.split_once("\r\n").unwrap_or_default();
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (head, headers) = (headers.to_owned(), headers.to_ascii_lowercase());
    let mut received = Received { method, target, head, headers, body: String::new() };
    let mut body = vec![0; received.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    received.body = String::from_utf8_lossy(&body).into_owned();
    let reply = answer(&received);
    seen.lock().push(received);
    match reply {
        Reply::Json(body) => {
            let kind = vec![("content-type", "application/json; charset=utf-8".to_owned())];
            stream.write_all(&whole(200, &kind, body.as_bytes())).await?;
        }
        Reply::Whole(status, headers, body) => stream.write_all(&whole(status, &headers, &body)).await?,
        Reply::Truncated => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n[{")
                .await?;
        }
        Reply::Reset => stream.set_zero_linger()?,
        Reply::Silent => while stream.read(&mut [0; 64]).await? > 0 {},
        Reply::Dripping => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n[")
                .await?;
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                stream.write_all(b" ").await?;
            }
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[").await?;
            loop {
                stream.write_all(&[b' '; 4_096]).await?;
            }
        }
    }
    stream.flush().await
}

fn whole(status: u16, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}
