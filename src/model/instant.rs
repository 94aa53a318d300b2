//! Instants in records: RFC 3339 for people and JSON, two whole numbers in packed copies, which are read much faster.
//!
//! For serde's `with`. Exact to the nanosecond either way.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Seconds of Unix time, and nanoseconds of the same sign.
type Packed = (i64, i32);

/// Writes an instant.
pub(super) fn serialize<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return instant.serialize(serializer);
    }
    (instant.as_second(), instant.subsec_nanosecond()).serialize(serializer)
}

/// Reads an instant.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    if deserializer.is_human_readable() {
        return Timestamp::deserialize(deserializer);
    }
    let (second, nanosecond) = Packed::deserialize(deserializer)?;
    Timestamp::new(second, nanosecond).map_err(de::Error::custom)
}

/// The same for instants that may be missing.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Instant(#[serde(with = "super")] Timestamp);

    /// Writes an instant or none.
    #[expect(clippy::ref_option, reason = "the form that serde's `with` asks for")]
    pub(in crate::model) fn serialize<S: Serializer>(
        instant: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        instant.map(Instant).serialize(serializer)
    }

    /// Reads an instant or none.
    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<Instant>::deserialize(deserializer)?.map(|instant| instant.0))
    }
}
