"""A power cut ends: ten thousand agents come up and activate at the same moment."""

import asyncio
import secrets

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from client import Account, Caller
from server import Server
from stubs import pb, stub

AGENTS = 10_000
# Calls on one connection at most: what the server allows an HTTP/2 connection.
STREAMS_MAX = 128
# Longest time for all, with every retry, on a busy machine.
ALL_S_MAX = 180
# Attempts of one agent; each waits as long as it is told.
ATTEMPTS_MAX = 20


async def activate(method, metadata, parent, agent_id, key, refusals):
    """One agent, which tries again as long as it is told to. Gives back its site."""
    request = pb.ActivateAgentRequest(parent=parent, agent_id=agent_id, agent_key=key)
    for _ in range(ATTEMPTS_MAX):
        try:
            return (await method(request, metadata=metadata, timeout=ALL_S_MAX)).site
        except grpc.aio.AioRpcError as error:
            wait_s = retry_after_s(error)
            assert wait_s is not None, f"{agent_id} is refused for good: {error.code()} {error.details()}"
            refusals.append(error.code())
            await asyncio.sleep(wait_s)
    raise AssertionError(f"{agent_id} was refused {ATTEMPTS_MAX} times")


def retry_after_s(error):
    """The time of the error's RetryInfo in seconds; `None` where it has none."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return info.retry_delay.ToTimedelta().total_seconds()
    return None


async def all_at_once(target, token, parent, agents):
    metadata = (("authorization", f"Bearer {token}"), ("x-forwarded-for", "81.2.69.160"))
    # A connection of its own for each: gRPC would put all channels to one address on one.
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(target, options) for _ in range(AGENTS // STREAMS_MAX + 1)]
    methods = [stub("ActivationService", channel).ActivateAgent for channel in channels]
    refusals = []
    calls = [
        activate(methods[number % len(methods)], metadata, parent, agent_id, key, refusals)
        for number, (agent_id, key) in enumerate(agents.items())
    ]
    sites = await asyncio.wait_for(asyncio.gather(*calls), ALL_S_MAX)
    for channel in channels:
        await channel.close()
    return dict(zip(agents, sites, strict=True)), refusals


# All cores are taken for as long as it lasts.
@pytest.mark.alone
def test_ten_thousand_agents_activate_at_once(tmp_path):
    with Server(tmp_path / "data") as server, grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token))
        token = account.caller("ENROLLMENT").token
        agents = {f"fw-{number:05}": secrets.token_bytes(32) for number in range(AGENTS)}
        sites, refusals = asyncio.run(all_at_once(server.target, token, account.name, agents))
        print(f"{len(refusals)} refusals to come again")
        assert len(set(sites.values())) == AGENTS, "one site each"
        # It goes dark once more, the server too, in the midst of nothing; all come back to where they were.
        server.kill()
        server.start()
        again, _ = asyncio.run(all_at_once(server.target, token, account.name, agents))
        assert again == sites
    with Server(tmp_path / "data") as server, grpc.insecure_channel(server.target) as channel:
        fit = Caller(channel, server.admin_token).FitSites(parent=account.name)
        assert fit.tally.total == AGENTS, "and no site beside them"
