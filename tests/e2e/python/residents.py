"""A site with a resident to be, and a server with a mail server: what tests of resident access share."""

import secrets

import grpc

from client import Account, Caller, mask, refused
from mail_server import MAIL_S_MAX, MailServer
from server import Server
from stubs import pb

DEVICES = [
    pb.Device(id="cam", display_name="Front door camera", kind="camera", can_power=True),
    pb.Device(id="tv", display_name="Television", kind="tv", can_block=True),
    pb.Device(id="nas", display_name="Hidden storage", kind="nas", can_power=True, can_block=True),
]


def allow(device_id, **what):
    return pb.ResidentDevicePermission(device_id=device_id, **what)


class Home:
    """A site with an access for a resident who was not invited yet."""

    def __init__(self, account, **access):
        self.account, self.editor = account, account.caller("EDITOR")
        self.site = account.create_site(f"Home {secrets.token_hex(4)}", note="note-Canary").name
        self.name = f"{self.site}/residentAccess"
        self.email = f"jo-{secrets.token_hex(6)}@example.org"
        self.update(owner_email=self.email, enabled=True, **access)

    def update(self, etag="", **fields):
        access = pb.ResidentAccess(name=self.name, etag=etag, **fields)
        return self.editor.UpdateResidentAccess(resident_access=access, update_mask=mask(*fields))

    def get(self):
        return self.editor.GetResidentAccess(name=self.name)

    def state(self):
        return pb.ResidentAccessState.Name(self.get().state).removeprefix("RESIDENT_ACCESS_STATE_")

    def redeem(self, code, **more):
        return Caller(self.account.operator.channel).RedeemInvitation(code=code, **more)

    def resident(self, code):
        return Caller(self.account.operator.channel, self.redeem(code).secret)


def is_dead(home, code):
    return refused("NOT_FOUND", "INVITATION_INVALID", lambda: home.redeem(code))


class Running:
    """A server of the test's own with a mail server of its own."""

    def __init__(self, tmp_path, mode="none", login=False):
        self.mail = MailServer(tmp_path, mode, login=login)
        self.mail.start()
        self.server = Server(tmp_path / "data", geoip=False, extra=["--config", self.mail.config()])

    def __enter__(self):
        self.server.start()
        self.connect()
        self.account = Account(self.operator)
        return self

    def connect(self):
        self.channel = grpc.insecure_channel(self.server.target)
        self.operator = Caller(self.channel, self.server.admin_token)
        self.operator.mail_server = self.mail

    def restart(self, kill=False):
        self.channel.close()
        self.server.kill() if kill else self.server.stop()
        self.server.start()
        self.connect()
        self.account.operator = self.operator
        self.account._callers = {name: Caller(self.channel, c.token) for name, c in self.account._callers.items()}

    def __exit__(self, *error):
        self.channel.close()
        self.mail.stop()
        self.server.__exit__(*error)


def wait_until(condition, mail):
    """Waits for what a server does on its own."""
    with mail.arrived:
        for _ in range(10 * MAIL_S_MAX):
            if condition():
                return
            mail.arrived.wait(0.1)
    raise AssertionError("it did not come about")
