"""Sites: read, list, change, delete, bring back."""

import re
import uuid

import pytest
from google.protobuf import timestamp_pb2

from client import Account, absent_site, mask, refused
from stubs import pb


def names(answer):
    return [site.display_name for site in answer.sites]


def all_pages(caller, **request):
    """Every site of a listing, and the sizes of its pages."""
    sites, sizes, token = [], [], ""
    while True:
        page = caller.ListSites(page_token=token, **request)
        sites += page.sites
        sizes.append(len(page.sites))
        token = page.next_page_token
        if not token:
            return sites, sizes


def test_a_made_site_reads_back_as_it_was_made(account):
    contact = pb.Contact(
        email="a@example.com",
        first_name="Ása",
        last_name="Þórs",
        phones=[pb.Phone(number="+3545551234", kind=pb.PHONE_KIND_MOBILE)],
    )
    link = pb.TicketingLink(system="Zendesk", organization_id="42", organization_name="Acme")
    made = account.create_site(
        "Höfuðstöðvar",
        status=pb.SITE_STATUS_ONLINE,
        contact=contact,
        customer_id="C-1",
        contract_id="K-1",
        note="one\n<b>two</b>",
        labels={"env": "prod"},
        ticketing_links=[link],
    )
    assert made.etag and made.revision and made.HasField("create_time")
    read = account.caller("VIEWER").GetSite(name=made.name)
    assert read == made
    assert read.contact == contact and read.labels == {"env": "prod"} and read.note == "one\n<b>two</b>"
    kept = read.ticketing_links[0]
    assert kept.system == "zendesk" and kept.state == pb.TICKETING_LINK_STATE_UNVERIFIED
    assert not kept.HasField("verify_time")
    assert not read.location.HasField("position"), "a site that nobody placed is nowhere, not at 0,0"


def test_what_is_not_said_of_a_new_site_reads_as_a_value(account):
    phones = [pb.Phone(number="+3545551234", kind=kind) for kind in pb.PhoneKind.values()]
    made = account.create_site(contact=pb.Contact(phones=phones))
    assert made.status == pb.SITE_STATUS_UNKNOWN
    kinds = [pb.PHONE_KIND_OTHER if kind == pb.PHONE_KIND_UNSPECIFIED else kind for kind in pb.PhoneKind.values()]
    assert [phone.kind for phone in account.caller().GetSite(name=made.name).contact.phones] == kinds


NOW = timestamp_pb2.Timestamp(seconds=1_700_000_000)


@pytest.mark.parametrize(
    "field, value",
    [
        # Each worker draws another name, and all have to call the test alike.
        pytest.param("name", absent_site(), id="name-absent"),
        ("revision", 7),
        ("location", pb.Location(position=pb.LatLng(lat=64.1, lng=-21.9))),
        ("agent_id", "fw-1"),
        ("public_ip", "8.8.8.8"),
        ("claimed_ip", "10.0.0.1"),
        ("activate_time", NOW),
        ("last_seen_time", NOW),
        ("create_time", NOW),
        ("update_time", NOW),
        ("delete_time", NOW),
    ],
)
def test_a_new_site_says_nothing_that_the_server_says(account, field, value):
    """What the server would ignore it refuses, so that nobody believes it was kept."""
    call = account.create_site
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: call("Mine", **{field: value}), field=f"site.{field}")
    assert names(account.caller().ListSites(parent=account.name)) == []
    assert call("Mine").display_name == "Mine", "its name was not taken either"


def test_batch_get_keeps_the_order_and_refuses_a_hole(account):
    made = [account.create_site().name for _ in range(5)]
    wanted = [made[3], made[0], made[4]]
    answer = account.caller("VIEWER").BatchGetSites(parent=account.name, names=wanted)
    assert [site.name for site in answer.sites] == wanted
    hole = wanted + [absent_site(account.id)]
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: account.caller().BatchGetSites(parent=account.name, names=hole))
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: account.caller().BatchGetSites(parent=account.name, names=[]),
        field="names",
    )
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: account.caller().BatchGetSites(parent=account.name, names=made * 21),
        field="names",
    )


@pytest.fixture(scope="module")
def fleet(operator):
    """25 sites of many kinds."""
    account = Account(operator)
    for number in range(25):
        status = pb.SITE_STATUS_ONLINE if number % 2 else pb.SITE_STATUS_OFFLINE
        account.create_site(
            f"Site {number:02}",
            status=status,
            customer_id=f"C-{number % 5}",
            note="tá" if number == 7 else "",
            labels={"env": "prod" if number % 3 == 0 else "test"},
            contact=pb.Contact(email=f"p{number}@example.com"),
        )
    return account


@pytest.mark.parametrize(
    "order, expect",
    [
        ("", range(25)),
        ("create_time", range(25)),
        ("create_time desc", range(24, -1, -1)),
        ("display_name", range(25)),
        ("display_name desc", range(24, -1, -1)),
    ],
)
@pytest.mark.parametrize("page_size", [1, 7, 25, 1000])
def test_paging_gives_each_site_once_in_order(fleet, order, expect, page_size):
    sites, sizes = all_pages(fleet.caller("VIEWER"), parent=fleet.name, order_by=order, page_size=page_size)
    assert [site.display_name for site in sites] == [f"Site {number:02}" for number in expect]
    assert max(sizes) <= page_size


@pytest.mark.parametrize(
    "text, expect",
    [
        ('display_name = "Site 03"', [3]),
        ('display_name = "site 03"', [3]),
        ('display_name : "2"', [2, 12, 20, 21, 22, 23, 24]),
        ("status = ONLINE", range(1, 25, 2)),
        ("status != ONLINE", range(0, 25, 2)),
        ("labels.env = prod", range(0, 25, 3)),
        ('customer_id = "C-1" AND status = ONLINE', [1, 11, 21]),
        ('customer_id = "C-1" (status = OFFLINE OR labels.env = prod)', [6, 16, 21]),
        ("NOT labels.env = prod AND -status = ONLINE", [n for n in range(25) if n % 3 and n % 2 == 0]),
        ('contact.email = "p7@example.com"', [7]),
        ("location.placed = false", range(25)),
        ("location.confirmed = true", []),
        ('create_time > "2000-01-01T00:00:00Z"', range(25)),
        ('create_time > "2100-01-01T00:00:00Z"', []),
        ("note : tá", [7]),
        ("tá", []),
    ],
)
def test_filters(fleet, text, expect):
    sites, _ = all_pages(fleet.caller("VIEWER"), parent=fleet.name, filter=text, page_size=4)
    assert [site.display_name for site in sites] == [f"Site {number:02}" for number in expect]


@pytest.mark.parametrize(
    "text",
    [
        "nonsense = 1",
        "status = SLEEPY",
        "status =",
        "(status = ONLINE",
        "display_name < x",
        'create_time > "soon"',
        '"open',
        "(" * 30 + "a" + ")" * 30,
        "a " * 200,
        "x" * 2049,
        "labels. = a",
    ],
)
def test_bad_filters_are_refused(fleet, text):
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: fleet.caller().ListSites(parent=fleet.name, filter=text),
        field="filter",
    )


def test_an_update_changes_what_the_mask_names_and_nothing_else(account):
    made = account.create_site("Before", note="kept", customer_id="old")
    changed = account.caller("EDITOR").UpdateSite(
        site=pb.Site(name=made.name, display_name="After", customer_id="new", note="not this"),
        update_mask=mask("display_name", "customer_id"),
    )
    assert (changed.display_name, changed.customer_id, changed.note) == ("After", "new", "kept")
    assert changed.etag != made.etag and changed.revision > made.revision
    assert account.caller().GetSite(name=made.name) == changed
    part = account.caller().UpdateSite(
        site=pb.Site(name=made.name, contact=pb.Contact(email="b@example.com", first_name="x")),
        update_mask=mask("contact.email"),
    )
    assert part.contact.email == "b@example.com" and part.contact.first_name == ""
    cleared = account.caller().UpdateSite(site=pb.Site(name=made.name), update_mask=mask("customer_id", "contact"))
    assert cleared.customer_id == "" and not cleared.contact.email


def test_a_stale_etag_is_refused_everywhere(account):
    made = account.activate(ip="8.8.8.8").site
    caller = account.caller()
    stale = caller.GetSite(name=made).etag
    caller.UpdateSite(site=pb.Site(name=made, note="newer", etag=stale), update_mask=mask("note"))
    position = pb.LatLng(lat=1.0, lng=1.0)
    for call in (
        lambda: caller.UpdateSite(site=pb.Site(name=made, note="x", etag=stale), update_mask=mask("note")),
        lambda: caller.SetPin(site=made, position=position, etag=stale),
        lambda: caller.SetAddress(site=made, address_line="Laugavegur 1, Reykjavík", etag=stale),
        lambda: caller.ResetLocation(site=made, etag=stale),
        lambda: caller.DeleteFix(site=made, source=pb.FIX_SOURCE_GEOIP, etag=stale),
        lambda: caller.DeleteSite(name=made, etag=stale),
    ):
        refused("ABORTED", "ETAG_MISMATCH", call)
    assert caller.GetSite(name=made).note == "newer"


def test_validate_only_changes_nothing(account):
    made = account.create_site("Same")
    caller = account.caller()
    caller.UpdateSite(site=pb.Site(name=made.name, note="x"), update_mask=mask("note"), validate_only=True)
    assert caller.GetSite(name=made.name) == made


def test_delete_and_undelete(account):
    made = account.create_site("Gone")
    caller = account.caller("EDITOR")
    deleted = caller.DeleteSite(name=made.name)
    assert deleted.HasField("delete_time")
    assert caller.GetSite(name=made.name).HasField("delete_time")
    assert names(caller.ListSites(parent=account.name)) == []
    assert names(caller.ListSites(parent=account.name, show_deleted=True)) == ["Gone"]
    refused(
        "FAILED_PRECONDITION",
        "SITE_DELETED",
        lambda: caller.UpdateSite(site=pb.Site(name=made.name, note="x"), update_mask=mask("note")),
    )
    back = caller.UndeleteSite(name=made.name)
    assert not back.HasField("delete_time")
    assert names(caller.ListSites(parent=account.name)) == ["Gone"]
    refused("FAILED_PRECONDITION", "SITE_NOT_DELETED", lambda: caller.UndeleteSite(name=made.name))


def test_a_name_is_one_sites_alone_without_regard_to_case(account):
    first = account.create_site("Malmö Office")
    second = account.create_site("Other")
    refused("ALREADY_EXISTS", "SITE_NAME_TAKEN", lambda: account.create_site("MALMÖ  office"))
    refused(
        "ALREADY_EXISTS",
        "SITE_NAME_TAKEN",
        lambda: account.caller().UpdateSite(
            site=pb.Site(name=second.name, display_name="malmö office"), update_mask=mask("display_name")
        ),
    )
    account.caller().DeleteSite(name=first.name)
    account.create_site("malmö office")
    refused("ALREADY_EXISTS", "SITE_NAME_TAKEN", lambda: account.caller().UndeleteSite(name=first.name))
    assert account.caller().UndeleteSite(name=first.name, display_name="Malmö II").display_name == "Malmö II"


def test_a_request_id_makes_a_repeat_the_same_answer(account):
    request_id = str(uuid.uuid4())
    call = account.caller().CreateSite
    first = call(parent=account.name, site=pb.Site(display_name="Once"), request_id=request_id)
    again = call(parent=account.name, site=pb.Site(display_name="Once"), request_id=request_id)
    assert first == again
    refused(
        "ALREADY_EXISTS",
        "REQUEST_ID_REUSED",
        lambda: call(parent=account.name, site=pb.Site(display_name="Twice"), request_id=request_id),
    )
    assert names(account.caller().ListSites(parent=account.name)) == ["Once"]


def test_a_batch_of_long_notes_says_how_many_fit_in_an_answer(account):
    caller = account.caller()
    names = [account.create_site(f"long {number}", note="n" * 65_536).name for number in range(60)]
    call = lambda: caller.BatchGetSites(parent=account.name, names=names)  # noqa: E731
    error = refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field="names")
    fit = int(re.search(r"ask for (\d+) of them", error.message)[1])
    assert fit >= 40
    sites = caller.BatchGetSites(parent=account.name, names=names[:fit]).sites
    assert [site.name for site in sites] == names[:fit]
