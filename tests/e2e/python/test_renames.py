"""A site's new name is wherever its name is shown, at once: in each answer of each method that names sites, in tiles, watches, exports
and mails, at its resident, and at another server over Redis. Of the old one only the history knows."""

import uuid
from contextlib import ExitStack

import pytest

import cli
from client import WORLD, Account, Caller, fetch, mask
from fleet import Fleet, known_to, single
from mail_server import MailServer
from redis_server import Redis
from residents import Running
from rules import World, invitation_code, invite, request_for
from stubs import methods, pb
from test_watches import MapWatcher, SiteWatcher, revision_of
from ticketing_accounts import connect
from ticketing_systems import System

AT = pb.LatLng(lat=0.1, lng=0.1)
BOX = pb.BoundingBox(low=pb.LatLng(lat=0.0, lng=0.0), high=pb.LatLng(lat=0.3, lng=0.3))
# The tile of this position in which it stands as a pin.
TILE = "tiles/10/512/511.mvt"
OLD, NEW, BACK = "Gamla verslunin", "Ný verslun við höfnina", "Gamla VERSLUNIN"


def shown(server, account, site, zoom=10):
    """Each place that shows the site's name, with the name there."""
    caller = account.caller("VIEWER")
    view = {"parent": account.name, "viewport": BOX}
    (pin,) = caller.QueryViewport(**view, zoom=zoom).symbols.pins
    (in_view,) = caller.ListViewportSites(**view).sites
    (near,) = caller.ListNearestSites(parent=account.name, position=AT).sites
    (around,) = caller.ListSitesWithinRadius(parent=account.name, center=AT, radius_m=1000.0).sites
    (listed,) = caller.ListSites(parent=account.name).sites
    status, _, tile = fetch(server.target, f"/v1/{account.name}/{TILE}", caller.token)
    assert status == 200
    return {
        "GetSite": caller.GetSite(name=site).display_name,
        "ListSites": listed.display_name,
        "pin": pin.display_name,
        "view": in_view.display_name,
        "nearest": near.site.display_name,
        "radius": around.site.display_name,
        "tile": next((name for name in (OLD, NEW, BACK) if name.encode() in tile), tile),
    }


def test_a_rename_shows_everywhere_at_once(server, account):
    caller = account.caller()
    site = account.create_site(OLD).name
    caller.SetPin(site=site, position=AT)
    resident = invite(account, site, "jo@example.org")
    resident = type(caller)(account.operator.channel, resident)
    sites, view = SiteWatcher(caller, account.name), MapWatcher(caller, account.name).look(BOX, 10)
    try:
        for name in (OLD, NEW, BACK):
            if name != OLD:
                caller.UpdateSite(site=pb.Site(name=site, display_name=name), update_mask=mask("display_name"))
            revision = revision_of(caller, account.name)
            assert set(shown(server, account, site).values()) == {name}, shown(server, account, site)
            sites.read_to(revision)
            view.read_to(revision)
            assert sites.sites[site].display_name == name
            assert [symbol.display_name for symbol in view.symbols.values()] == [name]
            assert resident.GetResidentSite(name=site).display_name == name
    finally:
        view.close()
        sites.stream.cancel()


# Messages of answers that show a site by its name for people, and the field with its resource name.
OF_SITES = {
    "LocationSuggestion": "site",
    "ResidentSite": "name",
    "Site": "name",
    "SitePersonalData": "name",
    "SiteSummary": "name",
    "TicketingSuggestion": "site",
}
# What else in answers has a name for people. A message that is in neither is new: say which it is.
OF_OTHERS = {
    "Account",
    "ChangeActor",
    "Device",
    "ExternalOrganization",
    "ExternalSite",
    "OwnNetworkStep",
    "Prefix",
    "PrefixEvidence",
    "ResidentDevice",
    "Share",
    "TicketingConnection",
    "TicketingSystem",
    "Token",
}
# Of a former name an export tells, in the history.
WITH_HISTORY = {"ExportSitePersonalData", "ExportAccountPersonalData"}
# What another system calls its organisations: as sites are called now.
ORGANIZATIONS = {number: f"{NEW} {number}" for number in range(1, 4)}
NEAR, NEXT = pb.LatLng(lat=10.5, lng=10.5), pb.LatLng(lat=10.50001, lng=10.5)
BOX_OF_TWO = pb.BoundingBox(low=pb.LatLng(lat=10.4999, lng=10.4999), high=pb.LatLng(lat=10.5001, lng=10.5001))
AROUND = pb.Polygon(outer=pb.Ring(points=[pb.LatLng(lat=lat, lng=lng) for lat, lng in ((9, 9), (9, 12), (12, 10.5))]))
FAILED = pb.ATTENTION_REASON_ADDRESS_FAILED


def messages_of(message, seen=None):
    """A message of waymark's and all that may be in it, by name."""
    seen = {} if seen is None else seen
    if message.file.package == "waymark.v1" and message.name not in seen:
        seen[message.name] = message
        for field in message.fields:
            if field.message_type:
                messages_of(field.message_type, seen)
    return seen


# From the descriptors: the methods whose answers may name a site.
NAMING = {method.name for _, method in methods() if OF_SITES.keys() & messages_of(method.output_type).keys()}


def shown_in(message):
    """Each site in an answer: its resource name, and the name that it is shown by."""
    if of := OF_SITES.get(message.DESCRIPTOR.name):
        yield getattr(message, of), message.display_name
    for field, value in message.ListFields():
        if field.message_type and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else [value]:
                yield from shown_in(part)


class Renamed:
    """A world of which all sites were renamed, after each had a part in something that tells of it."""

    def __init__(self, operator, system):
        self.account = Account(operator, country="IS")
        self.world = World(self.account)
        self.editor, self.site = self.account.caller(), self.world.site
        self.twin = self.account.create_site("its twin").name
        self.editor.SetPin(site=self.twin, position=NEXT)
        # Of one network, of which no more is known than a region: the one is drawn as an area, the other one was placed.
        region = pb.Prefix(cidr="81.2.69.0/24", position=pb.LatLng(lat=48.0, lng=20.0), accuracy_m=500_000.0)
        self.editor.CreatePrefix(parent=self.account.name, prefix=region)
        self.placed, self.beside = (self.account.activate(ip="81.2.69.160").site for _ in range(2))
        self.editor.SetPin(site=self.placed, position=pb.LatLng(lat=51.5, lng=-0.1))
        linked = pb.Site(name=self.site, ticketing_links=[pb.TicketingLink(system="zendesk", organization_id="17")])
        self.editor.UpdateSite(site=linked, update_mask=mask("ticketing_links"))
        self.editor.SetAddress(site=self.twin, address_line="Xyzzyqwv plughkjh 99999")
        asked = {"parent": self.account.name, "site": self.site, "address_line": "Laugavegur 1, Reykjavík"}
        self.candidate = self.editor.GeocodeAddress(**asked).candidates[0].token
        self.code = invitation_code(self.account, self.twin, f"{self.account.id}@example.org")
        self.connection = connect(self.account, system).name
        self.request_id = str(uuid.uuid4())
        self.made = self.create(self.editor).name
        self.editor.SetPin(site=self.made, position=AT)
        self.rename()

    def rename(self):
        sites = self.editor.ListSites(parent=self.account.name, page_size=1000).sites
        self.old, self.new = {site.name: site.display_name for site in sites}, {}
        # A site that an agent made was called by the agent's id, which stays.
        self.former = {site.display_name for site in sites if site.display_name != site.agent_id}
        for number, name in enumerate(self.old, 1):
            self.new[name] = f"{NEW} {number}"
            wanted = pb.Site(name=name, display_name=self.new[name])
            updated = self.editor.UpdateSite(site=wanted, update_mask=mask("display_name"))
        self.revision = updated.revision

    def create(self, caller):
        """The same creation, whoever repeats it."""
        site = pb.Site(display_name="made once")
        return caller.CreateSite(parent=self.account.name, site=site, request_id=self.request_id)

    def cluster(self, caller):
        """The sites of the symbol in which two stand together."""
        view = caller.QueryViewport(parent=self.account.name, viewport=WORLD, zoom=4)
        (cluster,) = view.symbols.clusters
        return caller.ListClusterSites(parent=self.account.name, cluster_id=cluster.id, zoom=4)

    def as_it_is(self, caller):
        """An update that changes nothing."""
        site = pb.Site(name=self.site, display_name=self.new[self.site])
        return caller.UpdateSite(site=site, update_mask=mask("display_name"))

    def resident(self, caller):
        caller = known_to(Caller(caller.channel, self.world.resident_secret), self.account.name, self.revision)
        return caller.GetResidentSite(name=self.site)


# Each method whose answers name sites, in an order in which all can be called: what is asked of a renamed world by a caller.
# Where nothing stands it is the good request of rules.py.
CALLS = {
    "GetSite": None,
    "BatchGetSites": None,
    "ListSites": None,
    "SearchSites": lambda w, c: c.SearchSites(parent=w.account.name, query=NEW.split()[0]),
    "WatchSites": None,
    "QueryViewport": lambda w, c: c.QueryViewport(parent=w.account.name, viewport=WORLD, zoom=4),
    "WatchMap": lambda w, c: c.WatchMap(parent=w.account.name, viewport=BOX_OF_TWO, zoom=22)[0],
    "WatchViewport": lambda w, c: c.WatchViewport(parent=w.account.name, viewport=BOX_OF_TWO, zoom=22)[0],
    "ListViewportSites": lambda w, c: c.ListViewportSites(parent=w.account.name, viewport=WORLD),
    "ListNearestSites": None,
    "ListSitesWithinRadius": lambda w, c: c.ListSitesWithinRadius(parent=w.account.name, center=NEAR, radius_m=1000.0),
    "ListClusterSites": lambda w, c: w.cluster(c),
    "LocateSite": lambda w, c: c.LocateSite(name=w.site, zoom=22),
    "ListPolygonSites": lambda w, c: c.ListPolygonSites(parent=w.account.name, polygons=[AROUND]),
    "ListNearDuplicates": lambda w, c: c.ListNearDuplicates(parent=w.account.name, distance_m=10.0),
    "ListAttention": None,
    "ListLinkedSites": lambda w, c: c.ListLinkedSites(parent=w.account.name, system="zendesk", organization_id="17"),
    "SuggestLocations": lambda w, c: c.SuggestLocations(site=w.beside),
    "SuggestTicketingLinks": lambda w, c: c.SuggestTicketingLinks(connection=w.connection),
    "ExportSitePersonalData": None,
    "ExportAccountPersonalData": lambda w, c: c.ExportAccountPersonalData(name=w.account.name, page_size=1000),
    "GetResidentSite": lambda w, c: w.resident(c),
    "RedeemInvitation": lambda w, c: Caller(c.channel).RedeemInvitation(code=w.code),
    # A repeat tells of what the first one made as it is now.
    "CreateSite": lambda w, c: w.create(c),
    "UpdateSite": lambda w, c: w.as_it_is(c),
    "VerifySiteTicketingLinks": None,
    "AllowReplacement": None,
    "CancelReplacement": None,
    "DismissAttention": lambda w, c: c.DismissAttention(site=w.twin, reason=FAILED),
    "RestoreAttention": lambda w, c: c.RestoreAttention(site=w.twin, reason=FAILED),
    "RestoreSiteValue": None,
    "SetAddress": None,
    "ApplyCandidate": lambda w, c: c.ApplyCandidate(site=w.site, candidate_token=w.candidate, keep_pin=True),
    "SetPin": None,
    "DeleteFix": lambda w, c: c.DeleteFix(site=w.site, source=pb.FIX_SOURCE_PIN),
    "ResetLocation": None,
    "DeleteSite": lambda w, c: c.DeleteSite(name=w.site),
    "UndeleteSite": lambda w, c: c.UndeleteSite(name=w.site),
}


def test_each_answer_that_names_a_site_is_looked_at():
    """A new method that names sites, and a new message with a name, fail here until it is said what they are."""
    assert sorted(CALLS) == sorted(NAMING)
    answers = {name: message for _, m in methods() for name, message in messages_of(m.output_type).items()}
    named = {name for name, message in answers.items() if "display_name" in message.fields_by_name}
    assert named == OF_OTHERS | OF_SITES.keys()
    of_bytes = {name for name, message in answers.items() if any(f.type == f.TYPE_BYTES for f in message.fields)}
    assert of_bytes == {"CertificateBinding", "StreamTilesResponse"}, "bytes may hold names: tiles are looked at below"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Two servers over one Redis, that have all that tells of sites: mails, addresses, a ticketing system."""
    directory = tmp_path_factory.mktemp("renames")
    with ExitStack() as stack:
        mail = stack.enter_context(MailServer(directory, "none", login=False))
        redis = stack.enter_context(Redis(directory, keeps=True))
        local = 'private_networks = ["127.0.0.0/8"]\nverify_every_h = 0'
        made = Fleet(directory, single(redis), stack, mail.config().read_text(encoding="utf-8"), local)
        for _ in range(2):
            made.add(gazetteer=True)
        made.system = stack.enter_context(System("syncro"))
        made.system.organizations = ORGANIZATIONS
        made.mail = mail
        yield made


@pytest.fixture(params=[0, 1], ids=["where it was renamed", "at another server"])
def place(fleet, request):
    """A renamed world, which of the servers is asked, and somebody who asks it."""
    operator = Caller(fleet.channels[0], fleet.servers[0].admin_token)
    operator.mail_server = fleet.mail
    world = Renamed(operator, fleet.system)
    caller = known_to(fleet.caller(request.param, world.editor.token), world.account.name, world.revision)
    return world, fleet.servers[request.param], caller


def test_every_answer_has_the_new_name_and_only_it(place):
    world, _, caller = place
    told = world.new | {world.world.deleted: "the deleted one"}
    for method, ask in CALLS.items():
        answer = ask(world, caller) if ask else caller.call(method, request_for(method, world.world, validate=True))
        for message in answer if isinstance(answer, list) else [answer]:
            shown = list(shown_in(message))
            assert shown, f"{method} names nobody"
            assert shown == [(name, told[name]) for name, _ in shown], method
            former = [name for name in world.former if name in str(message)]
            assert not former or method in WITH_HISTORY, (method, former)
    for query in ("twin", "once"):
        assert not caller.SearchSites(parent=world.account.name, query=query).hits
    for name, found in [*((old, []) for old in world.old.values()), *((new, [site]) for site, new in told.items())]:
        listed = caller.ListSites(parent=world.account.name, filter=f'display_name = "{name}"').sites
        assert [site.name for site in listed] == (found if found != [world.world.deleted] else []), name
    areas = caller.QueryViewport(parent=world.account.name, viewport=WORLD, zoom=4).symbols.areas
    assert world.beside in {area.site.name for area in areas}, "an area of one site names it"


def test_tiles_pages_and_files_have_it_too(place, tmp_path):
    world, server, caller = place
    wanted, old = world.new[world.made].encode(), b"made once"
    _, z, x, y = TILE.removesuffix(".mvt").split("/")
    coordinates = pb.TileCoordinates(z=int(z), x=int(x), y=int(y))
    (streamed,) = caller.StreamTiles(parent=world.account.name, tiles=[coordinates])
    signed = caller.SignTileUrl(parent=world.account.name).tile_path.format(z=z, x=x, y=y)
    found = {"StreamTiles": streamed.mvt}
    for path, token in [(signed, None), (f"/v1/{world.account.name}/{TILE}", caller.token), (f"/v1/{world.made}", caller.token)]:
        status, _, found[path] = fetch(server.target, path, token)
        assert status == 200, path
    for ending in ("csv", "geojson"):
        out = tmp_path / f"sites.{ending}"
        cli.run("export", "sites", "--account", world.account.id, "--out", out, server=server, token=caller.token)
        found[ending] = out.read_bytes()
    for where, shown in found.items():
        assert wanted in shown and old not in shown, where


def test_a_mail_that_waits_names_the_site_as_it_is_called_when_it_is_sent(tmp_path):
    """It is composed when it is handed to the mail server: what waits in the outbox is the invitation alone."""
    with Running(tmp_path) as running:
        site = running.account.create_site(OLD).name
        access = pb.ResidentAccess(name=f"{site}/residentAccess", owner_email="jo@example.org", enabled=True)
        caller = running.account.caller()
        caller.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email", "enabled"))
        running.mail.stop()
        state = caller.InviteResident(name=access.name)
        assert state.invitation_delivery == pb.INVITATION_DELIVERY_QUEUED
        caller.UpdateSite(site=pb.Site(name=site, display_name=NEW), update_mask=mask("display_name"))
        running.mail.start()
        code = running.mail.code(access.owner_email)
        (message,) = running.mail.to(access.owner_email)
        parts = [message["subject"], *(message.get_body((kind,)).get_content() for kind in ("plain", "html"))]
        assert all(NEW in part and OLD not in part for part in parts), parts
        assert Caller(running.channel).RedeemInvitation(code=code).site.display_name == NEW
