"""Filters on the map: each method answers as if the account had no other sites, and at once after each change."""

import random

import pytest

from client import WORLD, Account, mask, refused
from stubs import pb

CUSTOMERS = ["acme", "globex", "initech"]
STATUSES = ["ONLINE", "OFFLINE", "UNKNOWN", "MAINTENANCE"]
HERE = pb.LatLng(lat=46.5, lng=8.0)


class Known:
    """What a test knows of a site that it made."""

    def __init__(self, number, position, source):
        self.customer = CUSTOMERS[number % 3]
        self.status = STATUSES[number % 4]
        self.position = position
        self.source = source
        self.is_east = number % 5 == 0


@pytest.fixture(scope="module")
def fleet(operator):
    """Pinned, estimated and unplaced sites of three customers and all statuses, in a few towns."""
    account, dice = Account(operator), random.Random(20261125)
    caller, account.known = account.caller(), {}
    for number in range(120):
        kind = "PIN" if number % 6 < 3 else "GEOIP" if number % 6 < 5 else None
        position = None
        if kind == "GEOIP":
            activated = account.activate(ip=f"8.8.{number}.8")
            name = activated.site
            position = caller.GetSite(name=name).location.position
        else:
            name = account.create_site(f"pump {number}").name
        known = Known(number, position, kind)
        site = pb.Site(name=name, customer_id=known.customer, status=f"SITE_STATUS_{known.status}")
        if known.is_east:
            site.labels["region"] = "East"
        caller.UpdateSite(site=site, update_mask=mask("customer_id", "status", "labels"))
        if kind == "PIN":
            lat, lng = 40 + number % 4 * 5 + dice.gauss(0, 0.2), number % 7 * 10 + dice.gauss(0, 0.2)
            known.position = pb.LatLng(lat=lat, lng=lng)
            caller.SetPin(site=name, position=known.position)
        account.known[name] = known
    return account


FILTERS = {
    "": lambda site: True,
    "status = OFFLINE": lambda site: site.status == "OFFLINE",
    "status != ONLINE location.confirmed = true": lambda site: site.status != "ONLINE" and site.source == "PIN",
    "location.source = GEOIP OR status = MAINTENANCE": lambda site: site.source == "GEOIP" or site.status == "MAINTENANCE",
    "location.placed = false": lambda site: site.source is None,
    "customer_id = acme": lambda site: site.customer == "acme",
    "customer_id = acme status = ONLINE": lambda site: site.customer == "acme" and site.status == "ONLINE",
    "labels.region = east OR customer_id : LOB": lambda site: site.is_east or site.customer == "globex",
    "NOT (labels.region = east status = ONLINE)": lambda site: not (site.is_east and site.status == "ONLINE"),
    "pump": lambda site: site.source != "GEOIP",
    "nothing-of-this-name": lambda site: False,
}


@pytest.fixture(params=FILTERS, ids=lambda text: text or "none")
def filtered(request, fleet):
    """A filter, and the placed and unplaced sites that match it by what the test itself knows."""
    matching = {name: site for name, site in fleet.known.items() if FILTERS[request.param](site)}
    placed = {name: site for name, site in matching.items() if site.source}
    return request.param, placed, {name: site for name, site in matching.items() if not site.source}


def all_pages(call, items, **fields):
    found, token = [], ""
    while True:
        page = call(page_token=token, **fields)
        found += getattr(page, items)
        token = page.next_page_token
        if not token:
            return found


def check_tally(tally, sites):
    sites = list(sites)
    assert tally.total == len(sites)
    for status in STATUSES:
        of_status = [site for site in sites if site.status == status]
        assert getattr(tally, status.lower()) == len(of_status)
        approximate = [site for site in of_status if site.source == "GEOIP"]
        assert getattr(tally, f"{status.lower()}_approximate") == len(approximate)
    assert tally.geoip == tally.approximate == sum(site.source == "GEOIP" for site in sites)
    assert tally.pin == sum(site.source == "PIN" for site in sites) and tally.device == tally.address == 0
    worst = [status for status in ("OFFLINE", "UNKNOWN", "MAINTENANCE", "ONLINE") if getattr(tally, status.lower())]
    assert tally.worst_status == pb.SiteStatus.Value(f"SITE_STATUS_{worst[0] if worst else 'UNSPECIFIED'}")
    assert tally.approximate_share == pytest.approx(tally.approximate / max(tally.total, 1))


def test_viewports_count_the_matching_sites_alone(fleet, filtered):
    text, placed, unplaced = filtered
    caller = fleet.caller("VIEWER")
    for zoom in range(5):
        answer = caller.QueryViewport(parent=fleet.name, viewport=WORLD, zoom=zoom, filter=text)
        symbols = [*answer.symbols.clusters, *answer.symbols.areas]
        assert len(answer.symbols.pins) + sum(symbol.tally.total for symbol in symbols) == len(placed)
        check_tally(answer.matching_tally, placed.values())
        check_tally(answer.account_tally, [site for site in fleet.known.values() if site.source])
        assert answer.unplaced == len(unplaced)
        for cluster in answer.symbols.clusters:
            leaves = all_pages(
                caller.ListClusterSites, "sites", parent=fleet.name, cluster_id=cluster.id, zoom=zoom, filter=text
            )
            assert {site.name for site in leaves} <= set(placed) and len(leaves) == cluster.tally.total
            check_tally(cluster.tally, [fleet.known[site.name] for site in leaves])


def test_lists_hold_the_matching_sites_alone(fleet, filtered):
    text, placed, unplaced = filtered
    caller = fleet.caller("VIEWER")
    common = {"parent": fleet.name, "filter": text, "page_size": 9}
    listed = all_pages(caller.ListSites, "sites", **common)
    assert sorted(site.name for site in listed) == sorted([*placed, *unplaced]), "lists and maps speak one language"
    in_box = all_pages(caller.ListViewportSites, "sites", viewport=WORLD, **common)
    assert sorted(site.name for site in in_box) == sorted(placed)
    in_circle = all_pages(caller.ListSitesWithinRadius, "sites", center=HERE, radius_m=20_015_115.0, **common)
    assert sorted(entry.site.name for entry in in_circle) == sorted(placed)
    corners = [(39, -1), (39, 61), (57, 61), (57, -1)]
    square = pb.Polygon(outer=pb.Ring(points=[pb.LatLng(lat=lat, lng=lng) for lat, lng in corners]))
    inside = [name for name, site in placed.items() if 39 <= site.position.lat <= 57 and -1 <= site.position.lng <= 61]
    in_square = all_pages(caller.ListPolygonSites, "sites", polygons=[square], **common)
    assert sorted(site.name for site in in_square) == sorted(inside)
    nearest = caller.ListNearestSites(parent=fleet.name, position=HERE, page_size=1000, filter=text)
    assert [entry.site.name for entry in nearest.sites] == [entry.site.name for entry in in_circle]


def test_a_fit_holds_the_matching_sites(fleet, filtered):
    text, placed, unplaced = filtered
    fit = fleet.caller("VIEWER").FitSites(parent=fleet.name, filter=text)
    check_tally(fit.tally, placed.values())
    assert fit.unplaced == len(unplaced) and fit.HasField("bounds") == bool(placed)
    if placed:
        lats = [site.position.lat for site in placed.values()]
        assert (fit.bounds.low.lat, fit.bounds.high.lat) == (min(lats), max(lats))
        lngs = sorted(site.position.lng for site in placed.values())
        widest = max([b - a for a, b in zip(lngs, lngs[1:])] + [lngs[0] + 360 - lngs[-1]])
        assert (fit.bounds.high.lng - fit.bounds.low.lng) % 360 == pytest.approx(360 - widest if placed else 0)


def test_a_site_that_does_not_match_is_nowhere(fleet, filtered):
    text, placed, unplaced = filtered
    caller = fleet.caller("VIEWER")
    for name, site in list(fleet.known.items())[:24]:
        call = lambda name=name: caller.LocateSite(name=name, zoom=3, filter=text)
        if name in placed:
            assert call().site.name == name
        elif name in unplaced:
            refused("FAILED_PRECONDITION", "SITE_UNPLACED", call)
        else:
            refused("NOT_FOUND", "RESOURCE_NOT_FOUND", call)


def test_the_legend_counts_what_its_own_conditions_leave_out(fleet):
    caller = fleet.caller("VIEWER")
    ask = lambda text: caller.QueryViewport(parent=fleet.name, viewport=WORLD, zoom=2, filter=text)
    acme = [site for site in fleet.known.values() if site.customer == "acme" and site.source]
    answer = ask("status = OFFLINE customer_id = acme location.source = PIN")
    check_tally(answer.legend_tally, acme)
    check_tally(answer.matching_tally, [s for s in acme if s.status == "OFFLINE" and s.source == "PIN"])
    check_tally(ask("status = OFFLINE").legend_tally, [site for site in fleet.known.values() if site.source])


def test_what_changes_is_in_or_out_at_once(operator):
    account = Account(operator)
    caller = account.caller()
    names = [account.create_site(f"site {number}", customer_id="before").name for number in range(30)]
    for number, name in enumerate(names):
        caller.SetPin(site=name, position=pb.LatLng(lat=1 + number / 10, lng=number / 10))

    def counts():
        both = [
            caller.QueryViewport(parent=account.name, viewport=WORLD, zoom=3, filter=f"customer_id = {customer}")
            for customer in ("before", "after")
        ]
        assert all(a.matching_tally.total == len(a.symbols.pins) + sum(c.tally.total for c in a.symbols.clusters) for a in both)
        return [(answer.matching_tally.total, answer.unplaced) for answer in both]

    assert counts() == [(30, 0), (0, 0)]
    for done, name in enumerate(names[:20], start=1):
        caller.UpdateSite(site=pb.Site(name=name, customer_id="after"), update_mask=mask("customer_id"))
        assert counts() == [(30 - done, 0), (done, 0)]
    caller.ResetLocation(site=names[0])
    assert counts() == [(10, 0), (19, 1)]
    caller.DeleteSite(name=names[1])
    caller.DeleteSite(name=names[29])
    assert counts() == [(9, 0), (18, 1)]
    caller.UndeleteSite(name=names[1])
    assert counts() == [(9, 0), (19, 1)]


def test_more_filters_than_are_kept_still_answer_exactly(fleet):
    caller = fleet.caller("VIEWER")
    for number in [*range(25), *range(25)]:
        answer = caller.FitSites(parent=fleet.name, filter=f'display_name = "pump {number}"')
        known = list(fleet.known.values())[number]
        assert answer.tally.total == (known.source == "PIN") and answer.unplaced == (known.source is None)


def test_near_duplicates_obey_the_filter_and_tell_each_pair_once(operator):
    account = Account(operator)
    caller = account.caller()
    spots = {"a": (10.0, 10.0), "b": (10.0, 10.00005), "c": (10.0, 10.0), "d": (20.0, 10.0)}
    names = {}
    for key, (lat, lng) in spots.items():
        names[key] = account.create_site(key, customer_id="odd" if key in "ac" else "even").name
        caller.SetPin(site=names[key], position=pb.LatLng(lat=lat, lng=lng))

    def pairs(distance_m, **fields):
        found = all_pages(
            caller.ListNearDuplicates, "duplicates", parent=account.name, distance_m=distance_m, page_size=1, **fields
        )
        assert not any(duplicate.has_more for duplicate in found)
        return {(duplicate.site.display_name, other.site.display_name) for duplicate in found for other in duplicate.others}

    assert pairs(10.0) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert pairs(0.0) == {("a", "c")}
    assert pairs(10.0, filter="customer_id = odd") == {("a", "c")}
    assert pairs(10.0, filter="customer_id = even") == set()
    for bad in (-1.0, 1000.1, float("nan"), float("inf")):
        refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda bad=bad: pairs(bad), field="distance_m")


REQUESTS = {
    "ListViewportSites": {"viewport": WORLD},
    "ListSitesWithinRadius": {"center": HERE, "radius_m": 5.0},
    "ListPolygonSites": {
        "polygons": [pb.Polygon(outer=pb.Ring(points=[HERE, pb.LatLng(lat=47), pb.LatLng(lat=48, lng=9)]))]
    },
    "ListNearDuplicates": {"distance_m": 1.0},
}


def test_a_page_token_is_good_for_its_filter_alone(fleet):
    caller = fleet.caller("VIEWER")
    for method in ("ListViewportSites", "ListSitesWithinRadius", "ListPolygonSites", "ListNearDuplicates"):
        fields = dict(REQUESTS[method], parent=fleet.name, page_size=1)
        if method == "ListPolygonSites":
            fields["polygons"] = [pb.Polygon(outer=pb.Ring(points=[pb.LatLng(lat=30, lng=-20), pb.LatLng(lat=30, lng=80), pb.LatLng(lat=80, lng=30)]))]
        fields |= {"radius_m": 20_000_000.0} if method == "ListSitesWithinRadius" else {}
        fields |= {"distance_m": 1_000.0} if method == "ListNearDuplicates" else {}
        token = getattr(caller, method)(filter="customer_id = acme", **fields).next_page_token
        assert token, method
        refused(
            "INVALID_ARGUMENT",
            "PAGE_TOKEN_INVALID",
            lambda: getattr(caller, method)(filter="status = ONLINE", page_token=token, **fields),
        )
