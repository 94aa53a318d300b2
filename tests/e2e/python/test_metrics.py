"""What Prometheus reads: calls, places, files, for the operator alone; the documented list is the list."""

import re

import grpc

from client import absent_site, failure_of, fetch, until
from metrics_page import Metrics
from server import GEOIP, ROOT
from stubs import pb

ROW = re.compile(r"\| `(\w+)` \| (counter|gauge|histogram) \| ([\w, ]*) \| (.+) \|")


def documented():
    """Name -> type, labels and meaning, as docs/metrics.md has them."""
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    return {name: (kind, labels, meaning) for name, kind, labels, meaning in ROW.findall(page)}


def test_the_operator_reads_metrics_and_nobody_else(server, account):
    assert fetch(server.target, "/metrics")[0] == 401
    for scope in ("ADMIN", "VIEWER", "SERVICE"):
        assert fetch(server.target, "/metrics", account.caller(scope).token)[0] == 403
    page = Metrics.of(server)
    for file in map(str, GEOIP):
        assert page["waymark_geoip_database_up", file] == 1
        assert page["waymark_geoip_database_failed", file] == 0
        assert page["waymark_geoip_database_size_bytes", file] > 1_000_000
        build = page["waymark_geoip_database_build_timestamp_seconds", file]
        assert 1_700_000_000 < build < page["waymark_geoip_database_load_timestamp_seconds", file]
        assert page["waymark_geoip_database_age_seconds", file] > 0
        assert page["waymark_geoip_loads_total", file] >= 1
    assert page["waymark_replica_lag_seconds"] == 0 and page["waymark_replica_following"] == 1
    assert page["waymark_panics_total"] == page["waymark_store_corrupt_reads_total"] == 0
    assert page["waymark_accounts"] >= 1 and page["process_resident_memory_bytes"] > 1_000_000


def test_the_page_is_what_is_documented(server, account):
    account.caller().WhoAmI()
    fetch(server.target, "/readyz")
    page, listed = Metrics.of(server), documented()
    assert {page.family(key[0]) for key in page.values} == set(listed)
    assert page.kinds == {name: kind for name, (kind, _, _) in listed.items()}
    assert page.helps == {name: meaning for name, (_, _, meaning) in listed.items()}
    for name, (_, labels, _) in listed.items():
        assert page.labels[name] - {"le"} == set(filter(None, labels.split(", "))), name


def test_look_ups_are_counted(server, account):
    def looked_up():
        page = Metrics.of(server)
        return sum(page["waymark_geoip_look_ups_total", file] for file in map(str, GEOIP))

    before = looked_up()
    account.caller().BatchLookupIp(parent=account.name, ips=["8.8.8.8"] * 100)
    assert looked_up() >= before + 100


def counted(server, service, method, code):
    return Metrics.of(server).get("waymark_grpc_calls_total", f"waymark.v1.{service}", method, code)


def test_calls_are_counted_by_method_and_code(server, account):
    caller = account.caller()
    before = Metrics.of(server)
    for _ in range(5):
        caller.WhoAmI()
    failure_of(lambda: caller.GetSite(name=absent_site(account.id)))
    failure_of(lambda: caller.GetSite(name="nonsense"))
    unknown = caller.channel.unary_unary("/waymark.v1.SiteService/Explode")
    failure = failure_of(lambda: unknown(b"", metadata=caller.metadata))
    assert failure.code == grpc.StatusCode.UNIMPLEMENTED
    unknown = caller.channel.unary_unary("/waymark.v7.Other/Method")
    assert failure_of(lambda: unknown(b"")).code == grpc.StatusCode.UNIMPLEMENTED
    after = Metrics.of(server)

    def grown(*key):
        return after.get(*key) - before.get(*key)

    calls, sites = "waymark_grpc_calls_total", "waymark.v1.SiteService"
    assert grown(calls, "waymark.v1.AdminService", "WhoAmI", "OK") == 5
    assert grown("waymark_grpc_call_duration_seconds_count", "waymark.v1.AdminService", "WhoAmI") == 5
    assert grown("waymark_grpc_call_duration_seconds_bucket", "waymark.v1.AdminService", "WhoAmI", "+Inf") == 5
    assert grown(calls, sites, "GetSite", "NOT_FOUND") == 1 and grown(calls, sites, "GetSite", "INVALID_ARGUMENT") == 1
    assert grown(calls, "other", "other", "UNIMPLEMENTED") == 2
    assert not any("Explode" in part for key in after.values for part in key[1:])


def test_a_stream_is_in_flight_until_its_client_leaves(server, account):
    def in_flight():
        return Metrics.of(server)["waymark_grpc_calls_in_flight", "waymark.v1.SiteService"]

    before, left = in_flight(), counted(server, "SiteService", "WatchSites", "CANCELLED")
    watch = account.caller().begin("WatchSites", pb.WatchSitesRequest(parent=account.name))
    next(watch)
    assert in_flight() == before + 1
    assert Metrics.of(server)["waymark_watches_open"] >= 1
    watch.cancel()
    until("it is in flight still", lambda: in_flight() == before)
    assert counted(server, "SiteService", "WatchSites", "CANCELLED") == left + 1


def test_requests_are_counted_by_route_and_status(server, account):
    def of(route, code):
        return Metrics.of(server).get("waymark_http_requests_total", route, code)

    tile, token = f"/v1/{account.name}/tiles/0/0/0.mvt", account.caller("VIEWER").token
    for path, token, route, code in [
        (tile, token, "tiles", "200"),
        (tile, None, "tiles", "401"),
        ("/nothing/of/the/sort", None, "pages", "404"),
        ("/v1/nothing/of/the/sort", None, "rest", "404"),
        ("/invitation", None, "invitation", "200"),
        ("/healthz", None, "health", "200"),
    ]:
        before = of(route, code)
        assert fetch(server.target, path, token)[0] == int(code)
        assert of(route, code) == before + 1, (route, code)
