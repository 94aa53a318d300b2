"""Invitations on their way: mail servers that are away, refuse, or are not whom they say, and what is left of a mail."""

import grpc
import pytest

from client import Account, Caller, fetch, refused
from clock import faketime, set_clock
from mail_server import PASSWORD, MailServer, code_of
from residents import Home, Running, is_dead, wait_until
from server import Server
from stubs import pb


def test_no_mail_server_no_invitation(tmp_path):
    with Server(tmp_path / "data", geoip=False) as server, grpc.insecure_channel(server.target) as channel:
        home = Home(Account(Caller(channel, server.admin_token)))
        failure = refused(
            "FAILED_PRECONDITION", "MAIL_NOT_CONFIGURED", lambda: home.editor.InviteResident(name=home.name)
        )
        assert "[mail]" in failure.message and home.state() == "READY"


@pytest.mark.parametrize("mode", ["tls", "starttls"])
def test_servers_are_trusted_by_their_certificates_alone(tmp_path, mode):
    with Running(tmp_path, mode, login=True) as running:
        home = Home(running.account)
        home.editor.InviteResident(name=home.name)
        home.resident(running.mail.code(home.email))
    (tmp_path / "other").mkdir()
    (tmp_path / "mine").mkdir()
    stranger = MailServer(tmp_path / "other", mode, login=True)
    stranger.start()
    mine = MailServer(tmp_path / "mine", mode, login=True)
    mine.port = stranger.port
    try:
        extra = ["--config", mine.config()]
        with Server(tmp_path / "mine/data", geoip=False, extra=extra) as server:
            with grpc.insecure_channel(server.target) as channel:
                home = Home(Account(Caller(channel, server.admin_token)))
                home.editor.InviteResident(name=home.name)
                wait_until(lambda: "no TLS that can be trusted" in server.log_text(), stranger)
        assert not stranger.mails
    finally:
        stranger.stop()


def test_a_mail_server_that_is_away_loses_no_mail_and_gets_one(tmp_path):
    with Running(tmp_path) as running:
        running.mail.stop()
        homes = [Home(running.account) for _ in range(5)]
        for home in homes:
            home.editor.InviteResident(name=home.name)
        revoked, superseded = homes[3], homes[4]
        revoked.editor.RevokeResidentAccess(name=revoked.name)
        superseded.editor.ResendInvitation(name=superseded.name)
        wait_until(lambda: "cannot be reached" in running.server.log_text(), running.mail)
        running.restart(kill=True)
        running.restart()
        running.mail.start()
        codes = [running.mail.code(home.email) for home in (*homes[:3], superseded)]
        caller = running.account.caller("EDITOR")
        sent = lambda home: caller.GetResidentAccess(name=home.name).invitation_delivery == pb.INVITATION_DELIVERY_SENT
        for home in (*homes[:3], superseded):
            wait_until(lambda home=home: sent(home), running.mail)
        running.restart()
        for code in codes:
            Caller(running.channel).RedeemInvitation(code=code)
        assert not running.mail.to(revoked.email)
        ids = [code_of(m) for home in homes for m in running.mail.to(home.email)]
        assert len(ids) == len(set(ids)) == 4


def test_a_refused_mail_is_given_up_and_one_that_is_put_off_is_not(tmp_path):
    with Running(tmp_path) as running:
        home = Home(running.account)
        running.mail.refuse = "451 later"
        home.editor.InviteResident(name=home.name)
        running.mail.wait_for(lambda: running.mail.tries >= 2)
        assert home.get().invitation_delivery == pb.INVITATION_DELIVERY_QUEUED
        running.mail.refuse = None
        running.mail.code(home.email)
        running.mail.refuse = "550 never"
        other = Home(running.account)
        other.editor.InviteResident(name=other.name)
        gone = lambda: other.get().invitation_delivery == pb.INVITATION_DELIVERY_REFUSED
        wait_until(gone, running.mail)
        running.mail.refuse = None
        other.editor.ResendInvitation(name=other.name)
        other.resident(running.mail.code(other.email))


def test_a_server_that_refuses_the_sender_loses_no_mail(tmp_path):
    with Running(tmp_path) as running:
        homes = [Home(running.account) for _ in range(2)]
        running.mail.refuse_sender = "550 who are you"
        for home in homes:
            home.editor.InviteResident(name=home.name)
        running.mail.wait_for(lambda: running.mail.tries >= 3)
        for home in homes:
            assert home.get().invitation_delivery == pb.INVITATION_DELIVERY_QUEUED
        assert "refuses this server or mail.from (550)" in running.server.log_text()
        running.mail.refuse_sender = None
        for home in homes:
            home.resident(running.mail.code(home.email))


@pytest.mark.skipif(not faketime(), reason="libfaketime is missing")
def test_an_invitation_that_ran_out_in_the_outbox_waits_no_more(tmp_path, monkeypatch):
    with Running(tmp_path) as running:
        home = Home(running.account)
        running.mail.stop()
        home.editor.InviteResident(name=home.name)
        set_clock(monkeypatch, "+8d")
        running.restart()
        caller = running.account.caller("EDITOR")
        delivery = lambda: caller.GetResidentAccess(name=home.name).invitation_delivery
        wait_until(lambda: delivery() == pb.INVITATION_DELIVERY_REFUSED, running.mail)


@pytest.mark.skipif(not faketime(), reason="libfaketime is missing")
def test_a_link_ends_after_seven_days(tmp_path, monkeypatch):
    with Running(tmp_path) as running:
        home = Home(running.account)
        home.editor.InviteResident(name=home.name)
        code = running.mail.code(home.email)
        set_clock(monkeypatch, "+8d")
        running.restart()
        refused("NOT_FOUND", "INVITATION_INVALID", lambda: Caller(running.channel).RedeemInvitation(code=code))
        caller = running.account.caller("EDITOR")
        assert caller.GetResidentAccess(name=home.name).state == pb.RESIDENT_ACCESS_STATE_EXPIRED
        caller.ResendInvitation(name=home.name)
        Caller(running.channel).RedeemInvitation(code=running.mail.code(home.email, 2))


def test_nothing_of_a_resident_is_in_logs_metrics_or_files(tmp_path):
    with Running(tmp_path, "starttls", login=True) as running:
        home = Home(running.account)
        running.mail.refuse = f"550 no such user {home.email}"
        home.editor.InviteResident(name=home.name)
        running.mail.wait_for(lambda: running.mail.tries >= 1)
        refused_sent = lambda: home.get().invitation_delivery == pb.INVITATION_DELIVERY_REFUSED
        wait_until(refused_sent, running.mail)
        running.mail.refuse = None
        home.editor.ResendInvitation(name=home.name)
        code = running.mail.code(home.email)
        secret = home.redeem(code).secret
        failure = is_dead(home, code)
        metrics = fetch(running.server.target, "/metrics", running.server.admin_token)[2].decode()
        said = running.server.log_text() + metrics + str(failure.details) + failure.message
        random = code.rsplit(".", 1)[1]
        for canary in (home.email, random, secret, PASSWORD):
            assert canary not in said
        files = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
        assert home.email.encode() in files, "or the look at the files finds nothing"
        for canary in (random, secret, PASSWORD):
            assert canary.encode() not in files


def test_mails_that_the_server_hangs_up_on_hold_up_no_other(tmp_path):
    with Running(tmp_path) as running:
        # Mails are kept in the order in which they were written: three bad ones come before the good one.
        *bad, good = [Home(running.account) for _ in range(4)]
        running.mail.drop = {home.email for home in bad}
        for home in (*bad, good):
            home.editor.InviteResident(name=home.name)
        running.mail.code(good.email)
        for home in bad:
            assert home.get().invitation_delivery == pb.INVITATION_DELIVERY_QUEUED
        running.mail.drop = set()
        for home in bad:
            home.resident(running.mail.code(home.email))
