"""Damage in a store: it hides nothing but itself, what can be made anew is, and an operator can list it."""

import contextlib
import json
import sqlite3
import struct
import zlib

import grpc
import pytest

from cli import FAILED, run
from client import WORLD, Account, Caller, mask, refused, until
from metrics_page import Metrics
from server import ROOT, Server
from stubs import pb
from test_redis_strangers import SITE, deployment, key, lists_around, owner_of, placed, rewrite
from test_replicas import is_written

# The number that claims on names have in stores.
SITE_NAME = 4
STRAYS = (b"\xff\xfe", b"\x80")
REPLICAS_PAGE = (ROOT / "docs/replicas.md").read_text(encoding="utf-8")


def damaged(config):
    """What `waymark check-store` lists: kind, id and cause of each."""
    lines = run("check-store", config, "--format", "json", code=FAILED).splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert lines[-1].startswith(f"waymark: {len(told)} damaged among "), lines[-1]
    return [(one["kind"], one["id"], one["cause"]) for one in told]


def damage_claims(data_dir, *names):
    """Makes claims on names other than they were written."""
    with contextlib.closing(sqlite3.connect(data_dir / "waymark.sqlite3")) as file:
        for name in names:
            text = "UPDATE records SET checksum = checksum + 1 WHERE kind = ? AND id = ?"
            assert file.execute(text, (SITE_NAME, name)).rowcount == 1, "the fault was not injected"
        file.commit()


@contextlib.contextmanager
def again(server, token):
    """The server, started again, and a caller on it. Stopped at the end."""
    server.start()
    with grpc.insecure_channel(server.target) as channel:
        yield Caller(channel, token)
    assert server.stop() == 0


def names_of(answer):
    return [site.name for site in answer.sites]


def test_a_damaged_claim_on_a_name_hides_no_site_and_its_name_is_given_to_nobody(tmp_path):
    config = tmp_path / "waymark.toml"
    config.write_text(f'data_dir = "{tmp_path / "data"}"\n', encoding="utf-8")
    with Server(tmp_path / "data", geoip=False) as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            sites = [account.create_site(f"site {number}").name for number in range(3)]
            token, parent = account.caller("EDITOR").token, account.name
        assert server.stop() == 0
        assert run("check-store", config).endswith(" records are what was written\n")

        damage_claims(server.data_dir, "site 0", "site 1", "site 2")
        told = damaged(config)
        assert [kind for kind, _, _ in told] == ["SiteName"] * 3
        assert not any("site 1" in id or "site 1" in cause for _, id, cause in told), "a name is told"
        with again(server, token) as caller:
            for order in ("display_name", "display_name desc"):
                listed = caller.ListSites(parent=parent, order_by=order)
                assert sorted(names_of(listed)) == sorted(sites) and not listed.unreachable
        run("check-store", config)
        assert "made anew" in server.log_text()

        damage_claims(server.data_dir, "site 1")
        with again(server, token) as caller:
            found = caller.ListSites(parent=parent, filter='display_name = "Site 1"')
            assert names_of(found) == [sites[1]] and not found.unreachable
        run("check-store", config)

        for want in (
            lambda caller: caller.CreateSite(parent=parent, site=pb.Site(display_name="SITE 1")),
            lambda caller: caller.CreateSite(parent=parent, site=pb.Site(display_name="SITE 1"), validate_only=True),
            lambda caller: caller.UpdateSite(site=pb.Site(name=sites[0], display_name="site 1"), update_mask=mask("display_name")),
        ):
            damage_claims(server.data_dir, "site 1")
            with again(server, token) as caller:
                refused("ALREADY_EXISTS", "SITE_NAME_TAKEN", lambda want=want, caller=caller: want(caller))
            run("check-store", config)

        # It goes with its site, damaged or not, and then it is anybody's.
        damage_claims(server.data_dir, "site 1")
        with again(server, token) as caller:
            caller.DeleteSite(name=sites[1])
            made = caller.CreateSite(parent=parent, site=pb.Site(display_name="site 1")).name
            assert names_of(caller.ListSites(parent=parent, filter='display_name = "site 1"')) == [made]
        run("check-store", config)


def test_the_store_of_a_running_server_is_not_looked_at_without_it(tmp_path):
    config = tmp_path / "waymark.toml"
    config.write_text(f'data_dir = "{tmp_path / "data"}"\n', encoding="utf-8")
    with Server(tmp_path / "data", geoip=False):
        assert "another process holds it" in run("check-store", config, code=FAILED)
    run("check-store", config)


def damage_met(server):
    return Metrics.of(server)["waymark_store_corrupt_reads_total"]


@pytest.fixture
def two(tmp_path):
    with deployment(tmp_path, 2) as fleet:
        yield fleet


def lets_in(fleet, account):
    return fleet.lets_in(account.caller("EDITOR").token, account.name)


def test_ids_that_are_no_texts_hide_no_site(two):
    account, beside = owner_of(two), owner_of(two)
    names = placed(account, 3)
    placed(beside, 1)
    token, theirs = lets_in(two, account), lets_in(two, beside)
    index, records = key(account, f"ids:{account.id}:{SITE}"), key(account, f"records:{account.id}:{SITE}")
    config = two.directory / "replica0.toml"
    run("check-store", config)
    before = damage_met(two.servers[0])
    for stray in STRAYS:
        assert two.store.run("ZADD", index, 0, stray) == ":1"
        assert two.store.run("HSET", records, stray, "junk") == ":1"
    two.add()
    for number in range(3):
        caller = two.caller(number, token)
        assert lists_around(caller, account.name, set()) >= set(names)
        assert is_written(caller, account.name) and is_written(two.caller(number, theirs), beside.name)
        seen = caller.QueryViewport(parent=account.name, viewport=WORLD)
        assert seen.account_tally.total == 3
    assert damage_met(two.servers[0]) > before
    assert "is not what was written" in two.said(2)
    assert [kind for kind, _, _ in damaged(config)] == ["Site"] * 2
    for stray in STRAYS:
        assert two.store.run("HDEL", records, stray) == two.store.run("ZREM", index, stray) == ":1", "they are gone"
    run("check-store", config)


def test_an_index_that_another_program_overwrote_hides_no_site_and_is_named(two):
    account, beside = owner_of(two), owner_of(two)
    names = placed(account, 3)
    placed(beside, 1)
    token, theirs = lets_in(two, account), lets_in(two, beside)
    index, records = key(account, f"ids:{account.id}:{SITE}"), key(account, f"records:{account.id}:{SITE}")
    assert two.store.run("SET", index, "theirs") == "+OK"
    two.add()
    for number in range(3):
        caller = two.caller(number, token)
        assert lists_around(caller, account.name, set()) == set(names)
        assert caller.GetSite(name=names[0]).name == names[0]
        seen = caller.QueryViewport(parent=account.name, viewport=WORLD)
        assert seen.account_tally.total == 3, "they are off the map"
        refused("DATA_LOSS", "STORAGE_CORRUPT", lambda caller=caller: rewrite(caller, pb.Site(name=names[0], note="late")))
        assert is_written(two.caller(number, theirs), beside.name), "the others are served"
        assert index in two.said(number), "the log names no key"
    assert two.store.ask("GET", index) == "theirs", "it was written over"
    config = two.directory / "replica0.toml"
    [(kind, _, cause)] = damaged(config)
    assert kind is None and index in cause
    # As docs/replicas.md says, while replicas run.
    script = REPLICAS_PAGE.partition('EVAL "')[2].partition('"')[0]
    assert two.store.run("EVAL", script, 2, records, index) == ":3"
    run("check-store", config)
    for number in range(3):
        assert is_written(two.caller(number, token), account.name)


def test_records_that_another_program_overwrote_are_each_named(two):
    account = owner_of(two)
    names = placed(account, 2)
    token = lets_in(two, account)
    claims = key(account, f"records:{account.id}:{SITE_NAME}")
    assert two.store.run("DEL", claims) == ":1" and two.store.run("SET", claims, "theirs") == "+OK"
    caller = two.caller(0, token)
    assert lists_around(caller, account.name, set()) == set(names), "sites that are whole are hidden"
    # A claim cannot be made anew where another program's value is.
    site = pb.Site(display_name="another")
    refused("DATA_LOSS", "STORAGE_CORRUPT", lambda: caller.CreateSite(parent=account.name, site=site))
    assert two.store.ask("GET", claims) == "theirs", "it was written over"
    assert {kind for kind, _, _ in damaged(two.directory / "replica1.toml")} == {"SiteName", None}
    # Each claim is made anew by who meets it.
    assert two.store.run("DEL", claims) == ":1"
    until("names are not theirs again", lambda: lists_around(caller, account.name, set()) == set(names))
    run("check-store", two.directory / "replica1.toml")


def claim_of(account, name, site):
    """What Redis keeps of a site's claim on a folded name, whole, as `src/store/redis/value.rs` writes it."""
    document = json.dumps({"site": site.rpartition("/")[2]}).encode()
    summed = account.id.encode() + bytes([0, SITE_NAME]) + name.encode() + b"\0" + document
    return struct.pack(">QII", 1, zlib.crc32(summed), len(document)) + document


def test_whole_claims_on_names_that_are_of_the_wrong_site_or_of_none_hide_nobody(two):
    """A site whose name was said to be another's was in no list by name, and whoever wanted the name was told that it is taken."""
    account = owner_of(two)
    names = placed(account, 3)
    token, parent = lets_in(two, account), account.name
    records, claims = (key(account, f"records:{account.id}:{kind}") for kind in (SITE, SITE_NAME))
    ids = key(account, f"ids:{account.id}:{SITE}")
    callers = [two.caller(number, token) for number in range(2)]

    def misplace():
        assert two.store.run("HSET", claims, "site 1", claim_of(account, "site 1", names[0])) == ":0", "it is another key"

    before = damage_met(two.servers[0])
    for caller in callers:
        misplace()
        assert lists_around(caller, parent, set()) == set(names)
        misplace()
        assert names_of(caller.ListSites(parent=parent, filter='display_name = "site 1"')) == [names[1]]
        misplace()
        site = pb.Site(name=names[0], display_name="Site 1")
        change = lambda site=site, caller=caller: caller.UpdateSite(site=site, update_mask=mask("display_name"))  # noqa: E731
        refused("ALREADY_EXISTS", "SITE_NAME_TAKEN", change)
    assert damage_met(two.servers[0]) > before
    assert all("made anew" in two.said(number) for number in range(2))

    # The claim of a site that is not there any more: its name is the operator's matter.
    assert two.store.run("HDEL", records, names[2].rpartition("/")[2]) == ":1"
    for caller in callers:
        assert lists_around(caller, parent, {names[2]}) == set(names[:2])
        site = pb.Site(display_name="site 2")
        refused("DATA_LOSS", "STORAGE_CORRUPT", lambda site=site, caller=caller: caller.CreateSite(parent=parent, site=site))
    assert two.store.run("ZREM", ids, names[2].rpartition("/")[2]) == ":1"
    assert all(lists_around(caller, parent, set()) == set(names[:2]) for caller in callers)
    assert all(is_written(two.caller(number, token), parent) for number in range(2)), "the account takes writes"
