"""Raw addresses by a moved clock: whole for thirty days, then their networks; positions stay, also where the server dies."""

import ipaddress
import re
import time

import grpc
import pytest

from client import Account, Caller
from clock import faketime, set_clock
from server import ASN_FILE, Server
from stubs import pb
from test_history import changes_of

pytestmark = pytest.mark.skipif(not faketime(), reason="libfaketime is missing")

# The databases know the first one's network to four addresses: its name tells more than may be kept.
NARROW, V6, OTHER, LATER = "82.43.60.25", "2a01:4f8:1:2:3:4:5:6", "213.167.128.77", "89.160.20.112"
CLAIMED = "10.77.66.55"
# Sites of the test that kills, three reads of a sweep.
MANY = 250
# Seconds until a sweep has cut what it is to cut: far above what it takes.
SWEPT_S_MAX = 60


class Clocked:
    """A server whose clock is right at first, and some days ahead from the next start on."""

    def __init__(self, tmp_path, environment):
        self.server = Server(tmp_path / "data", extra=["--geoip", str(ASN_FILE)])
        self.environment, self.channel, self.account = environment, None, None

    def start(self, days, kill=False):
        """Ends it, and starts it so many days ahead of now."""
        self.channel.close()
        self.server.kill() if kill else self.server.stop()
        set_clock(self.environment, f"+{days}d")
        self.server.start()
        self.connect()

    def connect(self):
        self.channel = grpc.insecure_channel(self.server.target)
        operator = Caller(self.channel, self.server.admin_token)
        self.account = self.account or Account(operator)
        self.account.operator = operator
        self.account._callers = {name: Caller(self.channel, c.token) for name, c in self.account._callers.items()}
        self.admin, self.service = self.account.caller(), self.account.caller("SERVICE")

    def report(self, sites):
        """Reports of a service that sites came from addresses."""
        reports = [pb.SiteReport(site=site, public_ip=ip, status=pb.SITE_STATUS_ONLINE) for site, ip in sites]
        results = self.service.BatchReportStatus(parent=self.account.name, reports=reports).results
        assert all(one.outcome == pb.SiteReportResult.OUTCOME_WRITTEN for one in results), results

    def of(self, site):
        """All that is known of a site: the record as it is shown, and the history, the newest first."""
        shown = self.admin.GetSite(name=site)
        # A sweep writes what it cuts, of networks that nobody is shown, too.
        shown.ClearField("revision")
        return shown, changes_of(self.admin, site)

    def wait_for(self, condition):
        ends = time.monotonic() + SWEPT_S_MAX
        while not condition():
            assert time.monotonic() < ends, self.server.log_tail()
            time.sleep(0.01)

    def swept(self):
        """How often the server said that it cut something."""
        return self.server.log_text().count("addresses whose time is over are cut")


@pytest.fixture
def clocked(tmp_path, monkeypatch):
    running = Clocked(tmp_path, monkeypatch)
    with running.server:
        running.connect()
        yield running
        running.channel.close()


def told_ips(changes):
    """What a history tells of the address, the oldest first."""
    edits = [edit for change in reversed(changes) for edit in change.edits if edit.field == "public_ip"]
    return [(edit.old_value.text, edit.new_value.text) for edit in edits]


def says_more_than_a_network(text):
    """Addresses in a text, and networks of fewer of them than may be kept."""
    words = set(re.findall(r"[0-9a-f.:]+(?:/\d+)?", text.lower()))
    for word in words:
        try:
            network = ipaddress.ip_network(word)
        except ValueError:
            continue
        if network.prefixlen > (24 if network.version == 4 else 48):
            yield word


def test_an_address_is_whole_for_thirty_days_and_then_a_network(clocked):
    agent = lambda number, ip: clocked.account.caller("ENROLLMENT").behind(ip).ActivateAgent(
        parent=clocked.account.name, agent_id=f"a{number}", agent_key=bytes(32), claimed_ip=CLAIMED
    )
    four, six = (agent(number, ip).site for number, ip in enumerate((NARROW, V6)))
    moved = clocked.account.create_site("moved").name
    clocked.report([(moved, NARROW)])
    # A second line is told of once the site stays with it.
    for day in (1, 2):
        clocked.start(day)
        clocked.report([(moved, OTHER)])
    before = {site: clocked.of(site) for site in (four, six, moved)}

    # Another site, ten days later, is written behind the first ones; when it is cut depends on its own days.
    clocked.start(10)
    young = clocked.account.create_site("young").name
    clocked.report([(young, LATER)])
    before[young] = clocked.of(young)
    clocked.start(29)
    clocked.report([(clocked.account.create_site("marker").name, LATER)])
    assert {site: clocked.of(site) for site in before} == before, "nothing is cut before its time"
    assert [before[site][0].public_ip for site in (four, six, moved)] == [NARROW, V6, OTHER]
    assert before[four][0].claimed_ip == CLAIMED and told_ips(before[moved][1]) == [("", NARROW), (NARROW, OTHER)]
    assert NARROW in list(says_more_than_a_network(str(before[four])))

    swept = clocked.swept()
    clocked.start(32)
    clocked.wait_for(lambda: clocked.swept() > swept)
    after = {site: clocked.of(site) for site in before}
    assert after[young] == before[young], "a younger one stays whole"
    network = {four: "82.43.60.0/24", six: "2a01:4f8:1::/48", moved: "213.167.128.0/24"}
    for site, expected in network.items():
        (was, told), (now, tells) = before[site], after[site]
        assert (now.public_ip, now.claimed_ip) == (expected, "")
        assert now.location.position == was.location.position and now.location.source == was.location.source
        assert (now.etag, now.update_time, now.last_seen_time) == (was.etag, was.update_time, was.last_seen_time)
        assert [change.name for change in tells] == [change.name for change in told], "nothing happened to the site"
        assert not list(says_more_than_a_network(f"{now} {tells}"))
    assert told_ips(after[moved][1]) == [("", "82.43.60.0/24"), ("82.43.60.0/24", "213.167.128.0/24")]
    exported = str(clocked.admin.ExportAccountPersonalData(name=clocked.account.name, page_size=1000))
    assert list(says_more_than_a_network(exported)) == [LATER]

    # The agent comes back from where it was: nobody moved.
    again = agent(0, NARROW)
    assert again.site == four and clocked.of(four)[0].public_ip == NARROW
    assert clocked.of(four)[0].location == after[four][0].location


def test_a_sweep_that_dies_is_made_whole_by_the_next(clocked):
    sites = [clocked.account.create_site(f"s{number}").name for number in range(MANY)]
    address = {site: f"81.2.{60 + number // 200}.{1 + number % 200}" for number, site in enumerate(sites)}
    clocked.report(address.items())
    before = {site: clocked.of(site) for site in sites}
    clocked.start(31)
    first, last = sites[0], sites[-1]
    clocked.wait_for(lambda: "/" in clocked.admin.GetSite(name=first).public_ip)
    assert "/" not in clocked.admin.GetSite(name=last).public_ip, "it dies in the middle"
    clocked.start(31, kill=True)
    clocked.wait_for(clocked.swept)
    for site in sites:
        (was, told), (now, tells) = before[site], clocked.of(site)
        network = str(ipaddress.ip_network(f"{address[site]}/24", strict=False))
        assert (now.public_ip, told_ips(tells)) == (network, [("", network)]), site
        assert now.location.position == was.location.position and len(tells) == len(told)
        assert not list(says_more_than_a_network(f"{now} {tells}"))
