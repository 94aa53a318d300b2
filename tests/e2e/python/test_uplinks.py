"""Two uplinks of one site do not make it jump, and a site that moved moves once."""

import time

import grpc
import pytest

from client import Account, Caller
from server import ASN_FILE, Server
from stubs import pb
from test_history import cause, changes_of, check_chain, edits_of

# Seconds for which the servers here wait before an estimate follows.
HOLD_S = 2
# Seconds until a move must be seen: far above the hold, for a busy machine.
MOVED_S_MAX = 60
REYKJAVIK, OTHER = "213.167.128.1", "8.8.8.8"


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    waits = ["--move-after", str(HOLD_S)]
    with Server(tmp_path_factory.mktemp("patient") / "data", extra=[*waits, "--geoip", str(ASN_FILE)]) as server:
        with grpc.insecure_channel(server.target) as channel:
            yield Caller(channel, server.admin_token)


@pytest.fixture
def account(patient):
    return Account(patient)


def from_(account, activated, ip):
    return Caller(account.operator.channel, activated.credential, ip)


def test_two_uplinks_that_take_turns_move_nothing(account):
    activated = account.activate("fw-1", ip=REYKJAVIK)
    first, reader = activated.location, account.caller()
    ends = time.monotonic() + 3 * HOLD_S
    turns = 0
    while time.monotonic() < ends:
        for ip in (OTHER, REYKJAVIK):
            assert from_(account, activated, ip).ReportStatus().public_ip == ip
            site = reader.GetSite(name=activated.site)
            assert site.location == first, f"turn {turns}: a second uplink moved the site"
            assert site.public_ip == ip, "the address itself is always the last one"
            turns += 1
    assert turns > 10


def test_two_uplinks_that_take_turns_are_seldom_written(tmp_path):
    """Each call of a site behind two lines was a durable write."""
    with Server(tmp_path / "data", extra=["--move-after", "3600", "--geoip", str(ASN_FILE)]) as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            site, caller = account.create_site().name, account.caller("SERVICE")

            def report(**said):
                said = pb.SiteReport(site=site, **said)
                return caller.BatchReportStatus(parent=account.name, reports=[said]).results[0].outcome

            outcomes = []
            for turn in range(40):
                ip = (REYKJAVIK, OTHER)[turn % 2]
                outcomes.append(report(public_ip=ip))
                found = caller.GetSite(name=site)
                assert found.public_ip == ip, "the last address is shown"
                assert found.network == caller.LookupIp(parent=account.name, ip=ip).network
                assert caller.ListSites(parent=account.name).sites[0].public_ip == ip
            written = outcomes.count(pb.SiteReportResult.OUTCOME_WRITTEN)
            assert written <= 4 and outcomes.count(pb.SiteReportResult.OUTCOME_NOTED) == 40 - written, outcomes
            # The second line is noted beside the record, which has the first; then the first says something new.
            assert outcomes[-1] == pb.SiteReportResult.OUTCOME_NOTED
            offline = report(public_ip=REYKJAVIK, status=pb.SITE_STATUS_OFFLINE)
            assert offline == pb.SiteReportResult.OUTCOME_WRITTEN, "whatever else is new is written"
            assert caller.GetSite(name=site).public_ip == REYKJAVIK, "the one that was noted is not the last one"
            # A report without an address takes the noted one into the record with it.
            assert report(public_ip=OTHER, status=pb.SITE_STATUS_OFFLINE) == pb.SiteReportResult.OUTCOME_NOTED
            assert report(status=pb.SITE_STATUS_ONLINE) == pb.SiteReportResult.OUTCOME_WRITTEN
            assert caller.GetSite(name=site).public_ip == OTHER


def test_a_real_move_is_one_event(account):
    activated = account.activate("fw-1", ip=REYKJAVIK)
    reader, agent = account.caller(), from_(account, activated, OTHER)
    agent.ReportStatus()
    assert reader.GetSite(name=activated.site).location == activated.location, "one call proves nothing"
    seen, ends = [activated.location], time.monotonic() + MOVED_S_MAX
    while time.monotonic() < ends:
        agent.ReportStatus()
        location = reader.GetSite(name=activated.site).location
        if location != seen[-1]:
            seen.append(location)
            # And a while longer, to see that it stays.
            ends = time.monotonic() + HOLD_S
    assert len(seen) == 2, f"{len(seen) - 1} moves"
    network = seen[1].fixes[0].database.network
    assert network == reader.LookupIp(parent=account.name, ip=OTHER).fix.database.network


def test_who_runs_the_network_is_in_the_history_once_a_site_moved(account):
    caller = account.caller()
    home, there = (caller.LookupIp(parent=account.name, ip=ip).network for ip in (REYKJAVIK, OTHER))
    turns, moves = (account.activate(agent, ip=REYKJAVIK) for agent in ("fw-1", "fw-2"))
    for ip in (OTHER, REYKJAVIK) * 3:
        from_(account, turns, ip).ReportStatus()
        assert caller.GetSite(name=turns.site).network == (home if ip == REYKJAVIK else there)
    assert [cause(change) for change in check_chain(caller, turns.site)] == ["ACTIVATED"], "turns are no changes"

    agent, ends = from_(account, moves, OTHER), time.monotonic() + MOVED_S_MAX
    while caller.GetSite(name=moves.site).location == moves.location:
        assert time.monotonic() < ends, "the site does not move"
        agent.ReportStatus()
    told, first = check_chain(caller, moves.site)
    assert (cause(told), cause(first)) == ("REPORTED", "ACTIVATED")
    told = {field: (edit.old_value.text, edit.new_value.text) for field, edit in edits_of(told).items()}
    assert told["public_ip"] == (REYKJAVIK, OTHER)
    assert told["network.asn"] == (str(home.asn), str(there.asn)) and home.asn != there.asn
    assert told["network.isp"] == (home.isp, there.isp) and home.isp != there.isp
    assert [cause(change) for change in changes_of(caller, moves.site, "network")] == ["REPORTED"]


def test_the_network_is_that_of_the_last_address(account):
    activated, caller = account.activate("fw-1", ip=REYKJAVIK), account.caller()
    for ip in (OTHER, REYKJAVIK):
        from_(account, activated, ip).ReportStatus()
        network = caller.GetSite(name=activated.site).network
        assert network == caller.LookupIp(parent=account.name, ip=ip).network
        assert network.asn and network.isp


def test_the_hello_of_an_agent_waits_too(account):
    key = b"k" * 32
    first = account.activate("fw-1", key=key, ip=REYKJAVIK)
    again = account.activate("fw-1", key=key, ip=OTHER)
    assert again.public_ip == OTHER and again.location == first.location
    back = account.activate("fw-1", key=key, ip=REYKJAVIK)
    assert back.location == first.location


def test_a_site_without_an_estimate_waits_for_nothing(account):
    activated = account.activate("fw-1", ip="10.1.2.3")
    assert not activated.location.HasField("position")
    assert from_(account, activated, OTHER).ReportStatus().revision > 0
    assert account.caller().GetSite(name=activated.site).location.source == pb.FIX_SOURCE_GEOIP


def test_an_estimate_that_a_person_removed_does_not_come_back_by_a_second_uplink(account):
    activated, caller = account.activate("fw-1", ip=REYKJAVIK), account.caller()
    caller.DeleteFix(site=activated.site, source=pb.FIX_SOURCE_GEOIP)
    for ip in (OTHER, REYKJAVIK, OTHER, REYKJAVIK):
        from_(account, activated, ip).ReportStatus()
        location = caller.GetSite(name=activated.site).location
        assert location.no_estimate_reason == pb.NO_ESTIMATE_REASON_REMOVED and not location.fixes
