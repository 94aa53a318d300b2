"""kill -9 while 500 agents activate at once: after a restart and a retry there are exactly 500 sites, one an agent."""

import asyncio
import secrets

import grpc
import pytest

from client import Account, Caller, scope_value
from server import Server
from stubs import pb, stub

AGENTS = 500
# Several connections, so that the calls really meet in the server and not in one client's queue.
CHANNELS = 8


@pytest.mark.parametrize("acknowledged", [1, 60, 250, 400])
def test_exactly_one_site_an_agent_after_kill_9(tmp_path, acknowledged):
    keys = {f"agent-{number:03}": secrets.token_bytes(32) for number in range(AGENTS)}
    server = Server(tmp_path / "data")
    with server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token), "crash")
            secret = account.operator.CreateToken(
                parent=account.name, token=pb.Token(scope=scope_value("ENROLLMENT"))
            ).secret
        first = asyncio.run(activate_all(server, secret, keys, kill_after=acknowledged))
        assert server.process.poll() is not None, "the server was killed"
        # Answers come in batches: a late kill may find that all of them were on their way already.
        assert acknowledged <= len(first) and (len(first) < AGENTS or acknowledged >= AGENTS // 2)

        server.start()
        second = asyncio.run(activate_all(server, secret, keys))
        assert len(second) == AGENTS
        for agent, answer in first.items():
            assert (second[agent].site, second[agent].credential) == (answer.site, answer.credential)
            assert answer.created and not second[agent].created, "what was acknowledged is kept"
        assert len({answer.site for answer in second.values()}) == AGENTS
        check_sites(server, second)


def check_sites(server, answers):
    """The list holds exactly the agents' sites, and the map counts them."""
    with grpc.insecure_channel(server.target) as channel:
        operator, sites, token = Caller(channel, server.admin_token), [], ""
        while True:
            page = operator.ListSites(parent="accounts/crash", page_size=1000, page_token=token)
            sites += page.sites
            token = page.next_page_token
            if not token:
                break
        assert len(sites) == AGENTS
        assert {site.agent_id: site.name for site in sites} == {agent: a.site for agent, a in answers.items()}
        tally = operator.QueryViewport(
            parent="accounts/crash",
            zoom=0,
            viewport=pb.BoundingBox(low=pb.LatLng(lat=-90, lng=-180), high=pb.LatLng(lat=90, lng=180)),
        )
        placed = sum(site.location.HasField("position") for site in sites)
        assert (tally.account_tally.total, tally.unplaced) == (placed, AGENTS - placed)


async def activate_all(server, secret, keys, kill_after=None):
    """Activates all agents at once; kills the server when so many are acknowledged. Returns what was answered."""
    answers, killed = {}, False
    channels = [
        grpc.aio.insecure_channel(server.target, options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in range(CHANNELS)
    ]
    stubs = [stub("ActivationService", channel) for channel in channels]

    async def activate(number, agent, key):
        nonlocal killed
        request = pb.ActivateAgentRequest(parent="accounts/crash", agent_id=agent, agent_key=key)
        metadata = [
            ("authorization", f"Bearer {secret}"),
            ("x-forwarded-for", f"81.2.{number // 250}.{number % 250 + 1}"),
        ]
        try:
            answers[agent] = await stubs[number % CHANNELS].ActivateAgent(request, metadata=metadata, timeout=60)
        except grpc.aio.AioRpcError:
            if kill_after is None:
                raise
        if kill_after is not None and len(answers) >= kill_after and not killed:
            killed = True
            server.process.kill()

    await asyncio.gather(*(activate(number, *item) for number, item in enumerate(keys.items())))
    for channel in channels:
        await channel.close()
    if killed:
        server.process.wait()
    return answers


def test_a_start_on_the_same_data_keeps_everything_and_shows_no_token_twice(tmp_path):
    server = Server(tmp_path / "data", geoip=False)
    with server:
        assert sum(line.startswith("admin token, shown once: wmk_") for line in server.stdout) == 1
        assert server.admin_token_file.stat().st_mode & 0o777 == 0o600
        with grpc.insecure_channel(server.target) as channel:
            made = Account(Caller(channel, server.admin_token), "kept").create_site("kept").name
    server.stdout.clear()
    with server:
        assert not any("wmk_" in line for line in server.stdout)
        with grpc.insecure_channel(server.target) as channel:
            assert Caller(channel, server.admin_token).GetSite(name=made).display_name == "kept"
    assert server.admin_token not in server.log_text(), "a secret never reaches the log"
