"""A watch of sites that goes on after cuts, from where it stood, for as long as its program wants it."""

import logging
import threading
import time
from collections import deque

import grpc

from .errors import WaymarkError, lost
from .ledger import Ledger, SiteEvent
from .messages import METHODS
from .policy import POLICY

__all__ = ["SiteEvent", "SiteWatch"]

_LOG = logging.getLogger("waymark_client")
_METHOD = METHODS["watch_sites"]
# Between two looks whether a server has fallen silent, as a part of the time after which it has.
_LOOKS = 10


class SiteWatch:
    """Iterates over what becomes of the sites of an account; see `Client.watch_sites`.

    For one thread, but `close`, which any may call. Remembers name and version of each site that it told of.
    """

    def __init__(self, client, parent, filter, resume_revision):
        self._client, self._parent, self._filter = client, parent, filter
        self._ledger = Ledger(resume_revision)
        self._ready, self._failures = deque(), 0
        # The stream, and who listens whether it fell silent.
        self._call, self._ear = None, None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        # From here a later watch may begin, once the events that were given are dealt with. Ascends on a quiet account, too.
        self.revision = resume_revision

    def __iter__(self):
        return self

    def __next__(self):
        while not self._closed.is_set():
            if self._ready:
                event = self._ready.popleft()
                self.revision = event.revision
                return event
            try:
                message = self._message()
            except WaymarkError as error:
                self._wait_after(error)
                continue
            self._failures = 0
            self._ready.extend(self._ledger.take(message))
            if not self._ready:
                self.revision = self._ledger.position
        raise StopIteration

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the watch: whoever waits for its next event is told that there is none. What came and was not given yet is not given
        any more, and `revision` stays before it."""
        self._closed.set()
        with self._lock:
            self._end_call()

    def _message(self):
        """The next message of the stream, which is begun where there is none."""
        with self._lock:
            if self._closed.is_set():
                raise lost("the watch is closed")
            if self._call is None:
                fields = {"parent": self._parent, "filter": self._filter, "resume_revision": self._ledger.begin()}
                self._call = self._client.begin(_METHOD, _METHOD.request(**fields), None)
                self._ear = _Ear(self._call)
                self._ear.start()
            call, ear = self._call, self._ear
        ear.waits_since = time.monotonic()
        try:
            return next(call)
        except StopIteration:
            raise lost("the watch ended") from None
        except grpc.RpcError as cause:
            if ear.gave_up:
                raise lost(f"nothing was heard of the watch for {POLICY.silence_s()} s") from None
            raise WaymarkError.of(cause) from cause
        finally:
            ear.waits_since = None

    def _wait_after(self, error):
        """Waits before the next stream, where there is to be one."""
        with self._lock:
            self._end_call()
        if self._closed.is_set():
            return
        if not POLICY.resumes(error):
            raise error
        self._failures += 1
        wait_s = POLICY.watch_wait_s(error, self._failures)
        _LOG.warning("a watch of %s was cut, and goes on in %.1f s: %s", self._parent, wait_s, error)
        self._closed.wait(wait_s)

    def _end_call(self):
        if self._call is not None:
            self._call.cancel()
            self._ear.end()
            self._call, self._ear = None, None


class _Ear(threading.Thread):
    """Cancels a stream on which nothing is heard for too long while somebody waits for it."""

    def __init__(self, call):
        super().__init__(name="waymark-watch", daemon=True)
        # When somebody began to wait; None while nobody does.
        self.waits_since = None
        self.gave_up = False
        self._call, self._ended = call, threading.Event()

    def run(self):
        silence_s = POLICY.silence_s()
        while not self._ended.wait(silence_s / _LOOKS):
            since = self.waits_since
            if since is not None and time.monotonic() - since > silence_s:
                self.gave_up = True
                self._call.cancel()
                return

    def end(self):
        """Nobody waits any more."""
        self._ended.set()
