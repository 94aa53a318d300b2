"""Field operators: tokens that are good for the sites of some labels alone, and for what people at a site do.

Which methods they may call is in rules.py, and test_tokens.py and test_isolation.py walk over all of them. Here two accounts are
compared: one with everybody's sites, as an operator of some of them sees it, and one that has these and no others, as a viewer
sees that. Whatever is asked, the answers are the same.
"""

import base64
import json
import random
import re
from dataclasses import dataclass

import pytest
from google.protobuf import json_format

from cli import objects
from client import ASSIGNED, WORLD, Account, Caller, absent_site, failure_of, fetch, mask, refused, scope_value
from mvt import layers
from rules import RULES, World, request_for
from stubs import pb
from test_isolation import seen
from test_map import box
from test_map_filters import all_pages
from test_tiles import first_tile
from test_watches import CURRENT, RESYNC, MapWatcher, SiteWatcher, symbols_of

TYPED = "labels.team = North AND (labels.kind = pump OR labels.kind = valve)"
TOLD = 'labels.team = "North" AND (labels.kind = "pump" OR labels.kind = "valve")'
HERE = pb.LatLng(lat=64.146512, lng=-21.942387)
TOWNS = [(64.14, -21.9), (48.85, 2.35), (35.7, 139.7)]
STATUSES = ["ONLINE", "OFFLINE", "UNKNOWN", "MAINTENANCE"]
FILTERS = [
    "",
    "status = ONLINE",
    "location.placed = true AND status != OFFLINE",
    "valve",
    "labels.kind = pump OR status = OFFLINE",
    "NOT (labels.team = north)",
    "labels.team = south",
    'display_name = "site 014"',
    "attention : UNPLACED",
]
# Of each answer what tells nothing of sites.
VOLATILE = ("revision", "nextPageToken", "etag", "attributions", "createTime", "updateTime", "expireTime")
SITE_NAME = re.compile(r"accounts/[^/]+/sites/[0-9a-f-]{36}")


@dataclass
class Plan:
    """A site to make."""

    number: int
    team: str
    kind: str
    at: pb.LatLng

    @property
    def name(self):
        return f"site {self.number:03}"

    @property
    def is_assigned(self):
        return self.team.lower() == "north" and self.kind in ("pump", "valve")

    @property
    def status(self):
        return STATUSES[self.number % 4]

    def make(self, account):
        labels = {"team": self.team, "kind": self.kind}
        texts = {"labels": labels, "status": f"SITE_STATUS_{self.status}", "note": f"note of {self.name}"}
        site = account.create_site(self.name, **texts)
        if self.at:
            account.caller().SetPin(site=site.name, position=self.at)
        return site.name


def plans():
    dice = random.Random(20261207)
    for number in range(84):
        lat, lng = TOWNS[number % 3]
        at = pb.LatLng(lat=lat + dice.gauss(0, 0.1), lng=lng + dice.gauss(0, 0.1))
        if number % 9 < 3:
            # Those of others stand on the same spots.
            at = pb.LatLng(lat=TOWNS[number % 2][0], lng=TOWNS[number % 2][1])
        team, kind = ["north", "south", "North", "nobody"][number % 4], ["pump", "valve", "tower"][number % 7 % 3]
        yield Plan(number, team, kind, at if number % 8 < 6 else None)


class Fleet:
    """Everybody's sites in one account, and those of the operator alone in another one."""

    def __init__(self, operator):
        self.full, self.alone = Account(operator), Account(operator)
        self.plans = list(plans())
        self.own = [plan for plan in self.plans if plan.is_assigned]
        assert 15 < len(self.own) < 40 and any(plan.at is None for plan in self.own)
        self.names = {plan.make(self.full): plan for plan in self.plans}
        self.names |= {plan.make(self.alone): plan for plan in self.own}
        # One that would be the operator's, if it were there.
        gone = self.full.create_site("gone", labels={"team": "north", "kind": "pump"}).name
        self.full.caller().DeleteSite(name=gone)
        self.crew, self.viewer = crew_of(self.full, TYPED), self.alone.caller("VIEWER")

    def of(self, account, is_assigned=True):
        """The names of an account's sites."""
        mine = {name: plan for name, plan in self.names.items() if name.startswith(f"{account.name}/")}
        return {name: plan for name, plan in mine.items() if plan.is_assigned == is_assigned}

    def bare(self, answer):
        """An answer by the display names of sites, without the order of lists and what changes with each write."""

        def part(value):
            if isinstance(value, dict):
                return {key: part(each) for key, each in value.items() if key not in VOLATILE}
            if isinstance(value, list):
                return sorted((part(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
            return SITE_NAME.sub(lambda found: self.names[found[0]].name, value) if isinstance(value, str) else value

        messages = answer if isinstance(answer, list) else [answer]
        return json.dumps([part(json_format.MessageToDict(message)) for message in messages], sort_keys=True, indent=1)

    def both(self, method, **fields):
        """What the operator and the viewer of these sites alone are told."""
        kind = getattr(pb, f"{method}Request")
        told = []
        for caller, account in ((self.crew, self.full), (self.viewer, self.alone)):
            told.append(self.bare(caller.call(method, kind(parent=account.name, **fields))))
        return told


def crew_of(account, assigned=ASSIGNED, **fields):
    """A field operator of an account's sites."""
    token = pb.Token(scope=scope_value("FIELD"), assigned=assigned, **fields)
    return Caller(account.operator.channel, account.operator.CreateToken(parent=account.name, token=token).secret)


@pytest.fixture(scope="module")
def fleet(operator):
    return Fleet(operator)


@pytest.fixture(scope="module")
def world(operator):
    return World(Account(operator))


def test_a_token_says_which_sites_it_is_good_for(account):
    made = account.caller().CreateToken(parent=account.name, token=pb.Token(scope=scope_value("FIELD"), assigned=TYPED))
    me = Caller(account.operator.channel, made.secret).WhoAmI()
    assert (me.scope, me.assigned, me.positions) == (scope_value("FIELD"), TOLD, pb.POSITION_ACCESS_EXACT)
    listed = {token.name: token for token in account.caller().ListTokens(parent=account.name).tokens}
    assert made.token.assigned == listed[made.token.name].assigned == TOLD
    assert account.caller("VIEWER").WhoAmI().assigned == ""


@pytest.mark.parametrize(
    "fields, field, told",
    [
        ({"scope": "FIELD"}, "token.assigned", "labels.team"),
        ({"scope": "FIELD", "assigned": "  "}, "token.assigned", "labels.team"),
        ({"scope": "VIEWER", "assigned": ASSIGNED}, "token.assigned", "FIELD token alone"),
        ({"scope": "ADMIN", "assigned": ASSIGNED}, "token.assigned", "FIELD token alone"),
        ({"scope": "FIELD", "assigned": "status = ONLINE"}, "token.assigned", "at byte 0"),
        ({"scope": "FIELD", "assigned": "labels.team != north"}, "token.assigned", "at byte 12"),
        ({"scope": "FIELD", "assigned": "NOT labels.team = north"}, "token.assigned", "at byte 0"),
        ({"scope": "FIELD", "assigned": "labels.team = n*"}, "token.assigned", "a star"),
        ({"scope": "FIELD", "assigned": "labels.team = ''"}, "token.assigned", "an empty value"),
        ({"scope": "FIELD", "assigned": "labels.a = b " * 21}, "token.assigned", "more than 20"),
        ({"scope": "FIELD", "assigned": "x" * 1025}, "token.assigned", "at most 1024 bytes"),
        ({"scope": "FIELD", "assigned": ASSIGNED, "positions": "APPROXIMATE"}, "token.positions", "VIEWER"),
    ],
)
def test_what_is_no_assignment_is_refused(account, fields, field, told):
    stated = dict(fields, scope=scope_value(fields["scope"]))
    if "positions" in stated:
        stated["positions"] = pb.PositionAccess.Value(f"POSITION_ACCESS_{stated['positions']}")
    make = lambda: account.caller().CreateToken(parent=account.name, token=pb.Token(**stated))  # noqa: E731
    failure = refused("INVALID_ARGUMENT", "FIELD_INVALID", make, field=field)
    assert told in failure.fields[field], failure


@pytest.mark.parametrize("text", FILTERS, ids=lambda text: text or "none")
def test_the_map_is_that_of_an_account_of_these_sites_alone(fleet, text):
    triangle = {"outer": {"points": [{"lat": 30, "lng": -29}, {"lat": 30, "lng": 150}, {"lat": 80, "lng": 60}]}}
    far = pb.LatLng(lat=10, lng=100)
    questions = [
        *(("QueryViewport", {"viewport": WORLD, "zoom": zoom}) for zoom in range(5)),
        ("QueryViewport", {"viewport": box(63.8, -22.4, 64.5, -21.4), "zoom": 11}),
        ("ListViewportSites", {"viewport": WORLD, "page_size": 1000}),
        ("ListNearestSites", {"position": far, "page_size": 7}),
        ("ListSitesWithinRadius", {"center": HERE, "radius_m": 20_000, "page_size": 1000}),
        ("ListPolygonSites", {"polygons": [triangle], "page_size": 1000}),
        ("ListNearDuplicates", {"distance_m": 100, "page_size": 1000}),
        ("FitSites", {}),
        ("WatchMap", {"viewport": WORLD, "zoom": 3}),
        ("WatchViewport", {"viewport": WORLD, "zoom": 3}),
    ]
    for method, fields in questions:
        own, alone = fleet.both(method, filter=text, **fields)
        assert own == alone, f"{method} {fields} tells of others"
    whole = fleet.crew.QueryViewport(parent=fleet.full.name, viewport=WORLD, zoom=2, filter=text)
    assert whole.account_tally.total == sum(plan.at is not None for plan in fleet.own)
    assert "site" in fleet.both("ListViewportSites", viewport=WORLD)[0]
    own, alone = (
        (
            [site.display_name for site in caller.ListSites(**asked, page_size=1000).sites],
            [hit.site.display_name for hit in caller.SearchSites(**asked, query="site", page_size=5).hits],
        )
        for caller, asked in (
            (fleet.crew, {"parent": fleet.full.name, "filter": text}),
            (fleet.viewer, {"parent": fleet.alone.name, "filter": text}),
        )
    )
    assert own == alone


def watched(caller, account, text):
    """The messages of a watch of sites until it is current."""
    watcher, told = SiteWatcher(caller, account.name, text), []
    while not watcher.is_current:
        told.append(watcher.take())
    watcher.stream.cancel()
    return told


@pytest.mark.parametrize("text", ["", "status = ONLINE", "labels.team = south"])
def test_a_watch_begins_with_the_messages_of_these_sites_alone(fleet, text):
    """Where a message ends would tell how many sites of others stand between."""
    own, alone = (
        [
            (message.mark, [site.display_name for site in message.changed_sites], list(message.removed_sites))
            for message in watched(caller, account, text)
        ]
        for caller, account in ((fleet.crew, fleet.full), (fleet.viewer, fleet.alone))
    )
    assert own == alone


def test_clusters_open_and_sites_are_located_as_there(fleet):
    callers = ((fleet.crew, fleet.full), (fleet.viewer, fleet.alone))
    for zoom in (1, 3):
        seen_by = [caller.QueryViewport(parent=account.name, viewport=WORLD, zoom=zoom) for caller, account in callers]
        ids = [{cluster.id for cluster in answer.symbols.clusters} for answer in seen_by]
        assert ids[0] == ids[1] and ids[0]
        for cluster in ids[0]:
            own, alone = fleet.both("ListClusterSites", cluster_id=cluster, zoom=zoom, page_size=1000)
            assert own == alone
        located = [
            {
                plan.name: caller.LocateSite(name=name, zoom=zoom).cluster_id
                for name, plan in fleet.of(account).items()
                if plan.at
            }
            for caller, account in callers
        ]
        assert located[0] == located[1]


def test_tiles_hold_no_other_site(server, fleet):
    """By a header, by a signed address, and in a stream; a viewer of all of them has more."""
    signed = fleet.crew.SignTileUrl(parent=fleet.full.name)
    streamed = fleet.crew.StreamTiles(parent=fleet.full.name, tiles=[pb.TileCoordinates(z=0, x=0, y=0)])
    bodies = [
        fetch(server.target, f"/v1/{fleet.full.name}/tiles/0/0/0.mvt", fleet.crew.token)[2],
        fetch(server.target, first_tile(signed.tile_path))[2],
        streamed[0].mvt,
    ]
    assert len(set(bodies)) == 1
    for z in range(3):
        for x, y in ((x, y) for x in range(1 << z) for y in range(1 << z)):
            path = lambda account, z=z, x=x, y=y: f"/v1/{account.name}/tiles/{z}/{x}/{y}.mvt"  # noqa: E731
            own = fetch(server.target, path(fleet.full), fleet.crew.token)[2]
            alone = fetch(server.target, path(fleet.alone), fleet.viewer.token)[2]
            assert features(own) == features(alone), (z, x, y)
    everybody = fetch(server.target, f"/v1/{fleet.full.name}/tiles/0/0/0.mvt", fleet.full.caller("VIEWER").token)[2]
    assert features(everybody) != features(bodies[0])


def features(body):
    """What a tile tells, without the ids of sites, which differ from account to account."""
    told = []
    for name, found in layers(body).items():
        kept = [{key: value for key, value in one.items() if (name, key) != ("pins", "id")} for one in found]
        told += [(name, sorted(one.items())) for one in kept]
    return sorted(told, key=str)


@pytest.mark.parametrize("order", ["", "create_time desc", "display_name", "display_name desc"])
def test_lists_go_from_page_to_page_and_name_no_other(fleet, order):
    """A page token is signed and not hidden: whoever takes it apart finds no site but their own."""
    expected = [plan.name for plan in fleet.own]
    expected = expected[::-1] if order.endswith("desc") else expected
    foreign = fleet.of(fleet.full, is_assigned=False)
    others = [text for name, plan in foreign.items() for text in (name.rpartition("/")[2], plan.name)]
    for size in (1, 4, 1000):
        found, token = [], ""
        while True:
            page = fleet.crew.ListSites(parent=fleet.full.name, page_size=size, order_by=order, page_token=token)
            assert len(page.sites) == size or not page.next_page_token, "no page is cut for sites of others"
            found += [site.display_name for site in page.sites]
            token = page.next_page_token
            if not token:
                break
            within = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("latin-1")
            assert not any(text in within for text in others), within
        assert found == expected, size
    told = fleet.crew.ListSites(parent=fleet.full.name, show_deleted=True, page_size=1000).sites
    assert {site.display_name for site in told} == set(expected), "a deleted site is nobody's"


def test_single_sites_are_found_if_they_are_assigned(fleet):
    names = list(fleet.of(fleet.full))
    assert [site.name for site in fleet.crew.BatchGetSites(parent=fleet.full.name, names=names[:3]).sites] == names[:3]
    assert fleet.crew.GetSite(name=names[0]).note == f"note of {fleet.names[names[0]].name}"
    assert fleet.crew.ListSiteChanges(parent=names[0]).changes
    foreign = next(iter(fleet.of(fleet.full, is_assigned=False)))
    both = lambda: fleet.crew.BatchGetSites(parent=fleet.full.name, names=[names[0], foreign])  # noqa: E731
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", both)


# Methods that name a site.
SINGLE = [
    method
    for method, rule in RULES.items()
    if "FIELD" in rule.scopes and set(rule.names.values()) & {"site", "sites", "change"}
]


@pytest.mark.parametrize("method", SINGLE)
def test_a_site_that_is_not_assigned_is_as_absent_as_none(world, method):
    """Of the same account: another's, one that was deleted, one that nobody labelled, and one that never was."""
    account, crew = world.account, world.caller("FIELD")
    other = account.create_site(labels={"team": "south"}, note="kept").name
    deleted = account.create_site(labels={"team": "north"}).name
    account.caller().DeleteSite(name=deleted)
    told = {}
    for name in (other, deleted, world.activated.site, absent_site(account.id)):
        paths = {path: kind for path, kind in RULES[method].names.items() if kind in ("site", "sites", "change")}
        named = {path: f"{name}/changes/1" if kind == "change" else name for path, kind in paths.items()}
        told.setdefault(seen(crew, method, request_for(method, world, named), [name]), []).append(name)
    assert len(told) == 1 and next(iter(told)).startswith("NOT_FOUND"), told
    assert account.caller().GetSite(name=other).note == "kept"
    assert not seen(crew, method, request_for(method, world, validate=True), []).startswith("NOT_FOUND"), "its own is there"


def test_it_works_on_its_sites_and_says_so(account):
    site = account.create_site("Pump", labels={"team": "north"}, note="before").name
    crew = crew_of(account, contacts=pb.CONTACT_ACCESS_READ)
    note = pb.Site(name=site, note="after", contact=pb.Contact(first_name="Anna", email="anna@example.org"))
    changed = crew.UpdateSite(site=note, update_mask=mask("note", "contact"))
    assert (changed.note, changed.contact.first_name) == ("after", "Anna")
    assert crew.SetPin(site=site, position=HERE).location.source == pb.FIX_SOURCE_PIN
    told = crew.ListSiteChanges(parent=site).changes
    assert told[0].actor.scope == scope_value("FIELD")
    written = next(change for change in told if any(edit.field == "note" for edit in change.edits))
    assert crew.RestoreSiteValue(name=written.name, field="note").note == "before"
    typed = crew.SetAddress(site=site, address_line="64.15, -21.95").site
    assert (typed.location.position.lat, typed.location.source) == (pytest.approx(64.15), pb.FIX_SOURCE_PIN)
    assert not crew.DeleteFix(site=site, source="FIX_SOURCE_PIN").location.HasField("position")
    assert crew.ResetLocation(site=site).name == site


def test_histories_tell_nothing_of_residents_and_devices(account):
    """GetResidentAccess and ListDevices are refused, and what they would say is not told aside."""
    site = account.create_site("Pump", labels={"team": "north"}).name
    admin, crew = account.caller(), crew_of(account)
    access = pb.ResidentAccess(name=f"{site}/residentAccess", owner_email="jo@example.org")
    admin.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email"))
    admin.ReportDevices(parent=site, devices=[pb.Device(id="cam", display_name="Front door")])
    admin.UpdateSite(site=pb.Site(name=site, note="told"), update_mask=mask("note"))
    groups = ("resident_access", "devices", "device_count")
    for group in groups:
        assert admin.ListSiteChanges(parent=site, field=group).changes, group
        assert not crew.ListSiteChanges(parent=site, field=group).changes, group
    every = admin.ListSiteChanges(parent=site).changes
    own = all_pages(crew.ListSiteChanges, "changes", parent=site, page_size=1)
    assert [change.name for change in own] == [every[0].name, every[-1].name]
    for change in own:
        assert not any(edit.field.startswith(groups) for edit in change.edits)
    for change in every[1:-1]:
        refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda c=change: crew.GetSiteChange(name=c.name))


def test_contacts_are_as_the_token_shows_them(account):
    site = account.create_site(labels={"team": "north"}, note="a secret", contact=pb.Contact(first_name="Anna")).name
    crew = crew_of(account, contacts=pb.CONTACT_ACCESS_MASKED)
    assert "Anna" not in str(crew.GetSite(name=site)) and crew.GetSite(name=site).contact_masked
    write = lambda: crew.UpdateSite(site=pb.Site(name=site, note="x"), update_mask=mask("note"))  # noqa: E731
    refused("PERMISSION_DENIED", "CONTACTS_MASKED", write)


OTHER_FIELDS = {
    "labels": pb.Site(labels={"team": "north", "more": "x"}),
    "display_name": pb.Site(display_name="another"),
    "status": pb.Site(status=pb.SITE_STATUS_ONLINE),
    "customer_id": pb.Site(customer_id="x"),
    "contract_id": pb.Site(contract_id="x"),
    "ticketing_links": pb.Site(ticketing_links=[pb.TicketingLink(system="zendesk", organization_id="1")]),
}


@pytest.mark.parametrize("field", OTHER_FIELDS)
def test_no_other_field_of_a_site_is_its_to_change(account, field):
    site = account.create_site("Pump", labels={"team": "north"}).name
    crew = crew_of(account)
    for paths in ([field], ["note", field]):
        wanted = pb.Site(name=site, note="x")
        wanted.MergeFrom(OTHER_FIELDS[field])
        write = lambda w=wanted, p=paths: crew.UpdateSite(site=w, update_mask=mask(*p))  # noqa: E731
        failure = refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", write)
        assert f"`{field}`" in failure.message, failure
    every = pb.Site(name=site, display_name="x", status=pb.SITE_STATUS_ONLINE)
    change = lambda: crew.UpdateSite(site=every, update_mask=mask(*reversed(OTHER_FIELDS)))  # noqa: E731
    assert "`labels`" in refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", change).message, "what would assign others"
    kept = account.caller().GetSite(name=site)
    assert (kept.display_name, dict(kept.labels), kept.note) == ("Pump", {"team": "north"}, "")


def test_no_former_label_comes_back_through_it(account):
    """Or somebody would assign themselves what was taken from their colleagues."""
    site = account.create_site(labels={"team": "north", "crew": "b"}).name
    wanted = pb.Site(name=site, labels={"team": "north", "crew": "a"})
    account.caller().UpdateSite(site=wanted, update_mask=mask("labels"))
    crew = crew_of(account)
    [change] = crew.ListSiteChanges(parent=site, field="labels.crew").changes
    restore = lambda field: lambda: crew.RestoreSiteValue(name=change.name, field=field)  # noqa: E731
    assert "`labels.crew`" in refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", restore("labels.crew")).message


def test_a_label_assigns_a_site_in_the_same_revision(account):
    """Watches begin and end with the write, lists and map as well; of sites of others nothing is told."""
    account.create_site("mine", labels={"team": "north"})
    other = account.create_site("theirs", labels={"team": "south"}).name
    account.caller().SetPin(site=other, position=HERE)
    crew = crew_of(account)
    watcher = SiteWatcher(crew, account.name)
    watcher.read_to(1)
    board = MapWatcher(crew, account.name).look(WORLD, 2)
    board.read_to(1)
    assert [site.display_name for site in watcher.sites.values()] == ["mine"] and not board.symbols

    def relabel(team):
        wanted = pb.Site(name=other, labels={"team": team})
        return account.caller().UpdateSite(site=wanted, update_mask=mask("labels")).revision

    try:
        for _ in range(3):
            revision = relabel("North")
            assert crew.GetSite(name=other).name == other
            board.read_to(revision)
            assert list(watcher.read_to(revision).sites) and other in watcher.sites
            assert list(board.symbols) == [f"p-{other.rpartition('/')[2]}"] and board.counts[0].total == 1
            account.caller().UpdateSite(site=pb.Site(name=other, note="now"), update_mask=mask("note"))
            revision = relabel("south")
            refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: crew.GetSite(name=other))
            board.read_to(revision)
            assert other not in watcher.read_to(revision).sites
            assert not board.symbols and board.counts[0].total == 0
        told = len(watcher.told)
        for note in "abc":
            account.caller().UpdateSite(site=pb.Site(name=other, note=note), update_mask=mask("note"))
        account.caller().DeleteSite(name=other)
        revision = account.create_site("another one of mine", labels={"team": "north"}).revision
        watcher.read_to(revision)
        assert [name for name in watcher.told[told:] if name == other] == []
        assert len(watcher.told) == told + 1
    finally:
        board.close()
        watcher.stream.cancel()


def test_a_watch_that_is_taken_up_again_begins_anew(account):
    """What was missed may be of others: who knows which site left an account's list knows that it is there."""
    mine = account.create_site("mine", labels={"team": "north"}).name
    other = account.create_site("theirs", labels={"team": "south"}).name
    crew = crew_of(account)
    watcher = SiteWatcher(crew, account.name).read_to(1)
    watcher.stream.cancel()
    revision = account.caller().UpdateSite(site=pb.Site(name=other, note="x"), update_mask=mask("note")).revision
    watcher.watch()
    watcher.read_to(revision)
    assert RESYNC in watcher.marks and list(watcher.sites) == [mine] and other not in watcher.told
    watcher.stream.cancel()


def test_a_crowd_of_others_on_its_spot_is_not_told(account):
    """Or it would find out by its own pin whether others stand where it suspects them."""
    crew, admin = crew_of(account), account.caller()
    for _ in range(2):
        admin.SetPin(site=account.create_site(labels={"team": "north"}).name, position=HERE)
    watcher = SiteWatcher(crew, account.name).read_to(1)
    told, marks = len(watcher.told), len(watcher.marks)
    others = [account.create_site(labels={"team": "south"}).name for _ in range(12)]
    for other in others:
        admin.SetPin(site=other, position=HERE)
    for other in others:
        admin.DeleteSite(name=other)
    last = account.create_site(labels={"team": "north"})
    watcher.read_to(last.revision)
    assert watcher.told[told:] == [last.name] and CURRENT not in watcher.marks[marks:]
    watcher.stream.cancel()


def test_the_search_is_as_if_there_were_no_others(account):
    """Which way of a query is taken, and how many hits are counted, would tell whether somebody else has a word."""
    crew, words = crew_of(account), ["4711-88", "4711", "pump", "pum", "pump room", "canary"]
    for number in range(3):
        account.create_site(f"Pump room {number}", labels={"team": "north"}, note="4711 88")

    def told():
        answers = []
        for query in words:
            for size in (1, 2, 10):
                for text in ("", "labels.team = north OR labels.team = south", "status = UNKNOWN"):
                    answer = crew.SearchSites(parent=account.name, query=query, page_size=size, filter=text)
                    hits = [hit.site.display_name for hit in answer.hits]
                    answers.append((query, size, text, hits, answer.total_size, answer.is_total_exact))
        return answers

    before = told()
    assert (["Pump room 0"], 3, True) in [answer[3:] for answer in before]
    for number in range(300):
        labels = {"team": "south"} if number % 2 else {}
        account.create_site(f"Pump room canary {number}", labels=labels, note="471188")
    assert told() == before
    assert account.caller("VIEWER").SearchSites(parent=account.name, query="canary").total_size == 300


def test_what_rests_on_the_sites_around_is_not_asked(fleet):
    for text in ("attention = CROWDED", "attention : *", "NOT (attention != CROWDED)"):
        for ask in (
            lambda t=text: fleet.crew.ListSites(parent=fleet.full.name, filter=t),
            lambda t=text: fleet.crew.FitSites(parent=fleet.full.name, filter=t),
            lambda t=text: fleet.crew.SearchSites(parent=fleet.full.name, query="site", filter=t),
            lambda t=text: fleet.crew.call("WatchSites", pb.WatchSitesRequest(parent=fleet.full.name, filter=t)),
            lambda t=text: fleet.crew.SignTileUrl(parent=fleet.full.name, filter=t),
        ):
            refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", ask)


def test_a_sibling_that_is_not_assigned_is_no_suggestion(account):
    sites = [account.activate(ip="8.8.8.8").site for _ in range(3)]
    admin, crew = account.caller(), crew_of(account)
    for site, team in zip(sites, ("north", "north", "south")):
        admin.UpdateSite(site=pb.Site(name=site, labels={"team": team}), update_mask=mask("labels"))
    for site, lat in ((sites[1], 10.5), (sites[2], 20.5)):
        admin.SetPin(site=site, position=pb.LatLng(lat=lat, lng=10.5))
    assert len(admin.SuggestLocations(site=sites[0]).suggestions) == 2
    assert [found.site for found in crew.SuggestLocations(site=sites[0]).suggestions] == [sites[1]]


def test_many_siblings_of_others_hide_none(account):
    """Of an address so many are looked at: those of others would use them up, and what is missing tell their number."""
    admin, crew = account.caller(), crew_of(account)

    def located(team, lat):
        site = account.activate(ip="8.8.4.4").site
        admin.UpdateSite(site=pb.Site(name=site, labels={"team": team}), update_mask=mask("labels"))
        admin.SetPin(site=site, position=pb.LatLng(lat=lat, lng=10.5))
        return site

    for _ in range(201):
        located("south", 20.5)
    own, asked = located("north", 10.5), account.activate(ip="8.8.4.4").site
    admin.UpdateSite(site=pb.Site(name=asked, labels={"team": "north"}), update_mask=mask("labels"))
    assert [found.site for found in crew.SuggestLocations(site=asked).suggestions] == [own]


def test_a_signed_address_is_of_the_sites_as_they_are_assigned_now(server, account):
    site = account.create_site("moves on", labels={"team": "north"}).name
    account.caller().SetPin(site=site, position=HERE)
    path = first_tile(crew_of(account).SignTileUrl(parent=account.name).tile_path)
    shown = lambda: "moves on" in str(layers(fetch(server.target, path)[2]))  # noqa: E731
    assert shown()
    account.caller().UpdateSite(site=pb.Site(name=site, labels={"team": "south"}), update_mask=mask("labels"))
    assert not shown()


def test_page_tokens_do_not_pass_from_crew_to_crew(account):
    for number in range(4):
        account.create_site(f"n {number}", labels={"team": "north" if number < 2 else "south"})
    north, south = crew_of(account), crew_of(account, "labels.team = south")
    token = north.ListSites(parent=account.name, page_size=1).next_page_token
    again = crew_of(account, "labels.team = 'north'")
    assert again.ListSites(parent=account.name, page_size=1, page_token=token).sites[0].display_name == "n 1"
    for caller in (south, account.caller("VIEWER")):
        failure = failure_of(lambda c=caller: c.ListSites(parent=account.name, page_size=1, page_token=token))
        assert failure.reason == "PAGE_TOKEN_INVALID", failure


def test_the_map_that_is_watched_is_the_one_that_is_asked_for(fleet):
    board = MapWatcher(fleet.crew, fleet.full.name).look(WORLD, 3, "labels.kind = pump")
    try:
        board.take()
        asked = fleet.crew.QueryViewport(parent=fleet.full.name, viewport=WORLD, zoom=3, filter="labels.kind = pump")
        assert board.symbols == symbols_of(asked.symbols)
        assert board.counts == (asked.account_tally, asked.matching_tally, asked.legend_tally, asked.unplaced)
        assert asked.matching_tally.total < asked.account_tally.total < len(fleet.plans)
    finally:
        board.close()


def test_all_that_it_lists_over_pages_is_its_own(fleet):
    own = {plan.name for plan in fleet.own if plan.at}
    asked = {
        "ListViewportSites": {"viewport": WORLD},
        "ListSitesWithinRadius": {"center": HERE, "radius_m": 20_000_000},
    }
    for method, fields in asked.items():
        call = getattr(fleet.crew, method)
        found = all_pages(call, "sites", parent=fleet.full.name, page_size=3, **fields)
        names = [getattr(one, "site", one).display_name for one in found]
        assert set(names) == own and len(names) == len(own), method


def test_the_command_line_makes_one(server, account):
    words = ["token", "create", "--account", account.id, "--scope", "field", "--format", "json"]
    (made,) = objects(*words, "--assigned", "labels.team = north", server=server)
    assert made["token"]["assigned"] == ASSIGNED
    (me,) = objects("whoami", "--format", "json", server=server, token=made["secret"])
    assert (me["scope"], me["assigned"]) == ("TOKEN_SCOPE_FIELD", ASSIGNED)
