"""A site's new name is wherever its name is shown, at once: map, tile, watches, lists near by, and at its resident."""

from client import fetch, mask
from rules import invite
from stubs import pb
from test_watches import MapWatcher, SiteWatcher, revision_of

AT = pb.LatLng(lat=0.1, lng=0.1)
BOX = pb.BoundingBox(low=pb.LatLng(lat=0.0, lng=0.0), high=pb.LatLng(lat=0.3, lng=0.3))
# The tile of this position in which it stands as a pin.
TILE = "tiles/10/512/511.mvt"
OLD, NEW, BACK = "Gamla verslunin", "Ný verslun við höfnina", "Gamla VERSLUNIN"


def shown(server, account, site, zoom=10):
    """Each place that shows the site's name, with the name there."""
    caller = account.caller("VIEWER")
    view = {"parent": account.name, "viewport": BOX}
    (pin,) = caller.QueryViewport(**view, zoom=zoom).symbols.pins
    (in_view,) = caller.ListViewportSites(**view).sites
    (near,) = caller.ListNearestSites(parent=account.name, position=AT).sites
    (around,) = caller.ListSitesWithinRadius(parent=account.name, center=AT, radius_m=1000.0).sites
    (listed,) = caller.ListSites(parent=account.name).sites
    status, _, tile = fetch(server.target, f"/v1/{account.name}/{TILE}", caller.token)
    assert status == 200
    return {
        "GetSite": caller.GetSite(name=site).display_name,
        "ListSites": listed.display_name,
        "pin": pin.display_name,
        "view": in_view.display_name,
        "nearest": near.site.display_name,
        "radius": around.site.display_name,
        "tile": next((name for name in (OLD, NEW, BACK) if name.encode() in tile), tile),
    }


def test_a_rename_shows_everywhere_at_once(server, account):
    caller = account.caller()
    site = account.create_site(OLD).name
    caller.SetPin(site=site, position=AT)
    resident = invite(account, site, "jo@example.org")
    resident = type(caller)(account.operator.channel, resident)
    sites, view = SiteWatcher(caller, account.name), MapWatcher(caller, account.name).look(BOX, 10)
    try:
        for name in (OLD, NEW, BACK):
            if name != OLD:
                caller.UpdateSite(site=pb.Site(name=site, display_name=name), update_mask=mask("display_name"))
            revision = revision_of(caller, account.name)
            assert set(shown(server, account, site).values()) == {name}, shown(server, account, site)
            sites.read_to(revision)
            view.read_to(revision)
            assert sites.sites[site].display_name == name
            assert [symbol.display_name for symbol in view.symbols.values()] == [name]
            assert resident.GetResidentSite(name=site).display_name == name
    finally:
        view.close()
        sites.stream.cancel()
