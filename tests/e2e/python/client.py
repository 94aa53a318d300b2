"""A caller of the API: one token, every method by its name, and a check for errors with all their details."""

import http.client
import itertools
import secrets
import time
import uuid

import grpc
from google.protobuf import field_mask_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from stubs import methods, pb, stub

SERVICE_OF = {method.name: service for service, method in methods()}
STREAMED = {method.name for _, method in methods() if method.server_streaming}
# Those whose requests are streamed too.
TWO_WAY = {method.name for _, method in methods() if method.client_streaming}
# Those that answer until the client leaves.
WATCHES = {"WatchSites", "WatchMap", "WatchViewport"}
# Seconds a call: far above what any takes, so that a hang fails and a busy machine does not.
CALL_S_MAX = 30
_numbers = itertools.count(1)
WORLD = pb.BoundingBox(low=pb.LatLng(lat=-90, lng=-180), high=pb.LatLng(lat=90, lng=180))
# The sites that an account's caller of the scope FIELD has.
ASSIGNED = 'labels.team = "north"'
# Seconds for whatever has to come.
COMES_S_MAX = 30


def until(what, is_so):
    """Waits until it is so."""
    deadline = time.monotonic() + COMES_S_MAX
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Caller:
    """Calls methods with one token: `caller.GetSite(name=…)`."""

    def __init__(self, channel, token=None, forwarded_for=None):
        self.channel = channel
        self.token = token
        self.metadata = [("authorization", f"Bearer {token}")] if token else []
        if forwarded_for:
            self.metadata.append(("x-forwarded-for", forwarded_for))

    def call(self, method, request, timeout=CALL_S_MAX):
        """One call with a request message; `timeout` in seconds. A streamed answer comes as the list of its messages, a watch
        as its first one."""
        answer = self.begin(method, request, timeout)
        if method in WATCHES:
            first = next(answer)
            answer.cancel()
            return [first]
        return list(answer) if method in STREAMED else answer

    def begin(self, method, request, timeout=CALL_S_MAX):
        """A call whose streamed answer is read by who began it. `request` is an iterator of them where they are streamed."""
        if method in TWO_WAY and not hasattr(request, "__next__"):
            request = iter([request])
        bound = getattr(stub(SERVICE_OF[method], self.channel), method)
        return bound(request, metadata=self.metadata, timeout=timeout)

    def wrote(self, method, **fields):
        """One call: its answer, and the revisions that it says to have written, by what they are of."""
        kind = next(m.input_type.name for _, m in methods() if m.name == method)
        bound = getattr(stub(SERVICE_OF[method], self.channel), method)
        answer, call = bound.with_call(getattr(pb, kind)(**fields), metadata=self.metadata, timeout=CALL_S_MAX)
        told = [value.split("=") for key, value in call.initial_metadata() if key == "waymark-revision"]
        assert len({of for of, _ in told}) == len(told), told
        return answer, {of: int(revision) for of, revision in told}

    def __getattr__(self, method):
        if method not in SERVICE_OF:
            raise AttributeError(method)
        kind = next(m.input_type.name for _, m in methods() if m.name == method)
        return lambda **fields: self.call(method, getattr(pb, kind)(**fields))

    def behind(self, forwarded_for):
        """The same caller as a proxy would hand it on."""
        return Caller(self.channel, self.token, forwarded_for)


class Account:
    """A fresh account with a caller for each scope."""

    def __init__(self, operator, account_id=None, country=""):
        self.operator = operator
        self.id = account_id or f"t{next(_numbers)}-{secrets.token_hex(3)}"
        self.name = f"accounts/{self.id}"
        operator.CreateAccount(account_id=self.id, account=pb.Account(display_name="a test's", country_code=country))
        self._callers = {}

    def caller(self, scope="ADMIN"):
        """A caller with a token of the scope."""
        if scope not in self._callers:
            token = pb.Token(scope=scope_value(scope), assigned=ASSIGNED if scope == "FIELD" else "")
            answer = self.operator.CreateToken(parent=self.name, token=token)
            self._callers[scope] = Caller(self.operator.channel, answer.secret)
        return self._callers[scope]

    def activate(self, agent_id=None, *, key=None, ip=None, display_name="", **fields):
        """Activates an agent with the account's enrolment token."""
        agent_id = agent_id or f"agent-{secrets.token_hex(6)}"
        caller = self.caller("ENROLLMENT")
        caller = caller.behind(ip) if ip else caller
        key = key or secrets.token_bytes(32)
        return caller.ActivateAgent(
            parent=self.name, agent_id=agent_id, agent_key=key, display_name=display_name, **fields
        )

    def create_site(self, display_name=None, **fields):
        """Makes a site without an agent."""
        display_name = display_name or f"site {secrets.token_hex(6)}"
        return self.caller().CreateSite(parent=self.name, site=pb.Site(display_name=display_name, **fields))


def scope_value(scope):
    """The enum value of a scope's short name."""
    return pb.TokenScope.Value(f"TOKEN_SCOPE_{scope}")


def mask(*paths):
    """A field mask."""
    return field_mask_pb2.FieldMask(paths=paths)


def absent_site(account_id="nowhere"):
    """The well-formed name of a site that does not exist."""
    return f"accounts/{account_id}/sites/{uuid.uuid4()}"


def health(channel, service=""):
    """What gRPC's health service says of a service, or of the whole server: 1 for serving, 2 for not."""
    name = service.encode()
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    # A message of one text, and one of one number.
    answer = check(b"\n" + bytes([len(name)]) + name if name else b"", timeout=CALL_S_MAX)
    assert answer[:1] == b"\x08" and len(answer) == 2, answer
    return answer[1]


def fetch(target, path, token=None, headers=None, method="GET"):
    """GET over HTTP: status, headers by name in lower case without `date`, body as it is sent."""
    connection = http.client.HTTPConnection(target, timeout=CALL_S_MAX)
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    try:
        # Says nothing of encodings unless it is told to, unlike http.client on its own.
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (authorization | (headers or {})).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        headers = {key.lower(): value for key, value in answer.getheaders() if key.lower() != "date"}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


class Failure:
    """An error as a client sees it."""

    def __init__(self, error):
        status = rpc_status.from_call(error)
        details = status.details if status else []
        self.code = error.code()
        self.message = error.details()
        self.trailing = sorted(key for key, _ in error.trailing_metadata() or ())
        self.infos = [
            _unpack(d, error_details_pb2.ErrorInfo) for d in details if d.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)
        ]
        bad = [
            _unpack(d, error_details_pb2.BadRequest) for d in details if d.Is(error_details_pb2.BadRequest.DESCRIPTOR)
        ]
        self.fields = {violation.field: violation.description for one in bad for violation in one.field_violations}
        self.details = [(detail.type_url, detail.value) for detail in details]

    @property
    def reason(self):
        """The one reason, from the one ErrorInfo."""
        assert len(self.infos) == 1, f"{self}: one google.rpc.ErrorInfo is promised"
        assert self.infos[0].domain == "waymark", self
        assert f"ERROR_REASON_{self.infos[0].reason}" in pb.ErrorReason.keys(), f"{self}: not in errors.proto"
        return self.infos[0].reason

    def __repr__(self):
        return f"{self.code.name} {self.message!r} infos={self.infos} fields={self.fields}"


def _unpack(detail, kind):
    message = kind()
    detail.Unpack(message)
    return message


def failure_of(call):
    """The error that a call ends with."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return Failure(error)
    raise AssertionError(f"no error, but {type(answer).__name__}: {str(answer)[:200]}")


def refused(code, reason, call, field=None):
    """Asserts code, reason, and the field that the BadRequest names."""
    failure = failure_of(call)
    assert failure.code.name == code, failure
    assert failure.reason == reason, failure
    assert failure.message and failure.message[0] == failure.message[0].lower(), f"{failure}: lowercase messages"
    assert not failure.message.endswith("."), f"{failure}: no full stop"
    if field is not None:
        assert field in failure.fields, f"{failure}: the BadRequest names {field}"
        assert failure.fields[field], f"{failure}: the violation says what is allowed"
    return failure
