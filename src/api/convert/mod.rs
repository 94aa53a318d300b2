//! Between protobuf messages and the model's values, one concern a file.

pub(super) mod access;
pub(super) mod attention;
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
pub(super) mod site;
pub(super) mod ticketing;
pub(super) mod watch;

use jiff::Timestamp;
use prost_types::Timestamp as ProtoTimestamp;

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
