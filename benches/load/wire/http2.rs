//! HTTP/2, and gRPC on it, by hyper's own client: one connection, one call at a time.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context as _, Result, bail};
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

/// A request, made ready.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Option<Bytes>,
}

#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Once>,
    authority: String,
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

    /// Hands over the parts of the answer's body as they come.
    async fn send(&mut self, prepared: &Prepared, take: impl FnMut(&Bytes)) -> Result<()> {
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
        // An answer without a body has its status among the headers.
        let mut grpc_status = answer.headers().get("grpc-status").cloned();
        let mut body = answer.into_body();
        drain(&mut body, &mut grpc_status, take).await?;
        if prepared.body.is_some() && grpc_status.as_ref().is_none_or(|status| status.as_bytes() != b"0") {
            bail!("grpc-status {grpc_status:?} of {}", prepared.uri.path());
        }
        Ok(())
    }
}

async fn drain(body: &mut Incoming, grpc_status: &mut Option<HeaderValue>, mut take: impl FnMut(&Bytes)) -> Result<()> {
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        let frame = frame?;
        if let Some(data) = frame.data_ref() {
            take(data);
        } else if let Some(trailers) = frame.trailers_ref() {
            *grpc_status = trailers.get("grpc-status").cloned();
        }
    }
    Ok(())
}
