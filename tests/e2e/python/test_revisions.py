"""A revision counts the writes of its account alone, and an etag changes by a person's word alone."""

import secrets

import pytest

from client import WORLD, Account, Caller, fetch, mask, refused
from stubs import pb

TILES = ["tiles.json", "tiles/0/0/0.mvt", "tiles/3/3/2.mvt", "tiles/5/14/8.mvt", "tiles/12/1798/1062.mvt"]


def settle(account):
    """Sites of all kinds, a deleted one too; gives their names."""
    caller, made = account.caller(), []
    for number in range(12):
        made.append(account.create_site(f"site {number}", note=f"note {number}").name)
        if number % 3:
            caller.SetPin(site=made[-1], position=pb.LatLng(lat=64.1 + number / 50, lng=-21.9 + number / 30))
    made += [account.activate(f"fw-{number}", ip="213.167.128.1", display_name="x").site for number in range(2)]
    caller.SetAddress(site=made[0], address_line="Laugavegur 1, Reykjavík")
    caller.DeleteSite(name=made[3])
    return made


def everything(server, account, sites):
    """All that an account reads, by what was asked: bytes of answers and of tiles, with their headers."""
    caller, parent = account.caller(), account.name
    at = pb.LatLng(lat=64.1, lng=-21.9)
    answers = {f"GetSite {name}": caller.GetSite(name=name) for name in sites}
    answers["BatchGetSites"] = caller.BatchGetSites(parent=parent, names=sites)
    for order in ("create_time", "create_time desc", "display_name"):
        answers[f"ListSites {order}"] = caller.ListSites(parent=parent, order_by=order, page_size=1000)
    answers["ListSites deleted"] = caller.ListSites(parent=parent, show_deleted=True, page_size=1000)
    answers["ListSites filtered"] = caller.ListSites(parent=parent, filter="note", page_size=1000)
    for zoom in (0, 2, 4):
        answers[f"QueryViewport {zoom}"] = seen = caller.QueryViewport(parent=parent, viewport=WORLD, zoom=zoom)
        for symbol in (*seen.symbols.clusters, *seen.symbols.areas):
            behind = caller.ListClusterSites(parent=parent, cluster_id=symbol.id, zoom=zoom, page_size=1000)
            answers[f"ListClusterSites {zoom} {symbol.id}"] = behind
        for name in (sites[1], sites[-1]):
            answers[f"LocateSite {zoom} {name}"] = caller.LocateSite(name=name, zoom=zoom)
    answers["ListViewportSites"] = caller.ListViewportSites(parent=parent, viewport=WORLD, page_size=1000)
    answers["ListNearestSites"] = caller.ListNearestSites(parent=parent, position=at, page_size=1000)
    answers["Radius"] = caller.ListSitesWithinRadius(parent=parent, center=at, radius_m=1e6, page_size=1000)
    answers["ListTokens"] = listed = caller.ListTokens(parent=parent, page_size=1000)
    for token in listed.tokens:
        # A quarter of an hour may end in between.
        token.ClearField("last_use_time")
    answers["GetAccount"] = caller.GetAccount(name=parent)
    answers["ListAccounts"] = caller.ListAccounts()
    answers["WhoAmI"] = caller.WhoAmI()
    seen = {what: answer.SerializeToString(deterministic=True) for what, answer in answers.items()}
    for path in TILES:
        status, headers, body = fetch(server.target, f"/v1/{parent}/{path}", caller.token)
        assert status == 200, f"{path}: {status} {body}"
        # A TileJSON names the server that was asked.
        named = body.replace(server.target.encode(), b"SERVER")
        seen[path] = {name: value for name, value in headers.items() if name != "content-length"}, named
    return seen


def live_a_busy_day(account):
    """Every kind of write in another account."""
    caller, made = account.caller(), []
    for number in range(50):
        site = account.create_site(f"busy {number}").name
        caller.UpdateSite(site=pb.Site(name=site, display_name=f"busier {number}"), update_mask=mask("display_name"))
        caller.SetPin(site=site, position=pb.LatLng(lat=64.1 + number / 100, lng=-21.9))
        made.append(site)
    caller.SetAddress(site=made[0], address_line="Laugavegur 1, Reykjavík")
    caller.DeleteSite(name=made[1])
    caller.UndeleteSite(name=made[1])
    for number in range(5):
        # The same agents, keys unlike, and the same address as in the account that watches.
        account.activate(f"fw-{number}", ip="213.167.128.1")
    made_token = account.operator.CreateToken(parent=account.name, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER))
    caller.RevokeToken(name=made_token.token.name)


def test_what_an_account_reads_is_the_same_to_the_byte_while_another_writes(server, operator):
    """A revision that counted all writes told every account how busy the others were."""
    own, other = Account(operator), Account(operator)
    sites = settle(own)
    before = everything(server, own, sites)
    assert everything(server, own, sites) == before, "reading changes nothing, else nothing could be compared"
    live_a_busy_day(other)
    after = everything(server, own, sites)
    assert after.keys() == before.keys()
    changed = [what for what in before if before[what] != after[what]]
    assert not changed, f"changed while another account wrote: {changed}"


def test_the_map_and_the_sites_count_their_accounts_writes_alone(operator):
    own, other = Account(operator), Account(operator)
    site = own.create_site().name

    def write():
        return own.caller().UpdateSite(site=pb.Site(name=site, note=secrets.token_hex(4)), update_mask=mask("note"))

    def seen():
        return own.caller().QueryViewport(parent=own.name, viewport=WORLD, zoom=0).revision

    first, second = write().revision, write().revision
    assert seen() == second > first
    live_a_busy_day(other)
    assert seen() == second == own.caller().GetSite(name=site).revision
    third = write().revision
    assert third - second == second - first, "nothing that another account did was counted"
    assert seen() == third


def test_equal_histories_have_equal_revisions(operator):
    histories = []
    for _ in range(2):
        account = Account(operator)
        made = account.create_site("one")
        moved = account.caller().SetPin(site=made.name, position=pb.LatLng(lat=1.0, lng=1.0))
        histories.append((made.revision, moved.revision, account.activate("fw-1", ip="8.8.8.8").revision))
    assert histories[0] == histories[1]


def test_a_hello_leaves_the_etag_and_a_person_changes_it(account):
    """A form that was open while the agent said hello could not be saved."""
    key, caller = secrets.token_bytes(32), account.caller()
    first = account.activate("fw-1", key=key, ip="8.8.8.8")
    site, agent = first.site, Caller(account.operator.channel, first.credential)
    etags = [caller.GetSite(name=site).etag]

    def say_hello():
        account.activate("fw-1", key=key, ip="8.8.8.8")
        agent.behind("8.8.8.8").ActivateAgent(parent=account.name, agent_id="fw-1", claimed_ip="10.0.0.7")
        read = caller.GetSite(name=site)
        assert read.etag == etags[-1], "a hello is nobody's change"
        return read.etag

    update = caller.UpdateSite
    for change in (
        lambda etag: update(site=pb.Site(name=site, display_name="New", etag=etag), update_mask=mask("display_name")),
        lambda etag: update(site=pb.Site(name=site, note="new", etag=etag), update_mask=mask("note")),
        lambda etag: update(site=pb.Site(name=site, labels={"a": "b"}, etag=etag), update_mask=mask("labels")),
        lambda etag: update(
            site=pb.Site(name=site, contact=pb.Contact(email="a@example.com"), etag=etag), update_mask=mask("contact")
        ),
        lambda etag: caller.SetPin(site=site, position=pb.LatLng(lat=65.0, lng=-18.0), etag=etag),
        lambda etag: caller.SetPin(site=site, position=pb.LatLng(lat=65.1, lng=-18.0), etag=etag),
        lambda etag: caller.SetAddress(site=site, address_line="Laugavegur 1, Reykjavík", etag=etag).site,
        lambda etag: caller.DeleteFix(site=site, source=pb.FIX_SOURCE_PIN, etag=etag),
        lambda etag: caller.ResetLocation(site=site, etag=etag),
    ):
        changed = change(say_hello())
        assert changed.etag and changed.etag != etags[-1], "a person's change makes a new version"
        assert caller.GetSite(name=site) == changed
        refused("ABORTED", "ETAG_MISMATCH", lambda: change(etags[-1]))
        etags.append(changed.etag)
    say_hello()
    assert len(etags) == 10


@pytest.mark.parametrize("ip", ["213.167.128.1", "10.1.2.3"])
def test_a_machines_new_estimate_leaves_the_etag(account, ip):
    key, caller = secrets.token_bytes(32), account.caller()
    site = account.activate("fw-1", key=key, ip="8.8.8.8").site
    before = caller.GetSite(name=site)
    account.activate("fw-1", key=key, ip=ip)
    after = caller.GetSite(name=site)
    assert after.etag == before.etag and after.last_seen_time.ToNanoseconds() > before.last_seen_time.ToNanoseconds()
    assert (after.location == before.location) == (ip == "10.1.2.3"), "a public address is a new estimate"
    pinned = caller.SetPin(site=site, position=pb.LatLng(lat=65.0, lng=-18.0), etag=before.etag)
    assert pinned.location.source == pb.FIX_SOURCE_PIN
