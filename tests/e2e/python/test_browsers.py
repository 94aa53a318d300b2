"""What a browser asks: gRPC-Web in both of its forms, and nothing for pages of another origin (C9)."""

import base64
import http.client
import re

import pytest

from client import CALL_S_MAX, Account, fetch
from frames import message
from metrics_page import Metrics
from stubs import PACKAGE, pb

PATH = f"/{PACKAGE}.AdminService/GetAccount"
ELSEWHERE = "https://elsewhere.example"


@pytest.fixture(scope="module")
def account(operator):
    return Account(operator)


def ask(server, method, headers, body=None):
    """Status, headers and body of a request to a method of the API."""
    connection = http.client.HTTPConnection(server.target, timeout=CALL_S_MAX)
    try:
        connection.request(method, PATH, body, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def question(account):
    """The headers and the body of a call, before they are written in one form or the other."""
    headers = {"authorization": f"Bearer {account.caller().token}", "x-grpc-web": "1"}
    return headers, message(pb.GetAccountRequest(name=account.name).SerializeToString())


def told(content):
    """The account in the first message of an answer."""
    return pb.Account.FromString(content[5 : 5 + int.from_bytes(content[1:5], "big")]).name


def test_both_forms_of_grpc_web_answer_alike(server, account):
    headers, content = question(account)
    kind = {"content-type": "application/grpc-web+proto", "accept": "application/grpc-web+proto"}
    status, _, answer = ask(server, "POST", headers | kind, content)
    assert (status, told(answer)) == (200, account.name)
    kind = {"content-type": "application/grpc-web-text", "accept": "application/grpc-web-text"}
    status, _, answer = ask(server, "POST", headers | kind, base64.b64encode(content))
    # Pieces of base64, each with its own padding, one behind the other.
    pieces = [base64.b64decode(piece) for piece in re.findall(rb"[^=]+=*", answer)]
    assert (status, told(b"".join(pieces))) == (200, account.name)


def test_a_call_that_waits_in_vain_is_refused_in_its_own_form_and_counted(server, account):
    """What waits for a revision stood before the form for browsers, and before whoever counts."""
    headers, content = question(account)
    headers |= {"waymark-min-revision": "nonsense"}
    counted = ("waymark_grpc_calls_total", f"{PACKAGE}.AdminService", "GetAccount", "INVALID_ARGUMENT")
    before = Metrics.of(server).get(*counted)
    for form, sent in [("application/grpc-web+proto", content), ("application/grpc-web-text+proto", base64.b64encode(content))]:
        status, answered, answer = ask(server, "POST", headers | {"content-type": form, "accept": form}, sent)
        assert (status, answered["content-type"]) == (200, form)
        assert answered.get("grpc-status") == "3", (answered, answer)
    assert Metrics.of(server).get(*counted) == before + 2
    # Over plain HTTP too.
    counted = ("waymark_http_requests_total", "tiles", "400")
    before = Metrics.of(server).get(*counted)
    tile = f"/v1/{account.name}/tiles/0/0/0.mvt"
    assert fetch(server.target, tile, account.caller().token, {"waymark-min-revision": "nonsense"})[0] == 400
    assert Metrics.of(server).get(*counted) == before + 1


@pytest.mark.parametrize("origin", [ELSEWHERE, "null", "http://127.0.0.1.example"])
def test_no_other_origin_may_ask(server, account, origin):
    asked = {"origin": origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    _, headers, _ = ask(server, "OPTIONS", asked)
    assert not [name for name in headers if name.startswith("access-control-")], headers
    headers, content = question(account)
    kind = {"content-type": "application/grpc-web+proto", "origin": origin}
    _, headers, _ = ask(server, "POST", headers | kind, content)
    assert not [name for name in headers if name.startswith("access-control-")], headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_request_that_needs_no_permission_reaches_no_method(server, account, kind):
    """A page of another origin may send these without asking, though it does not see the answer."""
    headers, content = question(account)
    status, answered, answer = ask(server, "POST", headers | {"content-type": kind, "origin": ELSEWHERE}, content)
    assert status >= 400 or answered.get("grpc-status", "0") != "0", (status, answered, answer)
    assert account.id.encode() not in answer
