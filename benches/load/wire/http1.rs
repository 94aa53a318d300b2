//! HTTP/1.1 with keep-alive: writes a request, finds the end of the answer, and knows nothing more of HTTP.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Buffer, Call};

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Buffer,
}

/// A `GET` of a path.
pub(crate) fn get(path: &str, secret: Option<&str>) -> Call {
    let authorization = secret.map(|secret| format!("authorization: Bearer {secret}\r\n")).unwrap_or_default();
    Call::Raw(Bytes::from(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}\r\n")))
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Buffer::new() })
    }

    pub(super) async fn call(&mut self, request: &[u8]) -> Result<usize> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut searched = 0;
        let head = loop {
            self.buffer.read(&mut self.stream).await?;
            let from = searched.max(3) - 3;
            match self.buffer.get()[from..].windows(4).position(|window| window == b"\r\n\r\n") {
                Some(at) => break from + at + 4,
                None => searched = self.buffer.filled,
            }
        };
        let body = body_length(&self.buffer.get()[..head])?;
        while self.buffer.filled < head + body {
            self.buffer.read(&mut self.stream).await?;
        }
        Ok(body)
    }
}

fn body_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    if head.starts_with("HTTP/1.1 204") {
        return Ok(0);
    }
    if !head.starts_with("HTTP/1.1 200") {
        bail!("the server answered {}", head.lines().next().unwrap_or_default());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.context("an answer without a length")?.trim().parse().context("a length that is no number")
}
