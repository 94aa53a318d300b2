"""The start: nobody is answered before the map is whole, and who is answered first sees all of it.

The address is bound when the map is whole, so "not serving" is a connection that is refused: to a client of gRPC
`UNAVAILABLE`, to a probe a failure. The process is stopped in the middle of the load, so that whoever asks has all the time
there is.
"""

import re
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from client import WORLD, Account, Caller, failure_of, fetch, health
from redis_server import lasting_port
from server import READY_S_MAX, Server
from stubs import pb

# Sites of the store: enough that a load of them takes many times as long as it takes to see that it began.
SITES = 12_000
ROWS_OF_CALL = 100
CALLS_AT_ONCE = 8


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A server that ended, in whose store is an account of many sites; the account, a reader's token, and the map that it showed."""
    directory = tmp_path_factory.mktemp("starting") / "data"
    server = Server(directory, geoip=False, listen=f"127.0.0.1:{lasting_port()}")
    with server, grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token))
        editor = account.caller("EDITOR")

        def put(first):
            numbers = range(first, min(first + ROWS_OF_CALL, SITES))
            rows = [
                pb.SiteRow(
                    site=pb.Site(display_name=f"pump {number}"),
                    position=pb.LatLng(lat=number % 140 - 69.5, lng=number % 350 - 174.5),
                )
                for number in numbers
            ]
            outcomes = editor.ImportSites(parent=account.name, rows=rows).results
            assert len(outcomes) == len(rows)

        with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
            list(pool.map(put, range(0, SITES, ROWS_OF_CALL)))
        token = account.caller("VIEWER").token
        seen = account.caller("VIEWER").QueryViewport(parent=account.name, viewport=WORLD, zoom=4)
        assert seen.account_tally.total == SITES
    return server, account.name, token, seen


class Start:
    """A process that starts, and that runs a slice at a time."""

    def __init__(self, server):
        self.log, self.begun = server.log, len(server.log_text())
        with open(server.log, "ab") as log:
            self.process = subprocess.Popen(
                server.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )

    def logged(self):
        """What this start has logged so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")[self.begun :]

    def is_whole(self):
        return "the map is whole" in self.logged()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        # Until it stands still: what it was about to log is logged.
        deadline = time.monotonic() + READY_S_MAX
        while stat_of(self.process.pid)[0] != "T":
            assert time.monotonic() < deadline and self.process.poll() is None, self.logged()

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def go_on(self):
        """Runs until it has done something, a hundredth of a second of work, or is whole."""
        done = stat_of(self.process.pid)[11:13]
        self.thaw()
        while stat_of(self.process.pid)[11:13] == done and not self.is_whole():
            assert self.process.poll() is None, self.logged()
        self.freeze()

    def end(self):
        self.process.kill()
        self.process.wait()


def stat_of(pid):
    """Its state first; the twelfth and the thirteenth are the time that it worked."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()


def is_refused(port):
    """Whether nobody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def check_not_serving(target, parent, token):
    """What a probe, a balancer and a client are told while the map is not whole."""
    with pytest.raises(ConnectionRefusedError):
        fetch(target, "/readyz")
    with pytest.raises(ConnectionRefusedError):
        fetch(target, f"/v1/{parent}/tiles/0/0/0.mvt", token)
    with grpc.insecure_channel(target) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            health(channel)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        request = {"parent": parent, "viewport": WORLD, "zoom": 4}
        failure = failure_of(lambda: Caller(channel, token).QueryViewport(**request))
        # Of the client's own making: there is no server that could say more.
        assert failure.code == grpc.StatusCode.UNAVAILABLE and not failure.infos


def test_nobody_is_answered_before_the_map_is_whole(stored):
    server, parent, token, seen = stored
    target = server.target
    port, start, looks = int(target.rpartition(":")[2]), Start(server), 0
    try:
        deadline = time.monotonic() + READY_S_MAX
        while "starting" not in start.logged():
            assert time.monotonic() < deadline and start.process.poll() is None, start.logged()
        start.freeze()
        assert not start.is_whole(), "the store is too small for this test: the map was whole before anybody looked"
        check_not_serving(target, parent, token)
        while not start.is_whole():
            assert is_refused(port), "somebody listens before the map is whole"
            looks += 1
            start.go_on()
            assert time.monotonic() < deadline, start.logged()
        start.thaw()
        while is_refused(port):
            assert time.monotonic() < deadline and start.process.poll() is None, start.logged()
        # Whoever is let in is answered when all is there, and not before.
        with grpc.insecure_channel(target) as channel:
            first = Caller(channel, token).QueryViewport(parent=parent, viewport=WORLD, zoom=4)
            assert (first.symbols, first.account_tally) == (seen.symbols, seen.account_tally)
            assert health(channel) == 1 and fetch(target, "/readyz")[0] == 200
        lines = start.logged()
        assert re.search(rf"the map is whole.*sites.*{SITES}", lines), lines
        assert lines.index("the map is whole") < lines.index("serving")
        assert looks >= 1, "the load was looked at"
    finally:
        start.thaw()
        start.end()
