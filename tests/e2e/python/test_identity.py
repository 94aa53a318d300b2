"""Tokens of identity providers: who is let in with one, what each fault answers, how keys change, and when it ends."""

import hashlib
import hmac
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import test_isolation
from client import ASSIGNED, WORLD, Account, Caller, Failure, failure_of, fetch, refused, scope_value, until
from identity_provider import Key, Provider, RemoteProvider, decoded, encoded
from metrics_page import Metrics
from rules import SCOPES, World
from server import BINARY, Server
from stubs import pb
from test_map_filters import all_pages

# Seconds that tokens of tests last which are to end.
ENDS_S = 3
# Seconds within which what goes on ends with its token.
ENDED_S_MAX = 5
# Seconds for which keys are good that cannot be read again, where a test waits for their end.
STALE_MAX_S = 3


def bearer(account, token):
    """A caller with a token."""
    return Caller(account.operator.channel, token)


def is_taken(caller):
    """Whether a caller is let in, as far as its key is known."""
    return outcome(caller)[0] == "OK"


def outcome(caller):
    """Code and reason of a call: `("OK", "")` where it is answered, and no other than those of keys."""
    try:
        caller.WhoAmI()
        return "OK", ""
    except grpc.RpcError as error:
        found = Failure(error)
        of_keys = [("UNAUTHENTICATED", "JWT_INVALID"), ("UNAVAILABLE", "NOT_READY")]
        assert (found.code.name, found.reason) in of_keys, found
        return found.code.name, found.reason


def refused_for(caller, reason, code="UNAUTHENTICATED"):
    """The failure, by code and reason; it holds no part of the token."""
    failure = refused(code, reason, caller.WhoAmI)
    assert not any(part and part in repr(failure) for part in caller.token.split(".")), failure
    return failure


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_lets_its_bearer_do_what_its_role_is_mapped_to(account, identities, scope):
    caller = bearer(account, identities.token(account.id, f"wm-{scope.lower()}", exp=int(time.time()) + 60))
    me = caller.WhoAmI()
    assert (me.account, me.scope, me.token) == (account.name, scope_value(scope), "")
    assert me.identity == f"{identities.issuer}|anna"
    masks = scope == "WALLBOARD"
    assert me.contacts == (pb.CONTACT_ACCESS_MASKED if masks else pb.CONTACT_ACCESS_READ)
    assert 0 < me.identity_expire_time.seconds - time.time() <= 60
    assert me.assigned == (ASSIGNED if scope == "FIELD" else "")
    if scope in ("VIEWER", "ENROLLMENT", "WALLBOARD", "FIELD"):
        site = pb.Site(display_name="x")
        refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: caller.CreateSite(parent=account.name, site=site))
    else:
        assert caller.CreateSite(parent=account.name, site=pb.Site(display_name=scope)).name
    failure = failure_of(lambda: caller.CreateAccount(account_id="mine"))
    assert failure.reason == "SCOPE_INSUFFICIENT", failure


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256", "PS256"])
def test_each_algorithm_is_taken_with_its_key_alone(tmp_path, alg):
    provider = Provider()
    provider.keys = [Key("one", alg), Key("two", alg)]
    config = tmp_path / "waymark.toml"
    config.write_text(provider.table_of_file(tmp_path / "keys.json"), encoding="utf-8")
    with Server(tmp_path / "data", geoip=False, extra=["--config", config]) as server:
        with grpc.insecure_channel(server.target) as channel:
            Caller(channel, server.admin_token).CreateAccount(account_id="acme")
            for key in provider.keys:
                assert Caller(channel, provider.token("acme", key=key)).WhoAmI().account == "accounts/acme"
            swapped = Caller(channel, provider.token("acme", header={"kid": "one"}))
            refused_for(swapped, "JWT_INVALID")
            other = "ES256" if alg != "ES256" else "EdDSA"
            refused_for(Caller(channel, provider.token("acme", key=Key("one", other))), "JWT_INVALID")


def test_masked_bearers_read_no_contacts_and_an_operators_role_is_the_operators(account, identities, server):
    account.create_site("with a contact", contact=pb.Contact(email="anna@example.org"))
    desk = bearer(account, identities.token(account.id, "wm-desk"))
    assert desk.WhoAmI().contacts == pb.CONTACT_ACCESS_MASKED
    [site] = desk.ListSites(parent=account.name).sites
    assert "anna" not in str(site)
    root = bearer(account, identities.token(None, "wm-root"))
    accounts = all_pages(root.ListAccounts, "accounts", page_size=1000)
    assert root.WhoAmI().account == "" and account.name in [one.name for one in accounts]
    assert fetch(server.target, "/metrics", root.token)[0] == 200
    assert fetch(server.target, "/metrics", identities.token(account.id, "wm-admin"))[0] == 403


def hs256_with_the_public_key(provider, account):
    """What a reader of the published key can make: a code over the token with it."""
    parts = [{"alg": "HS256", "kid": "first", "typ": "JWT"}, provider.claims(account)]
    signed = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    secret = json.dumps(provider.keys[0].jwk()).encode()
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def unsigned(provider, account):
    parts = [{"alg": "none", "typ": "JWT"}, provider.claims(account)]
    return ".".join(encoded(json.dumps(part).encode()) for part in parts) + "."


NOW = "now"
FAULTS = [
    ("JWT_INVALID", "audience", {"aud": "another-service"}),
    ("JWT_INVALID", "audience", {"aud": None}),
    ("JWT_INVALID", "issuer", {"iss": "https://id.evil.test"}),
    ("JWT_INVALID", "key", {"header": {"kid": "unknown"}}),
    ("JWT_INVALID", "algorithm", {"header": {"alg": "HS256"}}),
    ("JWT_INVALID", "algorithm", {"header": {"alg": "none"}}),
    ("JWT_INVALID", "crit", {"header": {"crit": ["exp"]}}),
    ("JWT_INVALID", "typ", {"header": {"typ": "logout+jwt"}}),
    ("JWT_INVALID", "exp", {"exp": None}),
    ("JWT_INVALID", "sub", {"subject": None}),
    ("JWT_INVALID", "8192 bytes", {"padding": "x" * 6_500}),
    ("JWT_EXPIRED", "expired", {"exp": (NOW, -1)}),
    ("JWT_EXPIRED", "older", {"iat": (NOW, -90_000)}),
    ("JWT_EXPIRED", "not good yet", {"nbf": (NOW, 60)}),
    ("JWT_EXPIRED", "not good yet", {"iat": (NOW, 60)}),
    ("JWT_UNMAPPED", "account", {"account": None}),
    ("JWT_UNMAPPED", "account", {"account": "Not An Account"}),
    ("JWT_UNMAPPED", "role", {"roles": ["operator", "admin"]}),
    ("JWT_UNMAPPED", "role", {"roles": None}),
]


@pytest.mark.parametrize("reason, told, change", FAULTS)
def test_each_fault_is_told_and_tells_nothing_of_the_token(account, identities, server, reason, told, change):
    now = int(time.time())
    change = {name: now + value[1] if isinstance(value, tuple) else value for name, value in change.items()}
    of = change.pop("account", account.id)
    caller = bearer(account, identities.token(of, **change))
    failure = refused_for(caller, reason)
    assert told in failure.message, failure
    status, headers, body = fetch(server.target, f"/v1/{account.name}/tiles.json", caller.token)
    assert status == 401 and headers["www-authenticate"] == "Bearer", (status, headers)
    assert json.loads(body)["error"]["reason"] == reason


def test_forged_tokens_are_refused(account, identities):
    good = identities.token(account.id)
    head, body, signature = good.split(".")
    other = identities.token(account.id, "wm-admin").split(".")[1]
    stranger = Key("first")
    for forged in [
        unsigned(identities, account.id),
        hs256_with_the_public_key(identities, account.id),
        f"{head}.{other}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{good}.{signature}",
        f"{good}=",
        identities.token(account.id, key=stranger),
        identities.token(account.id, key=stranger, header={"jwk": stranger.jwk()}),
    ]:
        refused_for(bearer(account, forged), "JWT_INVALID")
    assert bearer(account, good).WhoAmI().account == account.name


def test_a_forged_token_is_checked_once_a_call(tmp_path):
    provider, config = Provider(), tmp_path / "waymark.toml"
    config.write_text(provider.table_of_file(tmp_path / "keys.json"), encoding="utf-8")
    with Server(tmp_path / "data", geoip=False, extra=["--config", config]) as server:
        with grpc.insecure_channel(server.target) as channel:
            Caller(channel, server.admin_token).CreateAccount(account_id="acme")
            forged = Caller(channel, provider.token("acme", key=Key("first")))

            def counted():
                return Metrics.of(server)["waymark_jwt_refused_total", "signature"]

            refused_for(forged, "JWT_INVALID")
            assert counted() == 1
            # Whoever would wait for a revision is looked at before that, too.
            forged.metadata.append(("waymark-min-revision", "accounts/acme=1"))
            refused_for(forged, "JWT_INVALID")
            assert counted() == 2
            assert fetch(server.target, "/v1/accounts/acme/tiles.json", forged.token)[0] == 401
            assert counted() == 3


class IdentityWorld(World):
    """A world whose callers come with tokens of an identity provider."""

    def __init__(self, account, provider):
        super().__init__(account)
        self.provider = provider

    def caller(self, scope):
        return bearer(self.account, self.provider.token(self.account.id, f"wm-{scope.lower()}"))


@pytest.fixture(scope="module")
def own(operator, identities):
    return IdentityWorld(Account(operator), identities)


@pytest.fixture(scope="module")
def foreign(operator):
    return World(Account(operator))


@pytest.mark.parametrize("scope", ["ADMIN", "VIEWER"])
@pytest.mark.parametrize("method", test_isolation.ALL)
def test_a_foreign_account_is_none_for_an_identity(own, foreign, method, scope):
    test_isolation.test_a_foreign_thing_is_as_absent_as_one_that_is_not(own, foreign, method, scope)


def test_an_account_that_is_not_there_is_as_a_foreign_one(account, identities):
    nobody = bearer(account, identities.token("n" * len(account.id), "wm-admin"))
    assert nobody.WhoAmI().account == "accounts/" + "n" * len(account.id)
    answers = set()
    for name in (account.name, nobody.WhoAmI().account):
        failure = refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda name=name: nobody.ListSites(parent=name))
        answers.add((failure.message.replace(name, "<name>"), str(failure.infos)))
    assert len(answers) == 1, answers


@pytest.mark.parametrize("watch", ["WatchSites", "WatchViewport"])
def test_what_goes_on_ends_with_the_token(account, identities, watch):
    account.create_site("watched")
    end = int(time.time()) + ENDS_S
    caller = bearer(account, identities.token(account.id, "wm-viewer", exp=end))
    view = {} if watch == "WatchSites" else {"viewport": WORLD, "zoom": 1}
    stream = caller.begin(watch, getattr(pb, f"{watch}Request")(parent=account.name, **view))
    next(stream)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(refused, "UNAUTHENTICATED", "JWT_EXPIRED", lambda: list(stream))
        ended.result(ENDS_S + ENDED_S_MAX)
    assert time.time() >= end, "it ended too early"
    refused_for(caller, "JWT_EXPIRED")


def test_a_signed_address_ends_with_the_token_and_names_nobody(account, identities, server):
    end = int(time.time()) + ENDS_S
    caller = bearer(account, identities.token(account.id, "wm-viewer", subject="somebody-personal", exp=end))
    signed = caller.SignTileUrl(parent=account.name)
    assert signed.expire_time.seconds == end
    path = signed.tile_json_path
    assert fetch(server.target, path)[0] == 200
    assert b"somebody-personal" not in decoded(path.partition("signature=")[2])
    until("the address ends", lambda: fetch(server.target, path)[0] == 401)
    assert time.time() >= end, "it ended too early"


def test_histories_and_the_audit_log_say_who_it_was(account, identities, server):
    name = f"{identities.issuer}|berta"
    admin = bearer(account, identities.token(account.id, "wm-admin", subject="berta"))
    site = admin.CreateSite(parent=account.name, site=pb.Site(display_name="made by berta"))
    admin.SetPin(site=site.name, position=pb.LatLng(lat=1, lng=2))
    changes = admin.ListSiteChanges(parent=site.name).changes
    assert {change.actor.identity for change in changes} == {name}
    assert {change.actor.scope for change in changes} == {scope_value("ADMIN")}
    assert [fix.maker for fix in admin.GetSite(name=site.name).location.fixes] == [f"identity:{name}"]
    admin.CreateToken(parent=account.name, token=pb.Token(scope=scope_value("VIEWER")))
    account.caller().CreateToken(parent=account.name, token=pb.Token(scope=scope_value("VIEWER")))
    made = account.caller().ListAuditRecords(parent=account.name, identity=name, method="AdminService.CreateToken")
    [record] = made.records
    assert (record.identity, record.token, record.changed) == (name, "", True)
    assert record.scope == scope_value("ADMIN")
    all_of_them = account.caller().ListAuditRecords(parent=account.name, method="AdminService.CreateToken").records
    assert {record.identity for record in all_of_them} == {name, ""}
    assert "berta" not in server.log_text()


@pytest.fixture
def provider():
    with RemoteProvider() as running:
        yield running


def test_keys_change_and_a_key_that_is_taken_back_ends_its_tokens(tmp_path, provider):
    with Server(tmp_path / "data", geoip=False, extra=["--config", provider.config(tmp_path / "c.toml")]) as server:
        with grpc.insecure_channel(server.target) as channel:
            Caller(channel, server.admin_token).CreateAccount(account_id="acme")
            old = Caller(channel, provider.token("acme"))
            assert old.WhoAmI().account == "accounts/acme", "the first call waits for the keys"
            provider.keys.append(Key("second", "RS256"))
            new = Caller(channel, provider.token("acme"))
            until("the new key is found", lambda: is_taken(new))
            assert is_taken(old), "both are good for a while"
            del provider.keys[0]
            until("the old key is gone", lambda: not is_taken(old))
            assert is_taken(new)
            page = Metrics.of(server)
            assert page["waymark_jwks_keys", provider.issuer] == 1
            assert page["waymark_jwks_age_seconds", provider.issuer] < 60
            assert 2 <= page["waymark_jwt_verified_total", provider.issuer] <= 6, "known tokens are not checked again"
            assert page["waymark_jwt_refused_total", "key"] >= 1


def test_known_keys_outlive_a_provider_that_is_away_and_floods_do_not_reach_it(tmp_path, provider):
    config = provider.config(tmp_path / "c.toml", "stale_max_s = 600")
    with Server(tmp_path / "data", geoip=False, extra=["--config", config]) as server:
        with grpc.insecure_channel(server.target) as channel:
            Caller(channel, server.admin_token).CreateAccount(account_id="acme")
            assert is_taken(Caller(channel, provider.token("acme")))
            provider.is_away = True

            def failures():
                return Metrics.of(server).get("waymark_jwks_failures_total", provider.issuer)

            until("a look fails", lambda: failures() >= 1)
            assert is_taken(Caller(channel, provider.token("acme", subject="berta"))), "the known key goes on"
            asked, begun = provider.asked, time.monotonic()
            for number in range(50):
                unknown = Caller(channel, provider.token("acme", header={"kid": f"made-up-{number}"}))
                assert outcome(unknown) == ("UNAUTHENTICATED", "JWT_INVALID")
            seconds = time.monotonic() - begun
            assert provider.asked - asked <= seconds + 2, "no more than a look a second"
        assert "made-up" not in server.log_text()


def test_keys_that_cannot_be_read_again_end_after_their_time(tmp_path, provider):
    config = provider.config(tmp_path / "c.toml", f"stale_max_s = {STALE_MAX_S}")
    with Server(tmp_path / "data", geoip=False, extra=["--config", config]) as server:
        with grpc.insecure_channel(server.target) as channel:
            Caller(channel, server.admin_token).CreateAccount(account_id="acme")

            def ends_as(code):
                return outcome(Caller(channel, provider.token("acme")))[0] == code

            # Where the machine is busy the looks may be farther apart than keys are good for, and somebody has to ask again.
            until("they are read", lambda: ends_as("OK"))
            provider.is_away = True
            until("keys that are too old are good for nothing", lambda: ends_as("UNAVAILABLE"))
            provider.is_away = False
            until("they are back", lambda: ends_as("OK"))


def test_a_server_starts_without_its_provider(tmp_path, provider):
    provider.is_away = True
    with Server(tmp_path / "data", geoip=False, extra=["--config", provider.config(tmp_path / "c.toml")]) as server:
        with grpc.insecure_channel(server.target) as channel:
            operator = Caller(channel, server.admin_token)
            operator.CreateAccount(account_id="acme")
            caller = Caller(channel, provider.token("acme"))
            begun = time.monotonic()
            refused_for(caller, "NOT_READY", "UNAVAILABLE")
            assert time.monotonic() - begun < 10, "nobody waits for a provider without an end"
            assert operator.WhoAmI().scope == scope_value("ADMIN")
            provider.is_away = False
            # A call that comes while a look is under way waits for it.
            until("it is there", lambda: outcome(caller)[0] == "OK")


def test_nobody_is_a_stranger_because_the_provider_is_away(tmp_path, provider):
    provider.is_away = True
    limits = ["[traffic]", "strangers_of_address = { per_s = 0.001, burst = 3 }"]
    config = provider.config(tmp_path / "c.toml", *limits)
    with Server(tmp_path / "data", geoip=False, extra=["--config", config]) as server:
        with grpc.insecure_channel(server.target) as channel:
            Caller(channel, server.admin_token).CreateAccount(account_id="acme")
            office = [Caller(channel, provider.token("acme", subject=f"user-{number}")) for number in range(12)]
            with ThreadPoolExecutor(len(office)) as pool:
                assert set(pool.map(outcome, office)) == {("UNAVAILABLE", "NOT_READY")}
                path = "/v1/accounts/acme/tiles.json"
                asked = list(pool.map(lambda caller: fetch(server.target, path, caller.token), office))
            assert {status for status, _, _ in asked} == {503}, asked
            assert {json.loads(body)["error"]["reason"] for _, _, body in asked} == {"NOT_READY"}
            strangers = Metrics.of(server).get("waymark_calls_limited_total", "strangers_of_address")
            assert strangers == 0
            for reason in ["CREDENTIAL_INVALID"] * 3 + ["NETWORK_RATE_LIMITED"]:
                assert failure_of(Caller(channel, "wmk_nobody").WhoAmI).reason == reason
            provider.is_away = False
            until("they are let in", lambda: all(outcome(caller)[0] == "OK" for caller in office))


def test_check_config_reads_the_file_of_keys(tmp_path):
    provider, config, keys = Provider(), tmp_path / "waymark.toml", tmp_path / "keys.json"
    config.write_text(provider.table_of_file(keys), encoding="utf-8")

    def checked():
        return subprocess.run([BINARY, "check-config", config], capture_output=True, text=True, timeout=60)

    assert checked().returncode == 0, checked()
    private = provider.jwks()
    private["keys"][0]["d"] = "AA"
    for text, told in [(json.dumps(private), "private key"), ("{}", "no JSON Web Key Set"), ('{"keys": []}', "no key")]:
        keys.write_text(text, encoding="utf-8")
        outcome = checked()
        assert outcome.returncode == 1, outcome
        assert "auth.jwt" in outcome.stdout + outcome.stderr and told in outcome.stdout + outcome.stderr, outcome
