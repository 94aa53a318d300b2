"""Bytes that are no message of the method: texts that are no UTF-8, and what is no protobuf at all."""

import secrets

import grpc
import pytest

from client import CALL_S_MAX, Account, refused
from stubs import pb

# No UTF-8: a byte that never stands in it, a surrogate, a longer form than needed, and a character that is cut off.
BAD_TEXTS = [b"\xff", b"a\xed\xa0\x80b", b"\xc0\xaf", "né".encode()[:-1]]
STREAM_IN = {"WatchMap"}
STREAM_OUT = {"WatchMap", "WatchViewport", "WatchSites", "StreamTiles"}


@pytest.fixture(scope="module")
def account(operator):
    return Account(operator)


def field(number, content):
    """A field of protobuf's wire format that holds bytes, of less than 128."""
    return bytes([number << 3 | 2, len(content)]) + content


def number_of(kind, name):
    return kind.DESCRIPTOR.fields_by_name[name].number


def call_raw(caller, service, method, content):
    """A call with a request of these bytes: its answer's bytes, the first message of a streamed one."""
    path = f"/waymark.v1.{service}/{method}"
    ways = {
        (False, False): caller.channel.unary_unary,
        (False, True): caller.channel.unary_stream,
        (True, True): caller.channel.stream_stream,
    }
    bound = ways[method in STREAM_IN, method in STREAM_OUT](path)
    answer = bound(iter([content]) if method in STREAM_IN else content, metadata=caller.metadata, timeout=CALL_S_MAX)
    if method not in STREAM_OUT:
        return answer
    first = next(answer)
    answer.cancel()
    return first


def update_site(account, path, content):
    """UpdateSite of a new site with these bytes in a field, which may be one level down."""
    name = f"as it was {secrets.token_hex(4)}"
    site = account.create_site(name).name
    for kind, part in reversed(path):
        content = field(number_of(kind, part), content)
    named = field(number_of(pb.Site, "name"), site.encode())
    masked = field(number_of(pb.UpdateSiteRequest, "update_mask"), field(1, path[0][1].encode()))
    request = field(number_of(pb.UpdateSiteRequest, "site"), named + content) + masked
    return site, name, lambda: call_raw(account.caller(), "SiteService", "UpdateSite", request)


@pytest.mark.parametrize("bad", BAD_TEXTS)
@pytest.mark.parametrize(
    "path, named",
    [
        ([(pb.Site, "note")], "site.note"),
        ([(pb.Site, "display_name")], "site.display_name"),
        ([(pb.Site, "contact"), (pb.Contact, "first_name")], "site.contact.first_name"),
        ([(pb.Site, "contact"), (pb.Contact, "phones"), (pb.Phone, "number")], "site.contact.phones.number"),
        ([(pb.Site, "ticketing_links"), (pb.TicketingLink, "organization_name")], "site.ticketing_links.organization_name"),
    ],
)
def test_a_text_that_is_no_utf8_is_refused_with_its_field(account, path, named, bad):
    site, name, call = update_site(account, path, bad)
    failure = refused("INVALID_ARGUMENT", "FIELD_INVALID", call, named)
    assert "UTF-8" in failure.fields[named], failure
    found = account.caller().GetSite(name=site)
    assert (found.display_name, found.note, found.contact) == (name, "", pb.Contact()), "nothing is half written"


def test_the_same_bytes_that_are_utf8_are_taken(account):
    """Or what is refused above is refused for how it is sent."""
    site, _, call = update_site(account, [(pb.Site, "contact"), (pb.Contact, "first_name")], "né".encode())
    assert pb.Site.FromString(call()).name == site
    assert account.caller().GetSite(name=site).contact.first_name == "né"


@pytest.mark.parametrize(
    "service, method, request_kind, name",
    [
        ("SiteService", "GetSite", pb.GetSiteRequest, "name"),
        ("SiteService", "SearchSites", pb.SearchSitesRequest, "query"),
        ("SiteService", "WatchSites", pb.WatchSitesRequest, "filter"),
        ("MapService", "WatchMap", pb.WatchMapRequest, "filter"),
        ("MapService", "WatchViewport", pb.WatchViewportRequest, "parent"),
        ("MapService", "StreamTiles", pb.StreamTilesRequest, "parent"),
        ("AdminService", "GetAccount", pb.GetAccountRequest, "name"),
        ("ResidentAccessService", "RedeemInvitation", pb.RedeemInvitationRequest, "code"),
        ("ActivationService", "ActivateAgent", pb.ActivateAgentRequest, "agent_id"),
    ],
)
def test_every_kind_of_method_answers_so(account, service, method, request_kind, name):
    caller = account.caller()
    for bad in BAD_TEXTS:
        content = field(number_of(request_kind, name), bad)
        refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda content=content: call_raw(caller, service, method, content), name)
    # No protobuf: a field that ends before it begins to hold what it says, and the field number 0.
    for content in (b"\x0a\x7fx", b"\x02\x00"):
        call = lambda content=content: call_raw(caller, service, method, content)
        failure = refused("INVALID_ARGUMENT", "FIELD_INVALID", call)
        assert failure.fields, failure
    assert caller.WhoAmI().account == account.name


def test_a_later_message_of_a_stream_is_refused_too(account):
    caller = account.caller()
    view = pb.WatchMapRequest(
        parent=account.name, zoom=1, view_id=1,
        viewport=pb.BoundingBox(low=pb.LatLng(lat=-80, lng=-170), high=pb.LatLng(lat=80, lng=170)),
    )  # fmt: skip
    bad = field(number_of(pb.WatchMapRequest, "filter"), b"\xff")
    bound = caller.channel.stream_stream("/waymark.v1.MapService/WatchMap")
    answer = bound(iter([view.SerializeToString(), bad]), metadata=caller.metadata, timeout=CALL_S_MAX)
    failure = refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: list(answer))
    assert failure.fields, failure
    assert answer.code() == grpc.StatusCode.INVALID_ARGUMENT
