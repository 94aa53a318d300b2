//! The places of connections: one address takes no place of the others, and where all are taken a newcomer gets that of a
//! connection which nobody needs.
//!
//! It is taken from the address with the most of them: so, as long as some are unused, all addresses come to have as many as
//! each other, whoever was there first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::occupancy::Occupancy;
use crate::model::neighbourhood::neighbourhood;

/// Most connections that gave their place to another one and are not closed yet: so many more are open than there are places.
const LEAVING_MAX: usize = 32;
/// Shortest time for which nobody needed a connection that gives up its place: what it was answered last has arrived.
const UNUSED_MIN: Duration = Duration::from_secs(2);
/// Longest wait for a place where all are needed. Who is closed then asks another server, who waits longer has mostly left.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Time between two looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The places of a listener.
#[derive(Debug)]
pub struct Places {
    held: Mutex<Held>,
    /// Told when a place is given back.
    freed: Notify,
    max: usize,
    /// Most of one address.
    max_of_address: usize,
    /// Networks of proxies, which may have any number: through one address of theirs come many callers.
    proxies: Vec<IpNet>,
}

/// A place of a connection, given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    occupancy: Arc<Occupancy>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// For this address.
    #[error("its address has as many as one may")]
    Address,
    /// For anybody.
    #[error("all are taken by such as are needed")]
    Server,
}

/// Who has places. As many entries as places, and those that leave.
#[derive(Debug, Default)]
struct Held {
    next: u64,
    connections: HashMap<u64, Connection>,
    /// Without those that leave.
    of_address: HashMap<IpAddr, usize>,
    leaving: usize,
}

#[derive(Debug)]
struct Connection {
    address: IpAddr,
    occupancy: Arc<Occupancy>,
    /// Whether its place is another one's.
    is_leaving: bool,
}

impl Places {
    /// `max` places, of which one address may have `max_of_address`, and `proxies` as many as they like.
    #[must_use]
    pub fn new(max: usize, max_of_address: usize, proxies: Vec<IpNet>) -> Arc<Self> {
        Arc::new(Self { held: Mutex::default(), freed: Notify::new(), max, max_of_address, proxies })
    }

    /// A place for a connection from this address: at once where one is free or somebody gives one up, else after a while,
    /// or not.
    pub async fn enter(self: &Arc<Self>, ip: IpAddr) -> Result<Place, Full> {
        let end = Instant::now() + WAIT_MAX;
        loop {
            match self.take(ip) {
                Err(Full::Server) if Instant::now() < end => {}
                settled => return settled,
            }
            // Looks again by itself: a connection that nobody needs any more tells nobody here.
            let _ = timeout(LOOK_EVERY, self.freed.notified()).await;
        }
    }

    fn take(self: &Arc<Self>, ip: IpAddr) -> Result<Place, Full> {
        let ip = ip.to_canonical();
        let address = neighbourhood(ip);
        let is_proxys = self.proxies.iter().any(|network| network.contains(&ip));
        let mut held = self.held.lock();
        if !is_proxys && held.of(address) >= self.max_of_address {
            return Err(Full::Address);
        }
        if held.connections.len() - held.leaving >= self.max && !held.displace_for(address) {
            return Err(Full::Server);
        }
        let occupancy = Occupancy::new();
        let number = held.add(address, &occupancy);
        Ok(Place { places: Arc::clone(self), number, occupancy })
    }
}

impl Place {
    /// The connection that has it.
    #[must_use]
    pub fn occupancy(&self) -> &Arc<Occupancy> {
        &self.occupancy
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.held.lock().remove(self.number);
        self.places.freed.notify_one();
    }
}

impl Held {
    /// How many an address has.
    fn of(&self, address: IpAddr) -> usize {
        self.of_address.get(&address).copied().unwrap_or_default()
    }

    fn add(&mut self, address: IpAddr, occupancy: &Arc<Occupancy>) -> u64 {
        let number = self.next;
        self.next += 1;
        let connection = Connection { address, occupancy: Arc::clone(occupancy), is_leaving: false };
        self.connections.insert(number, connection);
        *self.of_address.entry(address).or_default() += 1;
        number
    }

    fn remove(&mut self, number: u64) {
        match self.connections.remove(&number) {
            Some(Connection { is_leaving: true, .. }) => self.leaving -= 1,
            Some(Connection { address, .. }) => self.release(address),
            None => {}
        }
    }

    /// An address has one less.
    fn release(&mut self, address: IpAddr) {
        if let Some(own) = self.of_address.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                self.of_address.remove(&address);
            }
        }
    }

    /// Lets a connection that nobody needs give its place to a newcomer: of the addresses that have more than the newcomer's,
    /// and of its own, the one with the most, and of that the one that was unused for longest. Whether there was one.
    fn displace_for(&mut self, newcomer: IpAddr) -> bool {
        if self.leaving >= LEAVING_MAX {
            return false;
        }
        let (own, now) = (self.of(newcomer), Instant::now());
        let rank = |(number, connection): (&u64, &Connection)| {
            let unused = now.saturating_duration_since(connection.occupancy.unused_since()?);
            let theirs = self.of(connection.address);
            let is_due = unused >= UNUSED_MIN && (theirs > own || connection.address == newcomer);
            (is_due && !connection.is_leaving).then_some((theirs, unused, *number))
        };
        let Some((_, _, number)) = self.connections.iter().filter_map(rank).max() else { return false };
        let Some(connection) = self.connections.get_mut(&number) else { return false };
        connection.is_leaving = true;
        connection.occupancy.displace();
        let address = connection.address;
        self.leaving += 1;
        self.release(address);
        true
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::time::advance;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Whether a connection was told that its place is another one's.
    fn has_to_go(place: &Place) -> bool {
        place.occupancy().displaced().now_or_never().is_some()
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let places = Places::new(64, 2, vec!["10.0.0.0/8".parse().unwrap()]);
        let take = |text: &str| places.take(ip(text));
        let (first, second) = (take("192.0.2.1"), take("::ffff:192.0.2.1"));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(take("192.0.2.1").err(), Some(Full::Address));
        assert!(take("192.0.2.2").is_ok());
        drop(first);
        let third = take("192.0.2.1");
        assert!(third.is_ok());
        // Hosts of one IPv6 network are one.
        let hosts = [take("2001:db8::1"), take("2001:db8::2")];
        assert!(take("2001:db8::3").is_err() && take("2001:db8:0:1::1").is_ok());
        // Proxies bring many.
        let proxied: Vec<_> = (0..9).map(|_| take("10.1.2.3")).collect();
        assert!(proxied.iter().all(Result::is_ok));
        drop((second, third, hosts, proxied));
        let held = places.held.lock();
        assert!(held.of_address.is_empty() && held.connections.is_empty(), "nothing is kept of who left");
    }

    /// Four addresses held all places, each with a quarter of them that nobody needed.
    #[tokio::test(start_paused = true)]
    async fn who_has_most_gives_up_what_nobody_needed_for_longest() {
        let places = Places::new(4, 4, Vec::new());
        let mut many = Vec::new();
        for _ in 0..3 {
            many.push(places.take(ip("192.0.2.1")).unwrap());
            advance(UNUSED_MIN).await;
        }
        let call = many[0].occupancy().begin(true);
        let one = places.take(ip("192.0.2.2")).unwrap();
        advance(UNUSED_MIN).await;
        let newcomer = places.take(ip("192.0.2.3")).unwrap();
        let told: Vec<bool> = many.iter().map(has_to_go).collect();
        assert_eq!(told, [false, true, false], "the first one is needed, the third one was unused for less long");
        assert!(!has_to_go(&one) && !has_to_go(&newcomer));
        drop((call, many, one, newcomer));
        let held = places.held.lock();
        assert!(held.of_address.is_empty() && held.leaving == 0, "nothing is kept of who left");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_gives_way_to_who_has_as_many() {
        let places = Places::new(2, 4, Vec::new());
        let (one, other) = (places.take(ip("192.0.2.1")).unwrap(), places.take(ip("192.0.2.2")).unwrap());
        advance(UNUSED_MIN * 2).await;
        // Its own has to: that takes nothing of anybody else.
        let again = places.take(ip("192.0.2.1")).unwrap();
        assert!(has_to_go(&one) && !has_to_go(&other));
        let call = again.occupancy().begin(true);
        assert_eq!(places.take(ip("192.0.2.1")).err(), Some(Full::Server));
        assert!(places.take(ip("192.0.2.3")).is_ok() && has_to_go(&other), "who has none comes before who has one");
        drop(call);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_are_needed_newcomers_wait_for_one() {
        let places = Places::new(1, 4, Vec::new());
        let only = places.take(ip("192.0.2.1")).unwrap();
        let call = only.occupancy().begin(true);
        let begun = Instant::now();
        assert_eq!(places.enter(ip("192.0.2.2")).await.err(), Some(Full::Server));
        assert!((WAIT_MAX..WAIT_MAX * 2).contains(&begun.elapsed()));
        let leaves = async {
            tokio::time::sleep(WAIT_MAX / 2).await;
            drop((call, only));
        };
        let (entered, ()) = tokio::join!(places.enter(ip("192.0.2.2")), leaves);
        assert!(entered.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_leave_at_once_than_may() {
        let places = Places::new(LEAVING_MAX + 1, LEAVING_MAX * 4, Vec::new());
        let old: Vec<_> = (0..=LEAVING_MAX).map(|_| places.take(ip("192.0.2.1")).unwrap()).collect();
        advance(UNUSED_MIN).await;
        let new: Vec<_> = (0..LEAVING_MAX).map(|_| places.take(ip("192.0.2.1")).unwrap()).collect();
        assert_eq!(places.take(ip("192.0.2.2")).err(), Some(Full::Server));
        assert_eq!(old.iter().filter(|place| has_to_go(place)).count(), LEAVING_MAX);
        drop(old);
        assert!(places.take(ip("192.0.2.2")).is_ok());
        drop(new);
    }
}
