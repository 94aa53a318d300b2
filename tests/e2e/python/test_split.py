"""A master of a Redis Cluster is cut off from all other nodes, and each waymark still reaches it: an old master that takes writes."""

import time
from contextlib import ExitStack

import grpc
import pytest

from cluster_bus import Splitting
from client import until
from fleet import REPLICAS, Fleet, agree, told
from load import Mover
from test_failover import HEALED_S_MAX, Scene, check_watches, check_writes

# Answers that show that a writer goes on.
ANSWERS = 4


# How soon they agree again is measured.
@pytest.mark.alone
@pytest.mark.parametrize("takes_writes", [False, True])
def test_what_a_master_took_that_was_cut_off_is_never_acknowledged(takes_writes, tmp_path):
    """With `min-replicas-to-write`, as docs/replicas.md asks for, it refuses; without, it takes writes that are lost when the cut heals,
    and `WAIT` alone keeps them from being acknowledged."""
    with ExitStack() as stack:
        redis = stack.enter_context(Splitting(tmp_path / "redis"))
        if takes_writes:
            for node in redis.nodes:
                assert node.run("CONFIG", "SET", "min-replicas-to-write", "0") == "+OK"
        fleet = Fleet(tmp_path, redis.config(), stack)
        for _ in range(REPLICAS):
            fleet.add()
        scene = Scene(fleet, redis)
        scene.begin()
        scene.goes_on("nothing is written")
        split(scene, takes_writes)
        scene.end_writers()
        begun = time.monotonic()
        for account, token in zip(scene.accounts, scene.tokens):
            agree(fleet, token, account.name)
        scene.healed_s = time.monotonic() - begun
        assert scene.healed_s < HEALED_S_MAX
        report = check_writes(scene)
        # What was lost may have been told at one replica: who goes on at one that never heard of it keeps it for a while.
        if not takes_writes:
            check_watches(scene)
        print(f"\n{report}")


def split(scene, takes_writes):
    redis, fleet, account = scene.redis, scene.fleet, scene.accounts[0].id
    old = redis.master_of(account)
    of_each = len(scene.writers) // len(scene.accounts)
    struck, others = scene.writers[:of_each], scene.writers[of_each:]
    redis.isolate(old)
    taken = commits(old)
    until("no writer heard of it", lambda: scene.answers() and all(writer.client.heard for writer in struck))
    until("nobody takes over", lambda: redis.master_of(account) not in (None, old))
    follow = lambda: all(told(fleet, number, "following") == 1 for number in range(REPLICAS))  # noqa: E731
    until("they do not follow the new master while the old one is there", follow)
    before = written(struck)
    goes_on("the other masters' accounts wait for this one", others)
    # Neither master has a replica now: nothing can be acknowledged, and what is read comes from the new one.
    for number in range(REPLICAS):
        caller = fleet.caller(number, scene.tokens[0])
        until("nothing is read from the new master", lambda: is_read(caller, scene.crowds[0][0]))
    assert old.ask("ROLE")[0] == "master", "it heard of it"
    assert written(struck) == before, "a write was acknowledged that one node has"
    assert (commits(old) > taken) == takes_writes, "no write was taken that is lost, or one that should be refused"
    redis.heal()
    until("Redis does not come together again", redis.is_whole)
    assert old.ask("ROLE")[0] == "slave"
    scene.goes_on("it does not go on")
    resyncs = [told(fleet, number, "resyncs_total") for number in range(REPLICAS)]
    assert not takes_writes or max(resyncs) > 0, "nobody noticed that what was told is lost"


def commits(master):
    """How many commits a master took: each has an entry in a stream."""
    [stats] = [line for line in master.ask("INFO", "commandstats").splitlines() if line.startswith("cmdstat_xadd:")]
    return int(stats.partition("calls=")[2].partition(",")[0])


def written(writers):
    """Answers to calls that write."""
    return [writer.answers for writer in writers if not isinstance(writer, Mover)]


def is_read(caller, site):
    try:
        return caller.GetSite(name=site).name == site
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return False


def goes_on(what, writers):
    before = [writer.answers for writer in writers]
    until(what, lambda: all(writer.answers >= then + ANSWERS for writer, then in zip(writers, before)))
