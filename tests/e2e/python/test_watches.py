"""Watches: a client that takes their messages holds what lists and map answer, whatever happens in between.

Clients of another language over the wire; `src/service/watch/tests` holds the same against a model of each revision.
"""

import queue
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from client import CALL_S_MAX, WORLD, Account, Caller, refused
from server import Server
from stubs import pb

EUROPE = pb.BoundingBox(low=pb.LatLng(lat=35, lng=-12), high=pb.LatLng(lat=72, lng=40))
FILTERS = ["", "status = ONLINE", "labels.floor = two OR note:ladder", "location.confirmed = true -garage"]
CURRENT, PROGRESS, RESYNC = pb.WATCH_MARK_CURRENT, pb.WATCH_MARK_PROGRESS, pb.WATCH_MARK_RESYNC
STATUSES = [pb.SITE_STATUS_UNKNOWN, pb.SITE_STATUS_ONLINE, pb.SITE_STATUS_OFFLINE]
# In so many seconds a token of a test expires at most; an end is a whole second.
EXPIRES_S = 3
# Seconds within which a watch ends when its credential is revoked now, or expires soon: the server looks each two seconds behind
# that end, and one more is a busy machine's.
ENDED_S_MAX = EXPIRES_S + 2 + 1
# Seconds that a watch may last in these tests: a message that never comes ends it.
WATCH_S_MAX = 120


class SiteWatcher:
    """A client that keeps the sites of a filter."""

    def __init__(self, caller, parent, filter="", resume_revision=0):
        self.caller, self.parent, self.filter = caller, parent, filter
        self.sites, self.revision, self.marks, self.told = {}, resume_revision, [], []
        self.watch()

    def watch(self):
        """Begins, or goes on from where it is."""
        request = pb.WatchSitesRequest(parent=self.parent, filter=self.filter, resume_revision=self.revision)
        self.stream = self.caller.begin("WatchSites", request, WATCH_S_MAX)
        self.is_current = False

    def take(self):
        message = next(self.stream)
        self.marks.append(message.mark)
        if message.mark == RESYNC:
            self.sites, self.is_current = {}, False
        else:
            assert message.revision >= self.revision, "revisions ascend"
        for site in message.changed_sites:
            self.sites[site.name] = site
        for name in message.removed_sites:
            self.sites.pop(name, None)
        self.told += [site.name for site in message.changed_sites] + list(message.removed_sites)
        self.revision = message.revision
        self.is_current = self.is_current or message.mark == CURRENT
        return message

    def read_to(self, revision):
        while self.revision < revision or not self.is_current:
            self.take()
        return self


class MapWatcher:
    """A client that shows a view, and may move it."""

    def __init__(self, caller, parent):
        self.parent, self.requests = parent, queue.Queue()
        self.symbols, self.revision, self.counts = {}, 0, None
        self.view_id, self.seen_id = 0, 0
        self.caller, self.stream = caller, None

    def look(self, viewport, zoom, filter=""):
        self.view_id += 1
        self.view = (viewport, zoom, filter)
        self.requests.put(
            pb.WatchMapRequest(
                parent=self.parent, viewport=viewport, zoom=zoom, filter=filter, view_id=self.view_id
            )
        )
        if self.stream is None:
            self.stream = self.caller.begin("WatchMap", iter(self.requests.get, None), WATCH_S_MAX)
        return self

    def take(self):
        changes = next(self.stream).changes
        for name in changes.removed_ids:
            assert self.symbols.pop(name), f"{name} was shown"
        self.symbols |= symbols_of(changes.changed)
        self.revision, self.seen_id = changes.revision, changes.view_id
        self.counts = (changes.account_tally, changes.matching_tally, changes.legend_tally, changes.unplaced)
        return changes

    def read_to(self, revision):
        while self.revision < revision or self.seen_id != self.view_id:
            self.take()
        return self

    def close(self):
        self.requests.put(None)
        self.stream.cancel()


def symbols_of(symbols):
    """Symbols by their ids."""
    pins = {f"p-{pin.name.rpartition('/')[2]}": pin for pin in symbols.pins}
    return pins | {symbol.id: symbol for symbol in (*symbols.clusters, *symbols.areas)}


def revision_of(caller, parent):
    return caller.QueryViewport(parent=parent, viewport=WORLD, zoom=0).revision


def listed(caller, parent, filter):
    """What ListSites answers, all pages."""
    sites, token = {}, ""
    while True:
        page = caller.ListSites(parent=parent, filter=filter, page_size=1000, page_token=token)
        sites |= {site.name: site for site in page.sites}
        token = page.next_page_token
        if not token:
            return sites


def timeless(sites):
    """Sites without the time of their last report, which makes no message by itself."""
    copies = {name: pb.Site.FromString(site.SerializeToString()) for name, site in sites.items()}
    for site in copies.values():
        site.ClearField("last_seen_time")
    return copies


def shake(account, chance, sites):
    """One random change of one site."""
    caller = account.caller()
    what = chance.choice(["make", "pin", "note", "label", "status", "delete", "undelete"])
    name = chance.choice(sites) if sites else None
    if what == "make" or not name:
        ip = chance.choice(["213.167.128.1", "8.8.8.8", None])
        made = account.activate(ip=ip).site if ip else account.create_site(note=chance.choice(["ladder", "garage"])).name
        return sites.append(made)
    deleted = caller.GetSite(name=name).HasField("delete_time")
    if what == "undelete" or deleted:
        return deleted and caller.UndeleteSite(name=name)
    if what == "pin":
        at = pb.LatLng(lat=chance.uniform(-80, 80), lng=chance.uniform(-179, 179))
        return caller.SetPin(site=name, position=at)
    if what == "delete":
        return caller.DeleteSite(name=name)
    if what == "status":
        reports = [pb.SiteReport(site=name, status=chance.choice(STATUSES))]
        return account.caller("SERVICE").BatchReportStatus(parent=account.name, reports=reports)
    site = pb.Site(name=name, note="ladder") if what == "note" else pb.Site(name=name, labels={"floor": "two"})
    return caller.UpdateSite(site=site, update_mask={"paths": ["note" if what == "note" else "labels"]})


@pytest.mark.parametrize("seed", range(3))
def test_what_watchers_hold_is_what_lists_and_map_answer(account, seed):
    print("seed", seed)
    chance, caller, parent, sites = random.Random(seed), account.caller("VIEWER"), account.name, []
    for _ in range(12):
        shake(account, chance, sites)
    watchers = [SiteWatcher(caller, parent, filter) for filter in FILTERS]
    maps = [MapWatcher(caller, parent).look(WORLD, 2), MapWatcher(caller, parent).look(EUROPE, 4, FILTERS[1])]
    try:
        for _ in range(8):
            for _ in range(chance.randint(1, 9)):
                shake(account, chance, sites)
            if chance.random() < 0.5:
                view = chance.choice([(WORLD, 0), (WORLD, 3), (EUROPE, 5)])
                maps[0].look(*view, chance.choice([FILTERS[0], FILTERS[1], FILTERS[3]]))
            if chance.random() < 0.3:
                watchers[0].stream.cancel()
                watchers[0].watch()
            revision = revision_of(caller, parent)
            for watcher in watchers:
                watcher.read_to(revision)
                assert timeless(watcher.sites) == timeless(listed(caller, parent, watcher.filter)), watcher.filter
            for watcher in maps:
                watcher.read_to(revision)
                viewport, zoom, filter = watcher.view
                seen = caller.QueryViewport(parent=parent, viewport=viewport, zoom=zoom, filter=filter)
                assert watcher.symbols == symbols_of(seen.symbols), (zoom, filter)
                counts = (seen.account_tally, seen.matching_tally, seen.legend_tally, seen.unplaced)
                assert watcher.counts == counts
        assert RESYNC not in [mark for watcher in watchers for mark in watcher.marks]
    finally:
        for watcher in maps:
            watcher.close()


def test_who_comes_again_hears_only_of_what_changed(account):
    caller = account.caller()
    kept, changed, deleted = (account.create_site(name).name for name in ("kept", "changed", "deleted"))
    watcher = SiteWatcher(caller, account.name, "NOT note:secret").read_to(1)
    assert set(watcher.sites) == {kept, changed, deleted}
    watcher.stream.cancel()
    caller.UpdateSite(site=pb.Site(name=changed, note="secret"), update_mask={"paths": ["note"]})
    caller.DeleteSite(name=deleted)
    watcher.told.clear()
    watcher.watch()
    watcher.read_to(revision_of(caller, account.name))
    assert (sorted(watcher.told), set(watcher.sites)) == (sorted([changed, deleted]), {kept})


def test_a_revision_that_is_not_remembered_begins_anew(account):
    site = account.create_site().name
    for resume in (revision_of(account.caller(), account.name) + 1, 2**63, 2**64 - 1):
        watcher = SiteWatcher(account.caller(), account.name, resume_revision=resume)
        assert watcher.take().mark == RESYNC
        assert set(watcher.read_to(1).sites) == {site}


def test_a_slow_reader_misses_nothing_and_stops_nobody(account):
    """Changes of megabytes while nobody reads: more than every buffer on the way holds."""
    caller, note = account.caller(), "n" * 60_000
    sites = [account.create_site().name for _ in range(20)]
    watcher = SiteWatcher(caller, account.name).read_to(1)
    view = MapWatcher(caller, account.name).look(WORLD, 2).read_to(1)
    for turn in range(10):
        for name in sites:
            caller.UpdateSite(site=pb.Site(name=name, note=f"{turn}{note}"), update_mask={"paths": ["note"]})
            caller.SetPin(site=name, position=pb.LatLng(lat=turn, lng=turn + 1))
    revision = revision_of(caller, account.name)
    watcher.is_current = True
    assert watcher.read_to(revision).sites == listed(caller, account.name, "")
    # It was slow: it was caught up, and came to be current anew.
    assert CURRENT in watcher.marks[1:], watcher.marks
    view.read_to(revision)
    assert view.symbols == symbols_of(caller.QueryViewport(parent=account.name, viewport=WORLD, zoom=2).symbols)
    view.close()


def test_sites_of_megabytes_come_in_messages_that_clients_take(account):
    """Messages stay far below the 4 MiB that clients take if nobody tells them to take more."""
    caller, service = account.caller(), account.caller("SERVICE")
    note = "n" * 60_000
    sites = [account.create_site(note=note).name for _ in range(120)]
    watcher = SiteWatcher(caller, account.name)
    watcher.read_to(revision_of(caller, account.name))
    assert len(watcher.marks) > 20, "seven megabytes do not fit into few messages"
    assert watcher.sites == listed(caller, account.name, "")
    reports = [pb.SiteReport(site=name, status=pb.SITE_STATUS_ONLINE) for name in sites]
    service.BatchReportStatus(parent=account.name, reports=reports)
    watcher.read_to(revision_of(caller, account.name))
    assert {site.status for site in watcher.sites.values()} == {pb.SITE_STATUS_ONLINE}


def test_nothing_of_another_account_wakes_a_watch(account, operator):
    other = Account(operator)
    account.create_site()
    watcher = SiteWatcher(account.caller(), account.name).read_to(1)
    view = MapWatcher(account.caller(), account.name).look(WORLD, 2).read_to(1)
    for _ in range(20):
        other.activate(ip="8.8.8.8")
    mine = account.create_site().name
    assert [site.name for site in watcher.take().changed_sites] == [mine]
    changes = view.take()
    assert (changes.unplaced, changes.changed) == (2, pb.MapSymbols())
    view.close()


# The server looks every two seconds, and most of the time is over by the look behind the end.
@pytest.mark.alone
@pytest.mark.parametrize("end", ["revoked", "expired"])
@pytest.mark.parametrize("watch", ["WatchSites", "WatchMap", "WatchViewport"])
def test_a_token_that_ends_ends_its_watches(account, watch, end):
    token = pb.Token(scope=pb.TOKEN_SCOPE_VIEWER)
    if end == "expired":
        token.expire_time.FromSeconds(int(time.time()) + EXPIRES_S)
    made = account.caller().CreateToken(parent=account.name, token=token)
    caller = Caller(account.operator.channel, made.secret)
    view = {} if watch == "WatchSites" else {"viewport": WORLD, "zoom": 1}
    stream = caller.begin(watch, getattr(pb, f"{watch}Request")(parent=account.name, **view))
    next(stream)
    assert ("x-accel-buffering", "no") in [tuple(pair) for pair in stream.initial_metadata()]
    if end == "revoked":
        account.caller().RevokeToken(name=made.token.name)
    # The client's library tells an end to who reads.
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(refused, "UNAUTHENTICATED", "CREDENTIAL_INVALID", lambda: list(stream))
        ended.result(ENDED_S_MAX)


def test_bad_views_are_refused(account):
    caller, parent = account.caller(), account.name
    box = {"parent": parent, "viewport": WORLD}
    small = pb.BoundingBox(low=pb.LatLng(lat=10, lng=10), high=pb.LatLng(lat=10, lng=11))
    for fields, field in [
        ({"parent": parent, "zoom": 1}, "viewport"),
        (box | {"zoom": 23}, "zoom"),
        (box | {"zoom": 12}, "zoom"),
        (box | {"filter": "note:x"}, "filter"),
        (box | {"filter": "status = "}, "filter"),
        ({"parent": parent, "viewport": small}, "viewport.low.lat"),
        ({"parent": "acme", "viewport": WORLD}, "parent"),
    ]:
        for method in ("WatchMap", "WatchViewport"):
            refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: getattr(caller, method)(**fields), field)
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: caller.WatchSites(parent=parent, filter="note = "), "filter")


def test_a_stream_stays_with_its_account_and_needs_a_first_view(account, operator):
    other = Account(operator)
    both = account.operator
    watcher = MapWatcher(both, account.name).look(WORLD, 1).read_to(0)
    watcher.parent = other.name
    watcher.look(WORLD, 2)
    refused("INVALID_ARGUMENT", "FIELD_INVALID", watcher.take, "parent")
    silent = account.caller().begin("WatchMap", iter([]))
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: next(silent), "viewport")


def test_a_view_may_be_watched_by_who_asks_no_more(account):
    """The client closes its side after one view, and hears of changes all the same."""
    caller = account.caller()
    request = pb.WatchMapRequest(parent=account.name, viewport=WORLD, zoom=1)
    stream = caller.begin("WatchMap", iter([request]))
    assert next(stream).changes.mark == CURRENT
    name = account.create_site().name
    caller.SetPin(site=name, position=pb.LatLng(lat=10, lng=10))
    while not (pins := next(stream).changes.changed.pins):
        pass
    assert [pin.name for pin in pins] == [name]
    stream.cancel()


@pytest.mark.parametrize("method", ["WatchMap", "WatchViewport"])
def test_a_watch_without_names_hears_of_no_renaming(account, method):
    caller = account.caller()
    name = account.create_site("its first name").name
    caller.SetPin(site=name, position=pb.LatLng(lat=10, lng=10))
    request = getattr(pb, f"{method}Request")(parent=account.name, viewport=WORLD, zoom=2, omit_names=True)
    stream = caller.begin(method, iter([request]) if method == "WatchMap" else request, WATCH_S_MAX)
    first = next(stream).changes
    assert [(pin.name, pin.display_name) for pin in first.changed.pins] == [(name, "")]
    caller.UpdateSite(site=pb.Site(name=name, display_name="another name"), update_mask={"paths": ["display_name"]})
    revision, told = revision_of(caller, account.name), first
    while told.revision < revision:
        told = next(stream).changes
        assert (told.changed, list(told.removed_ids)) == (pb.MapSymbols(), [])
    stream.cancel()


def test_the_end_of_the_server_ends_watches_and_a_client_goes_on_where_it_was(tmp_path):
    data = tmp_path / "data"
    with Server(data) as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token), "acme")
            caller = account.caller()
            token, site = caller.token, account.create_site("first").name
            watcher = SiteWatcher(caller, account.name)
            watcher.read_to(revision_of(caller, account.name))
            view = MapWatcher(caller, account.name).look(WORLD, 1).read_to(1)
            server.process.send_signal(signal.SIGTERM)
            for ended in (watcher.take, view.take):
                refused("UNAVAILABLE", "NOT_READY", ended)
            assert server.process.wait(CALL_S_MAX) == 0
    with Server(data) as server:
        with grpc.insecure_channel(server.target) as channel:
            watcher.caller = Caller(channel, token)
            watcher.told.clear()
            watcher.watch()
            message = watcher.take()
            assert (message.mark, watcher.told, set(watcher.sites)) == (CURRENT, [], {site})
