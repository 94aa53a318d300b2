"""The map over gRPC: every answer is compared with what plain arithmetic over all sites gives."""

import math
import random

import pytest

from client import WORLD, Account, absent_site, refused
from stubs import pb

EARTH_RADIUS_M = 6_371_008.8
# Where clusters of sites stand: towns, both poles' neighbourhoods, the antimeridian.
CENTRES = [
    (64.14, -21.9),
    (48.85, 2.35),
    (-16.5, 179.99),
    (-16.5, -179.99),
    (89.5, 10.0),
    (-89.5, -170.0),
    (35.7, 139.7),
]


def distance_m(a, b):
    lat1, lat2 = math.radians(a[0]), math.radians(b[0])
    half_lng = math.sin(math.radians(b[1] - a[1]) / 2)
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * half_lng**2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


@pytest.fixture(scope="module")
def world(operator):
    """An account with 150 pinned sites, and their positions by name; seed printed when a test fails."""
    account, dice, sites = Account(operator), random.Random(20261123), {}
    for number in range(150):
        lat, lng = CENTRES[number % len(CENTRES)]
        lat = max(-90.0, min(90.0, lat + dice.gauss(0, 0.3)))
        lng = (lng + dice.gauss(0, 0.3) + 180.0) % 360.0 - 180.0
        name = account.create_site(f"pin {number}").name
        account.caller().SetPin(site=name, position=pb.LatLng(lat=lat, lng=lng))
        sites[name] = (lat, lng)
    account.create_site("unplaced")
    account.sites = sites
    return account


def box(south, west, north, east):
    return pb.BoundingBox(low=pb.LatLng(lat=south, lng=west), high=pb.LatLng(lat=north, lng=east))


@pytest.mark.parametrize(
    "edges",
    [
        (-90, -180, 90, 180),
        (60, -30, 70, -10),
        (-20, 179, -10, -179),
        (-20, 170, -10, 180),
        (80, -180, 90, 180),
        (-90, -180, -80, 180),
        (10, 10, 11, 11),
    ],
)
def test_a_box_holds_what_arithmetic_says(world, edges):
    south, west, north, east = edges

    def inside(lat, lng):
        return south <= lat <= north and (west <= lng <= east if west <= east else lng >= west or lng <= east)

    expect = sorted(name for name, position in world.sites.items() if inside(*position))
    found, token = [], ""
    while True:
        page = world.caller("VIEWER").ListViewportSites(
            parent=world.name, viewport=box(*edges), page_size=17, page_token=token
        )
        found += [site.name for site in page.sites]
        assert page.total_size == len(expect)
        token = page.next_page_token
        if not token:
            break
    assert sorted(found) == expect, "each site once"


@pytest.mark.parametrize("centre", [*CENTRES, (90.0, 0.0), (-90.0, 0.0), (0.0, 180.0), (0.0, -180.0)])
def test_the_nearest_are_what_arithmetic_says(world, centre):
    answer = world.caller().ListNearestSites(
        parent=world.name, position=pb.LatLng(lat=centre[0], lng=centre[1]), page_size=12
    )
    expect = sorted(distance_m(centre, position) for position in world.sites.values())[:12]
    found = [entry.distance_m for entry in answer.sites]
    assert found == pytest.approx(expect, rel=1e-6, abs=0.01) and found == sorted(found)
    for entry in answer.sites:
        assert entry.distance_m == pytest.approx(distance_m(centre, world.sites[entry.site.name]), rel=1e-6, abs=0.01)


@pytest.mark.parametrize("radius_m", [1.0, 20_000.0, 500_000.0, 20_015_115.0])
@pytest.mark.parametrize("centre", [*CENTRES, (90.0, 0.0), (0.0, 180.0)])
def test_a_circle_holds_what_arithmetic_says(world, centre, radius_m):
    expect = {name for name, position in world.sites.items() if distance_m(centre, position) <= radius_m}
    found, token = [], ""
    while True:
        page = world.caller().ListSitesWithinRadius(
            parent=world.name,
            center=pb.LatLng(lat=centre[0], lng=centre[1]),
            radius_m=radius_m,
            page_size=40,
            page_token=token,
        )
        found += page.sites
        token = page.next_page_token
        if not token:
            break
    assert {entry.site.name for entry in found} == expect and len(found) == len(expect)
    assert [entry.distance_m for entry in found] == sorted(entry.distance_m for entry in found)


@pytest.mark.parametrize("zoom", [0, 1, 2, 3, 4])
def test_the_symbols_of_the_world_count_each_site_once(world, zoom):
    answer = world.caller("VIEWER").QueryViewport(parent=world.name, viewport=WORLD, zoom=zoom)
    symbols = answer.symbols
    grouped = [symbol.tally for symbol in [*symbols.clusters, *symbols.areas]]
    assert len(symbols.pins) + sum(tally.total for tally in grouped) == 150
    assert answer.account_tally.total == 150 and answer.unplaced == 1 and answer.account_tally.approximate == 0
    for tally in [*grouped, answer.account_tally]:
        assert tally.total == tally.online + tally.offline + tally.unknown + tally.maintenance


@pytest.mark.parametrize("zoom", [0, 2, 4])
def test_behind_each_cluster_are_its_sites_and_each_site_finds_its_cluster(world, zoom):
    caller, seen = world.caller(), []
    symbols = caller.QueryViewport(parent=world.name, viewport=WORLD, zoom=zoom).symbols
    assert symbols.clusters
    for cluster in symbols.clusters:
        page = caller.ListClusterSites(parent=world.name, cluster_id=cluster.id, zoom=zoom, page_size=1000)
        assert len(page.sites) == cluster.tally.total
        seen += [site.name for site in page.sites]
        located = caller.LocateSite(name=page.sites[0].name, zoom=zoom)
        assert located.cluster_id == cluster.id and located.site.name == page.sites[0].name
    seen += [pin.name for pin in symbols.pins]
    for pin in symbols.pins:
        assert caller.LocateSite(name=pin.name, zoom=zoom).cluster_id == ""
    assert sorted(seen) == sorted(world.sites)


@pytest.mark.parametrize("zoom", [0, 2, 4])
def test_a_cluster_falls_apart_at_the_zoom_that_its_list_tells(world, zoom):
    caller = world.caller("VIEWER")

    def are_apart(sites, deeper):
        """Whether more than one symbol shows them."""
        shown = (caller.LocateSite(name=site.name, zoom=deeper).cluster_id or site.name for site in sites)
        first = next(shown)
        return any(symbol != first for symbol in shown)

    clusters = caller.QueryViewport(parent=world.name, viewport=WORLD, zoom=zoom).symbols.clusters
    assert clusters
    for cluster in clusters:
        request = {"parent": world.name, "cluster_id": cluster.id, "zoom": zoom}
        page = caller.ListClusterSites(**request, page_size=1000)
        found = next(deeper for deeper in range(zoom + 1, 23) if are_apart(page.sites, deeper))
        assert page.expansion_zoom == found, cluster.id
        assert zoom < cluster.expansion_zoom <= found and not cluster.stack
        first = caller.ListClusterSites(**request, page_size=1)
        assert first.expansion_zoom == found
        rest = caller.ListClusterSites(**request, page_size=1, page_token=first.next_page_token)
        assert not rest.HasField("expansion_zoom"), "the first page has told it"


def test_neighbours_across_a_border_of_cells_have_one_expansion_zoom_at_every_zoom(account):
    """A metre lies between them, 119 of the 2^32 parts of the world: 48 px are fewer from zoom 22 on."""
    caller = account.caller()
    for lng in (-0.000005, 0.000005):
        caller.SetPin(site=account.create_site().name, position=pb.LatLng(lat=0.001, lng=lng))
    spot = box(0.0008, -0.0002, 0.0012, 0.0002)
    for zoom in range(22):
        [cluster] = caller.QueryViewport(parent=account.name, viewport=spot, zoom=zoom).symbols.clusters
        behind = caller.ListClusterSites(parent=account.name, cluster_id=cluster.id, zoom=zoom)
        assert behind.expansion_zoom == 22, f"zoom {zoom}"
        # What a map tells of all its clusters is no more than certain.
        assert cluster.expansion_zoom == zoom + 1 and not cluster.stack
    assert len(caller.QueryViewport(parent=account.name, viewport=spot, zoom=22).symbols.pins) == 2


@pytest.mark.parametrize("zoom", [0, 22])
def test_a_site_without_a_position_is_behind_no_symbol(account, zoom):
    site, caller = account.create_site().name, account.caller("VIEWER")
    refused("FAILED_PRECONDITION", "SITE_UNPLACED", lambda: caller.LocateSite(name=site, zoom=zoom))
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: caller.LocateSite(name=absent_site(account.id), zoom=zoom))
    editor = account.caller("EDITOR")
    editor.SetPin(site=site, position=pb.LatLng(lat=64.1, lng=-21.9))
    assert caller.LocateSite(name=site, zoom=zoom).site.name == site
    editor.ResetLocation(site=site)
    refused("FAILED_PRECONDITION", "SITE_UNPLACED", lambda: caller.LocateSite(name=site, zoom=zoom))


@pytest.mark.parametrize("zoom", [-1, 23])
def test_behind_a_cluster_a_zoom_is_checked_too(world, zoom):
    caller = world.caller()
    cluster = caller.QueryViewport(parent=world.name, viewport=WORLD, zoom=2).symbols.clusters[0].id
    call = caller.ListClusterSites
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: call(parent=world.name, cluster_id=cluster, zoom=zoom),
        field="zoom",
    )
    for bad in ("", "nonsense", "c-", "x" * 300):
        refused(
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
            lambda bad=bad: call(parent=world.name, cluster_id=bad, zoom=2),
            field="cluster_id",
        )


def test_a_pin_is_its_own_leaf_and_nothing_is_behind_what_is_not_shown(account):
    caller = account.caller()
    names = [account.create_site().name for _ in range(3)]
    for name, lng in zip(names, [10.0, 10.0, 100.0]):
        caller.SetPin(site=name, position=pb.LatLng(lat=10.0, lng=lng))
    symbols = caller.QueryViewport(parent=account.name, viewport=WORLD, zoom=2).symbols
    assert [pin.name for pin in symbols.pins] == names[2:]

    def behind(symbol, zoom=2):
        answer = caller.ListClusterSites(parent=account.name, cluster_id=symbol, zoom=zoom)
        return sorted(site.name for site in answer.sites)

    pins, cluster = ["p-" + name.rsplit("/", 1)[1] for name in names], symbols.clusters[0].id
    assert (behind(pins[2]), behind(cluster)) == (names[2:], sorted(names[:2]))
    for symbol, zoom in [(pins[0], 2), (cluster, 3), ("c-5-0-0", 2)]:
        refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda symbol=symbol, zoom=zoom: behind(symbol, zoom))
    caller.DeleteSite(name=names[0])
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: behind(cluster))
    assert behind(pins[1]) == [names[1]], "of a cluster one is left, and it is a pin"


def test_a_machine_located_site_is_an_area_and_not_a_pin_up_close(account):
    site = account.activate(ip="8.8.8.8").site
    at = account.caller().GetSite(name=site).location.position
    near = box(at.lat - 0.05, at.lng - 0.05, at.lat + 0.05, at.lng + 0.05)
    symbols = account.caller().QueryViewport(parent=account.name, viewport=near, zoom=14).symbols
    assert not symbols.pins and [area.tally.total for area in symbols.areas] == [1]
    assert symbols.areas[0].site.name == site and symbols.areas[0].extent_m > 0


def test_a_view_without_names_tells_all_else(account):
    account.activate(ip="8.8.8.8", display_name="the name of an agent")
    pinned = account.create_site("the name of a house").name
    caller = account.caller()
    caller.SetPin(site=pinned, position=pb.LatLng(lat=10.0, lng=10.0))
    full = caller.QueryViewport(parent=account.name, viewport=WORLD, zoom=4)
    named = [*full.symbols.pins, *(area.site for area in full.symbols.areas)]
    assert {site.display_name for site in named} == {"the name of a house", "the name of an agent"}
    bare = caller.QueryViewport(parent=account.name, viewport=WORLD, zoom=4, omit_names=True)
    for site in named:
        site.display_name = ""
    assert bare == full


def test_a_write_is_on_the_map_at_once(account):
    site = account.create_site().name
    caller = account.caller()
    revision = caller.SetPin(site=site, position=pb.LatLng(lat=10.0, lng=10.0)).revision
    answer = caller.QueryViewport(parent=account.name, viewport=box(9, 9, 11, 11), zoom=10)
    assert [pin.name for pin in answer.symbols.pins] == [site] and answer.revision >= revision
    caller.DeleteSite(name=site)
    answer = caller.QueryViewport(parent=account.name, viewport=WORLD, zoom=2)
    assert not answer.symbols.pins and answer.account_tally.total == 0


@pytest.mark.parametrize(
    "viewport, field",
    [
        (box(91, 0, 92, 1), "viewport.low.lat"),
        (box(0, 0, 91, 1), "viewport.high.lat"),
        (box(0, -181, 1, 1), "viewport.low.lng"),
        (box(float("nan"), 0, 1, 1), "viewport.low.lat"),
        (box(0, float("inf"), 1, 1), "viewport.low.lng"),
        (box(1, 0, 0, 1), "viewport.low.lat"),
        (box(1, 0, 1, 1), "viewport.low.lat"),
        (box(0, 5, 1, 5), "viewport.low.lng"),
        (box(0, 180, 1, -180), "viewport.low.lng"),
        (box(-90.001, 0, 1, 1), "viewport.low.lat"),
        (box(0, 0, float("nan"), 1), "viewport.high.lat"),
        (box(0, 0, 1, 180.001), "viewport.high.lng"),
        (box(0, 0, 1, float("nan")), "viewport.high.lng"),
        (pb.BoundingBox(high=pb.LatLng(lat=1, lng=1)), "viewport.low"),
    ],
)
@pytest.mark.parametrize("method", ["QueryViewport", "ListViewportSites", "WatchMap", "WatchViewport"])
def test_bad_boxes_name_their_field(world, method, viewport, field):
    fields = {"parent": world.name, "viewport": viewport} | ({} if method == "ListViewportSites" else {"zoom": 3})
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: getattr(world.caller(), method)(**fields), field=field)


def test_a_box_of_too_many_cells_is_refused(world):
    refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: world.caller().QueryViewport(parent=world.name, viewport=WORLD, zoom=22),
        field="zoom",
    )
