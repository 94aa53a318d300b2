"""Where sites are: addresses typed by people, candidates, pins, and the way back to the machines' word."""

import random

import grpc
import pytest

from client import Failure, mask, refused
from stubs import pb

# Laugavegur 1 stands at the head of Reykjavík's main street; half a kilometre is well inside the right quarter.
LAUGAVEGUR_1 = (64.146, -21.93)
NEAR_DEG = 0.005


def state_of(site):
    return site.location.address.state


def is_at_laugavegur(position):
    return abs(position.lat - LAUGAVEGUR_1[0]) < NEAR_DEG and abs(position.lng - LAUGAVEGUR_1[1]) < NEAR_DEG


@pytest.mark.parametrize(
    "line",
    [
        "Laugavegur 1, Reykjavík",
        "laugavegur 1 101 reykjavik",
        "Reykjavik Laugavegi 1",
        "Laugavegr 1 Reykjavík",
    ],
)
def test_one_line_finds_the_door(iceland, line):
    best = iceland.caller("VIEWER").GeocodeAddress(parent=iceland.name, address_line=line).candidates[0]
    assert is_at_laugavegur(best.position), best
    assert best.granularity == pb.GRANULARITY_DOOR and best.country_code == "IS" and best.attribution
    assert 0.0 < best.confidence <= 1.0


def test_parts_find_the_door(iceland):
    parts = pb.PostalAddress(street="Laugavegur 1", postal_code="101", locality="Reykjavík", country_code="is")
    best = iceland.caller().GeocodeAddress(parent=iceland.name, postal_address=parts).candidates[0]
    assert is_at_laugavegur(best.position) and best.granularity == pb.GRANULARITY_DOOR


def test_geocoding_changes_nothing_and_a_candidate_moves_the_site(iceland):
    site = iceland.activate(ip="8.8.8.8").site
    caller = iceland.caller("EDITOR")
    before = caller.GetSite(name=site)
    found = caller.GeocodeAddress(parent=iceland.name, site=site, address_line="Laugavegur 1, Reykjavík")
    best = found.candidates[0]
    assert best.token and best.distance_to_geoip_m > 1_000_000 and best.distance_to_position_m > 1_000_000
    assert caller.GetSite(name=site) == before
    moved = caller.ApplyCandidate(site=site, candidate_token=best.token)
    assert moved.location.source == pb.FIX_SOURCE_ADDRESS and moved.location.confirmed
    assert is_at_laugavegur(moved.location.position)
    assert (
        moved.location.address.state == pb.ADDRESS_STATE_APPLIED and "Laugavegur 1" in moved.location.address.formatted
    )
    fix = next(fix for fix in moved.location.fixes if fix.source == pb.FIX_SOURCE_ADDRESS)
    assert fix.geocoded.query == "Laugavegur 1, Reykjavík" and fix.geocoded.provider and fix.maker.startswith("token:")
    assert len(moved.location.fixes) == 2, "the GeoIP fix stays below"
    assert caller.GetSite(name=site) == moved


def test_a_candidate_is_good_for_its_own_site_alone(iceland):
    one, other = iceland.create_site().name, iceland.create_site().name
    caller = iceland.caller()
    token = caller.GeocodeAddress(parent=iceland.name, site=one, address_line="Laugavegur 1").candidates[0].token
    for site, bad in ((other, token), (one, token[:-4] + "AAAA"), (one, "nonsense")):
        refused(
            "INVALID_ARGUMENT",
            "CANDIDATE_TOKEN_INVALID",
            lambda site=site, bad=bad: caller.ApplyCandidate(site=site, candidate_token=bad),
        )


def test_a_clear_winner_is_applied(iceland):
    site = iceland.create_site().name
    answer = iceland.caller().SetAddress(site=site, address_line="Laugavegur 1, 101 Reykjavík")
    assert answer.state == pb.ADDRESS_STATE_APPLIED and is_at_laugavegur(answer.site.location.position)
    assert answer.site == iceland.caller().GetSite(name=site)


@pytest.mark.parametrize("line", ["Springfield", "Paris", "Jackson", "Reykjavík"])
def test_an_ambiguous_or_coarse_address_is_kept_and_not_applied(account, line):
    site = account.activate(ip="8.8.8.8").site
    answer = account.caller().SetAddress(site=site, address_line=line)
    assert answer.state == pb.ADDRESS_STATE_AMBIGUOUS
    assert answer.candidates and all(candidate.token for candidate in answer.candidates)
    location = account.caller().GetSite(name=site).location
    assert location.source == pb.FIX_SOURCE_GEOIP and location.address.typed == line
    assert location.address.state == pb.ADDRESS_STATE_AMBIGUOUS


def test_an_address_that_nothing_answers_to_is_kept(account):
    site = account.activate(ip="8.8.8.8").site
    answer = account.caller().SetAddress(site=site, address_line="Xyzzyqwv Plughkjh 99999")
    assert answer.state == pb.ADDRESS_STATE_NOT_FOUND and not answer.candidates
    assert account.caller().GetSite(name=site).location.source == pb.FIX_SOURCE_GEOIP


def test_keep_pin_changes_the_address_alone(iceland):
    site = iceland.activate(ip="8.8.8.8").site
    before = iceland.caller().GetSite(name=site).location
    answer = iceland.caller().SetAddress(site=site, address_line="Laugavegur 1, Reykjavík", keep_pin=True)
    assert answer.state == pb.ADDRESS_STATE_PIN_KEPT
    after = iceland.caller().GetSite(name=site).location
    assert after.position == before.position and after.address.typed == "Laugavegur 1, Reykjavík"


def test_the_state_of_an_address_says_whether_the_site_stands_at_it(iceland):
    """After its pin was taken away, a site that stood at its address again was still shown as pinned elsewhere."""
    caller, site = iceland.caller(), iceland.activate(ip="8.8.8.8").site
    assert caller.SetAddress(site=site, address_line="Laugavegur 1, Reykjavík").state == pb.ADDRESS_STATE_APPLIED
    pin = {"site": site, "position": pb.LatLng(lat=65.0, lng=-18.0)}
    assert state_of(caller.SetPin(**pin)) == pb.ADDRESS_STATE_PIN_KEPT
    below = caller.DeleteFix(site=site, source=pb.FIX_SOURCE_PIN)
    assert state_of(below) == pb.ADDRESS_STATE_APPLIED and is_at_laugavegur(below.location.position)
    assert caller.GetSite(name=site) == below
    assert state_of(caller.SetPin(**pin)) == pb.ADDRESS_STATE_PIN_KEPT
    without = caller.DeleteFix(site=site, source=pb.FIX_SOURCE_ADDRESS).location
    assert not without.HasField("address"), "an address whose fix was removed is gone"
    assert without.source == pb.FIX_SOURCE_PIN and without.position == pin["position"]
    assert caller.GetSite(name=site).location == without


def test_without_its_fix_an_applied_address_is_gone(iceland):
    caller, site = iceland.caller(), iceland.activate(ip="8.8.8.8").site
    estimate = caller.GetSite(name=site).location
    caller.SetAddress(site=site, address_line="Laugavegur 1, Reykjavík")
    assert caller.DeleteFix(site=site, source=pb.FIX_SOURCE_ADDRESS).location == estimate


def test_an_address_beside_a_kept_position_does_not_become_the_applied_one(iceland):
    caller, site = iceland.caller(), iceland.create_site().name
    caller.SetAddress(site=site, address_line="Laugavegur 1, Reykjavík")
    kept = caller.SetAddress(site=site, address_line="Bankastræti 7, Reykjavík", keep_pin=True)
    assert kept.state == kept.site.location.address.state == pb.ADDRESS_STATE_PIN_KEPT
    assert is_at_laugavegur(kept.site.location.position)
    caller.SetPin(site=site, position=pb.LatLng(lat=65.0, lng=-18.0))
    below = caller.DeleteFix(site=site, source=pb.FIX_SOURCE_PIN).location
    assert is_at_laugavegur(below.position) and below.address.typed == "Bankastræti 7, Reykjavík"
    assert below.address.state == pb.ADDRESS_STATE_PIN_KEPT, "the site stands at another address than the stated one"


def test_validate_only_changes_nothing(iceland):
    site = iceland.activate(ip="8.8.8.8").site
    before = iceland.caller().GetSite(name=site)
    answer = iceland.caller().SetAddress(site=site, address_line="Laugavegur 1, Reykjavík", validate_only=True)
    assert answer.state == pb.ADDRESS_STATE_APPLIED and is_at_laugavegur(answer.site.location.position)
    assert iceland.caller().GetSite(name=site) == before


def test_the_newest_word_of_a_person_counts_and_reset_brings_the_machines_back(iceland):
    caller = iceland.caller()
    site = iceland.activate(ip="8.8.8.8").site
    estimate = caller.GetSite(name=site).location.position
    caller.SetAddress(site=site, address_line="Laugavegur 1, Reykjavík")
    pinned = caller.SetPin(site=site, position=pb.LatLng(lat=65.0, lng=-18.0)).location
    assert pinned.source == pb.FIX_SOURCE_PIN and pinned.position == pb.LatLng(lat=65.0, lng=-18.0)
    below = caller.DeleteFix(site=site, source=pb.FIX_SOURCE_PIN).location
    assert below.source == pb.FIX_SOURCE_ADDRESS and is_at_laugavegur(below.position)
    refused("FAILED_PRECONDITION", "FIX_MISSING", lambda: caller.DeleteFix(site=site, source=pb.FIX_SOURCE_PIN))
    reset = caller.ResetLocation(site=site).location
    assert reset.source == pb.FIX_SOURCE_GEOIP and not reset.confirmed and reset.position == estimate
    assert not reset.HasField("address")
    gone = caller.DeleteFix(site=site, source=pb.FIX_SOURCE_GEOIP).location
    assert not gone.HasField("position") and not gone.fixes
    assert gone.no_estimate_reason == pb.NO_ESTIMATE_REASON_REMOVED


def test_a_position_reads_back_to_the_last_bit(account):
    """A stored position was read with its last bit rounded otherwise, so an answer and the next look differed."""
    caller, site, dice = account.caller(), account.create_site().name, random.Random(20261124)
    for _ in range(40):
        position = pb.LatLng(lat=dice.uniform(-90, 90), lng=dice.uniform(-180, 180))
        assert caller.SetPin(site=site, position=position).location.position == position
        assert caller.GetSite(name=site).location.position == position
        assert caller.UpdateSite(site=pb.Site(name=site), update_mask=mask("note")).location.position == position


def test_0_0_is_no_position(account):
    site = account.create_site().name
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: account.caller().SetPin(site=site, position=pb.LatLng(lat=0.0, lng=0.0)),
        field="position",
    )


def test_swapped_coordinates_are_refused_where_the_estimate_shows_them(account):
    caller, site = account.caller(), account.activate(ip="213.167.128.1").site
    before = caller.GetSite(name=site)
    assert before.location.fixes[0].database.country_code == "IS"
    swapped, right = pb.LatLng(lat=-21.9, lng=64.1), pb.LatLng(lat=64.1, lng=-21.9)
    failure = refused(
        "INVALID_ARGUMENT", "FIELD_INVALID", lambda: caller.SetPin(site=site, position=swapped), field="position"
    )
    assert "swapped" in failure.fields["position"] or "swapped" in failure.message, failure
    assert caller.GetSite(name=site) == before
    assert caller.SetPin(site=site, position=right).location.position == right
    # A person's word far from the estimate counts, as long as a swap does not explain it.
    far = pb.LatLng(lat=10.0, lng=50.0)
    assert caller.SetPin(site=site, position=far).location.position == far


def test_without_an_estimate_no_position_is_a_swapped_one(account):
    site, at_sea = account.create_site().name, pb.LatLng(lat=-21.9, lng=64.1)
    assert account.caller().SetPin(site=site, position=at_sea).location.position == at_sea


@pytest.mark.parametrize("line", ["!!!", "🦆" * 100, 'a:b^2 AND (c OR "d', "\u202eoh", "' OR 1=1 --", "%00", "1" * 500])
def test_hostile_lines_are_answered_or_refused(account, line):
    try:
        account.caller().GeocodeAddress(parent=account.name, address_line=line)
    except grpc.RpcError as error:
        failure = Failure(error)
        assert (failure.code.name, failure.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID"), failure
