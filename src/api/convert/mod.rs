//! Between protobuf messages and the model's values, one concern a file.

pub(super) mod access;
pub(super) mod attention;
pub(super) mod audit;
pub(super) mod evidence;
pub(super) mod history;
pub(super) mod importing;
pub(super) mod location;
pub(super) mod map;
pub(super) mod personal;
pub(super) mod polygon;
pub(super) mod prefix;
pub(super) mod reestimation;
pub(super) mod resident;
pub(super) mod search;
pub(super) mod share;
pub(super) mod site;
pub(super) mod ticketing;
pub(super) mod watch;

use jiff::{SignedDuration, Timestamp};
use prost_types::{Duration as ProtoDuration, Timestamp as ProtoTimestamp};

use crate::model::Invalid;
use crate::model::text::shown;

/// A time as protobuf has it.
pub(super) fn timestamp(time: Timestamp) -> ProtoTimestamp {
    ProtoTimestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// A time from a request's `field`.
pub(super) fn parse_timestamp(field: &str, time: &ProtoTimestamp) -> Result<Timestamp, Invalid> {
    let refuse = || Invalid::new(field, "a time is between the years 1 and 9999, its nanos in [0, 999999999]");
    if !(0..1_000_000_000).contains(&time.nanos) {
        return Err(refuse());
    }
    Timestamp::new(time.seconds, time.nanos).map_err(|_| refuse())
}

/// A length of time from a request's `field`.
pub(super) fn parse_duration(field: &str, time: &ProtoDuration) -> Result<SignedDuration, Invalid> {
    let is_whole = time.nanos.unsigned_abs() < 1_000_000_000;
    let is_one_sign = time.seconds == 0 || time.nanos == 0 || (time.seconds < 0) == (time.nanos < 0);
    if is_whole && is_one_sign {
        return Ok(SignedDuration::new(time.seconds, time.nanos));
    }
    Err(Invalid::new(field, format!("seconds and nanos have one sign, nanos stay below a second, got {time:?}")))
}

/// Refuses an update mask that names nothing, or a path that is neither settable nor `*` for all that are.
fn check_mask(mask: &[String], settable: &[&str]) -> Result<(), Invalid> {
    if mask.is_empty() {
        return Err(Invalid::new("update_mask", format!("name the fields to change: {}", settable.join(", "))));
    }
    let unknown = mask.iter().find(|path| *path != "*" && !settable.contains(&path.as_str()));
    unknown.map_or(Ok(()), |unknown| {
        let why = format!("{} cannot be changed: a path is one of {}", shown(unknown), settable.join(", "));
        Err(Invalid::new("update_mask", why))
    })
}

/// A text that holds an address, or nothing.
pub(super) fn optional_text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_protobuf_writes_them() {
        let of = |seconds, nanos| parse_duration("ttl", &ProtoDuration { seconds, nanos }).ok();
        assert_eq!(of(1, 500_000_000), Some(SignedDuration::from_millis(1_500)));
        assert_eq!(of(-1, -500_000_000), Some(SignedDuration::from_millis(-1_500)));
        assert_eq!(of(i64::MAX, 999_999_999), Some(SignedDuration::MAX));
        assert_eq!([of(1, -1), of(-1, 1), of(0, 1_000_000_000), of(i64::MIN, i32::MIN)], [None; 4]);
    }
}
