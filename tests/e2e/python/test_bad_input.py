"""Bad input: for each, the exact code, the reason, and the field that the answer names. None of it ends the server."""

import math
import socket

import grpc
import pytest
from google.protobuf import field_mask_pb2

from client import Account, Failure, absent_site, mask, refused
from rules import RULES, World, request_for
from stubs import methods, pb


@pytest.fixture(scope="module")
def world(operator):
    return World(Account(operator))


BAD_ACCOUNTS = [
    "",
    "x",
    "accounts/",
    "accounts/UPPER",
    "accounts/1st",
    "accounts/a-",
    f"accounts/{'a' * 64}",
    "accounts/a/b",
    "Accounts/a",
    "accounts/é",
    "accounts/a ",
    "accounts/../a",
]
BAD_SITES = [
    "",
    "sites/1",
    "accounts/a/sites/",
    "accounts/a/sites/1",
    "accounts/a/sites/{}",
    "accounts//sites/{}",
    "accounts/a/sites/01890000-0000-7000-8000-00000000000G",
    "accounts/a/sites/018900000000700080000000000000aa",
    "accounts/a/sites/01890000-0000-7000-8000-0000000000AA",
    "accounts/a/tokens/0123456789abcdef",
]


@pytest.mark.parametrize("name", BAD_ACCOUNTS)
@pytest.mark.parametrize(
    "method, field, rest",
    [
        ("ListSites", "parent", {}),
        ("GetAccount", "name", {}),
        ("ListNearestSites", "parent", {"position": pb.LatLng(lat=1)}),
        ("LookupIp", "parent", {"ip": "8.8.8.8"}),
        ("GeocodeAddress", "parent", {"address_line": "Paris"}),
    ],
)
def test_malformed_account_names(world, method, field, rest, name):
    call = getattr(world.account.caller(), method)
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: call(**{field: name}, **rest), field=field)


@pytest.mark.parametrize("name", BAD_SITES)
@pytest.mark.parametrize(
    "method, field",
    [
        ("GetSite", "name"),
        ("DeleteSite", "name"),
        ("UndeleteSite", "name"),
        ("ResetLocation", "site"),
        ("LocateSite", "name"),
    ],
)
def test_malformed_site_names(world, method, field, name):
    name = name.replace("{}", world.site.rpartition("/")[2] if name.count("//") else "%7b")
    call = getattr(world.account.caller(), method)
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: call(**{field: name}), field=field)


@pytest.mark.parametrize("agent_id", ["", "a b", "ä", "x" * 129, "a/b", "a\n"])
def test_malformed_agent_ids(world, agent_id):
    call = world.account.caller("ENROLLMENT").ActivateAgent
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: call(parent=world.account.name, agent_id=agent_id, agent_key=b"k" * 32),
        field="agent_id",
    )


@pytest.mark.parametrize(
    "lat, lng, field",
    [
        (91, 0.5, "position.lat"),
        (-90.0001, 0.5, "position.lat"),
        (math.nan, 0.5, "position.lat"),
        (math.inf, 0.5, "position.lat"),
        (1, 180.0001, "position.lng"),
        (1, -181, "position.lng"),
        (1, math.nan, "position.lng"),
        (1, -math.inf, "position.lng"),
        (139.7, 35.7, "position.lat"),
    ],
)
def test_impossible_positions(world, lat, lng, field):
    position, caller = pb.LatLng(lat=lat, lng=lng), world.account.caller()
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: caller.SetPin(site=world.site, position=position), field=field)
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: caller.ListNearestSites(parent=world.account.name, position=position),
        field=field,
    )
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: caller.ListSitesWithinRadius(parent=world.account.name, center=position, radius_m=1.0),
        field=field.replace("position", "center"),
    )


def test_missing_positions(world):
    caller = world.account.caller()
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: caller.SetPin(site=world.site), field="position")
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: caller.QueryViewport(parent=world.account.name, zoom=1),
        field="viewport",
    )


@pytest.mark.parametrize("radius", [0.0, -1.0, math.nan, math.inf, 20_015_116.0])
def test_impossible_radii(world, radius):
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: world.account.caller().ListSitesWithinRadius(
            parent=world.account.name, center=pb.LatLng(lat=1, lng=1), radius_m=radius
        ),
        field="radius_m",
    )


@pytest.mark.parametrize("zoom", [-1, 23, 2**31 - 1, -(2**31)])
def test_impossible_zooms(world, zoom):
    box = pb.BoundingBox(low=pb.LatLng(lat=1, lng=1), high=pb.LatLng(lat=2, lng=2))
    caller, parent = world.account.caller(), world.account.name
    for call in (
        lambda: caller.QueryViewport(parent=parent, viewport=box, zoom=zoom),
        lambda: caller.LocateSite(name=world.site, zoom=zoom),
    ):
        refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field="zoom")


# All methods with pages. The sites of a cluster want one, and `test_map.py` has them.
PAGED = [method.name for _, method in methods() if "page_size" in method.input_type.fields_by_name]


@pytest.mark.parametrize("method", sorted(set(PAGED) - {"ListClusterSites"}))
def test_page_sizes_are_not_negative_and_may_be_huge(world, method):
    caller, request = world.caller(RULES[method].scopes[0]), request_for(method, world, validate=True)
    request.page_size = -1
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: caller.call(method, request), field="page_size")
    request.page_size = 2**31 - 1
    try:
        caller.call(method, request)
    except grpc.RpcError as error:
        assert "page_size" not in Failure(error).fields, error


def test_a_huge_page_is_the_longest_that_there_is(account):
    rows = [pb.SiteRow(site=pb.Site(display_name=f"site {number}")) for number in range(1_001)]
    for first in range(0, len(rows), 100):
        account.caller().ImportSites(parent=account.name, rows=rows[first : first + 100])
    page = account.caller().ListSites(parent=account.name, page_size=2**31 - 1)
    assert len(page.sites) == 1_000 and page.next_page_token


@pytest.mark.parametrize(
    "paths",
    [
        [],
        ["*"],
        ["nonsense"],
        ["name"],
        ["etag"],
        ["revision"],
        ["location"],
        ["location.position"],
        ["agent_id"],
        ["public_ip"],
        ["create_time"],
        ["delete_time"],
        ["note", "update_time"],
        ["contact.nonsense"],
        ["note.x"],
        [""],
        ["displayName"],
        ["labels.."],
    ],
)
def test_masks_with_unknown_or_output_only_paths(world, paths):
    site = pb.Site(name=world.site, note="x")
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: world.account.caller().UpdateSite(site=site, update_mask=field_mask_pb2.FieldMask(paths=paths)),
        field="update_mask",
    )
    assert world.account.caller().GetSite(name=world.site).note == ""


@pytest.mark.parametrize(
    "site, path, field",
    [
        (pb.Site(display_name=""), "display_name", "site.display_name"),
        (pb.Site(display_name="x" * 257), "display_name", "site.display_name"),
        (pb.Site(display_name="a\nb"), "display_name", "site.display_name"),
        (pb.Site(display_name="a\u202eb"), "display_name", "site.display_name"),
        (pb.Site(note="x" * (64 * 1024 + 1)), "note", "site.note"),
        (pb.Site(customer_id="x" * 257), "customer_id", "site.customer_id"),
        (pb.Site(labels={"UPPER": "x"}), "labels", "site.labels"),
        (pb.Site(labels={"a": "x" * 257}), "labels", "site.labels"),
        (pb.Site(labels={f"k{n}": "" for n in range(65)}), "labels", "site.labels"),
        (pb.Site(contact=pb.Contact(email="nobody")), "contact", "site.contact.email"),
        (pb.Site(contact=pb.Contact(phones=[pb.Phone(number="12")])), "contact", "site.contact.phones"),
        (pb.Site(contact=pb.Contact(phones=[pb.Phone(number="+3545551234")] * 17)), "contact", "site.contact.phones"),
        (pb.Site(ticketing_links=[pb.TicketingLink(organization_id="1")]), "ticketing_links", "site.ticketing_links"),
        (
            pb.Site(ticketing_links=[pb.TicketingLink(system="x", organization_id="1", uri="javascript:alert(1)")]),
            "ticketing_links",
            "site.ticketing_links",
        ),
        (pb.Site(status=99), "status", "site.status"),
        (pb.Site(status=pb.SITE_STATUS_UNSPECIFIED), "status", "site.status"),
    ],
)
def test_values_out_of_their_limits(world, site, path, field):
    """The field may be named more finely than asked here (`site.ticketing_links[0].uri`), never more coarsely."""
    changed = pb.Site(name=world.site)
    changed.MergeFrom(site)
    failure = refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: world.account.caller().UpdateSite(site=changed, update_mask=mask(path)),
    )
    assert any(named.startswith(field) for named in failure.fields), failure


def test_a_new_site_needs_a_name(world):
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: world.account.caller().CreateSite(parent=world.account.name, site=pb.Site()),
        field="site.display_name",
    )
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: world.account.caller().CreateSite(
            parent=world.account.name, site=pb.Site(display_name="x"), request_id="not a uuid"
        ),
        field="request_id",
    )


@pytest.mark.parametrize(
    "ip", ["", "8.8.8", "8.8.8.8.8", "256.1.1.1", "08.8.8.8", "fe80::1%eth0", "example.com", "1.1.1.1/32"]
)
def test_malformed_addresses_to_look_up(world, ip):
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: world.account.caller().LookupIp(parent=world.account.name, ip=ip),
        field="ip",
    )


def test_addresses_to_geocode(world):
    caller, parent = world.account.caller(), world.account.name
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: caller.GeocodeAddress(parent=parent), field="address_line")
    for line in ("", "   ", "x" * 501):
        refused(
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
            lambda line=line: caller.GeocodeAddress(parent=parent, address_line=line),
            field="address_line",
        )
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: caller.GeocodeAddress(parent=parent, postal_address=pb.PostalAddress(street="x", country_code="ZZZ")),
        field="postal_address.country_code",
    )
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: caller.GeocodeAddress(parent=parent, address_line="Paris", candidates_max=-1),
        field="candidates_max",
    )


def test_page_tokens_of_another_query(world):
    caller, parent = world.account.caller(), world.account.name
    token = caller.ListSites(parent=parent, page_size=1).next_page_token
    assert token
    for request in (
        {"page_token": token, "filter": "status = ONLINE"},
        {"page_token": token, "order_by": "display_name"},
        {"page_token": token, "show_deleted": True},
        {"page_token": token[:-2]},
        {"page_token": "nonsense"},
        {"page_token": "x" * 10_000},
    ):
        refused(
            "INVALID_ARGUMENT",
            "PAGE_TOKEN_INVALID",
            lambda request=request: caller.ListSites(parent=parent, page_size=1, **request),
            field="page_token",
        )
    refused(
        "INVALID_ARGUMENT",
        "PAGE_TOKEN_INVALID",
        lambda: caller.ListTokens(parent=parent, page_size=1, page_token=token),
        field="page_token",
    )


@pytest.mark.parametrize(
    "order_by", ["nonsense", "display_name down", "create_time,display_name", "display_name desc desc"]
)
def test_unknown_orders(world, order_by):
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: world.account.caller().ListSites(parent=world.account.name, order_by=order_by),
        field="order_by",
    )


def test_a_source_must_be_one(world):
    for source in (0, 99):
        refused(
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
            lambda source=source: world.account.caller().DeleteFix(site=world.site, source=source),
            field="source",
        )


@pytest.mark.parametrize("size", [512 << 10, 4 << 20, 32 << 20])
def test_an_oversized_message_is_refused_and_the_connection_lives(world, size):
    caller, parent, text = world.account.caller(), world.account.name, "x" * size
    for method, kib, call in (
        (
            "UpdateSite",
            256,
            lambda: caller.UpdateSite(site=pb.Site(name=world.site, note=text), update_mask=mask("note")),
        ),
        ("GeocodeAddress", 64, lambda: caller.GeocodeAddress(parent=parent, address_line=text)),
        ("QueryViewport", 256, lambda: caller.QueryViewport(parent=text)),
        ("ListTokens", 64, lambda: caller.ListTokens(parent=parent, page_token=text)),
        (
            "ActivateAgent",
            256,
            lambda: caller.ActivateAgent(parent=parent, agent_id="fw-1", agent_key=b"k" * 32, display_name=text),
        ),
    ):
        failure = refused("RESOURCE_EXHAUSTED", "LIMIT_REACHED", call)
        assert f"{method} takes at most {kib << 10} bytes" in failure.message, failure
        assert caller.GetSite(name=world.site).note == ""


def test_what_does_not_exist(world):
    refused(
        "NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: world.account.caller().GetSite(name=absent_site(world.account.id))
    )
    refused(
        "NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: world.account.operator.ListSites(parent="accounts/nobody-at-all")
    )


def test_bytes_that_are_no_http_do_no_harm(server, world):
    for noise in (
        b"\x00" * 64,
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
        b"\x16\x03\x01\x00\x05hello",
    ):
        host, port = server.target.split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(noise)
    assert world.account.caller().WhoAmI().account == world.account.name
