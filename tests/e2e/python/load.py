"""Writers and watchers that go on through outages, and remember what they were told."""

import threading
import time
import uuid

import grpc

from client import Caller, Failure, mask
from fleet import known_to
from stubs import pb
from watch_oracles import Opened, Taken, held

# Seconds after which a client asks another server, and within which somebody has to answer.
ATTEMPT_S_MAX = 1.5
ANSWER_S_MAX = 60
# Seconds between two sites of a writer: enough of them for any test, few enough for a build without optimisation.
PACE_S = 0.03
# Seconds that a watch may last: one that says nothing fails what waits for it.
WATCH_S_MAX = 120
PATIENT = ("UNAVAILABLE", "DEADLINE_EXCEEDED")


class Client:
    """Asks one server of several, the next one when it cannot, and never gives up for as long as a repeat is safe."""

    def __init__(self, fleet, token, parent, first=0):
        self.fleet, self.token, self.parent, self.at = fleet, token, parent, first
        # The server that it would rather ask.
        self.home = first
        self.revision = 0
        # Reasons of errors that were answered by a repeat.
        self.heard = []

    def call(self, method, request, may_be=None):
        """The answer; `None` for the error that it may be where an attempt before may have been done."""
        deadline, begun = time.monotonic() + ANSWER_S_MAX, len(self.heard)
        while True:
            caller = Caller(self.fleet.channels[self.at % len(self.fleet.channels)], self.token)
            caller = known_to(caller, self.parent, self.revision) if self.revision else caller
            try:
                answer = caller.call(method, request, ATTEMPT_S_MAX)
            except grpc.RpcError as error:
                self.at += 1
                code = error.code().name
                infos = Failure(error).infos
                reason = infos[0].reason if infos else code
                if code == may_be and len(self.heard) > begun:
                    return None
                if code not in PATIENT or time.monotonic() > deadline:
                    raise AssertionError(f"{method}, after {self.heard[-5:]}: {code} {reason} {error.details()}") from error
                self.heard.append(reason)
            else:
                self.revision = max(self.revision, getattr(answer, "revision", 0))
                return answer


class Writer(threading.Thread):
    """Makes sites, pins and changes each, deletes some; remembers what was acknowledged."""

    def __init__(self, client, number):
        super().__init__(daemon=True)
        self.client, self.number = client, number
        self.ends = threading.Event()
        # Whoever has it knows that nothing of this writer is under way.
        self.rests = threading.Lock()
        # Site -> name, note and position that were acknowledged last; `None` where it was deleted.
        self.kept = {}
        self.answers, self.fault = 0, None

    def run(self):
        count = 0
        try:
            while not self.ends.wait(PACE_S):
                count += 1
                with self.rests:
                    self.client.at = self.client.home
                    self.write(count)
        except Exception as fault:  # noqa: BLE001, told by who waits for this thread
            self.fault = fault

    def write(self, count):
        label, position = f"{self.number}-{count}", pb.LatLng(lat=self.number + count * 0.01, lng=count * 0.1 % 179)
        site = pb.Site(display_name=label, note="made")
        made = self.call(
            "CreateSite", pb.CreateSiteRequest(parent=self.client.parent, site=site, request_id=str(uuid.uuid4()))
        )
        self.kept[made.name] = (label, "made", None)
        self.call("SetPin", pb.SetPinRequest(site=made.name, position=position))
        self.kept[made.name] = (label, "made", (position.lat, position.lng))
        changed = pb.Site(name=made.name, note="changed", labels={"turn": "changed"})
        self.call("UpdateSite", pb.UpdateSiteRequest(site=changed, update_mask=mask("note", "labels")))
        self.kept[made.name] = (label, "changed", (position.lat, position.lng))
        if count % 4 == 0:
            self.call("DeleteSite", pb.DeleteSiteRequest(name=made.name), may_be="FAILED_PRECONDITION")
            self.kept[made.name] = None

    def call(self, method, request, may_be=None):
        answer = self.client.call(method, request, may_be)
        self.answers += 1
        return answer


def is_whole(site):
    """Whether a writer's site shows no half of a change: note and label are set by one write."""
    return (site.note == "changed") == (site.labels.get("turn") == "changed")


class Mover(Writer):
    """Pins a site on the spot of others, and away from it: with it they are a crowd."""

    def __init__(self, client, site, spot):
        super().__init__(client, 0)
        self.site, self.spots = site, [spot, pb.LatLng(lat=-spot.lat, lng=spot.lng)]
        self.last = None

    def write(self, count):
        spot = self.spots[count % 2]
        # With an etag: a call that was given up, and is done late all the same, changes nothing after later ones.
        while True:
            site = self.call("GetSite", pb.GetSiteRequest(name=self.site))
            at = site.location.position
            if (at.lat, at.lng) == (spot.lat, spot.lng):
                self.last = (spot.lat, spot.lng)
                return
            self.call("SetPin", pb.SetPinRequest(site=self.site, position=spot, etag=site.etag), may_be="ABORTED")


class Recorder(threading.Thread):
    """Watches the sites of a filter at one server after the other, and writes down all that it is told."""

    def __init__(self, fleet, token, parent, first=0, filter="", cut_after=0):
        super().__init__(daemon=True)
        self.fleet, self.token, self.parent, self.filter = fleet, token, parent, filter
        # With `cut_after` it leaves after so many messages, each time, and goes on elsewhere.
        self.at, self.cut_after = first, cut_after
        self.log, self.stream, self.fault, self.is_over = [], None, None, False
        # How watches ended that it did not leave itself.
        self.ended = []

    def run(self):
        try:
            while not self.is_over:
                self.watch()
        except Exception as fault:  # noqa: BLE001, told by who waits for this thread
            self.fault = fault

    def watch(self):
        number, revision = self.at % len(self.fleet.channels), held(self.log).revision
        self.at += 1
        request = pb.WatchSitesRequest(parent=self.parent, filter=self.filter, resume_revision=revision)
        self.log.append(Opened(revision, number))
        self.stream = Caller(self.fleet.channels[number], self.token).begin("WatchSites", request, WATCH_S_MAX)
        try:
            for count, message in enumerate(self.stream, 1):
                self.log.append(Taken.of(message))
                if count == self.cut_after:
                    self.stream.cancel()
                    return
        except grpc.RpcError as error:
            self.ended.append((error.code().name, error.details()))

    def stands_at(self, revision):
        """Whether it holds all up to a revision; raises what ended it."""
        if self.fault:
            raise self.fault
        now = held(list(self.log))
        return now.is_settled and now.revision >= revision

    def end(self):
        self.is_over = True
        self.stream.cancel()
        self.join(ATTEMPT_S_MAX)
