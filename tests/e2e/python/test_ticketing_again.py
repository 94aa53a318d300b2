"""Links are checked again by themselves, once in the time that the operator says, whatever becomes of the process.

The least time is an hour, so the server's clock runs faster here; what it waits with does not.
"""

import time

import grpc
import pytest

from client import Account, Caller
from clock import faketime, set_clock
from stubs import pb
from ticketing_accounts import (  # noqa: F401, F811 (pytest finds fixtures by their names)
    BROKEN,
    DONE,
    VERIFIED,
    connect,
    link,
    serving,
    zendesk,
)

# Seconds of the server's clock in one of ours: an hour is over in 36 of them.
SPEED = 100
HOUR_S = 3_600
# So much less than an hour may be between two runs: how late the first one may have begun.
LATE_S = 60
# Our seconds until a run must be over: three of the server's hours.
ENDED_S_MAX = 108


def ended(account, count):
    """The runs of the account, the oldest first, once there are `count` and all are over."""
    ends = time.monotonic() + ENDED_S_MAX
    while True:
        runs = account.caller().ListTicketingVerifications(parent=account.name).verifications
        if len(runs) >= count and all(run.state == DONE for run in runs):
            return list(reversed(runs))
        assert time.monotonic() < ends, runs
        time.sleep(0.05)


@pytest.mark.skipif(not faketime(), reason="libfaketime is missing")
def test_links_are_checked_again_once_an_hour_also_after_a_crash(tmp_path, monkeypatch, zendesk):
    set_clock(monkeypatch, f"+{0:.0f} x{SPEED}")
    begun = time.monotonic()
    with serving(tmp_path, "verify_every_h = 1") as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            site = account.create_site(ticketing_links=[link(zendesk, 1, "Acme Ltd")])
            connect(account, zendesk)
            (first,) = ended(account, 1)
            assert (first.starter, first.verified_count) == ("system", 1)
            token = account.caller().token
        server.kill()
        del zendesk.organizations[1]
        # The next process starts where the clock of this one stands.
        set_clock(monkeypatch, f"+{(time.monotonic() - begun) * (SPEED - 1):.0f} x{SPEED}")
        server.start()
        with grpc.insecure_channel(server.target) as channel:
            account.operator, account._callers = Caller(channel, server.admin_token), {"ADMIN": Caller(channel, token)}
            (known,) = ended(account, 1)
            assert known == first and account.caller().GetSite(name=site.name).ticketing_links[0].state == VERIFIED
            runs = ended(account, 2)
            assert len(runs) == 2 and runs[0] == first
            between_s = runs[1].start_time.ToSeconds() - first.start_time.ToSeconds()
            # An hour, then the account's next time, of which there are eight in an hour, and some looks.
            assert HOUR_S - LATE_S <= between_s <= 2 * HOUR_S, between_s
            assert (runs[1].starter, runs[1].broken_count) == ("system", 1)
            assert account.caller().GetSite(name=site.name).ticketing_links[0].state == BROKEN
            reasons = [pb.ATTENTION_REASON_TICKETING_LINK_BROKEN]
            listed = account.caller().ListAttention(parent=account.name, reasons=reasons)
            assert [item.site.name for item in listed.items] == [site.name], "nobody asked, and it is told"
