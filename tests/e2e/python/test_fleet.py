"""Two servers that share a Redis: they ask a geocoder as seldom together as one would alone."""

import contextlib
import threading
import time

import grpc
import pytest

from client import Account, Caller
from nominatim import Nominatim
from redis_server import Redis
from server import Server
from stubs import pb

# Requests of one sample, and the least time between two of them.
REQUESTS = 6
PERIOD_S = 0.5
PATIENCE_S = 60


class Timed(Nominatim):
    """Notes when it is asked."""

    def __init__(self):
        super().__init__()
        self.times = []

    def answer(self, request):
        self.times.append(time.monotonic())
        return super().answer(request)

    def config(self, redis):
        """The configuration of one process of the fleet."""
        return f"""
[geocode.fleet]
redis = "{redis.url}"
[[geocode.providers]]
kind = "nominatim"
url = "{self.url}"
requests_per_s = {1 / PERIOD_S}
timeout_ms = 5000
cache_s = 0
cache_empty_s = 0
"""


@contextlib.contextmanager
def fleet(tmp_path, stub, redis):
    """Two servers, each with a caller and an account of its own."""
    config = tmp_path / "waymark.toml"
    config.write_text(stub.config(redis), encoding="utf-8")
    with contextlib.ExitStack() as stack:
        members = []
        for name in ("one", "two"):
            server = stack.enter_context(Server(tmp_path / name, geoip=False, extra=["--config", config]))
            channel = stack.enter_context(grpc.insecure_channel(server.target))
            members.append(Account(Caller(channel, server.admin_token)))
        yield members


def ask(account, number):
    """Asks for a door that nobody asked for before; whether there was an answer in time."""
    try:
        account.caller().GeocodeAddress(parent=account.name, address_line=f"Laugavegur {number}, Town 1")
        return True
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED), error
        return False


# When requests come is measured, to the millisecond.
@pytest.mark.alone
def test_two_processes_keep_one_limit_in_sum(tmp_path):
    with Timed() as stub, Redis(tmp_path) as redis, fleet(tmp_path, stub, redis) as members:
        stub.doors["laugavegur"] = [(1, 64.1466, -21.9426)]
        deadline = time.monotonic() + PATIENCE_S
        answered = [0, 0]

        def keep_asking(member):
            number = 0
            while len(stub.times) < REQUESTS * 2 and time.monotonic() < deadline:
                number += 1
                answered[member] += ask(members[member], number * 2 + member)

        askers = [threading.Thread(target=keep_asking, args=(member,)) for member in (0, 1) for _ in range(2)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        gaps = [after - before for before, after in zip(stub.times, stub.times[1:])]
        print("gaps in seconds:", [round(gap, 3) for gap in gaps])
        assert len(stub.times) >= REQUESTS * 2 and min(answered) > 0, (stub.times, answered)
        assert min(gaps) >= PERIOD_S, gaps


def test_without_redis_nobody_is_asked_and_with_it_again_they_are(tmp_path):
    with Timed() as stub, Redis(tmp_path) as redis, fleet(tmp_path, stub, redis) as members:
        stub.doors["laugavegur"] = [(1, 64.1466, -21.9426)]
        assert ask(members[0], 1)
        redis.kill()
        asked = len(stub.times)
        assert not ask(members[0], 2) and not ask(members[1], 3)
        site = members[1].create_site().name
        waiting = members[1].caller().SetAddress(site=site, address_line="Laugavegur 4, Town 1")
        assert waiting.state == pb.ADDRESS_STATE_PENDING
        assert len(stub.times) == asked, "a limit that is unknown is not kept by asking"
        redis.start()
        deadline = time.monotonic() + PATIENCE_S
        while not ask(members[0], 5):
            assert time.monotonic() < deadline, "Redis is back and nobody is asked"
        assert len(stub.times) > asked
