"""Tokens: what each scope may do, when it ends, and that its end is at once."""

import base64
import secrets
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import timestamp_pb2

from client import Account, Caller, failure_of, fetch, refused, scope_value, until
from rules import CREDENTIALS, OPEN, RULES, SCOPES, World, request_for
from server import Server
from stubs import methods, pb

# Seconds until a token that ends in one second must be refused; generous for a busy machine.
EXPIRY_S_MAX = 20


@pytest.fixture(scope="module")
def world(operator):
    return World(Account(operator))


@pytest.mark.parametrize("scope", CREDENTIALS)
@pytest.mark.parametrize("method", sorted(RULES))
def test_each_scope_may_do_what_its_services_say_and_nothing_else(world, method, scope):
    request = request_for(method, world, validate=True)
    caller = world.caller(scope)
    if scope in RULES[method].scopes:
        try:
            caller.call(method, request)
        except grpc.RpcError as error:
            assert error.code().name not in ("PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED"), error
    else:
        refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: caller.call(method, request))


@pytest.mark.parametrize("method", [method.name for _, method in methods() if method.name not in OPEN])
@pytest.mark.parametrize("token", [None, "", "wmk_", "wmk_" + "0" * 43, "nonsense", "wmk_" + "A" * 4000])
def test_no_method_answers_without_a_good_token(world, method, token):
    caller = Caller(world.account.operator.channel, token)
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", lambda: caller.call(method, request_for(method, world)))


@pytest.mark.parametrize("header", ["Basic d21rXw==", "Bearer", "bearer", "wmk_abc", "Bearer a b"])
def test_other_schemes_are_refused(world, header):
    caller = Caller(world.account.operator.channel)
    caller.metadata = [("authorization", header)]
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", caller.WhoAmI)


# It may answer for two tenths of a second more, those of the way of the answer among them.
@pytest.mark.alone
def test_a_token_ends_when_it_expires(account):
    end = timestamp_pb2.Timestamp()
    end.FromNanoseconds(time.time_ns() + 1_000_000_000)
    answer = account.operator.CreateToken(
        parent=account.name, token=pb.Token(scope=scope_value("VIEWER"), expire_time=end)
    )
    caller = Caller(account.operator.channel, answer.secret)
    deadline = time.monotonic() + EXPIRY_S_MAX
    while True:
        try:
            caller.WhoAmI()
            assert time.time_ns() < end.ToNanoseconds() + 200_000_000, "it answers after its end"
        except grpc.RpcError:
            break
        assert time.monotonic() < deadline
    assert time.time_ns() >= end.ToNanoseconds() - 50_000_000, "it ended too early"
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", caller.WhoAmI)


def test_an_end_in_the_past_is_refused(account):
    past = timestamp_pb2.Timestamp(seconds=1)
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: account.operator.CreateToken(
            parent=account.name, token=pb.Token(scope=scope_value("VIEWER"), expire_time=past)
        ),
        field="token.expire_time",
    )


def test_a_revoked_token_ends_at_once(account):
    made = account.operator.CreateToken(parent=account.name, token=pb.Token(scope=scope_value("EDITOR")))
    caller = Caller(account.operator.channel, made.secret)
    caller.ListSites(parent=account.name)
    revoked = account.caller().RevokeToken(name=made.token.name)
    assert revoked.HasField("revoke_time")
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", lambda: caller.ListSites(parent=account.name))
    assert account.caller().RevokeToken(name=made.token.name) == revoked


def secret_of(token_id):
    """A well-formed secret of a token, of nobody's making."""
    body = f"wmk_{token_id}_{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip('=')}"
    return f"{body}{zlib.crc32(body.encode()):08x}"


def test_tokens_that_are_unknown_over_or_revoked_are_told_alike(server, account):
    """Whoever tries one out learns nothing of which tokens there are, or were."""
    viewer = pb.Token(scope=scope_value("VIEWER"))
    made, revoked = (account.operator.CreateToken(parent=account.name, token=viewer) for _ in range(2))
    account.caller().RevokeToken(name=revoked.token.name)
    viewer.expire_time.FromNanoseconds(time.time_ns() + 1_000_000_000)
    over = account.operator.CreateToken(parent=account.name, token=viewer).secret
    secrets_of = {
        "unknown": secret_of(secrets.token_hex(8)),
        "of a token that is there": secret_of(made.token.name.rpartition("/")[2]),
        "revoked": revoked.secret,
        "over": over,
        "malformed": "wmk_nonsense",
    }
    tile = f"/v1/{account.name}/tiles/0/0/0.mvt"
    until("it is good still", lambda: fetch(server.target, tile, over)[0] == 401)
    told = {}
    for what, secret in secrets_of.items():
        failure = failure_of(Caller(account.operator.channel, secret).WhoAmI)
        status, headers, body = fetch(server.target, tile, secret)
        seen = (failure.code, failure.message, failure.details, failure.trailing, status, sorted(headers.items()), body)
        told.setdefault(repr(seen), []).append(what)
    assert len(told) == 1, told
    assert Caller(account.operator.channel, made.secret).WhoAmI()


def test_a_list_shows_tokens_and_never_a_secret(account):
    made = [
        account.operator.CreateToken(
            parent=account.name, token=pb.Token(scope=scope_value("VIEWER"), display_name=f"t{n}")
        )
        for n in range(5)
    ]
    listed, token = [], ""
    while True:
        page = account.caller().ListTokens(parent=account.name, page_size=2, page_token=token)
        listed += page.tokens
        token = page.next_page_token
        if not token:
            break
    assert {token.name for token in listed} >= {answer.token.name for answer in made}
    assert [token.name for token in listed] == sorted(token.name for token in listed)
    text = str(listed)
    assert all(answer.secret not in text and answer.secret.startswith("wmk_") for answer in made)
    assert len({answer.secret for answer in made}) == 5


def test_who_am_i(account):
    for scope in SCOPES:
        answer = account.caller(scope).WhoAmI()
        assert answer.account == account.name and answer.scope == scope_value(scope)
    operator = account.operator.WhoAmI()
    assert operator.account == "" and operator.scope == scope_value("ADMIN")
    activated = account.activate()
    agent = Caller(account.operator.channel, activated.credential).WhoAmI()
    assert agent.site == activated.site and agent.scope == scope_value("AGENT")


def test_an_account_admin_makes_no_operator_and_no_account(account):
    admin = account.caller()
    for parent in ("", "accounts/somebody-else"):
        failure = failure_of(
            lambda parent=parent: admin.CreateToken(parent=parent, token=pb.Token(scope=scope_value("ADMIN")))
        )
        assert failure.code.name in ("PERMISSION_DENIED", "NOT_FOUND")
    refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: admin.CreateAccount(account_id="mine"))
    for scope in ("UNSPECIFIED", "AGENT"):
        refused(
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
            lambda scope=scope: admin.CreateToken(parent=account.name, token=pb.Token(scope=scope_value(scope))),
            field="token.scope",
        )


def test_a_foreign_token_is_good_for_nothing_here(account, operator):
    other = Account(operator)
    for scope in ("ADMIN", "EDITOR", "VIEWER", "SERVICE"):
        refused(
            "NOT_FOUND", "RESOURCE_NOT_FOUND", lambda scope=scope: other.caller(scope).ListSites(parent=account.name)
        )


@pytest.fixture
def alone(tmp_path):
    """The operator of a server of its own, so that the other tests keep theirs."""
    with Server(tmp_path / "data", geoip=False) as server:
        with grpc.insecure_channel(server.target) as channel:
            yield Caller(channel, server.admin_token)


def operator_token(operator, **fields):
    """A new token of the operator: its name, and a caller with it."""
    made = operator.CreateToken(token=pb.Token(scope=scope_value("ADMIN"), **fields))
    return made.token.name, Caller(operator.channel, made.secret)


def last_token_is_kept(operator):
    own = operator.WhoAmI().token
    refused("FAILED_PRECONDITION", "LAST_OPERATOR_TOKEN", lambda: operator.RevokeToken(name=own))
    assert operator.WhoAmI().token == own, "the refused token is still good"


def test_the_operators_last_good_token_cannot_be_revoked(alone):
    """An operator who revoked the only token was locked out for good: no start makes another one."""
    last_token_is_kept(alone)
    Account(alone).caller("ADMIN")
    last_token_is_kept(alone)
    name, second = operator_token(alone)
    second.RevokeToken(name=name)
    last_token_is_kept(alone)
    end = timestamp_pb2.Timestamp()
    end.FromNanoseconds(time.time_ns() + 500_000_000)
    _, brief = operator_token(alone, expire_time=end)
    while time.time_ns() <= end.ToNanoseconds():
        time.sleep(0.05)
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", brief.WhoAmI)
    last_token_is_kept(alone)
    _, second = operator_token(alone)
    first = alone.WhoAmI().token
    revoked = alone.RevokeToken(name=first)
    assert revoked.HasField("revoke_time")
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", alone.WhoAmI)
    assert second.RevokeToken(name=first) == revoked, "a repeat is no error"
    last_token_is_kept(second)


def test_two_operators_who_revoke_each_other_at_once_leave_one(alone):
    present = alone
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            _, other = operator_token(present)
            names = [caller.WhoAmI().token for caller in (present, other)]
            meet = threading.Barrier(2)

            def revoke(caller, name, meet=meet):
                meet.wait()
                try:
                    caller.RevokeToken(name=name)
                except grpc.RpcError as error:
                    assert error.code().name in ("FAILED_PRECONDITION", "UNAUTHENTICATED"), error

            list(pool.map(revoke, (present, other), reversed(names)))
            left = [caller for caller in (present, other) if is_good(caller)]
            assert len(left) == 1, f"{len(left)} of two are left"
            present = left[0]


def is_good(caller):
    try:
        caller.WhoAmI()
    except grpc.RpcError as error:
        assert error.code().name == "UNAUTHENTICATED", error
        return False
    return True
