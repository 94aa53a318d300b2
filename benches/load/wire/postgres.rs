//! PostgreSQL's protocol, version 3: prepared statements with text parameters, for a server that trusts loopback.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Buffer, Call};

/// Version 3.0.
const PROTOCOL: i32 = 3 << 16;
/// Results in binary, so that a tile is not written out in hexadecimal digits.
const BINARY: i16 = 1;

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Buffer,
    /// Rows of the last answer.
    pub(super) rows: usize,
    /// The first column of its last row, where that is a whole number of eight bytes.
    pub(super) number: Option<i64>,
}

/// Runs a prepared statement with these parameters.
pub(crate) fn execute(statement: &str, parameters: &[&str]) -> Call {
    let mut bytes = BytesMut::new();
    message(&mut bytes, b'B', |body| {
        body.put_u8(0);
        put_text(body, statement);
        body.put_i16(0);
        body.put_i16(i16::try_from(parameters.len()).expect("a few"));
        for parameter in parameters {
            body.put_i32(i32::try_from(parameter.len()).expect("a short one"));
            body.put_slice(parameter.as_bytes());
        }
        body.put_i16(1);
        body.put_i16(BINARY);
    });
    message(&mut bytes, b'E', |body| {
        body.put_u8(0);
        body.put_i32(0);
    });
    message(&mut bytes, b'S', |_| {});
    Call::Raw(bytes.freeze())
}

fn put_text(body: &mut BytesMut, text: &str) {
    body.put_slice(text.as_bytes());
    body.put_u8(0);
}

fn message(bytes: &mut BytesMut, kind: u8, write: impl FnOnce(&mut BytesMut)) {
    let mut body = BytesMut::new();
    write(&mut body);
    bytes.put_u8(kind);
    bytes.put_i32(i32::try_from(body.len() + 4).expect("a short message"));
    bytes.put_slice(&body);
}

impl Connection {
    pub(super) async fn open(address: SocketAddr, statements: &[(String, String)]) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, buffer: Buffer::new(), rows: 0, number: None };
        let mut body = BytesMut::new();
        body.put_i32(PROTOCOL);
        for text in ["user", "postgres", "database", "postgres", ""] {
            put_text(&mut body, text);
        }
        let mut startup = BytesMut::new();
        startup.put_i32(i32::try_from(body.len() + 4)?);
        startup.put_slice(&body);
        connection.call(&startup).await?;
        for (name, sql) in statements {
            connection.call(&prepare(name, sql)).await?;
        }
        Ok(connection)
    }

    /// Writes messages and reads until the server is ready again.
    pub(super) async fn call(&mut self, request: &[u8]) -> Result<usize> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        (self.rows, self.number) = (0, None);
        let (mut at, mut rows_bytes) = (0, 0);
        loop {
            self.buffer.read(&mut self.stream).await?;
            while let Some((kind, body)) = message_at(self.buffer.get(), at) {
                match kind {
                    b'Z' => return Ok(rows_bytes),
                    b'E' => bail!("PostgreSQL answered {}", String::from_utf8_lossy(body).replace('\0', " ")),
                    b'D' => {
                        rows_bytes += body.len();
                        self.rows += 1;
                        self.number = number_of(body);
                    }
                    _ => {}
                }
                at += body.len() + 5;
            }
        }
    }
}

fn prepare(name: &str, sql: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    message(&mut bytes, b'P', |body| {
        put_text(body, name);
        put_text(body, sql);
        body.put_i16(0);
    });
    message(&mut bytes, b'S', |_| {});
    bytes.freeze()
}

/// The first column of a row, where it has eight bytes: behind the number of columns and the column's length.
fn number_of(row: &[u8]) -> Option<i64> {
    let column = row.get(6..14).filter(|_| row[2..6] == 8_i32.to_be_bytes())?;
    Some(i64::from_be_bytes(column.try_into().ok()?))
}

/// Kind and body of the message that begins at `at`, if all of it has come.
fn message_at(bytes: &[u8], at: usize) -> Option<(u8, &[u8])> {
    let head = bytes.get(at..at + 5)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    Some((head[0], bytes.get(at + 5..at + 1 + length)?))
}
