"""Connections end when nobody needs them, when they are old, and when another one needs their place; a client that keeps to its
protocol sees no error (C1, C3).

The rules are in `docs/traffic.md`. Clients here are frames by hand where no library would do it, and gRPC's own library where
it matters what that makes of it.
"""

import contextlib
import struct

import grpc
import pytest

from attacks import Steady
from client import Account, Caller, refused, until
from frames import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Connection, call_fields, connect, frame, message
from metrics_page import Metrics
from stubs import PACKAGE, pb
from test_traffic import serving
from test_watches import RESYNC, SiteWatcher, revision_of

WHO = f"/{PACKAGE}.AdminService/WhoAmI"
WATCH = f"/{PACKAGE}.SiteService/WatchSites"
# The message of a request that says nothing.
EMPTY = message(b"")
# Addresses of those who hold places, and of one who comes.
HOLDERS, NEWCOMER = [f"127.0.0.{number}" for number in range(2, 6)], "127.0.0.9"
IDLE = "[listen]\nconnection_idle_s = 1"
AGED = "[listen]\nconnection_age_max_s = 2\nconnection_grace_s = 1"
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


def asked(target, token, source=None):
    """A connection of HTTP/2 on which one call was answered."""
    connection = Connection(target, source=source)
    head = frame(HEADERS, END_HEADERS, 1, call_fields(WHO, token))
    connection.send(head + frame(DATA, END_STREAM, 1, EMPTY))
    assert answer_of(connection), "it is served"
    return connection


def answer_of(connection):
    """The messages of the answer to the first call of a connection, once it is whole."""
    seen = connection.until(lambda _, flags, stream, __: stream == 1 and flags & END_STREAM)
    assert seen and seen[-1][2] == 1, f"the call is not answered: {seen[-3:]}"
    return [payload for kind, _, stream, payload in seen if (kind, stream) == (DATA, 1) and payload]


def watching(target, token, parent, source=None):
    """A connection with a watch that has begun."""
    connection = Connection(target, source=source)
    request = pb.WatchSitesRequest(parent=parent).SerializeToString()
    head = frame(HEADERS, END_HEADERS, 1, call_fields(WATCH, token))
    connection.send(head + frame(DATA, END_STREAM, 1, message(request)))
    seen = connection.until(lambda kind, _, stream, __: (kind, stream) == (DATA, 1))
    assert seen and seen[-1][0] == DATA, f"no watch: {seen[-3:]}"
    return connection


def farewell(connection):
    """The codes of the GOAWAYs that come before the server closes a connection."""
    seen = connection.until(lambda *_: False)
    assert connection.is_closed, "it is open still"
    return [struct.unpack("!II", payload[:8])[1] for kind, _, _, payload in seen if kind == GOAWAY]


def ended(server, reason):
    """How many connections ended so."""
    return Metrics.of(server)["waymark_connections_closed_total", reason]


def test_a_connection_that_nobody_needs_is_told_to_go(tmp_path):
    """Peers of HTTP/2 that answered pings kept their places for ever."""
    with serving(tmp_path, IDLE) as (server, operator):
        with asked(server.target, operator.token) as quiet, connect(server.target) as plain:
            plain.sendall(HEALTH)
            assert plain.recv(12) == b"HTTP/1.1 200"
            codes = farewell(quiet)
            assert codes and set(codes) == {0}, "told to go, for no fault of its own"
            while plain.recv(4096):
                pass
        until("they are not counted", lambda: ended(server, "idle") >= 2)
        # The channel's own connection went too, or will: its next call goes out on another one.
        for _ in range(3):
            before = ended(server, "idle")
            assert operator.WhoAmI()
            until("its connection stays", lambda: ended(server, "idle") > before)


def test_a_connection_with_a_call_under_way_is_needed(tmp_path):
    with serving(tmp_path, IDLE) as (server, operator):
        account = Account(operator)
        with watching(server.target, account.caller("VIEWER").token, account.name) as needed:
            # One that is needed for less long is gone meanwhile.
            with asked(server.target, operator.token) as quiet:
                farewell(quiet)
            assert needed.ping()[0], "it is told to go"


def test_health_and_reflection_keep_no_connection(tmp_path):
    """Anybody can ask them, and keep that up for ever."""
    with serving(tmp_path, IDLE) as (server, _):
        with Connection(server.target) as stranger:
            path = "/grpc.health.v1.Health/Watch"
            stranger.send(frame(HEADERS, END_HEADERS, 1, call_fields(path)) + frame(DATA, END_STREAM, 1, EMPTY))
            seen = stranger.until(lambda kind, _, stream, __: (kind, stream) == (DATA, 1))
            assert seen and seen[-1][0] == DATA, "its state is told"
            # Ends with a status, as any answer does.
            seen = stranger.until(lambda kind, flags, stream, _: (kind, stream) == (HEADERS, 1) and flags & END_STREAM)
            assert GOAWAY in [kind for kind, *_ in seen] and seen[-1][0] == HEADERS, seen
            farewell(stranger)
        until("it is not counted", lambda: ended(server, "idle") >= 1)


def test_an_old_connection_drains_and_its_client_sees_no_error(tmp_path):
    with serving(tmp_path, AGED) as (server, operator):
        with Connection(server.target) as slow:
            # A call whose message is on its way when the connection has to go.
            head = frame(HEADERS, END_HEADERS, 1, call_fields(WHO, operator.token))
            slow.send(head + frame(DATA, 0, 1, EMPTY[:2]))
            seen = slow.until(lambda kind, *_: kind == GOAWAY)
            assert seen and seen[-1][0] == GOAWAY, "it is as old as one may be"
            slow.send(frame(DATA, END_STREAM, 1, EMPTY[2:]))
            assert answer_of(slow), "what is under way is answered"
            farewell(slow)
        # Of its own library, which goes from one connection to the next.
        before = ended(server, "aged")
        with Steady(server, operator.token) as steady:
            until("no connection grows old", lambda: ended(server, "aged") >= before + 3)
        print(steady)


def test_a_watch_on_an_old_connection_ends_with_a_word_and_goes_on(tmp_path):
    with serving(tmp_path, AGED) as (server, operator):
        account = Account(operator)
        first = account.create_site("first").name
        # A connection of its own, as old as the watch.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(server.target, options=options) as channel:
            caller = account.caller()
            watcher = SiteWatcher(Caller(channel, caller.token), account.name)
            watcher.read_to(revision_of(caller, account.name))
            assert set(watcher.sites) == {first}

            def read_on():
                while True:
                    watcher.take()

            refused("UNAVAILABLE", "NOT_READY", read_on)
            second = account.create_site("second").name
            watcher.told.clear()
            watcher.watch()
            watcher.read_to(revision_of(caller, account.name))
            assert (watcher.told, set(watcher.sites)) == ([second], {first, second}), "nothing is missed, and nothing twice"
            assert RESYNC not in watcher.marks
            watcher.stream.cancel()


def test_four_addresses_that_hold_all_places_keep_nobody_out(tmp_path):
    config = "[listen]\nconnections_max = 9\nconnections_per_address_max = 2"
    with serving(tmp_path, config, trusted_proxy=False) as (server, operator), contextlib.ExitStack() as opened:
        assert operator.WhoAmI(), "the ninth of them"
        holders = [
            opened.enter_context(asked(server.target, operator.token, source)) for source in HOLDERS for _ in range(2)
        ]
        # Its own was used before all of them, and would be the first that nobody has needed for long enough.
        assert operator.WhoAmI()
        newcomer = opened.enter_context(connect(server.target, source=NEWCOMER))
        newcomer.sendall(HEALTH)
        assert newcomer.recv(12) == b"HTTP/1.1 200", "a newcomer is served"
        stand = [holder.ping()[0] for holder in holders]
        assert stand == [False] + [True] * 7, "the one that was unused for longest had to go"
        farewell(holders[0])
        assert operator.WhoAmI(), "who has one keeps it"
        until("it is not counted", lambda: ended(server, "displaced") >= 1)


def test_places_that_are_needed_are_not_taken(tmp_path):
    with serving(tmp_path, "[listen]\nconnections_max = 3", trusted_proxy=False) as (server, operator):
        account = Account(operator)
        token = account.caller("VIEWER").token
        with contextlib.ExitStack() as opened:
            watches = [
                opened.enter_context(watching(server.target, token, account.name, HOLDERS[0])) for _ in range(2)
            ]
            # The third one is the operator's, which nobody needs.
            newcomer = opened.enter_context(connect(server.target, source=NEWCOMER))
            newcomer.sendall(HEALTH)
            assert newcomer.recv(12) == b"HTTP/1.1 200"
            # Its client comes again, and gets the newcomer's.
            assert operator.WhoAmI()
            assert all(watch.ping()[0] for watch in watches), "a watch had to go"


@pytest.mark.parametrize("limit", ["idle_s", "age_max_s"])
def test_a_limit_of_zero_is_none(tmp_path, limit):
    other = {"idle_s": "age_max_s", "age_max_s": "idle_s"}[limit]
    config = f"[listen]\nconnection_{limit} = 0\nconnection_{other} = 1\nconnection_grace_s = 0"
    with serving(tmp_path, config) as (server, operator):
        with asked(server.target, operator.token) as quiet:
            assert farewell(quiet)
        none, some = ("idle", "aged") if limit == "idle_s" else ("aged", "idle")
        until("it is not counted", lambda: ended(server, some) >= 1)
        assert ended(server, none) == 0
