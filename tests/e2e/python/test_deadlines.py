"""Deadlines: the server itself ends a call whose time is over, and no long call keeps others waiting."""

import base64
import http.client
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from client import CALL_S_MAX, Account, Caller
from stubs import PACKAGE, pb

SITES = 300
NOTE_BYTES = 60_000
# 99 words that no note holds, so that each note is searched to its end for each of them.
FILTER = " OR ".join(f"note:zz{number:02}" for number in range(99))
# Long calls in flight at once: more than the server has threads on a small machine.
LONG_CALLS = 8
# Seconds that a short call may take meanwhile.
SHORT_CALL_S_MAX = 10


@pytest.fixture(scope="module")
def library(operator):
    """An account with sites that are long to read through."""
    account = Account(operator)
    account.caller()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: account.create_site(note="a z " * (NOTE_BYTES // 4)), range(SITES)))
    return account


def listing(account):
    return pb.ListSitesRequest(parent=account.name, filter=FILTER, page_size=1000)


def web_call(target, token, path, request, timeout):
    """A gRPC-Web call whose time only the server counts, unlike a gRPC client's, which ends calls by itself.

    `timeout` is a `grpc-timeout` header. Gives the status as google.rpc.Status.
    """
    body = request.SerializeToString()
    connection = http.client.HTTPConnection(target, timeout=CALL_S_MAX)
    headers = {
        "content-type": "application/grpc-web+proto",
        "x-grpc-web": "1",
        "authorization": f"Bearer {token}",
        "grpc-timeout": timeout,
    }
    try:
        connection.request("POST", f"/{PACKAGE}.{path}", b"\0" + len(body).to_bytes(4, "big") + body, headers)
        answer = connection.getresponse()
        trailers = {key.lower(): value for key, value in answer.getheaders()} | trailers_of(answer.read())
    finally:
        connection.close()
    assert "grpc-status" in trailers, f"HTTP {answer.status} without a status: {trailers}"
    packed = trailers.get("grpc-status-details-bin", "")
    status = status_pb2.Status.FromString(base64.b64decode(packed + "=" * (-len(packed) % 4)))
    status.code, status.message = int(trailers["grpc-status"]), unquote(trailers.get("grpc-message", ""))
    return status


def trailers_of(body):
    """The trailers in a gRPC-Web body: the frame whose first bit is set."""
    while body:
        length = int.from_bytes(body[1:5], "big")
        if body[0] & 0x80:
            lines = body[5 : 5 + length].decode().splitlines()
            return {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        body = body[5 + length :]
    return {}


def reason_of(status):
    details = [detail for detail in status.details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    assert len(details) == 1, status
    info = error_details_pb2.ErrorInfo()
    details[0].Unpack(info)
    return info.domain, info.reason


@pytest.mark.parametrize("timeout", ["1m", "1000u", "1n"])
def test_the_server_ends_a_call_whose_time_is_over(server, library, timeout):
    token = library.caller().token
    status = web_call(server.target, token, "SiteService/ListSites", listing(library), timeout)
    assert grpc.StatusCode.DEADLINE_EXCEEDED.value[0] == status.code, status
    assert reason_of(status) == ("waymark", "DEADLINE_EXCEEDED"), status


def test_a_call_with_enough_time_is_answered(server, library):
    request = pb.ListSitesRequest(parent=library.name, page_size=1)
    assert web_call(server.target, library.caller().token, "SiteService/ListSites", request, "20S").code == 0


def test_short_calls_are_answered_while_long_ones_run_out_of_time(server, library):
    """Filters were evaluated on the threads that answer all calls, so a few long ones stopped the server."""
    token = library.caller().token

    def long_call(_):
        return web_call(server.target, token, "SiteService/ListSites", listing(library), "1m")

    with ThreadPoolExecutor(LONG_CALLS) as pool:
        for _ in range(3):
            running = [pool.submit(long_call, number) for number in range(LONG_CALLS)]
            assert who_is_asked_elsewhere(server, token) == library.name
            assert {call.result().code for call in running} == {grpc.StatusCode.DEADLINE_EXCEEDED.value[0]}


def who_is_asked_elsewhere(server, token):
    """WhoAmI on a connection of its own, with a deadline of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(server.target, options=options) as channel:
        caller = Caller(channel, token)
        return caller.call("WhoAmI", pb.WhoAmIRequest(), timeout=SHORT_CALL_S_MAX).account


def test_a_grpc_client_sees_the_same_code(library):
    with pytest.raises(grpc.RpcError) as caught:
        library.caller().call("ListSites", listing(library), timeout=0.001)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert library.caller().WhoAmI().account == library.name
