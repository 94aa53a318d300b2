//! A partition's head: its generation, and which commit was the last; and which accounts are in it.

use redis::Cmd;

use super::super::{Kind, Revision, faults};
use super::keys::Names;
use super::script;

/// What a call for a head answers.
pub(super) type Told = Vec<Option<Vec<u8>>>;

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
    /// The revision of each account that ever wrote; the operator's has no name. `None` where it is no number any more.
    pub(super) revisions: Vec<(String, Option<Revision>)>,
    /// What stands among them and is no account of this partition: another program wrote it.
    pub(super) strays: Vec<String>,
}

impl Head {
    /// Tells of what no waymark wrote among the revisions.
    pub(super) fn tell_strays(&self, names: &Names, partition: u16) {
        let place = format!("Redis, {}", names.revisions(partition));
        let damaged = self.revisions.iter().filter(|(_, revision)| revision.is_none()).map(|(account, _)| account);
        for account in self.strays.iter().chain(damaged) {
            faults::unreadable(account, Kind::Account, account, place.as_ref());
        }
    }
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

/// The head in the call's answer; `None` where there is none. An error says which key is not what waymark makes it.
pub(super) fn of(names: &Names, partition: u16, told: Told) -> Result<Option<Head>, String> {
    if told.is_empty() {
        return Ok(None);
    }
    let mut told = told.into_iter();
    let mut text = || String::from_utf8(told.next()??).ok();
    let (generation, sequence, tag) = (text(), text().and_then(|number| number.parse::<u64>().ok()), text());
    let (Some(generation), Some(sequence), Some(tag)) = (generation, sequence, tag) else {
        return Err(format!("{} does not hold what waymark keeps there", names.head(partition)));
    };
    let rest: Vec<Vec<u8>> = told.map(Option::unwrap_or_default).collect();
    let (mut revisions, mut strays) = (Vec::with_capacity(rest.len() / 2), Vec::new());
    for pair in rest.chunks_exact(2) {
        let [account, revision] = pair else { continue };
        match std::str::from_utf8(account) {
            Ok(account) if names.partition(account) == partition => {
                revisions.push((account.to_owned(), revision_of(revision)));
            }
            _ => strays.push(String::from_utf8_lossy(account).into_owned()),
        }
    }
    Ok(Some(Head { generation, position: Position { sequence, tag }, revisions, strays }))
}

/// The revision that a field holds; `None` where it is no number.
pub(super) fn revision_of(field: &[u8]) -> Option<Revision> {
    std::str::from_utf8(field).ok()?.parse().ok().map(Revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(parts: &[&[u8]]) -> Told {
        parts.iter().map(|part| Some(part.to_vec())).collect()
    }

    #[test]
    fn what_no_waymark_wrote_costs_no_other_account_its_revision() {
        let names = Names::new("waymark", 16);
        let partition = names.partition("acme");
        assert_ne!(names.partition("acme2"), partition);
        let parts: [&[u8]; 9] = [b"g", b"7", b"t", b"acme", b"5", b"\xff\xfe", b"1", b"acme2", b"1"];
        let head = of(&names, partition, told(&parts)).unwrap().unwrap();
        assert_eq!((head.generation.as_str(), head.position.sequence, head.position.tag.as_str()), ("g", 7, "t"));
        assert_eq!(head.revisions, [("acme".to_owned(), Some(Revision(5)))]);
        assert_eq!(head.strays, ["\u{fffd}\u{fffd}", "acme2"]);
        for junk in [&b"junk"[..], b"-1", b"\xff", b""] {
            let parts: [&[u8]; 5] = [b"g", b"7", b"t", b"acme", junk];
            let head = of(&names, partition, told(&parts)).unwrap().unwrap();
            assert_eq!(head.revisions, [("acme".to_owned(), None)], "an account whose revision is junk is there");
        }
    }

    #[test]
    fn a_head_that_no_commit_wrote_is_none_and_named() {
        let names = Names::new("waymark", 16);
        let whole = told(&[b"g", b"7", b"t"]);
        assert!(of(&names, 3, Vec::new()).unwrap().is_none());
        for at in 0..3 {
            for junk in [None, Some(b"\xff".to_vec())] {
                let mut head = whole.clone();
                head[at] = junk;
                let why = of(&names, 3, head).unwrap_err();
                assert!(why.contains(&names.head(3)), "{why}");
            }
        }
    }
}
