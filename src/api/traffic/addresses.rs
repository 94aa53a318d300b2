//! How many connections each address has: one address takes no place of the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;

use crate::model::neighbourhood::neighbourhood;

/// The connections of each address. As many entries as connections at most.
#[derive(Debug)]
pub struct Addresses {
    open: Mutex<HashMap<IpAddr, usize>>,
    /// Most of one address.
    max: usize,
    /// Networks of proxies: through one address of theirs come many callers.
    proxies: Vec<IpNet>,
}

/// A connection of an address, counted until it is dropped.
#[derive(Debug)]
pub struct Counted {
    addresses: Arc<Addresses>,
    /// `None` for a proxy's.
    address: Option<IpAddr>,
}

impl Addresses {
    /// Nobody has any; each may have `max`, and `proxies` may have as many as they like.
    #[must_use]
    pub fn new(max: usize, proxies: Vec<IpNet>) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), max, proxies })
    }

    /// Counts a connection; `None` where its address has as many as one may.
    #[must_use]
    pub fn count(self: &Arc<Self>, ip: IpAddr) -> Option<Counted> {
        let ip = ip.to_canonical();
        let address = (!self.proxies.iter().any(|network| network.contains(&ip))).then(|| neighbourhood(ip));
        if let Some(address) = address {
            let mut open = self.open.lock();
            let own = open.entry(address).or_default();
            if *own >= self.max {
                return None;
            }
            *own += 1;
        }
        Some(Counted { addresses: Arc::clone(self), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut open = self.addresses.open.lock();
        if let Some(own) = open.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                open.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let addresses = Addresses::new(2, vec!["10.0.0.0/8".parse().unwrap()]);
        let count = |ip: &str| addresses.count(ip.parse().unwrap());
        let (first, second) = (count("192.0.2.1"), count("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && count("192.0.2.1").is_none());
        assert!(count("192.0.2.2").is_some());
        drop(first);
        let third = count("192.0.2.1");
        assert!(third.is_some());
        // Hosts of one IPv6 network are one.
        let hosts = [count("2001:db8::1"), count("2001:db8::2")];
        assert!(count("2001:db8::3").is_none() && count("2001:db8:0:1::1").is_some());
        // Proxies bring many.
        let proxied: Vec<_> = (0..9).map(|_| count("10.1.2.3")).collect();
        assert!(proxied.iter().all(Option::is_some));
        drop((second, third, hosts, proxied));
        assert!(addresses.open.lock().is_empty(), "nothing is kept of who left");
    }
}
