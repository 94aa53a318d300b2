"""What proto/waymark/v1/watch.proto promises of WatchSites, as functions over the log of a watcher that was cut and went on.

A log holds `Opened` for each begin and `Taken` for each message. Each oracle gives what is wrong as lines, none where all is
well. They know nothing of servers: a log may be written by hand, and be corrupted.
"""

from dataclasses import dataclass, field, replace

from stubs import pb

ORDINARY, CURRENT = pb.WATCH_MARK_UNSPECIFIED, pb.WATCH_MARK_CURRENT
PROGRESS, RESYNC = pb.WATCH_MARK_PROGRESS, pb.WATCH_MARK_RESYNC


@dataclass(frozen=True)
class Opened:
    """A watch began, from a revision."""

    revision: int
    replica: int = 0


@dataclass(frozen=True)
class Taken:
    """A message of it."""

    mark: int
    revision: int
    changed: dict = field(default_factory=dict)
    removed: tuple = ()

    @classmethod
    def of(cls, message):
        changed = {site.name: site for site in message.changed_sites}
        return cls(message.mark, message.revision, changed, tuple(message.removed_sites))


@dataclass
class Standing:
    """What a client holds that took all messages so far."""

    sites: dict = field(default_factory=dict)
    revision: int = 0
    # Whether all up to `revision` was told, and it is not in the middle of a write or of being caught up.
    is_settled: bool = False
    # Whether what comes is live: not the beginning of a watch.
    is_live: bool = False

    def take(self, entry):
        if isinstance(entry, Opened):
            self.is_settled = self.is_live = False
            return self
        if entry.mark == RESYNC:
            self.sites, self.revision, self.is_live = {}, 0, False
        for name, site in entry.changed.items():
            self.sites[name] = site
        for name in entry.removed:
            self.sites.pop(name, None)
        is_new = entry.revision > self.revision
        self.is_live = self.is_live or entry.mark == CURRENT
        # A message without a new revision is a part of a write, or of catching up.
        is_part = not is_new and entry.mark == ORDINARY
        self.is_settled = self.is_live and not is_part
        self.revision = max(self.revision, entry.revision)
        return self


def replayed(log):
    """Each message with what the client holds before it and after it."""
    standing = Standing()
    for entry in log:
        before = replace(standing, sites=dict(standing.sites))
        standing.take(entry)
        if isinstance(entry, Taken):
            yield entry, before, replace(standing, sites=dict(standing.sites))


def held(log):
    """What a client holds at the end of a log."""
    standing = Standing()
    for entry in log:
        standing.take(entry)
    return standing


def ordered(log):
    """Revisions ascend, over cuts too; only RESYNC begins anew, and who begins anew stands at 0 until CURRENT."""
    faults, last = [], 0
    for number, entry in enumerate(log):
        if isinstance(entry, Opened):
            if entry.revision != last:
                faults.append(f"{number}: it went on from {entry.revision} and stood at {last}")
        elif entry.mark == RESYNC:
            last = 0
        else:
            if entry.revision < last:
                faults.append(f"{number}: {entry.revision} after {last}")
            last = max(last, entry.revision)
    return faults


def unique(log, shared=frozenset()):
    """While a watch is live each change of a site comes once, and is newer than what the client stands at, until RESYNC
    drops what came. `shared` are sites that others' writes tell too, with the record that they had."""
    faults, seen, parts = [], set(), []
    for number, (entry, before, after) in enumerate(replayed(log)):
        both = entry.changed.keys() & set(entry.removed)
        faults += [f"{number}: {name} changed and was removed in one message" for name in both]
        if entry.mark in (CURRENT, RESYNC) or not before.is_live:
            # The beginning, or caught up, as messages turn out to be when CURRENT ends them: what is held may be told again.
            seen, parts = set() if entry.mark == RESYNC else seen, []
            continue
        parts += [(name, site.revision) for name, site in entry.changed.items() if name not in shared]
        if not after.is_settled:
            continue
        for name, revision in parts:
            if (name, revision) in seen or revision <= before.revision:
                faults.append(f"{number}: {name} of {revision} again, at {before.revision}")
            seen.add((name, revision))
        parts = []
    return faults


def reliable(log, states):
    """At each revision that somebody listed, and where the client is in the middle of nothing, it holds what was listed.
    `states` maps revisions to what ListSites answered then."""
    faults, compared = [], 0
    for number, (_, _, after) in enumerate(replayed(log)):
        if after.is_settled and after.revision in states:
            compared += 1
            faults += [f"{number}, at {after.revision}: {one}" for one in differences(after.sites, states[after.revision])]
    return faults if compared else ["nothing was listed at any revision that the watcher stood at"]


def atomic(log, is_whole, crowd=()):
    """No site shows a part of a write that set several values. Of a crowd, which one write makes and another one ends, the
    client of a filter on crowds holds all sites or none."""
    faults = []
    for number, (entry, _, after) in enumerate(replayed(log)):
        faults += [f"{number}: a half of a write: {name}" for name, site in entry.changed.items() if not is_whole(site)]
        present = sum(name in after.sites for name in crowd)
        if after.is_settled and present not in (0, len(crowd)):
            faults.append(f"{number}, at {after.revision}: {present} of a crowd of {len(crowd)}")
    return faults


def resumable(first, rest, final):
    """Who took a part of a log and went on with `rest` ends with the same set as who took all."""
    return differences(held([*first, *rest]).sites, final)


def bookmarkable(log, shared=frozenset()):
    """PROGRESS carries nothing, and all that changed up to its revision had come before."""
    faults, marked = [], 0
    for number, (entry, before, _) in enumerate(replayed(log)):
        if entry.mark == PROGRESS:
            if entry.changed or entry.removed:
                faults.append(f"{number}: PROGRESS with changes")
            if not before.is_live:
                faults.append(f"{number}: PROGRESS before CURRENT")
            marked = max(marked, entry.revision)
        elif entry.mark == RESYNC:
            marked = 0
        elif before.is_live:
            late = [name for name, site in entry.changed.items() if site.revision <= marked and name not in shared]
            faults += [f"{number}: {name} comes after PROGRESS at {marked}" for name in late]
    return faults


def filtered(log, matches):
    """Whatever the client holds at any time matches."""
    return [
        f"{number}: {name} does not match"
        for number, (entry, _, _) in enumerate(replayed(log))
        for name, site in entry.changed.items()
        if not matches(site)
    ]


def timeless(site):
    """Without the time of its last report, which makes no message by itself."""
    copied = pb.Site.FromString(site.SerializeToString())
    copied.ClearField("last_seen_time")
    return copied


def differences(here, there):
    """Sites that one side has and the other has not, or not so."""
    lines = [f"{name} is missing" for name in there.keys() - here.keys()]
    lines += [f"{name} is too much" for name in here.keys() - there.keys()]
    for name in here.keys() & there.keys():
        if timeless(here[name]) != timeless(there[name]):
            lines.append(f"{name} is of {here[name].revision} and not of {there[name].revision}")
    return lines
