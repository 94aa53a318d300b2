"""The files of deploy/, as far as they run without Docker and systemd: the Redis of compose.yaml by its own command, under a server with
waymark.toml; what the files say of each other; and the unit, by systemd's own word. nginx.conf is in test_balancer.py."""

import base64
import ipaddress
import json
import os
import re
import secrets
import shutil
import subprocess
import textwrap
import tomllib

import grpc
import pytest

from balancer import ADDRESSES
from client import Account, Caller, until
from metrics_page import Metrics
from redis_server import Redis
from server import BINARY, DRAIN_S_MAX, ROOT, Server
from test_replicas import is_written

COMPOSE, NGINX, CONFIG, DOCKERFILE, UNIT = (
    (ROOT / "deploy" / name).read_text(encoding="utf-8")
    for name in ("compose.yaml", "nginx.conf", "waymark.toml", "Dockerfile", "waymark.service")
)
PASSWORD = secrets.token_urlsafe(24)
# What a kill leaves of a write of several commands.
TORN = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$4\r\ntorn\r\n$9\r\nhal"
# Descriptors of a server that are not connections: `OTHERS` in src/app/descriptors.rs. And its connections, as README has them.
OTHER_FILES, CONNECTIONS_MAX = 256, 4096
TOLD_S_MAX = 60


class Composed(Redis):
    """The Redis of compose.yaml; its port, its address and the place of its configuration are the test's."""

    def __init__(self, directory):
        super().__init__(directory)
        part = COMPOSE.partition("\n  redis:\n")[2].partition("\n  balancer:\n")[0]
        script = part.partition("      - |\n")[2].partition("    healthcheck:\n")[0].replace("$$", "$")
        assert script.count("/tmp/redis.conf") == 3, script
        self.script = textwrap.dedent(script).replace("/tmp/redis.conf", str(directory / "redis.conf"))
        healthy = re.search(r"test: \[CMD-SHELL, '(.*)'\]", part)[1].replace("$$", "$")
        self.healthy = healthy.replace("redis-cli ", f"redis-cli -p {self.port} ", 1)
        # The image's own, which becomes another user first.
        entrypoint = directory / "bin" / "docker-entrypoint.sh"
        entrypoint.parent.mkdir(parents=True)
        entrypoint.write_text(f'#!/bin/sh\nexec "$@" --bind 127.0.0.1 --port {self.port}\n', encoding="ascii")
        entrypoint.chmod(0o755)
        self.path = f"{entrypoint.parent}{os.pathsep}{os.environ['PATH']}"

    def shell(self, script):
        return ["env", f"PATH={self.path}", f"WAYMARK_REDIS_PASSWORD={PASSWORD}", "sh", "-c", script]

    def command(self):
        return self.shell(self.script)

    def mend(self):
        """Its command does that."""

    def is_healthy(self):
        return subprocess.run(self.shell(self.healthy), capture_output=True, check=False).returncode == 0

    def setting(self, name):
        asked = ["redis-cli", "-p", str(self.port), "CONFIG", "GET", name]
        environment = os.environ | {"REDISCLI_AUTH": PASSWORD}
        return subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout.split("\n")[1]

    def log(self):
        [file] = (self.directory / "appendonlydir").glob("*.incr.aof")
        return file


def test_the_redis_of_the_compose_file_keeps_what_its_servers_acknowledge(tmp_path):
    redis = Composed(tmp_path / "redis")
    assert CONFIG.count('"redis:6379"') == 1
    config = tmp_path / "waymark.toml"
    config.write_text(CONFIG.replace('"redis:6379"', f'"127.0.0.1:{redis.port}"'), encoding="utf-8")
    server = Server(tmp_path / "waymark", geoip=False, trusted_proxy=False, extra=["--config", config])
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    server.command = ["env", f"WAYMARK_REDIS_PASSWORD={PASSWORD}", f"WAYMARK_CREDENTIALS_KEY={key}", *server.command]
    with redis:
        until("it is not healthy", redis.is_healthy)
        assert redis.run("PING").startswith("-NOAUTH"), "it lets anybody in"
        wanted = {"appendonly": "yes", "appendfsync": "always", "aof-load-truncated": "no", "save": "", "maxmemory-policy": "noeviction"}
        assert {name: redis.setting(name) for name in wanted} == wanted
        with server, grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            caller, kept = account.caller(), account.create_site("kept").name
            assert Metrics.of(server)["waymark_store_safe"] == 1
            assert "may lose" not in server.log_text() and "aof-load-truncated" not in server.log_text()
            redis.kill()
            with redis.log().open("ab") as log:
                log.write(TORN)
            redis.start()
            until("writes do not go on", lambda: is_written(caller, account.name))
            assert TORN[-20:] not in redis.log().read_bytes(), "half of a write is there still"
            assert caller.GetSite(name=kept).name == kept


def one(pattern, text):
    """The one place where a text says so."""
    [found] = re.findall(pattern, text, re.M)
    return found


def test_the_files_of_the_compose_file_agree_with_each_other():
    config = tomllib.loads(CONFIG)
    # Addresses: of the servers, of who stands before them, and of whom these believe.
    addresses, subnet = re.findall(r"ipv4_address: ([\d.]+)", COMPOSE), one(r"^ +- subnet: (\S+)$", COMPOSE)
    host, _, port = config["listen"]["address"].rpartition(":")
    assert host == "0.0.0.0" and config["listen"]["allow_plaintext"] is True
    assert len(set(addresses)) == 2 and all(ipaddress.ip_address(it) in ipaddress.ip_network(subnet) for it in addresses)
    assert config["service"]["trusted_proxies"] == [subnet]
    served = [f"{address}:{port}" for address in addresses]
    assert re.findall(r"^ +server (\d\S+) ", NGINX, re.M) == served * 2 and ADDRESSES == served
    assert f'"http://127.0.0.1:{port}/readyz"' in COMPOSE and one(r"^EXPOSE (\d+)$", DOCKERFILE) == port
    # Secrets: those that the configuration asks for are given.
    asked = {config["redis"]["password_env"], config["ticketing"]["key_env"]}
    assert set(re.findall(r"^    (WAYMARK_\w+): \$\{\1:\?", COMPOSE, re.M)) == asked
    # Places: the configuration that is mounted is the one that is read, and what is kept is on a volume.
    command = json.loads(one(r"^CMD (.*)$", DOCKERFILE))
    assert command[:2] == ["serve", "--config"] and COMPOSE.count(f"./waymark.toml:{command[2]}:ro\n") == 2
    assert one(r"^ExecStart=\S+ serve --config (\S+)$", UNIT) == command[2]
    kept = one(r"^VOLUME (\S+)$", DOCKERFILE)
    assert config["data_dir"] == kept and COMPOSE.count(f":{kept}\n") == 2
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M):
        assert all((ROOT / source).exists() for source in sources.split()), sources
    # Times and files: nobody is killed who still ends, and there is a descriptor for each connection.
    for seconds in (one(r"^  stop_grace_period: (\d+)s$", COMPOSE), one(r"^TimeoutStopSec=(\d+)s$", UNIT)):
        assert int(seconds) > DRAIN_S_MAX
    files = [int(it) for it in re.findall(r"^ +nofile: (\d+)$", COMPOSE, re.M)] + [int(one(r"^LimitNOFILE=(\d+)$", UNIT))]
    assert len(files) == 3 and min(files) >= CONNECTIONS_MAX + OTHER_FILES
    assert min(files) >= int(one(r"worker_connections (\d+);", NGINX)) > CONNECTIONS_MAX


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd to ask")
def test_systemd_finds_no_fault_in_the_unit(tmp_path):
    text, count = re.subn(r"^ExecStart=/usr/bin/waymark ", f"ExecStart={BINARY.resolve()} ", UNIT, flags=re.M)
    assert count == 1

    def faults(text):
        unit = tmp_path / "waymark.service"
        unit.write_text(text, encoding="utf-8")
        command = ["systemd-analyze", "verify", "--man=no", unit]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOLD_S_MAX, check=False)
        return [line for line in (done.stdout + done.stderr).splitlines() if "waymark.service" in line]

    if not faults(text.replace("[Service]\n", "[Service]\nProtectColour=blue\n", 1)):
        pytest.skip("systemd-analyze looks at no unit here")
    assert faults(text) == []
