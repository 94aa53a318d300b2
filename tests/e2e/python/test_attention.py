"""Addresses that wait for a geocoder, and the list of what needs attention: over the wire, across kill -9."""

import contextlib
import signal

import grpc
import pytest

from client import CALL_S_MAX, Account, Caller, failure_of, refused
from nominatim import Nominatim
from server import Server
from stubs import pb

DOOR = (64.1466, -21.9426)
LINE = "Laugavegur 1, Town 1"
PENDING, APPLIED, NOT_FOUND = pb.ADDRESS_STATE_PENDING, pb.ADDRESS_STATE_APPLIED, pb.ADDRESS_STATE_NOT_FOUND
AMBIGUOUS, PIN_KEPT = pb.ADDRESS_STATE_AMBIGUOUS, pb.ADDRESS_STATE_PIN_KEPT
UNPLACED, FAILED = pb.ATTENTION_REASON_UNPLACED, pb.ATTENTION_REASON_ADDRESS_FAILED
WAITS, CHOICE = pb.ATTENTION_REASON_ADDRESS_PENDING, pb.ATTENTION_REASON_ADDRESS_AMBIGUOUS
FAR, CROWDED = pb.ATTENTION_REASON_PIN_FAR_FROM_GEOIP, pb.ATTENTION_REASON_CROWDED
# In which lists tell them.
WORST_FIRST = [
    UNPLACED,
    pb.ATTENTION_REASON_ADDRESS_EXPIRED,
    FAILED,
    CHOICE,
    FAR,
    pb.ATTENTION_REASON_TICKETING_LINK_BROKEN,
    WAITS,
    CROWDED,
]
# So many sites of persons on one spot are a crowd.
CROWD = 10


@contextlib.contextmanager
def deployment(tmp_path, stub, **config):
    """A server that asks the stub, and the path of its configuration."""
    path = tmp_path / "waymark.toml"
    path.write_text(stub.config(**config), encoding="utf-8")
    with Server(tmp_path / "data", geoip=False, extra=["--config", path]) as server:
        yield server


@contextlib.contextmanager
def account_of(server, account=None):
    """A caller of the server as it runs now."""
    with grpc.insecure_channel(server.target) as channel:
        operator = Caller(channel, server.admin_token)
        if account is None:
            yield Account(operator)
        else:
            account.operator = operator
            account._callers = {}
            yield account


def wait_for(account, site, is_so):
    """The site, as soon as it is so: told by a watch, so that nobody sleeps."""
    watch = account.caller().begin("WatchSites", pb.WatchSitesRequest(parent=account.name), CALL_S_MAX)
    for message in watch:
        for found in message.changed_sites:
            if found.name == site and is_so(found):
                watch.cancel()
                return found
    raise AssertionError("the watch ended")


def is_in(state):
    return lambda site: site.location.address.state == state


def reasons_of(account, **query):
    """Site -> its reasons, over all pages."""
    found, token = {}, ""
    while True:
        page = account.caller("VIEWER").ListAttention(parent=account.name, page_token=token, **query)
        for item in page.items:
            assert item.site.name not in found, "each site comes once"
            assert [detail.reason for detail in item.details] == list(item.reasons)
            found[item.site.name] = list(item.reasons)
        token = page.next_page_token
        if not token:
            return found


def counts_of(account, **query):
    """Reason -> number of sites, without those that none needs; and how many sites there are in all."""
    page = account.caller("VIEWER").ListAttention(parent=account.name, page_size=1, **query)
    assert [count.reason for count in page.counts] == WORST_FIRST
    return {count.reason: count.site_count for count in page.counts if count.site_count}, page.site_count


def test_an_address_waits_through_kill_9_and_is_applied_when_the_provider_is_back(tmp_path):
    """An address that no geocoder could be asked for stayed PENDING for ever."""
    # Some seconds, so that the crash comes before the first retry, on a slow machine too.
    with Nominatim() as stub, deployment(tmp_path, stub, first_retry_s=5) as server:
        # All three requests of one question fail; nothing fails after the crash.
        stub.doors = {"laugavegur": [(1, *DOOR)]}
        stub.next_statuses = [503] * 3
        with account_of(server) as account:
            site = account.create_site().name
            answer = account.caller("EDITOR").SetAddress(site=site, address_line=LINE)
            assert answer.state == PENDING and answer.wait.reason == pb.ADDRESS_WAIT_REASON_UNAVAILABLE
            assert answer.wait.attempts == 1 and answer.wait == answer.site.location.address.wait
            assert answer.wait.next_attempt_time.seconds >= answer.site.update_time.seconds
            editor = account.caller("EDITOR").WhoAmI().token.rpartition("/")[2]
            assert reasons_of(account) == {site: [UNPLACED, WAITS]}
        server.kill()
        server.start()
        with account_of(server, account) as account:
            applied = wait_for(account, site, is_in(APPLIED))
            assert len(stub.asked) == 4, "in vain before the crash, and once behind it"
            assert (applied.location.position.lat, applied.location.position.lng) == DOOR
            fix = applied.location.fixes[0]
            assert fix.source == pb.FIX_SOURCE_ADDRESS and fix.maker == f"token:{editor}"
            assert fix.geocoded.query == LINE and fix.geocoded.country_code == "IS"
            assert not applied.location.address.HasField("wait")
            assert reasons_of(account) == {} and counts_of(account) == ({}, 0)


def test_a_pin_that_was_dropped_meanwhile_stays(tmp_path):
    with Nominatim() as stub, deployment(tmp_path, stub) as server, account_of(server) as account:
        stub.status = 503
        site, at = account.create_site().name, pb.LatLng(lat=65.0, lng=-18.0)
        parts = pb.PostalAddress(street="Laugavegur 1", country_code="IS")
        answer = account.caller().SetAddress(site=site, postal_address=parts)
        assert answer.state == PENDING and answer.wait.reason == pb.ADDRESS_WAIT_REASON_UNAVAILABLE
        account.caller().SetPin(site=site, position=at)
        stub.doors = {"laugavegur": [(1, *DOOR)]}
        stub.status = 200
        kept = wait_for(account, site, is_in(PIN_KEPT))
        assert kept.location.position == at and kept.location.address.formatted
        assert "street" in stub.asked[-1][1], "what was typed in parts is asked in parts"


def test_another_configuration_asks_for_what_was_not_found(tmp_path):
    with Nominatim() as stub, deployment(tmp_path, stub) as server, account_of(server) as account:
        site = account.create_site().name
        answer = account.caller().SetAddress(site=site, address_line="Bankastraeti 7")
        assert answer.state == NOT_FOUND and answer.wait.reason == pb.ADDRESS_WAIT_REASON_NOT_FOUND
        week = answer.wait.next_attempt_time.seconds - answer.site.update_time.seconds
        assert 7 * 86_400 <= week <= 9 * 86_400
        assert reasons_of(account) == {site: [UNPLACED, FAILED]}
        stub.doors = {"bankastraeti": [(1, *DOOR), (2, 10.0, 20.0)]}
        # Another geocoder may find it; the same one is not asked again by a reload.
        (tmp_path / "waymark.toml").write_text(stub.config() + 'attribution = "another"\n', encoding="utf-8")
        server.process.send_signal(signal.SIGHUP)
        assert wait_for(account, site, is_in(AMBIGUOUS)).location.address.typed == "Bankastraeti 7"
        assert reasons_of(account) == {site: [UNPLACED, CHOICE]}
        choices = account.caller().GeocodeAddress(parent=account.name, site=site, address_line="Bankastraeti 7")
        account.caller().ApplyCandidate(site=site, candidate_token=choices.candidates[1].token)
        assert reasons_of(account) == {}


def test_without_a_geocoder_the_caller_hears_it_at_once(tmp_path):
    with Server(tmp_path / "data", geoip=False) as server, account_of(server) as account:
        site = account.create_site()
        failure = failure_of(lambda: account.caller().SetAddress(site=site.name, address_line="Laugavegur 1"))
        assert failure.reason == "GEOCODER_MISCONFIGURED", failure
        assert account.caller().GetSite(name=site.name) == site


def watched(caller, parent, text):
    """The sites with which a watch begins."""
    watch = caller.begin("WatchSites", pb.WatchSitesRequest(parent=parent, filter=text), CALL_S_MAX)
    sites = set()
    for message in watch:
        sites |= {site.name for site in message.changed_sites}
        if message.mark == pb.WATCH_MARK_CURRENT:
            watch.cancel()
            return sites
    raise AssertionError("the watch ended")


def pinned(account, lat, lng, **fields):
    site = account.create_site(**fields).name
    account.caller().SetPin(site=site, position=pb.LatLng(lat=lat, lng=lng))
    return site


def test_all_reasons_are_listed_counted_and_filtered_alike(account):
    caller = account.caller()
    unplaced = [account.create_site(customer_id="a" if number else "b").name for number in range(3)]
    far = account.activate(ip="8.8.8.8").site
    caller.SetPin(site=far, position=pb.LatLng(lat=64.0, lng=-21.0))
    near = pinned(account, 10.0, 10.0)
    missing = pinned(account, 11.0, 11.0)
    assert caller.SetAddress(site=missing, address_line="Xyzzyqwv Plughkjh 99999").state == NOT_FOUND
    choose = pinned(account, 12.0, 12.0, customer_id="a")
    assert caller.SetAddress(site=choose, address_line="Springfield").state == AMBIGUOUS
    expected = {**{site: [UNPLACED] for site in unplaced}, missing: [FAILED], choose: [CHOICE], far: [FAR]}
    for size in (1, 2, 50):
        found = reasons_of(account, page_size=size)
        assert found == expected
        ranks = [WORST_FIRST.index(reasons[0]) for reasons in found.values()]
        assert ranks == sorted(ranks), "the worst first"
    assert counts_of(account) == ({UNPLACED: 3, FAILED: 1, CHOICE: 1, FAR: 1}, 6)
    assert counts_of(account, filter="customer_id = a") == ({UNPLACED: 2, CHOICE: 1}, 3)
    assert counts_of(account, filter="location.placed = true") == ({FAILED: 1, CHOICE: 1, FAR: 1}, 3)
    assert reasons_of(account, reasons=[FAR, CHOICE]) == {choose: [CHOICE], far: [FAR]}
    assert reasons_of(account, filter="customer_id = a", reasons=[UNPLACED]).keys() == set(unplaced[1:])

    detail = next(item for item in caller.ListAttention(parent=account.name).items if item.site.name == far).details[0]
    assert detail.distance_m > 5_000_000 and detail.limit_m >= 300_000
    names = {
        "attention:UNPLACED": set(unplaced),
        "attention:*": set(expected),
        "NOT attention:*": {near},
        "attention = pin_far_from_geoip OR attention:ADDRESS_FAILED": {far, missing},
        "attention:* AND customer_id = a": {*unplaced[1:], choose},
    }
    for text, sites in names.items():
        listed = {site.name for site in caller.ListSites(parent=account.name, filter=text).sites}
        assert listed == sites, text
        assert watched(caller, account.name, text) == sites, text
        world = pb.BoundingBox(low=pb.LatLng(lat=-90, lng=-180), high=pb.LatLng(lat=90, lng=180))
        view = caller.QueryViewport(parent=account.name, viewport=world, zoom=0, filter=text)
        assert view.matching_tally.total + view.unplaced == len(sites), text
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: caller.ListAttention(parent=account.name, filter="attention:nonsense"),
        field="filter",
    )


def test_a_crowd_begins_and_ends_with_its_tenth_site(account):
    sites = [pinned(account, 47.0, 8.0) for _ in range(CROWD - 1)]
    assert reasons_of(account) == {}
    last = pinned(account, 47.0, 8.0)
    assert reasons_of(account) == {site: [CROWDED] for site in [*sites, last]}
    item = account.caller().ListAttention(parent=account.name, page_size=1).items[0]
    assert item.details[0].site_count == CROWD
    listed = account.caller().ListSites(parent=account.name, filter="attention:CROWDED").sites
    assert {site.name for site in listed} == {*sites, last}
    account.caller().DismissAttention(site=sites[0], reason=CROWDED)
    assert counts_of(account) == ({CROWDED: CROWD - 1}, CROWD - 1)
    account.caller().SetPin(site=last, position=pb.LatLng(lat=48.0, lng=8.0))
    assert reasons_of(account) == {}


def test_a_dismissed_reason_comes_back_with_other_facts(account):
    caller, site = account.caller("EDITOR"), account.activate(ip="8.8.8.8").site
    caller.SetPin(site=site, position=pb.LatLng(lat=64.0, lng=-21.0))
    assert reasons_of(account) == {site: [FAR]}
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: caller.DismissAttention(site=site, reason=FAILED),
        field="reason",
    )
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: caller.DismissAttention(site=site), field="reason")
    before = caller.GetSite(name=site)
    stale = {"site": site, "reason": FAR, "etag": "stale"}
    refused("ABORTED", "ETAG_MISMATCH", lambda: caller.DismissAttention(**stale))
    dismissed = caller.DismissAttention(site=site, reason=FAR, etag=before.etag)
    assert dismissed.etag != before.etag, "it is a person's word"
    assert caller.DismissAttention(site=site, reason=FAR).etag == dismissed.etag
    assert reasons_of(account) == {} and counts_of(account) == ({}, 0)
    assert not caller.ListSites(parent=account.name, filter="attention:*").sites
    caller.SetPin(site=site, position=pb.LatLng(lat=64.5, lng=-21.0))
    assert reasons_of(account) == {site: [FAR]}
    caller.DismissAttention(site=site, reason=FAR)
    assert reasons_of(account) == {}
    caller.RestoreAttention(site=site, reason=FAR)
    assert reasons_of(account) == {site: [FAR]}


@pytest.mark.parametrize("scope", ["VIEWER", "ENROLLMENT"])
def test_who_may_not_change_may_not_dismiss(account, scope):
    site = account.create_site().name
    for method in ("DismissAttention", "RestoreAttention"):
        request = getattr(pb, f"{method}Request")(site=site, reason=UNPLACED)
        refused(
            "PERMISSION_DENIED",
            "SCOPE_INSUFFICIENT",
            lambda method=method, request=request: account.caller(scope).call(method, request),
        )


def test_page_tokens_do_not_travel(account, operator):
    other = Account(operator)
    for one in (account, other):
        for _ in range(2):
            one.create_site()
    token = other.caller().ListAttention(parent=other.name, page_size=1).next_page_token
    assert token
    for query in ({"parent": account.name}, {"parent": account.name, "filter": "status = ONLINE"}):
        refused(
            "INVALID_ARGUMENT",
            "PAGE_TOKEN_INVALID",
            lambda query=query: account.caller().ListAttention(page_size=1, page_token=token, **query),
        )
