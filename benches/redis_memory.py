#!/usr/bin/env python3
"""What a site costs in Redis: agents are activated through the API of a server on a real Redis, which then says what it holds.

Each agent makes a site, its name, its claim, its token and its first change. Twice: with the streams that replicas follow, which
keep the last commits, and without them.

    WAYMARK_BIN=target/release/waymark .venv/bin/python benches/redis_memory.py [SITES]
"""

import base64
import secrets
import socket
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/e2e/python"))

from client import Account, Caller  # noqa: E402
from redis_server import Redis  # noqa: E402
from server import Server  # noqa: E402

SITES = 20_000
WRITERS = 8
PARTITIONS = 4
KINDS = ["office", "depot", "clinic", "store", "plant", "school", "hotel", "workshop"]
# Networks all over: each site has a position, as an estimate.
FIRST = [8, 24, 62, 80, 91, 133, 187, 213]


def memory(redis):
    """Bytes that Redis uses for its data."""
    with socket.create_connection(("127.0.0.1", redis.port)) as there:
        there.sendall(b"*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n")
        answer = there.makefile("rb")
        told = answer.read(int(answer.readline()[1:])).decode()
    fields = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    return int(fields["used_memory"])


def activate(caller, parent, number):
    ip = f"{FIRST[number % 8]}.{number // 8 % 250}.{number // 2000 % 250}.{1 + number % 250}"
    agent, key = f"fw-{number:06}-{secrets.token_hex(4)}", secrets.token_bytes(32)
    name = f"{KINDS[number % 8].title()} {number} Example Street"
    caller.behind(ip).ActivateAgent(parent=parent, agent_id=agent, agent_key=key, display_name=name)


def main(sites):
    with tempfile.TemporaryDirectory() as directory, Redis(directory, keeps=True) as redis:
        directory = Path(directory)
        key = directory / "credentials.key"
        key.write_bytes(base64.b64encode(secrets.token_bytes(32)))
        key.chmod(0o600)
        config = directory / "waymark.toml"
        config.write_text(
            f'[redis]\nnodes = ["127.0.0.1:{redis.port}"]\npartitions = {PARTITIONS}\n'
            f'[ticketing]\nkey_file = "{key}"\n[log]\nfilter = "warn"\n',
            encoding="utf-8",
        )
        with (
            Server(directory / "data", extra=["--config", config]) as server,
            grpc.insecure_channel(server.target) as channel,
        ):
            account = Account(Caller(channel, server.admin_token))
            caller, before = account.caller("ENROLLMENT"), memory(redis)
            with ThreadPoolExecutor(WRITERS) as pool:
                list(pool.map(lambda number: activate(caller, account.name, number), range(sites)))
            with_streams = memory(redis)
            for partition in range(PARTITIONS):
                redis.run("XTRIM", f"waymark:{{waymark:{partition}}}:commits", "MAXLEN", "0")
            without = memory(redis)
        size = sum(file.stat().st_size for file in directory.rglob("appendonlydir/*"))
    print(f"{sites} sites: {(without - before) / sites:,.0f} B a site in the records")
    print(f"{(with_streams - without) / sites:,.0f} B a commit in the streams; {size / sites:,.0f} B a site in the file")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SITES)
