//! A partition's head: its generation, and which commit was the last.

use redis::Cmd;

use super::super::Revision;
use super::keys::Names;
use super::script;

/// A place in a partition's history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// Number of the last commit; 0 before the first.
    pub(super) sequence: u64,
    /// Its tag.
    pub(super) tag: String,
}

/// A partition's head.
#[derive(Debug)]
pub(super) struct Head {
    /// Drawn when the partition was made: another one is another history.
    pub(super) generation: String,
    pub(super) position: Position,
    /// The revision of each account that ever wrote; the operator's has no name.
    pub(super) revisions: Vec<(String, Revision)>,
}

/// The call that makes a partition where there is none.
pub(super) fn begin(names: &Names, partition: u16, generation: &str) -> Cmd {
    let mut call = script::call(&script::BEGIN);
    call.arg(1).arg(names.head(partition)).arg(generation);
    call
}

/// The call for a partition's head.
pub(super) fn call(names: &Names, partition: u16) -> Cmd {
    let mut call = script::call(&script::HEAD);
    call.arg(2).arg(names.head(partition)).arg(names.revisions(partition));
    call
}

/// The head in the call's answer; `None` where there is none.
pub(super) fn of(told: &[String]) -> Option<Head> {
    let [generation, sequence, tag, rest @ ..] = told else { return None };
    let revisions = rest.chunks_exact(2).filter_map(|pair| Some((pair[0].clone(), Revision(pair[1].parse().ok()?))));
    let position = Position { sequence: sequence.parse().unwrap_or_default(), tag: tag.clone() };
    Some(Head { generation: generation.clone(), position, revisions: revisions.collect() })
}
