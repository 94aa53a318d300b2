"""Traces as a collector gets them: what is one trace, whose word counts, what is in it, and that no call waits for any of it."""

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import trustme

from client import CALL_S_MAX, Account, absent_site, failure_of, fetch, health, until
from http_stub import HttpStub
from mail_server import MailServer
from metrics_page import Metrics
from otlp_collector import Collector
from redis_server import lasting_port
from residents import Home
from rest import ask
from server import ROOT
from stubs import PACKAGE, methods, pb
from test_traffic import serving
from ticketing_systems import CREDENTIALS, System
from ticketing_systems import config as ticketing_config

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "kanari"
ROW = re.compile(r"\| `([^`]+)` \| (server|client|internal) \| ([^|]*) \|")
DROPPED, FAILED = "waymark_trace_spans_dropped_total", "waymark_trace_exports_failed_total"


def traceparent(flags="01"):
    return ("traceparent", f"00-{TRACE}-{PARENT}-{flags}")


def listed():
    """Name -> kind and attributes, as docs/traces.md has them."""
    page = (ROOT / "docs/traces.md").read_text(encoding="utf-8")
    return {name: (kind, set(re.findall("`([^`]+)`", attributes))) for name, kind, attributes in ROW.findall(page)}


def check_listed(spans):
    """Each span is one that is documented, and says nothing else than what it may."""
    known = listed()
    assert len(known) >= 9, "the page has its table"
    calls = {f"{PACKAGE}.{service}/{method.name}" for service, method in methods()} | {"other/other"}
    for span in spans:
        as_listed = span.name
        if span.kind == "server":
            as_listed = "SERVICE/METHOD" if span.name in calls else "VERB ROUTE"
            assert span.name in calls or re.match("(GET|POST|HTTP)( /|$)", span.name), span
        kind, attributes = known[as_listed]
        assert span.kind == kind and span.attributes.keys() <= attributes, span


def test_a_call_and_its_commit_are_one_trace_and_the_callers(tmp_path, monkeypatch):
    # What OpenTelemetry takes from the environment elsewhere.
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        monkeypatch.setenv(name, f"authorization=Bearer {CANARY},x-note={CANARY}")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"host.name={CANARY}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    token = tmp_path / "collector.token"
    token.write_text("Bearer of-the-collector\n", encoding="ascii")
    token.chmod(0o600)
    header = f'headers = [{{ name = "authorization", value_file = "{token}" }}]'
    with Collector() as collector, serving(tmp_path, collector.config(header)) as (_, operator):
        account = Account(operator)
        caller = account.caller()
        caller.metadata += [traceparent(), ("tracestate", f"acme={CANARY}"), ("baggage", f"user={CANARY}")]
        caller.CreateSite(parent=account.name, site=pb.Site(display_name=CANARY, note=CANARY))
        call = collector.one(f"{PACKAGE}.SiteService/CreateSite")
        assert (call.trace, call.parent, call.kind, call.is_error) == (TRACE, PARENT, "server", False)
        assert call.attributes == {
            "rpc.system": "grpc",
            "rpc.service": f"{PACKAGE}.SiteService",
            "rpc.method": "CreateSite",
            "rpc.grpc.status_code": 0,
        }
        until("no commit of the call came", lambda: [s for s in collector.within(call) if s.name == "store.commit"])
        commit = next(span for span in collector.within(call) if span.name == "store.commit")
        assert commit.kind == "internal" and commit.attributes["waymark.store.count"] >= 2, commit
        assert re.fullmatch("[A-Za-z]+", commit.attributes["waymark.store.kind"]), commit
        # Of who traces nothing waymark makes a trace of its own.
        other = collector.one(f"{PACKAGE}.AdminService/CreateAccount")
        assert other.trace != TRACE and other.parent == ""
    assert {span.trace for span in collector.spans if span.name.startswith("store.")} <= {
        span.trace for span in collector.spans if span.kind == "server"
    }, "the store's work beside calls is no trace"
    check_listed(collector.spans)
    assert CANARY not in collector.raw and account.id not in collector.raw
    resources = [resource.resource for request in collector.requests for resource in request.resource_spans]
    told = {json.dumps({pair.key: pair.value.string_value for pair in resource.attributes}) for resource in resources}
    assert len(told) == 1 and json.loads(told.pop()).keys() == {"service.name", "service.version"}
    assert {headers["authorization"] for headers in collector.headers} == {"Bearer of-the-collector"}
    assert CANARY not in str(collector.headers)


@pytest.mark.parametrize(
    ("ratio", "trusts", "flags", "is_traced"),
    [
        (0.0, "false", "01", False),
        (0.0, "true", "01", True),
        (0.0, "true", "00", False),
        (1.0, "false", "00", False),
        (1.0, "false", "01", True),
    ],
)
def test_a_caller_has_no_more_traced_than_it_may(tmp_path, ratio, trusts, flags, is_traced):
    with Collector() as collector:
        config = collector.config(f"sample_ratio = {ratio}", f"trust_callers = {trusts}")
        with serving(tmp_path, config) as (_, operator):
            account = Account(operator)
            account.create_site()
            viewer = account.caller("VIEWER")
            viewer.metadata.append(traceparent(flags))
            viewer.ListSites(parent=account.name)
        # The end sends what waits, so what is not there now never comes.
        found = collector.named(f"{PACKAGE}.SiteService/ListSites")
        assert [span.trace for span in found] == [TRACE] * is_traced
        within = [span for span in collector.spans if span.trace == TRACE and span.name.startswith("store.")]
        assert bool(within) == is_traced, "what is within a call goes with it"
        assert bool(collector.named(f"{PACKAGE}.AdminService/CreateAccount")) == (ratio == 1.0)


def test_the_end_sends_what_waits(tmp_path):
    with Collector() as collector:
        with serving(tmp_path, collector.config()) as (_, operator):
            operator.WhoAmI()
        assert len(collector.named(f"{PACKAGE}.AdminService/WhoAmI")) == 1


def test_calls_go_on_while_the_collector_is_away_and_it_is_found_again(tmp_path):
    port = lasting_port()
    collector = Collector(port)
    with serving(tmp_path, collector.config()) as (server, operator):
        account = Account(operator)
        for _ in range(20):
            assert account.caller().WhoAmI().scope == pb.TOKEN_SCOPE_ADMIN
        until("no failed export is counted", lambda: Metrics.of(server)[FAILED] >= 1)
        page = Metrics.of(server)
        assert page[DROPPED, "failed"] >= 1 and page[DROPPED, "unlisted"] == 0
        assert page["waymark_trace_spans_exported_total"] == 0
        with collector:
            def comes():
                operator.WhoAmI()
                return collector.named(f"{PACKAGE}.AdminService/WhoAmI")

            until("the collector is not found again", comes)
            until("no span is counted", lambda: Metrics.of(server)["waymark_trace_spans_exported_total"] >= 1)
        assert server.log_text().count("the collector of traces takes none") == 1, "once, and not for each export"


def test_a_collector_that_says_nothing_holds_nobody_up(tmp_path):
    with Collector() as collector:
        collector.speaks.clear()
        with serving(tmp_path, collector.config("timeout_ms = 60000")) as (server, operator):
            def is_full():
                list(pool.map(lambda _: operator.WhoAmI(), range(500)))
                return Metrics.of(server)[DROPPED, "full"] > 0

            with ThreadPoolExecutor(8) as pool:
                until("the queue has no end", is_full)
            assert operator.WhoAmI().scope == pb.TOKEN_SCOPE_ADMIN
        # It ended, with its exit code, although there was nobody to take what waits.
        assert "the last traces were not taken in time" in server.log_text()


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
def test_what_a_collector_refuses_is_counted_and_not_sent_again(tmp_path, code):
    with Collector() as collector:
        collector.refuses = code
        with serving(tmp_path, collector.config()) as (server, operator):
            operator.WhoAmI()
            until("no failed export is counted", lambda: Metrics.of(server)[FAILED] >= 1)
            assert Metrics.of(server)[DROPPED, "failed"] >= 1
            assert "not now" not in server.log_text(), "a stranger's text"
            assert code.name.title().replace("_", "") in server.log_text(), "but the code"
        came = [
            span.span_id
            for request in collector.refused
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        assert came and len(came) == len(set(came)), "one request a batch"


def test_what_a_collector_rejects_of_an_export_is_lost(tmp_path):
    with Collector() as collector:
        collector.rejects = 1_000_000
        with serving(tmp_path, collector.config()) as (server, operator):
            operator.WhoAmI()
            until("no rejected span is counted", lambda: Metrics.of(server)[DROPPED, "failed"] >= 1)
            page = Metrics.of(server)
            assert page["waymark_trace_spans_exported_total"] == 0 and page[FAILED] == 0
            assert "not all" not in server.log_text(), "a stranger's text"


def web(server, method, token):
    """A call of a method without fields over gRPC-Web."""
    connection = http.client.HTTPConnection(server.target, timeout=CALL_S_MAX)
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", "authorization": f"Bearer {token}"}
    try:
        connection.request("POST", f"/{method}", b"\0" * 5, dict([*headers.items(), traceparent()]))
        return connection.getresponse().read()
    finally:
        connection.close()


def test_each_way_in_has_its_span_and_none_says_what_was_asked_for(tmp_path):
    with Collector() as collector:
        with serving(tmp_path, collector.config()) as (server, operator):
            account = Account(operator)
            token, target = account.caller().token, server.target
            who, site = f"{PACKAGE}.AdminService/WhoAmI", f"/v1/{absent_site(CANARY)}"
            assert b"grpc-status:0" in web(server, who, token)
            assert ask(target, "GET", site, token, headers=dict([traceparent()])).status == 404
            assert fetch(target, f"/v1/{account.name}/tiles/0/0/0.mvt", token)[0] == 200
            for path in (f"/{CANARY}", f"/v1/{CANARY}"):
                assert fetch(target, path)[0] == 404, path
            assert fetch(target, "/openapi.json")[0] == 200
            fetch(target, "/invitation", method=CANARY.upper())
            unknown = operator.channel.unary_unary(f"/{PACKAGE}.SiteService/{CANARY}")
            assert failure_of(lambda: unknown(b"")).code == grpc.StatusCode.UNIMPLEMENTED
            # Not told: who watches a server would be most of its traces.
            assert fetch(target, "/healthz")[0] == fetch(target, "/readyz")[0] == 200
            assert health(operator.channel) == 1 and Metrics.of(server)
    check_listed(collector.spans)
    (call,) = collector.named(who)
    assert (call.trace, call.parent, call.attributes["rpc.grpc.status_code"]) == (TRACE, PARENT, 0)
    (request,) = collector.named("GET /v1/{name=accounts/*/sites/*}")
    assert (request.trace, request.parent, request.is_error) == (TRACE, PARENT, False)
    assert request.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/{name=accounts/*/sites/*}",
        "http.response.status_code": 404,
        "rpc.system": "grpc",
        "rpc.service": f"{PACKAGE}.SiteService",
        "rpc.method": "GetSite",
        "rpc.grpc.status_code": 5,
    }
    (tile,) = collector.named("GET /v1/accounts/{account}/tiles/{z}/{x}/{y}")
    assert tile.attributes["http.response.status_code"] == 200
    assert len(collector.named("GET")) == 2, "two paths that nobody has"
    assert len(collector.named("GET /openapi.json")) == 1
    assert collector.named("HTTP /invitation")[0].attributes["http.request.method"] == "_OTHER"
    (other,) = collector.named("other/other")
    assert other.attributes["rpc.grpc.status_code"] == 12 and other.is_error
    names = {span.name for span in collector.spans if span.kind == "server"}
    assert not [name for name in names if "health" in name.lower() or "metrics" in name], names
    assert CANARY not in collector.raw.lower()


def test_the_span_of_a_watch_ends_with_it(tmp_path):
    with Collector() as collector, serving(tmp_path, collector.config()) as (_, operator):
        account = Account(operator)
        watch = account.caller().begin("WatchSites", pb.WatchSitesRequest(parent=account.name))
        next(watch)
        collector.one(f"{PACKAGE}.AdminService/CreateAccount")
        assert not collector.named(f"{PACKAGE}.SiteService/WatchSites")
        # What begins and ends while the watch is held open.
        account.create_site()
        next(watch)
        meanwhile = collector.one(f"{PACKAGE}.SiteService/CreateSite")
        watch.cancel()
        span = collector.one(f"{PACKAGE}.SiteService/WatchSites")
        assert span.attributes["rpc.grpc.status_code"] == 1 and not span.is_error, "its client left"
        assert span.start <= meanwhile.start <= meanwhile.end <= span.end, "it is as long as the watch"


class Photon(HttpStub):
    """A Photon that refuses, and keeps the headers of what it is asked."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def answer(self, request):
        self.heard.append(dict(request.headers))
        return 400, {}, {"message": CANARY}


class Zendesk(System):
    """A Zendesk that keeps the headers of what it is asked."""

    def __init__(self):
        super().__init__("zendesk")
        self.heard = []

    def answer(self, request):
        self.heard.append(dict(request.headers))
        return super().answer(request)


def test_strangers_are_in_the_trace_and_hear_nothing_of_it(tmp_path):
    with Collector() as collector, Photon() as photon, Zendesk() as zendesk, MailServer(tmp_path) as mail_server:
        geocode = f'[[geocode.providers]]\nkind = "photon"\nname = "{CANARY}"\nurl = "{photon.url}"\n'
        config = mail_server.config().read_text(encoding="utf-8") + geocode + ticketing_config() + collector.config()
        with serving(tmp_path, config) as (_, operator):
            account = Account(operator)
            caller = account.caller()
            caller.metadata.append(traceparent())
            line = f"{CANARY}vegur 1"
            assert failure_of(lambda: caller.GeocodeAddress(parent=account.name, address_line=line))
            stated = pb.TicketingConnection(system="zendesk", base_url=zendesk.url, credentials=CREDENTIALS["zendesk"])
            connection = caller.CreateTicketingConnection(parent=account.name, connection=stated).name
            assert caller.ListExternalOrganizations(connection=connection).organizations
            home = Home(account)
            home.editor.InviteResident(name=home.name)
            until("no mail came", lambda: mail_server.mails)
    check_listed(collector.spans)
    (asked,) = collector.named("geocode.ask")
    assert asked.kind == "client" and asked.trace == TRACE and asked.is_error
    assert asked.attributes == {
        "waymark.geocode.provider": "photon",
        "waymark.geocode.question": "forward",
        "error.type": "GEOCODER_REFUSED",
    }
    listing = [span for span in collector.named("ticketing.ask") if span.trace == TRACE]
    assert listing and {span.attributes["waymark.ticketing.system"] for span in listing} == {"zendesk"}
    assert {span.attributes["http.response.status_code"] for span in listing} == {200}
    # It is sent beside calls, so it begins a trace of its own.
    (sent,) = collector.named("mail.send")
    assert sent.attributes == {} and sent.parent == "" and sent.trace != TRACE
    assert photon.heard and zendesk.heard
    for headers in photon.heard + zendesk.heard:
        assert not {name.lower() for name in headers} & {"traceparent", "tracestate", "baggage"}, headers
    for secret in (CANARY, home.email, account.id, str(photon.server.server_port)):
        assert secret not in collector.raw, secret


def test_a_collector_is_known_by_its_certificate(tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    ca_file = tmp_path / "collector-ca.pem"
    ca_file.write_bytes(authority.cert_pem.bytes())
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    credentials = grpc.ssl_server_credentials([(issued.private_key_pem.bytes(), chain)])
    with Collector(credentials=credentials) as collector:
        with serving(tmp_path, collector.config(f'ca_file = "{ca_file}"', scheme="https")) as (_, operator):
            operator.WhoAmI()
            collector.one(f"{PACKAGE}.AdminService/WhoAmI")
        came = len(collector.spans)
        # To whom the system's authorities do not vouch for it nothing is sent.
        apart = tmp_path / "apart"
        apart.mkdir()
        with serving(apart, collector.config(scheme="https")) as (server, operator):
            operator.WhoAmI()
            until("a stranger is trusted", lambda: Metrics.of(server)[FAILED] >= 1)
        assert len(collector.spans) == came
