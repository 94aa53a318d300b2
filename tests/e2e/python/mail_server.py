"""A real SMTP server of the test's own, `aiosmtpd`, with TLS and log-in, that keeps what it takes."""

import asyncio
import email
import email.policy
import json
import pathlib
import ssl
import sys
import threading
import time

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USER, PASSWORD = "waymark", "mail-password-Canary"
# Seconds to wait for a mail that is on its way; generous for a busy machine and the pauses of an outbox.
MAIL_S_MAX = 60


class Talk(SMTP):
    """A dialogue whose server remembers what was said to it, and may refuse TLS that it offers."""

    def data_received(self, data):
        self.event_handler.heard.extend(data)
        super().data_received(data)

    async def smtp_STARTTLS(self, arg):
        reply = self.event_handler.starttls_reply
        await (self.push(reply) if reply else super().smtp_STARTTLS(arg))


class MailServer:
    """Listens on a port of 127.0.0.1. `mode` is none, starttls or tls; what it takes is in `mails`, as it came."""

    def __init__(self, tmp_path, mode="starttls", port=0, login=True):
        self.tmp_path, self.mode, self.port, self.login = tmp_path, mode, port, login
        self.mails, self.refuse, self.tries = [], None, 0
        # What is said to each sender, if anything.
        self.refuse_sender = None
        # Hangs up on who writes to one of these addresses.
        self.drop = set()
        # All that was said to it, behind TLS where there is one; and what it answers to STARTTLS instead of doing it.
        self.heard, self.starttls_reply = bytearray(), None
        # When somebody logged in, or tried to.
        self.logins = []
        self.arrived = threading.Condition()
        self.thread = None
        # Called with each mail that was taken.
        self.on_mail = lambda envelope: None
        self.authority = trustme.CA()
        self.ca_file = tmp_path / "mail-ca.pem"
        self.ca_file.write_bytes(self.authority.cert_pem.bytes())
        self.password_file = tmp_path / "mail.password"
        self.password_file.write_text(PASSWORD + "\n", encoding="utf-8")
        self.password_file.chmod(0o600)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts listening, on the same port as before."""
        context, options = None, {"hostname": "localhost"}
        if self.mode != "none":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert("127.0.0.1").configure_cert(context)
        if self.mode == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        if self.login:
            # What is inside of TLS from the first byte looks plain to aiosmtpd.
            options |= {"authenticator": self._log_in, "auth_required": True}
            options["auth_require_tls"] = self.mode == "starttls"
        self.loop = asyncio.new_event_loop()
        listening = self.loop.create_server(
            lambda: Talk(self, loop=self.loop, **options),
            "127.0.0.1",
            self.port,
            ssl=context if self.mode == "tls" else None,
        )
        self.listener = self.loop.run_until_complete(listening)
        self.port = self.listener.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def stop(self):
        """Goes away, as a server that is down."""
        if self.thread:
            self.loop.call_soon_threadsafe(self.listener.close)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            self.loop.close()
            self.thread = None

    async def handle_EHLO(self, _server, session, _envelope, hostname, replies):
        session.host_name = hostname
        return [*replies[:-1], "250-STARTTLS", replies[-1]] if self.starttls_reply else replies

    def _log_in(self, _server, _session, _envelope, _mechanism, data):
        with self.arrived:
            self.logins.append(time.monotonic())
            self.arrived.notify_all()
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        # What is not "handled" gets the reply of a refusal from the library.
        return AuthResult(success=good, handled=good)

    async def handle_MAIL(self, _server, _session, envelope, address, options):
        with self.arrived:
            if self.refuse_sender:
                self.tries += 1
                self.arrived.notify_all()
                return self.refuse_sender
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 known"

    async def handle_RCPT(self, server, _session, envelope, address, _options):
        if address in self.drop:
            server.transport.abort()
            return "421 gone"
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, _server, _session, envelope):
        with self.arrived:
            self.tries += 1
            if self.refuse:
                self.arrived.notify_all()
                return self.refuse
            self.mails.append(envelope)
            self.arrived.notify_all()
        self.on_mail(envelope)
        return "250 taken"

    def config(self, public_url="http://127.0.0.1:1"):
        """The `[mail]` table for this server."""
        lines = [
            "[mail]", 'host = "127.0.0.1"', f"port = {self.port}", f'tls = "{self.mode}"',
            'from = "Way Mark <no-reply@waymark.test>"', f'public_url = "{public_url}"',
        ]
        if self.mode != "none":
            lines.append(f'ca_file = "{self.ca_file}"')
        if self.login:
            lines += [f'user = "{USER}"', f'password_file = "{self.password_file}"']
        path = self.tmp_path / "mail.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def wait_for(self, condition):
        """Waits until the condition holds, which arrivals may change."""
        with self.arrived:
            assert self.arrived.wait_for(condition, MAIL_S_MAX), f"{self.tries} tries, {len(self.mails)} mails"

    def to(self, address):
        """The mails to an address, parsed."""
        with self.arrived:
            found = [envelope for envelope in self.mails if envelope.rcpt_tos == [address]]
        return [email.message_from_bytes(one.content, policy=email.policy.default) for one in found]

    def code(self, address, count=1):
        """The code of the `count`-th mail to an address, once it is there."""
        self.wait_for(lambda: sum(one.rcpt_tos == [address] for one in self.mails) >= count)
        return code_of(self.to(address)[count - 1])


def code_of(message):
    """What stands behind the `#` of a mail's link."""
    text = message.get_body(("plain",)).get_content()
    (link,) = [line for line in text.splitlines() if "/invitation#" in line]
    return link.split("#")[1]


def main():
    """For tests in other languages: a server until standard input ends. Prints the path of a configuration for it, then a
    line of JSON for each mail. Reads what to do from then on, a line each: `stop`, `start`, `refuse REPLY`, `take`."""

    def tell(envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        markup = message.get_body(("html",)).get_content()
        told = {"to": envelope.rcpt_tos[0], "subject": message["subject"], "code": code_of(message), "html": markup}
        print(json.dumps(told), flush=True)

    with MailServer(pathlib.Path(sys.argv[1])) as server:
        server.on_mail = tell
        print(server.config(), flush=True)
        for line in sys.stdin:
            word, _, reply = line.rstrip("\n").partition(" ")
            if word in ("stop", "start"):
                getattr(server, word)()
            else:
                server.refuse = {"refuse": reply, "take": None}[word]


if __name__ == "__main__":
    main()
