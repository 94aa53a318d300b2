//! A TCP proxy on loopback that hands everything on, and cuts connections: when a marked answer comes, which is lost on its way,
//! or when it is told to.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

/// A running proxy. It ends with the process of the tests.
pub(crate) struct Relay {
    pub(crate) url: String,
    opened: Arc<Mutex<Vec<TcpStream>>>,
    has_lost: Arc<AtomicBool>,
}

impl Relay {
    /// In front of a server at `address`. The first answer that holds `marker` never arrives; of an empty marker all do.
    pub(crate) fn before(address: &str, marker: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (opened, has_lost) = (Arc::<Mutex<Vec<TcpStream>>>::default(), Arc::<AtomicBool>::default());
        let (address, connections, lost) = (address.to_owned(), Arc::clone(&opened), Arc::clone(&has_lost));
        spawn(move || {
            for client in listener.incoming().flatten() {
                // While nobody listens there, connections end at once.
                let Ok(server) = TcpStream::connect(&address) else { continue };
                connections.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                let (to, from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let lost = Arc::clone(&lost);
                spawn(move || hand_on(client, server, |_| false));
                spawn(move || {
                    let mut seen = Vec::new();
                    hand_on(from, to, |bytes| {
                        // The marker may come in two pieces.
                        seen.drain(..seen.len().saturating_sub(marker.len()));
                        seen.extend_from_slice(bytes);
                        let is_marked = !marker.is_empty() && seen.windows(marker.len()).any(|part| part == marker);
                        is_marked && !lost.swap(true, Ordering::SeqCst)
                    });
                });
            }
        });
        Self { url, opened, has_lost }
    }

    /// Cuts all connections there are; new ones are handed on.
    pub(crate) fn cut(&self) {
        for connection in self.opened.lock().unwrap().drain(..) {
            // It may have ended by itself.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Whether the marked answer was lost.
    pub(crate) fn has_lost(&self) -> bool {
        self.has_lost.load(Ordering::SeqCst)
    }
}

/// Until one side ends, or what comes `is_lost`.
fn hand_on(mut from: TcpStream, mut to: TcpStream, mut is_lost: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length) = from.read(&mut bytes) {
        if length == 0 || is_lost(&bytes[..length]) || to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
