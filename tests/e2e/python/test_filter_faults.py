"""Every call that takes a filter says at which byte of it a fault stands: over gRPC, over HTTP/JSON, and for tiles.

The calls are those of the descriptors: a method with a field `filter` and no entry here fails.
"""

import json
from urllib.parse import quote

import pytest
from google.protobuf.descriptor import FieldDescriptor

import rest
from client import Account, fetch, refused
from rules import World, request_for
from stubs import methods

# Method -> whether its filter may name the note, which no map holds.
METHODS = {
    "ListAttention": False,
    "QueryViewport": False,
    "WatchMap": False,
    "WatchViewport": False,
    "ListViewportSites": False,
    "ListNearestSites": False,
    "ListSitesWithinRadius": False,
    "ListClusterSites": False,
    "LocateSite": False,
    "ListPolygonSites": False,
    "FitSites": False,
    "ListNearDuplicates": False,
    "StreamTiles": False,
    "SignTileUrl": False,
    "ListSites": True,
    "SearchSites": False,
    "WatchSites": True,
}
# What beside the methods takes a filter as a parameter.
TILE_PATHS = ["tiles.json", "tiles/0/0/0.mvt", "tiles/22/7/7.mvt"]
FAULTS = {
    "(" * 1000 + "a" + ")" * 1000: "at byte 21: nested deeper than 20 levels",
    "-" * 1000 + "a": "at byte 21: nested deeper than 20 levels",
    "NOT " * 500 + "a": "at byte 84: nested deeper than 20 levels",
    " OR ".join(["a"] * 101): "at byte 500: more than 100 terms",
    "a" * 2049: "at byte 2048: a filter has at most 2048 bytes",
    "status = 5": "at byte 9",
    "status = ONLINE AND create_time > yesterday": "at byte 34",
    "status = ONLINE AND location.placed = maybe": "at byte 38",
    "attention = TIRED": "at byte 12",
    "status > ONLINE": "at byte 7",
    "status = ONLINE contact.email < x": "at byte 30",
    "color = red": "at byte 0",
    # Which byte, not which letter.
    'customer_id = "é" colour = red': "at byte 19",
    "contact.phones : anna": "at byte 17: a phone number is written in digits",
    "contact.phones < 354": "at byte 15",
    "contact.phones = 0545451000": "at byte 17: begin with + and the country's calling code",
    "contact.phones.number = 354": "at byte 0",
    "ticketing_links.state = GONE": "at byte 24: the state of a link is",
    "ticketing_links.uri : x": "at byte 0",
    'customer_id = "open': "at byte 14",
    "status = ONLINE AND (customer_id = 7": "at byte 20: this parenthesis is never closed",
    "status = ": "at byte 9",
}
# One for each field of contacts and links.
CONDITIONS = [
    "pump",
    "contact.email : x",
    "contact.first_name : x",
    "contact.last_name : x",
    'contact.phones : "+354 545"',
    "ticketing_links.system = zendesk",
    "ticketing_links.organization_id = 7",
    "ticketing_links.organization_name : x",
    "ticketing_links.external_site_id = 22",
    "ticketing_links.external_site_name : x",
    "ticketing_links.state = BROKEN",
]
NOTE = "status = ONLINE AND note : pump"
NOTE_AT = "at byte 20"


def fields_named_filter():
    """Method -> where in its request a field of this name stands."""
    found = {}
    for _, method in methods():
        paths, seen, waiting = [], set(), [("", method.input_type)]
        while waiting:
            before, message = waiting.pop()
            if message.full_name in seen:
                continue
            seen.add(message.full_name)
            for field in message.fields:
                if field.type == FieldDescriptor.TYPE_MESSAGE:
                    waiting.append((f"{before}{field.name}.", field.message_type))
                elif field.name == "filter":
                    paths.append(before + field.name)
        if paths:
            found[method.name] = paths
    return found


def test_each_filter_of_the_api_has_an_entry():
    assert fields_named_filter() == {method: ["filter"] for method in METHODS}


def test_each_address_that_takes_a_filter_has_an_entry(server):
    document = json.loads(fetch(server.target, "/openapi.json")[2])
    operations = [operation for ways in document["paths"].values() for operation in ways.values()]
    filtered = [one for one in operations if any(parameter["name"] == "filter" for parameter in one["parameters"])]
    assert filtered, "the document names parameters"
    # Service, method and, of a second way to call it, a number.
    methods_of = {one["operationId"].split("_")[1] for one in filtered}
    assert methods_of <= set(METHODS), methods_of


@pytest.fixture(scope="module")
def world(operator):
    return World(Account(operator))


def request_of(method, world, text):
    request = request_for(method, world)
    request.filter = text
    return request


def faults_of(method):
    return FAULTS if METHODS[method] else FAULTS | {NOTE: NOTE_AT}


@pytest.mark.parametrize("method", METHODS)
def test_a_fault_is_told_with_its_byte_over_grpc(world, method):
    caller = world.caller("VIEWER")
    for text, expected in faults_of(method).items():
        failure = refused(
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
            lambda text=text: caller.call(method, request_of(method, world, text)),
            field="filter",
        )
        assert failure.fields["filter"].startswith(f"{expected}:" if expected[-1].isdigit() else expected), failure


WAYS = [
    (method.name, way)
    for _, method in methods()
    if method.name in METHODS and not method.client_streaming
    for way in range(len(rest.rules(method.name)))
    if any(getattr(rest.rules(method.name)[way], verb) for verb in rest.VERBS)
]


def test_every_method_of_these_is_served_over_http_but_for_streams_of_requests():
    assert {name for name, _ in WAYS} == set(METHODS) - {"WatchMap"}


@pytest.mark.parametrize("method, way", WAYS)
def test_a_fault_is_told_with_its_byte_over_http(server, world, method, way):
    token = world.caller("VIEWER").token
    for text, expected in faults_of(method).items():
        answer = rest.call(server.target, method, request_of(method, world, text), token, way)
        assert (answer.status, answer.error["status"], answer.reason) == (400, "INVALID_ARGUMENT", "FIELD_INVALID"), answer
        [violation] = answer.detail("BadRequest")["fieldViolations"]
        assert violation["field"] == "filter" and violation["description"].startswith(expected), answer


@pytest.mark.parametrize("path", TILE_PATHS)
def test_a_fault_is_told_with_its_byte_for_tiles(server, world, path):
    token = world.caller("VIEWER").token
    for text, expected in (FAULTS | {NOTE: NOTE_AT}).items():
        where = f"/v1/{world.account.name}/{path}?filter={quote(text)}"
        status, _, body = fetch(server.target, where, token)
        error = json.loads(body)["error"]
        assert (status, error["reason"], error["field"]) == (400, "FIELD_INVALID", "filter"), body
        assert expected in error["message"], body


def test_good_filters_are_taken_by_all_of_these_requests(world):
    """Else what is refused above might be refused for another reason."""
    caller = world.caller("VIEWER")
    for method in METHODS:
        request = request_of(method, world, f"status = UNKNOWN OR {' OR '.join(CONDITIONS)}")
        if method == "ListClusterSites":
            request.cluster_id = f"p-{world.site.rpartition('/')[2]}"
        caller.call(method, request)
