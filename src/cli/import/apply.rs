//! One row at the server: its site is found by name or made, then moved to its address or position.

use tonic::{Code, Request, Status};

use super::journal::{Done, Outcome, Place};
use super::sheet::{Row, Stated};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::location_service_client::LocationServiceClient;
use crate::api::proto::waymark::v1::site_service_client::SiteServiceClient;
use crate::cli::client::{Connection, ServerArguments, explain, patiently};
use crate::model::text;

/// Times that a site which others change meanwhile is read again.
const RACES_MAX: usize = 5;
/// Sites of a page where a name is looked for: one has it, and `*` at its end makes a filter of it that others match too.
const NAMESAKES_MAX: i32 = 1_000;

/// Why a row was not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The row is at fault, and others may go on.
    Row(String),
    /// No row would fare better: the server is gone, or the token is no good.
    All(anyhow::Error),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange => Self::Row(format!("{:#}", explain(&status))),
            _ => Self::All(explain(&status)),
        }
    }
}

/// The server, as an import sees it.
#[derive(Debug, Clone)]
pub(super) struct Importer {
    sites: SiteServiceClient<Connection>,
    locations: LocationServiceClient<Connection>,
    parent: String,
    import: uuid::Uuid,
    dry: bool,
}

impl Importer {
    /// `import` makes the request ids of one import its own; a `dry` one changes nothing.
    pub(super) fn new(server: &ServerArguments, parent: &str, import: uuid::Uuid, dry: bool) -> anyhow::Result<Self> {
        let (channel, credential) = (server.channel()?, server.credential()?);
        let sites = SiteServiceClient::with_interceptor(channel.clone(), credential.clone());
        let locations = LocationServiceClient::with_interceptor(channel, credential);
        Ok(Self { sites, locations, parent: parent.to_owned(), import, dry })
    }

    /// Does a row. Done again after an interruption, it ends the same.
    pub(super) async fn run(&self, line: u64, row: &Row) -> Result<Done, Refusal> {
        let (site, outcome) = self.settle(line, row).await?;
        let address = row.address.as_ref().and_then(Stated::one_line).unwrap_or_default();
        let mut done = Done {
            // The name of a site that was not made means nothing.
            site: if self.dry && outcome == Outcome::Created { String::new() } else { site.name.clone() },
            etag: site.etag.clone(),
            address,
            parts: row.address.as_ref().and_then(Stated::parts),
            ..Done::new(line, row.site.display_name.clone(), outcome)
        };
        if let Some(position) = row.position {
            self.pin(&site, position, &mut done).await?;
        }
        if let Some(stated) = &row.address {
            self.locate(&site, stated, row.position.is_some(), &mut done).await?;
        }
        Ok(done)
    }

    /// The site with the row's fields: made, or found by its name and changed where it differs.
    async fn settle(&self, line: u64, row: &Row) -> Result<(pb::Site, Outcome), Refusal> {
        let request = pb::CreateSiteRequest {
            parent: self.parent.clone(),
            site: Some(row.site.clone()),
            request_id: self.request_id(line).to_string(),
            validate_only: self.dry,
        };
        let made = patiently(|| {
            let (mut sites, request) = (self.sites.clone(), request.clone());
            async move { sites.create_site(request).await }
        });
        match made.await {
            Ok(site) => return Ok((site.into_inner(), Outcome::Created)),
            Err(status) if status.code() == Code::AlreadyExists => {}
            Err(status) => return Err(status.into()),
        }
        let mut raced = None;
        for _ in 0..RACES_MAX {
            match self.update(row).await {
                Err(status) if status.code() == Code::Aborted => raced = Some(status),
                settled => return Ok(settled?),
            }
        }
        Err(raced.map_or_else(|| Refusal::Row("the site is changed all the time".into()), Refusal::from))
    }

    async fn update(&self, row: &Row) -> Result<(pb::Site, Outcome), Status> {
        let present = self.find(&row.site.display_name).await?;
        let mut site = pb::Site { name: present.name.clone(), etag: present.etag.clone(), ..row.site.clone() };
        // A mask replaces all labels; the sheet speaks of some.
        for (key, value) in &present.labels {
            site.labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
        join_phones(&mut site, &present);
        let paths = row.fields.iter().map(ToString::to_string).collect();
        if says_nothing_new(row, &site, &present) {
            return Ok((present, Outcome::Unchanged));
        }
        let request = pb::UpdateSiteRequest {
            site: Some(site),
            update_mask: Some(prost_types::FieldMask { paths }),
            validate_only: self.dry,
        };
        let changed = patiently(|| {
            let (mut sites, request) = (self.sites.clone(), request.clone());
            async move { sites.update_site(request).await }
        });
        Ok((changed.await?.into_inner(), Outcome::Updated))
    }

    /// The site of a name that is taken.
    async fn find(&self, name: &str) -> Result<pb::Site, Status> {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let mut request = pb::ListSitesRequest {
            parent: self.parent.clone(),
            page_size: NAMESAKES_MAX,
            filter: format!("display_name = \"{quoted}\""),
            ..pb::ListSitesRequest::default()
        };
        let folded = text::fold(name);
        loop {
            let page = patiently(|| {
                let (mut sites, request) = (self.sites.clone(), request.clone());
                async move { sites.list_sites(request).await }
            });
            let page = page.await?.into_inner();
            if let Some(site) = page.sites.into_iter().find(|site| text::fold(&site.display_name) == folded) {
                return Ok(site);
            }
            if page.next_page_token.is_empty() {
                return Err(Status::aborted("the name was taken a moment ago, and is free now"));
            }
            request.page_token = page.next_page_token;
        }
    }

    async fn pin(&self, site: &pb::Site, position: pb::LatLng, done: &mut Done) -> Result<(), Refusal> {
        let is_there = site.location.as_ref().and_then(|location| location.position) == Some(position);
        if is_there || (self.dry && done.outcome == Outcome::Created) {
            return Ok(());
        }
        let request = pb::SetPinRequest {
            site: site.name.clone(),
            position: Some(position),
            validate_only: self.dry,
            ..Default::default()
        };
        let moved = patiently(|| {
            let (mut locations, request) = (self.locations.clone(), request.clone());
            async move { locations.set_pin(request).await }
        });
        told(moved.await.map(|_| done.moved()), done)
    }

    async fn locate(&self, site: &pb::Site, stated: &Stated, keep_pin: bool, done: &mut Done) -> Result<(), Refusal> {
        let present = site.location.as_ref().and_then(|location| location.address.as_ref());
        if let Some(present) = present.filter(|present| present.typed == done.address)
            && matches!(present.state(), pb::AddressState::Applied | pb::AddressState::PinKept)
        {
            done.address_state = word(present.state());
            return Ok(());
        }
        // A site that was not made cannot be asked for: what its address would become is told without it.
        if self.dry && done.outcome == Outcome::Created {
            return self.preview(stated, keep_pin, done).await;
        }
        let address = match stated {
            Stated::Line(line) => pb::set_address_request::Address::AddressLine(line.clone()),
            Stated::Parts(parts) => pb::set_address_request::Address::PostalAddress(parts.clone()),
        };
        let site = site.name.clone();
        let request = pb::SetAddressRequest {
            site,
            address: Some(address),
            keep_pin,
            validate_only: self.dry,
            ..Default::default()
        };
        let answer = patiently(|| {
            let (mut locations, request) = (self.locations.clone(), Request::new(request.clone()));
            async move { locations.set_address(request).await }
        });
        match answer.await {
            Ok(answer) => {
                let answer = answer.into_inner();
                done.etag = answer.site.as_ref().map(|site| site.etag.clone()).unwrap_or_default();
                note(done, answer.state(), answer.candidates);
                done.moved();
                Ok(())
            }
            Err(status) => told(Err(status), done),
        }
    }

    /// What a dry run says of an address: what `locate` would make of it.
    async fn preview(&self, stated: &Stated, keep_pin: bool, done: &mut Done) -> Result<(), Refusal> {
        let address = match stated {
            Stated::Line(line) => pb::geocode_address_request::Address::AddressLine(line.clone()),
            Stated::Parts(parts) => pb::geocode_address_request::Address::PostalAddress(parts.clone()),
        };
        let parent = self.parent.clone();
        let request = pb::GeocodeAddressRequest { parent, address: Some(address), ..Default::default() };
        let answer = patiently(|| {
            let (mut locations, request) = (self.locations.clone(), request.clone());
            async move { locations.geocode_address(request).await }
        });
        match answer.await {
            Ok(answer) => {
                let answer = answer.into_inner();
                let state = match answer.state() {
                    pb::AddressState::Applied if keep_pin => pb::AddressState::PinKept,
                    state => state,
                };
                note(done, state, answer.candidates);
                Ok(())
            }
            Err(status) => told(Err(status), done),
        }
    }

    /// The same for the same row of the same import, so that a row which is done again makes no second site.
    fn request_id(&self, line: u64) -> uuid::Uuid {
        let mut bytes = *self.import.as_bytes();
        for (byte, part) in bytes[8..].iter_mut().zip(line.to_be_bytes()) {
            *byte ^= part;
        }
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// A number of the sheet joins those that are there, and takes the kind that it has there.
fn join_phones(site: &mut pb::Site, present: &pb::Site) {
    let (Some(contact), Some(present)) = (&mut site.contact, &present.contact) else { return };
    let mut joined = present.phones.clone();
    joined.extend(contact.phones.drain(..).filter(|new| !present.phones.iter().any(|old| old.number == new.number)));
    contact.phones = joined;
}

/// Whether the site is as the row has it.
fn says_nothing_new(row: &Row, wanted: &pb::Site, present: &pb::Site) -> bool {
    let (wanted_contact, contact) =
        (wanted.contact.clone().unwrap_or_default(), present.contact.clone().unwrap_or_default());
    row.fields.iter().all(|field| match *field {
        "status" => wanted.status == present.status,
        "contact.email" => wanted_contact.email == contact.email,
        "contact.first_name" => wanted_contact.first_name == contact.first_name,
        "contact.last_name" => wanted_contact.last_name == contact.last_name,
        "customer_id" => wanted.customer_id == present.customer_id,
        "contract_id" => wanted.contract_id == present.contract_id,
        "contact.phones" => wanted_contact.phones == contact.phones,
        "note" => wanted.note == present.note,
        "labels" => wanted.labels == present.labels,
        _ => false,
    })
}

/// Lets a refused position or address stand beside a site that is made: the row is done again by the next run.
fn told(answer: Result<(), Status>, done: &mut Done) -> Result<(), Refusal> {
    match answer.map_err(Refusal::from) {
        Err(Refusal::Row(message)) => {
            done.outcome = Outcome::Failed;
            done.message = message;
            Ok(())
        }
        settled => settled,
    }
}

/// Notes what became of an address, and between which places a person has to choose.
fn note(done: &mut Done, state: pb::AddressState, candidates: Vec<pb::Candidate>) {
    done.address_state = word(state);
    if state == pb::AddressState::Ambiguous {
        done.places = candidates.into_iter().map(place).collect();
    }
}

fn place(candidate: pb::Candidate) -> Place {
    let granularity = candidate.granularity().as_str_name().trim_start_matches("GRANULARITY_").to_lowercase();
    let pb::LatLng { lat, lng } = candidate.position.unwrap_or_default();
    let pb::Candidate { formatted_address, confidence, .. } = candidate;
    Place { formatted_address, granularity, confidence, lat, lng }
}

fn word(state: pb::AddressState) -> String {
    state.as_str_name().trim_start_matches("ADDRESS_STATE_").to_lowercase()
}
