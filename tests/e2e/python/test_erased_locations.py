"""A site whose address and pin are erased: lists, search, map and watches know it by what is left, at once."""

import pytest

from client import WORLD
from stubs import pb
from test_watches import MapWatcher, SiteWatcher, revision_of

STREET = "Laugavegur 1, 101 Reykjavík"
# Where a summer house is that has no agent.
COTTAGE = pb.LatLng(lat=65.54321, lng=-20.12345)
# A view of Iceland, and how close it is.
ICELAND, ZOOM = pb.BoundingBox(low=pb.LatLng(lat=63, lng=-25), high=pb.LatLng(lat=67, lng=-13)), 6


def around(caller, account, position):
    """The sites within some metres of a position."""
    found = caller.ListSitesWithinRadius(parent=account.name, center=position, radius_m=20.0)
    return [site.site.name for site in found.sites]


@pytest.mark.parametrize("all_of_account", [False, True])
def test_a_site_is_known_by_what_is_left(iceland, all_of_account):
    caller, name = iceland.caller(), iceland.name
    home = iceland.activate("fw-1", ip="213.167.128.1", display_name="Heima").site
    estimate = caller.GetSite(name=home).location
    assert estimate.source == pb.FIX_SOURCE_GEOIP
    assert caller.SetAddress(site=home, address_line=STREET).state == pb.ADDRESS_STATE_APPLIED
    cottage = iceland.create_site("Bústaður").name
    caller.SetPin(site=cottage, position=COTTAGE)
    house = caller.GetSite(name=home).location.position
    found = lambda: [hit.site.name for hit in caller.SearchSites(parent=name, query="laugavegur").hits]
    sites, view = SiteWatcher(caller, name), MapWatcher(caller, name).look(ICELAND, ZOOM)
    try:

        def erase(**how):
            if all_of_account:
                caller.EraseAccountPersonalData(name=name, **how)
            else:
                for site in (home, cottage):
                    caller.EraseSitePersonalData(name=site, **how)
            revision = revision_of(caller, name)
            sites.read_to(revision)
            view.read_to(revision)

        erase(include_location=True, validate_only=True)
        erase()
        assert found() == [home] and around(caller, iceland, house) == [home], "the location stays unless it is to go"
        assert around(caller, iceland, COTTAGE) == [cottage] and view.counts[3] == 0 and len(view.symbols) == 2

        erase(include_location=True)
        left, gone = (caller.GetSite(name=site) for site in (home, cottage))
        assert left.location.source == pb.FIX_SOURCE_GEOIP and left.location.position == estimate.position
        assert len(left.location.fixes) == 1 and not left.location.confirmed and not left.location.HasField("address")
        assert not gone.location.fixes and not gone.location.HasField("position"), "nothing is left of where it is"
        assert (left.display_name, gone.display_name, left.agent_id) == ("Heima", "Bústaður", "fw-1")
        assert not found() and not around(caller, iceland, house) and not around(caller, iceland, COTTAGE)
        assert around(caller, iceland, estimate.position) == [home]
        shown = caller.QueryViewport(parent=name, viewport=WORLD, zoom=0)
        assert (shown.matching_tally, shown.unplaced) == (view.counts[1], view.counts[3]) and view.counts[3] == 1
        assert {site: told.location for site, told in sites.sites.items()} == {home: left.location, cottage: gone.location}
        (symbol,) = view.symbols.values()
        assert symbol.position == estimate.position
    finally:
        view.close()
        sites.stream.cancel()
