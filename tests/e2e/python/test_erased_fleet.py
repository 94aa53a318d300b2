"""Canaries in all that is personal of a site, over a real Redis with a replica of its own and three servers: after an erasure none
is under any key of Redis, in a stream of commits, in a file of the master or of its replica, in a search index, in an export or in a
metric, of no server, one that stood still meanwhile included. What is erased stays away when all of it begins anew from its files."""

from contextlib import ExitStack

import pytest

from client import Account, Caller, fetch, until
from fleet import REPLICAS, Fleet, agree, single
from mail_server import MailServer
from redis_contents import contents, everything, files
from redis_fleets import is_joined
from redis_server import Redis
from test_erasure_canaries import HOME, PERSON, House, erase_all, erase_each, invite_all, searched

# Texts stand in snapshots as they are, so that they are found there.
PLAIN = ["--rdbcompression", "no", "--repl-diskless-sync-delay", "0"]
NUMBERS = range(40, 44)
OTHER = 60
# The server that stands still while the others erase.
PAUSED = 2


class Seen:
    """The same account as another server shows it."""

    def __init__(self, fleet, number, house):
        self.fleet, self.number, self.house = fleet, number, house
        self.account, self.admin = house.account, fleet.caller(number, house.admin.token)

    def holds(self, person):
        """The sites that its search finds, and what it exports."""
        told, token, first = b"", "", True
        while token or first:
            page = self.admin.ExportAccountPersonalData(name=self.account.name, page_size=1000, page_token=token)
            told, token, first = told + str(page).encode(), page.next_page_token, False
        return searched(self, person), person.found_in(told)

    def metrics(self):
        return fetch(self.fleet.servers[self.number].target, "/metrics", self.fleet.servers[0].admin_token)[2]


def found(person, parts):
    """What is found of a person, by where."""
    return {where: kinds for where, part in parts.items() if (kinds := person.found_in(part))}


def is_of_commits(key):
    return key.endswith(b":commits")


def fill(fleet, mail):
    """Two accounts of people, whom all servers let in."""
    house, other = (House(Caller(fleet.channels[0], fleet.servers[0].admin_token), mail, n) for n in (NUMBERS, [OTHER]))
    invite_all(house, other, mail)
    for home in (house, other):
        fleet.lets_in(home.admin.token, home.account.name)
    return house, other


def is_everywhere(nodes, seen, people):
    """Without this the end of the test would say nothing."""
    for person in people:
        for node in nodes:
            assert person.found_in(everything(node)) == PERSON | HOME, "the secrets alone are nowhere, not even now"
            assert any(person.found_in(part) for key, part in contents(node).items() if is_of_commits(key))
            told = files(node)
            assert any("appendonly" in where for where in found(person, told)), list(told)
            assert "dump.rdb" in found(person, told), list(told)
        for one in seen:
            until("a server does not know it", lambda: one.holds(person) == ([person.site], PERSON | HOME))


def is_nowhere(nodes, seen, people, left):
    """`left` is what an erasure leaves where people live."""
    for person in people:
        for node in nodes:
            assert person.found_in(everything(node)) == left
            of_commits = {key: part for key, part in contents(node).items() if is_of_commits(key)}
            # A change behind the erasure tells of a site what is left of it.
            assert all(person.found_in(part) <= left for part in of_commits.values())
            assert all(kinds <= left for kinds in found(person, files(node)).values()), found(person, files(node))
        for one in seen:
            assert one.holds(person) == ([], left)
            assert not person.found_in(one.metrics())


@pytest.mark.parametrize("erase, include_location", [(erase_each, False), (erase_all, True)])
def test_nothing_of_a_person_is_left_in_redis_or_any_server(tmp_path, erase, include_location):
    left = set() if include_location else HOME
    homes = [tmp_path / name for name in ("redis", "copy")]
    for home in homes:
        home.mkdir()
    with ExitStack() as stack:
        mail = stack.enter_context(MailServer(tmp_path, "none", login=False))
        # The one makes snapshots of its own; the other one has the snapshot by which it came to follow, and makes none.
        redis = stack.enter_context(Redis(homes[0], keeps=True, extra=[*PLAIN, "--save", "3600 1000000"]))
        fleet = Fleet(tmp_path, single(redis), stack, mail.config().read_text(encoding="utf-8"))
        for _ in range(REPLICAS):
            fleet.add(gazetteer=True)
        house, other = fill(fleet, mail)
        assert redis.run("SAVE") == "+OK"
        copy = Redis(homes[1], keeps=True, extra=[*PLAIN, "--replicaof", "127.0.0.1", redis.port])
        stack.enter_context(copy)
        until("the replica of Redis does not follow", lambda: is_joined(copy) and is_joined(redis))
        nodes, seen = [redis, copy], [Seen(fleet, number, house) for number in range(REPLICAS)]
        until("its file is not there", lambda: "aof_rewrite_in_progress:0" in copy.ask("INFO", "persistence"))
        is_everywhere(nodes, seen, house.people)

        fleet.pause(PAUSED)
        # Whatever happens: it could not be ended.
        stack.callback(fleet.go_on, PAUSED)
        erase(house, include_location=include_location)
        is_nowhere(nodes, seen[:PAUSED], house.people, left)
        assert all(not other.people[0].found_in(part) for key, part in contents(redis).items() if is_of_commits(key))
        assert other.people[0].found_in(everything(redis)) == PERSON | HOME, "another account keeps its own"
        fleet.go_on(PAUSED)
        agree(fleet, house.admin.token, house.account.name)
        is_nowhere(nodes, seen, house.people, left)

        for server in fleet.servers:
            assert server.stop() == 0
        for node in nodes:
            assert node.process.poll() is None
            node.kill()
        for node in nodes:
            node.start()
        until("the replica of Redis does not follow", lambda: is_joined(copy) and is_joined(redis))
        for number in range(REPLICAS):
            fleet.again(number)
        again = [Seen(fleet, number, house) for number in range(REPLICAS)]
        is_nowhere(nodes, again, house.people, left)
        assert Seen(fleet, 1, other).holds(other.people[0]) == ([other.people[0].site], PERSON | HOME)
        assert house.account.name in str(again[0].admin.ListSites(parent=house.account.name))
