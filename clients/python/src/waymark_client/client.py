"""A server as a program calls it: every method of the API by its name, each with a deadline and repeated where it may be."""

import os
import threading
import time
import uuid
from ipaddress import ip_address
from urllib.parse import urlsplit

import grpc

from .errors import WaymarkError, left_out
from .messages import METHODS
from .policy import POLICY
from .watch import SiteWatch

# Where a server is, and the token, if nobody says otherwise. The same as for waymark's command line.
_SERVER, _TOKEN, _TOKEN_FILE = "WAYMARK_SERVER", "WAYMARK_TOKEN", "WAYMARK_TOKEN_FILE"
_DEFAULT_SERVER = "http://127.0.0.1:8642"
_REVISION, _MIN_REVISION = "waymark-revision", "waymark-min-revision"
# Bytes of a secret that a caller draws, such as `retry_key`.
_SECRET_BYTES = 32
# Milliseconds between two attempts to connect, for one of them, and after which a silent connection is asked whether it stands, and
# given up.
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


def connect(
    server=None,
    *,
    token=None,
    token_file=None,
    ca_file=None,
    certificate_file=None,
    key_file=None,
    plaintext=False,
    deadline_s=None,
    attempts_max=None,
    own_writes_of=None,
):
    """A client of a server; nothing is asked before its first call.

    server          `https://HOST[:PORT]`, or `http://HOST[:PORT]` on this machine; WAYMARK_SERVER if not given
    token           the token, `wmk_…`; if not given, that of `token_file`, or of WAYMARK_TOKEN, or the file of
                    WAYMARK_TOKEN_FILE. Shown and logged nowhere.
    ca_file         certificate of the authority that signed the server's, PEM; those that gRPC trusts if not given
    certificate_file, key_file
                    certificate to show to the server, where it asks for one, and its private key, PEM; it may stand for a token
    plaintext       allows http:// to another machine, where others may read the token
    deadline_s      seconds for each call, all attempts and waits included, in the place of what docs/clients.md says
    attempts_max    most attempts at a call; as many as there is time for if not given
    own_writes_of   `accounts/ACCOUNT`: every answer has in it what this client wrote to the account before, also where each
                    call may come to another server over the same store

    Raises ValueError for what no client can be made of.
    """
    url = urlsplit(server or os.environ.get(_SERVER) or _DEFAULT_SERVER)
    if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/"):
        raise ValueError(f"a server's address is https://HOST[:PORT] or http://HOST[:PORT], got {server!r}")
    target = f"{_bracketed(url.hostname)}:{url.port or (443 if url.scheme == 'https' else 80)}"
    if url.scheme == "http" and not (plaintext or _is_this_machine(url.hostname)):
        raise ValueError(f"{url.hostname} is another machine: use https://, or plaintext=True where nobody listens")
    authorization = _authorization(token, token_file)
    if (certificate_file is None) != (key_file is None):
        raise ValueError("a certificate and its key go together: certificate_file and key_file")
    if url.scheme == "http" and certificate_file is not None:
        raise ValueError("a certificate is shown over TLS alone: use https://, or leave certificate_file out")
    if url.scheme == "https":
        parts = [_bytes_of(file) for file in (ca_file, key_file, certificate_file)]
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(*parts), _OPTIONS)
    else:
        channel = grpc.insecure_channel(target, _OPTIONS)
    return Client(channel, authorization, deadline_s, attempts_max, own_writes_of=own_writes_of)


class Client:
    """Every method of the API by its name in Python: `client.get_site(name=…)`, or with a message, `client.get_site(request)`.

    A call answers with its message, or raises `WaymarkError`. It takes `deadline_s` and `min_revision` for this one call. Methods
    whose answers are streams, such as `stream_tiles`, answer with an iterator. Good for many threads at once; leave its `with`
    block, or `close` it, to end its connection.

    each    the same methods, of those that answer in pages: an iterator over all items, `client.each.list_sites(parent=…)`. Where
            records of sites are damaged it raises behind all others, and names them
    """

    def __init__(self, channel, authorization, deadline_s=None, attempts_max=None, own_writes_of=None):
        self.each = Each(self)
        self._channel, self._authorization = channel, authorization
        self._deadline_s, self._attempts_max = deadline_s, attempts_max
        self._own_writes_of = own_writes_of
        # The highest revisions that calls of this client wrote, by what they are of.
        self._written, self._lock = {}, threading.Lock()
        self._sleep = time.sleep

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the connection, and all that goes on over it."""
        self._channel.close()

    def __dir__(self):
        return [*super().__dir__(), *METHODS]

    def __getattr__(self, name):
        method = METHODS.get(name)
        if method is None:
            raise AttributeError(f"the API has no method {name}")

        def call(request=None, *, deadline_s=None, min_revision=None, **fields):
            if method.streams_requests:
                return self._stream(method, request, deadline_s, min_revision)
            message = method.message(request, fields)
            if method.streams_answers:
                return self._stream(method, message, deadline_s, min_revision)
            return self._unary(method, message, deadline_s, min_revision)

        call.__name__, call.__doc__ = name, f"Calls {method.name}."
        return call

    def watch_sites(self, on, filter="", resume_revision=0):
        """The sites of the account `on` (`accounts/ACCOUNT`) that match, then what becomes of them: an iterator of `SiteEvent`.

        It goes on after cuts, for as long as it is read, and tells each change once; several changes of a site in a row may be
        told as its last one. `resume_revision` is the `revision` of an event of an earlier watch of the same account and filter.
        Raises `WaymarkError` where watching again would not help, as with a bad token or filter. Leave its `with` block, or
        `close` it, to end it. (`call` gives the bare stream of the method.)
        """
        return SiteWatch(self, on, filter, resume_revision)

    def call(self, method, request=None, **options):
        """A method by its name in the API, such as `SiteService/GetSite`."""
        name = next((name for name, known in METHODS.items() if known.name == method), None)
        if name is None:
            raise ValueError(f"the API has no method {method}")
        # Past `watch_sites` of this class, whose name is that of a method too.
        return self.__getattr__(name)(request, **options)

    def written(self, account):
        """The highest revision of `accounts/ACCOUNT` that calls of this client wrote, as `min_revision` takes it on any machine;
        None for none. `operator` stands for what is of no account."""
        with self._lock:
            revision = self._written.get(account)
        return None if revision is None else f"{account}={revision}"

    def begin(self, method, request, deadline_s, min_revision=None):
        """A bare stream of gRPC, for who deals with its errors."""
        if method.streams_requests:
            bound = self._channel.stream_stream
        else:
            bound = self._channel.unary_stream
        bound = bound(method.path, method.request.SerializeToString, method.answer.FromString)
        return bound(request, timeout=deadline_s, metadata=self._metadata(min_revision))

    def _unary(self, method, request, deadline_s, min_revision):
        bound = self._channel.unary_unary(method.path, method.request.SerializeToString, method.answer.FromString)
        request = _with_key(method, request)
        ends = time.monotonic() + self._limit_s(method, deadline_s)
        failures = 0
        while True:
            left_s = max(ends - time.monotonic(), 0)
            try:
                answer, call = bound.with_call(request, timeout=left_s, metadata=self._metadata(min_revision))
            except grpc.RpcError as cause:
                self._note(cause)
                failures += 1
                self._wait_or_raise(method, cause, failures, ends)
            else:
                self._note(call)
                return answer

    def _stream(self, method, request, deadline_s, min_revision):
        limit_s = self._limit_s(method, deadline_s)
        ends = None if limit_s is None else time.monotonic() + limit_s
        failures = 0
        while True:
            left_s = None if ends is None else max(ends - time.monotonic(), 0)
            stream, has_begun = self.begin(method, request, left_s, min_revision), False
            try:
                for message in stream:
                    has_begun = True
                    yield message
                return
            except grpc.RpcError as cause:
                failures += 1
                # What was heard is not heard again, and what is said as one goes cannot be said again.
                is_over = has_begun or method.streams_requests
                self._wait_or_raise(method, cause, failures, None if is_over else ends)
            finally:
                stream.cancel()

    def _limit_s(self, method, deadline_s):
        """Seconds that a call may take; None for as long as it lasts."""
        ruled_s = POLICY.deadline_s(method)
        if deadline_s is not None or ruled_s is None:
            return deadline_s
        return ruled_s if self._deadline_s is None else self._deadline_s

    def _wait_or_raise(self, method, cause, failures, ends):
        """Waits before the next attempt; raises the failure where there is to be none, or no time for it."""
        error = WaymarkError.of(cause)
        wait_s = None if ends is None else POLICY.wait_s(method, error, failures)
        is_last = self._attempts_max is not None and failures >= self._attempts_max
        if wait_s is None or is_last or time.monotonic() + wait_s >= ends:
            raise error from cause
        self._sleep(wait_s)

    def _metadata(self, min_revision):
        least = min_revision or (self.written(self._own_writes_of) if self._own_writes_of else None)
        metadata = [("authorization", self._authorization)] if self._authorization else []
        return metadata + ([(_MIN_REVISION, least)] if least else [])

    def _note(self, call):
        """Takes note of what a call says that it wrote. One that is refused at once says all behind it."""
        told = [*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())]
        for of, _, revision in (value.partition("=") for key, value in told if key == _REVISION):
            if revision.isdecimal():
                with self._lock:
                    self._written[of] = max(int(revision), self._written.get(of, 0))


class Each:
    """Methods that answer in pages, as iterators over their items."""

    def __init__(self, client):
        self._client = client

    def __dir__(self):
        return [name for name, method in METHODS.items() if method.items]

    def __getattr__(self, name):
        method = METHODS.get(name)
        if method is None or method.items is None:
            raise AttributeError(f"the API has no method {name} with pages")

        def items(request=None, *, deadline_s=None, min_revision=None, **fields):
            page_request = method.request()
            page_request.CopyFrom(method.message(request, fields))
            unreachable = []
            while True:
                page = getattr(self._client, name)(page_request, deadline_s=deadline_s, min_revision=min_revision)
                yield from getattr(page, method.items)
                unreachable += getattr(page, "unreachable", [])
                if not page.next_page_token:
                    break
                page_request.page_token = page.next_page_token
            if unreachable:
                raise left_out(unreachable)

        return items


def _with_key(method, request):
    """The request with what lets it be repeated, where the method takes it and the caller gave none."""
    path = POLICY.key(method)
    if path is None:
        return request
    copy = method.request()
    copy.CopyFrom(request)
    *lists, field = path.split(".")
    holders = getattr(copy, lists[0]) if lists else [copy]
    for holder in holders:
        given = getattr(holder, field)
        if not given:
            setattr(holder, field, os.urandom(_SECRET_BYTES) if isinstance(given, bytes) else str(uuid.uuid4()))
    return copy


def _authorization(token, token_file):
    """The value of the header; None without a token, with which invitations alone can be accepted."""
    if token is None and token_file is None:
        token, token_file = os.environ.get(_TOKEN), os.environ.get(_TOKEN_FILE)
    if token is None and token_file is not None:
        with open(token_file, encoding="utf-8") as file:
            token = file.read()
    if token is None:
        return None
    token = token.strip()
    if not token or not all("!" <= letter <= "~" for letter in token):
        raise ValueError("the token is malformed")
    return f"Bearer {token}"


def _bytes_of(file):
    if file is None:
        return None
    with open(file, "rb") as opened:
        return opened.read()


def _is_this_machine(host):
    if host.rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host):
    return f"[{host}]" if ":" in host else host
