//! A run over sites that asks again where their addresses are: what would change, or what changed.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::geo::LatLng;
use super::id::{AccountId, SiteId};

/// Upper ends of the classes of distance that moves are counted by, in metres; the last class has none.
pub const MOVE_CLASSES_M: [f64; 6] = [1_000.0, 10_000.0, 25_000.0, 100_000.0, 500_000.0, 1_000_000.0];
/// Most moves that are told one by one: the farthest.
pub const WORST_MAX: usize = 20;

/// Most networks that a run keeps apart; where more changed, it looks at all sites of the account.
pub const NETWORKS_MAX: usize = 1_000;

/// What a run does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Counts it.
    Preview,
    /// Writes it.
    Apply,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on, and goes on after a restart.
    Running,
    /// All sites were looked at.
    Done,
    /// Somebody ended it. What it wrote stays.
    Cancelled,
    /// It cannot go on.
    Failed,
}

/// Which sites a run looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Those of all accounts.
    All,
    /// Those of one account that come from one of these networks.
    Networks(AccountId, Vec<IpNet>),
}

impl Reach {
    /// Takes more networks of the same account in; says whether it could.
    pub fn join(&mut self, other: &Self) -> bool {
        let (Self::Networks(account, networks), Self::Networks(theirs, more)) = (self, other) else { return false };
        if account != theirs {
            return false;
        }
        for network in more {
            if !networks.contains(network) {
                networks.push(*network);
            }
        }
        if networks.len() > NETWORKS_MAX {
            *networks = vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        }
        true
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reestimation {
    /// Its id.
    pub id: String,
    /// What it does.
    pub mode: Mode,
    /// Which sites it looks at.
    pub reach: Reach,
    /// The file that a preview asks in the place of another one: path of the candidate, path of the one in use.
    pub candidate: Option<(String, String)>,
    /// How far it is.
    pub state: State,
    /// Why it failed.
    pub failure: String,
    /// The last site that was looked at and counted.
    pub cursor: Option<(AccountId, SiteId)>,
    /// Sites up to the cursor that were counted before they were written, and may not be yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<Unwritten>,
    /// Sites there were when it began: what `seen` is a part of.
    pub total: u64,
    /// What was found so far.
    pub findings: Findings,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The actor that began it.
    pub started_by: String,
}

/// The page of sites that a run counted last. It is noted before it is written, so that each site is counted once,
/// whatever ends in between; writing a site twice changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwritten {
    /// The page begins behind this site of the cursor's account; `None` at its first one.
    pub behind: Option<SiteId>,
}

/// What a run found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// Sites that were looked at.
    pub seen: u64,
    /// Of them: sites that a person located, or whose estimate a person removed. They are left as they are.
    pub kept: u64,
    /// Sites without an address to ask for, and placed ones while no database could be asked. They are left as they are.
    pub unknown: u64,
    /// Estimates that stay where they are, as fine as they are.
    pub unchanged: u64,
    /// Estimates that stay where they are and become finer, coarser, or otherwise accurate.
    pub regraded: u64,
    /// Sites that get an estimate and had none.
    pub placed: u64,
    /// Sites that lose theirs.
    pub unplaced: u64,
    /// Estimates that move, by classes of distance: up to each of [`MOVE_CLASSES_M`], and beyond.
    pub moved: [u64; MOVE_CLASSES_M.len() + 1],
    /// The farthest moves, farthest first, at most [`WORST_MAX`].
    pub worst: Vec<Move>,
    /// Sites whose records cannot be read: restore them from a backup.
    pub unreadable: u64,
    /// Sites that could not be written, because others wrote them again and again.
    pub contended: u64,
}

/// An estimate that moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// The account.
    pub account: AccountId,
    /// The site.
    pub site: SiteId,
    /// Where it was.
    pub from: LatLng,
    /// Where it goes.
    pub to: LatLng,
    /// How far that is, in metres.
    pub distance_m: f64,
}

impl Findings {
    /// Counts a move, and keeps it if it is one of the farthest.
    pub fn add_move(&mut self, found: Move) {
        let class = MOVE_CLASSES_M.iter().position(|end_m| found.distance_m <= *end_m).unwrap_or(MOVE_CLASSES_M.len());
        self.moved[class] += 1;
        let at = self.worst.partition_point(|known| known.distance_m >= found.distance_m);
        if at < WORST_MAX {
            self.worst.insert(at, found);
            self.worst.truncate(WORST_MAX);
        }
    }

    /// Estimates that move.
    #[must_use]
    pub fn moved_total(&self) -> u64 {
        self.moved.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_one_account_join() {
        let of = |account: &str, third: u8, fourth: u8| {
            Reach::Networks(account.parse().unwrap(), vec![IpNet::new([10, 0, third, fourth].into(), 32).unwrap()])
        };
        let mut reach = of("acme", 0, 0);
        assert!(!reach.join(&of("other", 0, 1)) && !reach.join(&Reach::All) && !Reach::All.join(&of("acme", 0, 0)));
        for number in 0..=u16::try_from(NETWORKS_MAX).unwrap() {
            let [third, fourth] = number.to_be_bytes();
            assert!(reach.join(&of("acme", third, fourth)));
            let Reach::Networks(_, networks) = &reach else { panic!("{reach:?}") };
            let expect = if usize::from(number) < NETWORKS_MAX { usize::from(number) + 1 } else { 2 };
            assert_eq!(networks.len(), expect, "each once, and all addresses in the end");
        }
    }

    #[test]
    fn moves_are_counted_by_class_and_the_farthest_kept() {
        let mut findings = Findings::default();
        let from = LatLng::new(1.0, 2.0).unwrap();
        let of = |distance_m: f64| Move {
            account: "acme".parse().unwrap(),
            site: SiteId::from_u128(7),
            from,
            to: from,
            distance_m,
        };
        for number in 0..100_u32 {
            findings.add_move(of(f64::from((number * 37) % 100) * 20_000.0));
        }
        let worst: Vec<_> = findings.worst.iter().map(|found| found.distance_m).collect();
        let expect: Vec<_> = (80..100).rev().map(|number| f64::from(number) * 20_000.0).collect();
        assert_eq!(worst, expect);
        assert_eq!(findings.moved, [1, 0, 1, 4, 20, 25, 49]);
        assert_eq!(findings.moved_total(), 100);
    }
}
