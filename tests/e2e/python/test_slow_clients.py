"""Clients that are slow on purpose: none keeps a connection, or memory, for long, and good clients go on meanwhile (C1, C6).

What ends such a connection is told in `docs/faults.md`.
"""

import re
import threading
import time

import grpc
import pytest

from attacks import Steady, memory_mb, sockets
from client import Account, Caller, fetch, mask, until
from frames import (
    ACK, END_HEADERS, HEADERS, CONTINUATION, INITIAL_WINDOW_SIZE, PING, PREFACE, RST_STREAM, Connection, call_fields, connect, field,
    frame, message, settings,
)  # fmt: skip
from server import Server
from stubs import pb

# Another machine than that of the good client.
ATTACKER = "127.0.0.9"
# Connections of each kind.
OF_A_KIND = 20
# Seconds within which each has to be closed: the longest way is that of a quiet HTTP/2 connection, 40 s.
CLOSED_S_MAX = 120
# Seconds between two looks, at each of which a slow one sends a little.
LOOK_S = 0.25
# What such a connection may cost, in MB: an answer on its way, and buffers.
CONNECTION_MB_MAX = 0.5
# Seconds until an answer is reset that HTTP/2 has no room for: 75, on a busy machine.
RESET_S_MAX = 150
# Never-reading watchers: streams on each of some connections.
WATCHING_CONNECTIONS, WATCHES_EACH = 10, 100
# What all of them may cost, in MB (C6).
WATCHERS_MB_MAX = 300
# Seconds that the watch of the good client may last.
WATCH_S_MAX = 120
# Sites that change for them, how often, and what is in each.
SITES, TURNS, NOTE_BYTES = 20, 10, 20_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("slow") / "data", geoip=False, trusted_proxy=False) as running:
        yield running


@pytest.fixture
def operator(server):
    with grpc.insecure_channel(server.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield Caller(channel, server.admin_token)


class Slow:
    """A connection that sends something at first, and then a little again and again; `reads` unless it is told not to."""

    def __init__(self, target, first=b"", drip=b"", reads=True):
        self.socket = connect(target, source=ATTACKER, receive_bytes=None if reads else 2048)
        self.socket.setblocking(False)
        self.waiting, self.drip, self.reads = first, drip, reads
        self.is_closed = False

    def step(self):
        """Sends a little and looks whether the peer closed it."""
        try:
            if self.waiting:
                self.waiting = self.waiting[self.socket.send(self.waiting) :]
            elif self.drip:
                self.socket.send(self.drip)
        except BlockingIOError:
            pass
        except OSError:
            self.is_closed = True
        while self.reads and not self.is_closed:
            try:
                if not self.socket.recv(65536):
                    self.is_closed = True
            except BlockingIOError:
                return
            except OSError:
                self.is_closed = True


def slow_ones(server, token):
    """By what they are slow in: what they send at first, what again and again, and whether they read."""
    who = "/waymark.v1.AdminService/WhoAmI"
    web = (
        f"POST {who} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\nauthorization: Bearer {token}\r\n"
        "content-length: 60000\r\n\r\n"
    ).encode()
    head = frame(HEADERS, END_HEADERS, 1, call_fields(who, token))
    whole = PREFACE + settings() + head + frame(0, 1, 1, message(b""))
    return {
        "nothing": (b"", b"", True),
        "the lines of a head": (b"GET / HTTP/1.1\r\nhost: x\r\n", b"a: b\r\n", True),
        "one line of a head": (b"GET / HTTP/1.1\r\nx: ", b"y", True),
        "a body": (web, b"\0", True),
        "the next request": (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"", True),
        "the preface of HTTP/2": (PREFACE[:4], b"", True),
        "the first request of HTTP/2": (PREFACE + settings(), b"", True),
        "header fields of HTTP/2": (PREFACE + settings() + frame(HEADERS, 0, 1, field("a", "b")), frame(CONTINUATION, 0, 1, field("a", "b")), True),
        "the next request of HTTP/2": (whole, b"", True),
        "reading pages": (f"GET {largest_page(server)} HTTP/1.1\r\nhost: x\r\n\r\n".encode() * 40, b"", False),
    }  # fmt: skip


def largest_page(server):
    """The path of a script of the dashboard."""
    page = fetch(server.target, "/")[2].decode()
    return re.search(r'src="\.?(/assets/[^"]+\.js)"', page)[1]


def test_slow_connections_are_closed_and_good_clients_go_on(server, operator):
    """C1. A page that was asked for and never read held its connection for ever."""
    kinds = slow_ones(server, operator.token)
    before, begun = sockets(server), memory_mb(server)
    with Steady(server, operator.token) as steady:
        steadily = sockets(server)
        opened = {kind: [Slow(server.target, *how) for _ in range(OF_A_KIND)] for kind, how in kinds.items()}
        every = [slow for slows in opened.values() for slow in slows]
        try:
            until("the server sees all of them", lambda: sockets(server) > steadily + len(every) // 2)
            deadline = time.monotonic() + CLOSED_S_MAX
            while sockets(server) > steadily:
                open_kinds = {kind for kind, slows in opened.items() if not all(slow.is_closed for slow in slows)}
                assert time.monotonic() < deadline, f"{sockets(server) - before} are open still, of {open_kinds}"
                for slow in every:
                    slow.step()
                time.sleep(LOOK_S)
        finally:
            for slow in every:
                slow.socket.close()
    print(f"{len(every)} slow connections: {steady}")
    assert steady.peak_mb - begun < CONNECTION_MB_MAX * len(every) + 32, f"from {begun:.0f} MB: {steady}"


def test_a_call_whose_body_never_ends_is_answered_in_time(server, operator):
    """The connection goes on: it may carry calls of others."""
    with Connection(server.target, source=ATTACKER) as slow:
        slow.send(frame(HEADERS, END_HEADERS, 1, call_fields("/waymark.v1.AdminService/WhoAmI", operator.token)))
        slow.send(frame(0, 0, 1, b"\0\0\0\1\0half"))
        seen = slow.until(lambda kind, flags, stream, _: stream == 1 and kind in (HEADERS, 3))
        assert seen and seen[-1][0] == HEADERS, "the server answers the call, whose time is over"
        assert slow.ping()[0]


def test_an_answer_that_nobody_takes_is_reset_and_its_connection_goes_on(server, operator):
    """C1. It stayed in memory for as long as its caller answered pings."""
    with Connection(server.target, [(INITIAL_WINDOW_SIZE, 0)], source=ATTACKER, timeout=RESET_S_MAX) as greedy:
        head = frame(HEADERS, END_HEADERS, 1, call_fields("/waymark.v1.AdminService/WhoAmI", operator.token))
        greedy.send(head + frame(0, 1, 1, message(b"")))
        deadline, is_reset = time.monotonic() + RESET_S_MAX, False
        for kind, flags, stream, payload in greedy.frames():
            assert time.monotonic() < deadline, "its answer waits still"
            if kind == PING and not flags & ACK:
                greedy.send(frame(PING, ACK, 0, payload))
            if (kind, stream) == (RST_STREAM, 1):
                is_reset = True
                break
        assert is_reset and not greedy.is_closed
        assert greedy.ping()[0], "others on the connection go on"


class Watched:
    """Connections of many watches that take nothing: no room for a byte of any answer, and their owner never reads."""

    def __init__(self, server, token, parent):
        request = pb.WatchSitesRequest(parent=parent).SerializeToString()
        self.opened = []
        for _ in range(WATCHING_CONNECTIONS):
            connection = Connection(server.target, [(INITIAL_WINDOW_SIZE, 0)], source=ATTACKER, receive_bytes=2048)
            for number in range(WATCHES_EACH):
                stream = 2 * number + 1
                fields = call_fields("/waymark.v1.SiteService/WatchSites", token)
                connection.send(frame(HEADERS, END_HEADERS, stream, fields) + frame(0, 1, stream, message(request)))
            self.opened.append(connection)

    def close(self):
        """Goes away without a word."""
        for connection in self.opened:
            connection.socket.close()


def change_before_who_never_reads(server, operator):
    """Changes sites before a thousand watchers that take nothing, and one who reads and sees all of it; gives who asked meanwhile."""
    account = Account(operator)
    sites = [account.create_site(note="n" * NOTE_BYTES).name for _ in range(SITES)]
    caller, before = account.caller(), sockets(server)
    # One who reads, meanwhile.
    reader = account.caller("VIEWER").begin("WatchSites", pb.WatchSitesRequest(parent=account.name), WATCH_S_MAX)
    seen = {}
    threading.Thread(target=follow, args=(reader, seen), daemon=True).start()
    with Steady(server, operator.token) as steady:
        watched = Watched(server, caller.token, account.name)
        try:
            until("all connections stand", lambda: sockets(server) >= before + WATCHING_CONNECTIONS)
            for turn in range(TURNS):
                for name in sites:
                    site = pb.Site(name=name, note=f"{turn}" + "n" * NOTE_BYTES)
                    caller.UpdateSite(site=site, update_mask=mask("note"))
            wanted = {name: f"{TURNS - 1}" for name in sites}
            until("who reads sees all of it", lambda: {name: note[:1] for name, note in seen.items()} == wanted)
        finally:
            watched.close()
            reader.cancel()
    print(f"{WATCHING_CONNECTIONS * WATCHES_EACH} watches that nobody reads: {steady}")
    until("their connections are gone", lambda: sockets(server) <= before)
    return steady


# What is held for them depends on how soon the server gets to them.
@pytest.mark.alone
def test_a_thousand_watchers_that_never_read_hold_no_memory(server, operator):
    """C6. What a watch has to tell is made when its client has room for it."""
    begun = memory_mb(server)
    steady = change_before_who_never_reads(server, operator)
    assert steady.peak_mb - begun < WATCHERS_MB_MAX, f"from {begun:.0f} MB: {steady}"


def follow(reader, seen):
    """Takes what a watch tells until it is ended."""
    try:
        for answer in reader:
            seen.update({site.name: site.note for site in answer.changed_sites})
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.CANCELLED, error
