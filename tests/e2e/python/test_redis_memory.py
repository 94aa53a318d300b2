"""A Redis that uses up the memory that it may have: writes are refused as such, what was answered is there, reads and watches go on, and
so do writes when there is room, without a restart of anything."""

import uuid
from itertools import count

import grpc

from client import WORLD, Account, Caller, Failure, fetch, mask, refused, until
from fleet import agree, told
from stubs import pb
from test_replicas import running
from test_watches import SiteWatcher, revision_of

REPLICAS = 2
# How much more than it holds Redis may take, and how large a note fills that.
ROOM_BYTES = 2 * 1024 * 1024
NOTE_BYTES = 60_000
# Sites that fill it, at most: far above how many there is room for.
SITES_MAX = 500


def test_a_redis_without_memory_refuses_writes_loses_none_and_goes_on_with_room(tmp_path):
    """F13."""
    with running(tmp_path, REPLICAS) as fleet:
        owner = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        parent, token = owner.name, fleet.lets_in(owner.caller("EDITOR").token, owner.name)
        here, there = (fleet.caller(number, token) for number in range(REPLICAS))
        kept = here.CreateSite(parent=parent, site=pb.Site(display_name="kept", note="first")).name
        here.SetPin(site=kept, position=pb.LatLng(lat=1, lng=1))
        watcher = SiteWatcher(there, parent)
        limit(fleet.store, used(fleet.store) + ROOM_BYTES)
        assert refusals(fleet.store) == 0
        made = fill(here, parent)
        # Buffers that come and go would let a small write through.
        limit(fleet.store, used(fleet.store) - ROOM_BYTES // 2)
        assert refusals(fleet.store) > 0, "the injector never struck"

        # Whoever asks, whatever it writes; and nothing of it is there.
        lost = {"parent": parent, "request_id": str(uuid.uuid4()), "site": pb.Site(display_name="late", note="x" * NOTE_BYTES)}
        longer = {"site": pb.Site(name=kept, note="x" * NOTE_BYTES), "update_mask": mask("note")}
        pinned = {"site": kept, "position": pb.LatLng(lat=2, lng=2)}
        for caller in (here, there):
            for call, request in (("CreateSite", lost), ("UpdateSite", longer), ("SetPin", pinned)):
                failure = refused("RESOURCE_EXHAUSTED", "STORAGE_FULL", lambda: getattr(caller, call)(**request))
                assert "give Redis more memory" in failure.message, failure
            assert caller.GetSite(name=kept).note == "first", "reads go on"
            assert names(caller, parent) == {kept, *made}
            view = caller.QueryViewport(parent=parent, viewport=WORLD)
            assert (view.account_tally.total, view.unplaced) == (1, len(made)), "so does the map"
            assert {hit.site.name for hit in caller.SearchSites(parent=parent, query="kept").hits} == {kept}
        watcher.read_to(revision_of(here, parent))
        assert set(watcher.sites) == {kept, *made}
        for number, server in enumerate(fleet.servers):
            until("it does not follow", lambda number=number: told(fleet, number, "following") == 1)
            assert fetch(server.target, "/readyz")[0] == 200

        limit(fleet.store, 0)
        late = there.CreateSite(**lost).name
        assert there.UpdateSite(**longer).note == "x" * NOTE_BYTES and here.SetPin(**pinned).name == kept
        watcher.read_to(revision_of(there, parent))
        watcher.stream.cancel()
        assert watcher.sites.keys() == {kept, late, *made}, "once"
        agree(fleet, token, parent)

        # All of it is in the files, too, and one that starts finds it.
        fleet.store.kill()
        fleet.store.start()
        fleet.servers[1].kill()
        fleet.again(1)
        again = fleet.caller(1, token)
        assert names(again, parent) == {kept, late, *made}
        assert all(again.GetSite(name=name).note == note for name, note in made.items())


def fill(caller, parent):
    """Makes sites until there is no room; those that were answered, with their notes."""
    made = {}
    for number in count():
        assert number < SITES_MAX, "it is never full"
        site = pb.Site(display_name=f"site {number}", note=f"{number} ".ljust(NOTE_BYTES, "n"))
        try:
            made[caller.CreateSite(parent=parent, site=site).name] = site.note
        except grpc.RpcError as error:
            failure = Failure(error)
            assert (failure.code.name, failure.reason) == ("RESOURCE_EXHAUSTED", "STORAGE_FULL"), failure
            assert made, "there never was any room"
            return made


def names(caller, parent):
    return {site.name for site in caller.ListSites(parent=parent, page_size=1000).sites}


def limit(redis, size):
    assert redis.run("CONFIG", "SET", "maxmemory", size) == "+OK"


def used(redis):
    (line,) = [line for line in redis.ask("INFO", "memory").splitlines() if line.startswith("used_memory:")]
    return int(line.partition(":")[2])


def refusals(redis):
    """How often it refused a command for want of memory."""
    found = [line for line in redis.ask("INFO", "errorstats").splitlines() if line.startswith("errorstat_OOM:")]
    return int(found[0].partition("count=")[2]) if found else 0
