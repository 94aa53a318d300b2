"""Every method gets requests that nobody should send, from callers of every role: none is a fault of the server's own.

`WAYMARK_FUZZ_SEED` repeats a run, `WAYMARK_FUZZ_CALLS` says how many calls it makes. The same of the program without its network,
with many more requests, is `src/app/fuzz.rs`.
"""

import collections
import os
import random

import grpc
import pytest

from attacks import Steady, memory_mb
from client import CALL_S_MAX, Account, Caller, Failure, health
from hostile import Maker, double, encoded, parsed, varint
from rules import CREDENTIALS, RULES, World, request_for
from server import Server
from stubs import PACKAGE, methods, pb

CALLS = int(os.environ.get("WAYMARK_FUZZ_CALLS", "3000"))
SEED = int(os.environ.get("WAYMARK_FUZZ_SEED", "1"))
# After so many calls the callers get a new account: what is deleted and ended is there again.
WORLD_CALLS = 1_000
# Codes that say that the server is at fault.
FAULTS = ("UNKNOWN", "INTERNAL", "DATA_LOSS")
# What a server that was asked all that may hold more than before, in MB: accounts with their sites, and answers on their way.
GROWTH_MB_MAX = 256
# Headers that are read before any method is asked.
HEADERS = [
    ("authorization", "Bearer"),
    ("authorization", "Basic eDp5"),
    ("authorization", "bearer  wmk_0123456789abcdef_" + "A" * 51),
    ("x-forwarded-for", "8.8.8.8, unknown, ::ffff:1.2.3.4, [::1]:5"),
    ("forwarded", 'for="[2001:db8::1', ),
    ("forwarded", "for=8.8.8.8;for=_x, ;;=;\"\""),
    ("waymark-min-revision", "accounts/acme"),
    ("waymark-min-revision", "accounts/-=18446744073709551616"),
    ("grpc-accept-encoding", "zstd;q=x,,gzip"),
]  # fmt: skip
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


@pytest.fixture(scope="module")
def own(tmp_path_factory, mail_server):
    """A server of its own, so that what is left behind meets no other test."""
    extra = ["--move-after", "0", "--config", mail_server.config()]
    data = tmp_path_factory.mktemp("fuzzed") / "data"
    with Server(data, gazetteer=True, borders=True, extra=extra) as server:
        yield server


@pytest.fixture
def operator(own, mail_server):
    with grpc.insecure_channel(own.target, options=OPTIONS) as channel:
        caller = Caller(channel, own.admin_token)
        caller.mail_server = mail_server
        yield caller


def call(channel, service, method, content, metadata):
    """A call with these bytes: how it ends, a watch with its first message."""
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }
    bound = kinds[method.client_streaming, method.server_streaming](f"/{PACKAGE}.{service}/{method.name}")
    request = iter([content]) if method.client_streaming else content
    answer = bound(request, metadata=metadata, timeout=CALL_S_MAX)
    if method.server_streaming:
        next(answer, None)
        answer.cancel()


def names_of(world, other):
    """What of a world may be named, by the fields that name it; another's too, and what does not exist."""
    sites = [world.site, world.deleted, world.activated.site, other.site, f"{world.account.name}/sites/x"]
    kinds = ("account", "token", "prefix", "change", "connection", "verification", "access", "share")
    all_names = [world.name_of(kind) for kind in kinds]
    any_name = [*all_names, *sites, "reestimations/none", other.account.name]
    names = {field: any_name for field in ("name", "parent", "names", "sites", "connection")}
    return names | {"site": sites, "agent_id": ["fw-1", "fw-2", "a/b"], "account_id": [world.account.id, "a", "-"]}


def callers(world, operator):
    """Who calls: all scopes, the operator, nobody, and who has something else."""
    by_role = {scope: world.caller(scope).metadata for scope in CREDENTIALS}
    return by_role | {"OPERATOR": operator.metadata, "NOBODY": [], "STRANGER": [("authorization", "Bearer wmk_nonsense")]}


def test_no_request_makes_the_server_fail(own, operator):
    print(f"seed {SEED}, {CALLS} calls")
    chance, every = random.Random(SEED), methods()
    codes, answered, before = collections.Counter(), set(), None
    with Steady(own, operator.token) as steady:
        for number in range(CALLS):
            if number % WORLD_CALLS == 0:
                world, other = World(Account(operator)), World(Account(operator))
                roles, maker = callers(world, operator), Maker(chance, names_of(world, other))
                before = before or memory_mb(own)
            service, method = every[number % len(every)]
            role = chance.choice([*RULES[method.name].scopes, *roles])
            content = maker.request(method.input_type, request_for(method.name, world, validate=True))
            metadata = roles[role] + ([chance.choice(HEADERS)] if chance.random() < 0.1 else [])
            try:
                call(operator.channel, service, method, content, metadata)
            except grpc.RpcError as error:
                failure = Failure(error)
                told = f"seed {SEED}, call {number}: {service}.{method.name} as {role} {metadata}: {content!r}: {failure}"
                assert failure.code.name not in FAULTS, told
                assert failure.infos and failure.reason, told
                codes[failure.code.name] += 1
            else:
                codes["OK"] += 1
                answered.add(method.name)
    print(f"{dict(codes)}, {len(answered)} methods answered, {steady}")
    assert len(answered) > len(every) // 2 and len(codes) > 5, "the requests do not get far"
    assert steady.peak_mb - before < GROWTH_MB_MAX, f"it holds {steady.peak_mb - before:.0f} MB more"
    assert health(operator.channel) == 1 and World(Account(operator)).site
    assert "panicked at" not in own.log_text()


def test_what_is_damaged_is_what_it_should_be():
    """Or the calls above say less than they seem to."""
    polygon = pb.LatLng(lat=1.5, lng=float("nan")).SerializeToString()
    assert parsed(polygon)[0] == (1, 1, double(1.5)) and encoded(parsed(polygon)) == polygon
    assert parsed(b"\x0a\x7fx") is None and parsed(b"\x02\x00") is None and varint(300) == b"\xac\x02"
    maker = Maker(random.Random(1), {})
    good = pb.GetSiteRequest(name="accounts/acme/sites/x").SerializeToString()
    damaged = [maker.damaged(good) for _ in range(500)]
    assert len(set(damaged)) > 100, "no two alike"
    assert any(parsed(content) is None for content in damaged) and any(parsed(content) for content in damaged)
    assert max(map(len, damaged)) > 10_000, "some are deep"
