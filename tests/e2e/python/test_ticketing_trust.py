"""Whose word about a link is believed: not that of a connection that is gone, and not that of a system which shows nothing."""

import concurrent.futures
import time
from contextlib import ExitStack

import grpc
import pytest

from client import Account, Caller, failure_of, refused
from fleet import Fleet, known_to, single
from redis_contents import everything, files
from redis_server import Redis
from server import Server
from stubs import pb
from test_ticketing import in_base64
from ticketing_accounts import (  # noqa: F401, F811 (pytest finds fixtures by their names)
    DONE_S_MAX,
    RUNNING,
    VERIFIED,
    acme,
    connect,
    done,
    link,
    shared,
    system,
    verified,
    zendesk,
)
from ticketing_systems import CANARY, CREDENTIALS


def test_a_connection_that_is_shown_nothing_breaks_no_link(acme, system):
    made = connect(acme, system)
    site = verified(acme, acme.create_site(ticketing_links=[link(system, 1, "Acme Ltd")]))
    assert site.ticketing_links[0].state == VERIFIED
    # As where somebody narrowed what the credentials may see.
    system.organizations.clear()
    answer = acme.caller().VerifySiteTicketingLinks(site=site.name)
    assert [pb.ErrorReason.Name(one.reason) for one in answer.failures] == ["ERROR_REASON_TICKETING_DENIED"]
    assert answer.site.ticketing_links == site.ticketing_links
    run = done(acme, acme.caller().VerifyTicketingLinks(parent=acme.name))
    assert (run.broken_count, run.failed_count) == (0, 1)

    def check():
        acme.caller().CheckTicketingConnection(name=made.name)

    refused("FAILED_PRECONDITION", "TICKETING_DENIED", check)


def test_a_run_asks_nothing_with_a_connection_that_is_deleted(acme, zendesk):
    for number in range(3):
        acme.create_site(ticketing_links=[link(zendesk, 1 + number)])
    made = connect(acme, zendesk)
    zendesk.failing = (429, {"retry-after": "2"})
    run = acme.caller().VerifyTicketingLinks(parent=acme.name)
    ends = time.monotonic() + DONE_S_MAX
    while not acme.caller().GetTicketingVerification(name=run.name).HasField("resume_time"):
        assert time.monotonic() < ends
        time.sleep(0.02)
    acme.caller().DeleteTicketingConnection(name=made.name)
    zendesk.failing, asked = None, len(zendesk.asked)
    run = done(acme, run)
    assert (run.seen_count, run.failed_count, run.verified_count) == (3, 3, 0)
    assert [one.reason for one in run.failures] == [pb.ERROR_REASON_TICKETING_NOT_CONNECTED]
    assert len(zendesk.asked) == asked


def test_calls_at_once_begin_one_run(acme, zendesk):
    acme.create_site(ticketing_links=[link(zendesk, 1)])
    connect(acme, zendesk)
    zendesk.failing = (429, {"retry-after": "100"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(acme.caller().VerifyTicketingLinks, parent=acme.name) for _ in range(16)]
        names = {call.result().name for call in calls}
    assert len(names) == 1
    listed = acme.caller().ListTicketingVerifications(parent=acme.name).verifications
    assert [(run.name, run.state) for run in listed] == [(names.pop(), RUNNING)]


def test_nothing_tells_who_is_inside(tmp_path, zendesk):
    """What leads into the operator's network is told as what cannot be reached; the log alone knows better."""
    with Server(tmp_path / "data", geoip=False) as server, grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token))
        inside = pb.TicketingConnection(
            system="zendesk", base_url="https://localhost", credentials=CREDENTIALS["zendesk"]
        )
        made = account.caller().CreateTicketingConnection(parent=account.name, connection=inside)
        failure = failure_of(lambda: account.caller().CheckTicketingConnection(name=made.name))
        assert failure.reason == "TICKETING_UNAVAILABLE" and "cannot be reached" in failure.message
        for word in ("public", "private", "localhost"):
            assert word not in repr(failure) + str(failure.details), failure
        assert "localhost is at an address that is not public" in server.log_text()


def test_no_credential_is_in_redis_and_each_server_opens_it(tmp_path, zendesk):
    home = tmp_path / "redis"
    home.mkdir()
    with ExitStack() as stack:
        redis = stack.enter_context(Redis(home, keeps=True))
        local = 'private_networks = ["127.0.0.0/8"]\nverify_every_h = 0'
        fleet = Fleet(tmp_path, single(redis), stack, ticketing=local)
        for _ in range(2):
            fleet.add()
        account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        made = connect(account, zendesk)
        token = fleet.lets_in(account.caller().token, account.name)
        known_to(fleet.caller(1, token), account.name, made.revision).CheckTicketingConnection(name=made.name)
        assert zendesk.asked, "the other server was let in with it"
        stored = b"".join([everything(redis), *files(redis).values()])
        assert b"zendesk" in stored, "the store is looked at"
        said = "".join(server.log_text() for server in fleet.servers)
        for secret in (CANARY, *in_base64(CANARY), fleet.key.read_text(encoding="ascii").strip()):
            assert secret.encode() not in stored and secret not in said
