//! What Redis may answer instead of writing: a stub before a real Redis says it, and nothing is written or taken for written.

use std::io;
use std::sync::Arc;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::load::{Told, agree, tally};
use super::memory::{put, replica};
use super::server::{Server, config};
use crate::store::redis::script;
use crate::store::{Error, Store};

/// A way to a Redis that answers commits itself when it is told to.
struct Stub {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answer: String,
    /// How many commits are answered so.
    left: usize,
    /// How many were.
    fired: usize,
}

impl State {
    fn answer(&mut self, command: &[u8]) -> Option<String> {
        let hash = script::COMMIT.get_hash().as_bytes();
        let is_commit = command.windows(hash.len()).any(|part| part == hash);
        if !is_commit || self.left == 0 {
            return None;
        }
        self.left -= 1;
        self.fired += 1;
        Some(format!("-{}\r\n", self.answer))
    }
}

impl Stub {
    async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, state) = (listener.local_addr().unwrap().port(), Arc::<Mutex<State>>::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection that ends is what either side wanted.
                tokio::spawn(Box::pin(serve(client, server, Arc::clone(&shared))));
            }
        });
        Self { port, state }
    }

    fn say(&self, answer: &str, left: usize) {
        *self.state.lock() = State { answer: answer.to_owned(), left, fired: 0 };
    }

    fn fired(&self) -> usize {
        self.state.lock().fired
    }
}

async fn serve(client: TcpStream, server: u16, state: Arc<Mutex<State>>) -> io::Result<()> {
    let (asks, mut answers) = client.into_split();
    let (told, mut forward) = TcpStream::connect(("127.0.0.1", server)).await?.into_split();
    let (mut asks, mut told) = (BufReader::new(asks), BufReader::new(told));
    loop {
        let command = frame(&mut asks).await?;
        let own = state.lock().answer(&command);
        if let Some(own) = own {
            answers.write_all(own.as_bytes()).await?;
        } else {
            forward.write_all(&command).await?;
            answers.write_all(&frame(&mut told).await?).await?;
        }
    }
}

/// One value of the protocol, as it came.
async fn frame(from: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let (mut frame, mut left) = (Vec::new(), 1_i64);
    while left > 0 {
        let begin = frame.len();
        if from.read_until(b'\n', &mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = std::str::from_utf8(&frame[begin..]).unwrap().trim_end();
        let (mark, count) = line.split_at(1);
        let count = count.parse::<i64>();
        match (mark, count) {
            ("*", Ok(count)) => left += count.max(0),
            ("$", Ok(count)) if count >= 0 => {
                let mut body = vec![0; usize::try_from(count).unwrap() + 2];
                from.read_exact(&mut body).await?;
                frame.extend(body);
            }
            _ => {}
        }
        left -= 1;
    }
    Ok(frame)
}

/// What a caller hears of an answer that comes for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Heard {
    /// It is tried again for a moment, then the store is unavailable.
    Later,
    /// It is unavailable at once.
    Unavailable,
    NoRoom,
}

const ANSWERS: [(&str, Heard); 14] = [
    ("LOADING Redis is loading the dataset in memory", Heard::Later),
    ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Heard::Later),
    ("READONLY You can't write against a read only replica.", Heard::Later),
    ("NOREPLICAS Not enough good replicas to write.", Heard::Later),
    ("BUSY Redis is busy running a script.", Heard::Later),
    ("CLUSTERDOWN The cluster is down", Heard::Later),
    ("TRYAGAIN Multiple keys request during rehashing of slot", Heard::Later),
    ("MOVED 1 127.0.0.1:1", Heard::Later),
    ("ASK 1 127.0.0.1:1", Heard::Later),
    ("NOSCRIPT No matching script.", Heard::Later),
    ("NOAUTH Authentication required.", Heard::Later),
    ("NOPERM this user has no permissions to run the 'evalsha' command", Heard::Unavailable),
    ("OOM command not allowed when used memory > 'maxmemory'.", Heard::NoRoom),
    ("MISCONF Errors writing to the AOF file", Heard::NoRoom),
];

#[tokio::test]
async fn each_refusal_of_redis_is_told_as_what_it_is() {
    let server = Server::start();
    join_all(ANSWERS.iter().enumerate().map(|(number, (answer, heard))| refused(&server, number, answer, *heard)))
        .await;
}

async fn refused(server: &Server, number: usize, answer: &str, heard: Heard) {
    let (stub, prefix) = (Stub::to(server.port).await, format!("replies-{number}"));
    let (store, memory) = replica(&config(stub.port, &prefix)).await;
    let (told, accounts) = (Told::default(), ["acme".to_owned()]);
    assert!(told.write(&store, "acme").await);
    // Once: what another attempt helps is done by another attempt.
    stub.say(answer, 1);
    assert_eq!(told.write(&store, "acme").await, heard == Heard::Later, "{answer}");
    assert_eq!(stub.fired(), 1, "{answer}");
    stub.say(answer, usize::MAX);
    let refused = store.commit(vec![put("acme", "refused", 1)]).await.unwrap_err();
    let is_told = match heard {
        Heard::Later | Heard::Unavailable => matches!(refused, Error::Unavailable { .. }),
        Heard::NoRoom => matches!(refused, Error::NoRoom { .. }),
    };
    assert!(is_told, "{answer}: {refused:?}");
    assert_eq!(stub.fired() > 1, heard == Heard::Later, "{answer}: {} attempts", stub.fired());
    stub.say(answer, 0);
    assert!(store.get(super::memory::key("acme", "refused")).await.unwrap().is_none(), "{answer}");
    assert!(told.write(&store, "acme").await, "{answer}: it does not go on");
    let tally = tally(&store, &accounts, &told).await;
    tally.is_clean();
    assert_eq!(tally.acknowledged, tally.done, "{answer}");
    agree(&store, &accounts, &[&memory]).await;
}
