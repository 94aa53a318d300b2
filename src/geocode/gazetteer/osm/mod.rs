//! Reads an `.osm.pbf` extract of OpenStreetMap: addresses on nodes and ways, named streets, and places.
//!
//! Two passes. The first finds the places, which are the towns of addresses that do not say theirs, and the nodes that
//! ways need; the second has their positions before it comes to the ways, because a file is sorted by type. Memory is a
//! block of the file, and 16 bytes for each node of an address's outline, one node for each part of a street: a
//! gigabyte at most. Knows nothing of streets as a whole.

mod blobs;
mod block;
#[cfg(test)]
pub(super) mod fixture;
mod nodes;
mod tags;
#[cfg(test)]
mod tests;
mod wire;

use std::fs;
use std::path::Path;

use self::blobs::{Blobs, Kind};
use self::block::{Block, Element, Tags, check_header};
use self::nodes::Nodes;
pub(super) use self::nodes::Wanted;
use self::tags::Means;
use self::wire::Damaged;
use super::doors::Door;
use super::imports::Report;
use super::record::Source;
use super::sources::{Progress, malformed};
use super::towns::Town;
use crate::geocode::Error;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// The present step of a build, for people.
const STEP: &str = "OpenStreetMap";
/// Most places of a file: several times those of the largest country, and some hundred megabytes.
const TOWNS_MAX: usize = 2_000_000;

/// What is known of all elements of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    /// Whose they are.
    pub(super) source: Source,
    /// Their country, where it is one.
    pub(super) country: Option<CountryCode>,
}

/// What the first pass found.
pub(super) struct Survey {
    /// The cities, towns and villages.
    pub(super) towns: Vec<Town>,
    /// What the second pass needs.
    pub(super) wanted: Wanted,
}

/// The first pass.
///
/// # Errors
/// `SourceFile`, with the offset of the block, for a file that is damaged, needs what is not read here, is not sorted by
/// type, or needs more memory than is given to it.
pub(super) fn survey(path: &Path, of: Of, progress: &dyn Fn(Progress)) -> Result<Survey, Error> {
    let mut survey = Survey { towns: Vec::new(), wanted: Wanted::default() };
    let mut has_ways = false;
    sweep(path, 0, progress, &mut |element| {
        match element {
            Element::Node { .. } if has_ways => {
                return Err(malformed(path, &"it has nodes behind ways: sort it with `osmium sort`"));
            }
            Element::Node { .. } if survey.towns.len() >= TOWNS_MAX => {
                return Err(malformed(path, &format!("it has more than {TOWNS_MAX} places: cut it into extracts")));
            }
            Element::Node { degrees, tags, .. } => {
                let position = LatLng::new(degrees.0, degrees.1).ok();
                survey.towns.extend(position.and_then(|position| tags::town(tags, position, of.country)));
            }
            Element::Way { nodes, tags, .. } => {
                has_ways = true;
                survey.wanted.add(outline(nodes, tags)).map_err(|fault| malformed(path, &fault))?;
            }
        }
        Ok(())
    })?;
    Ok(survey)
}

/// The second pass: hands every address and every part of a named street to `each`, and tells what came of them.
///
/// # Errors
/// As [`survey`]; `SourceFile` too where nothing is an address or street; and the first error of `each`.
pub(super) fn read(
    path: &Path,
    of: Of,
    wanted: Wanted,
    progress: &dyn Fn(Progress),
    each: &mut dyn FnMut(Door) -> Result<(), Error>,
) -> Result<Report, Error> {
    let Of { source, country } = of;
    let mut nodes: Nodes = wanted.into();
    let mut report = Report::default();
    sweep(path, 1, progress, &mut |element| {
        let doors = match element {
            Element::Node { id, degrees, tags } => {
                let position = LatLng::new(degrees.0, degrees.1).ok();
                nodes.place(id, position);
                match tags::means(tags, false) {
                    Means::Address => tags::doors(tags, id, position, source, country),
                    _ => return Ok(()),
                }
            }
            Element::Way { id, nodes: own, tags } => {
                let position = nodes.centroid(outline(own, tags));
                // Ways are told from nodes by their sign.
                let id = id.checked_neg().unwrap_or(i64::MIN);
                match tags::means(tags, true) {
                    Means::Address => tags::doors(tags, id, position, source, country),
                    Means::Street => tags::street(tags, id, position, source, country),
                    Means::Nothing => return Ok(()),
                }
            }
        };
        report.count(doors).into_iter().flatten().try_for_each(&mut *each)
    })?;
    if report.kept == 0 {
        return Err(malformed(path, &format!("it holds no address and no street with a name: {report}")));
    }
    Ok(report)
}

/// The nodes that a way's position is made of: of an outline each corner once, of a street the one in the middle.
fn outline<'a>(nodes: &'a [i64], tags: &Tags<'_>) -> &'a [i64] {
    match tags::means(tags, true) {
        Means::Nothing => &[],
        Means::Street => nodes.get(nodes.len() / 2).map_or(&[], std::slice::from_ref),
        Means::Address if nodes.len() > 1 && nodes.first() == nodes.last() => &nodes[1..],
        Means::Address => nodes,
    }
}

/// Shows every node and way of the file to `each`.
fn sweep(
    path: &Path,
    pass: u64,
    progress: &dyn Fn(Progress),
    each: &mut dyn FnMut(Element<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let bytes = fs::metadata(path).map_err(|cause| malformed(path, &cause))?.len();
    let mut blobs = Blobs::open(path)?;
    let mut has_header = false;
    while let Some(kind) = blobs.next()? {
        match kind {
            Kind::Header => {
                check_header(blobs.block()).map_err(|damage| blobs.damaged(damage))?;
                has_header = true;
            }
            Kind::Data if !has_header => return Err(blobs.damaged(Damaged("no header stands before it"))),
            Kind::Data => {
                let block = Block::new(blobs.block()).map_err(|damage| blobs.damaged(damage))?;
                block.elements(&|damage| blobs.damaged(damage), each)?;
            }
        }
        progress(Progress { done: pass * bytes + blobs.bytes_read(), total: Some(2 * bytes), what: STEP });
    }
    if has_header { Ok(()) } else { Err(malformed(path, &"it is no .osm.pbf file: it has no header")) }
}
