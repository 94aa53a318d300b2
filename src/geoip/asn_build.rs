//! Makes a database of autonomous systems from lists of address ranges, which is how some are published: a line of
//! `first,last,number,organization` a range, the organization perhaps in quotes.
//!
//! Knows nothing of look-ups; what it makes is read like any other file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use jiff::Timestamp;

use super::writer::{Map, TooLarge, Writer, text, uint_32};

/// The type that the made file states. It names whose data it is, by which its attribution is known.
const DATABASE_TYPE: &str = "ip-location-db-ASN (RouteViews, NRO, DB-IP)";
/// Longest line that is read, in bytes with its end: a few times the longest of any real list.
const LINE_BYTES_MAX: u64 = 4_096;

/// What was made.
#[derive(Debug)]
pub struct Built {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Ranges in it.
    pub ranges: u64,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A list cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The list.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is not a range.
    #[error("{}, line {line}: not `first,last,number,organization`, got {text:?}", path.display())]
    Malformed {
        /// The list.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A line has no end within the limit.
    #[error("{}, line {line}: longer than {bytes_max} bytes", path.display())]
    TooLong {
        /// The list.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// The limit.
        bytes_max: u64,
    },
    /// The lists hold more than the format can.
    #[error("{}, line {line}: {cause}", path.display())]
    TooLarge {
        /// The list.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is full.
        cause: String,
    },
}

/// Makes the database of these lists; where ranges overlap the later line counts. Takes seconds for the half million
/// ranges of the world, and some 100 MB of memory.
pub fn build(lists: &[PathBuf], build_time: Timestamp) -> Result<Built, BuildError> {
    let (mut writer, mut ranges) = (Writer::new(), 0);
    for path in lists {
        let unreadable = |source| BuildError::Unreadable { path: path.clone(), source };
        let mut list = BufReader::new(File::open(path).map_err(unreadable)?);
        for line in 1.. {
            let mut bytes = Vec::new();
            // One byte more than the limit: a line that was cut would read as two.
            let read = (&mut list).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut bytes).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            if read as u64 > LINE_BYTES_MAX {
                return Err(BuildError::TooLong { path: path.clone(), line, bytes_max: LINE_BYTES_MAX });
            }
            let text = String::from_utf8_lossy(&bytes);
            let range = Range::parse(text.trim_end_matches(['\r', '\n']));
            let malformed = || BuildError::Malformed { path: path.clone(), line, text: text.trim_end().to_owned() };
            let range = range.ok_or_else(malformed)?;
            let too_large =
                |cause: TooLarge| BuildError::TooLarge { path: path.clone(), line, cause: cause.to_string() };
            range.networks.iter().try_for_each(|network| writer.put(*network, range.record())).map_err(too_large)?;
            ranges += 1;
        }
    }
    Ok(Built { bytes: writer.finish(DATABASE_TYPE, build_time), ranges })
}

/// One line.
struct Range {
    networks: Vec<IpNet>,
    number: u32,
    organization: String,
}

impl Range {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(4, ',');
        let (first, last) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let networks: Vec<_> = match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect(),
            (IpAddr::V6(first), IpAddr::V6(last)) => Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect(),
            _ => return None,
        };
        let (number, organization) = (fields.next()?.parse().ok()?, fields.next()?);
        let organization = match organization.strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"')?.replace("\"\"", "\""),
            None => organization.to_owned(),
        };
        (!networks.is_empty()).then_some(Self { networks, number, organization })
    }

    fn record(&self) -> Vec<u8> {
        let number = Map::new().with("autonomous_system_number", uint_32(self.number));
        number.with("autonomous_system_organization", text(&self.organization)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::age::AgePolicy;
    use super::super::database::{Database, Schema};
    use super::*;

    fn build_of(text: &str) -> Result<Built, BuildError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list.csv");
        std::fs::write(&path, text).unwrap();
        build(&[path], Timestamp::from_second(1_781_654_400).unwrap())
    }

    fn ask(database: &Database, ip: &str) -> String {
        match database.look_up(ip.parse().unwrap()).unwrap() {
            Some(answer) => format!("{} {} {}", answer.network(), answer.record.asn.unwrap(), answer.record.isp),
            None => String::new(),
        }
    }

    #[test]
    fn what_is_built_is_found_again() {
        let long = "x".repeat(256);
        let built = build_of(&format!(
            "1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\r\n\
             1.0.1.0,1.0.3.255,4294967295,\"The \"\"Net\"\"\"\n\
             255.255.255.255,255.255.255.255,1,{long}\n\
             2001:200::,2001:200:1b9:ffff:ffff:ffff:ffff:ffff,2500,WIDE Project\n\
             2606::,2606:ffff:ffff:ffff:ffff:ffff:ffff:ffff,7,Broad\n\
             2606:4700::,2606:4700::ffff,8,Narrow"
        ))
        .unwrap();
        assert_eq!(built.ranges, 6);
        let database = Database::from_bytes(Path::new("asn.mmdb"), built.bytes, AgePolicy::default()).unwrap();
        assert_eq!((database.info().schema, database.info().ipv4_networks), (Schema::NetworkOnly, 4));
        assert_eq!(database.info().build_time.to_string(), "2026-06-17T00:00:00Z");
        for (ip, expect) in [
            ("1.0.0.0", "1.0.0.0/24 13335 Cloudflare, Inc."),
            ("1.0.0.255", "1.0.0.0/24 13335 Cloudflare, Inc."),
            ("1.0.1.0", "1.0.1.0/24 4294967295 The \"Net\""),
            ("1.0.3.255", "1.0.2.0/23 4294967295 The \"Net\""),
            ("1.0.4.0", ""),
            ("0.255.255.255", ""),
            ("255.255.255.255", &format!("255.255.255.255/32 1 {long}")),
            ("2001:200::", "2001:200::/40 2500 WIDE Project"),
            ("2001:200:1b9:ffff::", "2001:200:1b8::/47 2500 WIDE Project"),
            ("2001:200:1ba::", ""),
            ("2606:4700::7", "2606:4700::/112 8 Narrow"),
            ("2606:4700::1:0", "2606:4700::1:0/112 7 Broad"),
            ("2606:1::", "2606::/18 7 Broad"),
        ] {
            assert_eq!(ask(&database, ip), expect, "{ip}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_named() {
        let range = "1.0.0.0,1.0.0.255,1,";
        // What follows the limit would read as a range of its own.
        let line = |bytes: usize| format!("{range}{}{range}{}", "x".repeat(bytes - range.len()), "y\n");
        let too_long =
            |line: &str| matches!(build_of(line), Err(BuildError::TooLong { line: 1, bytes_max: 4_096, .. }));
        assert!(too_long(&line(4_096)) && too_long(&line(9_000)));
        assert!(too_long(&format!("{range}\"{}\"", "x".repeat(9_000))));
        // The longest that is read, with and without an end.
        let longest = format!("{range}{}", "x".repeat(4_095 - range.len()));
        assert_eq!(build_of(&format!("{longest}\n{longest}x")).unwrap().ranges, 2);
        assert!(too_long(&format!("{longest}x\n")));
    }

    #[test]
    fn the_whole_of_a_family_is_one_range() {
        let built = build_of(
            "2606::,2606:ffff:ffff:ffff:ffff:ffff:ffff:ffff,1,Before\n\
             ::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,2,All\n\
             2a00::,2a00:ffff:ffff:ffff:ffff:ffff:ffff:ffff,3,After\n\
             0.0.0.0,255.255.255.255,4,Old\n\
             1.0.0.0,1.0.0.255,5,Older",
        )
        .unwrap();
        let database = Database::from_bytes(Path::new("asn.mmdb"), built.bytes, AgePolicy::default()).unwrap();
        for (ip, expect) in [
            ("2606::7", "2000::/5 2 All"),
            ("a000::1", "8000::/1 2 All"),
            ("2a00::1", "2a00::/16 3 After"),
            ("8.8.8.8", "8.0.0.0/5 4 Old"),
            ("1.0.0.1", "1.0.0.0/24 5 Older"),
        ] {
            assert_eq!(ask(&database, ip), expect, "{ip}");
        }
    }

    #[test]
    fn a_line_that_is_no_range_is_named() {
        for line in [
            "",
            "1.0.0.0,1.0.0.255,13335",
            "1.0.0.9,1.0.0.1,1,x",
            "1.0.0.0,2001::,1,x",
            "1.0.0.0/24,,1,x",
            "1.0.0.0,1.0.0.255,-1,x",
            "1.0.0.0,1.0.0.255,1,\"x",
        ] {
            let fault = build_of(&format!("1.0.0.0,1.0.0.255,1,x\n{line}\n")).unwrap_err();
            assert!(matches!(fault, BuildError::Malformed { line: 2, .. }), "{line}: {fault}");
        }
        let missing = build(&["nowhere.csv".into()], Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(missing.to_string().starts_with("nowhere.csv: "), "{missing}");
    }
}
