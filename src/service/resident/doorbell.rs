//! How often one address may try an invitation's secret. Nobody guesses 256 bits; this keeps the trying cheap.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

use super::super::Error;
use crate::model::neighbourhood::neighbourhood;

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
        let left_s = 60 - now.as_second().rem_euclid(60).unsigned_abs();
        if *tries > TRIES_MAX { Err(Error::TooOften(TRIES_MAX, Duration::from_secs(left_s))) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault as _;

    #[test]
    fn a_network_is_stopped_for_a_minute_and_others_are_not() {
        let bell = Doorbell::default();
        let now = Timestamp::new(1_700_000_000, 0).unwrap();
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for host in 0..TRIES_MAX {
            bell.ring(ip(&format!("2001:db8::{host:x}")), now).unwrap();
        }
        // 1,700,000,000 is 20 s into its minute.
        let refused = bell.ring(ip("2001:db8::ffff"), now).unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(40)));
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
