//! The methods of gRPC by their paths, and what each of them costs: read from the descriptors when the server starts.
//!
//! What a method does not say here follows from its name, so that a new one is counted and bounded without a word.

use std::collections::HashMap;

use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::api::grpc::health;
use crate::api::proto;

/// Whose places a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// It looks at what is in memory, or reads records.
    Reads,
    /// It writes.
    Writes,
    /// It asks geocoders or ticketing systems, and waits for them.
    Outside,
    /// It is of somebody without a good credential.
    Strangers,
}

/// What else a method is limited by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing.
    Any,
    /// It lets an agent in.
    Activation,
    /// It asks geocoders.
    Geocoding,
    /// It sends a mail.
    Invitation,
}

/// A method.
#[derive(Debug)]
pub(crate) struct Method {
    /// Its service with the package, such as `waymark.v1.SiteService`.
    pub(crate) service: String,
    /// Its name.
    pub(crate) name: String,
    pub(super) lane: Lane,
    /// Its cost in units of a short look.
    pub(super) cost: usize,
    pub(super) class: Class,
    is_open: bool,
    /// Whether it is answered whatever else happens.
    pub(super) is_health: bool,
}

/// How the names of methods begin that read.
const READING: [&str; 14] = [
    "Get",
    "List",
    "Lookup",
    "BatchGet",
    "BatchLookup",
    "Search",
    "Query",
    "Locate",
    "Fit",
    "Watch",
    "Stream",
    "Sign",
    "Export",
    "WhoAmI",
];
/// Methods that ask strangers.
const OUTSIDE: [&str; 10] = [
    "GeocodeAddress",
    "SuggestAddresses",
    "ReverseGeocode",
    "SetAddress",
    "SuggestLocations",
    "CheckTicketingConnection",
    "ListExternalOrganizations",
    "ListExternalSites",
    "VerifySiteTicketingLinks",
    "SuggestTicketingLinks",
];
/// Methods that ask geocoders.
const GEOCODING: [&str; 5] = ["GeocodeAddress", "SuggestAddresses", "ReverseGeocode", "SetAddress", "SuggestLocations"];
/// Methods that send mails.
const INVITATIONS: [&str; 2] = ["InviteResident", "ResendInvitation"];
/// Methods that need no credential; health and reflection need none either.
const OPEN: [&str; 1] = ["RedeemInvitation"];
/// Methods that are more than a short look: some milliseconds in a large account, or hundreds of records in one call.
const COSTS: [(&str, usize); 21] = [
    ("BatchGetSites", 4),
    ("BatchLookupIp", 4),
    ("BatchReportStatus", 4),
    ("FitSites", 4),
    ("ListAttention", 4),
    ("ListClusterSites", 4),
    ("ListLinkedSites", 4),
    ("ListNearDuplicates", 4),
    ("ListPolygonSites", 4),
    ("ListSites", 4),
    ("ListSiteChanges", 4),
    ("ListViewportSites", 4),
    ("QueryViewport", 2),
    ("SearchSites", 4),
    ("ImportSites", 16),
    ("ExportSitePersonalData", 16),
    ("ExportAccountPersonalData", 16),
    ("EraseSitePersonalData", 16),
    ("EraseAccountPersonalData", 16),
    ("ReloadDatabases", 16),
    ("PreviewDatabase", 16),
];
/// The service that is answered whatever else happens.
const HEALTH: &str = "grpc.health.v1.Health";

/// Whether a method of ours with this name needs no credential.
pub(in crate::api) fn is_open(name: &str) -> bool {
    OPEN.contains(&name)
}

/// All methods; the last one stands for those that nobody has.
#[derive(Debug)]
pub(crate) struct Methods {
    all: Vec<Method>,
    by_path: HashMap<String, usize>,
}

impl Methods {
    /// Those of all services that one listener serves.
    pub(in crate::api) fn new() -> Self {
        let sets = [
            proto::DESCRIPTORS,
            health::DESCRIPTORS.as_slice(),
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut all = Vec::new();
        for file in sets.into_iter().flat_map(|set| FileDescriptorSet::decode(set).unwrap_or_default().file) {
            for service in &file.service {
                let name = format!("{}.{}", file.package(), service.name());
                all.extend(service.method.iter().map(|method| Method::new(&name, method.name())));
            }
        }
        let path = |method: &Method| format!("/{}/{}", method.service, method.name);
        let by_path = all.iter().enumerate().map(|(number, method)| (path(method), number)).collect();
        all.push(Method::new("other", "other"));
        Self { all, by_path }
    }

    /// The number of the method with this path.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// The number that stands for methods that nobody has.
    pub(super) fn other(&self) -> usize {
        self.all.len() - 1
    }

    /// The method of a number.
    pub(super) fn get(&self, number: usize) -> &Method {
        &self.all[number.min(self.other())]
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn all(&self) -> &[Method] {
        &self.all
    }
}

impl Method {
    /// Whether somebody without a good credential may call it.
    pub(crate) fn needs_no_credential(&self) -> bool {
        self.is_open
    }

    /// Whether it asks how the server is, and nothing else.
    pub(crate) fn is_probe(&self) -> bool {
        self.is_health
    }

    /// Its name behind its service's, as in paths.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.service, self.name)
    }

    fn new(service: &str, name: &str) -> Self {
        let is_health = service == HEALTH;
        let is_ours = service.starts_with("waymark.");
        let lane = if OUTSIDE.contains(&name) {
            Lane::Outside
        } else if !is_ours || READING.iter().any(|verb| name.starts_with(verb)) {
            Lane::Reads
        } else {
            Lane::Writes
        };
        let class = match name {
            "ActivateAgent" => Class::Activation,
            _ if GEOCODING.contains(&name) => Class::Geocoding,
            _ if INVITATIONS.contains(&name) => Class::Invitation,
            _ => Class::Any,
        };
        Self {
            service: service.to_owned(),
            name: name.to_owned(),
            lane,
            cost: COSTS.iter().find(|(costly, _)| *costly == name).map_or(1, |(_, cost)| *cost),
            class,
            is_open: !is_ours || is_open(name),
            is_health,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_tables_is_a_methods() {
        let methods = Methods::new();
        let is_there = |name: &str| methods.all().iter().any(|method| method.name == name);
        let costly = COSTS.iter().map(|(name, _)| *name);
        for name in costly.chain(OUTSIDE).chain(GEOCODING).chain(INVITATIONS).chain(OPEN) {
            assert!(is_there(name), "{name}");
        }
        assert!(is_there("ActivateAgent"));
        for verb in READING {
            assert!(methods.all().iter().any(|method| method.name.starts_with(verb)), "{verb}");
        }
    }

    #[test]
    fn names_tell_who_writes() {
        let methods = Methods::new();
        for (path, lane) in [
            ("/waymark.v1.SiteService/ListSites", Lane::Reads),
            ("/waymark.v1.AdminService/WhoAmI", Lane::Reads),
            ("/waymark.v1.MapService/WatchMap", Lane::Reads),
            ("/waymark.v1.ActivationService/ActivateAgent", Lane::Writes),
            ("/waymark.v1.SiteService/UndeleteSite", Lane::Writes),
            ("/waymark.v1.ActivationService/BatchReportStatus", Lane::Writes),
            ("/waymark.v1.LocationService/SetAddress", Lane::Outside),
            ("/waymark.v1.LocationService/SetPin", Lane::Writes),
            ("/grpc.health.v1.Health/Check", Lane::Reads),
        ] {
            let method = methods.get(methods.find(path).unwrap_or_else(|| panic!("{path}")));
            assert_eq!(method.lane, lane, "{path}");
            assert_eq!(format!("/{}/{}", method.service, method.name), path);
        }
        for path in ["/waymark.v1.SiteService/Explode", "/", "", "/waymark.v1.SiteService/ListSites/"] {
            assert_eq!(methods.find(path), None, "{path}");
        }
        assert_eq!(methods.get(methods.other()).name, "other");
    }

    #[test]
    fn what_needs_no_credential_is_named() {
        let methods = Methods::new();
        let open: Vec<&str> =
            methods.all().iter().filter(|method| method.is_open).map(|method| method.name.as_str()).collect();
        assert_eq!(open.iter().filter(|name| **name == "ServerReflectionInfo").count(), 2);
        let mut rest: Vec<&str> = open.into_iter().filter(|name| *name != "ServerReflectionInfo").collect();
        rest.sort_unstable();
        assert_eq!(rest, ["Check", "List", "RedeemInvitation", "Watch", "other"]);
    }
}
