//! The public address of a caller, when it may stand behind proxies: what of `Forwarded` and `X-Forwarded-For` to
//! believe.
//!
//! Pure: takes texts and addresses, and knows nothing of sockets, HTTP libraries and databases.
//!
//! A header is a claim. Its right end was written by the proxy next to us, each element further left by one further
//! out, and its left end by whoever likes to be somewhere else. So the walk goes from the right, passes over the
//! networks that the operator trusts, and ends at the first address that is not one of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::model::location::NoEstimate;

/// Most bytes of one kind of forwarding header, all its lines together: 8 KiB, the size at which common proxies
/// refuse a request, and room for 200 IPv6 elements.
pub const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Most trusted proxies that a request is believed to have passed. Chains of more than five are unheard of; the
/// limit bounds the work on a header that is made of trusted addresses.
pub const HOPS_MAX: usize = 32;

/// The forwarding headers of one request: every header line's value, in the order in which the lines came.
///
/// A value that is not text is handed over with its bad bytes replaced, so that it counts as malformed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ForwardingHeaders<'a> {
    /// The values of `Forwarded` (RFC 7239).
    pub forwarded: &'a [&'a str],
    /// The values of `X-Forwarded-For`.
    pub x_forwarded_for: &'a [&'a str],
}

/// The public address of a caller whose connection comes from `peer`.
///
/// `trusted` are the networks of the operator's own proxies; IPv4 ones are written as IPv4 networks. A peer outside
/// them is the caller itself, and its headers are ignored. When all elements are trusted the leftmost is the caller.
/// IPv4-mapped addresses count and are returned as IPv4; other embedded addresses stay as they are, because anybody
/// can make a 6to4 address around a trusted one.
///
/// Where both kinds of header are there, both must lead to the same caller. Neither can take precedence: a proxy
/// that writes the one passes the other through from outside, so whichever were preferred could be forged.
///
/// # Errors
///
/// [`NoEstimate::UnknownAddress`] when the walk meets something that is not an address (malformed, `unknown`, or
/// obfuscated), when the two kinds of header disagree, or when a limit is passed. Never falls back to another
/// element: a wrong place is worse than none.
pub fn resolve(peer: IpAddr, headers: ForwardingHeaders<'_>, trusted: &[IpNet]) -> Result<IpAddr, NoEstimate> {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return Ok(peer);
    }
    let forwarded = lines(headers.forwarded)?.rev().flat_map(|line| forwarded_elements(line).into_iter().rev());
    let forwarded = walk(forwarded, trusted)?;
    let x_forwarded_for = lines(headers.x_forwarded_for)?.rev().flat_map(|line| line.rsplit(','));
    let x_forwarded_for = walk(x_forwarded_for.map(|element| address(element.trim(), BareIpv6::Allowed)), trusted)?;
    match (forwarded, x_forwarded_for) {
        (Some(one), Some(other)) if one != other => Err(NoEstimate::UnknownAddress),
        (one, other) => Ok(one.or(other).unwrap_or(peer)),
    }
}

/// The lines that say anything, within the limit of bytes.
fn lines<'a>(values: &'a [&'a str]) -> Result<impl DoubleEndedIterator<Item = &'a str>, NoEstimate> {
    if values.iter().map(|value| value.len()).sum::<usize>() > HEADER_BYTES_MAX {
        return Err(NoEstimate::UnknownAddress);
    }
    Ok(values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()))
}

/// Walks elements that come nearest first; `None` in place of an address is a malformed element. Answers the first
/// address that is not trusted, else the last one, else nothing where there is no element at all.
fn walk(elements: impl Iterator<Item = Option<IpAddr>>, trusted: &[IpNet]) -> Result<Option<IpAddr>, NoEstimate> {
    let mut caller = None;
    for (hops, element) in elements.enumerate() {
        let ip = element.filter(|_| hops < HOPS_MAX).ok_or(NoEstimate::UnknownAddress)?;
        caller = Some(ip);
        if !is_trusted(ip, trusted) {
            break;
        }
    }
    Ok(caller)
}

fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&ip))
}

/// The addresses that one `Forwarded` line names, from left to right; `None` for an element without a usable one.
///
/// A line whose quotes do not close is one malformed element: there is no telling where its elements end, and an
/// outsider's open quote would otherwise swallow what the proxies added.
fn forwarded_elements(line: &str) -> Vec<Option<IpAddr>> {
    let Some(elements) = split_outside_quotes(line, ',') else { return vec![None] };
    elements.into_iter().map(forwarded_for).collect()
}

/// The address in the `for` parameter of one element; `None` where it is missing, repeated or not an address.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = None;
    // Empty parameters are allowed by the grammar: `for=192.0.2.1;`.
    let pairs = split_outside_quotes(element, ';')?.into_iter().map(str::trim);
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        if name.eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
    }
    let value = found?;
    match value.strip_prefix('"') {
        // An address needs no escapes, so a quoted one that has any is not an address.
        Some(quoted) => address(quoted.strip_suffix('"')?, BareIpv6::Refused),
        None => address(value, BareIpv6::Refused),
    }
}

/// Splits at `separator` outside of quoted strings, in which `\` escapes; `None` when the last quote stays open.
fn split_outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// Whether an IPv6 address may stand without brackets: `X-Forwarded-For` writes it so, RFC 7239 forbids it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BareIpv6 {
    Allowed,
    Refused,
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]`, `[2001:db8::1]:80`.
///
/// The parsers of the standard library are the strict ones that are wanted here: no octal, hexadecimal or short IPv4
/// forms, no zone ids.
fn address(text: &str, bare_ipv6: BareIpv6) -> Option<IpAddr> {
    let ip = if let Some(bracketed) = text.strip_prefix('[') {
        let (ip, rest) = bracketed.split_once(']')?;
        let well_formed = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        IpAddr::V6(ip.parse::<Ipv6Addr>().ok().filter(|_| well_formed)?)
    } else if let Some((ip, port)) = text.split_once(':').filter(|(ip, _)| ip.contains('.')) {
        IpAddr::V4(ip.parse::<Ipv4Addr>().ok().filter(|_| is_port(port))?)
    } else if text.contains(':') {
        IpAddr::V6(text.parse::<Ipv6Addr>().ok().filter(|_| bare_ipv6 == BareIpv6::Allowed)?)
    } else {
        IpAddr::V4(text.parse().ok()?)
    };
    Some(ip.to_canonical())
}

/// A port of RFC 7239: one to five digits, or obfuscated (`_` and a name).
fn is_port(text: &str) -> bool {
    if let Some(name) = text.strip_prefix('_') {
        return !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    }
    (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trusted() -> Vec<IpNet> {
        ["10.0.0.0/8", "2001:db8:ff::/48"].map(|network| network.parse().unwrap()).to_vec()
    }

    fn resolve_texts(peer: &str, x_forwarded_for: &str, forwarded: &str) -> String {
        let x_forwarded_for: Vec<_> = x_forwarded_for.split(" // ").collect();
        let forwarded: Vec<_> = forwarded.split(" // ").collect();
        let headers = ForwardingHeaders { forwarded: &forwarded, x_forwarded_for: &x_forwarded_for };
        match resolve(peer.parse().unwrap(), headers, &trusted()) {
            Ok(ip) => ip.to_string(),
            Err(NoEstimate::UnknownAddress) => "unknown".to_owned(),
            Err(other) => format!("{other:?}"),
        }
    }

    /// Each line is `peer | X-Forwarded-For | Forwarded -> caller`; ` // ` stands between header lines.
    fn check(cases: &str) {
        for case in cases.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (input, expect) = case.rsplit_once(" -> ").unwrap();
            let columns: Vec<_> = input.split('|').map(str::trim).collect();
            let [peer, x_forwarded_for, forwarded] = columns[..] else { unreachable!("three columns: {case}") };
            assert_eq!(resolve_texts(peer, x_forwarded_for, forwarded), expect, "{case}");
        }
    }

    #[test]
    fn without_a_trusted_peer_the_headers_say_nothing() {
        check(
            "203.0.113.9 | | -> 203.0.113.9
            203.0.113.9 | 198.51.100.1 | -> 203.0.113.9
            203.0.113.9 | | for=198.51.100.1 -> 203.0.113.9
            203.0.113.9 | garbage | for=garbage -> 203.0.113.9
            203.0.113.9 | 198.51.100.1, 10.0.0.2 | for=10.0.0.3 -> 203.0.113.9
            2001:db8:fe::1 | 198.51.100.1 | -> 2001:db8:fe::1
            ::ffff:203.0.113.9 | 198.51.100.1 | -> 203.0.113.9
            2002:a00:1::1 | 198.51.100.1 | -> 2002:a00:1::1
            64:ff9b::10.0.0.1 | 198.51.100.1 | -> 64:ff9b::a00:1",
        );
    }

    #[test]
    fn x_forwarded_for_is_walked_from_the_right() {
        check(
            "10.0.0.1 | | -> 10.0.0.1
            ::ffff:10.0.0.1 | 198.51.100.1 | -> 198.51.100.1
            2001:db8:ff::1 | 198.51.100.1 | -> 198.51.100.1
            10.0.0.1 | 198.51.100.1 | -> 198.51.100.1
            10.0.0.1 |   198.51.100.1   | -> 198.51.100.1
            10.0.0.1 | 1.1.1.1, 198.51.100.1 | -> 198.51.100.1
            10.0.0.1 | 1.1.1.1,198.51.100.1,10.0.0.2,10.9.9.9 | -> 198.51.100.1
            10.0.0.1 | 10.0.0.4, 10.0.0.3, 10.0.0.2 | -> 10.0.0.4
            10.0.0.1 | 1.1.1.1 // 198.51.100.1 | -> 198.51.100.1
            10.0.0.1 | 1.1.1.1 // 198.51.100.1 // 10.0.0.2 | -> 198.51.100.1
            10.0.0.1 | 198.51.100.1 //  // 10.0.0.2 | -> 198.51.100.1
            10.0.0.1 | 2001:db8::7 | -> 2001:db8::7
            10.0.0.1 | 2001:db8::7, 2001:db8:ff::2 | -> 2001:db8::7
            10.0.0.1 | [2001:db8::7] | -> 2001:db8::7
            10.0.0.1 | [2001:db8::7]:443 | -> 2001:db8::7
            10.0.0.1 | 198.51.100.1:55000 | -> 198.51.100.1
            10.0.0.1 | ::ffff:198.51.100.1 | -> 198.51.100.1
            10.0.0.1 | 198.51.100.1, ::ffff:10.0.0.2 | -> 198.51.100.1
            10.0.0.1 | 198.51.100.1, 2002:a00:2:: | -> 2002:a00:2::
            10.0.0.1 | 192.168.1.1 | -> 192.168.1.1",
        );
    }

    #[test]
    fn garbage_in_the_walk_stops_it_and_garbage_beyond_it_does_not_matter() {
        check(
            "10.0.0.1 | garbage | -> unknown
            10.0.0.1 | unknown | -> unknown
            10.0.0.1 | 198.51.100.1, garbage | -> unknown
            10.0.0.1 | 198.51.100.1, garbage, 10.0.0.2 | -> unknown
            10.0.0.1 | garbage, 198.51.100.1 | -> 198.51.100.1
            10.0.0.1 | 198.51.100.1, | -> unknown
            10.0.0.1 | 198.51.100.1,, 10.0.0.2 | -> unknown
            10.0.0.1 | ,198.51.100.1 | -> 198.51.100.1
            10.0.0.1 | 1.1.1.1 198.51.100.1 | -> unknown
            10.0.0.1 | 0198.51.100.1 | -> unknown
            10.0.0.1 | 010.0.0.2 | -> unknown
            10.0.0.1 | 0x0a.0.0.2 | -> unknown
            10.0.0.1 | 0xc6336401 | -> unknown
            10.0.0.1 | 3325256705 | -> unknown
            10.0.0.1 | 198.51.1 | -> unknown
            10.0.0.1 | 198.51.100.1.1 | -> unknown
            10.0.0.1 | 198.51.100.256 | -> unknown
            10.0.0.1 | ١٩٨.51.100.1 | -> unknown
            10.0.0.1 | fe80::1%eth0 | -> unknown
            10.0.0.1 | [fe80::1%25eth0]:80 | -> unknown
            10.0.0.1 | [2001:db8::7 | -> unknown
            10.0.0.1 | [2001:db8::7]443 | -> unknown
            10.0.0.1 | [198.51.100.1] | -> unknown
            10.0.0.1 | 198.51.100.1: | -> unknown
            10.0.0.1 | 198.51.100.1:65536 | -> unknown
            10.0.0.1 | 198.51.100.1:+80 | -> unknown
            10.0.0.1 | 2001:db8::7::1 | -> unknown
            10.0.0.1 | \u{fffd} | -> unknown",
        );
    }

    #[test]
    fn forwarded_is_walked_from_the_right() {
        check(
            r#"10.0.0.1 | | for=198.51.100.1 -> 198.51.100.1
            10.0.0.1 | | For="198.51.100.1:4711";proto=https;by=10.0.0.1 -> 198.51.100.1
            10.0.0.1 | | proto=http; FOR=198.51.100.1 ; by="_proxy" -> 198.51.100.1
            10.0.0.1 | | for="[2001:db8::1]:4711" -> 2001:db8::1
            10.0.0.1 | | for="[2001:db8::1]" -> 2001:db8::1
            10.0.0.1 | | for="[2001:db8::1]:_obf.port-1" -> 2001:db8::1
            10.0.0.1 | | for=198.51.100.1; -> 198.51.100.1
            10.0.0.1 | | for=1.1.1.1, for=198.51.100.1 -> 198.51.100.1
            10.0.0.1 | | for=1.1.1.1,for=198.51.100.1;proto=https,for="[2001:db8:ff::2]" -> 198.51.100.1
            10.0.0.1 | | for=1.1.1.1 // for=198.51.100.1, for=10.0.0.2 -> 198.51.100.1
            10.0.0.1 | | for=10.0.0.3, for=10.0.0.2 -> 10.0.0.3
            10.0.0.1 | | for=_hidden, for=198.51.100.1 -> 198.51.100.1
            10.0.0.1 | | for=198.51.100.1;host="a,b;for=1.1.1.1" -> 198.51.100.1
            10.0.0.1 | | for=198.51.100.1;host="a\"b,for=1.1.1.1" -> 198.51.100.1"#,
        );
        check(
            r#"10.0.0.1 | | for=_hidden -> unknown
            10.0.0.1 | | for=unknown -> unknown
            10.0.0.1 | | for="unknown:80" -> unknown
            10.0.0.1 | | for=198.51.100.1, for=_SEVKISEK -> unknown
            10.0.0.1 | | by=10.0.0.1;proto=https -> unknown
            10.0.0.1 | | for=1.1.1.1;for=198.51.100.1 -> unknown
            10.0.0.1 | | for=2001:db8::1 -> unknown
            10.0.0.1 | | for="2001:db8::1" -> unknown
            10.0.0.1 | | for="198.51.100.1 -> unknown
            10.0.0.1 | | for="198.51.100.1"x -> unknown
            10.0.0.1 | | for="198.51.100\.1" -> unknown
            10.0.0.1 | | for -> unknown
            10.0.0.1 | | for= -> unknown
            10.0.0.1 | | 198.51.100.1 -> unknown
            10.0.0.1 | | for=198.51.100.1,, -> unknown
            10.0.0.1 | | for=", for="[2001:db8::1]" -> unknown
            10.0.0.1 | | for="x // for=198.51.100.1 -> 198.51.100.1
            10.0.0.1 | | for="fe80::1%eth0" -> unknown"#,
        );
    }

    #[test]
    fn two_kinds_of_headers_must_agree() {
        check(
            "10.0.0.1 | 198.51.100.1 | for=198.51.100.1 -> 198.51.100.1
            10.0.0.1 | 1.1.1.1, 198.51.100.1 | for=8.8.8.8, for=198.51.100.1, for=10.0.0.2 -> 198.51.100.1
            10.0.0.1 | 198.51.100.1 | for=1.1.1.1 -> unknown
            10.0.0.1 | 1.1.1.1 | for=198.51.100.1 -> unknown
            10.0.0.1 | 198.51.100.1 | for=unknown -> unknown
            10.0.0.1 | garbage | for=198.51.100.1 -> unknown",
        );
    }

    #[test]
    fn limits_end_the_walk() {
        let hops = |count: usize| format!("198.51.100.1{}", ", 10.0.0.2".repeat(count));
        assert_eq!(resolve_texts("10.0.0.1", &hops(HOPS_MAX - 1), ""), "198.51.100.1");
        assert_eq!(resolve_texts("10.0.0.1", &hops(HOPS_MAX), ""), "unknown");
        let padded = |bytes: usize| format!("{}, 198.51.100.1", "x".repeat(bytes - ", 198.51.100.1".len()));
        assert_eq!(resolve_texts("10.0.0.1", &padded(HEADER_BYTES_MAX), ""), "198.51.100.1");
        assert_eq!(resolve_texts("10.0.0.1", &padded(HEADER_BYTES_MAX + 1), ""), "unknown");
    }

    proptest! {
        /// Whatever an outsider writes to the left of what the proxy appends, it never becomes the caller.
        #[test]
        fn an_outsider_cannot_choose_its_address(
            claim in r#"[ -~]{0,20}|(for=)?"?[0-9.,; "\\=for\[\]:]{0,30}|198\.51\.100\.1(, 10\.0\.0\.2)?"#,
            appended in prop::sample::select(vec!["203.0.113.9", "[2001:db8::9]"]),
        ) {
            let caller = appended.trim_matches(['[', ']']);
            let answer = resolve_texts("10.0.0.1", &format!("{claim}, {appended}"), "");
            prop_assert_eq!(&answer, caller);
            let answer = resolve_texts("10.0.0.1", "", &format!("{claim}, for=\"{appended}\";proto=https"));
            prop_assert!(answer == caller || answer == "unknown", "{}", answer);
            let line_of_its_own = resolve_texts("10.0.0.1", "", &format!("{claim} // for=\"{appended}\""));
            prop_assert_eq!(&line_of_its_own, caller);
        }

        #[test]
        fn every_address_survives_its_own_text(ip in any::<IpAddr>(), port in any::<u16>()) {
            prop_assume!(!is_trusted(ip.to_canonical(), &trusted()));
            let expect = ip.to_canonical().to_string();
            let bracketed = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
            for text in [ip.to_string(), bracketed.clone(), format!("{bracketed}:{port}")] {
                prop_assert_eq!(&resolve_texts("10.0.0.1", &text, ""), &expect);
            }
            prop_assert_eq!(resolve_texts("10.0.0.1", "", &format!("for=\"{bracketed}:{port}\"")), expect);
        }
    }
}
