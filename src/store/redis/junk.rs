//! Which key of ours another program made something else: Redis refuses what is asked of it, and names no key.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Value};

use super::super::{Error, Kind, faults};
use super::keys::Names;
use super::trouble::{PLACE, Trouble};

/// What Redis keeps under a key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Hash,
    SortedSet,
    Stream,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::SortedSet => "sorted set",
            Self::Stream => "stream",
        }
    }
}

/// A key, and what is kept there.
pub(super) type Shaped = (String, Shape);

/// The keys of a partition, whoever's records are in it.
pub(super) fn of_partition(names: &Names, partition: u16) -> Vec<Shaped> {
    vec![
        (names.head(partition), Shape::Hash),
        (names.revisions(partition), Shape::Hash),
        (names.stream(partition), Shape::Stream),
    ]
}

/// Those of an account's records of a kind.
pub(super) fn of_records(names: &Names, account: &str, kind: Kind) -> [Shaped; 2] {
    [(names.records(account, kind), Shape::Hash), (names.index(account, kind), Shape::SortedSet)]
}

/// Says which of these keys is something else; `None` where none is, and where nobody answers.
pub(super) async fn find(keys: &[Shaped], connection: &mut MultiplexedConnection) -> Option<String> {
    let mut probes = redis::pipe();
    for (key, shape) in keys {
        // Each is refused for the type alone, costs nothing, and is among what waymark's account may do.
        match shape {
            Shape::Hash => probes.cmd("HLEN").arg(key),
            Shape::SortedSet => probes.cmd("ZSCORE").arg(key).arg(""),
            Shape::Stream => probes.cmd("XRANGE").arg(key).arg("+").arg("-").arg("COUNT").arg(1),
        };
    }
    probes.ignore_errors();
    let answers: Vec<RedisResult<Value>> = probes.query_async(connection).await.ok()?;
    let is_damaged = |answer: &RedisResult<Value>| match answer {
        Ok(_) => false,
        Err(cause) => matches!(Trouble::of(cause), Trouble::Damaged(_)),
    };
    let (key, shape) = keys.get(answers.iter().position(is_damaged)?)?;
    Some(format!("{key} is not the {} that waymark keeps there: another program made it something else", shape.name()))
}

/// What is told of a refusal where nothing was done; the key is named where it is one of these.
pub(super) async fn told(cause: &RedisError, keys: &[Shaped], connection: &mut MultiplexedConnection) -> Error {
    match Trouble::of(cause) {
        Trouble::Damaged(why) => faults::damaged(PLACE, find(keys, connection).await.unwrap_or(why)),
        _ => Trouble::of_read(cause),
    }
}
