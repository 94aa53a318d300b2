"""Mails at their worst moments: the program dies when the mail server has the message, TLS is missing, a password is wrong."""

import os
import signal
from pathlib import Path

import pytest

from client import until
from mail_server import PASSWORD, code_of
from metrics_page import Metrics
from residents import Home, Running, is_dead, wait_until
from stubs import pb

# The column of /proc/net/tcp that holds the bytes which wait to be read, and the state of a connection that stands.
WAITING, ESTABLISHED = 4, "01"


def has_word_waiting(port):
    """Whether somebody has bytes of the server on this port that they did not read yet."""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        to, state, waiting = fields[2], fields[3], fields[WAITING].split(":")[1]
        if int(to.split(":")[1], 16) == port and state == ESTABLISHED and int(waiting, 16):
            return True
    return False


def stop_process(pid):
    """SIGSTOP, and nothing of it runs any more when this returns."""
    os.kill(pid, signal.SIGSTOP)
    stat = Path(f"/proc/{pid}/stat")
    until("it does not stop", lambda: stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T")


@pytest.mark.parametrize("is_word_given", [False, True], ids=["before the 250", "behind the 250"])
def test_a_kill_between_the_servers_word_and_the_commit_sends_the_same_mail_once_more(tmp_path, is_word_given):
    """The mail server has the message, and waymark is killed before it can write that down: with the 250 unread in its socket, or
    not said. A mail that is lost would be worse than one that comes twice, and both are the same one."""
    with Running(tmp_path) as running:
        home, mail = Home(running.account), running.mail
        pid, kills = running.server.process.pid, []

        def strike(_envelope):
            if kills:
                return
            kills.append(pid)
            # Stopped, it can neither read the 250 that follows nor commit.
            stop_process(pid)
            if not is_word_given:
                os.kill(pid, signal.SIGKILL)

        mail.on_mail = strike
        home.editor.InviteResident(name=home.name)
        mail.wait_for(lambda: len(mail.mails) == 1)
        if is_word_given:
            until("the 250 did not arrive", lambda: has_word_waiting(mail.port))
        running.restart(kill=True)
        mail.wait_for(lambda: len(mail.mails) == 2)
        home.editor = running.account.caller("EDITOR")
        wait_until(lambda: home.get().invitation_delivery == pb.INVITATION_DELIVERY_SENT, mail)
        assert kills == [pid], "the kill came"

        first, second = mail.to(home.email)
        assert first["message-id"] == second["message-id"]
        assert code_of(first) == code_of(second)
        for part in ("plain", "html"):
            assert first.get_body((part,)).get_content() == second.get_body((part,)).get_content()

        # Whoever is invited later gets theirs after what waited: nothing did.
        running.restart()
        assert Metrics.of(running.server)["waymark_mails_waiting"] == 0
        other = Home(running.account)
        other.editor.InviteResident(name=other.name)
        mail.code(other.email)
        assert len(mail.to(home.email)) == 2, "no third"
        home.resident(code_of(second))
        is_dead(home, code_of(first))


def settings(running, **changed):
    """Writes what is said of the mail server anew, with some of it changed; for the next start."""
    path = running.mail.config()
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.split(" =")[0] not in changed]
    path.write_text("\n".join([*kept, *(f'{key} = "{value}"' for key, value in changed.items())]) + "\n", encoding="utf-8")


def waits_and_says(running, home, why):
    """The mail is not lost, and log and owner are told so."""
    told = lambda: why in running.server.log_text()
    wait_until(told, running.mail)
    assert home.get().invitation_delivery == pb.INVITATION_DELIVERY_QUEUED
    assert home.state() == "INVITED"
    assert Metrics.of(running.server)["waymark_mails_waiting"] == 1


@pytest.mark.parametrize("reply", [None, "454 TLS not available due to temporary reason"], ids=["not offered", "refused"])
def test_without_tls_where_it_is_wanted_nothing_is_said_in_clear(tmp_path, reply):
    with Running(tmp_path, login=True) as running:
        home, mail = Home(running.account), running.mail
        mail.starttls_reply = reply
        settings(running, tls="starttls", ca_file=mail.ca_file)
        running.restart()
        home.editor = running.account.caller("EDITOR")
        home.editor.InviteResident(name=home.name)
        waits_and_says(running, home, "the mail server has no TLS that can be trusted")
        said = bytes(mail.heard).split(b"\r\n")
        # It greets, and parts: no sender, no recipient, no user and no password.
        assert said[0].startswith(b"EHLO ")
        assert {line.split(b" ")[0].upper() for line in said if line} <= {b"EHLO", b"STARTTLS", b"QUIT"}, said
        assert not mail.mails and mail.tries == 0

        # It is tried again, with longer pauses, and never plain.
        greetings = lambda: bytes(mail.heard).count(b"EHLO ")
        wait_until(lambda: greetings() >= 3, mail)
        assert home.email.encode() not in mail.heard and b"AUTH" not in mail.heard and b"MAIL" not in mail.heard

        # The server learns TLS: the mail goes by itself.
        mail.stop()
        mail.mode, mail.starttls_reply = "starttls", None
        mail.start()
        home.resident(mail.code(home.email))
        assert len(mail.to(home.email)) == 1


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_a_wrong_password_is_told_and_the_mail_goes_once_it_is_right(tmp_path, mode):
    with Running(tmp_path, mode, login=True) as running:
        home, mail = Home(running.account), running.mail
        mail.password_file.write_text("not-the-password-Canary\n", encoding="utf-8")
        running.restart()
        home.editor = running.account.caller("EDITOR")
        home.editor.InviteResident(name=home.name)
        waits_and_says(running, home, "the mail server does not take mail.user and its password")
        # Asked again and again, and no storm of it: the pauses are of a second, of two, and so on, a quarter more or less.
        mail.wait_for(lambda: len(mail.logins) >= 3)
        assert mail.logins[2] - mail.logins[0] >= 0.75 * 3
        assert not mail.mails

        mail.password_file.write_text(PASSWORD + "\n", encoding="utf-8")
        running.restart()
        home.editor = running.account.caller("EDITOR")
        home.resident(mail.code(home.email))
        assert len(mail.to(home.email)) == 1
        for secret in (PASSWORD, "not-the-password-Canary", home.email):
            assert secret not in running.server.log_text()
