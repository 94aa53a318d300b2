//! HTTP/2, and gRPC on it, by hyper's own client: one connection, and one call at a time, but for clones of it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;

use super::Call;

/// What stands before a message: whether it is compressed, and how long it is.
const PREFIX_BYTES: usize = 5;
/// Where a call says how it ended.
const STATUS: &str = "grpc-status";
const DETAILS: &str = "grpc-status-details-bin";
/// Codes of those for whom there is no room.
const RESOURCE_EXHAUSTED: u16 = 8;
const UNAVAILABLE: u16 = 14;
/// What stands in the details that say when to come again.
const RETRY_INFO: &[u8] = b"google.rpc.RetryInfo";

/// A request, made ready.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Option<Bytes>,
}

/// A connection; clones of it call over the same one, beside one another.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    sender: SendRequest<Once>,
    authority: String,
}

/// How a call of gRPC ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    /// There is no room now; whether it says when to come again.
    Refused {
        advises: bool,
    },
    /// Anything else.
    Failed {
        code: u16,
    },
}

/// A body of one piece, or none.
#[derive(Debug)]
pub(crate) struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// A `GET` of a path.
pub(crate) fn get(address: SocketAddr, path: &str, secret: Option<&str>) -> Result<Call> {
    prepare(address, Method::GET, path, secret, None)
}

/// A unary gRPC call, such as of `MapService/QueryViewport`.
pub(crate) fn grpc(address: SocketAddr, method: &str, secret: &str, message: &impl Message) -> Result<Call> {
    let mut body = BytesMut::with_capacity(message.encoded_len() + PREFIX_BYTES);
    body.put_u8(0);
    body.put_u32(u32::try_from(message.encoded_len())?);
    message.encode(&mut body)?;
    prepare(address, Method::POST, &format!("/waymark.v1.{method}"), Some(secret), Some(body.freeze()))
}

/// The same call with one more header.
pub(crate) fn with_header(call: Call, name: &'static str, value: &str) -> Result<Call> {
    let Call::Http2(mut prepared) = call else { bail!("a call of another protocol") };
    prepared.headers.insert(name, HeaderValue::from_str(value)?);
    Ok(Call::Http2(prepared))
}

fn prepare(address: SocketAddr, method: Method, path: &str, secret: Option<&str>, body: Option<Bytes>) -> Result<Call> {
    let mut headers = HeaderMap::new();
    if let Some(secret) = secret {
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {secret}"))?);
    }
    if body.is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    let uri = format!("http://{address}{path}").parse()?;
    Ok(Call::Http2(Prepared { method, uri, headers, body }))
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // Ends when the sender is dropped; what went wrong shows in the calls.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { sender, authority: address.to_string() })
    }

    pub(super) async fn call(&mut self, prepared: &Prepared) -> Result<usize> {
        let mut length = 0;
        self.send(prepared, |data| length += data.len()).await?;
        Ok(length)
    }

    /// A unary gRPC call, whose answer is decoded.
    pub(super) async fn ask<M: Message + Default>(&mut self, prepared: &Prepared) -> Result<M> {
        let mut answer = Vec::new();
        self.send(prepared, |data| answer.extend_from_slice(data)).await?;
        Ok(M::decode(answer.get(PREFIX_BYTES..).context("an answer without a message")?)?)
    }

    /// A unary gRPC call, and how it ended, whatever that is.
    pub(super) async fn end(&mut self, prepared: &Prepared) -> Result<End> {
        let end = self.exchange(prepared, |_| ()).await?;
        let code = end.get(STATUS).and_then(|status| status.to_str().ok()?.parse::<u16>().ok());
        Ok(match code.context("an answer without a grpc-status")? {
            0 => End::Answered,
            RESOURCE_EXHAUSTED | UNAVAILABLE => End::Refused { advises: advises(&end) },
            code => End::Failed { code },
        })
    }

    async fn send(&mut self, prepared: &Prepared, take: impl FnMut(&Bytes)) -> Result<()> {
        let end = self.exchange(prepared, take).await?;
        let grpc_status = end.get(STATUS);
        if prepared.body.is_some() && grpc_status.is_none_or(|status| status.as_bytes() != b"0") {
            bail!("grpc-status {grpc_status:?} of {}", prepared.uri.path());
        }
        Ok(())
    }

    /// Hands over the parts of the answer's body as they come; what stands at its end.
    async fn exchange(&mut self, prepared: &Prepared, take: impl FnMut(&Bytes)) -> Result<HeaderMap> {
        let mut request = Request::new(Once(prepared.body.clone()));
        *request.method_mut() = prepared.method.clone();
        *request.uri_mut() = prepared.uri.clone();
        *request.headers_mut() = prepared.headers.clone();
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{} answered {status} to {}", self.authority, prepared.uri.path());
        }
        let (head, mut body) = answer.into_parts();
        let trailers = drain(&mut body, take).await?;
        // An answer without a body has its status among the headers.
        Ok(trailers.unwrap_or(head.headers))
    }
}

/// Whether the end of a call says when to come again.
fn advises(end: &HeaderMap) -> bool {
    let details = end.get(DETAILS).map(HeaderValue::as_bytes).unwrap_or_default();
    let length = details.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let details = STANDARD_NO_PAD.decode(&details[..length]).unwrap_or_default();
    details.windows(RETRY_INFO.len()).any(|part| part == RETRY_INFO)
}

/// Reads a body to its end; the trailers, where there are some.
async fn drain(body: &mut Incoming, mut take: impl FnMut(&Bytes)) -> Result<Option<HeaderMap>> {
    let mut trailers = None;
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        match frame?.into_data() {
            Ok(data) => take(&data),
            Err(frame) => trailers = frame.into_trailers().ok().or(trailers),
        }
    }
    Ok(trailers)
}
