"""Calls that meet at one record: repeats of one wish all succeed, and a machine's call never fails a person's."""

import asyncio
import random
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from client import mask
from stubs import pb, stub

AGENTS = 200
CALLS_AN_AGENT = 4
# Seconds between the calls of one agent, as of a client that is too impatient, and over which the agents start.
REPEAT_AFTER_S = 0.03
START_WITHIN_S = 1.0
# Several connections, so that the calls really meet in the server and not in one client's queue.
CHANNELS = 8
SITES = 20


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_impatient_agents_are_all_let_in(server, account, seed):
    """A call that began before another one's credential was in memory was told that its right key was wrong."""
    calls = asyncio.run(activate_impatiently(server, account, random.Random(seed)))
    failures = [f"{answer.code().name} {answer.details()}" for answer in calls if isinstance(answer, grpc.RpcError)]
    assert not failures, f"{len(failures)} of {len(calls)} calls failed, such as {sorted(set(failures))[:5]}"
    by_agent = [calls[first : first + CALLS_AN_AGENT] for first in range(0, len(calls), CALLS_AN_AGENT)]
    for answers in by_agent:
        assert len({(answer.site, answer.credential) for answer in answers}) == 1, answers
        assert answers[0].credential.startswith("wmk_")
        assert sum(answer.created for answer in answers) == 1
    listed = account.caller().ListSites(parent=account.name, page_size=1000).sites
    assert {site.name for site in listed} == {answers[0].site for answers in by_agent} and len(listed) == AGENTS


async def activate_impatiently(server, account, dice):
    """Every agent calls several times without waiting for an answer; gives answers and errors, agent by agent."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(server.target, options=options) for _ in range(CHANNELS)]
    stubs = [stub("ActivationService", channel) for channel in channels]
    authorization = ("authorization", f"Bearer {account.caller('ENROLLMENT').token}")

    async def activate(request, delay_s, forwarded_for):
        await asyncio.sleep(delay_s)
        metadata = [authorization, ("x-forwarded-for", forwarded_for)]
        return await dice.choice(stubs).ActivateAgent(request, metadata=metadata, timeout=60)

    calls = []
    for number in range(AGENTS):
        request = pb.ActivateAgentRequest(
            parent=account.name, agent_id=f"agent-{number:03}", agent_key=secrets.token_bytes(32)
        )
        start_s = dice.uniform(0, START_WITHIN_S)
        for repeat in range(CALLS_AN_AGENT):
            delay_s = start_s + repeat * REPEAT_AFTER_S + dice.uniform(0, REPEAT_AFTER_S)
            calls.append(activate(request, delay_s, f"81.2.69.{number + 1}"))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for channel in channels:
        await channel.close()
    return answers


def at_once(calls):
    """Lets all calls begin together; gives their answers."""
    meet = threading.Barrier(len(calls))

    def one(call):
        meet.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_equal_renames_at_once_all_succeed(account):
    """The slower of two equal renames met the name claim of the faster one, and was told that another site has it."""
    editor = account.caller("EDITOR")
    for number in range(SITES):
        site = account.create_site(f"Before {number}").name
        renamed = pb.Site(name=site, display_name=f"After {number}")
        answers = at_once([lambda: editor.UpdateSite(site=renamed, update_mask=mask("display_name"))] * 4)
        assert [(answer.name, answer.display_name) for answer in answers] == [(site, f"After {number}")] * 4
        assert editor.GetSite(name=site).display_name == f"After {number}"
        account.create_site(f"Before {number}")


def test_different_sites_that_want_one_name_at_once_still_get_it_once(account):
    editor = account.caller("EDITOR")
    for number in range(SITES):
        sites, wanted = [account.create_site().name for _ in range(4)], f"Wanted {number}"

        def rename(site, wanted=wanted):
            try:
                changed = pb.Site(name=site, display_name=wanted)
                return editor.UpdateSite(site=changed, update_mask=mask("display_name")).name
            except grpc.RpcError as error:
                assert error.code().name in ("ALREADY_EXISTS", "ABORTED"), error
                return None

        won = [name for name in at_once([lambda site=site: rename(site) for site in sites]) if name]
        named = [editor.GetSite(name=site).display_name for site in sites]
        assert len(won) == 1 and named.count(wanted) == 1 and named[sites.index(won[0])] == wanted


def test_hellos_in_between_never_fail_a_persons_change(account):
    """An agent that reconnected every few seconds made the etag of an open form stale before anyone could save it."""
    key, editor, stop = secrets.token_bytes(32), account.caller("EDITOR"), threading.Event()
    site = account.activate("fw-1", key=key, ip="8.8.8.8").site

    def say_hello():
        count = 0
        while not stop.is_set():
            account.activate("fw-1", key=key, ip="8.8.8.8")
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        hellos = [pool.submit(say_hello) for _ in range(2)]
        try:
            for number in range(50):
                etag = editor.GetSite(name=site).etag
                changed = pb.Site(name=site, note=f"note {number}", etag=etag)
                assert editor.UpdateSite(site=changed, update_mask=mask("note")).note == f"note {number}"
        finally:
            stop.set()
        assert all(hello.result() > 0 for hello in hellos)
    assert editor.GetSite(name=site).note == "note 49"
