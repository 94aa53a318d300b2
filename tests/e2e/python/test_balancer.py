"""deploy/nginx.conf in a live nginx before two servers over one Redis: a rolling restart, and many watches at once."""

import threading
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace


import grpc
import pytest

import watch_oracles as oracles
from balancer import Balancer
from client import Account, Caller, until
from fleet import TILES, Fleet, agree, single
from load import Client, Recorder, Writer, is_whole
from redis_server import Redis, lasting_port
from stubs import pb
from test_watches import listed, revision_of

REPLICAS = 2
WRITERS = 4
WATCHERS = 4
# Answers of each kind between two steps of a restart.
TRAFFIC = 20
# Errors that a client's library, or the client with the same request, repeats.
REPEATED = {"UNAVAILABLE", "NOT_READY", "OUTCOME_UNKNOWN"}
# Watches at once: more than one connection of HTTP/2 may have, and than nginx has connections unless it is told.
MANY, PER_CONNECTION = 1200, 100


class Visitor(threading.Thread):
    """Looks at tiles and at the page as a browser does, again and again."""

    def __init__(self, balancer, token, parent):
        super().__init__(daemon=True)
        self.balancer, self.token, self.parent = balancer, token, parent
        self.ends, self.answers, self.faults = threading.Event(), 0, []

    def run(self):
        paths = ["/", *(f"/v1/{self.parent}/{path}" for path in TILES)]
        while not self.ends.wait(0.01):
            path = paths[self.answers % len(paths)]
            try:
                status, headers, body = self.balancer.fetch(path, self.token)
            except OSError as fault:
                status, headers, body = repr(fault), {}, b""
            self.answers += 1
            if status != 200 or (path == "/" and (b"<html" not in body or "strict-transport-security" not in headers)):
                self.faults.append((path, status, body[:80]))


@contextmanager
def behind_nginx(directory, replicas):
    with ExitStack() as stack:
        redis = stack.enter_context(Redis(directory, keeps=True))
        fleet = Fleet(directory, single(redis), stack)
        ports = [lasting_port() for _ in range(REPLICAS)]
        for port in ports[:replicas]:
            fleet.add(listen=f"127.0.0.1:{port}")
        balancer = stack.enter_context(Balancer(directory / "nginx", ports))
        yield fleet, balancer, stack


def test_a_rolling_restart_fails_no_call(tmp_path):
    with behind_nginx(tmp_path, REPLICAS) as (fleet, balancer, stack):
        account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        token, parent = fleet.lets_in(account.caller("EDITOR").token, account.name), account.name
        outside = SimpleNamespace(channels=[stack.enter_context(balancer.channel()) for _ in range(2)])
        writers = [Writer(Client(outside, token, parent, number), number) for number in range(WRITERS)]
        watchers = [Recorder(outside, token, parent, number) for number in range(WATCHERS)]
        visitors = [Visitor(balancer, token, parent) for _ in range(2)]
        for thread in (*writers, *watchers, *visitors):
            thread.start()
        goes_on(writers, visitors)
        for number in range(REPLICAS):
            assert fleet.servers[number].stop() == 0
            goes_on(writers, visitors)
            fleet.again(number)
            goes_on(writers, visitors)
        for thread in (*writers, *visitors):
            thread.ends.set()
        for thread in (*writers, *visitors):
            thread.join()
        report(writers, watchers, visitors)
        agree(fleet, token, parent)
        check(fleet.caller(0, token), parent, writers, watchers)
        assert not [fault for visitor in visitors for fault in visitor.faults]
        heard = {reason for writer in writers for reason in writer.client.heard}
        assert heard <= REPEATED, heard


def goes_on(writers, visitors):
    before = [one.answers for one in (*writers, *visitors)]

    def is_so():
        for writer in writers:
            if writer.fault:
                raise writer.fault
        more = [one.answers - then for one, then in zip((*writers, *visitors), before)]
        return min(more) >= TRAFFIC

    until("it does not go on", is_so)


def report(writers, watchers, visitors):
    heard = [reason for writer in writers for reason in writer.client.heard]
    seen = sum(visitor.answers for visitor in visitors)
    begun = sum(isinstance(one, oracles.Opened) for watcher in watchers for one in watcher.log)
    failed = [fault for visitor in visitors for fault in visitor.faults]
    print(f"\n{sum(writer.answers for writer in writers)} calls, repeated {heard}; {seen} pages and tiles, {failed};")
    print(f"{WATCHERS} watches, begun {begun} times, ended {[end for watcher in watchers for end in watcher.ended]}")


def check(caller, parent, writers, watchers):
    revision, there = revision_of(caller, parent), listed(caller, parent, "")
    kept = {name: told for writer in writers for name, told in writer.kept.items() if told}
    assert {name: (site.display_name, site.note) for name, site in there.items()} == {
        name: told[:2] for name, told in kept.items()
    }
    for watcher in watchers:
        until("a watcher does not come to the end", lambda watcher=watcher: watcher.stands_at(revision))
        watcher.end()
        log = watcher.log
        assert sum(isinstance(one, oracles.Opened) for one in log) > 1, "it was never cut"
        faults = oracles.ordered(log) + oracles.unique(log) + oracles.bookmarkable(log)
        faults += oracles.atomic(log, is_whole) + oracles.reliable(log, {revision: there})
        assert not faults, faults[:5]


def test_many_watches_at_once_come_through(tmp_path):
    with behind_nginx(tmp_path, REPLICAS) as (fleet, balancer, stack):
        account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        token = fleet.lets_in(account.caller("EDITOR").token, account.name)
        request, streams = pb.WatchSitesRequest(parent=account.name), []
        for number in range(MANY):
            if number % PER_CONNECTION == 0:
                channel = stack.enter_context(balancer.channel())
            streams.append(Caller(channel, token).begin("WatchSites", request))
        try:
            for stream in streams:
                next(stream)
            made = account.create_site("told to all").name
            for stream in streams:
                assert [site.name for site in next(stream).changed_sites] == [made]
        finally:
            for stream in streams:
                stream.cancel()


def test_without_any_server_clients_hear_what_they_repeat(tmp_path):
    """A watch that met nginx's own page for 502 ended with UNKNOWN now and then, depending on which frame came first."""
    with Balancer(tmp_path / "nginx", [lasting_port() for _ in range(REPLICAS)]) as balancer, balancer.channel() as channel:
        caller = Caller(channel, "none")
        for _ in range(TRAFFIC):
            for method, request in [("ListSites", pb.ListSitesRequest()), ("WatchSites", pb.WatchSitesRequest())]:
                with pytest.raises(grpc.RpcError) as failed:
                    caller.call(method, request)
                assert (failed.value.code().name, failed.value.details()) == ("UNAVAILABLE", "no server answers")
        assert balancer.fetch("/")[0] == 502
