"""kill -9 at random moments under eight writers, again and again: what was answered is there once, whole.

`WAYMARK_KILL_CYCLES` says how often (`make torture`), `WAYMARK_KILL_SEED` repeats the moments.
"""

import os
import random
import threading
import time
import uuid

import grpc

from client import Account, Caller, mask
from server import Server
from stubs import pb
from test_history import check_chain

CYCLES = int(os.environ.get("WAYMARK_KILL_CYCLES", "100"))
SEED = int(os.environ.get("WAYMARK_KILL_SEED", "1"))
WRITERS = 8
# From the first answer of a cycle to the kill, in seconds.
KILL_S_MAX = 0.3
# Sites of a writer whose histories are read in each cycle: the last ones, where a kill would show.
LOOKED_AT = 2


class Writer(threading.Thread):
    """Makes sites under request ids of its own, changes each once, and remembers what was answered."""

    def __init__(self, caller, parent, number, first):
        super().__init__()
        self.caller, self.parent, self.number, self.first = caller, parent, number, first
        # Request -> the site that was answered; `None` for the one that had no answer.
        self.made = {}
        # Site -> whether its change was answered.
        self.changed = {}

    def run(self):
        try:
            for count in range(1_000_000):
                request = self.request(count)
                self.made[request.request_id] = None
                site = self.caller.call("CreateSite", request)
                self.made[request.request_id] = site
                self.first.set()
                self.changed[site.name] = False
                note = pb.Site(name=site.name, note=f"changed {site.display_name}")
                self.caller.UpdateSite(site=note, update_mask=mask("note"))
                self.changed[site.name] = True
        except grpc.RpcError as error:
            assert error.code().name in ("UNAVAILABLE", "CANCELLED"), error

    def request(self, count, request_id=None):
        """What makes the writer's site of this number."""
        name = f"{self.number}-{count}"
        site = pb.Site(display_name=name, note=f"made {name}", customer_id=name)
        return pb.CreateSiteRequest(parent=self.parent, site=site, request_id=request_id or str(uuid.uuid4()))


def write_until_killed(server, rng):
    """One cycle's writers, until the server is killed under them."""
    with grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token))
        editor, first = account.caller("EDITOR"), threading.Event()
        writers = [Writer(editor, account.name, number, first) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        assert first.wait(60), "too little traffic for a test"
        time.sleep(rng.uniform(0, KILL_S_MAX))
        server.kill()
        for writer in writers:
            writer.join()
    return account, editor.token, writers


def listed(caller, parent):
    """All sites of an account by their names."""
    found, token = [], ""
    while True:
        page = caller.ListSites(parent=parent, page_size=1000, page_token=token)
        found += page.sites
        token = page.next_page_token
        if not token:
            assert len({site.name for site in found}) == len(found)
            return {site.name: site for site in found}


def check(caller, parent, writers):
    """Finds what is wrong: answered and lost, there twice, half there. Counts answers, and requests without one."""
    sites, answers, unanswered = listed(caller, parent), 0, 0
    lost, half, twice = [], [], []
    for writer in writers:
        for count, (request_id, made) in enumerate(writer.made.items()):
            if made is None:
                unanswered += 1
                # Nobody knows: the same request again says so, and makes it if it is not there.
                made = caller.call("CreateSite", writer.request(count, request_id))
                sites.setdefault(made.name, made)
            answers += 1 + writer.changed.get(made.name, False)
            site = sites.get(made.name)
            if site is None:
                lost.append(made.name)
                continue
            notes = {f"changed {site.display_name}"}
            if not writer.changed.get(made.name, False):
                notes.add(f"made {site.display_name}")
            if site.note not in notes:
                lost.append(f"{made.name}: {site.note!r}")
            if (site.display_name, site.customer_id) != (f"{writer.number}-{count}",) * 2:
                half.append(made.name)
        for count, (request_id, made) in list(enumerate(writer.made.items()))[-LOOKED_AT:]:
            if made is not None:
                changes = check_chain(caller, made.name)
                if len(changes) != 1 + sites[made.name].note.startswith("changed"):
                    half.append(f"{made.name}: {len(changes)} entries")
                repeated = caller.call("CreateSite", writer.request(count, request_id))
                if repeated.name != made.name:
                    twice.append(made.name)
    if len(sites) != sum(len(writer.made) for writer in writers) or listed(caller, parent).keys() != sites.keys():
        twice.append(f"{len(sites)} sites")
    return lost, twice, half, answers, unanswered


def test_nothing_answered_is_lost_doubled_or_half_there_after_kill_9(tmp_path):
    rng, server, begun = random.Random(SEED), Server(tmp_path / "data", geoip=False), time.monotonic()
    answers = unanswered = 0
    faults, counts = {"lost": [], "twice": [], "half": []}, []
    with server:
        for _ in range(CYCLES):
            account, token, writers = write_until_killed(server, rng)
            server.start()
            with grpc.insecure_channel(server.target) as channel:
                lost, twice, half, here, open_ones = check(Caller(channel, token), account.name, writers)
            for kind, found in zip(faults, (lost, twice, half)):
                faults[kind] += [f"{account.name} {fault}" for fault in found]
            answers, unanswered = answers + here, unanswered + open_ones
            counts.append((account.name, sum(len(writer.made) for writer in writers)))
        # What was good in its own cycle is so after all the others, too.
        with grpc.insecure_channel(server.target) as channel:
            operator = Caller(channel, server.admin_token)
            for name, count in counts[:: max(1, CYCLES // 20)]:
                assert len(listed(operator, name)) == count, name
    summary = {kind: len(found) for kind, found in faults.items()}
    took_s = time.monotonic() - begun
    traffic = f"{answers} answered writes, {unanswered} open"
    print(f"\nkill -9: {CYCLES} cycles in {took_s:.0f} s, seed {SEED}: {traffic}, {summary}")
    assert not any(faults.values()), faults
    assert answers > CYCLES * WRITERS and unanswered > CYCLES, "too little traffic for a test"
