"""Several servers over one Redis: each shows what the others wrote, and any of them may die."""

import base64
import secrets
import time
from contextlib import ExitStack

import grpc
import pytest

from client import WORLD, Account, Caller, failure_of, fetch, refused
from redis_server import Redis
from server import Server
from stubs import pb
from test_watches import SiteWatcher

TILES = ["tiles/0/0/0.mvt", "tiles/3/3/2.mvt", "tiles/5/14/8.mvt"]
# Seconds for whatever has to come.
COMES_S_MAX = 30
REPLICAS = 3


class Fleet:
    """Replicas over one Redis."""

    def __init__(self, directory, redis, stack):
        self.directory, self.redis, self.stack = directory, redis, stack
        self.key = directory / "credentials.key"
        self.key.write_bytes(base64.b64encode(secrets.token_bytes(32)))
        self.key.chmod(0o600)
        self.servers, self.channels = [], []

    def add(self, **options):
        """Starts another replica."""
        number = len(self.servers)
        config = self.directory / f"replica{number}.toml"
        config.write_text(
            f'[redis]\nnodes = ["127.0.0.1:{self.redis.port}"]\npartitions = 4\n'
            f'[ticketing]\nkey_file = "{self.key}"\n[service]\nmove_after_s = 0\n',
            encoding="utf-8",
        )
        server = Server(self.directory / f"replica{number}", extra=["--config", config], **options)
        self.servers.append(self.stack.enter_context(server))
        self.channels.append(self.stack.enter_context(grpc.insecure_channel(server.target)))
        return server

    def again(self, number):
        """Starts a replica again that died."""
        self.servers[number].start()
        self.channels[number] = self.stack.enter_context(grpc.insecure_channel(self.servers[number].target))

    def caller(self, number, token):
        return Caller(self.channels[number], token)


@pytest.fixture
def fleet(tmp_path):
    with ExitStack() as stack:
        redis = stack.enter_context(Redis(tmp_path, keeps=True))
        made = Fleet(tmp_path, redis, stack)
        for _ in range(REPLICAS):
            made.add()
        yield made


@pytest.fixture
def owner(fleet):
    return Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))


def known_to(caller, parent, revision):
    """The same caller, who knows of a revision and is answered by whoever knows it too."""
    known = Caller(caller.channel, caller.token)
    known.metadata = [*caller.metadata, ("waymark-min-revision", f"{parent}={revision}")]
    return known


def digest(fleet, number, token, parent):
    """All that a replica shows of an account."""
    caller = fleet.caller(number, token)
    seen = [caller.ListSites(parent=parent, page_size=1000).SerializeToString(deterministic=True)]
    for zoom in (0, 2, 4):
        seen.append(caller.QueryViewport(parent=parent, viewport=WORLD, zoom=zoom).SerializeToString(deterministic=True))
    for path in TILES:
        status, headers, body = fetch(fleet.servers[number].target, f"/v1/{parent}/{path}", token)
        assert status == 200
        seen += [headers["etag"], body]
    return seen


def agree(fleet, token, parent, numbers=range(REPLICAS)):
    def is_so():
        digests = [digest(fleet, number, token, parent) for number in numbers]
        return all(other == digests[0] for other in digests)

    until("the replicas do not agree", is_so)


def test_each_shows_what_any_of_them_wrote(fleet, owner):
    token = owner.caller("EDITOR").token
    parent = owner.name
    for number in range(60):
        writer = fleet.caller(number % REPLICAS, token)
        until("a token is unknown", lambda writer=writer: is_known(writer, parent))
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


def is_known(caller, parent):
    try:
        caller.ListSites(parent=parent)
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.NOT_FOUND), error
        return False
    return True


def test_a_watch_hears_of_others_and_goes_on_elsewhere(fleet, owner):
    token, parent = owner.caller("EDITOR").token, owner.name
    here, there = fleet.caller(0, token), fleet.caller(1, token)
    until("a token is unknown", lambda: is_known(there, parent) and is_known(fleet.caller(2, token), parent))
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
    token, parent = owner.caller("EDITOR").token, owner.name
    caller = fleet.caller(0, token)
    made = caller.CreateSite(parent=parent, site=pb.Site(display_name="kept"))
    caller.SetPin(site=made.name, position=pb.LatLng(lat=1, lng=1))
    until("a token is unknown", lambda: is_known(fleet.caller(1, token), parent))
    agree(fleet, token, parent)
    fleet.redis.kill()
    for number in range(REPLICAS):
        begun = time.monotonic()
        site = pb.Site(display_name=f"lost {number}")
        failure = failure_of(lambda: fleet.caller(number, token).CreateSite(parent=parent, site=site))
        assert failure.code == grpc.StatusCode.UNAVAILABLE, failure
        assert failure.reason in ("STORAGE_UNAVAILABLE", "OUTCOME_UNKNOWN"), failure
        assert time.monotonic() - begun < 10
        tally = fleet.caller(number, token).QueryViewport(parent=parent, viewport=WORLD).account_tally
        assert tally.total == 1

    def is_marked(number):
        status, headers, _ = fetch(fleet.servers[number].target, f"/v1/{parent}/{TILES[0]}", token)
        assert status == 200
        return int(headers.get("waymark-stale-s", 0)) >= 3

    until("nothing is marked stale", lambda: all(is_marked(number) for number in range(REPLICAS)))
    fleet.redis.start()
    until("writes do not go on", lambda: is_written(caller, parent))
    agree(fleet, token, parent)


def is_written(caller, parent):
    try:
        caller.CreateSite(parent=parent, site=pb.Site(display_name=f"again {secrets.token_hex(4)}"))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return False
    return True


def test_a_token_that_is_revoked_ends_everywhere(fleet, owner):
    token, parent = owner.caller("VIEWER").token, owner.name
    other = fleet.caller(2, token)
    until("a token is unknown", lambda: is_known(other, parent))
    watcher = SiteWatcher(other, parent)
    watcher.read_to(0)
    listed = owner.caller("ADMIN").ListTokens(parent=parent, page_size=100).tokens
    viewer = next(one for one in listed if one.scope == pb.TOKEN_SCOPE_VIEWER)
    owner.caller("ADMIN").RevokeToken(name=viewer.name)
    until("it is still good", lambda: not is_known(other, parent))
    with pytest.raises(grpc.RpcError):
        for _ in range(1000):
            watcher.take()


def test_the_background_work_moves_on_when_its_replica_dies(fleet, owner):
    said, token = "this replica does the background work", owner.caller("EDITOR").token
    until("nobody works", lambda: any(said in server.log_text() for server in fleet.servers))
    leaders = [number for number, server in enumerate(fleet.servers) if said in server.log_text()]
    assert len(leaders) == 1
    fleet.servers[leaders[0]].kill()
    others = [number for number in range(REPLICAS) if number != leaders[0]]
    until("nobody takes over", lambda: any(said in fleet.servers[number].log_text() for number in others))
    fleet.again(leaders[0])
    agree(fleet, token, owner.name)


def test_a_flushed_redis_is_not_taken_for_ours(fleet, owner):
    token, parent = owner.caller("EDITOR").token, owner.name
    caller = fleet.caller(0, token)
    made = caller.CreateSite(parent=parent, site=pb.Site(display_name="kept"))
    fleet.redis.run("FLUSHALL")
    refused("UNAVAILABLE", "STORAGE_UNAVAILABLE", lambda: caller.GetSite(name=made.name))
    seen = caller.QueryViewport(parent=parent, viewport=WORLD)
    assert seen.unplaced == 1, "the map was emptied"
    fleet.servers[1].kill()
    with pytest.raises(AssertionError, match="belongs to deployment"):
        fleet.again(1)
    fleet.servers[1].log.write_text("", encoding="utf-8")
