"""TileJSON names its tiles in full, by the name that it is asked by or the operator's; behind a proxy by that alone."""

import http.client
import json
from contextlib import contextmanager

import grpc

from client import Account, Caller
from server import Server


@contextmanager
def describing(tmp_path, name, lines, **how):
    """A server with this configuration, a reader's token, and the paths of an account's TileJSON and of its tiles."""
    config = tmp_path / f"{name}.toml"
    config.write_text(lines, encoding="utf-8")
    with Server(tmp_path / name, geoip=False, extra=["--config", config], **how) as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            paths = (f"/v1/{account.name}/tiles.json", f"/v1/{account.name}/tiles/{{z}}/{{x}}/{{y}}.mvt")
            yield server, account.caller("VIEWER").token, *paths


def described_for(server, path, token, *hosts):
    """The TileJSON's address of tiles, as whoever asks by these names of the server is told, and what the answer varies with."""
    connection = http.client.HTTPConnection(server.target)
    try:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in [("authorization", f"Bearer {token}"), *(("host", host) for host in hosts)]:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        described = json.loads(answer.read())
        assert answer.status == 200, answer.getheaders()
        return described["tiles"][0], answer.getheader("vary").split(", ")
    finally:
        connection.close()


def test_a_description_names_tiles_by_the_name_that_it_is_asked_by(tmp_path):
    """Relative addresses were looked for beside MapLibre's own script."""
    with describing(tmp_path, "data", "", trusted_proxy=False) as (server, token, path, tiles):
        varies = ["authorization", "host"]
        for host in (server.target, "maps.example.com", "[2001:db8::1]:8642"):
            assert described_for(server, path, token, host) == (f"http://{host}{tiles}", varies)
        # No host at all or two of them, and so an address that is relative to the document.
        for hosts in ([""], ["maps.example.com", "evil.example.net"]):
            assert described_for(server, path, token, *hosts) == ("tiles/{z}/{x}/{y}.mvt", varies)


def test_behind_a_proxy_only_the_operator_says_by_which_name(tmp_path):
    """The proxy speaks TLS, and waymark would name `http`, with the signature in the address."""
    with describing(tmp_path, "silent", "") as (server, token, path, _):
        for host in (server.target, "maps.example.com"):
            assert described_for(server, path, token, host) == ("tiles/{z}/{x}/{y}.mvt", ["authorization"])
    told = "[listen]\npublic_url = 'https://maps.example.com/waymark/'\n"
    for how in ({"trusted_proxy": False}, {}):
        with describing(tmp_path, f"told-{len(how)}", told, **how) as (server, token, path, tiles):
            for host in (server.target, "evil.example.net"):
                expected = (f"https://maps.example.com/waymark{tiles}", ["authorization"])
                assert described_for(server, path, token, host) == expected
