//! The PROXY protocol, versions 1 and 2: who a proxy speaks for, told once before anything else on a connection.
//!
//! Reads not a byte more than the header, so that TLS or HTTP finds its own first byte. Knows nothing of trust: whose
//! header is read is the listener's to decide.

use std::net::SocketAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What version 2 begins with.
const SIGNATURE_2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// What version 1 begins with.
const SIGNATURE_1: &[u8] = b"PROXY ";
/// Longest header of version 1, its line's end included, by its specification.
const VERSION_1_BYTES_MAX: usize = 107;
/// Longest header of version 2: addresses of Unix sockets, and room for what proxies add, certificates' names included.
const VERSION_2_BYTES_MAX: usize = 4 * 1024;
/// Bytes of version 2 before its addresses.
const VERSION_2_HEAD_BYTES: usize = 16;

/// Why a connection's first bytes are no header.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The connection failed or ended.
    #[error("the connection ended within its PROXY header: {0}")]
    Ended(#[from] std::io::Error),
    /// It begins with something else.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// The header is longer than any real one.
    #[error("the PROXY header is longer than {0} bytes")]
    TooLong(usize),
    /// It does not follow the specification.
    #[error("the PROXY header is malformed: {0}")]
    Malformed(String),
}

/// Reads the header. Answers who the proxy speaks for; `None` where it speaks for itself, as in its health checks, or does
/// not know, as with connections over other protocols.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, Fault> {
    let mut bytes = vec![0; SIGNATURE_2.len()];
    stream.read_exact(&mut bytes).await?;
    if bytes == SIGNATURE_2 {
        version_2(stream, bytes).await
    } else if bytes.starts_with(SIGNATURE_1) {
        version_1(stream, bytes).await
    } else {
        Err(Fault::Missing)
    }
}

async fn version_1(stream: &mut (impl AsyncRead + Unpin), mut bytes: Vec<u8>) -> Result<Option<SocketAddr>, Fault> {
    // Byte by byte: where the line ends is not known, and what follows it is not ours. No header is shorter than what was
    // read already.
    while !bytes.ends_with(b"\r\n") {
        if bytes.len() == VERSION_1_BYTES_MAX {
            return Err(Fault::TooLong(VERSION_1_BYTES_MAX));
        }
        bytes.push(stream.read_u8().await?);
    }
    source(&bytes)
}

async fn version_2(stream: &mut (impl AsyncRead + Unpin), mut bytes: Vec<u8>) -> Result<Option<SocketAddr>, Fault> {
    bytes.resize(VERSION_2_HEAD_BYTES, 0);
    stream.read_exact(&mut bytes[SIGNATURE_2.len()..]).await?;
    let length = VERSION_2_HEAD_BYTES + usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if length > VERSION_2_BYTES_MAX {
        return Err(Fault::TooLong(VERSION_2_BYTES_MAX));
    }
    bytes.resize(length, 0);
    stream.read_exact(&mut bytes[VERSION_2_HEAD_BYTES..]).await?;
    source(&bytes)
}

/// Who a whole header speaks for.
fn source(bytes: &[u8]) -> Result<Option<SocketAddr>, Fault> {
    let malformed = |why: String| Fault::Malformed(why);
    let (header, length) =
        ProxyHeader::parse(bytes, ParseConfig::default()).map_err(|cause| malformed(cause.to_string()))?;
    if length != bytes.len() {
        return Err(malformed(format!("it ends after {length} of {} bytes", bytes.len())));
    }
    Ok(header.proxied_address().map(|address| address.source))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is read, and what is left behind it.
    fn outcome(bytes: &[u8]) -> (Result<Option<SocketAddr>, Fault>, Vec<u8>) {
        let mut rest = bytes;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = runtime.block_on(read(&mut rest));
        (read, rest.to_vec())
    }

    fn check(header: &[u8], source: Option<&str>) {
        let (read, rest) = outcome(&[header, b"GET / HTTP/1.1\r\n"].concat());
        assert_eq!(read.unwrap().map(|source| source.to_string()).as_deref(), source, "{header:?}");
        assert_eq!(rest, b"GET / HTTP/1.1\r\n", "{header:?}");
    }

    fn second(command_and_family: [u8; 2], payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [SIGNATURE_2.as_slice(), &command_and_family, &length, payload].concat()
    }

    const OF_IPV4: [u8; 12] = [203, 0, 113, 9, 10, 0, 0, 1, 0xdd, 0xd5, 0x01, 0xbb];

    #[test]
    fn headers_tell_the_source_and_leave_what_follows() {
        check(b"PROXY TCP4 203.0.113.9 10.0.0.1 56789 443\r\n", Some("203.0.113.9:56789"));
        check(b"PROXY TCP6 2001:db8::9 2001:db8::1 56789 443\r\n", Some("[2001:db8::9]:56789"));
        check(b"PROXY UNKNOWN\r\n", None);
        check(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None);
        check(&second([0x21, 0x11], &OF_IPV4), Some("203.0.113.9:56789"));
        let mut of_ipv6 = [0; 36];
        of_ipv6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        of_ipv6[15] = 9;
        of_ipv6[32..34].copy_from_slice(&[0xdd, 0xd5]);
        check(&second([0x21, 0x21], &of_ipv6), Some("[2001:db8::9]:56789"));
        // What a proxy adds behind the addresses is passed over.
        check(&second([0x21, 0x11], &[&OF_IPV4[..], &[0x04, 0, 2, 0, 0]].concat()), Some("203.0.113.9:56789"));
        // A proxy's own connection, and one of a kind that has no address.
        check(&second([0x20, 0x00], &[]), None);
        check(&second([0x20, 0x11], &OF_IPV4), None);
        check(&second([0x21, 0x00], &[]), None);
        check(&second([0x21, 0x31], &[0; 216]), None);
    }

    #[test]
    fn anything_else_is_a_fault() {
        let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200], b"\r\n"].concat();
        for (bytes, expect) in [
            (&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], "does not begin"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "does not begin"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00", "does not begin"),
            (b"proxy TCP4 203.0.113.9 10.0.0.1 1 2\r\n", "does not begin"),
            (b"", "ended"),
            (b"PROXY TCP4 203.0", "ended"),
            (b"PROXY TCP4 203.0.113.9\r\n", "malformed"),
            (b"PROXY TCP4 203.0.113.999 10.0.0.1 1 2\r\n", "malformed"),
            (b"PROXY TCP4 0203.0.113.9 10.0.0.1 1 2\r\n", "malformed"),
            (b"PROXY TCP4 2001:db8::9 10.0.0.1 1 2\r\n", "malformed"),
            (b"PROXY TCP4 203.0.113.9 10.0.0.1 99999 2\r\n", "malformed"),
            (b"PROXY TCP5 203.0.113.9 10.0.0.1 1 2\r\n", "malformed"),
            (&long, "longer than 107"),
            (&second([0x21, 0x11], &OF_IPV4)[..20], "ended"),
            (&second([0x21, 0x11], &OF_IPV4[..8]), "malformed"),
            (&second([0x31, 0x11], &OF_IPV4), "malformed"),
            (&second([0x2f, 0x11], &OF_IPV4), "malformed"),
            (&second([0x21, 0x11], &[0; 5_000]), "longer than 4096"),
        ] {
            let (read, _) = outcome(bytes);
            let message = read.unwrap_err().to_string();
            assert!(message.contains(expect), "{bytes:?}: {message}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_are_read_without_end(
            begins in prop::sample::select(vec![&b""[..], SIGNATURE_1, SIGNATURE_2]),
            bytes in prop::collection::vec(any::<u8>(), 0..6_000),
        ) {
            let all = [begins, &bytes].concat();
            let (read, rest) = outcome(&all);
            prop_assert!(all.len() - rest.len() <= VERSION_2_BYTES_MAX);
            prop_assert!(read.is_ok() || !read.unwrap_err().to_string().is_empty());
        }
    }
}
