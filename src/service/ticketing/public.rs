//! Which addresses are of the public internet, for connections that accounts may lead anywhere.
//!
//! Judged as they come, but for what any socket unwraps: whoever writes an address decides what stands inside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::geoip::special;

/// Whether an address is one of the public internet, and of no special purpose.
pub(super) fn is_public(ip: IpAddr) -> bool {
    let of_no_purpose = |ip: IpAddr| special::why_no_estimate(ip).is_none();
    match ip.to_canonical() {
        IpAddr::V4(v4) => of_no_purpose(v4.into()),
        // Through the translator of everybody's prefix stands the very host inside it.
        IpAddr::V6(v6) if v6.segments()[..6] == NAT64 => {
            let bits = u128::from(v6) & u128::from(u32::MAX);
            u32::try_from(bits).is_ok_and(|bits| of_no_purpose(Ipv4Addr::from_bits(bits).into()))
        }
        IpAddr::V6(v6) => !leads_elsewhere(v6) && of_no_purpose(v6.into()),
    }
}

/// `64:ff9b::/96`: IPv4 hosts, seen through a translator (RFC 6052).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Whether packets to an address go to somebody who unpacks them for whatever host is written inside it: 6to4
/// (`2002::/16`), Teredo (`2001::/32`), and translators of a network's own (`64:ff9b:1::/48`).
fn leads_elsewhere(v6: Ipv6Addr) -> bool {
    matches!(v6.segments(), [0x2002, ..] | [0x2001, 0, ..] | [0x64, 0xff9b, 1, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_judged_as_it_is_connected_to() {
        let check = |text: &str, expect: bool| assert_eq!(is_public(text.parse().unwrap()), expect, "{text}");
        for good in ["1.1.1.1", "::ffff:1.1.1.1", "2606:4700:4700::1111", "64:ff9b::1.1.1.1"] {
            check(good, true);
        }
        for bad in [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "::ffff:0:1.1.1.1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            // 6to4 and Teredo around a public address: the packets go to a relay, which is whatever the network says.
            "2002:101:101::1",
            "2001:0:4136:e378:8000:63bf:fefe:fefe",
            // A translator of the operator's own, which may lead into their network.
            "64:ff9b:1::1.1.1.1",
            "64:ff9b:1:abcd:1:101:100:0",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
        ] {
            check(bad, false);
        }
    }
}
