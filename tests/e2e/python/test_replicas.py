"""Several servers over one Redis: each shows what the others wrote, and any of them may die."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from google.protobuf import duration_pb2

from client import WORLD, Account, Caller, failure_of, fetch, health, mask, refused, until
from fleet import REPLICAS, TILES, Fleet, agree, is_known, known_to, single
from load import Recorder
from redis_server import Redis
from stubs import pb
from test_traffic import retry_s
from test_watches import CURRENT, SiteWatcher
from watch_oracles import PROGRESS, Taken, bookmarkable, ordered, unique

# Seconds within which a watch ends when its credential did, on another replica than the one that was told.
ENDED_S_MAX = 10


@contextmanager
def running(directory, replicas):
    with ExitStack() as stack:
        redis = stack.enter_context(Redis(directory, keeps=True))
        made = Fleet(directory, single(redis), stack)
        made.store = redis
        for _ in range(replicas):
            made.add()
        yield made


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """For the tests that leave it as whole as they found it."""
    with running(tmp_path_factory.mktemp("fleet"), REPLICAS) as made:
        yield made


@pytest.fixture
def owner(fleet):
    return Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))


def test_each_shows_what_any_of_them_wrote(fleet, owner):
    parent = owner.name
    token = fleet.lets_in(owner.caller("EDITOR").token, parent)
    for number in range(30):
        writer = fleet.caller(number % REPLICAS, token)
        made = writer.CreateSite(parent=parent, site=pb.Site(display_name=f"site {number}"))
        position = pb.LatLng(lat=40 + number % 7, lng=number % 11)
        pinned = fleet.caller((number + 1) % REPLICAS, token)
        known_to(pinned, parent, made.revision).SetPin(site=made.name, position=position)
        reader = known_to(fleet.caller((number + 2) % REPLICAS, token), parent, made.revision)
        assert reader.GetSite(name=made.name).display_name == f"site {number}"
        assert reader.QueryViewport(parent=parent, viewport=WORLD).revision >= made.revision
    agree(fleet, token, parent)
    here = fleet.caller(1, token)
    ahead, malformed = known_to(here, parent, 1_000_000), known_to(here, parent, "x")
    refused("UNAVAILABLE", "NOT_READY", lambda: ahead.ListSites(parent=parent))
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: malformed.ListSites(parent=parent))
    foreign = known_to(here, "accounts/nowhere", 1)
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: foreign.ListSites(parent=parent))


def test_a_watch_hears_of_others_and_goes_on_elsewhere(fleet, owner):
    token, parent = fleet.lets_in(owner.caller("EDITOR").token, owner.name), owner.name
    here, there = fleet.caller(0, token), fleet.caller(1, token)
    watcher = SiteWatcher(there, parent)
    for number in range(20):
        made = here.CreateSite(parent=parent, site=pb.Site(display_name=f"site {number}"))
    watcher.read_to(made.revision)
    assert len(watcher.sites) == 20
    fleet.servers[1].kill()
    made = here.CreateSite(parent=parent, site=pb.Site(display_name="while it is dead"))
    elsewhere = SiteWatcher(fleet.caller(2, token), parent, resume_revision=watcher.revision)
    elsewhere.sites = dict(watcher.sites)
    elsewhere.read_to(made.revision)
    assert len(elsewhere.sites) == 21 and len(elsewhere.told) == 1, "it was told everything anew"
    fleet.again(1)
    agree(fleet, token, parent)


def test_a_redis_that_dies_stops_writes_and_no_reads(fleet, owner):
    token, parent = fleet.lets_in(owner.caller("EDITOR").token, owner.name), owner.name
    caller = fleet.caller(0, token)
    made = caller.CreateSite(parent=parent, site=pb.Site(display_name="kept"))
    caller.SetPin(site=made.name, position=pb.LatLng(lat=1, lng=1))
    agree(fleet, token, parent)
    fleet.store.kill()
    for number in range(REPLICAS):
        begun = time.monotonic()
        site = pb.Site(display_name=f"lost {number}")
        failure = failure_of(lambda: fleet.caller(number, token).CreateSite(parent=parent, site=site))
        assert failure.code == grpc.StatusCode.UNAVAILABLE, failure
        assert failure.reason in ("STORAGE_UNAVAILABLE", "OUTCOME_UNKNOWN"), failure
        assert retry_s(failure) > 0, "it says when to ask again"
        assert time.monotonic() - begun < 10
        tally = fleet.caller(number, token).QueryViewport(parent=parent, viewport=WORLD).account_tally
        assert tally.total == 1

    def is_marked(number):
        status, headers, _ = fetch(fleet.servers[number].target, f"/v1/{parent}/{TILES[0]}", token)
        assert status == 200
        return int(headers.get("waymark-stale-s", 0)) >= 3

    until("nothing is marked stale", lambda: all(is_marked(number) for number in range(REPLICAS)))
    fleet.store.start()
    # Each of them finds for itself that it is there again.
    for number in range(REPLICAS):
        until("writes do not go on", lambda: is_written(fleet.caller(number, token), parent))
    agree(fleet, token, parent)


def test_a_replica_without_word_from_redis_is_not_ready_until_it_has_some(tmp_path):
    with running(tmp_path, 0) as fleet:
        fleet.redis += "\nstale_max_s = 2"
        server = fleet.add()
        ready = lambda: fetch(server.target, "/readyz")[0]  # noqa: E731
        answers = lambda: [health(fleet.channels[0], service) for service in ("", "waymark.v1.SiteService")]  # noqa: E731
        follows = lambda: gauge(server, "waymark_replica_following") == 1  # noqa: E731
        lag = lambda: gauge(server, "waymark_replica_lag_seconds")  # noqa: E731
        assert (ready(), answers(), follows()) == (200, [1, 1], True)
        with pytest.raises(grpc.RpcError) as unknown:
            health(fleet.channels[0], "waymark.v1.NoService")
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
        fleet.store.kill()
        until("it is ready still", lambda: ready() == 503)
        until("health says otherwise", lambda: answers() == [2, 2])
        until("it follows still", lambda: not follows() and lag() >= 2)
        fleet.store.start()
        until("it is not ready again", lambda: ready() == 200)
        until("health says otherwise", lambda: answers() == [1, 1])
        until("it is behind still", lambda: follows() and lag() < 2)


def gauge(server, name):
    """What a metric of a server says now."""
    status, _, body = fetch(server.target, "/metrics", server.admin_token)
    assert status == 200
    [line] = [line for line in body.decode().splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def is_written(caller, parent):
    try:
        caller.CreateSite(parent=parent, site=pb.Site(display_name=f"again {secrets.token_hex(4)}"))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return False
    return True


def test_a_token_that_is_revoked_ends_everywhere(fleet, owner):
    """The watch runs on a replica that hears of the end over Redis alone, and is told why it ends."""
    parent = owner.name
    other = fleet.caller(2, fleet.lets_in(owner.caller("VIEWER").token, parent))
    watcher = SiteWatcher(other, parent)
    assert watcher.take().mark == CURRENT
    listed = owner.caller("ADMIN").ListTokens(parent=parent, page_size=100).tokens
    viewer = next(one for one in listed if one.scope == pb.TOKEN_SCOPE_VIEWER)
    owner.caller("ADMIN").RevokeToken(name=viewer.name)
    # The client's library tells an end to who reads.
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(refused, "UNAUTHENTICATED", "CREDENTIAL_INVALID", lambda: list(watcher.stream))
        try:
            ended.result(ENDED_S_MAX)
        finally:
            watcher.stream.cancel()
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", lambda: other.ListSites(parent=parent))


def test_a_share_is_accepted_on_any_of_them_and_ends_everywhere(fleet, owner):
    """Proposed on one, accepted on another one, which may not have heard of it; seen on a third, and ended there at once."""
    parent, guests = owner.name, Account(owner.operator)
    site = owner.create_site("shared", labels={"team": "north"}).name
    admin = fleet.caller(1, fleet.lets_in(owner.caller("ADMIN").token, parent))
    accepting = fleet.caller(1, fleet.lets_in(guests.caller("ADMIN").token, guests.name))
    other = fleet.caller(2, fleet.lets_in(guests.caller("VIEWER").token, guests.name))
    share = pb.Share(sites='labels.team = "north"')
    proposed = owner.caller("ADMIN").ProposeShare(parent=parent, share=share)
    accepting.AcceptShare(parent=guests.name, code=proposed.code)
    until("a share is unknown", lambda: is_known(other, parent))
    assert other.GetSite(name=site).display_name == "shared"
    watcher = SiteWatcher(other, parent).read_to(1)
    assert list(watcher.sites) == [site]
    admin.EndShare(name=proposed.share.name)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(refused, "NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: list(watcher.stream))
        try:
            ended.result(ENDED_S_MAX)
        finally:
            watcher.stream.cancel()
    assert not is_known(other, parent)
    refused("NOT_FOUND", "SHARE_CODE_INVALID", lambda: accepting.AcceptShare(parent=guests.name, code=proposed.code))


def test_every_write_says_what_to_wait_for_elsewhere(fleet, owner):
    """Answers of tokens, accesses, imports and deletions told no revision: a new token was unknown elsewhere for a while."""
    parent, admin = owner.name, owner.caller("ADMIN")
    fleet.lets_in(admin.token, parent)
    for number in range(20):
        elsewhere = (number + 1) % REPLICAS
        here = fleet.caller(number % REPLICAS, admin.token)
        made, told = here.wrote("CreateToken", parent=parent, token=pb.Token(scope=pb.TOKEN_SCOPE_EDITOR))
        editor = known_to(fleet.caller(elsewhere, made.secret), parent, told[parent])
        site = editor.CreateSite(parent=parent, site=pb.Site(display_name=f"by a new token {number}")).name
        row = pb.SiteRow(name=site, site=pb.Site(note=f"imported {number}"), update_mask=mask("note"))
        imported, told = fleet.caller(elsewhere, made.secret).wrote("ImportSites", parent=parent, rows=[row])
        assert imported.results[0].outcome == pb.IMPORT_OUTCOME_UPDATED, imported
        assert known_to(here, parent, told[parent]).GetSite(name=site).note == f"imported {number}"
        _, told = here.wrote("RevokeToken", name=made.token.name)
        ended = known_to(fleet.caller(elsewhere, made.secret), parent, told[parent])
        refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", lambda ended=ended: ended.GetSite(name=site))
    # The last that an erasure writes is of the past alone, which no replica has in memory.
    _, told = fleet.caller(0, admin.token).wrote("EraseSitePersonalData", name=site)
    assert known_to(fleet.caller(1, admin.token), parent, told[parent]).GetSite(name=site).note == ""
    operator = fleet.caller(0, fleet.servers[0].admin_token)
    made, told = operator.wrote("CreateToken", token=pb.Token(scope=pb.TOKEN_SCOPE_ADMIN))
    assert known_to(fleet.caller(1, made.secret), "operator", told["operator"]).WhoAmI().token == made.token.name
    refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: known_to(admin, "operator", 1).WhoAmI())
    operator.RevokeToken(name=made.token.name)


def test_a_secret_that_was_replaced_ends_everywhere(fleet, owner):
    parent, admin = owner.name, owner.caller("ADMIN")
    made = admin.CreateToken(parent=parent, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER))
    old = fleet.lets_in(made.secret, parent)
    watcher = SiteWatcher(fleet.caller(2, old), parent)
    assert watcher.take().mark == CURRENT
    rotated, told = admin.wrote("RotateToken", name=made.token.name, overlap=duration_pb2.Duration(seconds=3))
    everywhere = [fleet.caller(number, rotated.secret) for number in range(REPLICAS)]
    for caller in everywhere:
        assert known_to(caller, parent, told[parent]).WhoAmI().token == made.token.name
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(refused, "UNAUTHENTICATED", "CREDENTIAL_INVALID", lambda: list(watcher.stream))
        try:
            ended.result(3 + ENDED_S_MAX)
        finally:
            watcher.stream.cancel()
    for number in range(REPLICAS):
        refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", fleet.caller(number, old).WhoAmI)
        assert everywhere[number].WhoAmI().token == made.token.name


def test_the_background_work_moves_on_when_its_replica_dies(fleet, owner):
    token = fleet.lets_in(owner.caller("EDITOR").token, owner.name)
    until("nobody works", lambda: leader(fleet) is not None)
    dead = leader(fleet)
    # Nothing happens in its account for so long that it is told so.
    quiet = Recorder(fleet, token, owner.name, (dead + 1) % REPLICAS)
    quiet.start()
    fleet.servers[dead].kill()
    fleet.begun[dead] = len(fleet.servers[dead].log_text())
    until("nobody takes over", lambda: leader(fleet) is not None)
    assert leader(fleet) != dead
    until("no PROGRESS comes", lambda: any(isinstance(one, Taken) and one.mark == PROGRESS for one in list(quiet.log)))
    made = fleet.caller(leader(fleet), token).CreateSite(parent=owner.name, site=pb.Site(display_name="at last"))
    until("nothing is told", lambda: quiet.stands_at(made.revision))
    quiet.end()
    assert not (bookmarkable(quiet.log) or ordered(quiet.log) or unique(quiet.log)), quiet.log
    fleet.again(dead)
    agree(fleet, token, owner.name)


def leader(fleet):
    """The one replica that does the background work as far as it knows, `None` while there is none."""
    begins, ends = "this replica does the background work", "another replica does the background work now"
    said = [fleet.said(number) for number in range(len(fleet.servers))]
    leaders = [number for number, lines in enumerate(said) if lines.rfind(begins) > lines.rfind(ends)]
    assert len(leaders) <= 1, leaders
    return leaders[0] if leaders else None


def test_junk_in_redis_spoils_its_record_alone_and_is_counted(tmp_path):
    """R14."""
    with running(tmp_path, 1) as fleet:
        [server] = fleet.servers
        owner = Account(Caller(fleet.channels[0], server.admin_token))
        caller, parent = owner.caller("EDITOR"), owner.name
        names = ("good", "bad")
        good, bad = (caller.CreateSite(parent=parent, site=pb.Site(display_name=name)).name for name in names)
        counted = lambda: gauge(server, "waymark_store_corrupt_reads_total")  # noqa: E731
        assert counted() == 0
        [records] = fleet.store.ask("KEYS", f"*:records:{parent.removeprefix('accounts/')}:3")
        fleet.store.run("HSET", records, bad.rsplit("/", 1)[1], "junk")
        refused("DATA_LOSS", "STORAGE_CORRUPT", lambda: caller.GetSite(name=bad))
        assert "restores it from a backup" in failure_of(lambda: caller.DeleteSite(name=bad)).message
        assert caller.GetSite(name=good).display_name == "good"
        listed = caller.ListSites(parent=parent)
        assert ([site.name for site in listed.sites], list(listed.unreachable)) == ([good], [bad])
        assert [hit.site.name for hit in caller.SearchSites(parent=parent, query="good").hits] == [good]
        needing = caller.ListAttention(parent=parent)
        assert ([item.site.name for item in needing.items], list(needing.unreachable)) == ([good], [bad])
        assert needing.site_count == 2, "the map has both"
        exported = owner.caller("ADMIN").ExportAccountPersonalData(name=parent, page_size=1000)
        assert {record.site.name for record in exported.records if record.HasField("site")} == {good}
        assert list(exported.unreachable) == [bad]
        watcher = SiteWatcher(caller, parent)
        watcher.read_to(listed.sites[0].revision)
        assert set(watcher.sites) == {good}
        watcher.stream.cancel()
        assert counted() >= 1
        server.kill()
        fleet.again(0)
        assert counted() >= 1 and "is not what was written" in server.log_text()
        again = fleet.caller(0, caller.token)
        assert again.QueryViewport(parent=parent, viewport=WORLD).account_tally.total == 0
        assert again.QueryViewport(parent=parent, viewport=WORLD).unplaced == 1


def test_a_flushed_redis_is_not_taken_for_ours(tmp_path):
    with running(tmp_path, 2) as fleet:
        owner = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        caller, parent = owner.caller("EDITOR"), owner.name
        made = caller.CreateSite(parent=parent, site=pb.Site(display_name="kept"))
        fleet.store.run("FLUSHALL")
        refused("UNAVAILABLE", "STORAGE_UNAVAILABLE", lambda: caller.GetSite(name=made.name))
        seen = caller.QueryViewport(parent=parent, viewport=WORLD)
        assert seen.unplaced == 1, "the map was emptied"
        fleet.servers[1].kill()
        with pytest.raises(AssertionError, match="belongs to deployment"):
            fleet.again(1)
