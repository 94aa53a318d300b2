"""Geocoders of others, as callers see them: what a failure tells, and what a hangup leaves as it is."""

import contextlib
import signal

import grpc
import pytest
from google.rpc import error_details_pb2

from client import Account, Caller, failure_of
from http_stub import HttpStub
from metrics_page import Metrics
from server import Server
from stubs import pb

# An hour, in seconds: what the stub asks for.
WAIT_S = 3_600


class Stub(HttpStub):
    """A Photon on this machine that answers one status, these headers and no place; counts its requests."""

    def __init__(self):
        super().__init__()
        self.status, self.headers, self.count = 200, {}, 0

    def answer(self, request):
        self.count += 1
        return self.status, self.headers, {"features": []}


def config(tmp_path, stub, more=""):
    path = tmp_path / "waymark.toml"
    path.write_text(f'[[geocode.providers]]\nkind = "photon"\nurl = "{stub.url}"\n{more}\n', encoding="utf-8")
    return path


@contextlib.contextmanager
def serving(tmp_path, extra):
    """A server with these options, and a channel to it."""
    with Server(tmp_path / "data", geoip=False, extra=extra) as server:
        with grpc.insecure_channel(server.target) as channel:
            yield server, channel


def retry_s(failure):
    """The seconds after which the failure says to come again; none where it does not."""
    kind = error_details_pb2.RetryInfo
    found = [value for url, value in failure.details if url.endswith(kind.DESCRIPTOR.full_name)]
    return kind.FromString(found[0]).retry_delay.seconds if found else None


@pytest.mark.parametrize(
    ("status", "headers", "code", "reason", "wait"),
    [
        (429, {"retry-after": str(WAIT_S)}, "RESOURCE_EXHAUSTED", "GEOCODER_QUOTA_USED", WAIT_S),
        (402, {}, "RESOURCE_EXHAUSTED", "GEOCODER_QUOTA_USED", 60),
        (403, {}, "FAILED_PRECONDITION", "GEOCODER_MISCONFIGURED", None),
        (404, {}, "FAILED_PRECONDITION", "GEOCODER_MISCONFIGURED", None),
        (400, {}, "INVALID_ARGUMENT", "GEOCODER_REFUSED", None),
        (503, {"retry-after": "300"}, "UNAVAILABLE", "GEOCODER_UNAVAILABLE", 300),
    ],
)
def test_a_failure_says_what_can_be_done(tmp_path, status, headers, code, reason, wait):
    with Stub() as stub:
        stub.status, stub.headers = status, headers
        extra = ["--config", str(config(tmp_path, stub))]
        with serving(tmp_path, extra) as (server, channel):
            account = Account(Caller(channel, server.admin_token))
            line = "Laugavegur 1, Canary"
            failure = failure_of(lambda: account.caller().GeocodeAddress(parent=account.name, address_line=line))
            assert (failure.code.name, failure.reason, retry_s(failure)) == (code, reason, wait), failure
            assert stub.count == 1, "it was asked once"
            assert str(status) not in failure.message and stub.url not in failure.message, failure
            assert "Canary" not in server.log_text()


def test_a_hangup_changes_no_limit_and_forgets_nothing(tmp_path):
    with Stub() as stub:
        path = config(tmp_path, stub, "requests_per_s = 0.01")
        with serving(tmp_path, ["--config", str(path)]) as (server, channel):
            account = Account(Caller(channel, server.admin_token))
            ask = lambda line: account.caller().GeocodeAddress(parent=account.name, address_line=line)  # noqa: E731
            assert not ask("Gata 1").candidates
            server.process.send_signal(signal.SIGHUP)
            assert not ask("Gata 1").candidates, "it is remembered"
            failure = failure_of(lambda: ask("Gata 2"))
            assert (failure.code.name, failure.reason) == ("RESOURCE_EXHAUSTED", "GEOCODER_BUSY"), failure
            assert 60 < retry_s(failure) <= 100, failure
            assert stub.count == 1


def test_questions_are_counted_by_how_they_end(tmp_path):
    with Stub() as stub:
        path = config(tmp_path, stub, "requests_per_s = 100")
        with serving(tmp_path, ["--config", str(path)]) as (server, channel):
            account = Account(Caller(channel, server.admin_token))
            ask = lambda line: account.caller().GeocodeAddress(parent=account.name, address_line=line)  # noqa: E731
            for _ in range(2):
                # The second time it is remembered, and no question.
                assert not ask("Gata 1").candidates
            stub.status = 400
            failure_of(lambda: ask("Gata 2"))
            stub.status, stub.headers = 429, {"retry-after": str(WAIT_S)}
            for line in ("Gata 3", "Gata 4"):
                # The second one finds it at rest.
                failure_of(lambda line=line: ask(line))
            page = Metrics.of(server)
            questions = "waymark_geocoder_questions_total"
            counted = {key[1:]: value for key, value in page.values.items() if key[0] == questions and value}
            assert counted == {("photon", how): 1 for how in ("empty", "refused", "quota")}, counted
            assert stub.count == 3
            assert page["waymark_geocoder_seconds_total", "photon"] > 0 == page["waymark_geocoder_seconds_total", "gazetteer"]


def test_a_country_alone_is_no_address(account):
    parts = pb.PostalAddress(country_code="IS")
    failure = failure_of(lambda: account.caller().GeocodeAddress(parent=account.name, postal_address=parts))
    assert (failure.code.name, failure.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID"), failure
    assert "a country alone is not an address" in failure.fields["postal_address"], failure
