//! Names of hosts in addresses.

use std::net::IpAddr;

/// Whether a host of an address is this machine, by the name or by the address that stands there. Nobody is asked.
#[must_use]
pub fn is_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('.').trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_name_and_address() {
        for host in ["localhost", "localhost.", "127.0.0.1", "127.8.9.1", "[::1]", "::1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "localhost.example.com", "10.0.0.1", "[2001:db8::1]", "127.0.0.1.example.com"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
