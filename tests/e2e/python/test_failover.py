"""Three servers over a Redis that loses its master, and whose way to one after the other is clogged, under load of all."""

import time
import uuid
from contextlib import ExitStack

import grpc
import pytest

import watch_oracles as oracles
from client import Account, Caller, Failure, refused, until
from fleet import REPLICAS, Fleet, agree, known_to
from load import Client, Mover, Recorder, Writer, is_whole
from redis_fleets import Cluster, Watched
from stubs import pb
from test_watches import listed, revision_of

# Seconds after the last way is open within which all show the same.
HEALED_S_MAX = 5
ACCOUNTS = 3
# So many sites of persons on one spot are a crowd.
CROWD = 10
# Answers to all writers that show that they go on.
TRAFFIC = 30
CROWDED, CHANGED = "attention = CROWDED", "note = changed"
# Seconds to wait for a writer's call to end.
RESTS_S_MAX = 2
# Messages after which a watcher leaves and goes on elsewhere.
CUT_AFTER = 7


class Scene:
    """Accounts on different masters, with writers at each server and watchers of each kind."""

    def __init__(self, fleet, redis):
        self.fleet, self.redis = fleet, redis
        operator = Caller(fleet.channels[0], fleet.servers[0].admin_token)
        self.accounts = [Account(operator, account_id) for account_id in self.ids()]
        self.tokens = [fleet.lets_in(one.caller("EDITOR").token, one.name) for one in self.accounts]
        self.crowds = [self.crowd(account, number) for number, account in enumerate(self.accounts)]
        self.writers, self.recorders = [], []
        # Seconds from the end of a master until all write again, where one ended.
        self.back_s = None
        # Of each account, and of each filter: revision -> what ListSites answered.
        self.states = [{filter: {} for filter in ("", CROWDED, CHANGED)} for _ in self.accounts]
        for number, account in enumerate(self.accounts):
            client = [Client(fleet, self.tokens[number], account.name, at) for at in range(REPLICAS)]
            self.writers += [Writer(client[(number + at) % REPLICAS], at) for at in range(2)]
            mover = Client(fleet, self.tokens[number], account.name, number)
            self.writers.append(Mover(mover, self.crowds[number][0], self.spot(number)))
            watchers = [Recorder(fleet, self.tokens[number], account.name, at) for at in range(REPLICAS)]
            watchers += [Recorder(fleet, self.tokens[number], account.name, 1, filter) for filter in (CROWDED, CHANGED)]
            watchers.append(Recorder(fleet, self.tokens[number], account.name, 2, cut_after=CUT_AFTER))
            self.recorders.append(watchers)

    def spot(self, number):
        return pb.LatLng(lat=47, lng=8 + number)

    def crowd(self, account, number):
        """Sites that are a crowd with the first of them; the others stand on their spot."""
        sites = [account.create_site(f"crowd {at}").name for at in range(CROWD)]
        for site in sites[1:]:
            account.caller("EDITOR").SetPin(site=site, position=self.spot(number))
        return sites

    def ids(self):
        """One for each master, where there are several."""
        found = {}
        for number in range(100):
            found.setdefault(self.redis.master_of(f"account{number}").port, []).append(f"account{number}")
        return [ids[at] for at in range(ACCOUNTS) for ids in list(found.values())][:ACCOUNTS]

    def begin(self):
        for thread in (*self.writers, *(one for watchers in self.recorders for one in watchers)):
            thread.start()

    def answers(self):
        for writer in self.writers:
            if writer.fault:
                raise writer.fault
        return [writer.answers for writer in self.writers]

    def goes_on(self, what):
        """Waits for more answers to each writer, and for a list of each account that can be compared."""
        before, noted = self.answers(), set()

        def is_so():
            noted.update(self.look(set(range(ACCOUNTS)) - noted))
            more = [now - then for now, then in zip(self.answers(), before)]
            return sum(more) >= TRAFFIC and min(more) >= 2 and len(noted) == ACCOUNTS

        until(what, is_so)

    def goes_on_without(self, number):
        """Waits until calls to a server were given up, and others answered."""
        before, given_up = sum(self.answers()), self.given_up()

        def is_so():
            return sum(self.answers()) - before >= TRAFFIC and self.given_up() > given_up

        until(f"nobody noticed that server {number} stands still, or all stand", is_so)

    def given_up(self):
        return sum(writer.client.heard.count("DEADLINE_EXCEEDED") for writer in self.writers)

    def look(self, numbers):
        """Notes what a server lists of accounts, where none of their writers has anything under way; gives those."""
        for number in numbers:
            with ExitStack() as stack:
                mine = [writer for writer in self.writers if writer.client.parent == self.accounts[number].name]
                if all(rests(writer, stack) for writer in mine):
                    self.note(number, number % REPLICAS, max(writer.client.revision for writer in mine))
                    yield number

    def note(self, number, at, revision):
        """What a server lists that has all up to a revision, unless there is more by now."""
        parent, token = self.accounts[number].name, self.tokens[number]
        caller = known_to(self.fleet.caller(at, token), parent, revision)
        before = revision_of(caller, parent)
        lists = {filter: listed(caller, parent, filter) for filter in self.states[number]}
        if revision_of(caller, parent) == before:
            for filter, sites in lists.items():
                self.states[number][filter][before] = sites
        return before

    def end_writers(self):
        for writer in self.writers:
            writer.ends.set()
        for writer in self.writers:
            writer.join(60)
            assert not writer.is_alive(), "a writer hangs"
        self.answers()


def rests(writer, stack):
    """Whether a writer rests within a moment; it does then until the stack ends."""
    if not writer.rests.acquire(timeout=RESTS_S_MAX):
        return False
    stack.callback(writer.rests.release)
    return True


# How soon they agree again is measured.
@pytest.mark.alone
@pytest.mark.parametrize("kind", [Cluster, Watched])
def test_fleets_lose_nothing_and_agree_when_a_master_dies_and_ways_clog(kind, tmp_path):
    with ExitStack() as stack:
        redis = stack.enter_context(kind(tmp_path / "redis"))
        fleet = Fleet(tmp_path, redis.config(), stack)
        for _ in range(REPLICAS):
            fleet.add()
        scene = Scene(fleet, redis)
        scene.begin()
        scene.goes_on("nothing is written")
        lose_the_master(scene)
        clog_in_turn(scene)
        report = check_writes(scene)
        check_watches(scene)
        print(f"\n{kind.__name__}: {report}")


def lose_the_master(scene):
    redis, account = scene.redis, scene.accounts[0].id
    dead = redis.master_of(account)
    dead.kill()
    killed = time.monotonic()
    struck = [writer.client for writer in scene.writers[: len(scene.writers) // ACCOUNTS]]
    until("no writer heard of it", lambda: scene.answers() and all(client.heard for client in struck))
    until("nobody takes over", lambda: redis.master_of(account) not in (None, dead))
    redis.comes_back(dead)
    before = scene.answers()
    until("it is not written again", lambda: all(now > then for now, then in zip(scene.answers(), before)))
    scene.back_s = time.monotonic() - killed
    scene.goes_on("it does not go on with another master")
    until("Redis does not come together again", redis.is_whole)


def clog_in_turn(scene):
    """One after the other, and open in another order; then all agree within the bound."""
    fleet = scene.fleet
    try:
        for pause, go_on in [(0, None), (1, 0), (2, 1)]:
            fleet.pause(pause)
            if go_on is not None:
                fleet.go_on(go_on)
            scene.goes_on_without(pause)
        for writer in scene.writers:
            writer.ends.set()
    finally:
        for number in range(REPLICAS):
            fleet.go_on(number)
    healed = time.monotonic()
    scene.end_writers()
    for account, token in zip(scene.accounts, scene.tokens):
        agree(fleet, token, account.name)
    took_s = time.monotonic() - healed
    assert took_s < HEALED_S_MAX, f"they agree after {took_s:.1f} s"
    scene.healed_s = took_s


def check_writes(scene):
    """What was acknowledged is there, once and whole, and nothing else is."""
    counts = {"answers": sum(scene.answers()), "healed_s": round(scene.healed_s, 1)}
    if scene.back_s is not None:
        counts["back_s"] = round(scene.back_s, 1)
    for number, account in enumerate(scene.accounts):
        there = listed(scene.fleet.caller(0, scene.tokens[number]), account.name, "")
        mine = [writer for writer in scene.writers if writer.client.parent == account.name]
        kept = {name: told for writer in mine for name, told in writer.kept.items()}
        lost = [name for name, told in kept.items() if told and (name not in there or shown(there[name]) != told)]
        assert not lost, f"{account.name}: {len(lost)} of {len(kept)} are not as they were acknowledged"
        doubled = there.keys() - {name for name, told in kept.items() if told} - set(scene.crowds[number])
        assert not doubled, f"{account.name}: {doubled} were never answered, or are back"
        assert all(is_whole(site) for site in there.values()), "a half of a write"
        mover = mine[-1]
        assert shown(there[mover.site])[2] == mover.last
        expected = len(scene.crowds[number]) if mover.last[0] > 0 else 0
        crowded = listed(scene.fleet.caller(1, scene.tokens[number]), account.name, CROWDED)
        assert len(crowded) == expected, "a half of a crowd"
    heard = [reason for writer in scene.writers for reason in writer.client.heard]
    return counts | {reason: heard.count(reason) for reason in sorted(set(heard))}


def shown(site):
    at = site.location.position
    return site.display_name, site.note, (at.lat, at.lng)


def check_watches(scene):
    """Every log of every watcher, against every oracle."""
    for number, account in enumerate(scene.accounts):
        revision = scene.note(number, 0, 1)
        assert revision in scene.states[number][CHANGED], "somebody writes still"
        assert len(scene.states[number][CHANGED]) > 2, "too few lists for a comparison"
        for watcher in scene.recorders[number]:
            until("a watcher does not come to the end", lambda watcher=watcher: watcher.stands_at(revision))
            watcher.end()
            faults = faults_of(scene, number, watcher)
            assert not faults, (watcher.filter, watcher.cut_after, len(faults), faults[:5])
        resumes(scene, number, revision)


def faults_of(scene, number, watcher):
    log, crowd = watcher.log, scene.crowds[number]
    filters = {CHANGED: lambda site: site.note == "changed", CROWDED: lambda site: site.name in crowd}
    matches = filters.get(watcher.filter, lambda site: True)
    faults = {
        "ordered": oracles.ordered(log),
        "unique": oracles.unique(log, set(crowd)),
        "bookmarkable": oracles.bookmarkable(log, set(crowd)),
        "atomic": oracles.atomic(log, is_whole, crowd if watcher.filter == CROWDED else ()),
        "filtered": oracles.filtered(log, matches),
        "reliable": oracles.reliable(log, scene.states[number][watcher.filter]),
    }
    return [f"{name}: {fault}" for name, lines in faults.items() for fault in lines]


def resumes(scene, number, revision):
    """Cuts a log at some messages, and goes on from there at each of the servers."""
    log, parent = scene.recorders[number][0].log, scene.accounts[number].name
    final = oracles.held(log).sites
    for cut in range(1, len(log), max(1, len(log) // 12)):
        rest = Recorder(scene.fleet, scene.tokens[number], parent, cut)
        rest.log = list(log[:cut])
        rest.start()
        until("it does not come to the end", lambda rest=rest: rest.stands_at(revision))
        rest.end()
        faults = oracles.ordered(rest.log) + oracles.resumable(log[:cut], rest.log[cut:], final)
        assert not faults, (cut, faults[:5])


def test_a_repeat_that_is_answered_is_as_safe_as_a_first_call(tmp_path):
    """A write that too few replicas of Redis had is told as unknown. Its repeat finds it there, and is answered well only when
    as many have it: a replica without it may take over."""
    with ExitStack() as stack:
        redis = stack.enter_context(Watched(tmp_path / "redis"))
        fleet = Fleet(tmp_path, redis.config(), stack)
        fleet.add()
        account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        caller, master = account.caller("EDITOR"), redis.master_of(account.id)
        without, beside = [node for node in redis.nodes if node is not master]
        without.kill()
        site = pb.Site(display_name="kept")
        request = pb.CreateSiteRequest(parent=account.name, site=site, request_id=str(uuid.uuid4()))
        refused("UNAVAILABLE", "OUTCOME_UNKNOWN", lambda: caller.call("CreateSite", request))
        try:
            told = caller.call("CreateSite", request).name
        except grpc.RpcError as error:
            assert Failure(error).reason == "OUTCOME_UNKNOWN"
            told = None
        master.kill()
        beside.kill()
        without.start()
        until("nobody takes over", lambda: redis.master_of(account.id) is without)
        redis.comes_back(beside)
        redis.comes_back(master)
        kept = Client(fleet, caller.token, account.name).call("CreateSite", request).name
        assert {kept} == listed(caller, account.name, "").keys()
        assert told in (None, kept), "what was acknowledged is gone, and was made anew"
