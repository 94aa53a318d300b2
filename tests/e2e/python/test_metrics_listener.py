"""A listener of its own for metrics and health, and reflection where it is wanted."""

import grpc
import pytest

from cli import FAILED, run
from client import Caller, fetch, health
from metrics_page import Metrics
from redis_server import lasting_port
from stubs import PACKAGE, pb
from test_traffic import serving

# Asks for the list of services: a message with one text, the seventh field.
LIST_SERVICES = b"\x3a\x01*"
REFLECTION = [f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha")]


def test_metrics_are_on_their_own_listener_alone(tmp_path):
    own = f"127.0.0.1:{lasting_port()}"
    with serving(tmp_path, f'metrics_listen = "{own}"') as (server, operator):
        token = server.admin_token
        assert fetch(server.target, "/metrics", token)[0] == 404
        status, headers, body = fetch(own, "/metrics", token)
        assert status == 200 and headers["content-type"].startswith("text/plain")
        page = Metrics(body.decode())
        assert page["waymark_accounts"] == 0 and page.get("waymark_http_requests_total", "metrics", "404") == 1
        assert fetch(own, "/metrics")[0] == 401, "who is on this machine is not the operator yet"
        for target in (server.target, own):
            assert fetch(target, "/healthz")[2] == b"alive\n" and fetch(target, "/readyz")[2] == b"ready\n"
        for path in ("/", "/v1/accounts/acme/tiles/0/0/0.mvt", "/invitation"):
            assert fetch(own, path, token)[0] == 404, path
        with grpc.insecure_channel(own) as channel:
            assert health(channel) == 1 and health(channel, f"{PACKAGE}.SiteService") == 1
            with pytest.raises(grpc.RpcError) as caught:
                Caller(channel, token).WhoAmI()
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert operator.WhoAmI().scope == pb.TOKEN_SCOPE_ADMIN


def test_connections_of_the_own_listener_take_no_place_of_others(tmp_path):
    own = f"127.0.0.1:{lasting_port()}"
    config = f'metrics_listen = "{own}"\n[listen]\nconnections_max = 1\n'
    with serving(tmp_path, config) as (server, operator):
        assert operator.WhoAmI()
        page = Metrics(fetch(own, "/metrics", server.admin_token)[2].decode())
        assert page["waymark_connections_max"] == 1 and page["waymark_connections_accepted_total"] == 1


def test_where_others_could_read_the_operators_token_there_is_no_listener(tmp_path):
    file = tmp_path / "waymark.toml"
    for text, told in [
        ('metrics_listen = "0.0.0.0:9090"\n', "metrics_listen 0.0.0.0:9090 is reachable by others"),
        ('metrics_listen = "127.0.0.1:8642"\n', "take another port"),
    ]:
        file.write_text(text, encoding="utf-8")
        assert told in run("check-config", file, code=FAILED), text


def reflected(server, path):
    """What reflection says of the services, or the code that it is refused with."""
    with grpc.insecure_channel(server.target) as channel:
        try:
            return b"".join(channel.stream_stream(path)(iter([LIST_SERVICES]), timeout=30))
        except grpc.RpcError as error:
            return error.code().name


def test_reflection_is_there_for_this_machine_unless_told(tmp_path):
    with serving(tmp_path, "") as (server, _):
        for path in REFLECTION:
            assert f"{PACKAGE}.SiteService".encode() in reflected(server, path), path


def test_reflection_can_be_turned_off(tmp_path):
    with serving(tmp_path, "[listen]\nreflection = false\n") as (server, operator):
        for path in REFLECTION:
            assert reflected(server, path) == "UNIMPLEMENTED", path
        assert operator.WhoAmI()
        page = Metrics.of(server)
        assert page["waymark_grpc_calls_total", "other", "other", "UNIMPLEMENTED"] == len(REFLECTION)
