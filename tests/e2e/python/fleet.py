"""Servers of one deployment over Redis, and what shows that all of them hold the same."""

import base64
import secrets
import signal

import grpc

from client import WORLD, Caller, fetch, until
from server import Server

TILES = ["tiles/0/0/0.mvt", "tiles/3/3/2.mvt", "tiles/5/14/8.mvt"]
REPLICAS = 3
PARTITIONS = 4


class Fleet:
    """Replicas over one Redis, or over several that are one deployment; `redis` is the configuration's part on them."""

    def __init__(self, directory, redis, stack, config="", ticketing=""):
        """`config` is what else they are configured with, and `ticketing` what else of that table."""
        self.directory, self.redis, self.stack, self.config, self.ticketing = directory, redis, stack, config, ticketing
        self.key = directory / "credentials.key"
        self.key.write_text(base64.b64encode(secrets.token_bytes(32)).decode(), encoding="ascii")
        self.key.chmod(0o600)
        self.servers, self.channels = [], []
        # Where the log of a replica's present process begins.
        self.begun = []

    def add(self, geoip=False, **options):
        """Starts another replica."""
        number = len(self.servers)
        config = self.directory / f"replica{number}.toml"
        config.write_text(
            f'[redis]\n{self.redis}\n[ticketing]\nkey_file = "{self.key}"\n{self.ticketing}\n[service]\nmove_after_s = 0\n{self.config}',
            encoding="utf-8",
        )
        server = Server(self.directory / f"replica{number}", geoip=geoip, extra=["--config", config], **options)
        self.servers.append(self.stack.enter_context(server))
        self.channels.append(self.stack.enter_context(grpc.insecure_channel(server.target)))
        self.begun.append(0)
        return server

    def again(self, number):
        """Starts a replica again that ended."""
        self.begun[number] = len(self.servers[number].log_text())
        self.servers[number].start()
        self.channels[number] = self.stack.enter_context(grpc.insecure_channel(self.servers[number].target))

    def caller(self, number, token):
        return Caller(self.channels[number], token)

    def said(self, number):
        """What a replica logged since it was started last."""
        return self.servers[number].log_text()[self.begun[number] :]

    def pause(self, number):
        """Its process stands still: nothing goes in or out, and no connection ends."""
        self.servers[number].process.send_signal(signal.SIGSTOP)

    def go_on(self, number):
        self.servers[number].process.send_signal(signal.SIGCONT)

    def lets_in(self, token, parent):
        """Waits until each replica knows a token."""
        for number in range(len(self.servers)):
            until("a token is unknown", lambda: is_known(self.caller(number, token), parent))
        return token


def single(redis, partitions=PARTITIONS):
    """The configuration of one Redis."""
    return f'nodes = ["127.0.0.1:{redis.port}"]\npartitions = {partitions}'


def is_known(caller, parent):
    """Whether a replica lets a token in."""
    try:
        caller.ListSites(parent=parent, page_size=1)
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.NOT_FOUND), error
        return False
    return True


def known_to(caller, parent, revision):
    """The same caller, who knows of a revision and is answered by whoever knows it too."""
    known = Caller(caller.channel, caller.token)
    known.metadata = [*caller.metadata, ("waymark-min-revision", f"{parent}={revision}")]
    return known


def told(fleet, number, what):
    """What a replica's metrics tell of how it follows, to the operator's token that the first one made."""
    status, _, body = fetch(fleet.servers[number].target, "/metrics", fleet.servers[0].admin_token)
    assert status == 200
    [line] = [line for line in body.decode().splitlines() if line.startswith(f"waymark_replica_{what} ")]
    return float(line.split()[1])


def digest(fleet, number, token, parent):
    """All that a replica shows of an account: its list, views of its map, and tiles."""
    caller = fleet.caller(number, token)
    page, seen = "", []
    while page or not seen:
        answer = caller.ListSites(parent=parent, page_size=1000, page_token=page)
        seen += [site.SerializeToString(deterministic=True) for site in answer.sites] or [b""]
        page = answer.next_page_token
    for zoom in (0, 2, 4):
        view = caller.QueryViewport(parent=parent, viewport=WORLD, zoom=zoom)
        seen.append(view.SerializeToString(deterministic=True))
    for path in TILES:
        status, headers, body = fetch(fleet.servers[number].target, f"/v1/{parent}/{path}", token)
        assert status == 200
        seen += [headers["etag"], body]
    return seen


def agree(fleet, token, parent, numbers=None):
    """Waits until all show the same."""
    numbers = range(len(fleet.servers)) if numbers is None else numbers

    def is_so():
        digests = [digest(fleet, number, token, parent) for number in numbers]
        return all(other == digests[0] for other in digests)

    until("the replicas do not agree", is_so)
