//! The listener: accepts connections within limits, serves HTTP/1 and HTTP/2 on each, and drains.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::stalled::Unstalled;
use super::{Error, descriptors, proxy_header};
use crate::api::Peer;
use crate::api::traffic::Traffic;
use crate::api::traffic::addresses::Addresses;
use crate::config::Listen;

/// Most requests in flight on one HTTP/2 connection; tonic and hyper set no limit of their own.
const STREAMS_MAX: u32 = 128;
/// Longest request header list of HTTP/2, in bytes.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Most bytes that HTTP/1 reads ahead, a request's head among them: four times as many, as HTTP/2 closes beyond. Its own limit
/// is over 400 KB, which all connections together would have for ten seconds each.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Time for a proxy's header.
const PROXY_HEADER_TIME: Duration = Duration::from_secs(5);
/// Time for the TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// Time from the connection to its first request: who says nothing holds no place.
const FIRST_REQUEST_TIME: Duration = Duration::from_secs(10);
/// Time for the headers of an HTTP/1 request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Quiet time after which an HTTP/2 peer is asked whether it still lives.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// Time for its answer.
const KEEPALIVE_TIME: Duration = Duration::from_secs(10);
/// Bytes in flight on one stream, and on one connection.
const WINDOW_BYTES: (u32, u32) = (256 * 1024, 1024 * 1024);
/// Pause after the system refused a connection (file descriptors used up), so that accepting does not spin. Each further one is
/// twice as long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longest such pause: within a second of its end all is well again.
const ACCEPT_PAUSE_MAX: Duration = Duration::from_millis(800);
/// Time for running requests when the program ends.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(10);

/// A bound address and what is served on it.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    local_address: SocketAddr,
    /// Most connections at once; more wait in the system's backlog.
    connections_max: usize,
    addresses: Arc<Addresses>,
    /// Whose connections begin with a PROXY header; `None` where none does.
    proxies: Option<Arc<[IpNet]>>,
    tls: Option<TlsAcceptorDebug>,
    router: Router,
    traffic: Arc<Traffic>,
}

/// What is served on an address.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) router: Router,
    pub(super) traffic: Arc<Traffic>,
}

/// A TLS acceptor that can stand in a struct that is debugged.
#[derive(Clone)]
struct TlsAcceptorDebug(TlsAcceptor);

impl std::fmt::Debug for TlsAcceptorDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

impl Listener {
    /// Binds the address. Where a PROXY header is wanted each connection has to come from one of the `proxies`, and to begin
    /// with one; else no such header is looked for.
    pub(super) async fn bind(
        listen: &Listen,
        proxies: Vec<IpNet>,
        tls: Option<TlsAcceptor>,
        served: Served,
    ) -> Result<Self, Error> {
        let address = listen.address;
        let refuse = |cause| Error::Listen { address, cause };
        let socket = TcpListener::bind(address).await.map_err(refuse)?;
        let local_address = socket.local_addr().map_err(refuse)?;
        let Served { router, traffic } = served;
        let connections_max = descriptors::connections_for(listen.connections_max.get());
        traffic.connections().set_max(connections_max);
        let per_address = usize::try_from(listen.connections_per_address_max.get()).unwrap_or(usize::MAX);
        Ok(Self {
            socket,
            local_address,
            connections_max,
            proxies: listen.proxy_protocol.then(|| proxies.clone().into()),
            addresses: Addresses::new(per_address, proxies),
            tls: tls.map(TlsAcceptorDebug),
            router,
            traffic,
        })
    }

    /// The address with its real port.
    pub(super) fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Serves until `shutdown` resolves; then no connection is accepted, each is told to go away, and running
    /// requests get [`DRAIN_TIME`].
    pub(super) async fn serve_until(self, shutdown: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.connections_max));
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                (stream, peer, place) = self.accept(&places) => self.spawn(stream, peer, place, graceful.watcher()),
            }
        }
        drop(self.socket);
        if timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
            warn!("some requests did not finish in time and were cut");
        }
    }

    /// The next connection, once there is a place for it.
    async fn accept(&self, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let mut pause = ACCEPT_PAUSE;
        loop {
            let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    // Without it small answers wait for acknowledgements; an error only costs speed.
                    let _ = stream.set_nodelay(true);
                    return (stream, peer, place);
                }
                // The client left while it waited: that says nothing of the next one.
                Err(cause) if is_of_one_connection(&cause) => {}
                Err(cause) => {
                    self.traffic.connections().fail();
                    // Once for as long as it lasts.
                    if pause == ACCEPT_PAUSE {
                        warn!(%cause, "connections are not accepted");
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit, watcher: Watcher) {
        let (proxies, tls) = (self.proxies.clone(), self.tls.clone());
        let served = Served { router: self.router.clone(), traffic: Arc::clone(&self.traffic) };
        let addresses = Arc::clone(&self.addresses);
        tokio::spawn(async move {
            let open = Open::new(&served.traffic);
            let mut stream = stream;
            let peer = match proxies {
                None => peer,
                Some(proxies) => match behind_proxy(&mut stream, peer, &proxies).await {
                    Ok(source) => source,
                    Err(why) => return debug!(%peer, "a connection was closed: {why}"),
                },
            };
            let Some(counted) = addresses.count(peer.ip()) else {
                served.traffic.connections().refuse();
                return debug!("a connection was closed: its address has as many as one may");
            };
            match tls {
                None => serve(stream, peer, served, watcher).await,
                Some(TlsAcceptorDebug(tls)) => match timeout(HANDSHAKE_TIME, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, peer, served, watcher).await,
                    Ok(Err(cause)) => debug!(%cause, "a TLS handshake failed"),
                    Err(_) => debug!("a TLS handshake took too long"),
                },
            }
            drop((counted, open, place));
        });
    }
}

/// Whether an error is of the connection that was to be accepted, and not of the system.
fn is_of_one_connection(cause: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(cause.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// A connection that is open, until this is dropped.
struct Open(Arc<Traffic>);

impl Open {
    fn new(traffic: &Arc<Traffic>) -> Self {
        traffic.connections().opened();
        Self(Arc::clone(traffic))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections().closed();
    }
}

/// Who a proxy's connection is for: what its header says, or itself.
async fn behind_proxy(stream: &mut TcpStream, peer: SocketAddr, proxies: &[IpNet]) -> Result<SocketAddr, String> {
    let ip = peer.ip().to_canonical();
    if !proxies.iter().any(|network| network.contains(&ip)) {
        return Err("it is not one of the trusted proxies, which alone may connect here".to_owned());
    }
    match timeout(PROXY_HEADER_TIME, proxy_header::read(stream)).await {
        Ok(Ok(source)) => Ok(source.unwrap_or(peer)),
        Ok(Err(fault)) => Err(fault.to_string()),
        Err(_) => Err("its PROXY header took too long".to_owned()),
    }
}

/// Serves one connection until it ends.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    served: Served,
    watcher: Watcher,
) {
    let Served { router, traffic } = served;
    let asked = Arc::new(Notify::new());
    let asks = Arc::clone(&asked);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        asks.notify_one();
        let arrived = traffic.arrive(request.uri().path());
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(arrived);
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIME)
        .initial_stream_window_size(WINDOW_BYTES.0)
        .initial_connection_window_size(WINDOW_BYTES.1);
    let connection = builder.serve_connection(TokioIo::new(Unstalled::new(stream)), service).into_owned();
    let ended = tokio::select! {
        ended = watcher.watch(connection) => ended,
        // Disabled by the first request. The connection is closed by being dropped.
        Err(_) = timeout(FIRST_REQUEST_TIME, asked.notified()) => return debug!("a connection asked nothing and was closed"),
    };
    if let Err(cause) = ended {
        // Clients come and go; how they went is not the operator's business.
        debug!(%cause, "a connection ended");
    }
}
