"""Coordinates where an address is asked for, names of positions, and suggestions while somebody types."""

import pytest

from client import refused
from stubs import pb

REYKJAVIK = (64.1466, -21.9426)
FORMS = [
    "64.1466, -21.9426",
    "64,1466; -21,9426",
    "64°08'47.76\"N 21°56'33.36\"W",
    "N 64°8.796' W 21°56.556'",
    "https://www.google.com/maps/place/X/@1.0,2.0,17z/data=!8m2!3d64.1466!4d-21.9426",
    "https://www.openstreetmap.org/?mlat=64.1466&mlon=-21.9426#map=15/1.0/2.0",
    "geo:64.1466,-21.9426",
]


def is_at(position, expected, degrees=1e-5):
    return abs(position.lat - expected[0]) < degrees and abs(position.lng - expected[1]) < degrees


@pytest.mark.parametrize("typed", FORMS)
def test_coordinates_drop_a_pin(iceland, typed):
    site = iceland.create_site().name
    caller = iceland.caller()
    [candidate] = caller.GeocodeAddress(parent=iceland.name, site=site, address_line=typed).candidates
    assert (candidate.provider, candidate.confidence) == ("coordinates", 1) and is_at(candidate.position, REYKJAVIK)
    answer = caller.SetAddress(site=site, address_line=typed, validate_only=True)
    assert is_at(answer.site.location.position, REYKJAVIK)
    assert not caller.GetSite(name=site).location.HasField("position"), "validate_only changes nothing"
    answer = caller.SetAddress(site=site, address_line=typed)
    assert answer.state == pb.ADDRESS_STATE_APPLIED
    assert answer.site.location.source == pb.FIX_SOURCE_PIN and is_at(answer.site.location.position, REYKJAVIK)
    assert not answer.site.location.address.typed, "coordinates are no address"
    other = iceland.create_site().name
    [candidate] = caller.GeocodeAddress(parent=iceland.name, site=other, address_line=typed).candidates
    applied = caller.ApplyCandidate(site=other, candidate_token=candidate.token)
    assert applied.location.source == pb.FIX_SOURCE_PIN and is_at(applied.location.position, REYKJAVIK)


def test_a_pin_by_coordinates_stands_beside_the_address(iceland):
    caller = iceland.caller()
    site = iceland.create_site().name
    caller.SetAddress(site=site, address_line="Laugavegur 1, 101 Reykjavík")
    moved = caller.SetAddress(site=site, address_line="64.15, -21.95").site.location
    assert is_at(moved.position, (64.15, -21.95)) and moved.address.state == pb.ADDRESS_STATE_PIN_KEPT
    assert moved.address.typed == "Laugavegur 1, 101 Reykjavík"


@pytest.mark.parametrize("typed", ["https://www.google.com/maps/@64.1466,-21.9426,12z", "9G8F+6X"])
def test_what_is_near_what_was_meant_is_asked_for(typed, account):
    """The middle of a map, and a short plus code near an estimate."""
    caller = account.caller()
    site = account.activate(ip="213.167.128.1").site
    before = caller.GetSite(name=site).location
    answer = caller.SetAddress(site=site, address_line=typed)
    assert answer.state == pb.ADDRESS_STATE_AMBIGUOUS and answer.site.location.position == before.position
    [candidate] = answer.candidates
    moved = caller.ApplyCandidate(site=site, candidate_token=candidate.token).location
    assert moved.source == pb.FIX_SOURCE_PIN and moved.position == candidate.position


def test_short_plus_codes_are_near_the_place_beside_them(account):
    caller = account.caller()
    site = account.create_site().name
    answer = caller.SetAddress(site=site, address_line="9G8F+6X Zürich, Switzerland")
    assert answer.state == pb.ADDRESS_STATE_APPLIED, answer
    assert is_at(answer.site.location.position, (47.365563, 8.524938))
    several = caller.SetAddress(site=account.create_site().name, address_line="22+XX Springfield")
    assert several.state == pb.ADDRESS_STATE_AMBIGUOUS and len(several.candidates) > 1
    assert not several.site.location.HasField("position"), "an ambiguous place is never applied silently"
    alone = lambda: caller.SetAddress(site=account.create_site().name, address_line="9G8F+6X")  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", alone, "address_line")


@pytest.mark.parametrize(
    "typed, field",
    [
        ("0, 0.0", "address_line"),
        ("121.5, 31.2", "address_line"),
        ("64°75'00\"N 21°00'00\"W", "address_line"),
        ("https://goo.gl/maps/abc", "address_line"),
        ("95.5 195.5", "address_line"),
    ],
)
def test_wrong_coordinates_are_refused(account, typed, field):
    site = account.create_site().name
    for call in (
        lambda: account.caller().SetAddress(site=site, address_line=typed),
        lambda: account.caller().GeocodeAddress(parent=account.name, address_line=typed),
    ):
        refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field)


def test_coordinates_keep_no_pin_and_are_not_swapped(account):
    caller = account.caller()
    site = account.create_site().name
    keep = lambda: caller.SetAddress(site=site, address_line="64.1, -21.9", keep_pin=True)  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", keep, "keep_pin")
    # A site whose estimate is in Iceland, and a person who gives longitude first.
    placed = account.activate(ip="213.167.128.1").site
    at = caller.GetSite(name=placed).location.position
    swapped = lambda: caller.SetAddress(site=placed, address_line=f"{at.lng:.4f}, {at.lat:.4f}")  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", swapped, "position")


def test_a_position_has_an_address(iceland):
    caller = iceland.caller()
    [door] = caller.GeocodeAddress(parent=iceland.name, address_line="Laugavegur 1, 101 Reykjavík").candidates[:1]
    found = caller.ReverseGeocode(parent=iceland.name, position=door.position).candidates
    assert found[0].formatted_address == door.formatted_address
    assert not found[0].token, "there is a token for a site alone"
    site = iceland.create_site().name
    caller.SetPin(site=site, position=door.position)
    found = caller.ReverseGeocode(parent=iceland.name, position=door.position, site=site).candidates
    assert found[0].token and found[0].distance_to_position_m < 50
    sea = caller.ReverseGeocode(parent=iceland.name, position=pb.LatLng(lat=-48.9, lng=-123.4)).candidates
    assert not sea, "nothing is known in the middle of the Pacific"
    nowhere = lambda: caller.ReverseGeocode(parent=iceland.name, position=pb.LatLng())  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", nowhere, "position")


def test_suggestions_come_while_somebody_types(iceland):
    caller = iceland.caller()
    site = iceland.create_site().name
    for typed in ("Laugav", "laugavegur 1", "Reykja"):
        found = caller.SuggestAddresses(parent=iceland.name, typed=typed, site=site, candidates_max=10).candidates
        assert any(typed.split()[0].lower() in each.formatted_address.lower() for each in found), (typed, found)
        assert len(found) <= 10 and all(each.token for each in found)
    assert not caller.SuggestAddresses(parent=iceland.name, typed=" ").candidates
    [best, *_] = caller.SuggestAddresses(parent=iceland.name, typed="Laugavegur 1, 101 Rey", site=site).candidates
    moved = caller.ApplyCandidate(site=site, candidate_token=best.token)
    assert moved.location.source == pb.FIX_SOURCE_ADDRESS
    long = lambda: caller.SuggestAddresses(parent=iceland.name, typed="x" * 501)  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", long, "typed")
