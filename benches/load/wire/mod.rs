//! Connections that make one call after another, with as little work as a client can do.
//!
//! Requests are made before the clock starts. Answers are read to their end and checked for success, and not decoded unless they are asked for:
//! generator and server share the cores, and what the generator does not do is left to the server.

pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod postgres;
pub(crate) mod resp;

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use prost::Message;

/// A call, made ready.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "some thousands, most of them large")]
pub(crate) enum Call {
    /// Bytes to be written as they are: HTTP/1.1, RESP and PostgreSQL.
    Raw(Bytes),
    /// A request of HTTP/2; gRPC where it has a body.
    Http2(http2::Prepared),
}

/// A connection of any kind.
#[derive(Debug)]
pub(crate) enum Connection {
    Http1(http1::Connection),
    Http2(http2::Connection),
    Resp(resp::Connection),
    Postgres(postgres::Connection),
}

/// What connections are made to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Http1(SocketAddr),
    Http2(SocketAddr),
    Resp(SocketAddr),
    /// Address, and statements to be prepared on each connection, by name.
    Postgres(SocketAddr, Vec<(String, String)>),
}

impl Target {
    pub(crate) async fn connect(&self) -> Result<Connection> {
        Ok(match self {
            Self::Http1(address) => Connection::Http1(http1::Connection::open(*address).await?),
            Self::Http2(address) => Connection::Http2(http2::Connection::open(*address).await?),
            Self::Resp(address) => Connection::Resp(resp::Connection::open(*address).await?),
            Self::Postgres(address, statements) => {
                Connection::Postgres(postgres::Connection::open(*address, statements).await?)
            }
        })
    }

    /// Rows in the answers to these calls, summed.
    pub(crate) async fn rows(&self, calls: &[Call]) -> Result<usize> {
        let mut connection = self.connect().await?;
        let mut rows = 0;
        for call in calls {
            connection.call(call).await?;
            rows += connection.rows().context("an answer without rows")?;
        }
        Ok(rows)
    }

    /// The numbers that the answers to these calls are, summed.
    pub(crate) async fn sum(&self, calls: &[Call]) -> Result<usize> {
        let mut connection = self.connect().await?;
        let mut sum = 0;
        for call in calls {
            connection.call(call).await?;
            sum += usize::try_from(connection.number().context("an answer that is no number")?)?;
        }
        Ok(sum)
    }
}

impl Connection {
    /// The number that the last answer is, where it is one.
    fn number(&self) -> Option<i64> {
        match self {
            Self::Postgres(connection) => connection.number,
            Self::Resp(_) | Self::Http1(_) | Self::Http2(_) => None,
        }
    }

    /// Makes the call and reads the whole answer; gives the bytes of its body.
    pub(crate) async fn call(&mut self, call: &Call) -> Result<usize> {
        match (self, call) {
            (Self::Http1(connection), Call::Raw(bytes)) => connection.call(bytes).await,
            (Self::Http2(connection), Call::Http2(request)) => connection.call(request).await,
            (Self::Resp(connection), Call::Raw(bytes)) => connection.call(bytes).await,
            (Self::Postgres(connection), Call::Raw(bytes)) => connection.call(bytes).await,
            _ => bail!("a call of another protocol"),
        }
    }

    /// Makes a unary gRPC call, and decodes its answer.
    pub(crate) async fn ask<M: Message + Default>(&mut self, call: &Call) -> Result<M> {
        match (self, call) {
            (Self::Http2(connection), Call::Http2(request)) => connection.ask(request).await,
            _ => bail!("a call of another protocol"),
        }
    }

    /// Makes a unary gRPC call, and reads how it ended, whatever that is.
    pub(crate) async fn end(&mut self, call: &Call) -> Result<http2::End> {
        match (self, call) {
            (Self::Http2(connection), Call::Http2(request)) => connection.end(request).await,
            _ => bail!("a call of another protocol"),
        }
    }

    /// The same connection, for a call beside others.
    pub(crate) fn beside(&self) -> Result<Self> {
        match self {
            Self::Http2(connection) => Ok(Self::Http2(connection.clone())),
            Self::Http1(_) | Self::Resp(_) | Self::Postgres(_) => bail!("one call at a time"),
        }
    }

    /// Rows of the last answer; `None` where answers are not looked into.
    fn rows(&self) -> Option<usize> {
        match self {
            Self::Resp(connection) => connection.rows(),
            Self::Postgres(connection) => Some(connection.rows),
            Self::Http1(_) | Self::Http2(_) => None,
        }
    }
}

/// A buffer that a socket is read into, and that is reused.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; 64 * 1024], filled: 0 }
    }

    fn clear(&mut self) {
        self.filled = 0;
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Reads what there is, at least a byte.
    async fn read(&mut self, stream: &mut tokio::net::TcpStream) -> Result<()> {
        use tokio::io::AsyncReadExt as _;
        if self.filled == self.bytes.len() {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
        let read = stream.read(&mut self.bytes[self.filled..]).await?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        self.filled += read;
        Ok(())
    }
}
