"""Certificates of clients: who is let in by the handshake, and whose calls they are who bring no token."""

import contextlib
import secrets
import signal
import time
from types import SimpleNamespace

import grpc
import pytest

from authority import DAY, SERVER, Authority
from cli import FAILED, objects, run
from client import Account, Caller, failure_of, mask, refused, scope_value, until
from metrics_page import Metrics
from redis_server import lasting_port
from server import Server
from stubs import pb

URI = "spiffe://example.org/agent/7"
REFUSED = "client certificates were refused"


class Mutual:
    """A server that asks clients for certificates, with what signs them. Its metrics are on a plain listener."""

    def __init__(self, tmp_path, mode):
        self.authority, self.foreign = Authority("clients"), Authority("others")
        self.ca_file, self.own = tmp_path / "clients.pem", Authority("server")
        self.ca_file.write_bytes(self.authority.pem)
        (tmp_path / "server-authority.pem").write_bytes(self.own.pem)
        certificate, key = self.own.issue(address="127.0.0.1", usage=SERVER).write(tmp_path, "server")
        port = lasting_port()
        config = tmp_path / "waymark.toml"
        config.write_text(
            f'metrics_listen = "127.0.0.1:{port}"\n[listen.tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
            f'client_ca_file = "{self.ca_file}"\nclient_certificates = "{mode}"\n',
            encoding="utf-8",
        )
        self.server = Server(tmp_path / "data", geoip=False, extra=["--config", config])
        self.metrics_target = f"127.0.0.1:{port}"
        self.channels = contextlib.ExitStack()

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *how):
        self.channels.close()
        self.server.__exit__(*how)

    def caller(self, issued=None, token=None):
        """A caller over a connection of its own, with this certificate or none."""
        shown = (issued.key, issued.pem) if issued else ()
        credentials = grpc.ssl_channel_credentials(self.own.pem, *shown)
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.secure_channel(self.server.target, credentials, options)
        return Caller(self.channels.enter_context(channel), token)

    def operator(self):
        return self.caller(self.authority.issue(names=["operator.example"]), self.server.admin_token)

    def refused(self, reason):
        """How many certificates were refused so."""
        where = SimpleNamespace(target=self.metrics_target, admin_token=self.server.admin_token)
        return Metrics.of(where)["waymark_client_certificates_refused_total", reason]

    def is_let_in(self, issued):
        try:
            self.caller(issued, self.server.admin_token).WhoAmI()
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            return False
        return True


@pytest.fixture
def mutual(tmp_path):
    with Mutual(tmp_path, "optional") as running:
        yield running


def binding(**known_by):
    return pb.CertificateBinding(**known_by)


def certified(account, scope="ENROLLMENT", **known_by):
    """A token of an account, for whoever has such a certificate."""
    token = pb.Token(scope=scope_value(scope), certificate=binding(**known_by), display_name="a machine")
    made = account.operator.CreateToken(parent=account.name, token=token)
    assert made.secret == "", "who has a certificate needs no secret"
    assert made.token.certificate == binding(**known_by)
    return made.token


def test_who_shows_no_good_certificate_is_not_let_in(tmp_path):
    begun = time.monotonic()
    with Mutual(tmp_path, "required") as mutual:
        operator = mutual.operator()
        assert operator.WhoAmI().scope == pb.TOKEN_SCOPE_ADMIN
        issue = mutual.authority.issue
        for issued, reason in [
            (None, "missing"),
            (issue(begins=-2 * DAY, ends=-DAY), "expired"),
            (issue(begins=DAY, ends=2 * DAY), "expired"),
            (mutual.foreign.issue(), "untrusted"),
            # Of the same name, and another key.
            (Authority("clients").issue(), "untrusted"),
            (issue(usage=SERVER), "unfit"),
        ]:
            before = mutual.refused(reason)
            assert not mutual.is_let_in(issued), reason
            until(f"not counted: {reason}", lambda reason=reason, before=before: mutual.refused(reason) > before)
        assert operator.WhoAmI(), "others go on"
        told = mutual.server.log_text().count(REFUSED)
        assert 1 <= told <= 1 + (time.monotonic() - begun) // 60, "one line a minute"


def test_where_certificates_are_optional_a_bad_one_is_still_refused(mutual):
    assert mutual.is_let_in(None) and mutual.is_let_in(mutual.authority.issue())
    before = mutual.refused("untrusted")
    assert not mutual.is_let_in(mutual.foreign.issue())
    until("it is not counted", lambda: mutual.refused("untrusted") > before)
    assert mutual.refused("missing") == 0


def test_authorities_are_read_again_without_a_restart(mutual):
    old, new = mutual.authority.issue(), mutual.foreign.issue()
    assert mutual.is_let_in(old) and not mutual.is_let_in(new)
    mutual.ca_file.write_text("no certificate\n", encoding="utf-8")
    mutual.server.process.send_signal(signal.SIGHUP)
    until("it is not told", lambda: "was not read again" in mutual.server.log_text())
    assert mutual.is_let_in(old), "what was read before stays"
    mutual.ca_file.write_bytes(mutual.foreign.pem)
    mutual.server.process.send_signal(signal.SIGHUP)
    until("the new authority is not trusted", lambda: mutual.is_let_in(new))
    assert not mutual.is_let_in(old), "the old one is trusted still"


@pytest.mark.parametrize("known_by", ["key_sha256", "uri", "dns_name"])
def test_a_machine_with_a_certificate_lets_agents_in_without_a_token(mutual, known_by):
    account = Account(mutual.operator())
    issued = mutual.authority.issue(uris=[URI], names=["FW-7.example"])
    machine = mutual.caller(issued)
    refused("UNAUTHENTICATED", "CLIENT_CERTIFICATE_UNKNOWN", machine.WhoAmI)
    known = {"key_sha256": issued.key_sha256, "uri": URI, "dns_name": "fw-7.example"}[known_by]
    token = certified(account, **{known_by: known})
    me = machine.WhoAmI()
    assert (me.token, me.account, me.scope) == (token.name, account.name, pb.TOKEN_SCOPE_ENROLLMENT)
    agent = machine.ActivateAgent(parent=account.name, agent_id="fw-7", agent_key=secrets.token_bytes(32))
    # A token that is sent decides, good or not.
    assert Caller(machine.channel, agent.credential).WhoAmI().site == agent.site
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", Caller(machine.channel, "wmk_nonsense").WhoAmI)
    # Others are nobody: with other certificates, of other accounts, or without one.
    other = mutual.caller(mutual.authority.issue(uris=[f"{URI}/x"], names=["fw-8.example"]))
    refused("UNAUTHENTICATED", "CLIENT_CERTIFICATE_UNKNOWN", other.WhoAmI)
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", mutual.caller().WhoAmI)
    elsewhere = Account(account.operator)
    key = secrets.token_bytes(32)
    activate = lambda: machine.ActivateAgent(parent=elsewhere.name, agent_id="fw-7", agent_key=key)
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", activate)


def test_a_revoked_machine_loses_its_watches_and_was_told_of(mutual):
    account = Account(mutual.operator())
    site = account.create_site("watched").name
    machine = mutual.caller(mutual.authority.issue(uris=[URI]))
    token = certified(account, "SERVICE", uri=URI)
    watch = machine.begin("WatchSites", pb.WatchSitesRequest(parent=account.name))
    next(watch)
    access = pb.ResidentAccess(name=f"{site}/residentAccess", owner_email="owner@example.org")
    _, revisions = machine.wrote("UpdateResidentAccess", resident_access=access, update_mask=mask("owner_email"))
    # It waits for its own writes as others do.
    waiting = Caller(machine.channel)
    waiting.metadata = [("waymark-min-revision", f"{account.name}={revisions[account.name]}")]
    assert waiting.WhoAmI().token == token.name
    admin = account.caller()
    method = "ResidentAccessService.UpdateResidentAccess"
    (record,) = admin.ListAuditRecords(parent=account.name, token=token.name, method=method).records
    assert record.changed and record.scope == pb.TOKEN_SCOPE_SERVICE
    (listed,) = [one for one in admin.ListTokens(parent=account.name).tokens if one.name == token.name]
    assert listed.certificate.uri == URI and listed.HasField("last_use_time")
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: admin.RotateToken(name=token.name), "name")
    admin.RevokeToken(name=token.name)
    failure = failure_of(lambda: list(watch))
    assert (failure.code.name, failure.reason) == ("UNAUTHENTICATED", "CREDENTIAL_INVALID")
    refused("UNAUTHENTICATED", "CLIENT_CERTIFICATE_UNKNOWN", machine.WhoAmI)


def test_a_certificate_that_two_tokens_know_is_taken_for_neither(mutual):
    account = Account(mutual.operator())
    machine = mutual.caller(mutual.authority.issue(uris=[URI], names=["fw-7.example"]))
    first, second = certified(account, uri=URI), certified(Account(account.operator), dns_name="fw-7.example")
    refused("UNAUTHENTICATED", "CLIENT_CERTIFICATE_UNKNOWN", machine.WhoAmI)
    account.operator.RevokeToken(name=first.name)
    assert machine.WhoAmI().token == second.name


def test_the_operator_alone_makes_tokens_for_certificates(account):
    uri = f"spiffe://example.org/{secrets.token_hex(6)}"

    def make(by, scope="ENROLLMENT", known_by=None):
        token = pb.Token(scope=scope_value(scope), certificate=known_by or binding(uri=uri))
        return by.CreateToken(parent=account.name, token=token)

    refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: make(account.caller()))
    for scope in ("ADMIN", "EDITOR", "VIEWER"):
        refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda scope=scope: make(account.operator, scope), "token.scope")
    for known_by, field in [
        (pb.CertificateBinding(), "token.certificate"),
        (binding(key_sha256=b"short"), "token.certificate.key_sha256"),
        (binding(uri="agent 7"), "token.certificate.uri"),
        (binding(dns_name="*.example.org"), "token.certificate.dns_name"),
    ]:
        call = lambda known_by=known_by: make(account.operator, known_by=known_by)
        refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field)
    made = make(account.operator)
    refused("ALREADY_EXISTS", "RESOURCE_EXISTS", lambda: make(account.operator, "SERVICE"))
    assert account.caller().RevokeToken(name=made.token.name).HasField("revoke_time"), "its account may end it"
    assert make(account.operator, "SERVICE").token.name != made.token.name


def test_the_command_line_shows_a_certificate_and_makes_tokens_for_them(tmp_path):
    with Mutual(tmp_path, "required") as mutual:
        account = Account(mutual.operator())
        certificate, key = mutual.authority.issue().write(tmp_path, "machine")
        way = ["--server", mutual.server.url, "--ca", tmp_path / "server-authority.pem"]
        shown = [*way, "--client-cert", certificate, "--client-key", key]
        # Without a token from here on, but for the operator's.
        assert "Unauthenticated" in run("whoami", *shown, code=FAILED)
        words = ["token", "create", "--account", account.id, "--scope", "service", "--certificate", certificate]
        name = run(*words, *shown, server=mutual.server).strip()
        (me,) = objects("whoami", "--format", "json", *shown)
        assert (me["token"], me["account"]) == (name, account.name)
        assert "a token is needed" in run("whoami", *way, code=FAILED)
        plain = ["--server", "http://127.0.0.1:1", *shown[4:]]
        told = run("whoami", *plain, code=FAILED)
        assert "--client-cert is shown over TLS alone" in told and "https://" in told
        key.chmod(0o644)
        assert "chmod o-r" in run("whoami", *shown, code=FAILED)
