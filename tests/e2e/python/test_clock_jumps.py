"""The wall clock jumps under a running server: a day, ten years, and back. libfaketime reads it from a file."""

import os
import time
from contextlib import ExitStack

import grpc
import pytest
from google.protobuf import timestamp_pb2

from client import Account, Caller, mask, refused, scope_value, until
from clock import faketime, set_clock
from fleet import Fleet, agree, single
from redis_fleets import PREFIX
from redis_server import Redis
from server import Server
from stubs import pb
from test_history import changes_of, number_of
from test_paused_leader import ENDS, leads

JUMPS = ["+1d", "-1d", "+0", "+3650d", "+0"]
DAY_S = 24 * 60 * 60

pytestmark = pytest.mark.skipif(faketime() is None, reason="libfaketime is not installed: apt-get install faketime")


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """Sets the clock of the server that is started with it, at any time."""
    file = tmp_path / "clock"
    file.write_text("+0\n", encoding="ascii")
    set_clock(monkeypatch, "+0")
    monkeypatch.delenv("FAKETIME")
    for name, value in {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}.items():
        monkeypatch.setenv(name, value)

    def jump(told):
        beside = tmp_path / "clock.new"
        beside.write_text(f"{told}\n", encoding="ascii")
        beside.rename(file)

    return jump


def test_revisions_and_histories_never_go_back_and_lives_follow_the_wall_clock(tmp_path, clock):
    with Server(tmp_path / "data", geoip=False) as server, grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token), "acme")
        editor = account.caller("EDITOR")
        end = timestamp_pb2.Timestamp(seconds=int(time.time()) + 3600)
        token = pb.Token(scope=scope_value("VIEWER"), expire_time=end)
        brief = Caller(channel, account.operator.CreateToken(parent=account.name, token=token).secret)
        site = account.create_site(note="0").name
        revision, updated = editor.GetSite(name=site).revision, []
        for number, told in enumerate(JUMPS, start=1):
            clock(told)
            written = editor.UpdateSite(site=pb.Site(name=site, note=str(number)), update_mask=mask("note"))
            assert written.revision > revision, told
            revision = written.revision
            updated.append(written.update_time.seconds - int(time.time()))
            if told in ("+1d", "+3650d"):
                refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", lambda: brief.GetSite(name=site))
            else:
                assert brief.GetSite(name=site).note == str(number), f"{told}: it is good again"
            # Timers are of the other clock: for a second nothing happens.
            before = server.cpu_s()
            time.sleep(1)
            assert server.cpu_s() - before < 0.5, f"{told}: timers storm"
        assert updated[0] > DAY_S / 2, f"the injector never struck: {updated}"
        changes = changes_of(editor, site)
        assert [number_of(change) for change in changes] == list(range(len(JUMPS) + 1, 0, -1))
        assert [change.edits[0].new_value.text for change in changes[:-1]] == [str(n) for n in range(len(JUMPS), 0, -1)]
        server.kill()
        server.start()
        with grpc.insecure_channel(server.target) as again:
            found = Caller(again, editor.token).GetSite(name=site)
            assert (found.revision, found.note) == (revision, str(len(JUMPS)))


def test_a_leader_whose_clock_jumps_leads_on_and_nobody_begins_beside_it(tmp_path, clock, monkeypatch):
    """Of two replicas one has the clock that jumps. Leases are of no wall clock, and revisions are Redis' own."""
    preloaded = os.environ["LD_PRELOAD"]
    monkeypatch.delenv("LD_PRELOAD")
    with ExitStack() as stack:
        redis = stack.enter_context(Redis(tmp_path, keeps=True))
        fleet = Fleet(tmp_path, single(redis), stack)
        monkeypatch.setenv("LD_PRELOAD", preloaded)
        fleet.add()
        until("it does not lead", lambda: leads(fleet, 0))
        monkeypatch.delenv("LD_PRELOAD")
        fleet.add()
        account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        token = fleet.lets_in(account.caller("EDITOR").token, account.name)
        revision, shifts = 0, []
        for number, told in enumerate(JUMPS):
            clock(told)
            renewed = renewals(redis)
            for replica in range(2):
                site = pb.Site(display_name=f"{number} at {replica}")
                made = fleet.caller(replica, token).CreateSite(parent=account.name, site=site)
                assert made.revision > revision, told
                revision = made.revision
                shifts.append(abs(made.create_time.seconds - time.time()) > DAY_S / 2)
            until("the lease is not renewed", lambda: renewals(redis) >= renewed + 2)
            assert (leads(fleet, 0), leads(fleet, 1), ENDS in fleet.said(0)) == (True, False, False), told
            agree(fleet, token, account.name)
        # Of the first replica alone, while its clock is away.
        assert shifts == [told != "+0" and replica == 0 for told in JUMPS for replica in range(2)], "the injector never struck"


def renewals(redis):
    """The revision of the operator's records, of which the lease is one that is written again and again."""
    return int(redis.ask("HGET", f"{PREFIX}:{{{PREFIX}:0}}:revisions", ""))
