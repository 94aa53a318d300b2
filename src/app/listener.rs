//! The listener: accepts connections within limits, serves HTTP/1 and HTTP/2 on each, and drains.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::answers::{Answer, Streams};
use super::handshake::Handshakes;
use super::life::{Life, silence};
use super::stalled::Unstalled;
use super::{Error, descriptors, proxy_header};
use crate::api::traffic::occupancy::Occupancy;
use crate::api::traffic::places::Places;
use crate::api::traffic::untaken::Untaken;
use crate::api::traffic::{Connections, End, Traffic};
use crate::api::{Peer, PeerCertificate};
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
/// Time for the headers of an HTTP/1 request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Quiet time after which an HTTP/2 peer is asked whether it still lives.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// Time for its answer.
const KEEPALIVE_TIME: Duration = Duration::from_secs(10);
/// Most streams of HTTP/2 that a peer takes back before they are looked at; one more ends the connection (rapid reset,
/// CVE-2023-44487).
const RESETS_PENDING_MAX: usize = 20;
/// Most streams that a peer makes us reset in the life of its connection, by what the protocol forbids or by more than
/// [`STREAMS_MAX`] at once; one more ends the connection (RUSTSEC-2024-0003). A client that keeps to the protocol makes none,
/// or those of its first round trip.
const RESETS_MADE_MAX: usize = 128;
/// Bytes in flight on one stream, and on one connection.
const WINDOW_BYTES: (u32, u32) = (256 * 1024, 1024 * 1024);
/// Pause after the system refused a connection (file descriptors used up), so that accepting does not spin. Each further one is
/// twice as long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longest such pause: within a second of its end all is well again.
const ACCEPT_PAUSE_MAX: Duration = Duration::from_millis(800);
/// Most connections that were accepted and have no place yet; more wait in the system's backlog.
const ARRIVALS_MAX: usize = 32;
/// Time for running requests when the program ends.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(10);

/// A bound address and what is served on it.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    local_address: SocketAddr,
    reception: Arc<Reception>,
}

/// How connections are received, and what is served on them.
#[derive(Debug)]
struct Reception {
    /// Whose connections begin with a PROXY header; `None` where none does.
    proxies: Option<Vec<IpNet>>,
    places: Arc<Places>,
    /// Nothing where connections are plain.
    handshakes: Option<Handshakes>,
    life: Life,
    served: Served,
}

/// What is served on an address.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) router: Router,
    pub(super) traffic: Arc<Traffic>,
    /// Where the connections to the address are counted.
    pub(super) connections: Arc<Connections>,
}

/// The other end of a connection.
#[derive(Debug)]
struct Client {
    peer: SocketAddr,
    certificate: Option<PeerCertificate>,
}

impl Listener {
    /// Binds the address. Where a PROXY header is wanted each connection has to come from one of the `proxies`, and to begin
    /// with one; else no such header is looked for.
    pub(super) async fn bind(
        listen: &Listen,
        proxies: Vec<IpNet>,
        handshakes: Option<Handshakes>,
        served: Served,
    ) -> Result<Self, Error> {
        let address = listen.address;
        let refuse = |cause| Error::Listen { address, cause };
        let socket = TcpListener::bind(address).await.map_err(refuse)?;
        let local_address = socket.local_addr().map_err(refuse)?;
        let connections_max = descriptors::connections_for(listen.connections_max.get());
        served.connections.set_max(connections_max);
        let per_address = usize::try_from(listen.connections_per_address_max.get()).unwrap_or(usize::MAX);
        let reception = Reception {
            proxies: listen.proxy_protocol.then(|| proxies.clone()),
            places: Places::new(connections_max, per_address, proxies),
            handshakes,
            life: Life::of(listen),
            served,
        };
        Ok(Self { socket, local_address, reception: Arc::new(reception) })
    }

    /// The address with its real port.
    pub(super) fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Serves until `shutdown` resolves; then no connection is accepted, each is told to go away, and running
    /// requests get [`DRAIN_TIME`].
    pub(super) async fn serve_until(self, shutdown: impl Future<Output = ()>) {
        let drain = watch::Sender::new(());
        let arrivals = Arc::new(Semaphore::new(ARRIVALS_MAX));
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                (stream, peer, arrival) = self.accept(&arrivals) => {
                    let reception = Arc::clone(&self.reception);
                    tokio::spawn(reception.receive(stream, peer, arrival, drain.subscribe()));
                }
            }
        }
        drop(self.socket);
        drain.send_replace(());
        // Each connection keeps its end until it is over.
        if timeout(DRAIN_TIME, drain.closed()).await.is_err() {
            warn!("some requests did not finish in time and were cut");
        }
    }

    /// The next connection, once there is room to look who it is.
    async fn accept(&self, arrivals: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let mut pause = ACCEPT_PAUSE;
        let arrival = Arc::clone(arrivals).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    // Without it small answers wait for acknowledgements; an error only costs speed.
                    let _ = stream.set_nodelay(true);
                    return (stream, peer, arrival);
                }
                // The client left while it waited: that says nothing of the next one.
                Err(cause) if is_of_one_connection(&cause) => {}
                Err(cause) => {
                    self.reception.served.connections.fail();
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
}

impl Reception {
    /// Receives a connection, and serves it until it ends.
    async fn receive(
        self: Arc<Self>,
        mut stream: TcpStream,
        peer: SocketAddr,
        arrival: OwnedSemaphorePermit,
        mut draining: watch::Receiver<()>,
    ) {
        let mut open = Open::new(&self.served.connections);
        let peer = match &self.proxies {
            None => peer,
            Some(proxies) => match behind_proxy(&mut stream, peer, proxies).await {
                Ok(source) => source,
                Err(why) => return debug!(%peer, "a connection was closed: {why}"),
            },
        };
        let entered = tokio::select! {
            entered = self.places.enter(peer.ip()) => entered,
            _ = draining.changed() => return,
        };
        let place = match entered {
            Ok(place) => place,
            Err(full) => {
                self.served.connections.refuse();
                return debug!("a connection was closed without a place: {full}");
            }
        };
        drop(arrival);
        let occupancy = place.occupancy();
        let end = match &self.handshakes {
            None => self.serve(stream, Client { peer, certificate: None }, occupancy, &mut draining).await,
            Some(handshakes) => {
                let shaken = tokio::select! {
                    shaken = handshakes.shake(stream, &self.served.connections) => shaken,
                    () = occupancy.displaced() => Err(End::Displaced),
                };
                match shaken {
                    Ok((stream, certificate)) => {
                        self.serve(stream, Client { peer, certificate }, occupancy, &mut draining).await
                    }
                    Err(end) => end,
                }
            }
        };
        open.end = Some(end);
    }

    /// Serves a connection until it ends, and says why it did.
    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        client: Client,
        occupancy: &Arc<Occupancy>,
        draining: &mut watch::Receiver<()>,
    ) -> End {
        let Served { router, traffic, .. } = self.served.clone();
        let untaken = Arc::clone(traffic.untaken());
        let carrier = Arc::clone(occupancy);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let arrived = traffic.arrive(request.uri().path());
            let mut under_way = carrier.begin(arrived.needs_credential());
            let untaken = Arc::clone(traffic.untaken());
            let extensions = request.extensions_mut();
            extensions.insert(Peer(client.peer));
            if let Some(certificate) = &client.certificate {
                extensions.insert(certificate.clone());
            }
            extensions.insert(arrived);
            extensions.insert(Arc::clone(&carrier));
            let answering = router.clone().oneshot(request.map(Body::new));
            async move {
                answering.await.map(|response| {
                    if is_refusal(&response) {
                        under_way.is_refused();
                    }
                    response.map(|body| Answer::new(body, untaken, under_way))
                })
            }
        });
        let io = TokioIo::new(Unstalled::new(stream, Arc::clone(&untaken), Arc::clone(occupancy)));
        let mut connection = pin!(builder(untaken).serve_connection(io, service).into_owned());
        let end = tokio::select! {
            ended = connection.as_mut() => return told(ended),
            // The connection is closed by being dropped.
            () = silence(occupancy) => {
                debug!("a connection asked nothing and was closed");
                return End::Silent;
            }
            end = self.life.over(occupancy) => end,
            _ = draining.changed() => End::Left,
        };
        connection.as_mut().graceful_shutdown();
        let cut = async {
            match end {
                // The server's own end has its time.
                End::Left => pending().await,
                _ => self.life.spent(occupancy).await,
            }
        };
        tokio::select! {
            ended = connection => { told(ended); }
            () = cut => debug!(?end, "a connection was cut: it was told to go, and did not"),
        }
        end
    }
}

/// Whether an answer is an error from its head on, as who has no good credential gets.
fn is_refusal(response: &Response) -> bool {
    let status = response.status();
    let is_failure = response.headers().get("grpc-status").is_some_and(|code| code != "0");
    is_failure || status.is_client_error() || status.is_server_error()
}

/// How HTTP/1 and HTTP/2 are spoken.
fn builder(untaken: Arc<Untaken>) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(Streams(untaken));
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_local_error_reset_streams(RESETS_MADE_MAX)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIME)
        .initial_stream_window_size(WINDOW_BYTES.0)
        .initial_connection_window_size(WINDOW_BYTES.1);
    builder
}

/// Takes note of an end that was not ours.
fn told(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) -> End {
    if let Err(cause) = ended {
        // Clients come and go; how they went is not the operator's business.
        debug!(%cause, "a connection ended");
    }
    End::Left
}

/// Whether an error is of the connection that was to be accepted, and not of the system.
fn is_of_one_connection(cause: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(cause.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// A connection that is open, until this is dropped.
struct Open {
    connections: Arc<Connections>,
    /// Why it ended, where it had a place.
    end: Option<End>,
}

impl Open {
    fn new(connections: &Arc<Connections>) -> Self {
        connections.opened();
        Self { connections: Arc::clone(connections), end: None }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connections.closed(self.end);
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
