"""What befalls the Redis of a deployment: another deployment on its prefix, another number of partitions, junk of other programs, streams
that are cut, ways that are slow, answers that are lost. Each is noticed and said, and nothing is silently wrong."""

import base64
import secrets
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import grpc
import pytest

from client import WORLD, Account, Caller, Failure, failure_of, mask, refused, until
from fleet import PARTITIONS, Fleet, agree, known_to, single, told
from load import Recorder
from redis_fleets import PREFIX
from redis_server import Redis
from redis_way import CUT, OPEN, Way
from stubs import pb
from test_history import changes_of
from test_replicas import is_written
from test_watches import listed, revision_of
from watch_oracles import RESYNC, Taken, bookmarkable, differences, held, ordered, reliable, unique

# The number that records of sites have in Redis.
SITE = 3
# Redis tells by it whether anything of it is not as it was.
DIGEST = ["--enable-debug-command", "local"]
# What a slow way carries, and writes of which it cannot carry all in the time that an answer may take.
SLOW_BYTES_PER_S, BURST, LONG = 200_000, 40, "n" * 40_000


@contextmanager
def deployment(directory, replicas, ways=()):
    """Replicas over one Redis; those in `ways` reach it over a way that can be cut."""
    directory.mkdir(exist_ok=True)
    with ExitStack() as stack:
        redis = stack.enter_context(Redis(directory, keeps=True, extra=DIGEST))
        fleet = Fleet(directory, single(redis), stack)
        fleet.store, fleet.ways = redis, {}
        for number in range(replicas):
            if number in ways:
                fleet.ways[number] = stack.enter_context(Way(redis.port))
                fleet.redis = single(fleet.ways[number])
            fleet.add()
            fleet.redis = single(redis)
        yield fleet


def owner_of(fleet, account_id=None):
    return Account(Caller(fleet.channels[0], fleet.servers[0].admin_token), account_id)


def placed(account, count):
    """Sites that are on the map."""
    names = [account.create_site(f"site {number}").name for number in range(count)]
    for number, name in enumerate(names):
        account.caller().SetPin(site=name, position=pb.LatLng(lat=10 + number, lng=10))
    return names


def partition_of(account):
    return zlib.crc32(account.id.encode()) % PARTITIONS


def key(account, what):
    """A key of an account's partition."""
    return f"{PREFIX}:{{{PREFIX}:{partition_of(account)}}}:{what}"


def is_refused(fleet, number, before, after, why):
    """Asserts that a replica does not start with its configuration changed, which then is as before."""
    file = fleet.directory / f"replica{number}.toml"
    was = file.read_text(encoding="utf-8")
    assert before in was
    file.write_text(was.replace(before, after), encoding="utf-8")
    with pytest.raises(AssertionError, match=why):
        fleet.again(number)
    said = [line for line in fleet.said(number).splitlines() if line.startswith("waymark: ")]
    assert len(said) == 1 and "panicked" not in fleet.said(number), said
    file.write_text(was, encoding="utf-8")


def test_another_deployment_and_another_number_of_partitions_are_refused_and_change_nothing(tmp_path):
    with deployment(tmp_path / "one", 1) as one, deployment(tmp_path / "other", 1) as other:
        ours, theirs = owner_of(one, "acme"), owner_of(other, "acme")
        names = placed(ours, 3)
        placed(theirs, 2)
        tokens = [account.caller("EDITOR").token for account in (ours, theirs)]
        for fleet in (one, other):
            assert fleet.servers[0].stop() == 0
        digest = one.store.ask("DEBUG", "DIGEST")
        assert len(digest) == 40, digest
        # Of the other deployment, on the prefix of this one.
        was, now = f"127.0.0.1:{other.store.port}", f"127.0.0.1:{one.store.port}"
        is_refused(other, 0, was, now, "belongs to deployment .* choose another prefix")
        for count in (PARTITIONS - 1, PARTITIONS + 1, 2 * PARTITIONS):
            partitions = f"partitions = {PARTITIONS}\n", f"partitions = {count}\n"
            is_refused(one, 0, *partitions, f"has {PARTITIONS} partitions, and redis.partitions is {count}")
        assert one.store.ask("DEBUG", "DIGEST") == digest, "who was refused wrote something"
        for fleet, token, count in ((one, tokens[0], len(names)), (other, tokens[1], 2)):
            fleet.again(0)
            assert len(fleet.caller(0, token).ListSites(parent="accounts/acme").sites) == count
            until("it tells no change", lambda: one.store.ask("DEBUG", "DIGEST") != digest)


def test_a_deployment_that_was_to_begin_on_the_prefix_of_another_one_is_refused_and_changes_nothing(tmp_path):
    """It joined as if it were a replica: two operators' servers did the mails, addresses and lookups of both."""
    with deployment(tmp_path / "one", 1) as one, ExitStack() as stack:
        account = owner_of(one, "acme")
        names, token = placed(account, 2), account.caller("EDITOR").token
        assert one.servers[0].stop() == 0
        digest = one.store.ask("DEBUG", "DIGEST")
        home = tmp_path / "other"
        home.mkdir()
        # With a key of its own, as whoever sets a deployment up makes one.
        other = Fleet(home, single(one.store), stack)
        for _ in range(2):
            with pytest.raises(AssertionError, match="in which this server never took part.* choose another prefix"):
                other.add()
            assert not (home / "replica0" / "deployment.id").exists(), "the next start would be let in"
        assert one.store.ask("DEBUG", "DIGEST") == digest, "who was refused wrote something"
        # With the deployment's key it is one more replica of it.
        other.key.write_bytes(one.key.read_bytes())
        other.add()
        assert {site.name for site in other.caller(0, token).ListSites(parent=account.name).sites} == set(names)


def test_a_server_that_comes_back_with_another_key_says_so_once_and_serves(tmp_path):
    with deployment(tmp_path, 1) as fleet:
        account = owner_of(fleet)
        [name] = placed(account, 1)
        token = account.caller("EDITOR").token
        said = []
        for key in (fleet.key.read_text("ascii"), base64.b64encode(secrets.token_bytes(32)).decode(), None):
            assert fleet.servers[0].stop() == 0
            if key:
                fleet.key.write_text(key, encoding="ascii")
            fleet.again(0)
            assert fleet.caller(0, token).GetSite(name=name).name == name
            said.append("the key for credentials is another one" in fleet.said(0))
        assert said == [False, True, False]


def test_a_record_that_another_program_wrote_is_named_and_the_others_are_served(tmp_path):
    with deployment(tmp_path, 2) as fleet:
        account, beside = owner_of(fleet), owner_of(fleet)
        good, bad, worse = placed(account, 3)
        [other] = placed(beside, 1)
        token, theirs = (fleet.lets_in(one.caller("EDITOR").token, one.name) for one in (account, beside))
        records = key(account, f"records:{account.id}:{SITE}")
        for site, junk in ((bad, "junk"), (worse, "x" * 3000)):
            assert fleet.store.run("HSET", records, site.rpartition("/")[2], junk) == ":0", "it is another key"
        fleet.add()
        for number in range(3):
            caller = fleet.caller(number, token)
            assert caller.GetSite(name=good).name == good
            for site in (bad, worse):
                refused("DATA_LOSS", "STORAGE_CORRUPT", lambda site=site: caller.GetSite(name=site))
                change = pb.Site(name=site, note="late")
                refused("DATA_LOSS", "STORAGE_CORRUPT", lambda change=change: rewrite(caller, change))
                refused("DATA_LOSS", "STORAGE_CORRUPT", lambda site=site: caller.DeleteSite(name=site))
            assert lists_around(caller, account.name, {bad, worse}) >= {good}
            assert [hit.site.name for hit in caller.SearchSites(parent=account.name, query="site").hits] == [good]
            assert is_written(caller, account.name), "the account takes writes"
            assert fleet.store.ask("HGET", records, bad.rpartition("/")[2]) == "junk", "it was written over"
            assert [site.name for site in fleet.caller(number, theirs).ListSites(parent=beside.name).sites] == [other]
        named = [line for line in fleet.said(2).splitlines() if "is not what was written" in line]
        assert len(named) == 2 and all(site.rpartition("/")[2] in "".join(named) for site in (bad, worse)), named
        assert "unreadable=2" in fleet.said(2)
        passed = [line for line in fleet.said(0).splitlines() if "is not what was written" in line]
        assert len(passed) == 2, "each is told once, however often it is met"
        seen = [fleet.caller(at, token).QueryViewport(parent=account.name, viewport=WORLD).account_tally for at in range(3)]
        assert [tally.total for tally in seen] == [3, 3, 1], "one that starts shows what can be read"


def lists_around(caller, parent, damaged):
    """The sites of all pages in each order; asserts that each list names the damaged ones once, and no page of them lacks a word."""
    found = []
    for order in ("create_time", "create_time desc", "display_name"):
        for size in (1, 1000):
            names, unreachable, token = [], [], ""
            while token or not names + unreachable:
                answer = caller.ListSites(parent=parent, order_by=order, page_size=size, page_token=token)
                assert len(answer.sites) + len(answer.unreachable) <= size
                names += [site.name for site in answer.sites]
                unreachable += answer.unreachable
                token = answer.next_page_token
            assert sorted(unreachable) == sorted(damaged) and len(set(names)) == len(names), (order, size)
            found.append(set(names))
    assert all(names == found[0] for names in found)
    return found[0]


def rewrite(caller, site):
    return caller.UpdateSite(site=site, update_mask=mask("note"))


def test_an_entry_of_another_program_stops_its_partition_until_it_is_taken_away(tmp_path):
    with deployment(tmp_path, 2) as fleet:
        account = owner_of(fleet)
        beside = next(one for one in iter(lambda: owner_of(fleet), None) if partition_of(one) != partition_of(account))
        names = placed(account, 2)
        token, theirs = (fleet.lets_in(one.caller("EDITOR").token, one.name) for one in (account, beside))
        watchers = [Recorder(fleet, token, account.name, number) for number in range(2)]
        for watcher in watchers:
            watcher.start()
        callers = [fleet.caller(number, token) for number in range(2)]
        before = revision_of(callers[0], account.name)
        until("nothing is told", lambda: all(watcher.stands_at(before) for watcher in watchers))
        stream, head = key(account, "commits"), key(account, "head")
        entry = fleet.store.ask("XADD", stream, "*", "theirs", "one")
        stands = lambda: [told(fleet, number, "following") for number in range(2)]  # noqa: E731
        until("nobody says so", lambda: stands() == [0, 0])
        for number, caller in enumerate(callers):
            site = pb.Site(display_name=f"late {number}")
            failure = failure_of(lambda: caller.CreateSite(parent=account.name, site=site))
            assert failure.reason in ("STORAGE_UNAVAILABLE", "OUTCOME_UNKNOWN"), failure
            until("the log names no stream", lambda: stream in fleet.said(number))
            assert {site.name for site in caller.ListSites(parent=account.name).sites} == set(names)
            assert is_written(fleet.caller(number, theirs), beside.name), "other partitions go on"
        # As docs/replicas.md says.
        assert fleet.store.run("XDEL", stream, entry) == ":1"
        assert fleet.store.run("XSETID", stream, f"{fleet.store.ask('HGET', head, 'sequence')}-0") == "+OK"
        for caller in callers:
            until("writes do not go on", lambda: is_written(caller, account.name))
        until("they do not follow", lambda: stands() == [1, 1])
        agree(fleet, token, account.name)
        check(watchers, callers[0], account.name)


def check(watchers, caller, parent):
    """Each watcher comes to hold what is there, over a log without a fault."""
    revision, there = revision_of(caller, parent), listed(caller, parent, "")
    for watcher in watchers:
        until("a watcher does not come to the end", lambda watcher=watcher: watcher.stands_at(revision))
        watcher.end()
        log = watcher.log
        faults = ordered(log) + unique(log) + bookmarkable(log) + reliable(log, {revision: there})
        assert not faults + differences(held(log).sites, there), faults[:5]


def test_a_stream_that_is_cut_while_a_replica_is_away_hides_no_deletion(tmp_path):
    """R9."""
    with deployment(tmp_path, 2, ways=[1]) as fleet:
        account = owner_of(fleet)
        kept, gone, changed = placed(account, 3)
        token = fleet.lets_in(account.caller("EDITOR").token, account.name)
        here, away = fleet.caller(0, token), fleet.caller(1, token)
        watchers = [Recorder(fleet, token, account.name, number) for number in range(2)]
        for watcher in watchers:
            watcher.start()
        before = revision_of(here, account.name)
        until("nothing is told", lambda: all(watcher.stands_at(before) for watcher in watchers))
        agree(fleet, token, account.name)
        fleet.ways[1].set(CUT)
        until("it follows still", lambda: told(fleet, 1, "following") == 0)
        here.DeleteSite(name=gone)
        here.SetPin(site=changed, position=pb.LatLng(lat=-10, lng=-10))
        made = here.CreateSite(parent=account.name, site=pb.Site(display_name="meanwhile"))
        assert fleet.store.ask("XTRIM", key(account, "commits"), "MAXLEN", 0) > 0
        seen = away.QueryViewport(parent=account.name, viewport=WORLD)
        assert (seen.account_tally.total, seen.revision < made.revision) == (3, True), "it was never away"
        fleet.ways[1].set(OPEN)
        known = known_to(away, account.name, made.revision)
        until("it does not come back", lambda: told(fleet, 1, "following") == 1)
        assert set(listed(known, account.name, "")) == {kept, changed, made.name}
        agree(fleet, token, account.name)
        assert told(fleet, 1, "resyncs_total") >= 1
        assert "anew" in fleet.said(1)
        check(watchers, here, account.name)
        marks = [[one.mark for one in watcher.log if isinstance(one, Taken)] for watcher in watchers]
        assert RESYNC not in marks[0] and RESYNC in marks[1], "who may have missed something is told everything"


def test_a_replica_that_is_behind_never_answers_from_before_what_its_caller_knows(tmp_path):
    """R12."""
    with deployment(tmp_path, 2, ways=[1]) as fleet:
        account = owner_of(fleet)
        [name] = placed(account, 1)
        token = fleet.lets_in(account.caller("EDITOR").token, account.name)
        here, away = fleet.caller(0, token), fleet.caller(1, token)
        agree(fleet, token, account.name)
        look = lambda caller: caller.QueryViewport(parent=account.name, viewport=WORLD).revision  # noqa: E731
        fleet.ways[1].set(CUT)
        until("it follows still", lambda: told(fleet, 1, "following") == 0)
        written = rewrite(here, pb.Site(name=name, note="meanwhile")).revision
        known = known_to(away, account.name, written)
        for _ in range(2):
            assert look(away) < written, "it was never behind"
            refused("UNAVAILABLE", "NOT_READY", lambda: look(known))
        assert look(known_to(here, account.name, written)) >= written
        fleet.ways[1].set(OPEN)
        until("it does not come back", lambda: told(fleet, 1, "following") == 1)
        assert look(known) >= written
        assert known.GetSite(name=name).note == "meanwhile"


def test_a_replica_behind_a_slow_way_answers_nothing_older_than_it_is_asked_for_and_catches_up(tmp_path):
    """R12. It asked for all that it had missed at once, was given up before it had it, and asked for all of it again."""
    with deployment(tmp_path, 2, ways=[1]) as fleet:
        account, way = owner_of(fleet), fleet.ways[1]
        names = placed(account, BURST)
        token = fleet.lets_in(account.caller("EDITOR").token, account.name)
        here, away = fleet.caller(0, token), fleet.caller(1, token)
        agree(fleet, token, account.name)
        resyncs, waited = told(fleet, 1, "resyncs_total"), []
        way.slow(SLOW_BYTES_PER_S)
        for name in names:
            written = rewrite(here, pb.Site(name=name, note=LONG)).revision
        known = known_to(away, account.name, written)

        def is_answered():
            try:
                seen = known.QueryViewport(parent=account.name, viewport=WORLD).revision
            except grpc.RpcError as error:
                waited.append(Failure(error).reason)
                return False
            assert seen >= written, "it answers from before what its caller knows"
            return True

        until("it never catches up", is_answered)
        assert waited and set(waited) == {"NOT_READY"}, f"it was never behind: {waited}"
        assert way.slowed > BURST * len(LONG), "the way was not slow"
        assert told(fleet, 1, "resyncs_total") == resyncs, "the stream has all of it"
        way.set(OPEN)
        until("it is behind still", lambda: told(fleet, 1, "following") == 1)
        agree(fleet, token, account.name)
        assert {site.note for site in listed(away, account.name, "").values()} == {LONG}


def test_a_write_whose_answer_is_lost_is_done_once_wherever_it_is_repeated(tmp_path):
    """R4."""
    with deployment(tmp_path, 2, ways=[0]) as fleet:
        account = owner_of(fleet)
        token = fleet.lets_in(account.caller("EDITOR").token, account.name)
        here, there = fleet.caller(0, token), fleet.caller(1, token)
        agree(fleet, token, account.name)
        way = fleet.ways[0]
        for number in range(3):
            site = pb.Site(display_name=f"once {number}", note=f"made {uuid.uuid4()}")
            request = pb.CreateSiteRequest(parent=account.name, site=site, request_id=str(uuid.uuid4()))
            lost = way.lost
            # The write itself, and not what is read before.
            way.lose_after(b"EVALSHA", site.note.encode())
            refused("UNAVAILABLE", "OUTCOME_UNKNOWN", lambda: here.call("CreateSite", request))
            assert way.lost > lost, "no answer was lost"
            [done] = [name for name, one in listed(there, account.name, "").items() if one.display_name == f"once {number}"]
            way.set(OPEN)
            until("it is not followed again", lambda: told(fleet, 0, "following") == 1)
            with ThreadPoolExecutor(4) as pool:
                repeats = [pool.submit(caller.call, "CreateSite", request) for caller in (here, there, here, there)]
                assert {repeat.result().name for repeat in repeats} == {done}, "a repeat made another one"
            assert len(changes_of(here, done)) == 1
        names = [site.display_name for site in listed(there, account.name, "").values()]
        assert sorted(names) == [f"once {number}" for number in range(3)]
        agree(fleet, token, account.name)
