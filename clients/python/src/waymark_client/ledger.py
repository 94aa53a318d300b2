"""What a watch of sites has told its program: so that cuts, snapshots and repeats tell each change once, and lose none.

Knows messages alone. The clients in Rust and TypeScript have the same, and all three are held to `clients/cases.json`.
"""

from typing import NamedTuple, Optional

from .messages import pb

CHANGED, REMOVED, CURRENT, RESYNC = "changed", "removed", "current", "resync"


class SiteEvent(NamedTuple):
    """A change, and how far the watch is with it."""

    # `changed`: a site that matches, new or changed, as it is now. `removed`: one that is deleted, or does not match any more.
    # `current`: all that is there has been told, and what follows is live; again behind each cut. `resync`: drop all that you
    # hold, all sites follow; only where a resume revision was given that is not remembered any more.
    kind: str
    # The resource name of the site; empty of `current` and `resync`.
    name: str
    # The site, where it changed.
    site: Optional[object]
    # Once this event is dealt with, a later watch of the same account and filter may begin from here and misses nothing; 0
    # while the first sites are on their way.
    revision: int


class Ledger:
    """What was told."""

    def __init__(self, resume_revision):
        # All changes up to this revision were told; 0 for nothing.
        self.position = resume_revision
        # The sites that the program holds, as far as this watch told of them, with their versions.
        self._held = {}
        # Sites that were told to be gone, of a watch that does not know all that the program holds.
        self._gone = set()
        # Whether `_held` is all that the program holds: it is not where the program brought its own revision.
        self._is_whole = resume_revision == 0
        # Sites that were told since `position`, while more of the same write, or of what was missed, is on its way.
        self._told_since = set()
        # While all sites are on their way: those that came.
        self._snapshot = None

    def begin(self):
        """The revision to resume from. To be called when a stream begins."""
        self._snapshot = set() if self.position == 0 else None
        return self.position

    def take(self, message):
        """What is new in a message, as events."""
        news = []
        if message.mark == pb.WATCH_MARK_RESYNC:
            news += self._forget()
        for site in message.changed_sites:
            news += self._change(site)
        for name in message.removed_sites:
            news += self._remove(name)
        if message.mark == pb.WATCH_MARK_CURRENT:
            news += self._end_snapshot() + [(CURRENT, "", None)]
        before = self.position
        if message.revision != before or message.mark in (pb.WATCH_MARK_CURRENT, pb.WATCH_MARK_PROGRESS):
            self.position = message.revision
            self._told_since.clear()
        revisions = [before] * (len(news) - 1) + [self.position]
        return [SiteEvent(*change, revision) for change, revision in zip(news, revisions)]

    def _forget(self):
        """Makes ready for all sites anew. A program that brought its own revision has to forget what it holds, too."""
        self._snapshot, self.position = set(), 0
        self._told_since.clear()
        if self._is_whole:
            return []
        self._is_whole = True
        self._held.clear()
        self._gone.clear()
        return [(RESYNC, "", None)]

    def _change(self, site):
        version = (site.revision, site.update_time.seconds, site.update_time.nanos)
        if self._snapshot is not None:
            self._snapshot.add(site.name)
        may_be_told = self._snapshot is not None or site.name in self._told_since
        if may_be_told and site.name in self._held and not _is_news(version, self._held[site.name]):
            return []
        self._held[site.name] = version
        self._gone.discard(site.name)
        self._told_since.add(site.name)
        return [(CHANGED, site.name, site)]

    def _remove(self, name):
        if self._snapshot is not None:
            self._snapshot.discard(name)
        was_held = self._held.pop(name, None) is not None
        is_news = was_held if self._is_whole else name not in self._gone
        if not self._is_whole:
            self._gone.add(name)
        return [(REMOVED, name, None)] if is_news else []

    def _end_snapshot(self):
        """Removes what did not come with all sites."""
        if self._snapshot is None:
            return []
        missing = sorted(self._held.keys() - self._snapshot)
        self._snapshot = None
        for name in missing:
            del self._held[name]
        return [(REMOVED, name, None) for name in missing]


def _is_news(version, told):
    """Whether a version is news to who was told of another one. Where a store lost writes, a revision may come again at another
    time; what a crowd of sites brought came with the revision of a neighbour's write, so the record itself may have a lower one.
    """
    return version[1:] != told[1:] or version[0] > told[0]
