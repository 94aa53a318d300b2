"""Limits of how often and how much at once: who is over one hears when to ask again, and everybody else goes on."""

import contextlib
import itertools
import resource
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.rpc import error_details_pb2

from client import CALL_S_MAX, Account, Caller, Failure, absent_site, failure_of, fetch, health, refused, until
from metrics_page import Metrics
from server import Server
from stubs import pb
from test_deadlines import reason_of, web_call

# Nothing comes back within a test.
SLOW = 0.001
# 99 words that no note holds, so that each note is searched to its end for each of them.
FILTER = " OR ".join(f"note:zz{number:02}" for number in range(99))
NOTES = 24
NOTE_BYTES = 12_000


@contextlib.contextmanager
def serving(tmp_path, config, **how):
    """A server with this configuration, and the operator's caller."""
    file = tmp_path / "waymark.toml"
    file.write_text(config, encoding="utf-8")
    with Server(tmp_path / "data", geoip=False, extra=["--config", file], **how) as server:
        with grpc.insecure_channel(server.target) as channel:
            yield server, Caller(channel, server.admin_token)


def retry_s(failure):
    """Seconds after which a refused caller shall ask again."""
    for kind, value in failure.details:
        if kind.endswith("google.rpc.RetryInfo"):
            delay = error_details_pb2.RetryInfo.FromString(value).retry_delay
            return delay.seconds + delay.nanos / 1e9
    raise AssertionError(f"{failure}: RetryInfo is promised")


def until_refused(call, most):
    """How many calls go through before the first refusal, and that one."""
    for count in range(most):
        try:
            call()
        except grpc.RpcError:
            return count, failure_of(call)
    raise AssertionError(f"{most} calls went through")


def test_a_token_over_its_limit_hears_when_to_ask_again_and_others_go_on(tmp_path):
    with serving(tmp_path, f"[traffic]\ncalls_of_token = {{ per_s = {SLOW}, burst = 30 }}") as (server, operator):
        account = Account(operator)
        noisy, quiet = account.caller("VIEWER"), account.caller("EDITOR")
        count, failure = until_refused(noisy.WhoAmI, 100)
        assert count == 30
        assert (failure.code.name, failure.reason) == ("RESOURCE_EXHAUSTED", "RATE_LIMITED")
        assert 0 < retry_s(failure) <= 1 / SLOW
        for _ in range(10):
            assert quiet.WhoAmI().account == account.name
        # Whatever it calls, and however it calls.
        refused("RESOURCE_EXHAUSTED", "RATE_LIMITED", lambda: noisy.GetSite(name=absent_site(account.id)))
        status = web_call(server.target, noisy.token, "AdminService/WhoAmI", pb.WhoAmIRequest(), "20S")
        assert (status.code, reason_of(status)) == (grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], ("waymark", "RATE_LIMITED"))
        code, headers, _ = fetch(server.target, f"/v1/{account.name}/tiles/0/0/0.mvt", noisy.token)
        assert code == 429 and 0 < int(headers["retry-after"]) <= 1 / SLOW
        signed = quiet.SignTileUrl(parent=account.name).tile_path.format(z=0, x=0, y=0)
        codes = [fetch(server.target, signed)[0] for _ in range(40)]
        assert codes == sorted(codes) and set(codes) == {200, 429}, "a signature counts as the token that it was made with"
        assert Metrics.of(server)["waymark_calls_limited_total", "calls_of_token"] >= 4


def test_tokens_of_an_account_share_its_limit(tmp_path):
    with serving(tmp_path, f"[traffic]\ncalls_of_account = {{ per_s = {SLOW}, burst = 20 }}") as (_, operator):
        account, other = Account(operator), Account(operator)
        one, two = account.caller("VIEWER"), account.caller("EDITOR")
        stranger = other.caller()
        for caller in itertools.islice(itertools.cycle([one, two]), 20):
            caller.WhoAmI()
        for caller in (one, two):
            assert retry_s(refused("RESOURCE_EXHAUSTED", "RATE_LIMITED", caller.WhoAmI)) > 0
        assert stranger.WhoAmI().account == other.name
        assert operator.GetAccount(name=account.name).name == account.name


def test_strangers_are_counted_by_address_and_keep_nobody_out(tmp_path):
    with serving(tmp_path, f"[traffic]\nstrangers_of_address = {{ per_s = {SLOW}, burst = 5 }}") as (server, operator):
        account = Account(operator)
        good = account.caller("VIEWER")
        unknown = Caller(operator.channel, good.token[:-1] + ("0" if good.token[-1] != "0" else "1"))

        def tries(caller):
            """Reasons of ten calls."""
            return [failure_of(caller.WhoAmI).reason for _ in range(10)]

        over = ["CREDENTIAL_INVALID"] * 5 + ["NETWORK_RATE_LIMITED"] * 5
        assert tries(unknown.behind("203.0.113.7")) == over
        assert tries(Caller(operator.channel, forwarded_for="203.0.113.8")) == over, "no token is no good one either"
        assert tries(unknown.behind("2001:db8:5::1")) == over
        assert tries(unknown.behind("2001:db8:5::2")) == ["NETWORK_RATE_LIMITED"] * 10, "one /64 is one caller"
        failure = refused("RESOURCE_EXHAUSTED", "NETWORK_RATE_LIMITED", unknown.behind("203.0.113.7").WhoAmI)
        assert retry_s(failure) > 0
        # Who has a token is not kept out by a neighbour who has none, nor is health.
        assert good.behind("203.0.113.7").WhoAmI().account == account.name
        assert health(operator.channel) == 1
        forwarded = {"x-forwarded-for": "203.0.113.7"}
        tile = f"/v1/{account.name}/tiles/0/0/0.mvt"
        assert fetch(server.target, tile, unknown.token, forwarded)[0] == 429
        assert fetch(server.target, tile, good.token, forwarded)[0] == 200
        assert fetch(server.target, "/readyz", headers=forwarded)[0] == 200
        assert Metrics.of(server)["waymark_calls_limited_total", "strangers_of_address"] >= 26


def test_geocoders_are_asked_so_often_from_an_address(tmp_path):
    config = f"[traffic]\ngeocoding_of_address = {{ per_s = {SLOW}, burst = 4 }}"
    with serving(tmp_path, config, gazetteer=True) as (_, operator):
        account = Account(operator)
        editor = account.caller("EDITOR").behind("203.0.113.7")

        def ask(caller):
            return caller.GeocodeAddress(parent=account.name, address_line="Reykjavik")

        count, failure = until_refused(lambda: ask(editor), 20)
        assert (count, failure.reason) == (4, "NETWORK_RATE_LIMITED")
        assert ask(editor.behind("203.0.113.8"))
        assert editor.WhoAmI().account == account.name


def with_notes(account):
    """Sites that are long to read through."""
    for number in range(NOTES):
        account.create_site(f"site {number}", note="a z " * (NOTE_BYTES // 4))


def test_three_times_too_much_takes_nothing_from_other_accounts(tmp_path):
    """F13 and C11: work that there is no place for is refused before it begins; the rest is done, and others are answered."""
    # Three long lists of one account at once, and a quarter of the places for others.
    config = "[traffic]\nreads_max = 16\nwaiting_max = 6\nwait_ms = 100"
    with serving(tmp_path, config) as (server, operator):
        noisy, quiet = Account(operator), Account(operator)
        with_notes(noisy)
        site = quiet.create_site().name
        reader, token = quiet.caller("VIEWER"), noisy.caller("VIEWER").token
        ends, answered, failures = threading.Event(), [], []

        def flood(_):
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(server.target, options=options) as channel:
                caller = Caller(channel, token)
                while not ends.is_set():
                    try:
                        caller.ListSites(parent=noisy.name, filter=FILTER, page_size=1000)
                        answered.append(1)
                    except grpc.RpcError as error:
                        failures.append(Failure(error))

        # With those that wait three times as many as there are places.
        with ThreadPoolExecutor(12) as pool:
            flooding = [pool.submit(flood, number) for number in range(12)]
            try:
                until("nobody is refused", lambda: failures)
                for _ in range(200):
                    assert reader.GetSite(name=site).name == site
                    assert health(operator.channel) == 1
                until("its work is not done", lambda: len(answered) > 20)
                page = Metrics.of(server)
                assert fetch(server.target, "/readyz")[0] == 200
            finally:
                ends.set()
            for flooder in flooding:
                flooder.result()
        for failure in failures:
            assert (failure.code.name, failure.reason) == ("UNAVAILABLE", "SERVER_BUSY"), failure
            assert 0.25 <= retry_s(failure) <= 2.25, failure
        assert page["waymark_calls_shed_total", "reads"] > 0
        assert page["waymark_places_max", "reads"] == 16
        until("places are not given back", lambda: Metrics.of(server)["waymark_places_in_use", "reads"] == 0)
        assert len(noisy.caller("VIEWER").ListSites(parent=noisy.name, page_size=NOTES).sites) == NOTES


def test_a_request_that_never_comes_holds_no_place_without_a_token(tmp_path):
    """Streams that are opened and say nothing held a place each, for as long as a call may take."""
    with serving(tmp_path, "[traffic]\nreads_max = 2\nwaiting_max = 0") as (server, operator):
        account = Account(operator)
        reader = account.caller("VIEWER")
        host, port = server.target.rsplit(":", 1)
        head = (
            "POST /waymark.v1.AdminService/WhoAmI HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\n"
            "x-grpc-web: 1\r\ncontent-length: 1000\r\n\r\n"
        )
        with contextlib.ExitStack() as opened:
            for _ in range(20):
                silent = opened.enter_context(socket.create_connection((host, int(port)), CALL_S_MAX))
                silent.sendall(head.encode())
                assert silent.recv(12) == b"HTTP/1.1 200", "it is answered before its message"
            assert reader.WhoAmI().account == account.name


def test_an_address_has_its_share_of_connections(tmp_path):
    with serving(tmp_path, "[listen]\nconnections_per_address_max = 4", trusted_proxy=False) as (server, operator):
        assert operator.WhoAmI()
        host, port = server.target.rsplit(":", 1)
        with contextlib.ExitStack() as opened:

            def connect(source):
                return opened.enter_context(
                    socket.create_connection((host, int(port)), CALL_S_MAX, source_address=(source, 0))
                )

            def is_served(connection):
                # Who finds no place is closed, perhaps before a word was said.
                try:
                    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                    return connection.recv(12) == b"HTTP/1.1 200"
                except (ConnectionResetError, BrokenPipeError):
                    return False

            # The operator's channel is the first of them.
            mine = [connect("127.0.0.1") for _ in range(3)]
            assert all(is_served(connection) for connection in mine)
            assert not is_served(connect("127.0.0.1"))
            assert is_served(connect("127.0.0.2"))
            mine[0].close()
            until("its place is not free again", lambda: is_served(connect("127.0.0.1")))
            assert operator.WhoAmI()

        def is_open_to_others():
            # Who finds no place is closed with what it said unread.
            with contextlib.suppress(OSError):
                return fetch(server.target, "/readyz")[0] == 200
            return False

        until("they are open still", is_open_to_others)
        assert Metrics.of(server)["waymark_connections_refused_total"] >= 1


HARD_MAX = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
# With room for the store, indexes and others.
WANTED = 4_096 + 256


@pytest.mark.parametrize("hard", [HARD_MAX, 300], ids=["raised", "lowered"])
def test_connections_fit_the_files_that_the_process_may_have_open(tmp_path, hard):
    """F12: accepting more than there are descriptors for takes them from the store."""
    server = Server(tmp_path / "data", geoip=False)
    server.command = ["prlimit", f"--nofile=256:{hard}", *server.command]
    with server:
        page, soft = Metrics.of(server), min(hard, WANTED)
        assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (soft, hard)
        assert page["process_max_fds"] == soft
        assert page["waymark_connections_max"] == soft - 256
        assert ("listen.connections_max" in server.log_text()) == (soft < WANTED)
