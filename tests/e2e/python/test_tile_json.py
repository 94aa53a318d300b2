"""TileJSON names its tiles in full, by the name that the server is asked by or by the operator's."""

import http.client
import json

import grpc

from client import Account, Caller
from server import Server


def described_for(server, path, token, host):
    """The TileJSON's address of tiles, as whoever asks by this name of the server is told."""
    connection = http.client.HTTPConnection(server.target)
    try:
        connection.request("GET", path, headers={"authorization": f"Bearer {token}", "host": host})
        answer = connection.getresponse()
        described = json.loads(answer.read())
        assert answer.status == 200 and "host" in answer.getheader("vary").split(", "), answer.getheaders()
        return described["tiles"][0]
    finally:
        connection.close()


def test_a_description_names_tiles_by_the_name_that_it_is_asked_by(server, operator, tmp_path):
    """Relative addresses were looked for beside MapLibre's own script."""
    account = Account(operator)
    token, path = account.caller("VIEWER").token, f"/v1/{account.name}/tiles.json"
    tiles = f"/v1/{account.name}/tiles/{{z}}/{{x}}/{{y}}.mvt"
    for host in (server.target, "maps.example.com", "[2001:db8::1]:8642"):
        assert described_for(server, path, token, host) == f"http://{host}{tiles}"
    # No host at all, and so an address that is relative to the document.
    assert described_for(server, path, token, "") == "tiles/{z}/{x}/{y}.mvt"
    config = tmp_path / "waymark.toml"
    config.write_text("[listen]\npublic_url = 'https://maps.example.com/waymark/'\n", encoding="utf-8")
    with Server(tmp_path / "data", geoip=False, extra=["--config", config]) as other:
        with grpc.insecure_channel(other.target) as channel:
            account = Account(Caller(channel, other.admin_token))
            token, path = account.caller("VIEWER").token, f"/v1/{account.name}/tiles.json"
            tiles = f"https://maps.example.com/waymark/v1/{account.name}/tiles/{{z}}/{{x}}/{{y}}.mvt"
            for host in (other.target, "evil.example.net"):
                assert described_for(other, path, token, host) == tiles
