"""Residents over three servers that share a Redis: of many who follow one link at once, each at another server, one gets in, and all the
others hear what one server alone would tell them. The token that the one gets is known everywhere."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest

from client import Account, Caller, Failure, refused
from fleet import REPLICAS, Fleet, known_to, single
from mail_server import MailServer
from redis_server import Redis
from residents import Home
from stubs import pb

AT_ONCE = 100
# Each race is another chance for two to win.
ROUNDS = 3


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """The servers, and a mail server that all of them know."""
    directory = tmp_path_factory.mktemp("residents")
    with ExitStack() as stack:
        mail = stack.enter_context(MailServer(directory, "none", login=False))
        redis = stack.enter_context(Redis(directory, keeps=True))
        fleet = Fleet(directory, single(redis), stack, mail.config().read_text(encoding="utf-8"))
        for _ in range(REPLICAS):
            fleet.add()
        yield fleet, mail


def home_of(fleet):
    account = Account(Caller(fleet.channels[0], fleet.servers[0].admin_token))
    home = Home(account)
    fleet.lets_in(home.editor.token, account.name)
    return home


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_of_a_hundred_at_three_servers_one_gets_in(running, round_):
    fleet, mail = running
    home = home_of(fleet)
    home.editor.InviteResident(name=home.name)
    code = mail.code(home.email)

    def redeem(number):
        there = Caller(fleet.channels[number % REPLICAS])
        try:
            return number % REPLICAS, there.RedeemInvitation(code=code, retry_key=secrets.token_bytes(32))
        except grpc.RpcError as error:
            return number % REPLICAS, Failure(error)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(redeem, range(AT_ONCE)))
    let_in = [answer.secret for _, answer in answers if not isinstance(answer, Failure)]
    told = [(number, answer.code.name, answer.reason) for number, answer in answers if isinstance(answer, Failure)]
    assert len(let_in) == 1 and let_in[0].startswith("wmk_"), answers
    assert {answer[1:] for answer in told} == {("NOT_FOUND", "INVITATION_INVALID")} and len(told) == AT_ONCE - 1, told
    assert {number for number, _, _ in told} == set(range(REPLICAS)), "each server refused some"

    # One entry tells of it, and all servers know the token, and that the link is used up.
    revision = home.editor.GetSite(name=home.site).revision
    changes = home.editor.ListSiteChanges(parent=home.site).changes
    assert [change.cause for change in changes].count(pb.CHANGE_CAUSE_INVITATION_REDEEMED) == 1
    for number in range(REPLICAS):
        editor = known_to(fleet.caller(number, home.editor.token), home.account.name, revision)
        assert editor.GetResidentAccess(name=home.name).state == pb.RESIDENT_ACCESS_STATE_ACCEPTED
        assert fleet.caller(number, let_in[0]).GetResidentSite(name=home.site).name == home.site
        again = lambda number=number: Caller(fleet.channels[number]).RedeemInvitation(code=code)
        refused("NOT_FOUND", "INVITATION_INVALID", again)
    assert len(mail.to(home.email)) == 1, "one mail, whoever sends mails"
