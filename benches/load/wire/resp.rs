//! Redis' protocol, RESP 2: writes a command, finds the end of the reply, and looks whether it is an error.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Buffer, Call};

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Buffer,
}

/// A command of these words.
pub(crate) fn command(words: &[&str]) -> Call {
    Call::Raw(Bytes::from(encode(words)))
}

/// The bytes of a command.
pub(crate) fn encode(words: &[&str]) -> String {
    let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
    format!("*{}\r\n{}", words.len(), words.iter().map(bulk).collect::<String>())
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Buffer::new() })
    }

    /// Members of the last reply, which was a list.
    pub(super) fn rows(&self) -> Option<usize> {
        let line = self.buffer.get().split(|byte| *byte == b'\r').next()?;
        std::str::from_utf8(line.strip_prefix(b"*")?).ok()?.parse().ok()
    }

    pub(super) async fn call(&mut self, request: &[u8]) -> Result<usize> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            self.buffer.read(&mut self.stream).await?;
            let bytes = self.buffer.get();
            if bytes[0] == b'-' && bytes.ends_with(b"\r\n") {
                bail!("Redis answered {}", String::from_utf8_lossy(bytes).trim());
            }
            if end_of(bytes, 0)?.is_some_and(|end| end == bytes.len()) {
                return Ok(bytes.len());
            }
        }
    }
}

/// Where the reply that begins at `at` ends; `None` where it has not all come.
fn end_of(bytes: &[u8], at: usize) -> Result<Option<usize>> {
    let Some(kind) = bytes.get(at) else { return Ok(None) };
    let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else { return Ok(None) };
    let after = at + line + 2;
    let number = || -> Result<i64> { Ok(std::str::from_utf8(&bytes[at + 1..at + line])?.parse()?) };
    match kind {
        b'+' | b'-' | b':' => Ok(Some(after)),
        b'$' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Some(after)) };
            Ok(Some(after + length + 2).filter(|end| *end <= bytes.len()))
        }
        b'*' => {
            let mut end = after;
            for _ in 0..number()?.max(0) {
                match end_of(bytes, end)? {
                    Some(next) => end = next,
                    None => return Ok(None),
                }
            }
            Ok(Some(end))
        }
        _ => bail!("a reply of an unknown kind"),
    }
}
