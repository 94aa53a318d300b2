"""A Redis that somebody sets otherwise while it is used: nothing is written until it keeps what it acknowledges again."""

import pytest

from client import WORLD, Account, Caller, failure_of, fetch, until
from metrics_page import Metrics
from stubs import pb
from test_replicas import is_written, running

REPLICAS = 2
# What is set, what of it is told, and what mends it.
CHANGES = {
    "never syncs": ([("appendfsync", "no")], [("appendfsync", "always")]),
    "evicts": ([("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")], [("maxmemory", "0")]),
}


@pytest.mark.parametrize("word", CHANGES)
def test_a_redis_that_is_set_to_lose_writes_gets_none_until_it_is_mended(tmp_path, word):
    danger, mended = CHANGES[word]
    with running(tmp_path, REPLICAS) as fleet:
        owner = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        token, parent = fleet.lets_in(owner.caller("EDITOR").token, owner.name), owner.name
        callers = [fleet.caller(number, token) for number in range(REPLICAS)]
        made = callers[0].CreateSite(parent=parent, site=pb.Site(display_name="kept"))
        assert safe(fleet) == [1] * REPLICAS
        change(fleet.store, danger)
        until("not all of them notice", lambda: safe(fleet) == [0] * REPLICAS)
        for number, caller in enumerate(callers):
            for attempt in range(3):
                site = pb.Site(display_name=f"late {number} {attempt}")
                failure = failure_of(lambda site=site: caller.CreateSite(parent=parent, site=site))
                assert (failure.code.name, failure.reason) == ("UNAVAILABLE", "STORAGE_UNAVAILABLE"), failure
                assert word in failure.message and "nothing is written" in failure.message, failure
            said = [line for line in fleet.said(number).splitlines() if "ERROR" in line and word in line]
            assert len(said) == 1, "it is told once, however many writes it costs"
            assert [site.name for site in caller.ListSites(parent=parent).sites] == [made.name], "reads go on"
            assert caller.QueryViewport(parent=parent, viewport=WORLD).unplaced == 1
            assert fetch(fleet.servers[number].target, "/readyz")[0] == 200, "and no balancer takes it out"
        change(fleet.store, mended)
        for number, caller in enumerate(callers):
            until("writes do not go on", lambda caller=caller: is_written(caller, parent))
            until("nobody says so", lambda number=number: "writes go on" in fleet.said(number))
        assert safe(fleet) == [1] * REPLICAS
        assert not [site for site in callers[0].ListSites(parent=parent).sites if site.display_name.startswith("late")]


def test_a_redis_that_comes_back_without_its_log_gets_no_write(tmp_path):
    """No look that comes now and then would be soon enough: the connection is looked at before anything is written to it."""
    with running(tmp_path, 1) as fleet:
        owner = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        caller, parent = owner.caller("EDITOR"), owner.name
        caller.CreateSite(parent=parent, site=pb.Site(display_name="kept"))
        fleet.store.kill()
        safely = fleet.store.settings
        fleet.store.settings = [*safely, "--appendfsync", "no"]
        fleet.store.start()
        asked = pb.CreateSiteRequest(parent=parent, site=pb.Site(display_name="late"))

        def says_why():
            failure = failure_of(lambda: caller.call("CreateSite", asked))
            assert failure.code.name == "UNAVAILABLE", failure
            return "never syncs" in failure.message

        until("it does not say why", says_why)
        until("it does not follow", lambda: len(caller.ListSites(parent=parent).sites) == 1)
        assert fleet.store.run("CONFIG", "SET", "appendfsync", "always") == "+OK"
        until("writes do not go on", lambda: is_written(caller, parent))
        fleet.store.settings = safely


def change(redis, settings):
    for name, value in settings:
        assert redis.run("CONFIG", "SET", name, value) == "+OK"


def safe(fleet):
    """What each replica's metrics tell of its Redis, to the operator's token that the first one made."""
    token = fleet.servers[0].admin_token
    pages = [fetch(server.target, "/metrics", token) for server in fleet.servers]
    return [Metrics(body.decode())["waymark_store_safe"] for _, _, body in pages]
