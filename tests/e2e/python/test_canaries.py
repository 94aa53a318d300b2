"""Canaries: a text of its own in every text field of every request, good and bad, is in no log, no metric and no trace.

The walk is over the descriptors: a new field gets its canary without a word here. An answer may hold what it is about.
An error may tell a caller its own text where that helps to mend it, but never a text of `SILENT`, nor one of another
call.
"""

import base64
import re
import uuid
from typing import NamedTuple

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor

from client import CALL_S_MAX, WATCHES, Account, Caller, Failure, fetch
from mail_server import MailServer
from otlp_collector import Collector
from rules import World, request_for
from server import Server
from stubs import PACKAGE, methods, pb
from test_traces import check_listed
from ticketing_systems import CREDENTIALS, System, config

# What a canary looks like; no word of any log, and good as a name, an id, a label's key and a part of an address.
CANARY = re.compile(r"kanari[0-9]{7}(?![0-9])", re.IGNORECASE)
# Levels of message in message that are filled: a request, its resource, a group in it, an item of that.
DEPTH_MAX = 4
# Longer than any text that a field takes.
TOO_LONG_CHARS = 70_000
# Paths of fields that are about a person, or secret: no error repeats them, not even to the caller.
SILENT = re.compile(
    r"(^|\.)(contact(\.|$)|add_phones(\.|$)|note$|owner_email$|user_emails$|support_contact$|credentials$|address_line$|typed$"
    r"|code$|retry_key$|postal_address\.(street|locality)|devices\.(display_name|kind)$)"
)
# What exports are let in with.
COLLECTOR_TOKEN = "Bearer collector-Canary"
# Seconds a call of a server that writes each step into its log.
CALL_S = 2 * CALL_S_MAX


class Canaries:
    """Draws canaries, and remembers whose they are."""

    def __init__(self):
        self.owners = {}

    def draw(self, owner):
        """A new canary for `owner`, which says where it goes."""
        canary = f"kanari{len(self.owners) + 1:07}"
        self.owners[canary] = owner
        return canary

    def found_in(self, text):
        """The canaries that a text holds, as they are."""
        return {match.lower() for match in CANARY.findall(text)} & self.owners.keys()


def fields_of(descriptor, depth=DEPTH_MAX):
    """Paths, as lists of field descriptors, to all fields of texts and bytes in a message."""
    for field in descriptor.fields:
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            yield [field]
        elif field.message_type and field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_STRING:
                yield [field]
        elif field.message_type and depth > 1:
            yield from ([field, *rest] for rest in fields_of(field.message_type, depth - 1))


def is_list(field):
    """Whether there are several of them."""
    return isinstance(field.default_value, list)


def put(message, path, text):
    """Writes a text into the field of a path, making what is missing on the way."""
    *parents, last = path
    for field in parents:
        message = getattr(message, field.name)
        if is_list(field):
            message = message[0] if message else message.add()
    if last.message_type:
        # A map: once as a value, once as a key. Of credentials the system says which keys there are.
        held = getattr(message, last.name)
        keys = list(held) or ["region"]
        held[keys[0]] = text
        held[text[:60]] = "x"
        return
    value = text.encode() if last.type == FieldDescriptor.TYPE_BYTES else text
    if is_list(last):
        held = getattr(message, last.name)
        del held[:]
        held.append(value)
    else:
        setattr(message, last.name, value)


def texts(path, canary):
    """What is written into a field: what it may take, and what it surely does not."""
    yield canary
    yield f"{canary}@example.org"
    yield f"http://{canary}.example/{canary}"
    yield f"{canary}\x00\u202e"
    yield canary + "x" * TOO_LONG_CHARS
    if path[-1].name == "filter":
        yield f"contact.phones : {canary}"
        for form in ["contact.email = {}@example.org", "note: {}", 'display_name = "{}', "{} = 1", "status = {}"]:
            yield form.format(canary)


def requests(world, canaries):
    """Method, path, canary and request, for every text field and every text."""
    for _, method in methods():
        described = request_for(method.name, world).DESCRIPTOR
        # A row of an import stands around the resource.
        is_import = method.name == "ImportSites"
        for path in fields_of(described, DEPTH_MAX + is_import):
            dotted = ".".join(field.name for field in path)
            for text in texts(path, canary := canaries.draw((method.name, dotted))):
                request = request_for(method.name, world, validate=True)
                if method.name == "CreateSite":
                    # A site of this name may stand already.
                    request.site.display_name = f"site {uuid.uuid4()}"
                put(request, path, text)
                if path[0].message_type and "update_mask" in described.fields_by_name and len(path) > 1:
                    # What the mask does not name is not looked at.
                    request.update_mask.paths[:] = [path[1].name]
                if is_import and dotted.startswith("rows.site."):
                    request.rows[0].update_mask.paths[:] = [path[2].name]
                yield method.name, dotted, canary, request


class Refusal(NamedTuple):
    """A row that an answer refuses: what it says of it, as of a call that fails."""

    code: grpc.StatusCode
    message: str
    details: list


def ask(caller, method, request):
    """The failure of a call, or of a row in its answer; nothing where it goes well."""
    try:
        answer = caller.begin(method, request, CALL_S)
        if method in WATCHES:
            next(answer)
            answer.cancel()
        elif hasattr(answer, "__next__"):
            list(answer)
    except grpc.RpcError as error:
        return Failure(error)
    if method == "ImportSites":
        for row in answer.results:
            if row.outcome == pb.IMPORT_OUTCOME_REFUSED:
                return Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"{row.field}: {row.message}", [])
    return None


class Talkative(System):
    """A Zendesk whose names, answers and refusals hold canaries."""

    def __init__(self, canaries):
        super().__init__("zendesk")
        self.organization, self.refusal = (canaries.draw(("a system", part)) for part in ("name", "refusal"))
        self.organizations = {1: self.organization}

    def answer(self, request):
        """As any Zendesk does; what is no good answer says more than it should."""
        status, headers, value = super().answer(request)
        return status, headers, value if status == 200 else {"message": self.refusal, "error": self.refusal}


def ask_a_system(operator, canaries):
    """Failures of calls that ask a ticketing system, which says too much."""

    def connect(credentials):
        account = Account(operator)
        stated = pb.TicketingConnection(system="zendesk", base_url=system.url, credentials=credentials)
        caller = account.caller()
        return caller, caller.CreateTicketingConnection(parent=account.name, connection=stated).name

    with Talkative(canaries) as system:
        caller, name = connect(CREDENTIALS["zendesk"])
        listed = caller.ListExternalOrganizations(connection=name, search=system.organization)
        assert [one.display_name for one in listed.organizations] == [system.organization], "the system was asked"
        search = pb.ListExternalOrganizationsRequest(connection=name, search=canaries.draw(("a system", "search")))
        system.failing = (500, {})
        yield ask(caller, "ListExternalOrganizations", search)
        system.failing = None
        caller, name = connect({"email": "agent@acme", "api_token": canaries.draw(("a system", "credentials"))})
        yield ask(caller, "CheckTicketingConnection", pb.CheckTicketingConnectionRequest(name=name))
        yield ask(caller, "ListExternalOrganizations", pb.ListExternalOrganizationsRequest(connection=name))


def told_by(failure):
    """All that a failure tells: message, trailers, details."""
    return f"{failure} {[value.decode(errors='replace') for _, value in failure.details]}"


@pytest.fixture(scope="module", params=["text", "json"])
def told(request, tmp_path_factory):
    """What a server wrote and answered while it was asked everything."""
    tmp_path, canaries, failures, taken = tmp_path_factory.mktemp("canaries"), Canaries(), [], set()
    token = tmp_path / "collector.token"
    token.write_text(COLLECTOR_TOKEN, encoding="ascii")
    token.chmod(0o600)
    with Collector() as collector, MailServer(tmp_path) as mail_server:
        path = tmp_path / "waymark.toml"
        traces = collector.config(f'headers = [{{ name = "authorization", value_file = "{token}" }}]')
        path.write_text(mail_server.config().read_text(encoding="utf-8") + config() + traces, encoding="utf-8")
        extra = ["--log", "trace", "--log-format", request.param, "--config", path]
        serving = Server(tmp_path / "data", geoip=False, gazetteer=True, extra=extra)
        with serving as server, grpc.insecure_channel(server.target) as channel:
            operator = Caller(channel, server.admin_token)
            operator.mail_server = mail_server
            world, stranger = World(Account(operator)), Account(operator).caller()
            secrets = [operator.token, stranger.token, world.activated.credential, world.token_secret]
            secrets += [world.resident_secret, world.account.caller().token, world.resident_email, COLLECTOR_TOKEN]
            callers = [world.account.caller(), stranger, operator, Caller(channel, world.resident_secret)]
            for number, (method, path, canary, message) in enumerate(requests(world, canaries)):
                # The account's own administrator is let in most; the others, and one whose token is a canary, in turn.
                unknown = Caller(channel, canaries.draw(("authorization", method)))
                unknown.metadata.append(("tracestate", f"acme={canaries.draw(('tracestate', method))}"))
                for caller in (callers[0], [*callers[1:], unknown][number % 4]):
                    failure = ask(caller, method, message)
                    if failure:
                        failures.append((method, path, canary, failure))
                    else:
                        taken.add((method, path))
            failures += [("a system", "", "", failure) for failure in ask_a_system(operator, canaries)]
            metrics = fetch(server.target, "/metrics", operator.token)
            assert metrics[0] == 200
        stored = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
        assert {headers["authorization"] for headers in collector.headers} == {COLLECTOR_TOKEN}
        return canaries, failures, taken, server.log_text(), metrics[2].decode(), stored, secrets, collector


def test_logs_and_metrics_hold_no_canary(told):
    canaries, _, _, log, metrics, _, secrets, _ = told
    assert "DEBUG" in log and "TRACE" in log, "all is logged that can be"
    for name, text in [("log", log), ("metrics", metrics)]:
        held = sorted({canaries.owners[canary] for canary in canaries.found_in(text)})
        assert not held, f"the {name} holds texts of {held[:20]}"
        for number, secret in enumerate(secrets):
            forms = [secret, base64.b64encode(secret.encode()).decode().rstrip("=")]
            assert not any(form in text for form in forms), f"the {name} holds the secret number {number}"


def test_traces_hold_no_canary_and_only_what_is_listed(told):
    canaries, failures, taken, *_, secrets, collector = told
    traced = {span.name for span in collector.spans}
    asked = {method for method, *_ in [*failures, *taken]}
    wanted = {f"{PACKAGE}.{service}/{method.name}" for service, method in methods() if method.name in asked}
    assert wanted <= traced, f"all is traced: {sorted(wanted - traced)}"
    assert {"store.commit", "store.get", "store.scan", "ticketing.ask", "mail.send"} <= traced
    raw = collector.raw
    held = sorted({canaries.owners[canary] for canary in canaries.found_in(raw)})
    assert not held, f"traces hold texts of {held[:20]}"
    for number, secret in enumerate(secrets):
        assert secret not in raw, f"traces hold the secret number {number}"
    check_listed(collector.spans)


def test_errors_hold_no_personal_text_and_none_of_another_call(told):
    canaries, failures, *_ = told
    assert all(failure for *_, failure in failures), "a system that fails makes calls fail"
    assert {failure.code.name for *_, failure in failures} >= {"INVALID_ARGUMENT", "NOT_FOUND", "UNAUTHENTICATED"}
    assert not [failure for *_, failure in failures if failure.code.name in ("INTERNAL", "UNKNOWN")]
    silent, strange = set(), set()
    for method, path, canary, failure in failures:
        found = canaries.found_in(told_by(failure))
        if SILENT.search(path) and canary in found:
            silent.add((method, path, failure.message[:120]))
        strange |= {(method, path, canaries.owners[other]) for other in found - {canary}}
    assert not silent, sorted(silent)[:20]
    assert not strange, sorted(strange)[:20]


def test_refused_rows_say_nothing_of_a_person(told):
    """Rows are refused within a good answer, and their messages go into reports that people hand around."""
    canaries, failures, *_ = told
    refused = [(path, failure.message) for _, path, _, failure in failures if isinstance(failure, Refusal)]
    paths = {path for path, _ in refused}
    assert {"rows.site.contact.email", "rows.site.contact.phones.number", "rows.add_phones.number", "rows.site.note"} <= paths
    held = {(path, message[:120]) for path, message in refused if SILENT.search(path) and canaries.found_in(message)}
    assert not held, sorted(held)


def test_the_canaries_were_taken(told):
    """Without this the others could pass because nothing ever came in."""
    canaries, _, taken, _, _, stored, _, _ = told
    wanted = {
        ("CreateSite", "site.note"),
        ("CreateSite", "site.contact.email"),
        ("CreateSite", "site.contact.first_name"),
        ("CreateSite", "site.customer_id"),
        ("CreateSite", "site.labels"),
        ("ListSites", "filter"),
        ("CreateToken", "token.display_name"),
        ("CreateTicketingConnection", "connection.display_name"),
    }
    assert wanted <= taken, sorted(wanted - taken)
    kept = {canaries.owners[canary] for canary in canaries.found_in(stored.decode(errors="replace"))}
    assert {("CreateSite", "site.note"), ("CreateSite", "site.contact.email")} <= kept
