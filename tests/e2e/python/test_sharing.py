"""Shares: sites of one account that another one's people see, from the code that is handed over to the end, which counts at once.

Which methods are for whom is in rules.py. Here a guest is held against two: one who has an account of the shared sites alone, and must be
told the same, and a stranger, to whom all else of the account must be as absent.
"""

import time

import grpc
import pytest

import test_field_operators as alike
from cli import objects
from client import ASSIGNED, WORLD, Account, Caller, absent_site, fetch, mask, refused, scope_value, until
from rules import RULES, World, request_for
from stubs import methods, pb
from test_audit import records
from test_isolation import seen
from test_tiles import first_tile
from test_watches import MapWatcher, SiteWatcher

HERE = pb.LatLng(lat=64.146512, lng=-21.942387)
# Seconds within which an open stream ends with its share: it looks every two, and a busy machine is slow.
ENDED_S_MAX = 15
# The methods that answer guests: each names the account, or a site of it.
OPEN_TO_GUESTS = [
    "GetAccount",
    "GetSite",
    "BatchGetSites",
    "ListSites",
    "SearchSites",
    "WatchSites",
    *(method.name for service, method in methods() if service == "MapService"),
]


def propose(owner, sites=ASSIGNED, **fields):
    """A share of an account's sites, and its code."""
    proposed = owner.caller().ProposeShare(parent=owner.name, share=pb.Share(sites=sites, **fields))
    return proposed.share, proposed.code


def accept(guests, code):
    return guests.caller().AcceptShare(parent=guests.name, code=code)


def share_with(owner, guests, sites=ASSIGNED, **fields):
    """A share that is in effect, as the guests name it."""
    return accept(guests, propose(owner, sites, **fields)[1])


def token_of(account, scope="VIEWER", **fields):
    """A caller with a token like this."""
    token = pb.Token(scope=scope_value(scope), **fields)
    return Caller(account.operator.channel, account.operator.CreateToken(parent=account.name, token=token).secret)


class Shared(alike.Fleet):
    """Everybody's sites in one account, some of them shared with another one; and an account of those alone."""

    def __init__(self, operator):
        super().__init__(operator)
        self.guests = Account(operator)
        share_with(self.full, self.guests, alike.TYPED, contacts=pb.CONTACT_ACCESS_READ)
        self.crew = self.guests.caller("VIEWER")


@pytest.fixture(scope="module")
def shared(operator):
    return Shared(operator)


@pytest.fixture
def guests(operator):
    return Account(operator)


@pytest.mark.parametrize("text", alike.FILTERS, ids=lambda text: text or "none")
def test_maps_lists_and_searches_are_those_of_an_account_of_these_sites_alone(shared, text):
    alike.test_the_map_is_that_of_an_account_of_these_sites_alone(shared, text)


@pytest.mark.parametrize("text", ["", "labels.team = south"])
def test_a_watch_begins_with_the_messages_of_these_sites_alone(shared, text):
    alike.test_a_watch_begins_with_the_messages_of_these_sites_alone(shared, text)


def test_clusters_open_and_sites_are_located_as_there(shared):
    alike.test_clusters_open_and_sites_are_located_as_there(shared)


def test_tiles_hold_no_other_site(server, shared):
    alike.test_tiles_hold_no_other_site(server, shared)


@pytest.mark.parametrize("order", ["", "display_name desc"])
def test_lists_go_from_page_to_page_and_name_no_other(shared, order):
    alike.test_lists_go_from_page_to_page_and_name_no_other(shared, order)


def test_what_is_watched_and_listed_over_pages_is_what_is_asked_for(shared):
    alike.test_the_map_that_is_watched_is_the_one_that_is_asked_for(shared)
    alike.test_all_that_it_lists_over_pages_is_its_own(shared)
    alike.test_what_rests_on_the_sites_around_is_not_asked(shared)


def test_a_share_goes_from_proposal_to_end(account, guests):
    proposed, code = propose(account, "labels.team = north", display_name="the harbour's")
    assert (proposed.owner, proposed.recipient, proposed.sites) == (account.name, "", ASSIGNED)
    assert (proposed.state, proposed.contacts) == (pb.SHARE_STATE_PROPOSED, pb.CONTACT_ACCESS_MASKED)
    assert code.startswith("wms_") and code not in str(account.caller().ListShares(parent=account.name))
    assert not guests.caller().ListShares(parent=guests.name).shares, "it is to nobody by name"
    shown = guests.caller().AcceptShare(parent=guests.name, code=code, validate_only=True)
    assert (shown.display_name, shown.state) == ("the harbour's", pb.SHARE_STATE_PROPOSED)
    assert account.caller().GetShare(name=proposed.name).state == pb.SHARE_STATE_PROPOSED
    accepted = accept(guests, code)
    assert accepted.name == proposed.name.replace(account.name, guests.name)
    assert (accepted.state, accepted.recipient) == (pb.SHARE_STATE_ACTIVE, guests.name)
    assert accept(guests, code) == accepted, "a repeat changes nothing"
    for owner, name in ((account, proposed.name), (guests, accepted.name)):
        [listed] = owner.caller("VIEWER").ListShares(parent=owner.name).shares
        assert (listed.name, listed.state) == (name, pb.SHARE_STATE_ACTIVE)
        assert owner.caller("VIEWER").GetShare(name=name) == listed
    ended = guests.caller().EndShare(name=accepted.name)
    assert (ended.state, ended.ended_by) == (pb.SHARE_STATE_ENDED, guests.name)
    again = account.caller().EndShare(name=proposed.name)
    assert (again.ended_by, again.end_time) == (ended.ended_by, ended.end_time)


def test_a_code_opens_one_share_once(account, guests, operator):
    others = Account(operator)
    used, declined = propose(account)[1], propose(account)
    accept(others, used)
    answer = guests.caller().DeclineShare(parent=guests.name, code=declined[1])
    assert answer.state == pb.SHARE_STATE_DECLINED
    told = account.caller().GetShare(name=declined[0].name)
    assert told.state == pb.SHARE_STATE_DECLINED and not told.ended_by and guests.id not in str(told)
    withdrawn, taken_back = propose(account)
    account.caller().EndShare(name=withdrawn.name)
    nobody = f"wms_{guests.id}.{'0' * 16}.{'A' * 43}"
    failures = set()
    for code in (used, declined[1], taken_back, used.replace(account.id, guests.id), nobody, "wms_", ""):
        for ask in (
            lambda c=code: accept(guests, c),
            lambda c=code: guests.caller().AcceptShare(parent=guests.name, code=c, validate_only=True),
        ):
            failure = refused("NOT_FOUND", "SHARE_CODE_INVALID", ask)
            failures.add((failure.message, str(failure.details)))
    assert len(failures) == 1, failures
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: guests.caller().GetShare(name=told.name))
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: accept(account, propose(account)[1]), field="code")
    _, second = propose(account)
    refused("FAILED_PRECONDITION", "SHARE_IN_EFFECT", lambda: accept(others, second))


@pytest.mark.parametrize(
    "fields, field",
    [
        ({"sites": ""}, "share.sites"),
        ({"sites": "status = ONLINE"}, "share.sites"),
        ({"sites": "labels.team = n*"}, "share.sites"),
        ({"contacts": 7}, "share.contacts"),
        ({"positions": 7}, "share.positions"),
        ({"expire_time": "2020-01-01T00:00:00Z"}, "share.expire_time"),
        ({"display_name": "x" * 257}, "share.display_name"),
    ],
)
def test_what_is_no_share_is_refused(account, fields, field):
    stated = {"sites": ASSIGNED} | fields
    end = stated.pop("expire_time", None)
    wanted = pb.Share(**stated)
    if end:
        wanted.expire_time.FromJsonString(end)
    ask = lambda: account.caller().ProposeShare(parent=account.name, share=wanted)  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", ask, field=field)


def test_all_else_of_the_account_is_as_absent_as_to_a_stranger(operator, guests):
    """Each method that names something of the account, by the guests' ADMIN and by one who has no share."""
    world, strangers = World(Account(operator)), Account(operator)
    guest, stranger = guests.caller(), strangers.caller()
    before = {name: seen(stranger, name, request_for(name, world), []) for name in RULES if RULES[name].names}
    share_with(world.account, guests)
    told = {name: seen(guest, name, request_for(name, world), []) for name in before}
    opened = {name for name in before if told[name] != before[name]}
    assert opened == set(OPEN_TO_GUESTS), opened ^ set(OPEN_TO_GUESTS)
    # The rule's cluster is none.
    faults = {name: told[name] for name in opened - {"ListClusterSites"} if not told[name].startswith("OK")}
    assert not faults, faults
    absent = [world.account.create_site("theirs").name, world.deleted, absent_site(world.account.id)]
    for method in ("GetSite", "BatchGetSites", "LocateSite"):
        [path] = [path for path, kind in RULES[method].names.items() if kind in ("site", "sites")]
        answers = {seen(guest, method, request_for(method, world, {path: name}), [name]) for name in absent}
        assert len(answers) == 1 and next(iter(answers)).startswith("NOT_FOUND"), answers
    for method in ("ListSiteChanges", "UpdateSite", "SetPin", "GetResidentAccess", "ListDevices"):
        assert told[method].startswith("NOT_FOUND"), "of a shared site neither"


@pytest.mark.parametrize("scope", ["ADMIN", "EDITOR", "SERVICE", "VIEWER"])
def test_who_sees_all_sites_of_the_own_account_sees_those_that_are_shared(account, guests, scope):
    site = account.create_site("Pump", labels={"team": "north"}, note="a secret", contact=pb.Contact(first_name="Anna"))
    share_with(account, guests)
    caller = guests.caller(scope)
    shown = caller.GetSite(name=site.name)
    assert shown.contact_masked and "Anna" not in str(shown) and "a secret" not in str(shown)
    assert [one.name for one in caller.ListSites(parent=account.name).sites] == [site.name]
    by_note = lambda: caller.ListSites(parent=account.name, filter="note : secret")  # noqa: E731
    refused("PERMISSION_DENIED", "CONTACTS_MASKED", by_note)
    write = lambda: caller.UpdateSite(site=pb.Site(name=site.name, note="x"), update_mask=mask("note"))  # noqa: E731
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", write)


@pytest.mark.parametrize("scope", ["FIELD", "WALLBOARD", "ENROLLMENT"])
def test_who_does_not_is_a_stranger_there(account, guests, scope):
    site = account.create_site("Pump", labels={"team": "north"}).name
    share_with(account, guests)
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: guests.caller(scope).GetSite(name=site))
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: guests.caller(scope).FitSites(parent=account.name))
    assert [one.name for one in guests.caller(scope).ListAccounts().accounts] == [guests.name]


def test_the_coarser_of_share_and_token_is_shown(account, guests, operator):
    site = account.create_site("Pump", labels={"team": "north"}).name
    account.caller().SetPin(site=site, position=HERE)
    share_with(account, guests, positions=pb.POSITION_ACCESS_APPROXIMATE)
    shown = guests.caller().GetSite(name=site)
    assert shown.positions == pb.POSITION_ACCESS_APPROXIMATE and "64.1465" not in str(shown)
    symbols = guests.caller().QueryViewport(parent=account.name, viewport=WORLD, zoom=3).symbols
    assert (symbols.pins or symbols.areas) and "64.1465" not in str(symbols)
    hidden = token_of(guests, positions=pb.POSITION_ACCESS_HIDDEN)
    assert not hidden.GetSite(name=site).location.HasField("position")
    refused("PERMISSION_DENIED", "POSITIONS_WITHHELD", lambda: hidden.FitSites(parent=account.name))
    exactly = Account(operator)
    share_with(account, exactly, contacts=pb.CONTACT_ACCESS_READ)
    shown = exactly.caller().GetSite(name=site)
    assert "64.1465" in str(shown)
    [own] = account.caller().GetSite(name=site).location.fixes
    assert own.maker.startswith("token:") and [fix.maker for fix in shown.location.fixes] == [""], "it tells who works there"
    assert token_of(exactly, contacts=pb.CONTACT_ACCESS_MASKED).GetSite(name=site).contact_masked


def test_accounts_that_are_seen_by_shares_are_listed_by_their_names(account, guests):
    account.caller().UpdateAccount(
        account=pb.Account(name=account.name, user_emails=["anna@example.org"], support_contact="call us"),
        update_mask=mask("user_emails", "support_contact"),
    )
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: guests.caller().GetAccount(name=account.name))
    share = share_with(account, guests)
    listed = {one.name: one for one in guests.caller().ListAccounts().accounts}
    assert sorted(listed) == sorted([account.name, guests.name])
    shown = guests.caller().GetAccount(name=account.name)
    assert shown == listed[account.name] and shown.display_name == "a test's"
    assert not shown.user_emails and not shown.support_contact
    assert [one.name for one in account.caller().ListAccounts().accounts] == [account.name], "it is no exchange"
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: account.caller().GetAccount(name=guests.name))
    paged, token = [], ""
    while True:
        page = guests.caller().ListAccounts(page_size=1, page_token=token)
        paged, token = paged + [one.name for one in page.accounts], page.next_page_token
        if not token:
            break
    assert paged == sorted(listed)
    guests.caller().EndShare(name=share.name)
    assert [one.name for one in guests.caller().ListAccounts().accounts] == [guests.name]


def test_a_label_shares_a_site_in_the_same_revision(account, guests):
    other = account.create_site("theirs", labels={"team": "south"}).name
    account.create_site("shared", labels={"team": "north"})
    share_with(account, guests)
    watcher = SiteWatcher(guests.caller("VIEWER"), account.name).read_to(1)
    assert [site.display_name for site in watcher.sites.values()] == ["shared"]

    def relabel(team):
        wanted = pb.Site(name=other, labels={"team": team})
        return account.caller().UpdateSite(site=wanted, update_mask=mask("labels")).revision

    for _ in range(2):
        assert other in watcher.read_to(relabel("north")).sites
        assert other not in watcher.read_to(relabel("south")).sites
    told = len(watcher.told)
    account.caller().DeleteSite(name=other)
    watcher.read_to(account.create_site("more", labels={"team": "north"}).revision)
    assert len(watcher.told) == told + 1
    watcher.stream.cancel()


@pytest.mark.parametrize("ends", ["owner", "guests"])
def test_an_end_counts_at_once_and_ends_what_is_open(server, account, guests, ends):
    """By single calls, tiles, signed addresses, and watches: they hear of no write behind it."""
    site = account.create_site("Pump", labels={"team": "north"}).name
    account.caller().SetPin(site=site, position=HERE)
    share, viewer = share_with(account, guests), guests.caller("VIEWER")
    signed = first_tile(viewer.SignTileUrl(parent=account.name).tile_path)
    tile = f"/v1/{account.name}/tiles/0/0/0.mvt"
    assert fetch(server.target, signed)[0] == fetch(server.target, tile, viewer.token)[0] == 200
    watcher = SiteWatcher(viewer, account.name).read_to(1)
    board = MapWatcher(viewer, account.name).look(WORLD, 2)
    board.take()
    try:
        if ends == "owner":
            account.caller().EndShare(name=share.name.replace(guests.name, account.name))
        else:
            guests.caller().EndShare(name=share.name)
        ended = time.monotonic()
        account.caller().UpdateSite(site=pb.Site(name=site, note="after"), update_mask=mask("note"))
        refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: viewer.GetSite(name=site))
        assert fetch(server.target, signed)[0] == fetch(server.target, tile, viewer.token)[0] == 404
        for stream in (watcher.stream, board.stream):
            told = []
            failure = refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda s=stream, t=told: t.extend(map(str, s)))
            assert not any("after" in message for message in told), (failure, told)
        assert time.monotonic() - ended < ENDED_S_MAX
        assert viewer.ListSites(parent=guests.name).sites == [], "at home nothing ended"
    finally:
        board.close()


def test_a_revoked_token_is_no_guest(account, guests):
    site = account.create_site("Pump", labels={"team": "north"}).name
    share_with(account, guests)
    made = guests.caller().CreateToken(parent=guests.name, token=pb.Token(scope=scope_value("VIEWER")))
    caller = Caller(guests.operator.channel, made.secret)
    watcher = SiteWatcher(caller, account.name).read_to(1)
    guests.caller().RevokeToken(name=made.token.name)
    for ask in (lambda: caller.GetSite(name=site), lambda: next(watcher.stream)):
        with pytest.raises(grpc.RpcError) as refusal:
            ask()
        assert refusal.value.code().name == "UNAUTHENTICATED"


def test_the_audit_logs_of_both_tell_what_is_theirs(account, guests):
    site = account.create_site("Pump", labels={"team": "north"}, note="a secret").name
    share = share_with(account, guests, contacts=pb.CONTACT_ACCESS_READ)
    viewer = guests.caller("VIEWER")
    viewer.GetSite(name=site)
    me = viewer.WhoAmI().token
    guests.caller().EndShare(name=share.name)
    told = lambda owner: [  # noqa: E731
        (one.method, one.resource, one.token == me)
        for one in records(owner.caller(), owner.name)
        if one.method.startswith(("ShareService", "SiteService.GetSite"))
    ]
    read = ("SiteService.GetSite", site, True)
    until("a guest's read is not told", lambda: read in told(account))
    until("an end is not told", lambda: ("ShareService.EndShare", share.name, False) in told(guests))
    until("an acceptance is not told", lambda: ("ShareService.AcceptShare", guests.name, False) in told(guests))
    assert ("ShareService.ProposeShare", account.name, False) in told(account)
    assert not any(method != "ShareService.ProposeShare" for method, *_ in told(account) if method != read[0])
    assert read not in told(guests), "what they read elsewhere is told there"
    assert me in [one.token for one in records(account.caller(), account.name, method="SiteService.GetSite")]


def test_the_command_line_shares(server, account, guests):
    site = account.create_site("Pump", labels={"team": "north"}).name
    tell = lambda *words: objects("share", *words, "--format", "json", server=server)  # noqa: E731
    (proposed,) = tell("propose", "--account", account.id, "--sites", "labels.team = north", "--expires", "30d")
    assert proposed["share"]["state"] == "SHARE_STATE_PROPOSED" and proposed["share"]["expireTime"]
    (shown,) = tell("accept", "--account", guests.id, "--dry-run", proposed["code"])
    assert shown["state"] == "SHARE_STATE_PROPOSED"
    (accepted,) = tell("accept", "--account", guests.id, proposed["code"])
    assert tell("list", "--account", guests.id) == [accepted] and accepted["state"] == "SHARE_STATE_ACTIVE"
    assert guests.caller("VIEWER").GetSite(name=site).name == site
    (ended,) = tell("end", accepted["name"])
    assert ended["endedBy"] == guests.name
    (proposed,) = tell("propose", "--account", account.id, "--sites", "labels.team = north")
    (declined,) = tell("decline", "--account", guests.id, proposed["code"])
    assert declined["state"] == "SHARE_STATE_DECLINED"
