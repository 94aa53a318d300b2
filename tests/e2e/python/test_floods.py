"""Floods of connections, streams and frames: each is refused or costs little, and good clients go on (C2 to C5).

What answers each of them is told in `docs/faults.md`.
"""

import gzip
import http.client
import itertools
import resource
import selectors
import socket
import struct
import time

import grpc
import pytest

from attacks import Steady, memory_mb, sockets
from client import CALL_S_MAX, Account, Caller, until
from frames import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADER_TABLE_SIZE, HEADERS, INITIAL_WINDOW_SIZE, PING, PRIORITY,
    REFUSED_STREAM, RST_STREAM, Connection, call_fields, connect, field, fields, frame, integer, message, reset, settings,
    window,
)  # fmt: skip
from server import Server
from stubs import PACKAGE, pb

# Another machine than that of the good client.
ATTACKER = "127.0.0.9"
# What one attacking connection may cost, in MB (C2).
CONNECTION_MB_MAX = 32
# Requests in flight on one connection, by docs of the server, and of those beyond how many are refused before it ends.
STREAMS_MAX, RESETS_MADE_MAX = 128, 128
# Connections that are asked for at once (C3), and what all that are taken may cost, in MB.
CONNECTIONS, CONNECTIONS_MB_MAX = 10_000, 400
# So many are begun between two looks at what the server has.
LOOK_EVERY = 250
# By `linux/in.h`: this Python has no name for it.
IP_BIND_ADDRESS_NO_PORT = 24
# Descriptors of a test that opens so many.
DESCRIPTORS_MAX = 20_000
# Those that are served at once, and those of one address; beside them those that leave, and that have no place yet.
PLACES, OF_ADDRESS_MAX, BESIDE = 4_096, 1_024, 64
# Calls whose callers vanish (C5).
VANISHING = 1_000
WHO = f"/{PACKAGE}.AdminService/WhoAmI"
# A fixed request that is answered at once.
EMPTY = message(b"")
# What a server holds under a flood depends on how soon it gets to it.
pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # The server has as many descriptors as the test.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, DESCRIPTORS_MAX), hard))
    with Server(tmp_path_factory.mktemp("flooded") / "data", geoip=False, trusted_proxy=False) as running:
        yield running


@pytest.fixture
def operator(server):
    with grpc.insecure_channel(server.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield Caller(channel, server.admin_token)


def asks(stream, token, flags=END_HEADERS):
    """The head of a call of WhoAmI."""
    return frame(HEADERS, flags, stream, call_fields(WHO, token))


def rapid_reset(token):
    """Calls that are taken back as soon as they are made (CVE-2023-44487)."""
    for number in range(20_000):
        stream = 2 * number + 1
        yield asks(stream, token, END_HEADERS | END_STREAM) + reset(stream)


def continuations(_):
    """A head that never ends (VU#421644): 160 MB of it."""
    yield frame(HEADERS, 0, 1, fields([("a", "b")]))
    for _ in range(10_000):
        yield frame(CONTINUATION, 0, 1, field("x", "y" * 16_000))


def empty_continuations(_):
    """The same, with nothing in it."""
    yield frame(HEADERS, 0, 1, fields([("a", "b")]))
    for _ in range(2_000):
        yield frame(CONTINUATION, 0, 1) * 100


def empty_data(token):
    """A body of nothing, again and again (CVE-2019-9518)."""
    yield asks(1, token)
    for _ in range(2_000):
        yield frame(DATA, 0, 1) * 100


def header_bomb(token):
    """A head of some bytes that stands for 40 MB: one long field that the table keeps, named ten thousand times."""
    long = field("x-long", "y" * 3_900, first=0x40)
    # 62 is the place of what came into the table last.
    for number in range(50):
        block = call_fields(WHO, token) + (long if number == 0 else b"") + integer(62, 7, 0x80) * 10_000
        yield frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, block)


def too_much_room(_):
    """More room than there can be: 2^32 bytes."""
    yield window(0, 2**31 - 1) + window(0, 2**31 - 1)


def forbidden_frames(_):
    """A stream that the client may not begin, and a frame that is longer than any may be."""
    yield frame(HEADERS, END_HEADERS, 2, fields([("a", "b")]))
    yield frame(DATA, 0, 1, b"x" * 100_000)


# What ends the connection.
REFUSED = [
    rapid_reset, continuations, empty_continuations, empty_data, header_bomb, too_much_room, forbidden_frames,
]  # fmt: skip


@pytest.mark.parametrize("flood", REFUSED, ids=lambda flood: flood.__name__)
def test_a_flood_ends_its_connection(server, operator, flood):
    """C2. The connection is told to go away, or is closed, before all of it was taken."""
    begun = memory_mb(server)
    with Steady(server, operator.token) as steady, Connection(server.target, source=ATTACKER) as attacker:
        for content in flood(operator.token):
            if not attacker.send(content):
                break
        seen = attacker.until(lambda kind, *_: kind == GOAWAY)
        assert attacker.is_closed or (seen and seen[-1][0] == GOAWAY), f"it is served still: {seen[-3:]}"
    print(f"{flood.__name__}: {steady}")
    assert steady.peak_mb - begun < CONNECTION_MB_MAX, f"from {begun:.0f} MB: {steady}"


def pings(_):
    """Questions whether the server lives, whose answers nobody takes (CVE-2019-9512)."""
    for _ in range(2_000):
        yield frame(PING, payload=b"attacked") * 100


def many_settings(_):
    """Settings that have to be acknowledged, and nobody takes it (CVE-2019-9515)."""
    for _ in range(2_000):
        yield settings([(HEADER_TABLE_SIZE, 4_096)]) * 100


def priorities(_):
    """Streams put below each other in turn (CVE-2019-9513)."""
    for _ in range(2_000):
        yield frame(PRIORITY, 0, 1, struct.pack("!IB", 3, 7)) * 100


def unknown_frames(_):
    """Frames of a kind that nobody knows, which are to be passed over."""
    for _ in range(2_000):
        yield frame(0xFA, 0xFF, 0, b"x" * 100) * 10


def small_data(token):
    """A body of 60,000 bytes, one in a frame."""
    yield asks(1, token) + frame(DATA, 0, 1, struct.pack("!BI", 0, 60_000))
    for _ in range(600):
        yield frame(DATA, 0, 1, b"\0") * 100


def no_room(token):
    """As many calls as there may be, and no room for any answer (zero window)."""
    yield settings([(INITIAL_WINDOW_SIZE, 0)])
    for number in range(STREAMS_MAX):
        yield asks(2 * number + 1, token) + frame(DATA, END_STREAM, 2 * number + 1, EMPTY)


@pytest.mark.parametrize("flood", [pings, many_settings, priorities, unknown_frames, small_data, no_room], ids=lambda flood: flood.__name__)
def test_a_flood_that_nobody_reads_costs_little(server, operator, flood):
    """C2. The server stops reading where its answers are not taken, or passes over what it is sent; either may go on for ever."""
    begun = memory_mb(server)
    with Steady(server, operator.token) as steady:
        attacker = Connection(server.target, source=ATTACKER, receive_bytes=2048, timeout=2)
        with attacker:
            sent = sum(1 for _ in itertools.takewhile(attacker.send, flood(operator.token)))
    print(f"{flood.__name__}: {sent} parts taken, {steady}")
    assert steady.peak_mb - begun < CONNECTION_MB_MAX, f"from {begun:.0f} MB: {steady}"


def test_ten_thousand_streams_are_refused(server, operator):
    """C3. All but 128 are refused, and then the connection ends."""
    begun, refused = memory_mb(server), set()
    with Steady(server, operator.token) as steady, Connection(server.target, source=ATTACKER) as attacker:
        # Calls that wait for their bodies.
        attacker.send(b"".join(asks(2 * number + 1, operator.token) for number in range(10_000)))
        for kind, _, stream, payload in attacker.until(lambda kind, *_: kind == GOAWAY):
            if kind == RST_STREAM and payload == struct.pack("!I", REFUSED_STREAM):
                refused.add(stream)
    print(f"{len(refused)} refused before the end: {steady}")
    first = {2 * number + 1 for number in range(STREAMS_MAX)}
    assert refused and not refused & first, "those that came first are served"
    assert len(refused) <= RESETS_MADE_MAX, "the connection ends"
    assert steady.peak_mb - begun < CONNECTION_MB_MAX, f"from {begun:.0f} MB: {steady}"


def connecting(server, sources):
    """Connections that are asked for at once, from several addresses: all that were begun, and the most sockets that the server
    had meanwhile. To begin them may take longer than the server has patience with those that say nothing."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < CONNECTIONS + 1_000:
        pytest.skip(f"a process may not have {CONNECTIONS} connections here: raise `ulimit -n`")
    host, port = server.target.rsplit(":", 1)
    opened, most = [], 0
    for number in range(CONNECTIONS):
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.setblocking(False)
        # The port is found as it connects, where it has to be free for this server alone: among thousands in use the system
        # looks long for one that nobody has.
        one.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        one.bind((sources[number % len(sources)], 0))
        one.connect_ex((host, int(port)))
        opened.append(one)
        if number % LOOK_EVERY == 0:
            most = max(most, sockets(server))
    return opened, most


def test_ten_thousand_connections_from_one_address_leave_room_for_others(server, operator):
    """C3. One address took all the places with connections that said nothing, and everybody else waited."""
    begun, before = memory_mb(server), sockets(server)
    with Steady(server, operator.token) as steady:
        opened, most = connecting(server, [ATTACKER])
        try:
            most -= before
            deadline = time.monotonic() + CALL_S_MAX
            while most < OF_ADDRESS_MAX and time.monotonic() < deadline:
                most = max(most, sockets(server) - before)
            # A good client that comes now.
            with grpc.insecure_channel(server.target, options=[("grpc.use_local_subchannel_pool", 1)]) as fresh:
                assert Caller(fresh, operator.token).WhoAmI()
            most = max(most, sockets(server) - before)
        finally:
            for one in opened:
                one.close()
    print(f"at most {most} at once: {steady}")
    assert OF_ADDRESS_MAX // 2 < most <= OF_ADDRESS_MAX + 8, "so many of one address"
    assert steady.peak_mb - begun < CONNECTIONS_MB_MAX, f"from {begun:.0f} MB: {steady}"
    until("all are gone", lambda: sockets(server) <= before)


def test_ten_thousand_connections_from_everywhere_are_gone_when_they_say_nothing(server, operator):
    """C3. They take all places for as long as a first request may take, or until others come, and memory stays below its
    ceiling."""
    begun, before = memory_mb(server), sockets(server)
    with Steady(server, operator.token) as steady:
        opened, most = connecting(server, [f"127.0.1.{number}" for number in range(1, 41)])
        try:
            most = max(most, wait_for_ends(server, opened)) - before
        finally:
            for one in opened:
                one.close()
    print(f"{CONNECTIONS} connections, at most {most} at once: {steady}")
    assert OF_ADDRESS_MAX < most <= PLACES + BESIDE + 8, "how many there are at once depends on the machine, their limit does not"
    assert steady.peak_mb - begun < CONNECTIONS_MB_MAX, f"from {begun:.0f} MB: {steady}"
    until("all are gone", lambda: sockets(server) <= before)
    with grpc.insecure_channel(server.target, options=[("grpc.use_local_subchannel_pool", 1)]) as fresh:
        assert Caller(fresh, operator.token).WhoAmI()


def wait_for_ends(server, opened):
    """Waits until the server closed as many connections as it has places for; those behind them may have been dropped by the
    system. The most sockets that it had meanwhile."""
    ended, most, deadline = 0, 0, time.monotonic() + 12 * CALL_S_MAX
    with selectors.DefaultSelector() as selector:
        for one in opened:
            selector.register(one, selectors.EVENT_READ)
        while ended < PLACES:
            assert time.monotonic() < deadline, f"{ended} were closed"
            most = max(most, sockets(server))
            for key, _ in selector.select(0.05):
                selector.unregister(key.fileobj)
                ended += 1
    return most


def test_who_vanishes_leaves_nothing_behind(server, operator):
    """C5. Calls and watches whose callers reset the connection."""
    account = Account(operator)
    request = message(pb.WatchSitesRequest(parent=account.name).SerializeToString())
    before, begun = sockets(server), memory_mb(server)
    token = account.caller().token
    with Steady(server, operator.token) as steady:
        for number in range(VANISHING):
            gone = Connection(server.target, source=ATTACKER)
            watch = frame(HEADERS, END_HEADERS, 1, call_fields(f"/{PACKAGE}.SiteService/WatchSites", token))
            gone.send(watch + frame(DATA, number % 2, 1, request) + asks(3, token))
            gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.socket.close()
    print(f"{VANISHING} callers that vanished: {steady}")
    until("their connections are gone", lambda: sockets(server) <= before)
    assert steady.peak_mb - begun < CONNECTION_MB_MAX * 2, f"from {begun:.0f} MB: {steady}"


# Bodies of calls, and the code of the answer. What is no message of gRPC at all is INTERNAL, by its own rules.
BODIES = {
    "nothing": (b"", {}, "INTERNAL"),
    "half a length": (b"\0\0\0", {}, "INTERNAL"),
    "more promised than sent": (b"\0\0\0\0\x09abc", {}, "INTERNAL"),
    "four gigabytes promised": (b"\0\xff\xff\xff\xffabc", {}, "RESOURCE_EXHAUSTED"),
    "a flag that there is not": (b"\7\0\0\0\0", {}, "INTERNAL"),
    "compressed without a word": (message(gzip.compress(b""), flag=1), {}, "INTERNAL"),
    "a compression bomb": (message(gzip.compress(b"\0" * (8 << 20)), flag=1), {"grpc-encoding": "gzip"}, "UNIMPLEMENTED"),
    "compressed by nobody knows what": (EMPTY, {"grpc-encoding": "brotli;q=1"}, "UNIMPLEMENTED"),
}  # fmt: skip


@pytest.mark.parametrize("what", BODIES)
def test_what_is_no_message_is_answered(server, operator, what):
    """C4, what `test_bad_input.py`, `test_undecodable.py` and `test_fuzz_rpc.py` do not send."""
    body, more, code = BODIES[what]
    begun = memory_mb(server)
    headers = {"content-type": "application/grpc-web+proto", "authorization": f"Bearer {operator.token}"} | more
    for _ in range(3):
        # One that is refused unread ends its connection.
        connection = http.client.HTTPConnection(server.target, timeout=CALL_S_MAX)
        connection.request("POST", WHO, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        status = answer.getheader("grpc-status") or text.rpartition(b"grpc-status:")[2].split(b"\r\n")[0].decode()
        assert status == str(getattr(grpc.StatusCode, code).value[0]), (answer.getheaders(), text)
    assert memory_mb(server) - begun < CONNECTION_MB_MAX
    assert operator.WhoAmI()


@pytest.mark.parametrize("size", [20_000, 300_000, 4_000_000])
def test_a_giant_head_is_refused(server, operator, size):
    """C2. A head beyond 16 KiB of HTTP/2 is answered 431 or with a reset, one of HTTP/1 beyond what a line may have too."""
    begun = memory_mb(server)
    with Steady(server, operator.token) as steady:
        with Connection(server.target, source=ATTACKER) as attacker:
            block = call_fields(WHO, operator.token, [("x-long", "y" * size)])
            parts = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
            attacker.send(frame(HEADERS, END_STREAM | (END_HEADERS if len(parts) == 1 else 0), 1, parts[0]))
            for part in parts[1:]:
                if not attacker.send(frame(CONTINUATION, END_HEADERS if part is parts[-1] else 0, 1, part)):
                    break
            seen = attacker.until(lambda kind, _, stream, __: kind == GOAWAY or (stream == 1 and kind in (HEADERS, RST_STREAM)))
            assert seen or attacker.is_closed
            assert not any(kind == DATA for kind, *_ in seen), "it is not served"
        with connect(server.target, source=ATTACKER) as plain:
            try:
                plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: " + b"y" * size + b"\r\n\r\n")
                said = plain.recv(100)
            except OSError:
                said = b""
            assert b" 200 " not in said or size < 300_000, said
    assert steady.peak_mb - begun < CONNECTION_MB_MAX, f"from {begun:.0f} MB: {steady}"


def test_giant_trailers_are_refused(server, operator):
    """C2. Fields behind a body count as those before it do."""
    begun = memory_mb(server)
    with Steady(server, operator.token) as steady, Connection(server.target, source=ATTACKER) as attacker:
        attacker.send(asks(1, operator.token) + frame(DATA, 0, 1, EMPTY))
        attacker.send(frame(HEADERS, END_STREAM, 1, field("x-long", "y" * 15_000)))
        for _ in range(1_000):
            if not attacker.send(frame(CONTINUATION, 0, 1, field("x-long", "y" * 15_000))):
                break
        seen = attacker.until(lambda kind, *_: kind == GOAWAY)
        assert attacker.is_closed or (seen and seen[-1][0] == GOAWAY), f"it is served still: {seen[-3:]}"
    assert steady.peak_mb - begun < CONNECTION_MB_MAX, f"from {begun:.0f} MB: {steady}"
