"""HTTP/JSON: the same answers, rights, limits and errors as over gRPC."""

import gzip
import json
import subprocess

import grpc
import pytest
from google.protobuf import json_format

from client import CALL_S_MAX, COMES_S_MAX, STREAMED, Account, Failure, absent_site, fetch, until
from metrics_page import Metrics
from rest import ask, call, open_request, request_of, rules
from rules import RULES, World, request_for
from server import BINARY
from stubs import PACKAGE, methods, pb
from test_traffic import SLOW, serving

# How the names of methods begin that change nothing.
READING = "Get List Lookup BatchGet BatchLookup Search Query Locate Fit Export WhoAmI".split()
READS = [method.name for _, method in methods() if method.name.startswith(tuple(READING)) and method.name not in STREAMED]
# Each look at these is in the next answer.
TELLS_OF_ITSELF = {"ListAuditRecords"}
# Their answers are made when they are asked, and say when.
ARE_MADE_NOW = {"LookupIp", "BatchLookupIp"}


@pytest.fixture(scope="module")
def world(operator):
    return World(Account(operator))


@pytest.fixture(scope="module")
def other(operator):
    return World(Account(operator))


def reader(world, method):
    """Who may call it."""
    scopes = RULES[method].scopes
    return world.caller("ADMIN" if "ADMIN" in scopes else scopes[0]) if scopes else world.account.operator


def without(value, names):
    """JSON without the members of these names, at any depth."""
    if isinstance(value, dict):
        return {name: without(member, names) for name, member in value.items() if name not in names}
    return [without(member, names) for member in value] if isinstance(value, list) else value


def lasting(method, answer):
    """An answer without what no two have alike."""
    return without(answer, {"nextPageToken"} | ({"makeTime"} if method in ARE_MADE_NOW else set()))


def over_grpc(caller, method, message):
    """The answer as JSON, or code and message of an error."""
    try:
        return lasting(method, json_format.MessageToDict(caller.call(method, message)))
    except grpc.RpcError as error:
        failure = Failure(error)
        return failure.code.name, failure.message


def over_http(server, caller, method, message, way):
    """The same over HTTP/JSON."""
    answer = call(server.target, method, message, caller.token, way)
    return lasting(method, answer.json) if answer.status == 200 else (answer.error["status"], answer.error["message"])


@pytest.mark.parametrize("method", [method for method in READS if method not in TELLS_OF_ITSELF])
def test_what_is_read_is_what_grpc_says(server, world, method):
    caller, message = reader(world, method), request_for(method, world)
    for way in range(len(rules(method))):
        found = []

        def is_steady():
            before = over_grpc(caller, method, message)
            found[:] = [before, over_http(server, caller, method, message, way)]
            return before == over_grpc(caller, method, message)

        until(f"{method} answers the same twice", is_steady)
        assert found[0] == found[1], (method, way)


def test_a_site_is_made_read_listed_changed_and_deleted(server, operator):
    account = Account(operator)
    token, sites = account.caller("EDITOR").token, f"/v1/{account.name}/sites"
    made = [ask(server.target, "POST", sites, token, {"displayName": f"s{n}", "labels": {"n": ["even", "odd"][n % 2]}}) for n in range(5)]
    assert [answer.status for answer in made] == [200] * 5
    site = made[0].json
    of, _, revision = made[0].headers["waymark-revision"].partition("=")
    assert (of, revision) == (account.name, site["revision"]), "what other replicas have to wait for"
    path = f"/v1/{site['name']}"
    assert ask(server.target, "GET", path, token, headers={"waymark-min-revision": f"{of}={revision}"}).json == site

    names, page = [], ""
    while True:
        listed = ask(server.target, "GET", f"{sites}?pageSize=2&orderBy=display_name&filter=labels.n%20%3D%20even{page}", token).json
        names += [one["displayName"] for one in listed.get("sites", [])]
        if not listed.get("nextPageToken"):
            break
        page = f"&pageToken={listed['nextPageToken']}"
    assert names == ["s0", "s2", "s4"]

    changed = ask(server.target, "PATCH", f"{path}?updateMask=note,customerId", token, {"note": "x", "etag": site["etag"]})
    assert (changed.json["note"], changed.json["displayName"]) == ("x", "s0")
    stale = ask(server.target, "PATCH", f"{path}?updateMask=note", token, {"note": "y", "etag": site["etag"]})
    assert (stale.status, stale.error["status"], stale.reason) == (409, "ABORTED", "ETAG_MISMATCH")
    taken = ask(server.target, "POST", sites, token, {"displayName": "S1"})
    assert (taken.status, taken.reason) == (409, "SITE_NAME_TAKEN")

    assert ask(server.target, "DELETE", path, token).status == 200
    assert "deleteTime" in ask(server.target, "GET", path, token).json
    assert ask(server.target, "POST", f"{path}:undelete", token).status == 200, "a body may be left out"
    assert "deleteTime" not in ask(server.target, "GET", path, token).json


def test_an_answer_without_anything_is_an_empty_object(server, world):
    prefix, token = {"cidr": "10.77.0.0/16", "position": {"lat": 10.5, "lng": 10.5}}, world.caller("EDITOR").token
    made = ask(server.target, "POST", f"/v1/{world.account.name}/prefixes", token, prefix)
    gone = ask(server.target, "DELETE", f"/v1/{made.json['name']}", token)
    assert (gone.status, gone.json) == (200, {})


@pytest.mark.parametrize(
    ("verb", "path", "body", "fields"),
    [
        ("GET", "?pageSize=two", None, ["pageSize"]),
        ("GET", "?colour=red", None, ["colour"]),
        ("GET", "?pageSize=-1", None, ["page_size"]),
        ("GET", "?filter=%ff", None, ["filter"]),
        ("GET", "?pageSize=1&page_size=2", None, ["page_size"]),
        ("POST", "", {"contact": {"phones": [{"number": "+3545551234"}, {"fax": 1}]}}, ["site.contact.phones[1].fax"]),
        ("POST", "", {"status": "SITE_STATUS_ASLEEP"}, ["site.status"]),
        ("POST", "?requestId=1&site.note=x", {}, ["site.note"]),
        ("POST", "", [], ["site"]),
    ],
)
def test_what_is_wrong_is_named(server, world, verb, path, body, fields):
    answer = ask(server.target, verb, f"/v1/{world.account.name}/sites{path}", world.caller("EDITOR").token, body)
    assert (answer.status, answer.error["status"], answer.reason) == (400, "INVALID_ARGUMENT", "FIELD_INVALID")
    assert answer.fields == fields


def test_what_is_no_json_is_told_with_line_and_column(server, world):
    path, token = f"/v1/{world.account.name}/sites", world.caller("EDITOR").token
    as_json = {"content-type": "application/json"}
    for text in ['{\n "note": }', "{", '{"note": "\\x"}', '{"note": 1} 2', "[" * 100_000, b"\xff"]:
        answer = ask(server.target, "POST", path, token, text, as_json)
        assert (answer.status, answer.reason, answer.fields) == (400, "FIELD_INVALID", ["body"]), answer
        assert "line " in answer.error["message"] and "column " in answer.error["message"], answer
    # The message is longer than its method takes, and the body is not.
    answer = ask(server.target, "POST", path, token, {"note": "x" * 300_000})
    assert (answer.status, answer.reason) == (429, "LIMIT_REACHED")
    # Ten megabytes at once: who sends them hears why they are not taken, and nothing of them is kept.
    answer = ask(server.target, "POST", path, token, {"displayName": "ten megabytes", "note": "x" * (10 << 20)})
    assert (answer.status, answer.reason) == (429, "LIMIT_REACHED")
    listed = ask(server.target, "GET", path, token)
    assert listed.status == 200 and b"ten megabytes" not in listed.body


def test_a_form_of_another_page_is_refused_and_so_is_a_cookie(server, world):
    path, token = f"/v1/{world.account.name}/sites", world.caller("EDITOR").token
    for kind in ["text/plain", "application/x-www-form-urlencoded"]:
        answer = ask(server.target, "POST", path, token, '{"displayName": "x"}', {"content-type": kind})
        assert (answer.status, answer.fields) == (400, ["content-type"])
    answer = ask(server.target, "GET", path, headers={"cookie": f"authorization=Bearer {token}; token={token}"})
    assert answer.status == 401
    elsewhere = {"origin": "https://elsewhere.example"}
    preflight = ask(server.target, "OPTIONS", path, headers=elsewhere | {"access-control-request-method": "GET"})
    answer = ask(server.target, "GET", path, token, headers=elsewhere)
    assert (preflight.status, answer.status) == (405, 200)
    for one in (preflight, answer):
        assert not [name for name in one.headers if name.startswith("access-control-")], one
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_credentials_and_scopes_count_as_over_grpc(server, world):
    sites = f"/v1/{world.account.name}/sites"
    # Before anything is said of a request that makes no sense.
    for token in [None, "wmk_nonsense"]:
        answer = ask(server.target, "POST", f"{sites}?colour=red", token, "{", {"content-type": "application/json"})
        assert (answer.status, answer.error["status"], answer.reason) == (401, "UNAUTHENTICATED", "CREDENTIAL_INVALID")
        assert answer.headers["www-authenticate"] == "Bearer"
    answer = ask(server.target, "POST", sites, world.caller("VIEWER").token, {"displayName": "x"})
    assert (answer.status, answer.error["status"], answer.reason) == (403, "PERMISSION_DENIED", "SCOPE_INSUFFICIENT")


def test_what_is_anothers_does_not_exist(server, world, other):
    """To the byte, once the names are blotted out."""
    token = world.caller("ADMIN").token
    names = [other.site, absent_site(other.account.id), absent_site("n" * len(other.account.id))]
    told = set()
    for name in names:
        answer = ask(server.target, "GET", f"/v1/{name}", token)
        account = name.partition("/sites/")[0]
        body = answer.body.replace(name.encode(), b"NAME").replace(account.encode(), b"ACCOUNT")
        told.add((answer.status, answer.reason, body))
    assert len(told) == 1, told
    assert next(iter(told))[:2] == (404, "RESOURCE_NOT_FOUND")


def test_paths_that_nobody_has(server, world):
    token = world.caller("ADMIN").token
    assert ask(server.target, "GET", "/v1/nothing", token).reason == "RESOURCE_NOT_FOUND"
    assert ask(server.target, "GET", "/v1/nothing", token).status == 404
    answer = ask(server.target, "PUT", f"/v1/{world.site}", token, {})
    assert (answer.status, answer.reason, answer.headers["allow"]) == (405, "HTTP_UNSUPPORTED", "DELETE, GET, PATCH")
    answer = ask(server.target, "POST", f"/v1/{world.account.name}/map:watch", token, {})
    assert (answer.status, answer.error["status"], answer.reason) == (501, "UNIMPLEMENTED", "HTTP_UNSUPPORTED")
    # What was there before is there still.
    assert fetch(server.target, f"/v1/{world.account.name}/tiles/0/0/0.mvt", token)[0] == 200
    assert fetch(server.target, f"/v1/{world.account.name}/tiles.json", token)[0] == 200


def test_who_calls_too_often_hears_when_to_come_again(tmp_path):
    with serving(tmp_path, f"[traffic]\ncalls_of_token = {{ per_s = {SLOW}, burst = 5 }}") as (limited, operator):
        token = Account(operator).caller("VIEWER").token
        answers = [ask(limited.target, "GET", "/v1:whoAmI", token) for _ in range(6)]
        assert [answer.status for answer in answers] == [200] * 5 + [429]
        refused = answers[-1]
        assert (refused.error["status"], refused.reason) == ("RESOURCE_EXHAUSTED", "RATE_LIMITED")
        delay = float(refused.detail("RetryInfo")["retryDelay"].removesuffix("s"))
        assert 0 <= int(refused.headers["retry-after"]) - delay < 1


def test_a_call_is_counted_and_told_of_as_its_method(server, world):
    counted = ("waymark_grpc_calls_total", f"{PACKAGE}.AdminService", "CreateToken", "OK")
    wrong = (*counted[:-1], "INVALID_ARGUMENT")
    before = [Metrics.of(server).get(*one) for one in (counted, wrong)]
    path, admin = f"/v1/{world.account.name}/tokens", world.caller("ADMIN").token
    made = ask(server.target, "POST", path, admin, {"scope": "TOKEN_SCOPE_VIEWER"}).json
    assert ask(server.target, "POST", path, admin, {"scope": "NONSENSE"}).status == 400
    assert [Metrics.of(server).get(*one) for one in (counted, wrong)] == [number + 1 for number in before]
    records = ask(server.target, "GET", f"/v1/{world.account.name}/auditRecords", admin).json["records"]
    assert [record for record in records if "CreateToken" in record["method"]], records
    assert made["secret"].startswith("wmk_")


def lines(response):
    """The lines of an answer as they come."""
    assert response.getheader("content-type") == "application/x-ndjson"
    while line := response.readline():
        yield json.loads(line)


def test_a_watch_is_a_line_for_each_message_until_its_token_ends(server, operator):
    account = Account(operator)
    made = operator.CreateToken(parent=account.name, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER))
    connection, response = open_request(server.target, "GET", f"/v1/{account.name}/sites:watch", made.secret)
    try:
        watch = lines(response)
        for line in watch:
            if line["result"].get("mark") == "WATCH_MARK_CURRENT":
                break
        site = account.create_site("watched")
        seen = []
        while site.name not in seen:
            seen += [one["name"] for one in next(watch)["result"].get("changedSites", [])]
        operator.RevokeToken(name=made.token.name)
        rest = list(watch)
        assert rest[-1]["error"]["status"] == "UNAUTHENTICATED", rest
        assert rest[-1]["error"]["code"] == 401
    finally:
        connection.close()
    refused = ask(server.target, "GET", f"/v1/{account.name}/sites:watch", made.secret)
    assert refused.status == 401, "what is refused at once is no line"


def test_tiles_stream_as_lines(server, world):
    token = world.caller("VIEWER").token
    message = request_for("StreamTiles", world)
    connection, response = open_request(server.target, *request_parts("StreamTiles", message, token))
    try:
        told = [line["result"] for line in lines(response)]
    finally:
        connection.close()
    expect = [json_format.MessageToDict(one) for one in world.caller("VIEWER").call("StreamTiles", message)]
    assert told == expect


def request_parts(method, message, token):
    """Verb, path, token and body of a call."""
    verb, path, body = request_of(rules(method)[0], message)
    return verb, path, token, body


def test_the_description_is_the_same_from_server_and_command_line(server):
    status, headers, body = fetch(server.target, "/openapi.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    printed = subprocess.run([BINARY, "openapi"], capture_output=True, check=True, timeout=max(CALL_S_MAX, COMES_S_MAX))
    assert printed.stdout.rstrip(b"\n") == body
    status, zipped, small = fetch(server.target, "/openapi.json", headers={"accept-encoding": "br, gzip"})
    assert (status, zipped["content-encoding"], zipped["vary"]) == (200, "gzip", "accept-encoding")
    assert gzip.decompress(small) == body and len(small) < len(body) / 4
    for etag, encoding in ((headers["etag"], {}), (zipped["etag"], {"accept-encoding": "gzip"})):
        status, _, nothing = fetch(server.target, "/openapi.json", headers={"if-none-match": etag, **encoding})
        assert (status, nothing) == (304, b"")
    assert headers["etag"] != zipped["etag"]
    described = json.loads(body)
    ids = {operation["operationId"] for item in described["paths"].values() for operation in item.values()}
    services = {service: {method.name for of, method in methods() if of == service} for service, _ in methods()}
    for service, names in services.items():
        assert {f"{service}_{name}" for name in names if name != "WatchMap"} <= ids
