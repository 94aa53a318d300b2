"""Copies made while a server is written to: each is the store as of one commit, and what is restored from it serves."""

import os
import random
import sqlite3
import subprocess
import threading
import time

import grpc
import pytest

from client import Account, Caller, mask
from server import BINARY, Server
from stubs import pb
from test_history import check_chain

WRITERS = 4
BACKUPS = 5
KILLS = 12
COMMAND_S_MAX = 60


def run(*arguments, is_good=True):
    """A command's standard output, or its complaint: one line."""
    command = [BINARY, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False)
    assert (done.returncode == 0) == is_good, done
    if is_good:
        return done.stdout
    assert done.stderr.count("\n") == 1 and "panicked" not in done.stderr, done.stderr
    return done.stderr


def back_up(server, path):
    """Copies the server's store; gives the last revision of each account."""
    lines = run("backup", "--data-dir", server.data_dir, "--to", path, "--revisions").splitlines()
    assert path.stat().st_mode & 0o777 == 0o600
    assert lines[0].split()[1] == "records" and int(lines[0].split()[0]) > 0
    return {name: int(revision) for name, revision in (line.split("\t") for line in lines if "\t" in line)}


class Load:
    """Writers that count in the notes of their sites; knows the revision of each answer."""

    def __init__(self, editor, sites):
        # Site -> (revision, number) of each answer.
        self.editor, self.answers, self.stop = editor, {site: [] for site in sites}, threading.Event()
        self.threads = [threading.Thread(target=self.count, args=(site,)) for site in sites]

    def count(self, site):
        for number in range(1, 1_000_000):
            if self.stop.is_set():
                return
            written = self.editor.UpdateSite(site=pb.Site(name=site, note=str(number)), update_mask=mask("note"))
            self.answers[site].append((written.revision, number))

    def total(self):
        return sum(map(len, self.answers.values()))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def wait_for_more(self, count=20):
        """Until so many more writes are answered."""
        deadline, wanted = time.monotonic() + COMMAND_S_MAX, self.total() + count
        while self.total() < wanted:
            assert time.monotonic() < deadline, "the writers stand still"
            self.stop.wait(0.005)


@pytest.fixture
def busy(tmp_path):
    """A server with sites, an account, and its editor."""
    with Server(tmp_path / "data", geoip=False) as server, grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token), "busy")
        yield server, account, account.caller("EDITOR")


def test_a_copy_made_under_writes_is_a_prefix_of_what_was_answered(busy, tmp_path):
    server, account, editor = busy
    sites = [account.create_site(f"site {number}", note="0").name for number in range(WRITERS)]
    copies = []
    with Load(editor, sites) as load:
        for number in range(BACKUPS):
            load.wait_for_more()
            before = {site: answers[-1][0] for site, answers in load.answers.items() if answers}
            path = tmp_path / f"copy {number}"
            copies.append((path, back_up(server, path)[account.name], before))
            load.wait_for_more(1)
    revisions = [revision for _, revision, _ in copies]
    assert revisions == sorted(set(revisions)), "the writers wrote on between the copies, and under them"
    for number, (path, revision, before) in enumerate(copies):
        assert all(answered <= revision for answered in before.values()), "what was answered before is in it"
        check_restored(tmp_path / f"restored {number}", path, revision, load, editor.token)


def check_restored(directory, path, revision, load, token):
    """A server on the restored copy has exactly the writes up to the revision."""
    directory.mkdir()
    assert "read back" in run("restore", "--from", path, "--data-dir", directory / "data")
    with Server(directory / "data", geoip=False) as server, grpc.insecure_channel(server.target) as channel:
        editor = Caller(channel, token)
        for site, answers in load.answers.items():
            expected = max((number for of, number in answers if of <= revision), default=0)
            found = editor.GetSite(name=site)
            assert (found.note, found.revision <= revision) == (str(expected), True)
            assert len(check_chain(editor, site)) == expected + 1
        # It goes on from there.
        written = editor.UpdateSite(site=pb.Site(name=site, note="on"), update_mask=mask("note"))
        assert written.revision == revision + 1


def test_a_copy_that_is_killed_leaves_nothing_that_looks_like_one(busy, tmp_path):
    server, account, editor = busy
    site = account.create_site(note="0").name
    for number in range(200):
        account.create_site(f"large {number}", note="x" * 60_000)
    copies, rng, left = tmp_path / "copies", random.Random(1), 0
    copies.mkdir()
    path = copies / "copy"
    with Load(editor, [site]):
        for kill in range(KILLS):
            command = [BINARY, "backup", "--data-dir", str(server.data_dir), "--to", str(path)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            deadline = time.monotonic() + COMMAND_S_MAX
            while not os.listdir(copies) and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.05))
            process.kill()
            said = process.communicate()[0]
            if path.exists():
                # It was faster. Then it is whole, whether it had the time to say so or not.
                assert "read back" in run("restore", "--from", path, "--data-dir", copies / "data")
                for file in (copies / "data").iterdir():
                    file.unlink()
                (copies / "data").rmdir()
                path.unlink()
            else:
                assert "read back" not in said
                parts = [file for file in copies.iterdir() if file.name.startswith("copy.part")]
                left += bool(parts)
                # Over the last one the next copy is written.
                for part in parts if kill < KILLS - 1 else []:
                    part.unlink()
        assert left > 0, "no kill came in time"
        back_up(server, path)
    assert os.listdir(copies) == ["copy"], "the next copy takes away what was left of the others"


def test_what_is_there_is_neither_written_over_nor_taken_for_a_copy(busy, tmp_path):
    server, account, _ = busy
    account.create_site("kept")
    copy, fresh = tmp_path / "copy", tmp_path / "fresh"
    back_up(server, copy)
    before = copy.read_bytes()
    assert "is there: name another file" in run("backup", "--data-dir", server.data_dir, "--to", copy, is_good=False)
    assert "no store" in run("backup", "--data-dir", tmp_path, "--to", tmp_path / "other", is_good=False)
    assert "another process holds it" in run("restore", "--from", copy, "--data-dir", server.data_dir, is_good=False)
    own = server.data_dir / "waymark.sqlite3"
    assert "has a log beside it" in run("restore", "--from", own, "--data-dir", fresh, is_good=False)
    assert server.stop() == 0
    assert "has a store" in run("restore", "--from", copy, "--data-dir", server.data_dir, is_good=False)
    assert copy.read_bytes() == before
    server.start()


def test_a_damaged_and_a_newer_copy_are_refused(busy, tmp_path):
    server, account, _ = busy
    account.create_site("kept", note="a note that stands in one record")
    copy, fresh = tmp_path / "copy", tmp_path / "fresh"
    back_up(server, copy)
    good = copy.read_bytes()
    at = good.index(b"a note that stands in one record")
    for damaged, said in [
        (good[:at] + b"A" + good[at + 1 :], "is damaged"),
        (good[:-8192], "damaged"),
        (good[: len(good) // 2], "damaged"),
        (b"", "is empty"),
        (b"no database, but long enough to be taken for one" * 50, "not a waymark store"),
    ]:
        copy.write_bytes(damaged)
        assert said in run("restore", "--from", copy, "--data-dir", fresh, is_good=False)
        assert not (fresh / "waymark.sqlite3").exists() and not (fresh / "waymark.sqlite3.part").exists()
    copy.write_bytes(good)
    with sqlite3.connect(copy) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    refusal = run("restore", "--from", copy, "--data-dir", fresh, is_good=False)
    assert "format 99" in refusal and "use the waymark that wrote it" in refusal
    copy.write_bytes(good)
    assert "read back" in run("restore", "--from", copy, "--data-dir", fresh)


def test_the_key_for_credentials_is_told_of_and_not_copied(busy, tmp_path):
    server, _, _ = busy
    assert (server.data_dir / "credentials.key").exists()
    said = run("backup", "--data-dir", server.data_dir, "--to", tmp_path / "copy")
    assert "credentials.key is not in it" in said
    assert (server.data_dir / "credentials.key").read_bytes().strip() not in (tmp_path / "copy").read_bytes()
    said = run("restore", "--from", tmp_path / "copy", "--data-dir", tmp_path / "fresh")
    assert "put the credentials.key of the copied server there" in said
