//! Runs over sites that ask again where their addresses are.

use super::location::lat_lng;
use super::timestamp;
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::reestimation::{MOVE_CLASSES_M, Mode, Move, Reach, Reestimation, State};

/// A run.
pub(in crate::api) fn reestimation(run: Reestimation) -> pb::Reestimation {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (account, networks) = match &run.reach {
        Reach::All => (String::new(), Vec::new()),
        Reach::Networks(account, networks) => {
            (names::of_account(account), networks.iter().map(ToString::to_string).collect())
        }
    };
    let (candidate_path, replaced_path) = run.candidate.unwrap_or_default();
    let found = run.findings;
    let ends = MOVE_CLASSES_M.into_iter().map(Some).chain([None]);
    pb::Reestimation {
        name: names::of_reestimation(&run.id),
        mode: mode(run.mode).into(),
        state: state(run.state).into(),
        failure: run.failure,
        account,
        networks,
        candidate_path,
        replaced_path,
        total_count: count(run.total),
        seen_count: count(found.seen),
        kept_count: count(found.kept),
        unknown_count: count(found.unknown),
        unchanged_count: count(found.unchanged),
        regraded_count: count(found.regraded),
        placed_count: count(found.placed),
        unplaced_count: count(found.unplaced),
        moved_count: count(found.moved_total()),
        moves: ends
            .zip(found.moved)
            .map(|(distance_m_max, moved)| pb::MoveClass { distance_m_max, count: count(moved) })
            .collect(),
        worst_moves: found.worst.iter().map(site_move).collect(),
        contended_count: count(found.contended),
        unreadable_count: count(found.unreadable),
        start_time: Some(timestamp(run.started_at)),
        end_time: run.ended_at.map(timestamp),
        starter: run.started_by,
    }
}

fn mode(mode: Mode) -> pb::reestimation::Mode {
    match mode {
        Mode::Preview => pb::reestimation::Mode::Preview,
        Mode::Apply => pb::reestimation::Mode::Apply,
    }
}

fn state(state: State) -> pb::reestimation::State {
    match state {
        State::Running => pb::reestimation::State::Running,
        State::Done => pb::reestimation::State::Done,
        State::Cancelled => pb::reestimation::State::Cancelled,
        State::Failed => pb::reestimation::State::Failed,
    }
}

fn site_move(found: &Move) -> pb::SiteMove {
    pb::SiteMove {
        site: names::of_site(&found.account, found.site),
        from: Some(lat_lng(found.from)),
        to: Some(lat_lng(found.to)),
        distance_m: found.distance_m,
    }
}
