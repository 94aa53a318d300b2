"""The replica that does the background work stands still for so long that another one takes it over; and how soon replicas hear of each
other's writes."""

from contextlib import ExitStack

import pytest

from client import Account, Caller, until
from fleet import REPLICAS, Fleet, agree, single, told
from load import Recorder
from mail_server import MailServer
from redis_server import Redis
from residents import Home, wait_until
from stubs import pb
from watch_oracles import bookmarkable, ordered, unique

BEGINS, ENDS = "this replica does the background work", "another replica does the background work now"
# Tries of a leader that show that it works on: the pauses between them become longer.
TRIES = 2
# Writes at one replica that others hear of, one after the other.
WRITES = 100
# As docs/replicas.md says of the gauge: "under a second as a rule".
LAG_S_MAX = 1


@pytest.fixture
def fleet(tmp_path):
    """Three replicas, each with a mail server of its own: what is tried there was tried by that replica."""
    with ExitStack() as stack:
        fleet = Fleet(tmp_path, single(stack.enter_context(Redis(tmp_path, keeps=True))), stack)
        fleet.mails = []
        for number in range(REPLICAS):
            place = tmp_path / f"mail{number}"
            place.mkdir()
            mail = stack.enter_context(MailServer(place, "none", login=False))
            mail.refuse = "451 later"
            fleet.config = mail.config().read_text(encoding="utf-8")
            fleet.mails.append(mail)
            fleet.add()
        yield fleet


def leads(fleet, number):
    """Whether a replica does the background work, as far as it knows."""
    said = fleet.said(number)
    return said.rfind(BEGINS) > said.rfind(ENDS)


def leader(fleet, numbers):
    until("nobody leads", lambda: any(leads(fleet, number) for number in numbers))
    [found] = [number for number in numbers if leads(fleet, number)]
    return found


def test_a_leader_that_stood_still_does_nothing_with_the_lease_that_it_had(fleet):
    """F15."""
    old = leader(fleet, range(REPLICAS))
    others = [number for number in range(REPLICAS) if number != old]
    account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
    account.operator = fleet.caller(others[0], fleet.lets_in(fleet.servers[0].admin_token, account.name))
    home, mail = Home(account), fleet.mails[old]
    home.editor.InviteResident(name=home.name)
    editor = fleet.lets_in(home.editor.token, account.name)
    watcher = Recorder(fleet, editor, account.name, old)
    watcher.start()
    # It rests between two tries, with the mail in its memory and its next try due while it stands.
    waits = lambda: fleet.said(old).count("an invitation waits")  # noqa: E731
    wait_until(lambda: mail.tries >= TRIES and waits() == mail.tries, mail)
    fleet.pause(old)
    try:
        new = leader(fleet, others)
        fleet.mails[new].wait_for(lambda: fleet.mails[new].tries > 0)
        made, tried = account.create_site("while it stood").name, mail.tries
    finally:
        fleet.go_on(old)
    until("it takes itself for the leader still", lambda: not leads(fleet, old))
    begun = fleet.mails[new].tries
    fleet.mails[new].wait_for(lambda: fleet.mails[new].tries >= begun + TRIES)
    assert mail.tries == tried, "it tried to send with a lease that had lapsed"
    assert [leads(fleet, number) for number in range(REPLICAS)] == [number == new for number in range(REPLICAS)]
    for one in fleet.mails:
        one.refuse = None
    assert home.redeem(fleet.mails[new].code(home.email)).secret
    assert [len(one.to(home.email)) for one in fleet.mails] == [int(number == new) for number in range(REPLICAS)]
    agree(fleet, editor, account.name)
    revision = fleet.caller(old, editor).GetSite(name=made).revision
    until("its watch does not go on", lambda: watcher.stands_at(revision))
    watcher.end()
    assert not (ordered(watcher.log) + unique(watcher.log) + bookmarkable(watcher.log)), watcher.log


@pytest.mark.alone
def test_replicas_hear_of_each_others_writes_within_a_second(tmp_path):
    """By the servers' own word, with a watch at each replica that is told of each write before the next one is made."""
    with ExitStack() as stack:
        fleet = Fleet(tmp_path, single(stack.enter_context(Redis(tmp_path, keeps=True))), stack)
        for _ in range(REPLICAS):
            fleet.add()
        account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
        token = fleet.lets_in(account.caller("EDITOR").token, account.name)
        watchers = [Recorder(fleet, token, account.name, number) for number in range(REPLICAS)]
        for watcher in watchers:
            watcher.start()
        lags = []
        for number in range(WRITES):
            writer = fleet.caller(number % REPLICAS, token)
            made = writer.CreateSite(parent=account.name, site=pb.Site(display_name=f"site {number}"))
            until("a replica hears nothing", lambda: all(watcher.stands_at(made.revision) for watcher in watchers))
            lags += [told(fleet, at, "lag_seconds") for at in range(REPLICAS)]
        assert all(told(fleet, at, "following") == 1 for at in range(REPLICAS))
        assert all(told(fleet, at, "resyncs_total") == 0 for at in range(REPLICAS))
        lags.sort()
        middle = lags[len(lags) // 2]
        print(f"\nlag of {len(lags)} looks: half below {middle:.3f} s, the longest {lags[-1]:.3f} s")
        assert 0 < middle < LAG_S_MAX, lags
        for watcher in watchers:
            watcher.end()
            begun = [entry for entry in watcher.log if not hasattr(entry, "mark")]
            assert len(begun) == 1, "a watch had to begin anew"
            assert not (ordered(watcher.log) + unique(watcher.log) + bookmarkable(watcher.log)), watcher.log
