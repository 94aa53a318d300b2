//! How often one address may try an invitation's secret. Nobody guesses 256 bits; this keeps the trying cheap.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;
use parking_lot::Mutex;

use super::super::Error;

/// Most tries of one address, or one IPv6 /64, a minute: a hotel's guests behind one address, and no storm.
const TRIES_MAX: usize = 300;
/// Most addresses that are counted apart in a minute; all further ones share one count.
const CALLERS_MAX: usize = 10_000;

/// The tries of this minute.
#[derive(Debug, Default)]
pub(in super::super) struct Doorbell {
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    tries: HashMap<Option<IpAddr>, usize>,
}

impl Doorbell {
    /// Counts a try; refused where there were too many. `None` stands for all whose address is not known.
    pub(super) fn ring(&self, ip: Option<IpAddr>, now: Timestamp) -> Result<(), Error> {
        let mut minute = self.minute.lock();
        let number = now.as_second().div_euclid(60);
        if minute.number != number {
            *minute = Minute { number, tries: HashMap::new() };
        }
        let caller = ip.map(neighbourhood);
        let is_full = minute.tries.len() >= CALLERS_MAX && !minute.tries.contains_key(&caller);
        let tries = minute.tries.entry(if is_full { None } else { caller }).or_default();
        *tries += 1;
        if *tries > TRIES_MAX { Err(Error::TooMany("tries of this minute", TRIES_MAX)) } else { Ok(()) }
    }
}

/// What one caller can choose from: an IPv4 address, or an IPv6 /64.
fn neighbourhood(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_stopped_for_a_minute_and_others_are_not() {
        let bell = Doorbell::default();
        let now = Timestamp::new(1_700_000_000, 0).unwrap();
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for host in 0..TRIES_MAX {
            bell.ring(ip(&format!("2001:db8::{host:x}")), now).unwrap();
        }
        assert!(bell.ring(ip("2001:db8::ffff"), now).is_err());
        assert!(bell.ring(ip("2001:db8:0:1::1"), now).is_ok());
        assert!(bell.ring(ip("192.0.2.1"), now).is_ok());
        assert!(bell.ring(ip("2001:db8::1"), now + jiff::SignedDuration::from_secs(60)).is_ok());
    }

    #[test]
    fn many_addresses_take_no_room_without_end() {
        let bell = Doorbell::default();
        let now = Timestamp::new(1_700_000_000, 0).unwrap();
        let ring = |number: u32| bell.ring(Some(std::net::Ipv4Addr::from(number).into()), now).is_ok();
        let taken = (0..2 * u32::try_from(CALLERS_MAX).unwrap()).filter(|number| ring(*number)).count();
        assert_eq!(taken, CALLERS_MAX + TRIES_MAX);
        assert!(bell.minute.lock().tries.len() <= CALLERS_MAX + 1);
    }
}
