"""What Prometheus reads: the state of the GeoIP databases, for the operator alone."""

import re

from client import fetch
from server import GEOIP


def test_the_operator_reads_metrics_and_nobody_else(server, account):
    assert fetch(server.target, "/metrics")[0] == 401
    for scope in ("ADMIN", "VIEWER", "SERVICE"):
        assert fetch(server.target, "/metrics", account.caller(scope).token)[0] == 403
    status, headers, body = fetch(server.target, "/metrics", server.admin_token)
    assert status == 200 and headers["content-type"].startswith("text/plain")
    lines = body.decode().splitlines()
    values = {}
    for line in lines:
        if not line.startswith("#") and line:
            name, path, value = re.fullmatch(r'(\w+)(?:\{path="([^"]+)"\})? (\S+)', line).groups()
            values[name, path] = float(value)
    for file in map(str, GEOIP):
        assert values["waymark_geoip_database_up", file] == 1
        assert values["waymark_geoip_database_failed", file] == 0
        assert values["waymark_geoip_database_size_bytes", file] > 1_000_000
        build = values["waymark_geoip_database_build_timestamp_seconds", file]
        assert 1_700_000_000 < build < values["waymark_geoip_database_load_timestamp_seconds", file]
        assert values["waymark_geoip_database_age_seconds", file] > 0
        assert values["waymark_geoip_loads_total", file] >= 1
    assert values["waymark_replica_lag_seconds", None] == 0 and values["waymark_replica_following", None] == 1
    assert values["waymark_panics_total", None] == values["waymark_store_corrupt_reads_total", None] == 0
    described = {line.split()[2] for line in lines if line.startswith("# HELP")}
    assert {name for name, _ in values} <= described


def test_look_ups_are_counted(server, account):
    def looked_up():
        body = fetch(server.target, "/metrics", server.admin_token)[2].decode()
        return sum(int(count) for count in re.findall(r"waymark_geoip_look_ups_total\{[^}]*\} (\d+)", body))

    before = looked_up()
    account.caller().BatchLookupIp(parent=account.name, ips=["8.8.8.8"] * 100)
    assert looked_up() >= before + 100
