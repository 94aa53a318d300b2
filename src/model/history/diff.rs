//! What two versions of a site differ in, as far as people are concerned.
//!
//! The one place that decides what gets into a history. Left out is what makes no difference to anybody, or follows from
//! what is kept: times of reports, how a file cuts the network of a public address out, the address by which an agent knows
//! itself, renewed evidence behind an estimate that stays where it is, attempts to ask a geocoder, the order of links, when
//! they were checked and which names were found. What a check makes of a link, its state, is told, and who runs the network.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Edit, Field, LinkId, PastText, Value};
use crate::model::location::Source;
use crate::model::site::{Contact, Site, TicketingLink};
use crate::model::ticketing::LinkCheck;

/// The edits that make `after` of `before`, two versions of one site.
///
/// Cost: a comparison of each field; values are copied where they differ.
#[must_use]
pub fn diff(before: &Site, after: &Site) -> Vec<Edit> {
    is_considered(after);
    let mut edits = Edits(Vec::new());
    edits.texts(before, after);
    edits.keyed(before, after);
    edits.location(before, after);
    edits.rest(before, after);
    edits.0
}

/// The long text that `edits` took away from `before`, with the name under which the entry knows it.
#[must_use]
pub fn replaced_text<'a>(before: &'a Site, edits: &[Edit]) -> Option<(PastText, &'a str)> {
    let edit = edits.iter().find(|edit| edit.field == Field::Note)?;
    match &edit.from {
        Some(Value::LongText(text)) => Some((text.clone(), &before.note)),
        _ => None,
    }
}

/// Whoever adds a field to a site does not get past this without saying whether its history tells of it.
fn is_considered(site: &Site) {
    let Site {
        // Told.
        display_name: _,
        agent: _,
        contact: Contact { email: _, first_name: _, last_name: _, phones: _ },
        customer_id: _,
        contract_id: _,
        note: _,
        labels: _,
        ticketing_links: _,
        status: _,
        activated_at: _,
        public_ip: _,
        public_network: _,
        network: _,
        replacement: _,
        fixes: _,
        no_estimate: _,
        address: _,
        dismissals: _,
        deleted_at: _,
        // Never changed.
        id: _,
        account: _,
        created_at: _,
        // Not told: it makes no difference to people, or follows from what is told.
        last_seen_at: _,
        claimed_ip: _,
        uplinks: _,
        estimate_removed_for: _,
        device_removed: _,
        updated_at: _,
        changes: _,
        changes_cut: _,
    } = site;
}

struct Edits(Vec<Edit>);

impl Edits {
    /// Notes a field whose values differ; what they are is asked only then.
    fn note<T: PartialEq + ?Sized>(&mut self, field: Field, (old, new): (&T, &T), value: impl Fn(&T) -> Option<Value>) {
        if old != new {
            self.add(field, value(old), value(new));
        }
    }

    /// Notes two values, unless the history cannot tell them apart.
    fn add(&mut self, field: Field, from: Option<Value>, to: Option<Value>) {
        if from != to {
            self.0.push(Edit { field, from, to });
        }
    }

    fn texts(&mut self, old: &Site, new: &Site) {
        let mut text = |field, old: &String, new: &String| self.note(field, (old, new), |text| Value::of_text(text));
        text(Field::DisplayName, &old.display_name, &new.display_name);
        text(Field::Email, &old.contact.email, &new.contact.email);
        text(Field::FirstName, &old.contact.first_name, &new.contact.first_name);
        text(Field::LastName, &old.contact.last_name, &new.contact.last_name);
        text(Field::CustomerId, &old.customer_id, &new.customer_id);
        text(Field::ContractId, &old.contract_id, &new.contract_id);
        text(Field::Note, &old.note, &new.note);
        self.note(Field::Phones, (&old.contact.phones, &new.contact.phones), |phones| {
            (!phones.is_empty()).then(|| Value::Phones(phones.clone()))
        });
        self.note(Field::Status, (&old.status, &new.status), |status| Some(Value::Status(*status)));
    }

    fn keyed(&mut self, old: &Site, new: &Site) {
        if old.labels != new.labels {
            for key in old.labels.keys().chain(new.labels.keys()).collect::<BTreeSet<_>>() {
                // A label without a value is a label.
                let value = |site: &Site| site.labels.get(key).map(|value| Value::Text(value.clone()));
                self.add(Field::Label(key.clone()), value(old), value(new));
            }
        }
        if old.ticketing_links != new.ticketing_links {
            let ids = old.ticketing_links.iter().chain(&new.ticketing_links).map(LinkId::from);
            for id in ids.collect::<BTreeSet<_>>() {
                let (from, to) = (links_of(old, &id), links_of(new, &id));
                self.add(Field::TicketingLink(id), from, to);
            }
        }
        if old.dismissals != new.dismissals {
            let reasons = old.dismissals.iter().chain(&new.dismissals).map(|known| known.reason);
            for reason in reasons.collect::<BTreeSet<_>>() {
                let value = |site: &Site| {
                    let known = site.dismissals.iter().find(|known| known.reason == reason)?;
                    Some(Value::Time(known.at))
                };
                self.add(Field::Attention(reason), value(old), value(new));
            }
        }
    }

    fn location(&mut self, old: &Site, new: &Site) {
        if old.fixes != new.fixes {
            for source in Source::ALL {
                let value = |site: &Site| site.fixes.get(source).map(|fix| Value::Fix(Box::new(fix.into())));
                self.add(Field::Fix(source), value(old), value(new));
            }
            let source = |site: &Site| site.fixes.effective().map(|fix| Value::Source(fix.source));
            self.add(Field::EffectiveSource, source(old), source(new));
        }
        self.note(Field::NoEstimate, (&old.no_estimate, &new.no_estimate), |reason| reason.map(Value::NoEstimate));
        self.note(Field::Address, (&old.address, &new.address), |address| address.as_ref().map(Value::from));
    }

    fn rest(&mut self, old: &Site, new: &Site) {
        self.note(Field::Agent, (&old.agent, &new.agent), |agent| {
            agent.as_ref().map(|agent| Value::Text(agent.to_string()))
        });
        self.note(Field::Replacement, (&old.replacement, &new.replacement), |consent| {
            consent.clone().map(Value::Replacement)
        });
        let (from, to) = (public_address(old), public_address(new));
        if !is_left_of(from.as_ref(), to.as_ref()) && !is_left_of(to.as_ref(), from.as_ref()) {
            self.add(Field::PublicIp, from, to);
        }
        let ((old_asn, old_isp), (new_asn, new_isp)) = (settled_carrier(old), settled_carrier(new));
        self.note(Field::Asn, (&old_asn, &new_asn), |asn| asn.map(|asn| Value::Text(asn.to_string())));
        self.note(Field::Isp, (old_isp, new_isp), Value::of_text);
        self.note(Field::ActivateTime, (&old.activated_at, &new.activated_at), |time| time.map(Value::Time));
        self.note(Field::DeleteTime, (&old.deleted_at, &new.deleted_at), |time| time.map(Value::Time));
    }
}

fn links_of(site: &Site, id: &LinkId) -> Option<Value> {
    let links = site.ticketing_links.iter().filter(|link| LinkId::from(*link) == *id);
    // Of a check the state alone: what else it found is on the link itself, with its times, which change at each check.
    let told = |link: &TicketingLink| {
        let check = LinkCheck { state: link.check.state, ..LinkCheck::default() };
        TicketingLink { check, ..link.clone() }
    };
    let links: Vec<TicketingLink> = links.map(told).collect();
    (!links.is_empty()).then_some(Value::Links(links))
}

/// The public address that counts, or what is left of it.
fn public_address(site: &Site) -> Option<Value> {
    settled_ip(site).map(Value::Ip).or(site.public_network.map(Value::Network))
}

/// Whether a value is what is left of an address: that it was cut, or is seen again, is no change.
fn is_left_of(network: Option<&Value>, ip: Option<&Value>) -> bool {
    matches!((network, ip), (Some(Value::Network(network)), Some(Value::Ip(ip))) if network.contains(ip))
}

/// The public address that counts. Turns to a second uplink and back come by the minute, and say nothing: while a site is
/// away from home, the address that it left does. Another address of the home network is told, because who calls a site
/// has to know it; of a pool that gives out another one by the minute, `merge` makes one entry a day.
fn settled_ip(site: &Site) -> Option<IpAddr> {
    let home = site.uplinks.home.map(|home| home.ip);
    let left = site.uplinks.away.and_then(|away| away.left.or(home));
    site.public_ip.map(|ip| left.unwrap_or(ip))
}

/// Number and name of who runs the network that counts: as of the address, the one that a site left, while it is away.
fn settled_carrier(site: &Site) -> (Option<u32>, &str) {
    match &site.uplinks.left {
        Some(left) if site.uplinks.away.is_some() => (left.asn, left.isp.as_str()),
        _ => (site.network.asn, site.network.isp.as_str()),
    }
}
