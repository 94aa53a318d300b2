"""Canaries over HTTP/JSON: a value of a wrong kind is in no error, whose method and field it may be, and nothing of a request is in a log.

Over gRPC a text can stand where texts stand alone. In JSON it can stand anywhere, and so can a phone number where no number does.
"""

from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor

from client import Account, Caller
from mail_server import MailServer
from rest import ask, request_of, rules
from rules import World, request_for
from server import Server
from stubs import PACKAGE, methods
from test_canaries import Canaries, is_list

# Levels of message in message whose fields are filled; one more in rows of an import, which stand around the resource.
DEPTH_MAX = 3
# Begins the numbers that stand where none does: as many digits stand nowhere by chance.
NUMBERS = 9_071_000_000
WHOLE = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
)
NUMBERED = (*WHOLE, FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_BOOL)


class Asked(NamedTuple):
    """A call with a value that it cannot take, or with one that it may take."""

    method: str
    field: str
    forms: list
    is_wrong: bool
    answer: object


def is_map(field):
    return bool(field.message_type) and field.message_type.GetOptions().map_entry


def is_own(field):
    """Whether it holds a message of waymark's; those of others, such as times, are texts in JSON."""
    return bool(field.message_type) and not is_map(field) and field.message_type.file.package == PACKAGE


def places(described, depth):
    """Paths, as lists of field descriptors, to all fields of a message and of those in it."""
    for field in described.fields:
        yield [field]
        if is_own(field) and depth > 1:
            yield from ([field, *rest] for rest in places(field.message_type, depth - 1))


def wrong(field, canary, number):
    """Values that no field of this kind takes."""
    if is_map(field):
        yield from (canary, {"region": number}, {"region": [canary]})
    elif is_list(field):
        yield from (canary, [[canary]], [[number]])
    elif is_own(field):
        yield from (canary, number, [canary])
    elif field.cpp_type in NUMBERED:
        yield from (canary, [canary])
    elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        yield from (number, [canary], {"x": canary})
    else:
        yield from ([canary], {"x": number})


def put(body, path, value):
    """Writes a value into the field of a path, making what is missing on the way."""
    *parents, last = path
    for field in parents:
        held = body.setdefault(field.json_name, [{}] if is_list(field) else {})
        body = held[0] if is_list(field) else held
    body[last.json_name] = value


def name_of(path):
    return ".".join(field.json_name for field in path)


def with_bodies(method, world, canaries, numbers):
    """Each field of the body, with each value that it cannot hold: name, forms of the canary, and the request."""
    rule = next((rule for rule in rules(method.name) if rule.body), None)
    if not rule:
        return
    message = request_for(method.name, world, validate=True)
    root = message.DESCRIPTOR if rule.body == "*" else message.DESCRIPTOR.fields_by_name[rule.body].message_type
    for path in places(root, DEPTH_MAX + (method.name == "ImportSites")):
        canary, number = canaries.draw((method.name, name_of(path))), next(numbers)
        for value in wrong(path[-1], canary, number):
            verb, address, body = request_of(rule, message)
            put(body, path, value)
            yield name_of(path), [canary, str(number)], verb, address, body


def with_parameters(method, world, canaries):
    """The same of parameters of the address, which are texts: wrong are those of numbers."""
    rule = next((rule for rule in rules(method.name) if not rule.body and rule.get), None)
    if not rule:
        return
    message = request_for(method.name, world, validate=True)
    for path in places(message.DESCRIPTOR, DEPTH_MAX):
        *parents, last = path
        if last.message_type or last.type == FieldDescriptor.TYPE_ENUM or any(is_list(field) for field in parents):
            continue
        canary = canaries.draw((method.name, name_of(path)))
        verb, address, _ = request_of(rule, message)
        address, _, query = address.partition("?")
        parameters = dict(parse_qsl(query)) | {name_of(path): canary}
        yield name_of(path), [canary], last.cpp_type in NUMBERED, verb, f"{address}?{urlencode(parameters)}"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What a server answered and wrote while it was asked everything."""
    tmp_path, canaries, asked = tmp_path_factory.mktemp("rest"), Canaries(), []
    numbers = iter(range(NUMBERS, NUMBERS + 10**6))
    with MailServer(tmp_path) as mail_server:
        extra = ["--log", "trace", "--config", mail_server.config()]
        serving = Server(tmp_path / "data", geoip=False, gazetteer=True, extra=extra)
        with serving as server, grpc.insecure_channel(server.target) as channel:
            operator = Caller(channel, server.admin_token)
            operator.mail_server = mail_server
            world = World(Account(operator))
            token = world.account.caller().token
            for _, method in methods():
                if method.client_streaming:
                    continue
                for field, forms, verb, address, body in with_bodies(method, world, canaries, numbers):
                    answer = ask(server.target, verb, address, token, body)
                    asked.append(Asked(method.name, field, forms, True, answer))
                if method.server_streaming:
                    # What it takes well it answers for as long as somebody listens.
                    continue
                for field, forms, is_wrong, verb, address in with_parameters(method, world, canaries):
                    answer = ask(server.target, verb, address, token)
                    asked.append(Asked(method.name, field, forms, is_wrong, answer))
        return asked, server.log_text()


def test_no_error_repeats_a_value_of_a_wrong_kind(told):
    asked, _ = told
    wrong_ones = [one for one in asked if one.is_wrong]
    assert not [(one.method, one.field, one.answer.status) for one in wrong_ones if one.answer.status < 400]
    assert not [(one.method, one.field, one.answer) for one in asked if one.answer.status == 500]
    text = lambda one: one.answer.body.decode()  # noqa: E731
    held = {(one.method, one.field, text(one)[:200]) for one in wrong_ones if any(form in text(one) for form in one.forms)}
    assert not held, sorted(held)[:20]


def test_values_of_a_wrong_kind_are_named_by_their_place(told):
    """Without this the others could pass because everything is refused for something else."""
    asked, _ = told
    named = set()
    for one in asked:
        if one.is_wrong and (one.answer.status, one.answer.reason) == (400, "FIELD_INVALID"):
            named |= {(one.method, field) for field in one.answer.fields}
    wanted = {
        ("CreateSite", "site.note"),
        ("CreateSite", "site.contact"),
        ("CreateSite", "site.contact.phones"),
        ("CreateSite", "site.contact.phones[0].number"),
        ("UpdateSite", "site.contact.email"),
        ("ImportSites", "rows[0].site.contact.lastName"),
        ("ImportSites", "rows[0].addPhones[0].number"),
        ("CreateTicketingConnection", "connection.credentials"),
        ("UpdateResidentAccess", "residentAccess.ownerEmail"),
        ("SetPin", "position.lat"),
        ("SetAddress", "addressLine"),
        ("RedeemInvitation", "code"),
        ("ListSites", "pageSize"),
    }
    assert wanted <= named, sorted(wanted - named)


def test_no_log_has_anything_of_a_request(told):
    asked, log = told
    assert "DEBUG" in log and "TRACE" in log, "all is logged that can be"
    held = {(one.method, one.field) for one in asked if any(form in log for form in one.forms)}
    assert not held, sorted(held)[:20]
