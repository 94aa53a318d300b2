//! Between protobuf messages and the model's values, one concern a file.

pub(super) mod access;
pub(super) mod attention;
pub(super) mod evidence;
pub(super) mod history;
pub(super) mod location;
pub(super) mod map;
pub(super) mod polygon;
pub(super) mod prefix;
pub(super) mod reestimation;
pub(super) mod search;
pub(super) mod site;
pub(super) mod ticketing;
pub(super) mod watch;

use jiff::Timestamp;
use prost_types::Timestamp as ProtoTimestamp;

use crate::model::Invalid;

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

/// A text that holds an address, or nothing.
pub(super) fn optional_text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
