"""One rule for each method of the API: who may call it, which of its fields are resource names, and a good request.

The tests of scopes and of isolation walk over all methods of the descriptors; a method without a rule here fails them,
so a new method cannot be added without saying who may call it and where it could leak.
"""

import secrets
from dataclasses import dataclass, field

from google.protobuf import json_format

from client import Caller, mask
from stubs import methods, pb

# All scopes that CreateToken makes.
SCOPES = ["ADMIN", "EDITOR", "VIEWER", "SERVICE", "ENROLLMENT", "WALLBOARD", "FIELD"]
# All scopes that a caller may come with: an agent's credential is made by its activation, a resident's token by accepting
# an invitation.
CREDENTIALS = [*SCOPES, "AGENT", "RESIDENT"]
# Those that belong to an account: a resident is a guest.
MEMBERS = [*SCOPES, "AGENT"]
# Methods that need no token.
OPEN = ["RedeemInvitation"]
READERS = ["ADMIN", "EDITOR", "VIEWER", "SERVICE"]
# Who sees sites, be it those alone that are assigned to them.
FINDERS = [*READERS, "FIELD"]
# Who sees the map, if only as on a screen in a hall.
LOOKERS = [*FINDERS, "WALLBOARD"]
WRITERS = ["ADMIN", "EDITOR", "SERVICE"]
# Who changes where sites are, contacts and notes, be it of those alone that are assigned to them.
TENDERS = [*WRITERS, "FIELD"]
# ADMIN may do everything in its account, SERVICE reports for agents, and AGENT says hello for its own agent, which the
# good request below names.
ENROLLERS = ["ENROLLMENT", "ADMIN", "SERVICE", "AGENT"]
# Of what a VIEWER may call, what one may call who sees nothing of where sites are (HIDDEN).
PLACELESS = [
    "GetSite",
    "BatchGetSites",
    "ListSites",
    "SearchSites",
    "WatchSites",
    "ListTicketingSystems",
    "GetTicketingConnection",
    "ListTicketingConnections",
    "GetTicketingVerification",
    "ListTicketingVerifications",
    "ListLinkedSites",
    "GetResidentAccess",
    "ListDevices",
    "GetAccount",
    "ListAccounts",
    "GetShare",
    "ListShares",
    "WhoAmI",
]
# And who sees it to about a kilometre (APPROXIMATE). The rest of what a VIEWER may call is POSITIONS_WITHHELD: so is a new
# method, until it stands here.
ROUGH = [
    *PLACELESS,
    "QueryViewport",
    "WatchMap",
    "WatchViewport",
    "ListViewportSites",
    "ListNearestSites",
    "ListSitesWithinRadius",
    "ListClusterSites",
    "LocateSite",
    "ListPolygonSites",
    "FitSites",
    "ListNearDuplicates",
    "StreamTiles",
    "SignTileUrl",
]
# Services that an AGENT credential may call in no way, its own site included.
CLOSED_TO_AGENTS = [
    "SiteService",
    "LocationService",
    "MapService",
    "AttentionService",
    "HistoryService",
    "TicketingService",
    "ImportService",
]


@dataclass
class Rule:
    """What is to be known of a method."""

    # Who may call it.
    scopes: list
    # Resource-name field -> kind: account, account_id, site, sites (repeated), token, prefix, change, access,
    # connection, verification, share.
    names: dict = field(default_factory=dict)
    # The rest of a good request, in JSON form.
    rest: dict = field(default_factory=dict)
    # What to add so that a call by all scopes in turn leaves the world usable.
    harmless: dict = field(default_factory=dict)


BOX = {"low": {"lat": 10, "lng": 10}, "high": {"lat": 11, "lng": 11}}
AT = {"lat": 10.5, "lng": 10.5}
TRIANGLE = {"outer": {"points": [{"lat": 10, "lng": 10}, {"lat": 10, "lng": 11}, {"lat": 11, "lng": 10.5}]}}

PREFIX = {"cidr": "10.9.0.0/16", "position": AT}

# Leads to loopback, which no connection may be made to unless the operator allows it: nothing is asked outside.
SYSTEM_URL = "https://localhost"
CONNECTION = {"system": "syncro", "baseUrl": SYSTEM_URL, "credentials": {"api_token": "a secret"}}

RULES = {
    "ReportStatus": Rule(["AGENT"]),
    "BatchReportStatus": Rule(["SERVICE", "ADMIN"], {"parent": "account", "reports.site": "site"}),
    "AllowReplacement": Rule(WRITERS, {"site": "site"}, {"agentId": "fw-2"}),
    "CancelReplacement": Rule(WRITERS, {"site": "site"}),
    "CreatePrefix": Rule(WRITERS, {"parent": "account"}, {"prefix": PREFIX}),
    "GetPrefix": Rule(READERS, {"name": "prefix"}),
    "ListPrefixes": Rule(READERS, {"parent": "account"}),
    "UpdatePrefix": Rule(WRITERS, {"prefix.name": "prefix"}, {"prefix": {"position": AT}}),
    "DeletePrefix": Rule(WRITERS, {"name": "prefix"}, {}, {}),
    "ListPrefixReestimations": Rule(READERS, {"parent": "account"}),
    "ListTicketingSystems": Rule(READERS, {"parent": "account"}),
    "CreateTicketingConnection": Rule(["ADMIN"], {"parent": "account"}, {"connection": CONNECTION}),
    "GetTicketingConnection": Rule(READERS, {"name": "connection"}),
    "ListTicketingConnections": Rule(READERS, {"parent": "account"}),
    "UpdateTicketingConnection": Rule(
        ["ADMIN"], {"connection.name": "connection"}, {"connection": {"displayName": "x"}, "updateMask": "displayName"}
    ),
    "DeleteTicketingConnection": Rule(["ADMIN"], {"name": "connection"}, {}, {"etag": "stale"}),
    "CheckTicketingConnection": Rule(WRITERS, {"name": "connection"}),
    "ListExternalOrganizations": Rule(WRITERS, {"connection": "connection"}),
    "ListExternalSites": Rule(WRITERS, {"connection": "connection"}, {"organizationId": "1"}),
    "VerifySiteTicketingLinks": Rule(WRITERS, {"site": "site"}),
    "VerifyTicketingLinks": Rule(WRITERS, {"parent": "account"}),
    "GetTicketingVerification": Rule(READERS, {"name": "verification"}),
    "ListTicketingVerifications": Rule(READERS, {"parent": "account"}),
    "CancelTicketingVerification": Rule(WRITERS, {"name": "verification"}),
    "ListLinkedSites": Rule(READERS, {"parent": "account"}, {"system": "zendesk"}),
    "SuggestTicketingLinks": Rule(WRITERS, {"connection": "connection", "sites": "sites"}),
    "SuggestLocations": Rule(FINDERS, {"site": "site"}),
    "PreviewDatabase": Rule([]),
    "ApplyDatabase": Rule([]),
    "GetReestimation": Rule([], {}, {"name": "reestimations/none"}),
    "ListReestimations": Rule([]),
    "CancelReestimation": Rule([], {}, {"name": "reestimations/none"}),
    "ActivateAgent": Rule(ENROLLERS, {"parent": "account"}, {"agentId": "fw-1", "agentKey": "A" * 44}),
    "GetSite": Rule(FINDERS, {"name": "site"}),
    "BatchGetSites": Rule(FINDERS, {"parent": "account", "names": "sites"}),
    "ListSites": Rule(FINDERS, {"parent": "account"}),
    "SearchSites": Rule(FINDERS, {"parent": "account"}, {"query": "site"}),
    "CreateSite": Rule(WRITERS, {"parent": "account"}, {"site": {"displayName": "made by a rule"}}),
    "UpdateSite": Rule(
        TENDERS, {"site.name": "site"}, {"site": {"note": "x"}, "updateMask": "note"}, {"validateOnly": True}
    ),
    "DeleteSite": Rule(WRITERS, {"name": "site"}, {}, {"etag": "stale"}),
    "UndeleteSite": Rule(WRITERS, {"name": "site"}, {}, {"etag": "stale"}),
    "ImportSites": Rule(
        WRITERS,
        {"parent": "account", "rows.name": "site"},
        {"rows": [{"site": {"note": "x"}, "updateMask": "note"}]},
        {"validateOnly": True},
    ),
    "GeocodeAddress": Rule(FINDERS, {"parent": "account", "site": "site"}, {"addressLine": "Paris"}),
    "SuggestAddresses": Rule(FINDERS, {"parent": "account", "site": "site"}, {"typed": "Par"}),
    "ReverseGeocode": Rule(FINDERS, {"parent": "account", "site": "site"}, {"position": AT}),
    "SetAddress": Rule(TENDERS, {"site": "site"}, {"addressLine": "Paris"}, {"validateOnly": True}),
    "ApplyCandidate": Rule(TENDERS, {"site": "site"}, {"candidateToken": "nonsense"}),
    "SetPin": Rule(TENDERS, {"site": "site"}, {"position": AT}),
    "ResetLocation": Rule(TENDERS, {"site": "site"}),
    "DeleteFix": Rule(TENDERS, {"site": "site"}, {"source": "FIX_SOURCE_DEVICE"}),
    "ListAttention": Rule(READERS, {"parent": "account"}),
    "DismissAttention": Rule(WRITERS, {"site": "site"}, {"reason": "ATTENTION_REASON_UNPLACED"}),
    "RestoreAttention": Rule(WRITERS, {"site": "site"}, {"reason": "ATTENTION_REASON_UNPLACED"}),
    "ListSiteChanges": Rule(FINDERS, {"parent": "site"}),
    "GetSiteChange": Rule(FINDERS, {"name": "change"}),
    "RestoreSiteValue": Rule(TENDERS, {"name": "change"}, {"field": "location.fixes.pin"}, {"validateOnly": True}),
    "LookupIp": Rule(READERS, {"parent": "account"}, {"ip": "8.8.8.8"}),
    "BatchLookupIp": Rule(READERS, {"parent": "account"}, {"ips": ["8.8.8.8"]}),
    "ListDatabases": Rule([]),
    "ReloadDatabases": Rule([]),
    "QueryViewport": Rule(LOOKERS, {"parent": "account"}, {"viewport": BOX, "zoom": 5}),
    "ListViewportSites": Rule(FINDERS, {"parent": "account"}, {"viewport": BOX}),
    "ListNearestSites": Rule(FINDERS, {"parent": "account"}, {"position": AT}),
    "ListSitesWithinRadius": Rule(FINDERS, {"parent": "account"}, {"center": AT, "radiusM": 1000}),
    "ListClusterSites": Rule(FINDERS, {"parent": "account"}, {"clusterId": "0", "zoom": 3}),
    "LocateSite": Rule(FINDERS, {"name": "site"}, {"zoom": 3}),
    "ListPolygonSites": Rule(FINDERS, {"parent": "account"}, {"polygons": [TRIANGLE]}),
    "FitSites": Rule(LOOKERS, {"parent": "account"}),
    "ListNearDuplicates": Rule(FINDERS, {"parent": "account"}, {"distanceM": 10}),
    "WatchSites": Rule(FINDERS, {"parent": "account"}),
    "WatchMap": Rule(LOOKERS, {"parent": "account"}, {"viewport": BOX, "zoom": 5}),
    "WatchViewport": Rule(LOOKERS, {"parent": "account"}, {"viewport": BOX, "zoom": 5}),
    "StreamTiles": Rule(FINDERS, {"parent": "account"}, {"tiles": [{"z": 3, "x": 4, "y": 3}]}),
    "SignTileUrl": Rule(FINDERS, {"parent": "account"}),
    # The operator alone: an account's own ADMIN is refused too.
    "CreateAccount": Rule([], {"account_id": "account_id"}, {"account": {}}),
    # Whoever belongs to an account may see its record.
    "GetAccount": Rule(MEMBERS, {"name": "account"}),
    "ListAccounts": Rule(MEMBERS),
    "UpdateAccount": Rule(["ADMIN"], {"account.name": "account"}, {"updateMask": "supportContact"}),
    "CreateToken": Rule(["ADMIN"], {"parent": "account"}, {"token": {"scope": "TOKEN_SCOPE_VIEWER"}}),
    "ListTokens": Rule(["ADMIN"], {"parent": "account"}),
    "RevokeToken": Rule(["ADMIN"], {"name": "token"}),
    "RotateToken": Rule(["ADMIN"], {"name": "token"}, {}, {"requestId": "nonsense"}),
    "ProposeShare": Rule(["ADMIN"], {"parent": "account"}, {"share": {"sites": 'labels.team = "north"'}}),
    "GetShare": Rule(READERS, {"name": "share"}),
    "ListShares": Rule(READERS, {"parent": "account"}),
    "AcceptShare": Rule(["ADMIN"], {"parent": "account"}, {"code": "wms_nonsense"}),
    "DeclineShare": Rule(["ADMIN"], {"parent": "account"}, {"code": "wms_nonsense"}),
    "EndShare": Rule(["ADMIN"], {"name": "share"}),
    "ListAuditRecords": Rule(["ADMIN"], {"parent": "account"}),
    "EraseSitePersonalData": Rule(["ADMIN"], {"name": "site"}, {}, {"validateOnly": True}),
    "EraseAccountPersonalData": Rule(["ADMIN"], {"name": "account"}, {}, {"validateOnly": True}),
    "ExportSitePersonalData": Rule(["ADMIN"], {"name": "site"}),
    "ExportAccountPersonalData": Rule(["ADMIN"], {"name": "account"}),
    "WhoAmI": Rule(MEMBERS),
    "GetResidentAccess": Rule(READERS, {"name": "access"}),
    "UpdateResidentAccess": Rule(
        WRITERS, {"resident_access.name": "access"}, {"updateMask": "enabled"}, {"validateOnly": True}
    ),
    "DeleteResidentAccess": Rule(WRITERS, {"name": "access"}, {}, {"etag": "stale"}),
    "InviteResident": Rule(WRITERS, {"name": "access"}, {}, {"etag": "stale"}),
    "ResendInvitation": Rule(WRITERS, {"name": "access"}, {}, {"etag": "stale"}),
    "RevokeResidentAccess": Rule(WRITERS, {"name": "access"}, {}, {"etag": "stale"}),
    "ListDevices": Rule(READERS, {"parent": "site"}),
    # AGENT for its own site, which is not the one of the good request.
    "ReportDevices": Rule(["SERVICE", "ADMIN", "AGENT"], {"parent": "site"}),
    "RedeemInvitation": Rule(CREDENTIALS, {}, {"code": "wmi_nonsense"}),
    "GetResidentSite": Rule(["RESIDENT"], {"name": "site"}),
    "ListResidentDevices": Rule(["RESIDENT"], {"parent": "site"}),
}

# Fields of requests, or of resources in them, that hold names and cannot choose what is touched: the server fills them.
OUTPUT_NAMES = {
    ("GetReestimationRequest", "name"): "the operator's own: no account has one",
    ("CancelReestimationRequest", "name"): "the operator's own: no account has one",
    ("Reestimation", "name"): "output only",
    ("Prefix", "name"): "UpdatePrefix's `prefix.name` has a rule; CreatePrefix leaves it empty",
    ("ResidentAccess", "name"): "UpdateResidentAccess's `resident_access.name` has a rule",
    ("Site", "name"): "UpdateSite's `site.name` has a rule; CreateSite leaves it empty",
    ("TicketingConnection", "name"): "UpdateTicketingConnection's has a rule; a new one leaves it empty",
    ("Account", "name"): "UpdateAccount's `account.name` has a rule; CreateAccount leaves it empty",
    ("Token", "name"): "stays empty in CreateToken",
    ("Token", "site"): "output only",
    ("Share", "name"): "output only",
    ("Share", "owner"): "output only",
    ("Share", "recipient"): "output only",
    ("Share", "ended_by"): "output only",
}


class World:
    """An account with a placed site, which is assigned to FIELD, a deleted site and a token: what a request may name."""

    def __init__(self, account):
        self.account = account
        self.site = account.create_site("the site", labels={"team": "north"}).name
        account.caller().SetPin(site=self.site, position=pb.LatLng(lat=10.5, lng=10.5))
        self.deleted = account.create_site("the deleted one").name
        account.caller().DeleteSite(name=self.deleted)
        self.activated = account.activate("fw-1", key=bytes(33), ip="8.8.8.8")
        made = account.operator.CreateToken(parent=account.name, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER))
        self.token, self.token_secret = made.token.name, made.secret
        prefix = pb.Prefix(cidr="10.8.0.0/16", position=pb.LatLng(lat=10.5, lng=10.5))
        self.prefix = account.caller().CreatePrefix(parent=account.name, prefix=prefix).name
        share = pb.Share(sites='labels.team = "north"')
        self.share = account.caller().ProposeShare(parent=account.name, share=share).share.name
        credentials = {"email": "a@example.com", "api_token": "a secret"}
        connection = pb.TicketingConnection(system="zendesk", base_url=SYSTEM_URL, credentials=credentials)
        made = account.caller().CreateTicketingConnection(parent=account.name, connection=connection)
        self.connection = made.name
        self.verification = account.caller().VerifyTicketingLinks(parent=account.name).name
        self.access = f"{self.site}/residentAccess"
        self.resident_email = f"{secrets.token_hex(6)}@example.org"
        self.resident_secret = invite(account, self.site, self.resident_email)

    def caller(self, scope):
        """A caller of the account with a credential of the scope; AGENT is the agent of `activated`,
        RESIDENT that of `site`."""
        if scope == "AGENT":
            return Caller(self.account.operator.channel, self.activated.credential)
        if scope == "RESIDENT":
            return Caller(self.account.operator.channel, self.resident_secret)
        return self.account.caller(scope)

    def name_of(self, kind):
        """The world's own name of a kind."""
        return {
            "account": self.account.name,
            "account_id": self.account.id,
            "site": self.site,
            "sites": self.site,
            "token": self.token,
            "prefix": self.prefix,
            # The pin of the site.
            "change": f"{self.site}/changes/2",
            "connection": self.connection,
            "verification": self.verification,
            "share": self.share,
            "access": self.access,
        }[kind]


def invitation_code(account, site, email):
    """Invites a resident to a site; the code of the link that the mail server gets."""
    editor, name = account.caller("EDITOR"), f"{site}/residentAccess"
    access = pb.ResidentAccess(name=name, owner_email=email, enabled=True)
    editor.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email", "enabled"))
    editor.InviteResident(name=name)
    return account.operator.mail_server.code(email)


def invite(account, site, email):
    """Invites a resident to a site, and accepts; the resident's secret."""
    code = invitation_code(account, site, email)
    return Caller(account.operator.channel).RedeemInvitation(code=code).secret


def request_for(method, world, names=None, validate=False):
    """A good request of the method in `world`; `names` replaces resource-name fields by other names."""
    rule = RULES[method]
    kind = next(m.input_type.name for _, m in methods() if m.name == method)
    body = rule.rest | (rule.harmless if validate else {})
    request = json_format.ParseDict(body, getattr(pb, kind)())
    for path, kind in rule.names.items():
        set_name(request, path, kind, (names or {}).get(path, world.name_of(kind)))
    return request


def set_name(request, path, kind, name):
    """Writes a resource name into a field, which may be repeated or one level down."""
    *parents, last = path.split(".")
    for parent in parents:
        request = getattr(request, parent)
        if not hasattr(request, "DESCRIPTOR"):
            request = request[0] if request else request.add()
    if kind == "sites":
        del getattr(request, last)[:]
        getattr(request, last).append(name)
    else:
        setattr(request, last, name)
