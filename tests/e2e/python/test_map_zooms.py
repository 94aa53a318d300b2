"""At every zoom: that tiles and viewports tell the same of a crowd, in every property, and what becomes of the ids of clusters."""

import random

import pytest

import mvt
from client import WORLD, Account, mask
from stubs import pb
from test_map import box
from test_map_texts import TILES_MAX, ZOOMS, positions, viewport_counts
from test_watches import listed
from web_mercator import Grid

SEED = 20261201
SITES = 150
# First bytes of networks that are nobody's in particular.
UNUSUAL = (10, 100, 127, 169, 172, 192, 198, 203)
# How exactly devices measure themselves, in metres: pins for long, and areas soon.
ACCURACIES = (30, 4_000, 60_000)
STATUSES = (pb.SITE_STATUS_OFFLINE, pb.SITE_STATUS_UNKNOWN, pb.SITE_STATUS_MAINTENANCE)


@pytest.fixture(scope="module")
def crowd(operator):
    """An account of agents that come from random networks of the world, as the demo's do, of all statuses; a part is pinned
    near by, and a part measures itself."""
    print("seed", SEED)
    account, dice = Account(operator), random.Random(SEED)
    for number in range(SITES):
        first = dice.choice([first for first in range(1, 224) if first not in UNUSUAL])
        ip = f"{first}.{dice.randrange(256)}.7.9"
        fields = {}
        if dice.random() < 0.2:
            position = pb.LatLng(lat=dice.uniform(-60, 70), lng=dice.uniform(-180, 180))
            fields["device_position"] = pb.DevicePosition(position=position, accuracy_m=dice.choice(ACCURACIES))
        site = account.activate(ip=ip, display_name=f"pump {number}", **fields).site
        if dice.random() < 0.5:
            changed = pb.Site(name=site, status=dice.choice(STATUSES))
            account.caller().UpdateSite(site=changed, update_mask=mask("status"))
        at = account.caller().GetSite(name=site).location
        if at.HasField("position") and dice.random() < 0.4:
            lat, lng = at.position.lat + dice.gauss(0, 0.01), at.position.lng + dice.gauss(0, 0.01)
            account.caller().SetPin(site=site, position=pb.LatLng(lat=lat, lng=lng))
    account.sites = listed(account.caller("VIEWER"), account.name, "")
    assert len(account.sites) == SITES
    return account


def test_tiles_of_a_crowd_are_what_viewports_show(crowd):
    caller = crowd.caller("VIEWER")
    placed = {name: site for name, site in crowd.sites.items() if site.location.HasField("position")}
    assert len(placed) > SITES * 0.8
    spots, kinds, properties = positions(placed), set(), set()
    for zoom in ZOOMS:
        grid = Grid(zoom)
        boxes = [WORLD] if zoom <= 4 else grid.boxes_around(spots)
        counts, answers = viewport_counts(caller, crowd.name, boxes, zoom, "")
        assert sum(counts.values()) == len(placed), f"zoom {zoom}"
        seen = {}
        for answer in answers:
            seen |= mvt.symbols_of(answer.symbols)
        assert seen.keys() == counts.keys()
        tiled, tiles = {}, grid.tiles_around(spots)
        for at in range(0, len(tiles), TILES_MAX):
            asked = [dict(zip("zxy", (zoom, *tile))) for tile in tiles[at : at + TILES_MAX]]
            for answer in caller.StreamTiles(parent=crowd.name, tiles=asked):
                symbols = mvt.symbols(answer.mvt)
                assert not tiled.keys() & symbols.keys(), "a symbol is in one tile"
                tiled |= symbols
        assert tiled == seen, f"zoom {zoom}"
        kinds |= {id[0] for id in seen}
        properties |= {name for symbol in seen.values() for name in symbol}
        # An area stays where it came up, in the middle of its sites: further in that may be many tiles from each of them.
        areas = [area for answer in answers for area in answer.symbols.areas]
        spots |= {(area.position.lat, area.position.lng) for area in areas}
    assert kinds >= {"p", "c", "a"}, kinds
    assert properties >= {"accuracy_m", "radius_m", "expansion_zoom", "offline_approximate", "site"}, properties


def test_a_clusters_id_and_counts_stay_when_others_come_and_go(account):
    caller = account.caller()
    names = [account.create_site(f"pump {number}").name for number in range(6)]
    for number, name in enumerate(names):
        caller.SetPin(site=name, position=pb.LatLng(lat=48.1 + number * 1e-6, lng=11.5))
    zooms = {zoom: box(47.9, 11.2, 48.3, 11.8) if zoom < 12 else box(48.09, 11.49, 48.11, 11.51) for zoom in (3, 8, 14, 17)}

    def shown():
        found = {}
        for zoom, near in zooms.items():
            symbols = caller.QueryViewport(parent=account.name, viewport=near, zoom=zoom).symbols
            [found[zoom]] = symbols.clusters
            assert not symbols.pins and {caller.LocateSite(name=name, zoom=zoom).cluster_id for name in names} == {
                found[zoom].id
            }
        return found

    before = shown()
    assert all(cluster.tally.total == 6 for cluster in before.values())
    others = [account.create_site(f"valve {number}").name for number in range(12)]
    for number, name in enumerate(others):
        # A larger cluster, on the other side of the world.
        caller.SetPin(site=name, position=pb.LatLng(lat=-30.0, lng=-60.0 + number * 1e-6))
    assert shown() == before
    caller.UpdateSite(site=pb.Site(name=others[0], status=pb.SITE_STATUS_OFFLINE), update_mask=mask("status"))
    caller.SetPin(site=others[1], position=pb.LatLng(lat=-31.0, lng=-61.0))
    caller.ResetLocation(site=others[2])
    for name in others[3:]:
        caller.DeleteSite(name=name)
    assert shown() == before
    # What happens to its own sites changes what is told of it, and not its id.
    caller.UpdateSite(site=pb.Site(name=names[0], status=pb.SITE_STATUS_OFFLINE), update_mask=mask("status"))
    caller.DeleteSite(name=names.pop())
    after = shown()
    assert {zoom: cluster.id for zoom, cluster in after.items()} == {zoom: cluster.id for zoom, cluster in before.items()}
    assert all(cluster.tally.total == 5 and cluster.tally.offline == 1 for cluster in after.values())
