"""The oracles of watches can fail: a log of a real watch passes all of them, and each kind of damage is found by its own."""

from dataclasses import replace

import pytest

import watch_oracles as oracles
from client import mask, until
from load import Recorder, is_whole
from stubs import pb
from test_watches import listed, revision_of
from watch_oracles import CURRENT, ORDINARY, PROGRESS, Opened, Taken

FILTER = "NOT note = hidden"
SITES = 12


class One:
    """A fleet of one server."""

    def __init__(self, channel):
        self.channels = [channel]


@pytest.fixture
def recorded(account, channel):
    """A watcher's log over changes that come into the filter and leave it, with a cut, and what was listed at each step."""
    caller, parent = account.caller("EDITOR"), account.name
    watcher = Recorder(One(channel), caller.token, parent, filter=FILTER, cut_after=SITES)
    watcher.start()
    states = {}

    def step():
        revision = revision_of(caller, parent)
        states[revision] = listed(caller, parent, FILTER)
        until("nothing is told", lambda: watcher.stands_at(revision))

    names = []
    for number in range(SITES):
        names.append(caller.CreateSite(parent=parent, site=pb.Site(display_name=f"site {number}", note="made")).name)
        step()
    for number, name in enumerate(names):
        note, labels = ("hidden", {}) if number % 3 == 0 else ("changed", {"turn": "changed"})
        changed = pb.Site(name=name, note=note, labels=labels)
        caller.UpdateSite(site=changed, update_mask=mask("note", "labels"))
        step()
    caller.DeleteSite(name=names[1])
    step()
    watcher.end()
    # As a quiet watch says after ten seconds, which test_replicas.py waits for.
    return [*watcher.log, Taken(PROGRESS, max(states))], states


def matches(site):
    return site.note != "hidden"


def faults_of(log, states, crowd=()):
    """The names of the oracles that find a fault."""
    final = states[max(states)]
    found = {
        "ordered": oracles.ordered(log),
        "unique": oracles.unique(log),
        "reliable": oracles.reliable(log, states),
        "atomic": oracles.atomic(log, is_whole, crowd),
        "resumable": oracles.resumable(log[: len(log) // 2], log[len(log) // 2 :], final),
        "bookmarkable": oracles.bookmarkable(log),
        "filtered": oracles.filtered(log, matches),
    }
    return {name for name, faults in found.items() if faults}


def test_each_oracle_finds_its_damage(recorded):
    log, states = recorded
    assert faults_of(log, states) == set()
    live = [at for at, (entry, before, _) in entries(log) if before.is_live and entry.mark == ORDINARY and entry.changed]
    first, last = live[0], live[-1]
    site = next(iter(log[last].changed.values()))

    def with_entry(at, entry):
        return [*log[:at], entry, *log[at + 1 :]]

    swapped = [*log[:first], log[first + 1], log[first], *log[first + 2 :]]
    assert "ordered" in faults_of(swapped, states)
    cut = next(at for at, entry in enumerate(log) if isinstance(entry, Opened) and entry.revision)
    assert "ordered" in faults_of(with_entry(cut, Opened(log[cut].revision + 1)), states)

    twice = [*log[: last + 1], log[last], *log[last + 1 :]]
    assert "unique" in faults_of(twice, states)

    assert {"reliable", "resumable"} <= faults_of(with_entry(last, replace(log[last], changed={})), states)
    removing = [at for at, (entry, before, _) in entries(log) if set(entry.removed) & before.sites.keys()][-1]
    assert {"reliable", "resumable"} <= faults_of(with_entry(removing, replace(log[removing], removed=())), states)

    half = pb.Site.FromString(site.SerializeToString())
    half.labels.clear()
    assert "atomic" in faults_of(with_entry(last, replace(log[last], changed={site.name: half})), states)
    assert "atomic" in faults_of(log, states, crowd=[site.name, "accounts/a/sites/never"])

    early = [*log[:last], Taken(PROGRESS, log[last].revision), *log[last:]]
    assert "bookmarkable" in faults_of(early, states)
    loaded = replace(log[-1], changed={site.name: site})
    assert "bookmarkable" in faults_of([*log[:-1], loaded], states)

    hidden = pb.Site.FromString(site.SerializeToString())
    hidden.note = "hidden"
    assert "filtered" in faults_of(with_entry(last, replace(log[last], changed={site.name: hidden})), states)


def entries(log):
    """The places of a log's messages, with what the client holds around each."""
    places = [at for at, entry in enumerate(log) if isinstance(entry, Taken)]
    return zip(places, oracles.replayed(log))


def test_a_log_that_nothing_is_compared_with_is_no_proof(recorded):
    log, states = recorded
    assert oracles.reliable(log, {max(states) + 1: {}})
    assert oracles.reliable([entry for entry in log if isinstance(entry, Opened) or entry.mark != CURRENT][:1], states)
