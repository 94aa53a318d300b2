"""Faults of the disk and the system under a running server: full, failing, slow, held, out of descriptors, stopped."""

import contextlib
import hashlib
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import grpc
import pytest

from client import Account, Caller, Failure, failure_of, health, mask, refused
from databases import DBIP, written
from server import BINARY, Server
from stubs import pb

# Longest time for what the server does by itself, on a busy machine.
WAIT_S_MAX = 30
NOTE_BYTES = 60_000
# By so much files may grow in the test of that limit: room for some notes.
GROWTH_BYTES = 1024 * 1024
# More than there are descriptors, and less than the system queues for a listener.
CONNECTIONS = 100
# Descriptors of a server that has few, and those of them that it has for itself: `OTHERS` in src/app/descriptors.rs.
FILES, OTHER_FILES = 300, 256
# For so long a watch goes on beside that.
CALLS_S_MAX = 120
IS_ROOT = os.geteuid() == 0


@contextlib.contextmanager
def serving(data_dir):
    """A server, an account on it, and its editor."""
    with Server(data_dir, geoip=False) as server, grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token), "acme")
        yield server, account, account.caller("EDITOR")


def set_note(editor, site, note, timeout=WAIT_S_MAX):
    request = pb.UpdateSiteRequest(site=pb.Site(name=site, note=note), update_mask=mask("note"))
    return editor.call("UpdateSite", request, timeout)


def check_after_restart(server, editor, expected):
    """Kills the server and starts it again: each site's note is one of those expected."""
    server.kill()
    server.start()
    with grpc.insecure_channel(server.target) as channel:
        again = Caller(channel, editor.token)
        for site, notes in expected.items():
            assert again.GetSite(name=site).note in notes
            set_note(again, site, "well again")


@contextlib.contextmanager
def small_disk(path):
    """A file system of 24 MiB."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", path]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def test_a_full_disk_refuses_writes_and_goes_on_when_there_is_room(tmp_path):
    """F6."""
    with small_disk(tmp_path / "small") as small, serving(small / "data") as (server, account, editor):
        site = account.create_site(note="first").name
        ballast = small / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(small).free - 2 * 1024 * 1024))
        made = []
        with pytest.raises(grpc.RpcError) as full:
            for number in range(1000):
                made.append(account.create_site(f"large {number}", note=f"{number} ".ljust(NOTE_BYTES, "x")).name)
        assert full.value.code().name == "RESOURCE_EXHAUSTED" and made, full.value
        # Once more, by its reason; and what was refused has left nothing.
        create = pb.CreateSiteRequest(parent=account.name, site=pb.Site(display_name="late", note="y" * NOTE_BYTES))
        refused("RESOURCE_EXHAUSTED", "STORAGE_FULL", lambda: editor.call("CreateSite", create))
        assert len(editor.ListSites(parent=account.name, page_size=1000).sites) == 1 + len(made)
        assert editor.GetSite(name=site).note == "first"
        ballast.unlink()
        late = editor.call("CreateSite", create).name
        assert editor.GetSite(name=late).note == "y" * NOTE_BYTES, "without a restart"
        last = f"{len(made) - 1} ".ljust(NOTE_BYTES, "x")
        check_after_restart(server, editor, {site: ["first"], late: ["y" * NOTE_BYTES], made[-1]: [last]})


def test_files_that_may_grow_no_more_refuse_writes_until_they_may(tmp_path):
    """F6, with a limit on the size of files (EFBIG), which SQLite tells as any other failure of the disk: writes stopped until somebody
    started waymark again. The signal that comes with it had ended the server without a word."""
    with serving(tmp_path / "data") as (server, account, editor):
        site, made = account.create_site(note="first").name, []
        largest = max(path.stat().st_size for path in server.data_dir.iterdir())
        before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest + GROWTH_BYTES, before[1]))
        with pytest.raises(grpc.RpcError) as full:
            for number in range(1000):
                made.append(account.create_site(f"large {number}", note=f"{number} ".ljust(NOTE_BYTES, "x")).name)
        assert made and Failure(full.value).reason == "STORAGE_FULL", full.value
        assert server.process.poll() is None and health(account.operator.channel) == 1, "it serves on"
        assert editor.GetSite(name=site).note == "first", "reads go on"
        assert len(editor.ListSites(parent=account.name, page_size=1000).sites) == 1 + len(made)
        assert "there is no room" in server.log_text()
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
        late = account.create_site("late", note="y" * NOTE_BYTES).name
        assert set_note(editor, site, "again").note == "again", "without a restart"
        goes_on(server)
        notes = {name: [f"{number} ".ljust(NOTE_BYTES, "x")] for number, name in enumerate(made)}
        check_after_restart(server, editor, {site: ["again"], late: ["y" * NOTE_BYTES]} | notes)


def goes_on(server):
    """Asserts that a store did not stop itself, and that nothing of its own tries is left."""
    assert "start waymark again" not in server.log_text()
    assert not [name for name in ("STOPPED", "PROBE") if (server.data_dir / name).exists()]


def test_a_quota_that_is_used_up_refuses_writes_until_there_is_some(tmp_path):
    """F6, with EDQUOT, which SQLite tells as any other failure of the disk."""
    with serving(tmp_path / "data") as (server, account, editor):
        site, other = account.create_site(note="kept").name, account.create_site(note="kept").name
        with injected(server, "error=EDQUOT", tmp_path / "strace", "pwrite64"):
            refused("RESOURCE_EXHAUSTED", "STORAGE_FULL", lambda: set_note(editor, site, "x" * NOTE_BYTES))
        assert [editor.GetSite(name=name).note for name in (site, other)] == ["kept", "kept"], "nothing of it is there"
        assert set_note(editor, other, "late").note == "late", "without a restart"
        goes_on(server)
        check_after_restart(server, editor, {site: ["kept"], other: ["late"]})


def test_a_write_that_fails_for_no_want_of_room_ends_writing(tmp_path):
    """F7: there is room, so nobody knows what ails the disk."""
    with serving(tmp_path / "data") as (server, account, editor):
        site = account.create_site(note="kept").name
        # The first write that fails; what is tried then to see whether there is room goes through.
        with injected(server, "error=EIO:when=1", tmp_path / "strace", "pwrite64"):
            meets_failure(lambda: set_note(editor, site, "in doubt"))
        refused("UNAVAILABLE", "STORAGE_UNAVAILABLE", lambda: set_note(editor, site, "late"))
        assert editor.GetSite(name=site).note == "kept", "reads go on"
        assert "start waymark again when the disk is well" in server.log_text()
        check_after_restart(server, editor, {site: ["kept"]})


def meets_failure(write):
    """Whether a write that a failing disk does not take is in doubt; else the disk failed before, while the log was folded."""
    failure = failure_of(write)
    assert failure.code.name == "UNAVAILABLE", failure
    assert failure.reason in ("OUTCOME_UNKNOWN", "STORAGE_UNAVAILABLE"), failure
    return failure.reason == "OUTCOME_UNKNOWN"


@contextlib.contextmanager
def injected(server, how, log, calls="fdatasync,fsync"):
    """Lets syncs of the server, or other calls to the system, fail or wait, by strace; afterwards checks that some did."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    command = ["strace", "-f", "-qq", "-p", str(server.process.pid), "-e", f"trace={calls}", "-o", str(log)]
    command += ["-e", f"inject={calls}:{how}"]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + WAIT_S_MAX
        while not all(tracers_of(server)):
            if tracer.poll() is not None:
                pytest.skip(f"strace cannot attach here: {tracer.stderr.read().strip()}")
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield
    finally:
        tracer.terminate()
        tracer.wait()
    count = len(re.findall(r"\(.*(?:INJECTED|DELAYED)", log.read_text(encoding="utf-8")))
    assert count > 0, "the injector never struck"


def tracers_of(server):
    """Of each thread of the server, whether it is traced."""
    for status in Path(f"/proc/{server.process.pid}/task").glob("*/status"):
        with contextlib.suppress(OSError):
            yield re.search(r"TracerPid:\s+(\d+)", status.read_text(encoding="ascii"))[1] != "0"


def test_a_sync_that_fails_is_never_acknowledged_and_never_tried_again(tmp_path):
    """F8."""
    with serving(tmp_path / "data") as (server, account, editor):
        site, other = account.create_site(note="kept").name, account.create_site(note="kept").name
        request_id = str(uuid.uuid4())
        create = pb.CreateSiteRequest(parent=account.name, site=pb.Site(display_name="in doubt"), request_id=request_id)
        with injected(server, "error=EIO", tmp_path / "strace"):
            is_in_doubt = meets_failure(lambda: editor.call("CreateSite", create))
        # The disk is well again; what it holds is not known, so nothing more is written.
        refused("UNAVAILABLE", "STORAGE_UNAVAILABLE", lambda: set_note(editor, other, "late"))
        refused("UNAVAILABLE", "STORAGE_UNAVAILABLE", lambda: editor.call("CreateSite", create))
        assert editor.GetSite(name=other).note == "kept", "reads go on"
        assert "start waymark again when the disk is well" in server.log_text()
        assert (server.data_dir / "STOPPED").exists()
        check_after_restart(server, editor, {site: ["kept"], other: ["kept"]})
        assert not (server.data_dir / "STOPPED").exists() and "its log is written again" in server.log_text()
        # A repeat settles it, whether it was done or not.
        with grpc.insecure_channel(server.target) as channel:
            again = Caller(channel, editor.token)
            names = [it.display_name for it in again.ListSites(parent=account.name).sites]
            assert is_in_doubt or "in doubt" not in names, "nothing was written"
            made = {again.call("CreateSite", create).name for _ in range(2)}
            there = [it.name for it in again.ListSites(parent=account.name).sites if it.display_name == "in doubt"]
            assert made == set(there) and len(there) == 1


def test_a_log_that_is_gone_is_noticed_and_accepted_by_hand_alone(tmp_path):
    """F4."""
    with serving(tmp_path / "data") as (server, account, editor):
        site = account.create_site(note="first").name
        # A start folds what is there, and what is written then goes to the log first.
        server.kill()
        server.start()
        names = ("waymark.sqlite3", "waymark.sqlite3-wal", "ACKNOWLEDGED")
        database, log, noted = (server.data_dir / name for name in names)
        folded = database.read_bytes()
        with grpc.insecure_channel(server.target) as channel:
            set_note(Caller(channel, editor.token), site, "late")
            server.kill()
        # Where it was folded meanwhile, too: as if it was not.
        assert log.stat().st_size > 0, "there is nothing to be lost"
        log.unlink()
        database.write_bytes(folded)
        for _ in range(2):
            said = refusal(server.data_dir)
            assert "restore it from a backup" in said and "remove ACKNOWLEDGED" in said, said
        to = ["--to", tmp_path / "copy"]
        backup = [BINARY, "backup", "--data-dir", server.data_dir, *to]
        done = subprocess.run(backup, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "were acknowledged" in done.stderr, done
        noted.unlink()
        check_after_restart(server, editor, {site: ["first"]})
        assert noted.exists(), "nothing is noted from here on"


# The disk is two seconds late, and who waits for it must be told sooner.
@pytest.mark.alone
def test_a_slow_disk_keeps_deadlines_and_reads(tmp_path):
    """F9."""
    with serving(tmp_path / "data") as (server, account, editor):
        site = account.create_site(note="before").name
        with injected(server, "delay_exit=2000000", tmp_path / "strace"):
            begun = time.monotonic()
            failure = failure_of_late(lambda: set_note(editor, site, "slow", timeout=0.5))
            assert failure.code().name == "DEADLINE_EXCEEDED" and time.monotonic() - begun < 2, "not after the disk"
            assert editor.GetSite(name=site).name == site, "reads do not wait for writes"
            # Nobody was told, and it goes through: a caller that wants to know asks again.
            set_note(editor, site, "after")
            assert time.monotonic() - begun > 2, "acknowledged before the disk had it"
        check_after_restart(server, editor, {site: ["after"]})


def failure_of_late(call):
    """The error of a call whose client gave up: it has no details of the server's."""
    with pytest.raises(grpc.RpcError) as late:
        call()
    return late.value


def refusal(data_dir, binary=BINARY, **process):
    """One line of a server that does not start."""
    command = [binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S_MAX, check=False, **process)
    assert done.returncode == 1, done
    lines = [line for line in done.stderr.splitlines() if line.startswith("waymark: ")]
    assert len(lines) == 1 and "panicked" not in done.stderr, done.stderr
    return lines[0]


def test_a_directory_that_cannot_be_used_is_refused_in_one_line(tmp_path):
    """F10."""
    with serving(tmp_path / "data") as (server, account, editor):
        assert "another process holds it" in refusal(server.data_dir)
        site = account.create_site(note="kept").name
        assert editor.GetSite(name=site).note == "kept", "the first one serves on"
    (tmp_path / "file").write_text("no directory", encoding="utf-8")
    assert str(tmp_path / "file") in refusal(tmp_path / "file")


def test_a_directory_that_may_not_be_written_is_refused_in_one_line(tmp_path):
    """F10. What others may not write root may: so root is somebody else here."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        binary, closed = Path(place) / "waymark", Path(place) / "closed"
        shutil.copy(BINARY, binary)
        closed.mkdir()
        closed.chmod(0o555)
        Path(place).chmod(0o755)
        other = {"user": 65534, "group": 65534, "extra_groups": []} if IS_ROOT else {}
        assert "ermission denied" in refusal(closed, binary=binary, **other)
        assert not list(closed.iterdir())


def test_files_of_a_newer_waymark_are_refused_and_left_alone(tmp_path):
    """F11. Those of older ones: src/store/embedded/formats.rs and torture/damage.rs."""
    with serving(tmp_path / "data") as (server, account, _):
        account.create_site("kept")
    file = tmp_path / "data" / "waymark.sqlite3"
    with contextlib.closing(sqlite3.connect(file)) as newer:
        assert newer.execute("PRAGMA user_version").fetchone()[0] < 99
        newer.execute("PRAGMA user_version = 99")
        newer.execute("PRAGMA journal_mode = DELETE")
    before = file.read_bytes()
    said = refusal(tmp_path / "data")
    assert "format 99" in said and "use the waymark that wrote it" in said
    assert file.read_bytes() == before


def test_without_descriptors_present_calls_go_on_and_new_ones_wait(tmp_path):
    """F12."""
    with serving(tmp_path / "data") as (server, account, editor), contextlib.ExitStack() as opened:
        site = account.create_site(note="0").name
        pid = server.process.pid
        used = len(os.listdir(f"/proc/{pid}/fd"))
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 20, limits[1]))
        host, port = server.target.rsplit(":", 1)
        for _ in range(CONNECTIONS):
            opened.enter_context(socket.create_connection((host, int(port)), WAIT_S_MAX))
        deadline = time.monotonic() + WAIT_S_MAX
        while len(os.listdir(f"/proc/{pid}/fd")) < used + 20:
            assert time.monotonic() < deadline, "the limit is never reached"
            time.sleep(0.01)
        # For a second nobody asks anything: a loop that spins takes all of it.
        before, begun = server.cpu_s(), time.monotonic()
        time.sleep(1)
        assert (server.cpu_s() - before) / (time.monotonic() - begun) < 0.2, "it spins"
        for number in range(1, 20):
            set_note(editor, site, str(number))
            assert editor.GetSite(name=site).note == str(number), "present connections are served"
        opened.close()
        with grpc.insecure_channel(server.target) as fresh:
            assert Caller(fresh, editor.token).GetSite(name=site).note == "19", "by itself"
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def test_connections_leave_the_files_of_the_store_and_of_a_reload_alone(tmp_path):
    """F12. As many clients as there are descriptors do not take those that the server has for itself."""
    file = written(tmp_path / "city.mmdb", "DBIP-City-Lite", {"64.0.0.0/2": DBIP})
    server = Server(tmp_path / "data", geoip=False, extra=["--geoip", file])
    server.command = ["prlimit", f"--nofile={FILES}:{FILES}", *server.command]
    with server, grpc.insecure_channel(server.target) as channel, contextlib.ExitStack() as opened:
        account = Account(Caller(channel, server.admin_token), "acme")
        editor, site = account.caller("EDITOR"), account.create_site(note="0").name
        descriptors = lambda: len(os.listdir(f"/proc/{server.process.pid}/fd"))  # noqa: E731
        used, (host, port) = descriptors(), server.target.rsplit(":", 1)
        # A connection with a watch is needed, and none of those that come takes its place.
        watch = editor.begin("WatchSites", pb.WatchSitesRequest(parent=account.name), CALLS_S_MAX)
        next(watch)
        for _ in range(FILES):
            opened.enter_context(socket.create_connection((host, int(port)), WAIT_S_MAX))
        deadline = time.monotonic() + WAIT_S_MAX
        # One of the connections is there already.
        while descriptors() < used + FILES - OTHER_FILES - 1:
            assert time.monotonic() < deadline, "too few connections come through for a test"
            time.sleep(0.01)
        written(file, "DBIP-City-Lite", {"64.0.0.0/2": DBIP, "81.0.0.0/8": DBIP})
        [database] = account.operator.ReloadDatabases().databases
        assert database.in_use.sha256 == hashlib.sha256(file.read_bytes()).hexdigest(), "the reload found no descriptor"
        for number in range(1, 20):
            set_note(editor, site, str(number))
            assert editor.GetSite(name=site).note == str(number), "the store found none, or the connection was cut"
        watch.cancel()
        assert descriptors() < FILES
        assert "too many open files" not in server.log_text().lower()


def test_a_server_that_was_stopped_for_a_while_goes_on_where_it_was(tmp_path):
    """F15."""
    with serving(tmp_path / "data") as (server, account, editor):
        site = account.create_site(note="before").name
        server.process.send_signal(signal.SIGSTOP)
        try:
            late = failure_of_late(lambda: set_note(editor, site, "while it stood", timeout=2))
            assert late.code().name == "DEADLINE_EXCEEDED"
        finally:
            server.process.send_signal(signal.SIGCONT)
        seen = editor.GetSite(name=site)
        assert seen.note in ("before", "while it stood")
        written = set_note(editor, site, "after")
        assert written.revision > seen.revision
        check_after_restart(server, editor, {site: ["after"]})

