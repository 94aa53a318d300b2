"""SIGTERM while 500 calls are under way: each is answered or can be repeated, and what was answered is there."""

import asyncio
import signal
import uuid
from contextlib import ExitStack

import grpc
import pytest

from client import Account, Caller
from fleet import Fleet, agree, single
from redis_server import Redis
from server import DRAIN_S_MAX, Server
from stubs import pb, stub
from test_kill import listed

CALLS = 500
# Several connections: one takes fewer calls at once.
CHANNELS = 8
# Answers after which the end comes: some calls are in the server by then, some in its sockets, some were not sent yet.
ANSWERED_BEFORE = 700
CALL_S_MAX = 60


class Callers:
    """So many calls at once, each followed by the next, until a call is refused."""

    def __init__(self, server, token, parent):
        self.server, self.token, self.parent = server, token, parent
        # Request id -> name that is wanted; of those that were answered the site, of the others code and text.
        self.asked, self.made, self.refused = {}, {}, {}
        # Calls that were under way when the end was told.
        self.under_way = 0

    def request(self, request_id):
        site = pb.Site(display_name=self.asked[request_id], note="made")
        return pb.CreateSiteRequest(parent=self.parent, site=site, request_id=request_id)

    async def keep_calling(self, bound):
        metadata = [("authorization", f"Bearer {self.token}")]
        while True:
            request_id = str(uuid.uuid4())
            self.asked[request_id] = f"site {len(self.asked)}"
            try:
                site = await bound(self.request(request_id), metadata=metadata, timeout=CALL_S_MAX)
            except grpc.aio.AioRpcError as error:
                self.refused[request_id] = (error.code().name, error.details())
                return
            self.made[request_id] = site.name
            if len(self.made) == ANSWERED_BEFORE:
                self.under_way = len(self.asked) - len(self.made)
                self.server.process.send_signal(signal.SIGTERM)

    async def call(self):
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(self.server.target, options=options) for _ in range(CHANNELS)]
        stubs = [stub("SiteService", channel) for channel in channels]
        await asyncio.gather(*(self.keep_calling(stubs[at % CHANNELS].CreateSite) for at in range(CALLS)))
        for channel in channels:
            await channel.close()


def end_under_load(server, token, parent):
    """Ends a server with SIGTERM while calls are under way; gives these."""
    callers = Callers(server, token, parent)
    asyncio.run(callers.call())
    assert server.process.wait(DRAIN_S_MAX) == 0
    assert callers.under_way >= CALLS // 2, f"{callers.under_way} calls under way: too little for a test"
    assert len(callers.refused) == CALLS and len(callers.made) >= ANSWERED_BEFORE
    return callers


def check(callers, caller):
    """Whatever was answered is there, and whatever was not fails as what is repeated, and is there once when it was."""
    there = {site.name: site.display_name for site in listed(caller, callers.parent).values()}
    told = {site: callers.asked[request_id] for request_id, site in callers.made.items()}
    assert {code for code, _ in callers.refused.values()} == {"UNAVAILABLE"}, set(callers.refused.values())
    assert told.items() <= there.items(), "an answered write is lost"
    wanted = {callers.asked[request_id] for request_id in callers.refused}
    # Done, and its answer is lost: a connection that is reset takes with it what is on its way.
    done = {name: site for site, name in there.items() if site not in told}
    assert done.keys() <= wanted, "a write that nobody asked for"
    assert not done, "answers were lost on their way"
    print(f"\n{len(told)} answered, {callers.under_way} under way at the end, {len(done)} answers lost")
    repeated = {request_id: caller.call("CreateSite", callers.request(request_id)).name for request_id in callers.refused}
    again = [repeated[request_id] for request_id in callers.refused if callers.asked[request_id] in done]
    assert sorted(again) == sorted(done.values()), "a repeat made another site"
    assert len(set(repeated.values())) == CALLS and not set(repeated.values()) & told.keys()
    names = [site.display_name for site in listed(caller, callers.parent).values()]
    assert sorted(names) == sorted(callers.asked.values()), "a site is missing, or is there twice"


def test_the_end_of_a_server_fails_no_call_for_good(tmp_path):
    with Server(tmp_path / "data", geoip=False) as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            token = account.caller("EDITOR").token
        callers = end_under_load(server, token, account.name)
        server.start()
        with grpc.insecure_channel(server.target) as channel:
            check(callers, Caller(channel, token))


@pytest.mark.parametrize("ended", [0, 1])
def test_the_end_of_a_replica_fails_no_call_and_the_other_one_repeats_them(tmp_path, ended):
    """Both that does the background work and that does not."""
    with ExitStack() as stack:
        fleet = Fleet(tmp_path, single(stack.enter_context(Redis(tmp_path, keeps=True))), stack)
        for _ in range(2):
            fleet.add()
        account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        token = fleet.lets_in(account.caller("EDITOR").token, account.name)
        callers = end_under_load(fleet.servers[ended], token, account.name)
        check(callers, fleet.caller(1 - ended, token))
        fleet.again(ended)
        agree(fleet, token, account.name)
