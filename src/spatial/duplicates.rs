//! Sites that stand so near to others that they may be the same: a walk along the map, a page at a time. Read-only.

use std::ops::ControlFlow;

use crate::model::id::SiteId;

use super::entry::EntryRef;
use super::near::{Near, within_behind};
use super::refusal::Refusal;
use super::region::World;
use super::view::View;
use super::walk::{LOOKS_MAX, WalkCursor, Walked, walk};

/// Most neighbours that are told of one site.
pub const OTHERS_MAX: usize = 100;
/// Neighbours on a page after which it ends: an answer of some 2 MB at most, where gRPC's clients take 4 by default.
pub const PAGE_OTHERS_MAX: usize = 10_000;

/// A site, and its neighbours of greater ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicate<'map> {
    /// The site.
    pub site: EntryRef<'map>,
    /// Those within the distance, nearest first, at most [`OTHERS_MAX`].
    pub others: Vec<Near<'map>>,
    /// Whether there are more.
    pub has_more: bool,
}

pub(super) fn near_duplicates(
    view: View<'_>,
    distance_m: f64,
    from: Option<WalkCursor>,
    limit: usize,
) -> Result<Walked<Duplicate<'_>>, Refusal> {
    let mut found = Vec::new();
    let (mut is_begun, mut told, mut refusal) = (false, 0, None);
    // Of a great stack no more is looked at than a page may come to.
    let group_max = limit.saturating_add(OTHERS_MAX + 2);
    let next = walk(view, &World, from, group_max, |group| {
        for (at, &(site, number)) in group.sites.iter().enumerate() {
            let is_full = found.len() >= limit || told >= PAGE_OTHERS_MAX || *group.looks >= LOOKS_MAX;
            // Those behind the last ones are not all there.
            let is_past_order = group.has_more && at >= limit;
            // Each page does one site at least, so that the walk goes on.
            if is_begun && (is_full || is_past_order) {
                return ControlFlow::Break(WalkCursor { place: group.place, site });
            }
            is_begun = true;
            let behind = &group.sites[at + 1..];
            let near = || within_behind(view, (view.entries[number].position(), site), distance_m, OTHERS_MAX + 1);
            let (mut others, looks) =
                match on_the_spot(view, number, behind).map_or_else(near, |others| Ok((others, 0))) {
                    Ok(near) => near,
                    Err(why) => {
                        refusal = Some(why);
                        return ControlFlow::Break(WalkCursor { place: group.place, site });
                    }
                };
            *group.looks += looks;
            *group.looks += 1 + others.len();
            let has_more = others.len() > OTHERS_MAX;
            others.truncate(OTHERS_MAX);
            told += others.len();
            if !others.is_empty() {
                found.push(Duplicate { site: view.entries.get(number), others, has_more });
            }
        }
        ControlFlow::Continue(())
    });
    refusal.map_or(Ok(Walked { found, next }), Err)
}

/// The next sites of the same position, where there are more of them than are told: a great stack would otherwise be
/// looked at once for each of its sites.
fn on_the_spot<'map>(view: View<'map>, number: u32, behind: &[(SiteId, u32)]) -> Option<Vec<Near<'map>>> {
    let position = view.entries[number].position();
    let others = behind.get(..=OTHERS_MAX)?.iter().map(|(_, number)| view.entries.get(*number));
    others.map(|other| (other.position == position).then_some((other, 0.0))).collect()
}
