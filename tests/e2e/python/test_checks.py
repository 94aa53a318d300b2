"""What is refused of a position that a person states, and what is only warned of: country, sea, distance to the estimate."""

import grpc
import pytest

from client import Account, Caller, refused
from server import Server
from stubs import pb

OUTSIDE = ("INVALID_ARGUMENT", "POSITION_OUTSIDE_COUNTRY")
REYKJAVIK = {"lat": 64.1466, "lng": -21.9426}
BERLIN = {"lat": 52.52, "lng": 13.405}
ATLANTIC = {"lat": 35.0, "lng": -45.0}
# A platform in the North Sea, in the zones of Norway and Britain.
PLATFORM = {"lat": 59.57, "lng": 2.23}
# Frankfurt an der Oder: Poland begins in the midst of the river.
AT_THE_ODER = {"lat": 52.34, "lng": 14.55}
LAUGAVEGUR_1 = "Laugavegur 1, 101 Reykjavík"


def names(warnings):
    return [pb.LocationWarning.Name(warning).removeprefix("LOCATION_WARNING_") for warning in warnings]


def line(at):
    return f"{at['lat']}, {at['lng']}"


def reverse(caller, **fields):
    """Asks again where the first question had to wait for the gazetteer's positions to be read: slow without optimisation."""
    for _ in range(5):
        try:
            return caller.ReverseGeocode(**fields).candidates
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise
    return caller.ReverseGeocode(**fields).candidates


@pytest.mark.parametrize("at, country", [(REYKJAVIK, "is"), (AT_THE_ODER, "PL"), (AT_THE_ODER, "DE"), (PLATFORM, "NO")])
def test_a_position_in_its_country_is_taken(account, at, country):
    caller, site = account.caller(), account.create_site().name
    pinned = caller.SetPin(site=site, position=pb.LatLng(**at), country_code=country)
    assert pinned.location.position == pb.LatLng(**at)
    pasted = caller.SetAddress(site=site, address_line=line(at), country_code=country)
    assert pasted.state == pb.ADDRESS_STATE_APPLIED


@pytest.mark.parametrize("at, country", [(REYKJAVIK, "NO"), (BERLIN, "PL"), (PLATFORM, "ES"), (ATLANTIC, "PT")])
def test_a_position_in_another_country_is_refused(account, at, country):
    caller, site = account.caller(), account.create_site().name
    before = caller.GetSite(name=site)
    for call, field in (
        (lambda: caller.SetPin(site=site, position=pb.LatLng(**at), country_code=country), "position"),
        (lambda: caller.SetAddress(site=site, address_line=line(at), country_code=country), "address_line"),
    ):
        failure = refused(*OUTSIDE, call, field)
        assert country in failure.message and "correct the position" in failure.message
    assert caller.GetSite(name=site) == before


def test_an_exchanged_position_is_told_as_one(account):
    site = account.create_site().name
    swapped = {"lat": REYKJAVIK["lng"], "lng": REYKJAVIK["lat"]}
    pin = lambda: account.caller().SetPin(site=site, position=pb.LatLng(**swapped), country_code="IS")  # noqa: E731
    assert "exchanged" in refused(*OUTSIDE, pin, "position").message


def test_a_country_is_stated_once_and_is_one(account):
    caller, site = account.caller(), account.create_site().name
    parts = pb.PostalAddress(street="Laugavegur 1", locality="Reykjavík", country_code="IS")
    twice = lambda: caller.SetAddress(site=site, postal_address=parts, country_code="DE")  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", twice, "country_code")
    assert caller.SetAddress(site=site, postal_address=parts, country_code="is", validate_only=True)
    for call in (
        lambda: caller.SetPin(site=site, position=pb.LatLng(**REYKJAVIK), country_code="Iceland"),
        lambda: caller.SetAddress(site=site, address_line="Reykjavík", country_code="I1"),
    ):
        refused("INVALID_ARGUMENT", "FIELD_INVALID", call, "country_code")


def test_a_candidate_in_another_country_never_wins_and_is_never_applied(account):
    caller, site = account.caller(), account.create_site().name
    assert caller.SetAddress(site=site, address_line=LAUGAVEGUR_1, validate_only=True).state == pb.ADDRESS_STATE_APPLIED
    answer = caller.SetAddress(site=site, address_line=LAUGAVEGUR_1, country_code="NO")
    assert answer.state == pb.ADDRESS_STATE_NOT_FOUND and not answer.site.location.HasField("position")
    assert answer.site.location.address.typed == LAUGAVEGUR_1
    abroad = next(each for each in answer.candidates if each.country_code == "IS")
    assert names(abroad.warnings) == ["OUTSIDE_COUNTRY"]
    apply = lambda: caller.ApplyCandidate(site=site, candidate_token=abroad.token)  # noqa: E731
    assert "choose another candidate" in refused(*OUTSIDE, apply, "candidate_token").message
    parts = pb.PostalAddress(street="Laugavegur 1", locality="Reykjavík", country_code="NO")
    assert caller.SetAddress(site=site, postal_address=parts).state == pb.ADDRESS_STATE_NOT_FOUND
    shown = caller.GeocodeAddress(parent=account.name, postal_address=parts).candidates
    abroad = [names(each.warnings) for each in shown if each.country_code == "IS"]
    assert abroad and all(warnings == ["OUTSIDE_COUNTRY"] for warnings in abroad)


def test_a_pin_is_not_kept_beside_an_address_in_another_country(iceland):
    caller, site = iceland.caller(), iceland.create_site().name
    caller.SetPin(site=site, position=pb.LatLng(**BERLIN))
    keep = {"site": site, "address_line": LAUGAVEGUR_1, "keep_pin": True}
    refused(*OUTSIDE, lambda: caller.SetAddress(**keep, country_code="IS"), "keep_pin")
    kept = caller.SetAddress(**keep)
    assert kept.state == pb.ADDRESS_STATE_PIN_KEPT and kept.site.location.position == pb.LatLng(**BERLIN)
    # An estimate is no word of a person's: an address may well be somewhere else.
    estimated = iceland.activate(ip="8.8.8.8").site
    kept = caller.SetAddress(site=estimated, address_line=LAUGAVEGUR_1, keep_pin=True, country_code="IS")
    assert kept.state == pb.ADDRESS_STATE_PIN_KEPT


def test_a_position_at_sea_is_taken_with_a_warning(account):
    caller, site = account.caller(), account.create_site().name
    [candidate] = caller.GeocodeAddress(parent=account.name, site=site, address_line=line(ATLANTIC)).candidates
    assert names(candidate.warnings) == ["AT_SEA"]
    answer = caller.SetAddress(site=site, address_line=line(ATLANTIC), validate_only=True)
    assert names(answer.site.location.warnings) == ["AT_SEA"]
    pinned = caller.SetPin(site=site, position=pb.LatLng(**ATLANTIC))
    assert names(pinned.location.warnings) == ["AT_SEA"]
    assert pinned == caller.GetSite(name=site)
    assert list(caller.ListSites(parent=account.name).sites) == [pinned], "lists warn as well"
    assert not caller.SetPin(site=site, position=pb.LatLng(**REYKJAVIK)).location.warnings, "it goes with its cause"


def test_a_position_far_from_the_estimate_is_taken_with_a_warning(account):
    caller, site = account.caller(), account.activate(ip="213.167.128.1").site
    estimate = caller.GetSite(name=site).location
    assert not estimate.warnings, "an estimate warns of nothing"
    near = pb.LatLng(lat=estimate.position.lat + 0.5, lng=estimate.position.lng)
    assert not caller.SetPin(site=site, position=near).location.warnings
    pinned = caller.SetPin(site=site, position=pb.LatLng(**BERLIN)).location
    assert names(pinned.warnings) == ["FAR_FROM_GEOIP"]
    pinned = caller.SetPin(site=site, position=pb.LatLng(**ATLANTIC)).location
    assert names(pinned.warnings) == ["AT_SEA", "FAR_FROM_GEOIP"]
    without = caller.DeleteFix(site=site, source=pb.FIX_SOURCE_GEOIP).location
    assert names(without.warnings) == ["AT_SEA"]
    assert not caller.ResetLocation(site=site).location.warnings


def test_each_change_can_be_tried_without_being_made(iceland):
    caller, site = iceland.caller(), iceland.activate(ip="213.167.128.1").site
    caller.SetPin(site=site, position=pb.LatLng(**REYKJAVIK))
    [door, *_] = caller.GeocodeAddress(parent=iceland.name, site=site, address_line=LAUGAVEGUR_1).candidates
    before = caller.GetSite(name=site)
    moved = caller.SetPin(site=site, position=pb.LatLng(lat=64.15, lng=-21.9), validate_only=True)
    assert moved.location.position.lat == 64.15
    applied = caller.ApplyCandidate(site=site, candidate_token=door.token, validate_only=True)
    assert applied.location.position == door.position
    adopted = caller.ApplyCandidate(site=site, candidate_token=door.token, keep_pin=True, validate_only=True)
    assert adopted.location.address.formatted == door.formatted_address
    assert caller.ResetLocation(site=site, validate_only=True).location.source == pb.FIX_SOURCE_GEOIP
    without = caller.DeleteFix(site=site, source=pb.FIX_SOURCE_PIN, validate_only=True)
    assert without.location.source == pb.FIX_SOURCE_GEOIP
    assert caller.GetSite(name=site) == before
    stale = lambda: caller.SetPin(site=site, position=door.position, etag="stale", validate_only=True)  # noqa: E731
    refused("ABORTED", "ETAG_MISMATCH", stale)
    outside = lambda: caller.SetPin(  # noqa: E731
        site=site, position=pb.LatLng(**BERLIN), country_code="IS", validate_only=True
    )
    refused(*OUTSIDE, outside, "position")


def test_a_pin_adopts_the_address_that_is_suggested_and_stays_where_it_is(iceland):
    """Redeeming it moved the pin to the register's point, and called the coordinates what somebody had typed."""
    caller, site = iceland.caller(), iceland.create_site().name
    [door, *_] = caller.GeocodeAddress(parent=iceland.name, address_line=LAUGAVEGUR_1).candidates
    beside = pb.LatLng(lat=door.position.lat + 0.0001, lng=door.position.lng)
    caller.SetPin(site=site, position=beside)
    [suggested, *_] = reverse(caller, parent=iceland.name, position=beside, site=site)
    assert suggested.position != beside
    adopted = caller.ApplyCandidate(site=site, candidate_token=suggested.token, keep_pin=True).location
    assert adopted.position == beside and adopted.source == pb.FIX_SOURCE_PIN and len(adopted.fixes) == 1
    address = adopted.address
    assert address.state == pb.ADDRESS_STATE_PIN_KEPT and address.formatted == suggested.formatted_address
    assert not address.typed, "nobody typed it"
    evidence = address.evidence
    assert (evidence.provider, evidence.attribution) == (suggested.provider, suggested.attribution)
    assert evidence.place_id and evidence.formatted_address == suggested.formatted_address
    assert evidence.query == f"{beside.lat}, {beside.lng}", "what was asked is told as it was"
    assert caller.GetSite(name=site).location == adopted
    [found] = caller.ListSites(parent=iceland.name, filter=f'"{address.formatted.split(",")[0]}"').sites
    assert found.name == site, "the adopted address is searched like any other"
    # Without `keep_pin` the site moves to the address, and the fix says what it rests on.
    moved = caller.ApplyCandidate(site=site, candidate_token=suggested.token).location
    assert moved.source == pb.FIX_SOURCE_ADDRESS and moved.position == suggested.position
    assert not moved.address.typed and not moved.address.HasField("evidence")


def test_a_candidate_of_typed_words_can_be_adopted_too(iceland):
    caller, site = iceland.caller(), iceland.create_site().name
    caller.SetPin(site=site, position=pb.LatLng(**REYKJAVIK))
    [door, *_] = caller.GeocodeAddress(parent=iceland.name, site=site, address_line=LAUGAVEGUR_1).candidates
    adopted = caller.ApplyCandidate(site=site, candidate_token=door.token, keep_pin=True).location
    assert adopted.position == pb.LatLng(**REYKJAVIK) and adopted.address.typed == LAUGAVEGUR_1
    assert adopted.address.state == pb.ADDRESS_STATE_PIN_KEPT
    kept = caller.SetAddress(site=site, address_line=LAUGAVEGUR_1, keep_pin=True).site.location.address
    assert kept.evidence == adopted.address.evidence, "one way to keep a pin is as honest as the other"
    [coordinates] = caller.GeocodeAddress(parent=iceland.name, site=site, address_line=line(BERLIN)).candidates
    keep = lambda: caller.ApplyCandidate(  # noqa: E731
        site=site, candidate_token=coordinates.token, keep_pin=True
    )
    refused("INVALID_ARGUMENT", "FIELD_INVALID", keep, "keep_pin")


def test_without_borders_the_checks_that_need_them_are_not_made(tmp_path):
    with Server(tmp_path / "data", geoip=False) as server, grpc.insecure_channel(server.target) as channel:
        assert "no borders are configured" in server.log_text()
        account = Account(Caller(channel, server.admin_token))
        site = account.create_site().name
        for at in (BERLIN, ATLANTIC):
            pinned = account.caller().SetPin(site=site, position=pb.LatLng(**at), country_code="IS")
            assert pinned.location.position == pb.LatLng(**at) and not pinned.location.warnings


def test_borders_that_are_none_are_refused_at_the_start(tmp_path):
    bad = tmp_path / "borders.json"
    bad.write_text('{"type": "FeatureCollection", "features": []}')
    server = Server(tmp_path / "data", geoip=False, extra=["--borders", str(bad)])
    with pytest.raises(AssertionError):
        server.start()
    assert "borders.json" in server.log_text() and "TopoJSON" in server.log_text()
