"""All data from one machine into a Redis and back: clients go on as if nothing had happened."""

import base64
import os
import re
import secrets
import shutil
import subprocess

import grpc
import pytest

import redis_server
from client import Account, Caller, mask
from redis_server import Redis
from server import BINARY, Server
from stubs import pb
from test_revisions import everything, settle
from test_watches import SiteWatcher

# Seconds for a migration of some hundred records, with the time that a dead replica's lease is looked at.
MIGRATED_S_MAX = 120


def migrate(source, target):
    """Runs the command; gives its code, its lines and what it says against it."""
    command = [str(part) for part in (BINARY, "migrate", "--from", source, "--to", target)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WAYMARK_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=MIGRATED_S_MAX, env=environment, check=False)
    assert "panicked at" not in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines(), done.stderr


def migrated(source, target):
    code, lines, errors = migrate(source, target)
    assert code == 0, errors
    return lines


def refused(source, target, why):
    code, lines, errors = migrate(source, target)
    assert code != 0 and not lines and why in errors, errors


@pytest.fixture
def places(tmp_path):
    """Configurations of a directory, of a Redis, and of the directory that data comes back to."""
    with Redis(tmp_path, keeps=True) as redis:
        made = {}
        for name in ("here", "there", "back"):
            shared = f'[redis]\nnodes = ["127.0.0.1:{redis.port}"]\npartitions = 4\n' if name == "there" else ""
            # That of the first one is made beside its store.
            key = "" if name == "here" else f'[ticketing]\nkey_file = "{tmp_path}/copied.key"\n'
            made[name] = tmp_path / f"{name}.toml"
            made[name].write_text(
                f'data_dir = "{tmp_path}/{name}"\n{shared}{key}[service]\nmove_after_s = 0\n', encoding="utf-8"
            )
        yield made


def server_of(places, name):
    # The directory is in the file too, for the command that moves it.
    return Server(places[name].parent / name, gazetteer=True, extra=["--config", places[name]])


def fill(account):
    """Sites, agents, a resident, history, answered requests and tokens."""
    sites, caller = settle(account), account.caller("EDITOR")
    for number in range(5):
        site = pb.Site(name=sites[1], note=f"note {number} " + "long " * 200)
        caller.UpdateSite(site=site, update_mask=mask("note"))
    access = pb.ResidentAccess(name=f"{sites[2]}/residentAccess", owner_email="jo@acme.example", enabled=True)
    caller.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email", "enabled"))
    made = caller.CreateSite(parent=account.name, site=pb.Site(display_name="once"), request_id=REQUEST)
    return [*sites, made.name]


REQUEST = "5d8f5c0e-6a51-4c5e-9a5b-0d6f0d3b7a11"


def more(caller, sites):
    """What the lists do not show."""
    answers = [caller.GetResidentAccess(name=f"{sites[2]}/residentAccess")]
    answers += [caller.ListSiteChanges(parent=site, page_size=1000) for site in sites[:3]]
    return [answer.SerializeToString(deterministic=True) for answer in answers]


class Seen:
    """What a server showed, and what its clients hold."""

    def __init__(self, server, account, sites, watcher):
        self.account, self.sites, self.watcher = account, sites, watcher
        self.shown = (everything(server, account, sites[:-1]), more(account.caller(), sites))

    def goes_on_at(self, server, channel):
        """The same callers with the same tokens, at another server."""
        for caller in (self.account.operator, *self.account._callers.values()):
            caller.channel = channel
        caller = self.account.caller("EDITOR")
        shown = (everything(server, self.account, self.sites[:-1]), more(self.account.caller(), self.sites))
        differing = [what for what in self.shown[0] if self.shown[0][what] != shown[0][what]]
        assert not differing and shown[1] == self.shown[1], differing
        again = caller.CreateSite(parent=self.account.name, site=pb.Site(display_name="once"), request_id=REQUEST)
        assert again.name == self.sites[-1], "a request was answered anew"
        last = Caller(channel, caller.token).GetSite(name=self.sites[1])
        site = pb.Site(name=last.name, display_name=f"{last.display_name} on", etag=last.etag)
        changed = caller.UpdateSite(site=site, update_mask=mask("display_name"))
        watcher = SiteWatcher(caller, self.account.name, resume_revision=self.watcher.revision)
        watcher.sites = dict(self.watcher.sites)
        watcher.read_to(changed.revision)
        assert watcher.told == [changed.name], "the watch did not go on where it was"
        return Seen(server, self.account, self.sites, watcher)


def test_everything_comes_over_and_back(places, tmp_path):
    with server_of(places, "here") as server, grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token))
        sites = fill(account)
        watcher = SiteWatcher(account.caller("EDITOR"), account.name)
        watcher.read_to(account.caller().GetSite(name=sites[-1]).revision)
        watcher.stream.cancel()
        seen = Seen(server, account, sites, watcher)
        other = tmp_path / "copied.key"
        other.write_bytes(base64.b64encode(secrets.token_bytes(32)))
        other.chmod(0o600)
        refused(places["here"], places["there"], "another key for credentials")
        shutil.copy(tmp_path / "here" / "credentials.key", tmp_path / "copied.key")
        refused(places["here"], places["there"], "another process holds it")
    refused(places["here"], places["back"], "one of the two configurations has [redis]")
    lines = migrated(places["here"], places["there"])
    assert re.match(r"the operator\t\d+ records\trevision \d+\tsha256 [0-9a-f]{64}", lines[0]), lines
    assert lines[1].startswith(f"{account.id}\t") and "migrated and verified" in lines[-1], lines
    refused(places["here"], places["there"], "choose another redis.prefix")
    with server_of(places, "there") as server, grpc.insecure_channel(server.target) as channel:
        seen = seen.goes_on_at(server, channel)
        refused(places["there"], places["back"], "a replica runs")
        assert not (tmp_path / "back" / "waymark.sqlite3").exists()
        # Its lease is there, and nobody renews it.
        server.kill()
    migrated(places["there"], places["back"])
    with server_of(places, "back") as server, grpc.insecure_channel(server.target) as channel:
        seen.goes_on_at(server, channel)


def test_a_migration_that_is_killed_leaves_nothing_that_serves(places, tmp_path):
    with server_of(places, "here") as server, grpc.insecure_channel(server.target) as channel:
        sites = fill(Account(Caller(channel, server.admin_token)))
    assert sites
    shutil.copy(tmp_path / "here" / "credentials.key", tmp_path / "copied.key")
    command = [str(part) for part in (BINARY, "migrate", "--from", places["here"], "--to", places["there"])]
    redis_port = int(re.search(r"127.0.0.1:(\d+)", places["there"].read_text(encoding="utf-8"))[1])
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        hold(redis_port, process)
        assert process.poll() is None, "it came to its end"
        process.kill()
    server = server_of(places, "there")
    with pytest.raises(AssertionError, match="did not come to its end"):
        server.start()
    migrated(places["here"], places["there"])
    with server_of(places, "there"):
        pass


def hold(port, process):
    """Waits until the migration began to fill the Redis, and lets it write no more for some seconds."""
    while process.poll() is None and redis_server.run(port, "EXISTS", "waymark:deployment") != ":1":
        pass
    redis_server.run(port, "CLIENT", "PAUSE", "2000", "WRITE")
