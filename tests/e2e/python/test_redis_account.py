"""The account that docs/replicas.md gives waymark in Redis, on a real cluster and behind Sentinels: it may do all that servers do there, a
failover and an erasure among it, and nothing else."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from client import Account, Caller, until
from fleet import Fleet, agree
from redis_fleets import Cluster, Watched
from server import ROOT
from test_replicas import is_written

REPLICAS = 2
NAME, PASSWORD = "waymark", "correct-horse-battery-staple"
CANARY = "kanarienvogel"
# What its commands write is in files as it is.
PLAIN = ["--rdbcompression", "no"]
# The greeting of the client, which Redis knows from 7.2 on: the page says what its refusal means.
GREETING = "client|setinfo"


def account_of_page():
    """The page's words behind `ACL SETUSER`, with what comes on top where Redis has replicas."""
    page = (ROOT / "docs/replicas.md").read_text(encoding="utf-8")
    block = page.partition("**An account for waymark**")[2].partition("```\n")[2].partition("```")[0]
    words = block.replace("PASSWORD", PASSWORD).split()
    assert words[:5] == ["ACL", "SETUSER", NAME, "on", f">{PASSWORD}"] and "-@all" in words, words
    return [*words[2:], "+bgsave"]


def as_account(node, *command):
    """What Redis answers to the account."""
    asked = ["redis-cli", "-p", str(node.port), "--user", NAME, *command]
    environment = os.environ | {"REDISCLI_AUTH": PASSWORD}
    return subprocess.run(asked, env=environment, capture_output=True, text=True, check=False).stdout


def refused(node):
    """What the account was refused on a node."""
    entries = [dict(zip(entry[::2], entry[1::2])) for entry in node.ask("ACL", "LOG", "100")]
    return [entry for entry in entries if entry["object"] != GREETING]


def used(redis, command):
    """Whether any of its nodes was asked so."""
    return any(f"cmdstat_{command}:" in node.ask("INFO", "commandstats") for node in redis.nodes)


def has_canary(file):
    try:
        return file.is_file() and CANARY.encode() in file.read_bytes()
    except FileNotFoundError:
        # Redis takes files away that it wrote anew.
        return False


def files_with_canary(redis):
    return [file for node in redis.nodes for file in Path(node.directory).rglob("*") if has_canary(file)]


@pytest.mark.parametrize("kind", [Cluster, Watched])
def test_the_account_of_the_page_is_enough_and_no_more(kind, tmp_path):
    redis = kind(tmp_path / "redis")
    for node in redis.nodes:
        node.settings += [*PLAIN, "--user", *account_of_page()]
    secret = tmp_path / "redis.password"
    secret.write_text(PASSWORD, encoding="ascii")
    secret.chmod(0o600)
    with ExitStack() as stack:
        stack.enter_context(redis)
        fleet = Fleet(tmp_path, f'{redis.config()}\nusername = "{NAME}"\npassword_file = "{secret}"', stack)
        for _ in range(REPLICAS):
            fleet.add()
        account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        token = fleet.lets_in(account.caller("ADMIN").token, account.name)
        site = account.create_site(note=CANARY).name
        dead = redis.master_of(account.id)
        dead.kill()
        until("nobody takes over", lambda: redis.master_of(account.id) not in (None, dead))
        redis.comes_back(dead)
        for number in range(REPLICAS):
            until("it is not written again", lambda number=number: is_written(fleet.caller(number, token), account.name))
        until("Redis does not come together again", redis.is_whole)
        agree(fleet, token, account.name)
        assert files_with_canary(redis), "there is nothing to erase"
        fleet.caller(1, token).EraseSitePersonalData(name=site)
        assert not files_with_canary(redis)
        assert fleet.caller(0, token).GetSite(name=site).note == ""
        assert [refused(node) for node in redis.nodes] == [[] for _ in redis.nodes], "something else is needed"
        assert all(used(redis, command) for command in ("wait", "bgrewriteaof", "bgsave", "evalsha", "xread"))
        for command in (["FLUSHALL"], ["KEYS", "*"], ["CONFIG", "SET", "save", ""], ["DEL", "waymark:deployment"], ["HGET", "others", "a"]):
            assert "NOPERM" in as_account(redis.nodes[0], *command), command
