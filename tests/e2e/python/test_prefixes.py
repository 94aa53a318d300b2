"""An account's own networks beat the databases, and siblings get positions as suggestions."""

import time

import pytest

from client import refused
from stubs import pb

HALL = pb.LatLng(lat=47.3769, lng=8.5417)
LAB = pb.LatLng(lat=64.1466, lng=-21.9426)
# Seconds until sites behind a changed network must be estimated again; generous for a busy machine.
FOLLOWED_S_MAX = 60


def place(account, cidr, at, **fields):
    prefix = pb.Prefix(cidr=cidr, position=at, **fields)
    return account.caller("EDITOR").CreatePrefix(parent=account.name, prefix=prefix)


def wait_for(what, account, site):
    """The site, once `what` holds of it."""
    ends = time.monotonic() + FOLLOWED_S_MAX
    while True:
        found = account.caller().GetSite(name=site)
        if what(found) or time.monotonic() > ends:
            assert what(found), found
            return found
        time.sleep(0.02)


def test_the_longest_network_beats_the_databases(account):
    place(account, "8.0.0.0/8", HALL, display_name="backbone")
    place(account, "8.8.8.0/24", LAB, display_name="lab", accuracy_m=250, granularity=pb.GRANULARITY_STREET)
    for ip, name, at in (("8.8.8.8", "lab", LAB), ("8.9.9.9", "backbone", HALL)):
        location = account.activate(ip=ip).location
        assert location.source == pb.FIX_SOURCE_GEOIP and not location.confirmed, "an estimate, not a person's word"
        assert location.position == at and location.fixes[0].prefix.display_name == name
        assert location.fixes[0].maker == "prefix"
        assert account.caller().LookupIp(parent=account.name, ip=ip).fix.prefix.display_name == name
    fix = account.caller().LookupIp(parent=account.name, ip="8.8.8.8").fix
    assert (fix.accuracy_m, fix.granularity) == (250, pb.GRANULARITY_STREET)
    assert account.caller().LookupIp(parent=account.name, ip="9.9.9.9").fix.HasField("database")


def test_private_ranges_have_a_place_when_their_account_says_so(account):
    place(account, "10.20.0.0/16", LAB)
    place(account, "fd00:20::/32", HALL)
    for ip, at in (("10.20.3.4", LAB), ("fd00:20::7", HALL), ("::ffff:10.20.3.5", LAB)):
        location = account.activate(ip=ip).location
        assert location.position == at, ip
    assert not account.activate(ip="10.21.0.1").location.HasField("position")


def test_another_account_sees_nothing_of_it(account, iceland):
    place(account, "8.8.8.0/24", LAB)
    assert iceland.activate(ip="8.8.8.8").location.fixes[0].HasField("database")
    assert not iceland.caller().ListPrefixes(parent=iceland.name).prefixes


def test_sites_follow_when_a_network_is_made_changed_and_deleted(account):
    public, private = account.activate(ip="8.8.8.8").site, account.activate(ip="10.30.0.1").site
    outside = account.activate(ip="81.2.69.160")
    made = place(account, "8.8.8.0/24", HALL)
    place(account, "10.30.0.0/16", LAB)
    wait_for(lambda site: site.location.position == HALL, account, public)
    wait_for(lambda site: site.location.position == LAB, account, private)
    account.caller().UpdatePrefix(prefix=pb.Prefix(name=made.name, position=LAB))
    wait_for(lambda site: site.location.position == LAB, account, public)
    account.caller().DeletePrefix(name=made.name)
    found = wait_for(lambda site: site.location.fixes[0].HasField("database"), account, public)
    assert found.location.position == account.caller().LookupIp(parent=account.name, ip="8.8.8.8").fix.position
    account.caller().DeletePrefix(name=f"{account.name}/prefixes/10.30.0.0-16")
    found = wait_for(lambda site: not site.location.fixes, account, private)
    assert found.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_PRIVATE
    assert account.caller().GetSite(name=outside.site).location == outside.location


def test_a_person_is_not_overruled_by_a_network(account):
    site = account.activate(ip="8.8.8.8").site
    pinned = account.caller().SetPin(site=site, position=HALL)
    waiting = account.activate(ip="8.8.8.9").site
    place(account, "8.8.8.0/24", LAB)
    wait_for(lambda found: found.location.position == LAB, account, waiting)
    assert account.caller().GetSite(name=site).location == pinned.location
    reset = account.caller().ResetLocation(site=site).location
    assert reset.position == LAB and reset.fixes[0].HasField("prefix"), "the network was made under the pin"


def test_many_networks_at_once_are_few_runs(account, operator):
    """Each network once queued a run over all sites of its account, and those of all others waited behind it."""
    site = account.activate(ip="10.40.49.1").site
    cidrs = [f"10.40.{number}.0/24" for number in range(50)]
    for cidr in cidrs:
        place(account, cidr, LAB)
    wait_for(lambda found: found.location.position == LAB, account, site)
    runs = [run for run in operator.ListReestimations().reestimations if run.account == account.name]
    assert {network for run in runs for network in run.networks} == set(cidrs)
    waiting = [run for run in runs if run.state == pb.Reestimation.STATE_RUNNING]
    assert len(waiting) <= 2


def test_networks_are_kept_by_name(account):
    made = place(account, "2001:db8::/32", HALL, display_name="docs")
    assert made.name == f"{account.name}/prefixes/2001:db8::-32" and made.granularity == pb.GRANULARITY_DOOR
    caller = account.caller()
    assert caller.GetPrefix(name=made.name) == made
    refused("ALREADY_EXISTS", "RESOURCE_EXISTS", lambda: place(account, "2001:db8::/32", LAB))
    for number in range(5):
        place(account, f"10.{number}.0.0/16", LAB)
    page = caller.ListPrefixes(parent=account.name, page_size=4)
    rest = caller.ListPrefixes(parent=account.name, page_size=4, page_token=page.next_page_token)
    listed = [prefix.cidr for prefix in (*page.prefixes, *rest.prefixes)]
    assert listed == sorted(listed) and len(listed) == 6 and not rest.next_page_token
    caller.DeletePrefix(name=made.name)
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: caller.GetPrefix(name=made.name))
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: caller.DeletePrefix(name=made.name))


def test_wide_networks_that_also_hold_ipv4_in_ipv6_are_taken(account):
    for cidr in ("::/0", "::/80", "2000::/3"):
        place(account, cidr, HALL)
    assert account.caller().LookupIp(parent=account.name, ip="2a00::1").fix.prefix.network == "2000::/3"


def test_an_etag_guards_a_network(account):
    made, caller = place(account, "10.50.0.0/16", HALL), account.caller()
    assert made.etag
    change = pb.Prefix(name=made.name, position=LAB, etag=made.etag)
    changed = caller.UpdatePrefix(prefix=change)
    assert changed.etag != made.etag and caller.GetPrefix(name=made.name).etag == changed.etag
    refused("ABORTED", "ETAG_MISMATCH", lambda: caller.UpdatePrefix(prefix=change))
    refused("ABORTED", "ETAG_MISMATCH", lambda: caller.DeletePrefix(name=made.name, etag=made.etag))
    assert caller.GetPrefix(name=made.name) == changed, "what was refused changed nothing"
    caller.UpdatePrefix(prefix=pb.Prefix(name=made.name, position=HALL))
    caller.DeletePrefix(name=made.name, etag=made.etag)
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: caller.GetPrefix(name=made.name))


def test_an_account_sees_the_runs_of_its_networks_alone(account, iceland, operator):
    site = account.activate(ip="10.60.0.1").site
    place(account, "10.60.0.0/16", LAB)
    place(iceland, "10.61.0.0/16", HALL)
    wait_for(lambda found: found.location.position == LAB, account, site)
    operator.PreviewDatabase()
    ends = time.monotonic() + FOLLOWED_S_MAX
    while True:
        runs = account.caller("VIEWER").ListPrefixReestimations(parent=account.name).reestimations
        if runs and all(run.state == pb.Reestimation.STATE_DONE for run in runs):
            break
        assert time.monotonic() < ends, runs
        time.sleep(0.02)
    assert {run.account for run in runs} == {account.name}
    assert {network for run in runs for network in run.networks} == {"10.60.0.0/16"}
    assert sum(run.placed_count for run in runs) == 1
    others = iceland.caller().ListPrefixReestimations(parent=iceland.name).reestimations
    assert others and {run.account for run in others} == {iceland.name}


def test_the_own_network_is_a_step_of_the_explanation(account):
    made = place(account, "8.8.8.0/24", HALL, display_name="lab")
    place(account, "10.70.0.0/16", LAB)
    caller = account.caller()
    inside, outside, private = caller.BatchLookupIp(
        parent=account.name, ips=["8.8.8.8", "9.9.9.9", "10.70.1.1"], explain=True
    ).results
    assert inside.explanation == caller.LookupIp(parent=account.name, ip="8.8.8.8", explain=True).explanation
    step = inside.explanation.own_network
    assert (step.name, step.network, step.display_name) == (made.name, "8.8.8.0/24", "lab")
    taken = {part for step in inside.explanation.steps for part in step.gave}
    places = {
        pb.DATABASE_PART_POSITION, pb.DATABASE_PART_COUNTRY, pb.DATABASE_PART_REGION, pb.DATABASE_PART_CITY
    }
    assert inside.explanation.steps and not taken & places, "nothing of the place is the databases' word"
    for step in inside.explanation.steps:
        assert not step.record.HasField("distance_m") or step.record.distance_m > 1_000, "from the answer, not its own"
    assert not outside.explanation.HasField("own_network")
    assert pb.DATABASE_PART_POSITION in {part for step in outside.explanation.steps for part in step.gave}
    assert private.explanation.own_network.network == "10.70.0.0/16" and not private.explanation.steps
    assert private.explanation.block == "10.0.0.0/8"


@pytest.mark.parametrize(
    "fields, field",
    [
        ({"cidr": ""}, "prefix.cidr"),
        ({"cidr": "10.0.0.0"}, "prefix.cidr"),
        ({"cidr": "10.0.0.1/8"}, "prefix.cidr"),
        ({"cidr": "10.0.0.0/33"}, "prefix.cidr"),
        ({"cidr": "010.0.0.0/8"}, "prefix.cidr"),
        ({"cidr": "fe80::%eth0/10"}, "prefix.cidr"),
        ({"cidr": "::ffff:10.0.0.0/104"}, "prefix.cidr"),
        ({"cidr": "::ffff:0:0/96"}, "prefix.cidr"),
        ({"cidr": "2002:a00::/24"}, "prefix.cidr"),
        ({"cidr": "64:ff9b::/96"}, "prefix.cidr"),
        ({"position": None}, "prefix.position"),
        ({"position": pb.LatLng(lat=0, lng=0)}, "prefix.position"),
        ({"position": pb.LatLng(lat=91, lng=0)}, "prefix.position.lat"),
        ({"position": pb.LatLng(lat=float("nan"), lng=0)}, "prefix.position.lat"),
        ({"accuracy_m": 0.0}, "prefix.accuracy_m"),
        ({"accuracy_m": float("inf")}, "prefix.accuracy_m"),
        ({"granularity": 99}, "prefix.granularity"),
        ({"display_name": "x" * 257}, "prefix.display_name"),
        ({"display_name": "two\nlines"}, "prefix.display_name"),
        ({"name": "accounts/x/prefixes/10.0.0.0-8"}, "prefix.name"),
    ],
)
def test_a_bad_network_is_refused(account, fields, field):
    prefix = pb.Prefix(**{"cidr": "10.0.0.0/8", "position": HALL, **fields})
    call = account.caller().CreatePrefix
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: call(parent=account.name, prefix=prefix), field=field)
    assert not account.caller().ListPrefixes(parent=account.name).prefixes


def test_siblings_of_a_corrected_site_get_a_suggestion(account):
    caller = account.caller()
    sites = [account.activate(ip="8.8.8.8").site for _ in range(3)]
    assert not caller.SuggestLocations(site=sites[0]).suggestions, "nobody located one yet"
    caller.SetPin(site=sites[1], position=HALL)
    for site in (sites[0], sites[2]):
        suggestion = caller.SuggestLocations(site=site).suggestions[0]
        assert suggestion.site == sites[1] and suggestion.fix.position == HALL
        assert suggestion.nearness == pb.LocationSuggestion.NEARNESS_SAME_ADDRESS
        assert suggestion.network == "8.8.8.8/32" and suggestion.distance_m > 1_000
    assert not caller.SuggestLocations(site=sites[1]).suggestions, "it is located itself"
    caller.SetPin(site=sites[2], position=LAB)
    found = caller.SuggestLocations(site=sites[0]).suggestions
    assert [suggestion.site for suggestion in found] == [sites[2], sites[1]], "the newest first"
    caller.ResetLocation(site=sites[2])
    caller.DeleteSite(name=sites[1])
    assert not caller.SuggestLocations(site=sites[0]).suggestions, "what is taken back is suggested no more"
    caller.UndeleteSite(name=sites[1])
    assert [it.site for it in caller.SuggestLocations(site=sites[0]).suggestions] == [sites[1]]


def test_siblings_behind_one_network_are_suggested_behind_those_of_one_address(account):
    caller = account.caller()
    place(account, "10.0.0.0/8", LAB)
    here, near, far, other = (account.activate(ip=ip).site for ip in ("10.1.1.1", "10.1.1.1", "10.200.0.9", "8.8.8.8"))
    for site in (far, near, other):
        caller.SetPin(site=site, position=HALL)
    caller.SetPin(site=far, position=LAB)
    found = caller.SuggestLocations(site=here).suggestions
    assert [(it.site, it.network) for it in found] == [(near, "10.1.1.1/32"), (far, "10.0.0.0/8")]


def test_a_suggestion_follows_its_site_to_another_address(account):
    """Found by the address that the located site comes from now, not by the one of the day on which it was located."""
    caller, key = account.caller(), b"k" * 32
    located = account.activate("fw-1", key=key, ip="8.8.8.8").site
    caller.SetPin(site=located, position=HALL)
    old, new = account.activate(ip="8.8.8.8").site, account.activate(ip="81.2.69.160").site
    assert caller.SuggestLocations(site=old).suggestions and not caller.SuggestLocations(site=new).suggestions
    account.activate("fw-1", key=key, ip="81.2.69.160")
    assert not caller.SuggestLocations(site=old).suggestions and caller.SuggestLocations(site=new).suggestions


def test_siblings_of_another_account_are_never_suggested(account, iceland):
    caller = account.caller()
    located = account.activate(ip="8.8.8.8").site
    caller.SetPin(site=located, position=HALL)
    site = iceland.activate(ip="8.8.8.8").site
    assert not iceland.caller().SuggestLocations(site=site).suggestions
