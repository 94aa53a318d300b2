"""The system gives a server no more memory than its callers are documented to make it hold: it goes on, and is not killed (F13)."""

import contextlib
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from client import Caller, until
from server import Server
from test_slow_clients import (
    NOTE_BYTES,
    SITES,
    TURNS,
    WATCHERS_MB_MAX,
    WATCHES_EACH,
    WATCHING_CONNECTIONS,
    change_before_who_never_reads,
)

MB = 1024 * 1024
# Beside what a thousand watches may cost: the account, its sites, and files that the system keeps in memory for the store.
OTHERS_MB = 64
# Of a process that takes more than it may have.
VICTIM_MB, TAKEN_MB, VICTIM_S_MAX = 64, 256, 60


@contextlib.contextmanager
def limited(megabytes):
    """A control group whose processes may have so much memory together, of what they take from now on."""
    # Version 2 has groups for processes or for other groups: who is in one makes none below it.
    groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()]
    own = next((path for _, what, path in groups if "memory" in what.split(",")), None)
    root = Path("/sys/fs/cgroup/memory")
    if own is None or not root.is_dir():
        pytest.skip("there are no control groups of version 1 for memory")
    parent = root / own.lstrip("/")
    group = (parent if parent.is_dir() else root) / f"waymark-{secrets.token_hex(6)}"
    try:
        group.mkdir()
    except OSError as cause:
        pytest.skip(f"no control group can be made here: {cause}")
    try:
        (group / "memory.limit_in_bytes").write_text(str(megabytes * MB), encoding="ascii")
        yield group
    finally:
        until("somebody is in the group still", lambda: not (group / "cgroup.procs").read_text(encoding="ascii").strip())
        group.rmdir()


def take_in(group, process):
    (group / "cgroup.procs").write_text(str(process.pid), encoding="ascii")


def kills(group):
    """How many of its processes were killed for want of memory."""
    told = dict(line.split() for line in (group / "memory.oom_control").read_text(encoding="ascii").splitlines())
    return int(told.get("oom_kill", 0))


def is_killed_who_takes_more():
    """Whether a limit is one here: with swap, or in a system that does not enforce it, nothing would be shown."""
    code = f"input(); held = b'x' * {TAKEN_MB * MB}"
    with limited(VICTIM_MB) as group:
        victim = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        take_in(group, victim)
        victim.communicate(b"\n", timeout=VICTIM_S_MAX)
        return victim.returncode == -signal.SIGKILL and kills(group) == 1


# A thousand watches take both cores.
@pytest.mark.alone
def test_a_server_is_not_killed_that_may_have_what_it_is_documented_to_need(tmp_path):
    told_mb = WATCHING_CONNECTIONS * WATCHES_EACH * SITES * TURNS * NOTE_BYTES // MB
    room_mb = WATCHERS_MB_MAX + OTHERS_MB
    assert told_mb > 4 * room_mb, "who kept all of it for each watch would have room"
    if not is_killed_who_takes_more():
        pytest.skip("nobody is killed here who takes more memory than a limit")
    with (
        limited(room_mb) as group,
        Server(tmp_path / "data", geoip=False, trusted_proxy=False) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        take_in(group, server.process)
        change_before_who_never_reads(server, Caller(channel, server.admin_token))
        peak_mb = int((group / "memory.max_usage_in_bytes").read_text(encoding="ascii")) // MB
        print(f"of {room_mb} MB at most {peak_mb} were used")
        assert peak_mb > 0 and kills(group) == 0 and server.process.poll() is None
