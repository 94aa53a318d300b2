//! What becomes of sites: by the use cases that people and agents call, and beside them in the list of what is to be true.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::now;
use super::model::{Fleet, Known, Spot, Texts, estimate_of, position};
use crate::model::address::AddressQuery;
use crate::model::device::DevicePosition;
use crate::model::geo::LatLng;
use crate::model::history::Cause;
use crate::model::id::AgentId;
use crate::model::location::{Evidence, Fix, Granularity, Source};
use crate::model::site::Status;
use crate::model::site_address::{AddressState, SiteAddress};
use crate::service::activation::Activation;
use crate::service::patch::SitePatch;
use crate::service::record::{self, Author};
use crate::service::sites::ChangeOptions;
use crate::service::{Error, Versioned};
use crate::store::Store as _;

/// Where devices measure themselves.
const MEASURED: (f64, f64) = (41.0, 16.0);
/// Spots of pins, some within metres or kilometres of one another; the first is where all are gathered.
const SPOTS: [(f64, f64); 6] =
    [(47.37, 8.54), (47.370_01, 8.540_01), (47.38, 8.6), (48.0, 9.0), (51.5, -0.1), (59.9, 10.7)];

/// What becomes of sites.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Activate(u8),
    Create(u8, Texts),
    Pin(Index, (f64, f64)),
    /// All sites that are there are put on one spot.
    Gather,
    Reset(Index),
    Address(Index, u8, AddressState, (f64, f64)),
    Restatus(Index, Status),
    Relabel(Index, Texts),
    Rename(Index, u8),
    Delete(Index),
    Undelete(Index),
}

pub(super) fn any_act() -> impl Strategy<Value = Act> {
    let spot = || {
        prop_oneof![
            3 => prop::sample::select(SPOTS.to_vec()),
            1 => (30.0..60.0_f64, -20.0..30.0_f64),
        ]
    };
    let states = vec![
        AddressState::Applied,
        AddressState::Ambiguous,
        AddressState::NotFound,
        AddressState::Pending,
        AddressState::Expired,
    ];
    let site = any::<Index>;
    prop_oneof![
        5 => (0..16_u8).prop_map(Act::Activate),
        5 => (0..20_u8, Texts::any()).prop_map(|(name, texts)| Act::Create(name, texts)),
        6 => (site(), spot()).prop_map(|(site, spot)| Act::Pin(site, spot)),
        1 => Just(Act::Gather),
        2 => site().prop_map(Act::Reset),
        3 => (site(), 0..9_u8, prop::sample::select(states), spot())
            .prop_map(|(site, number, state, spot)| Act::Address(site, number, state, spot)),
        4 => (site(), prop::sample::select(Status::ALL.to_vec()))
            .prop_map(|(site, status)| Act::Restatus(site, status)),
        4 => (site(), Texts::any()).prop_map(|(site, texts)| Act::Relabel(site, texts)),
        2 => (site(), 0..20_u8).prop_map(|(site, name)| Act::Rename(site, name)),
        2 => site().prop_map(Act::Delete),
        2 => site().prop_map(Act::Undelete),
    ]
}

/// Acts that leave a crowd, estimates, measured sites, one without a position, and sites with and without texts.
pub(super) fn one_of_each() -> Vec<Act> {
    let texts = |name| if name == 3 { Texts::full() } else { Texts::default() };
    let mut acts: Vec<Act> = (0..8).map(Act::Activate).collect();
    acts.extend((0..10).map(|name| Act::Create(name, texts(name))));
    // A crowd, and then some elsewhere and nowhere.
    acts.push(Act::Gather);
    acts.extend((8..13).map(Act::Activate));
    acts.push(Act::Create(12, Texts::full()));
    acts
}

impl Fleet<'_> {
    /// Does it, as far as it can be done just then.
    pub(super) async fn act(&mut self, act: &Act) {
        match act {
            Act::Activate(number) => return self.activate(*number).await,
            Act::Create(name, texts) => return self.create(*name, texts).await,
            Act::Gather => {
                for at in 0..self.sites.len() {
                    if !self.sites[at].is_deleted {
                        self.pin(at, position(SPOTS[0])).await;
                    }
                }
            }
            _ => {}
        }
        if self.sites.is_empty() {
            return;
        }
        let count = self.sites.len();
        let pick = |index: &Index| index.index(count);
        match act {
            Act::Activate(_) | Act::Create(..) | Act::Gather => {}
            Act::Pin(site, spot) => self.pin(pick(site), position(*spot)).await,
            Act::Reset(site) => self.reset(pick(site)).await,
            Act::Address(site, number, state, spot) => {
                self.state_address(pick(site), *number, *state, position(*spot)).await;
            }
            Act::Restatus(site, status) => {
                let patch = SitePatch { status: Some(*status), ..SitePatch::default() };
                self.update(pick(site), patch, true, |site| site.status = *status).await;
            }
            Act::Relabel(site, texts) => {
                self.update(pick(site), texts.patch(), true, |site| site.texts = Some(texts.clone())).await;
            }
            Act::Rename(site, name) => {
                let (at, name) = (pick(site), name_of(*name));
                let patch = SitePatch { display_name: Some(name.clone()), ..SitePatch::default() };
                self.update(at, patch, self.is_free(&name, Some(at)), |site| site.display_name = name).await;
            }
            Act::Delete(site) => self.delete(pick(site)).await,
            Act::Undelete(site) => self.undelete(pick(site)).await,
        }
    }

    async fn activate(&mut self, number: u8) {
        let (world, agent) = (self.world, format!("fw-{number}"));
        let accuracy_m = match number % 8 {
            3 => Some(40.0),
            7 => Some(60_000.0),
            _ => None,
        };
        let device = accuracy_m.map(|accuracy_m| DevicePosition::new(position(MEASURED), accuracy_m).unwrap());
        let activation = Activation {
            account: self.account.clone(),
            agent: agent.parse::<AgentId>().unwrap(),
            agent_key: vec![number; 32],
            display_name: String::new(),
            claimed_ip: None,
            public_ip: Ok([10, number % 5, 0, number].into()),
            device,
        };
        let outcome = world.waymark.activate_agent(&world.operator, activation).await;
        let known = self.sites.iter().position(|site| site.agent.as_deref() == Some(agent.as_str()));
        let report = |site: &mut Known| {
            // People alone end a maintenance.
            if site.status != Status::Maintenance {
                site.status = Status::Online;
            }
        };
        let Some(at) = known else {
            let id = outcome.as_ref().unwrap().site.value.id;
            let mut site = Known { agent: Some(agent.clone()), ..Known::new(id, agent) };
            site.estimate = estimate_of(number % 5);
            site.measured = device.map(|device| Spot {
                position: device.position,
                accuracy_m: Some(device.accuracy_m),
                granularity: device.granularity(),
            });
            self.sites.push(site);
            return self.settle(self.sites.len() - 1, &outcome, true, report).await;
        };
        let is_there = !self.sites[at].is_deleted;
        self.settle(at, &outcome, is_there, report).await;
    }

    async fn create(&mut self, name: u8, texts: &Texts) {
        let (world, name) = (self.world, name_of(name));
        let is_free = self.is_free(&name, None);
        let patch = SitePatch { display_name: Some(name.clone()), ..texts.patch() };
        let outcome = world.waymark.create_site(&world.operator, &self.account, patch, "").await;
        assert_eq!(outcome.is_ok(), is_free, "{outcome:?}");
        let Ok(Versioned { value, .. }) = &outcome else { return };
        self.sites.push(Known { texts: Some(texts.clone()), ..Known::new(value.id, name) });
        self.settle(self.sites.len() - 1, &outcome, true, |_| {}).await;
    }

    async fn update(&mut self, at: usize, patch: SitePatch, may: bool, change: impl FnOnce(&mut Known)) {
        let (world, site, options) = (self.world, self.sites[at].id, ChangeOptions::default());
        let outcome = world.waymark.update_site(&world.operator, &self.account, site, patch, &options).await;
        let is_there = !self.sites[at].is_deleted;
        self.settle(at, &outcome, is_there && may, change).await;
    }

    async fn pin(&mut self, at: usize, spot: LatLng) {
        let (world, site, options) = (self.world, self.sites[at].id, ChangeOptions::default());
        let outcome = world.waymark.set_pin(&world.operator, &self.account, site, spot, None, &options).await;
        let is_there = !self.sites[at].is_deleted;
        self.settle(at, &outcome, is_there, |site| site.person = Some((Source::Pin, spot))).await;
    }

    async fn reset(&mut self, at: usize) {
        let (world, site, options) = (self.world, self.sites[at].id, ChangeOptions::default());
        let outcome = world.waymark.reset_location(&world.operator, &self.account, site, &options).await;
        let is_there = !self.sites[at].is_deleted;
        self.settle(at, &outcome, is_there, |site| (site.person, site.address) = (None, None)).await;
    }

    async fn delete(&mut self, at: usize) {
        let (world, site) = (self.world, self.sites[at].id);
        let outcome = world.waymark.delete_site(&world.operator, &self.account, site, String::new()).await;
        let is_there = !self.sites[at].is_deleted;
        self.settle(at, &outcome, is_there, |site| site.is_deleted = true).await;
    }

    async fn undelete(&mut self, at: usize) {
        let (world, site) = (self.world, self.sites[at].id);
        let outcome = world.waymark.undelete_site(&world.operator, &self.account, site, String::new(), "").await;
        let may = self.sites[at].is_deleted && self.is_free(&self.sites[at].display_name, None);
        self.settle(at, &outcome, may, |site| site.is_deleted = false).await;
    }

    /// Writes an address and what became of it, as the work behind the calls does: there is no geocoder here.
    async fn state_address(&mut self, at: usize, number: u8, state: AddressState, spot: LatLng) {
        if self.sites[at].is_deleted {
            return;
        }
        let world = self.world;
        let found = world.waymark.find_site(&self.account, self.sites[at].id).await.unwrap();
        let Versioned { value: before, revision } = found.unwrap();
        let is_applied = state == AddressState::Applied;
        let typed = format!("{number} Typed Lane");
        let written = if is_applied { format!("{number} Written Row") } else { String::new() };
        let (query, by) = (AddressQuery::line(&typed).unwrap(), "token:1".to_owned());
        let mut site = before.clone();
        let stated = SiteAddress::stated(&query, None, false, by.clone(), now());
        site.address = Some(SiteAddress { formatted: written.clone(), state, ..stated });
        if is_applied {
            let made_at = site.fixes.next_time(now());
            site.fixes.put(Fix {
                source: Source::Address,
                position: spot,
                accuracy_m: None,
                granularity: Granularity::Door,
                evidence: Evidence::Measured,
                made_at,
                made_by: by,
            });
        }
        site.updated_at = now();
        let author = Author::of(&world.operator, Cause::AddressStated);
        let batch = record::replace(&before, revision, &mut site, &author, now());
        let outcome = world.store.commit(batch).await.map_err(Error::from);
        let change = |site: &mut Known| {
            site.address = Some((typed, written, state));
            if is_applied {
                site.person = Some((Source::Address, spot));
            }
        };
        self.settle(at, &outcome, true, change).await;
    }

    /// Asserts that a change came about where it may; then it is one of the list too, with the times that the record says.
    async fn settle<T: Debug>(
        &mut self,
        at: usize,
        outcome: &Result<T, Error>,
        may: bool,
        change: impl FnOnce(&mut Known),
    ) {
        assert_eq!(outcome.is_ok(), may, "{outcome:?}");
        if !may {
            return;
        }
        let found = self.world.waymark.find_site(&self.account, self.sites[at].id).await.unwrap().unwrap();
        let site = &mut self.sites[at];
        (site.created_at, site.updated_at) = (found.value.created_at, found.value.updated_at);
        change(site);
    }

    /// Whether no site has the name, but perhaps this one.
    fn is_free(&self, name: &str, but: Option<usize>) -> bool {
        let mut others = self.sites.iter().enumerate().filter(|(at, _)| Some(*at) != but);
        !others.any(|(_, site)| !site.is_deleted && site.display_name == name)
    }
}

fn name_of(number: u8) -> String {
    format!("Pump {number}")
}
