"""gRPC's health service: checked, listed and watched by the name of each service, and what it says while the server ends."""

import signal

import grpc
import pytest

from client import CALL_S_MAX, health
from hostile import parsed
from server import DRAIN_S_MAX, Server
from stubs import PACKAGE, methods

SERVICE = "/grpc.health.v1.Health"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
# The whole server, and each of its services.
NAMES = ["", *sorted({f"{PACKAGE}.{service}" for service, _ in methods()})]


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.target) as channel:
        yield channel


def status_of(answer):
    """The status in a message of one number."""
    return dict((number, value) for number, _, value in parsed(answer)).get(1, 0)


def listed(channel):
    """The status of each name."""
    found = {}
    for _, _, entry in parsed(channel.unary_unary(f"{SERVICE}/List")(b"", timeout=CALL_S_MAX)):
        fields = {number: value for number, _, value in parsed(entry)}
        found[fields.get(1, b"").decode()] = status_of(fields[2])
    return found


def watching(channel, name):
    """A watch of a name; a message of one text asks for it."""
    content = name.encode()
    asked = b"\n" + bytes([len(content)]) + content if content else b""
    return channel.unary_stream(f"{SERVICE}/Watch")(asked, timeout=CALL_S_MAX)


def test_each_service_is_checked_listed_and_watched(channel):
    assert listed(channel) == dict.fromkeys(NAMES, SERVING)
    for name in NAMES:
        assert health(channel, name) == SERVING, name
        watch = watching(channel, name)
        assert status_of(next(watch)) == SERVING, name
        watch.cancel()


def test_of_a_service_that_nobody_has_nothing_is_known(channel):
    for name in ("SiteService", f"{PACKAGE}.NoService", "waymark"):
        with pytest.raises(grpc.RpcError) as caught:
            health(channel, name)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        watch = watching(channel, name)
        assert status_of(next(watch)) == SERVICE_UNKNOWN
        assert watch.is_active(), "it may come"
        watch.cancel()


def test_who_watches_hears_of_the_end_and_does_not_hold_it_up(tmp_path):
    """A watch went on until the server cut it: each end took the ten seconds that calls in hand may have."""
    with Server(tmp_path / "data", geoip=False) as server, grpc.insecure_channel(server.target) as channel:
        watches = [watching(channel, name) for name in ("", f"{PACKAGE}.SiteService", "waymark")]
        assert [status_of(next(watch)) for watch in watches] == [SERVING, SERVING, SERVICE_UNKNOWN]
        server.process.send_signal(signal.SIGTERM)
        assert [status_of(next(watch)) for watch in watches[:2]] == [NOT_SERVING, NOT_SERVING]
        for watch in watches:
            with pytest.raises(StopIteration):
                next(watch)
        assert server.process.wait(DRAIN_S_MAX) == 0
        assert "did not finish in time" not in server.log_text()
