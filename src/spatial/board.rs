//! The boards of a request: pins and clusters, and areas, each a plane of cells, filled from the tree.
//!
//! What keeps their symbols apart is `plane`'s. Read-only.

use smallvec::SmallVec;

use crate::model::location::Granularity;

use super::frame::Rect;
use super::mass::Mass;
use super::mercator::{Cell, Point};
use super::node::{Kind, Slot, quadrant};
use super::pile::{Load, Pile};
use super::plane::{Plane, Source};
use super::stop::country_level;
use super::symbols::{AreaId, AreaKind};
use super::view::View;
use super::window::Window;

/// A tree, read for a map of cells of one level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Survey<'map> {
    pub(super) view: View<'map>,
    pub(super) level: u8,
}

/// Pins and clusters: of each cell the node, or the chain that its piles are in.
pub(super) type Clusters = Plane<Slot>;
/// Areas: of each cell those whose centroid it holds.
pub(super) type Areas = Plane<Uncertainty>;

/// What areas tell of their sites' uncertainty.
#[derive(Debug, Clone)]
pub(super) struct Uncertainty {
    /// Which areas they are, from one on.
    pub(super) ids: SmallVec<[AreaId; 1]>,
    /// The largest known accuracy, in metres.
    pub(super) radius_m: Option<f64>,
    /// The coarsest granularity.
    pub(super) granularity: Granularity,
}

impl Default for Uncertainty {
    fn default() -> Self {
        Self { ids: SmallVec::new(), radius_m: None, granularity: Granularity::Door }
    }
}

impl Uncertainty {
    fn widen(&mut self, radius_m: Option<f64>, granularity: Granularity) {
        self.radius_m = self.radius_m.into_iter().chain(radius_m).reduce(f64::max);
        self.granularity = self.granularity.min(granularity);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.ids.extend_from_slice(&other.ids);
        self.widen(other.radius_m, other.granularity);
    }
}

/// What is being filled.
struct Planes<'a> {
    clusters: Option<&'a mut Clusters>,
    areas: Option<&'a mut Areas>,
}

impl Planes<'_> {
    /// Puts an area of some sites where its centroid is, if that is in the part that is being filled.
    fn add_area(&mut self, rect: &Rect, mass: &Mass, uncertainty: &Uncertainty) {
        let Some(areas) = &mut self.areas else { return };
        let point = mass.centroid();
        if rect.contains(point) {
            let content = areas.content_at(point, Uncertainty::default);
            content.mass.merge(mass);
            content.detail.merge(uncertainty);
        }
    }
}

impl Source<Slot> for Survey<'_> {
    fn fill(&self, plane: &mut Clusters, rect: &Rect) {
        self.fill_planes(&mut Planes { clusters: Some(plane), areas: None }, rect);
    }
}

impl Source<Uncertainty> for Survey<'_> {
    fn fill(&self, plane: &mut Areas, rect: &Rect) {
        self.fill_planes(&mut Planes { clusters: None, areas: Some(plane) }, rect);
    }
}

impl Survey<'_> {
    /// Both planes of a window. Costs a visit of each node above and in it.
    pub(super) fn both(self, window: Window) -> (Clusters, Areas) {
        let (mut clusters, mut areas) = (Plane::new(window), Plane::new(window));
        for rect in clusters.rects() {
            self.fill_planes(&mut Planes { clusters: Some(&mut clusters), areas: Some(&mut areas) }, &rect);
        }
        clusters.settle();
        areas.settle();
        (clusters, areas)
    }

    /// One of them.
    pub(super) fn one<T>(self, window: Window) -> Plane<T>
    where
        Self: Source<T>,
    {
        let mut plane = Plane::new(window);
        for rect in plane.rects() {
            Source::fill(&self, &mut plane, &rect);
        }
        plane.settle();
        plane
    }

    /// The sites of an area that lies around `point`.
    pub(super) fn area_mass(self, point: Point, id: AreaId) -> Mass {
        let (mut slot, mut level) = (self.view.tree.root, 0);
        loop {
            match slot.kind() {
                Kind::Empty => return Mass::default(),
                Kind::Chain(head) => {
                    let mut mass = Mass::default();
                    let piles = self.view.piles(head).filter(|pile| self.area_of(pile) == Some(id));
                    piles.for_each(|pile| self.view.weigh(pile, &mut mass));
                    return mass;
                }
                Kind::Node(at) if level == id.cell.level() => {
                    let Some(areas) = self.view.areas(at) else { return Mass::default() };
                    let is_country = id.kind == AreaKind::Country;
                    return self.view.area_mass(if is_country { &areas.country } else { &areas.stopped });
                }
                Kind::Node(at) => slot = self.view.node(at).children[quadrant(point, level)],
            }
            level += 1;
        }
    }

    /// The area of a pile's sites; `None` where they cluster.
    pub(super) fn area_of(self, pile: &Pile) -> Option<AreaId> {
        let level = pile.stop.area_level(self.level)?;
        let kind = if pile.stop.is_country() { AreaKind::Country } else { AreaKind::Stopped };
        Some(AreaId { cell: Cell::holding(pile.point, level), kind })
    }

    fn fill_planes(self, planes: &mut Planes<'_>, rect: &Rect) {
        self.fill_below(planes, self.view.tree.root, 0, Rect::WORLD, rect);
    }

    /// Takes in what lies at or below `slot`, whose cell is `cell`, and in `rect`.
    fn fill_below(self, planes: &mut Planes<'_>, slot: Slot, level: u8, cell: Rect, rect: &Rect) {
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => self.fill_from_chain(planes, slot, head, level, rect),
            Kind::Node(at) => {
                self.fill_areas_of_node(planes, at, level, cell, rect);
                let has_clusters = self.view.count(at) > 0;
                if level == self.level {
                    if let Some(clusters) = planes.clusters.as_mut().filter(|_| has_clusters) {
                        let corner = Point { x: cell.west, y: cell.north };
                        clusters.content_at(corner, || slot).mass = self.view.mass(at, level);
                    }
                    return;
                }
                // Whatever is drawn from below clusters here, but for countries.
                if !has_clusters && level >= country_level(self.level) {
                    return;
                }
                for (child, slot) in self.view.node(at).children.into_iter().enumerate() {
                    let quarter = cell.quarter(child);
                    if slot != Slot::default() && quarter.meets(rect) {
                        self.fill_below(planes, slot, level + 1, quarter, rect);
                    }
                }
            }
        }
    }

    fn fill_from_chain(self, planes: &mut Planes<'_>, slot: Slot, head: u32, level: u8, rect: &Rect) {
        let view = self.view;
        let mut areas = SmallVec::<[(Mass, Uncertainty); 4]>::new();
        for pile in view.piles(head) {
            if view.count_of_pile(pile) == 0 {
                continue;
            }
            if let Some(id) = self.area_of(pile) {
                // Where its cell is that of a node above, it is counted there.
                if planes.areas.is_some() && id.cell.level() >= level {
                    self.add_to_area(&mut areas, id, pile);
                }
            } else if let Some(clusters) = planes.clusters.as_mut().filter(|_| rect.contains(pile.point)) {
                view.weigh(pile, &mut clusters.content_at(pile.point, || slot).mass);
            }
        }
        areas.iter().for_each(|(mass, uncertainty)| planes.add_area(rect, mass, uncertainty));
    }

    /// Adds a pile to its area among those of a chain.
    fn add_to_area(self, areas: &mut SmallVec<[(Mass, Uncertainty); 4]>, id: AreaId, pile: &Pile) {
        let view = self.view;
        let at = areas.iter().position(|(_, uncertainty)| uncertainty.ids[0] == id).unwrap_or_else(|| {
            areas.push((Mass::default(), Uncertainty { ids: SmallVec::from_elem(id, 1), ..Uncertainty::default() }));
            areas.len() - 1
        });
        let (mass, uncertainty) = &mut areas[at];
        match view.tree.piles.load(pile) {
            Load::Few(_) => view.numbers(pile).for_each(|number| {
                let site = view.entries[number].facets_at(number, pile.point, pile.stop);
                mass.add(&site);
                uncertainty.widen(site.accuracy_m, site.granularity);
            }),
            Load::Crowd(total) => {
                mass.merge(&view.area_mass(total));
                uncertainty.widen(total.radius_m(view.classes), total.granularity(view.classes));
            }
        }
    }

    fn fill_areas_of_node(self, planes: &mut Planes<'_>, at: u32, level: u8, cell: Rect, rect: &Rect) {
        let Some(sums) = self.view.areas(at).filter(|_| planes.areas.is_some()) else { return };
        let classes = self.view.classes;
        let shown = [
            (&sums.stopped, AreaKind::Stopped, level < self.level),
            (&sums.country, AreaKind::Country, level == country_level(self.level)),
        ];
        for (total, kind, _) in shown.into_iter().filter(|(total, _, is_shown)| *is_shown && !total.is_empty()) {
            let mass = self.view.area_mass(total);
            if mass.count() > 0 {
                let id = AreaId { cell: Cell::holding(Point { x: cell.west, y: cell.north }, level), kind };
                let (radius_m, granularity) = (total.radius_m(classes), total.granularity(classes));
                planes.add_area(rect, &mass, &Uncertainty { ids: SmallVec::from_elem(id, 1), radius_m, granularity });
            }
        }
    }
}
