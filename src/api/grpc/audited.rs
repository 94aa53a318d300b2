//! Which methods are told of in the audit log, and what is told: every method of the protos stands here or is left out on
//! purpose, which a test holds.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::service::Waymark;
use crate::service::audit::Class::{self, Across, Look, Pages, Persons, Write};

/// The package of all methods, as paths begin.
const PACKAGE: &str = "/waymark.v1.";

/// The methods that are told of.
const AUDITED: &[(&str, Class)] = &[
    ("AdminService.CreateAccount", Write),
    ("AdminService.GetAccount", Persons),
    ("AdminService.ListAccounts", Persons),
    ("AdminService.UpdateAccount", Write),
    ("AdminService.CreateToken", Write),
    ("AdminService.ListTokens", Look),
    ("AdminService.RevokeToken", Write),
    ("AdminService.RotateToken", Write),
    ("AdminService.EraseSitePersonalData", Write),
    ("AdminService.EraseAccountPersonalData", Pages),
    ("AdminService.ExportSitePersonalData", Look),
    ("AdminService.ExportAccountPersonalData", Look),
    ("AttentionService.ListAttention", Persons),
    ("AuditService.ListAuditRecords", Look),
    ("GeoIpService.ReloadDatabases", Write),
    ("GeoIpService.PreviewDatabase", Write),
    ("GeoIpService.ApplyDatabase", Write),
    ("GeoIpService.CancelReestimation", Write),
    ("HistoryService.ListSiteChanges", Persons),
    ("HistoryService.GetSiteChange", Persons),
    ("HistoryService.RestoreSiteValue", Write),
    ("ImportService.ImportSites", Pages),
    ("MapService.ListViewportSites", Persons),
    ("MapService.ListNearestSites", Persons),
    ("MapService.ListSitesWithinRadius", Persons),
    ("MapService.ListClusterSites", Persons),
    ("MapService.ListPolygonSites", Persons),
    ("PrefixService.CreatePrefix", Across),
    ("PrefixService.UpdatePrefix", Across),
    ("PrefixService.DeletePrefix", Across),
    ("ResidentAccessService.GetResidentAccess", Persons),
    ("ResidentAccessService.UpdateResidentAccess", Write),
    ("ResidentAccessService.DeleteResidentAccess", Write),
    ("ResidentAccessService.InviteResident", Write),
    ("ResidentAccessService.ResendInvitation", Write),
    ("ResidentAccessService.RevokeResidentAccess", Write),
    ("ShareService.ProposeShare", Write),
    ("ShareService.AcceptShare", Across),
    ("ShareService.DeclineShare", Across),
    ("ShareService.EndShare", Across),
    ("SiteService.GetSite", Persons),
    ("SiteService.BatchGetSites", Persons),
    ("SiteService.ListSites", Persons),
    ("SiteService.SearchSites", Persons),
    ("SiteService.WatchSites", Persons),
    ("TicketingService.CreateTicketingConnection", Write),
    ("TicketingService.UpdateTicketingConnection", Write),
    ("TicketingService.DeleteTicketingConnection", Write),
    ("TicketingService.ListLinkedSites", Persons),
];

/// Tells of a call, where its method is told of. Stands around whatever may refuse it.
pub(super) async fn tell(State(waymark): State<Arc<Waymark>>, request: Request, next: Next) -> Response {
    let Some((method, class)) = audited(request.uri().path()) else { return next.run(request).await };
    waymark.begin_audit(method, class);
    let response = next.run(request).await;
    waymark.end_audit(&reason_of(&response));
    response
}

/// The method of a path, where it is told of.
fn audited(path: &str) -> Option<(&'static str, Class)> {
    let (service, method) = path.strip_prefix(PACKAGE)?.split_once('/')?;
    let is_it = |(name, _): &&(&str, Class)| name.split_once('.') == Some((service, method));
    AUDITED.iter().find(is_it).copied()
}

/// The reason in a refusal; empty for an answer.
fn reason_of(response: &Response) -> String {
    // An answer has its status behind the message, and is on its way.
    let Some(status) = Status::from_header_map(response.headers()) else { return String::new() };
    let told = status.get_details_error_info().map(|info| info.reason);
    match status.code() {
        Code::Ok => String::new(),
        code => told.unwrap_or_else(|| format!("{code:?}").to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use prost::Message as _;
    use prost_types::{DescriptorProto, FileDescriptorSet};

    use super::*;
    use crate::api::proto;

    /// Messages that hold what is personal.
    const PERSONAL: [&str; 6] = ["Contact", "ResidentAccess", "PersonalRecord", "SiteChange", "Account", "AuditRecord"];

    /// How the names of methods begin that change nothing.
    const READING: [&str; 16] = [
        "Get",
        "List",
        "BatchGet",
        "Search",
        "Lookup",
        "BatchLookup",
        "Query",
        "Locate",
        "Fit",
        "Watch",
        "Stream",
        "Sign",
        "WhoAmI",
        "Geocode",
        "Suggest",
        "Reverse",
    ];

    /// Methods that change something, or whose answers can hold such a message, and that are not told of.
    const LEFT_OUT: &[(&str, &str)] = &[
        ("SiteService.CreateSite", WRITES_A_SITE),
        ("SiteService.UpdateSite", WRITES_A_SITE),
        ("SiteService.DeleteSite", WRITES_A_SITE),
        ("SiteService.UndeleteSite", WRITES_A_SITE),
        ("LocationService.SetAddress", WRITES_A_SITE),
        ("LocationService.ApplyCandidate", WRITES_A_SITE),
        ("LocationService.SetPin", WRITES_A_SITE),
        ("LocationService.ResetLocation", WRITES_A_SITE),
        ("LocationService.DeleteFix", WRITES_A_SITE),
        ("AttentionService.DismissAttention", WRITES_A_SITE),
        ("AttentionService.RestoreAttention", WRITES_A_SITE),
        ("ActivationService.AllowReplacement", WRITES_A_SITE),
        ("ActivationService.CancelReplacement", WRITES_A_SITE),
        ("TicketingService.VerifySiteTicketingLinks", WRITES_A_SITE),
        ("ActivationService.ActivateAgent", REPORTS),
        ("ActivationService.ReportStatus", REPORTS),
        ("ActivationService.BatchReportStatus", REPORTS),
        ("ResidentAccessService.ReportDevices", REPORTS),
        (
            "ResidentAccessService.RedeemInvitation",
            "nobody has a token yet, and the site's history tells that the resident accepted",
        ),
        ("TicketingService.CheckTicketingConnection", ASKS_A_SYSTEM),
        ("TicketingService.VerifyTicketingLinks", ASKS_A_SYSTEM),
        ("TicketingService.CancelTicketingVerification", ASKS_A_SYSTEM),
    ];
    /// Its history says who, when and what.
    const WRITES_A_SITE: &str = "the site's history tells of it, and the answer is the site that the caller wrote";
    /// Thousands a second, of machines; histories tell of what they change.
    const REPORTS: &str = "a machine says what is so, and the site's history tells of what that changes";
    /// What a system says of links, which is noted with the links.
    const ASKS_A_SYSTEM: &str =
        "it asks a ticketing system what is so, and histories tell of links whose state that changes";

    fn descriptors() -> FileDescriptorSet {
        FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap()
    }

    /// Names of messages that a message holds, itself and those in those among them.
    fn held<'all>(name: &'all str, all: &BTreeMap<&str, &'all DescriptorProto>, seen: &mut BTreeSet<&'all str>) {
        if let Some(message) = all.get(name).filter(|_| seen.insert(name)) {
            for field in &message.field {
                held(field.type_name().rsplit('.').next().unwrap(), all, seen);
            }
        }
    }

    #[test]
    fn whatever_shows_persons_is_told_of_or_left_out_on_purpose() {
        let files = descriptors();
        let messages = files.file.iter().flat_map(|file| &file.message_type);
        let all: BTreeMap<&str, &DescriptorProto> = messages.map(|message| (message.name(), message)).collect();
        let services = files.file.iter().filter(|file| file.package() == "waymark.v1").flat_map(|file| &file.service);
        let mut found = BTreeSet::new();
        for (service, method) in services.flat_map(|service| service.method.iter().map(move |method| (service, method)))
        {
            let name = format!("{}.{}", service.name(), method.name());
            let mut seen = BTreeSet::new();
            held(method.output_type().rsplit('.').next().unwrap(), &all, &mut seen);
            let is_told = AUDITED.iter().any(|(told, _)| *told == name);
            let is_left_out = LEFT_OUT.iter().any(|(left, _)| *left == name);
            assert!(!(is_told && is_left_out), "{name} is told of, and left out");
            if PERSONAL.iter().any(|personal| seen.contains(personal)) {
                assert!(is_told || is_left_out, "{name} shows persons: tell of it in AUDITED, or say why not");
            }
            found.insert(name);
        }
        for name in AUDITED.iter().map(|(name, _)| name).chain(LEFT_OUT.iter().map(|(name, _)| name)) {
            assert!(found.contains(*name), "{name} is no method");
        }
    }

    #[test]
    fn whatever_changes_something_is_told_of_or_left_out_on_purpose() {
        let files = descriptors();
        let services = files.file.iter().filter(|file| file.package() == "waymark.v1").flat_map(|file| &file.service);
        let mut changing = 0;
        for (service, method) in services.flat_map(|service| service.method.iter().map(move |method| (service, method)))
        {
            if READING.iter().any(|verb| method.name().starts_with(verb)) {
                continue;
            }
            changing += 1;
            let name = format!("{}.{}", service.name(), method.name());
            let is_told = AUDITED.iter().any(|(told, class)| *told == name && *class != Persons);
            let is_left_out = LEFT_OUT.iter().any(|(left, _)| *left == name);
            assert!(is_told || is_left_out, "{name} changes something: tell of it in AUDITED, or say why not");
        }
        assert!(changing > 30, "{changing}");
    }

    #[test]
    fn methods_are_known_by_their_paths() {
        let found = audited("/waymark.v1.AdminService/CreateToken");
        assert_eq!(found, Some(("AdminService.CreateToken", Write)));
        for path in
            ["/waymark.v1.AdminService/WhoAmI", "/waymark.v1.AdminService", "/x.v1.AdminService/CreateToken", ""]
        {
            assert_eq!(audited(path), None, "{path}");
        }
    }
}
