"""Tokens that show where sites are to about a kilometre, or not at all: no answer tells more, and no question finds it out.

Which methods they may call is in rules.py. The other half is a move that nobody can see: every site goes elsewhere in its
cell, and whatever is asked before and after, by boxes, circles, polygons, distances, counts, clusters and tiles of all sizes, is
answered alike. Whoever sees exact positions sees the move in each of them.
"""

import json
import math
import random

import grpc
import pytest
from google.protobuf import json_format

from cli import run
from client import WORLD, Account, Caller, Failure, fetch, refused, scope_value
from rules import OPEN, PLACELESS, ROUGH, RULES, World, request_for
from stubs import methods, pb
from test_import import Importer
from test_map import box
from web_mercator import Grid

# Where a person put a site, exact to less than a metre, and what it is called.
EXACT = pb.LatLng(lat=64.146512, lng=-21.942387)
STREET = "Laugavegur 1"
# What an answer would hold that told more than a kilometre.
SECRETS = ("64.1465", "21.9423", "laugavegur", "Laugavegur")
# Rows of cells in a degree of latitude.
ROWS = 100
# Of each answer what a move changes that tells nothing of where to.
VOLATILE = ("etag", "revision", "updateTime", "makeTime", "nextPageToken")
# Base of each site, and where in its cell it is before and behind the move: in parts of half a cell.
SPOTS = {
    "a": ((64.1465, -21.9424), (-0.8, -0.7), (0.6, 0.9)),
    "b": ((64.1465, -21.9424), (0.9, 0.1), (-0.9, -0.9)),
    "beside": ((64.1565, -21.9424), (-0.9, 0.5), (0.9, -0.5)),
    "near": ((64.1965, -21.7424), (0.5, -0.9), (-0.8, 0.3)),
    "far": ((-33.8688, 151.2093), (-0.1, 0.9), (0.4, -0.2)),
}
BASE = SPOTS["a"][0]
BOXES = 60


def middle(lat, lng):
    """The middle of a cell, as the server has it, and half its height and width in degrees."""
    row = math.floor((lat + 90) * ROWS)
    lat = (row + 0.5 - 90 * ROWS) / ROWS
    cells = math.floor(360 * ROWS * math.cos(math.radians(lat)))
    cell = math.floor((lng + 180) / 360 * cells)
    return lat, (cell + 0.5 - cells / 2) / cells * 360, 0.5 / ROWS, 180 / cells


def spot(base, part):
    lat, lng, height, width = middle(*base)
    return pb.LatLng(lat=lat + part[0] * height, lng=lng + part[1] * width)


def bearer(account, positions, scope="VIEWER"):
    """A caller whose token shows positions so."""
    token = pb.Token(scope=scope_value(scope), positions=positions)
    made = account.operator.CreateToken(parent=account.name, token=token)
    assert made.token.positions == positions
    return Caller(account.operator.channel, made.secret)


def rough(account):
    return bearer(account, pb.POSITION_ACCESS_APPROXIMATE)


def hidden(account):
    return bearer(account, pb.POSITION_ACCESS_HIDDEN)


def told(answer):
    """An answer without what changes with each write."""

    def bare(part):
        if isinstance(part, dict):
            return {key: bare(value) for key, value in part.items() if key not in VOLATILE}
        return [bare(each) for each in part] if isinstance(part, list) else part

    messages = answer if isinstance(answer, list) else [answer]
    return json.dumps([bare(json_format.MessageToDict(message)) for message in messages], sort_keys=True)


def asked(ask):
    try:
        return told(ask())
    except grpc.RpcError as error:
        return str(Failure(error))


def boxes(dice):
    """Boxes of all sizes around the sites of one cell, and a zoom that each may be looked at."""
    for _ in range(BOXES):
        size = 10 ** dice.uniform(-3.7, 0)
        south, west = (at - size * dice.random() for at in BASE)
        deepest = min(22, int(math.log2(3_000 / size)))
        yield box(south, west, south + size, west + size), dice.randint(max(0, deepest - 9), deepest)


def tiles():
    """The tile of each zoom that the cell is in."""
    for z in range(23):
        x, y = Grid(z).place(BASE)
        yield pb.TileCoordinates(z=z, x=int(x), y=int(y))


def filled(path, tile):
    """The address of a tile."""
    return path.format(z=tile.z, x=tile.x, y=tile.y)


def probes(caller, account, sites):
    """Questions that somebody could find a place out with: the method and what it answers."""
    dice, parent = random.Random(20261130), account.name
    filters = ["", 'display_name = "a"', 'display_name = "a" OR display_name = "b"', "location.source = PIN"]
    for bounds, zoom in boxes(dice):
        where = {"parent": parent, "filter": dice.choice(filters)}
        yield "QueryViewport", asked(lambda w=where, b=bounds, z=zoom: caller.QueryViewport(**w, viewport=b, zoom=z))
        yield "ListViewportSites", asked(lambda w=where, b=bounds: caller.ListViewportSites(**w, viewport=b))
        watch = pb.WatchViewportRequest(**where, viewport=bounds, zoom=zoom)
        yield "WatchViewport", asked(lambda w=watch: caller.call("WatchViewport", w))
        points = [bounds.low, pb.LatLng(lat=bounds.low.lat, lng=bounds.high.lng), bounds.high]
        triangle = pb.Polygon(outer=pb.Ring(points=points))
        yield "ListPolygonSites", asked(lambda w=where, t=triangle: caller.ListPolygonSites(**w, polygons=[t]))
        center = {"center": bounds.low, "radius_m": 10 ** dice.uniform(1, 4)}
        yield "ListSitesWithinRadius", asked(lambda w=where, c=center: caller.ListSitesWithinRadius(**w, **c))
        yield "ListNearestSites", asked(lambda w=where, at=bounds.high: caller.ListNearestSites(**w, position=at))
    for zoom in range(0, 23, 2):
        for site in sites.values():
            yield "LocateSite", asked(lambda s=site, z=zoom: caller.LocateSite(name=s, zoom=z))
    for zoom in range(8):
        # The world has too many cells to be drawn from zoom 5 on.
        viewport = WORLD if zoom < 5 else box(BASE[0] - 5, BASE[1] - 5, BASE[0] + 5, BASE[1] + 5)
        seen = caller.QueryViewport(parent=parent, viewport=viewport, zoom=zoom).symbols
        for symbol in (*seen.clusters, *seen.areas):
            listing = {"parent": parent, "cluster_id": symbol.id, "zoom": zoom}
            yield "ListClusterSites", asked(lambda one=listing: caller.ListClusterSites(**one))
    for distance_m in (0, 1, 50, 200, 500, 1_000):
        yield "ListNearDuplicates", asked(lambda m=distance_m: caller.ListNearDuplicates(parent=parent, distance_m=m))
    for text in filters:
        yield "FitSites", asked(lambda f=text: caller.FitSites(parent=parent, filter=f))
    for tile in tiles():
        yield "StreamTiles", asked(lambda t=tile: caller.StreamTiles(parent=parent, tiles=[t]))
    yield "ListSites", asked(lambda: caller.ListSites(parent=parent))
    yield "GetSite", asked(lambda: caller.GetSite(name=sites["a"]))
    yield "BatchGetSites", asked(lambda: caller.BatchGetSites(parent=parent, names=list(sites.values())))
    yield "SearchSites", asked(lambda: caller.SearchSites(parent=parent, query="beside"))
    yield "WatchSites", asked(lambda: caller.call("WatchSites", pb.WatchSitesRequest(parent=parent)))
    yield "WatchMap", asked(lambda: caller.call("WatchMap", pb.WatchMapRequest(parent=parent, viewport=WORLD, zoom=2)))


def put(account, sites, behind):
    for name, (base, *parts) in SPOTS.items():
        account.caller().SetPin(site=sites[name], position=spot(base, parts[behind]))


def test_no_question_tells_that_sites_moved_within_their_cells(operator):
    """The quadtree, its clusters, sums and boxes are of rounded positions: where a site is in its cell is nowhere in them."""
    account = Account(operator)
    sites = {name: account.create_site(name).name for name in SPOTS}
    put(account, sites, behind=0)
    callers = {"rough": rough(account), "exact": account.caller("VIEWER")}
    before = {name: list(probes(caller, account, sites)) for name, caller in callers.items()}
    put(account, sites, behind=1)
    after = {name: list(probes(caller, account, sites)) for name, caller in callers.items()}
    assert len(before["rough"]) == len(after["rough"]) > 400
    for (method, was), (_, is_now) in zip(before["rough"], after["rough"], strict=True):
        assert was == is_now, f"{method} tells of the move"
    # Each kind of question was one that finds it out.
    pairs = zip(before["exact"], after["exact"], strict=False)
    seen = {method for (method, was), (_, is_now) in pairs if was != is_now}
    assert seen == {method for method, _ in before["rough"]}, "whoever sees exact positions sees it"
    for kinds in (before, after):
        good = {method for method, answer in kinds["rough"] if answer.startswith("[")}
        assert good == seen, "and who does not is answered"


def test_a_site_is_told_where_its_cell_is_and_follows_when_it_leaves(operator):
    account = Account(operator)
    caller, exact, site = rough(account), account.caller(), account.create_site("moves").name
    for position in (EXACT, pb.LatLng(lat=-33.868812, lng=151.209312), pb.LatLng(lat=51.500001, lng=-0.000001)):
        exact.SetPin(site=site, position=position)
        lat, lng, *_ = middle(position.lat, position.lng)
        seen = caller.GetSite(name=site)
        [pin] = caller.ListViewportSites(parent=account.name, viewport=WORLD).sites
        for each in (seen.location, seen.location.fixes[0], pin):
            assert (each.position.lat, each.position.lng) == pytest.approx((lat, lng), abs=1e-4)
            assert (each.accuracy_m, each.granularity) == (1_000, pb.GRANULARITY_POSTCODE)
        assert seen.positions == pb.POSITION_ACCESS_APPROXIMATE and seen.location.confirmed
        assert exact.GetSite(name=site).location.position == position
    exact.ResetLocation(site=site)
    assert not caller.ListViewportSites(parent=account.name, viewport=WORLD).sites
    assert caller.QueryViewport(parent=account.name, viewport=WORLD, zoom=1).unplaced == 1


@pytest.fixture(scope="module")
def world(operator):
    """A world whose site has an exact pin and an address."""
    made = World(Account(operator, country="IS"))
    caller = made.account.caller()
    caller.SetPin(site=made.site, position=EXACT)
    kept = caller.SetAddress(site=made.site, address_line=STREET, keep_pin=True).site
    assert kept.location.position == EXACT and kept.location.address.typed == STREET
    return made


def outcome(caller, method, request):
    """What a call answers, as text, and the reason of its failure."""
    try:
        return str(caller.call(method, request)), ""
    except grpc.RpcError as error:
        failure = Failure(error)
        return f"{failure.message} {failure.details}", failure.reason


@pytest.mark.parametrize("kept, make", [(ROUGH, rough), (PLACELESS, hidden)], ids=["approximate", "hidden"])
def test_each_method_keeps_it_or_is_refused(world, kept, make):
    caller, exact, shown = make(world.account), world.account.caller("VIEWER"), 0
    for _, method in methods():
        if "VIEWER" not in RULES[method.name].scopes or method.name in OPEN:
            continue
        request = request_for(method.name, world, validate=True)
        if hasattr(request, "viewport"):
            request.viewport.CopyFrom(WORLD)
            if hasattr(request, "zoom"):
                request.zoom = 2
        text, reason = outcome(caller, method.name, request)
        assert (reason == "POSITIONS_WITHHELD") == (method.name not in kept), (method.name, reason)
        for secret in SECRETS:
            assert secret not in text, f"{method.name} tells {secret}"
        assert kept is ROUGH or " lat: " not in text, f"{method.name} tells a position"
        shown += any(secret in outcome(exact, method.name, request)[0] for secret in SECRETS)
    assert shown >= 8, f"{shown} methods tell it to who sees it"
    assert set(kept) <= {method for method, rule in RULES.items() if "VIEWER" in rule.scopes}


def test_nothing_of_where_it_is_is_told_to_who_sees_none(world):
    caller = hidden(world.account)
    for name in (world.site, world.activated.site):
        seen = caller.GetSite(name=name)
        assert seen.positions == pb.POSITION_ACCESS_HIDDEN and seen.display_name
        assert seen.location == pb.Location() and not seen.time_zone
        assert not seen.public_ip and not seen.claimed_ip and not seen.HasField("network")
    assert caller.ListSites(parent=world.account.name, filter="status = UNKNOWN").sites


def test_no_filter_and_no_search_finds_an_address_out(server, world):
    parent = world.account.name
    for caller in (rough(world.account), hidden(world.account)):
        for text in (f'location.address : "{STREET}"', "NOT location.address = nowhere", "attention : *"):
            for ask in (
                lambda t=text, c=caller: c.ListSites(parent=parent, filter=t),
                lambda t=text, c=caller: c.SearchSites(parent=parent, query="site", filter=t),
                lambda t=text, c=caller: c.FitSites(parent=parent, filter=t),
                lambda t=text, c=caller: c.call("WatchSites", pb.WatchSitesRequest(parent=parent, filter=t)),
            ):
                refused("PERMISSION_DENIED", "POSITIONS_WITHHELD", ask)
        guess = lambda word, c=caller: asked(lambda: c.ListSites(parent=parent, filter=word))  # noqa: E731
        assert guess("laugavegur") == guess("laugavegus") and guess("-laugavegur") == guess("-laugavegus")
        for word in ("laugavegur", "site laugavegur"):
            assert not caller.SearchSites(parent=parent, query=word).hits
        assert caller.SearchSites(parent=parent, query="the site").hits, "its name is no secret"
        assert caller.SearchSites(parent=parent, query="the site", filter="status = UNKNOWN").hits
    fit = lambda word: asked(lambda: rough(world.account).FitSites(parent=parent, filter=word))  # noqa: E731
    assert fit("laugavegur") == fit("laugavegus")
    by_source = {"parent": parent, "filter": "location.placed = true"}
    assert rough(world.account).ListSites(**by_source).sites
    refused("PERMISSION_DENIED", "POSITIONS_WITHHELD", lambda: hidden(world.account).ListSites(**by_source))
    exact = world.account.caller("VIEWER")
    assert exact.SearchSites(parent=parent, query="laugavegur").hits
    assert exact.ListSites(parent=parent, filter="laugavegur").sites


def test_addresses_of_tiles_show_no_more_than_their_token(server, world):
    caller, parent = rough(world.account), world.account.name
    [tile] = [tile for tile in tiles() if tile.z == 12]
    [own] = caller.StreamTiles(parent=parent, tiles=[tile])
    [exact] = world.account.caller("VIEWER").StreamTiles(parent=parent, tiles=[tile])
    path = filled(caller.SignTileUrl(parent=parent).tile_path, tile)
    for token, address in ((None, path), (caller.token, f"/v1/{parent}/tiles/{tile.z}/{tile.x}/{tile.y}.mvt")):
        status, _, body = fetch(server.target, address, token)
        assert status == 200 and body == own.mvt != exact.mvt
    status, _, body = fetch(server.target, f"/v1/{parent}/tiles/0/0/0.mvt", hidden(world.account).token)
    assert status == 403 and b"POSITIONS_WITHHELD" in body


def test_who_acts_on_sites_sees_where_they_are(account):
    """Whoever moves a pin that they do not see overwrites what they do not know."""
    create = lambda scope, positions: account.operator.CreateToken(  # noqa: E731
        parent=account.name, token=pb.Token(scope=scope_value(scope), positions=positions)
    )
    for positions in (pb.POSITION_ACCESS_APPROXIMATE, pb.POSITION_ACCESS_HIDDEN, 99):
        for scope in ("ADMIN", "EDITOR", "SERVICE", "ENROLLMENT"):
            make = lambda s=scope, p=positions: create(s, p)  # noqa: E731
            refused("INVALID_ARGUMENT", "FIELD_INVALID", make, field="token.positions")
    for positions in (pb.POSITION_ACCESS_EXACT, pb.POSITION_ACCESS_HIDDEN):
        make = lambda p=positions: create("WALLBOARD", p)  # noqa: E731
        refused("INVALID_ARGUMENT", "FIELD_INVALID", make, field="token.positions")
    for scope, positions in (("WALLBOARD", pb.POSITION_ACCESS_APPROXIMATE), ("EDITOR", pb.POSITION_ACCESS_EXACT)):
        assert account.caller(scope).WhoAmI().positions == positions
    who = rough(account).WhoAmI()
    assert (who.scope, who.positions) == (scope_value("VIEWER"), pb.POSITION_ACCESS_APPROXIMATE)
    listed = {token.positions for token in account.caller().ListTokens(parent=account.name).tokens}
    assert pb.POSITION_ACCESS_APPROXIMATE in listed
    write = lambda: account.caller().CreateSite(  # noqa: E731
        parent=account.name, site=pb.Site(display_name="x", positions=pb.POSITION_ACCESS_EXACT)
    )
    refused("INVALID_ARGUMENT", "FIELD_INVALID", write, field="site.positions")


def test_a_role_of_an_identity_provider_and_the_command_line_make_them(server, world, identities):
    account = world.account
    partner = Caller(account.operator.channel, identities.token(account.id, "wm-partner"))
    assert partner.WhoAmI().positions == pb.POSITION_ACCESS_APPROXIMATE
    made = ("token", "create", "--account", account.id, "--scope", "viewer", "--positions")
    by_hand = Caller(account.operator.channel, run(*made, "approximate", server=server).strip())
    for caller in (partner, by_hand):
        assert not any(secret in str(caller.GetSite(name=world.site)) for secret in SECRETS)
        refused("PERMISSION_DENIED", "POSITIONS_WITHHELD", lambda c=caller: c.ListSiteChanges(parent=world.site))
    [tile] = [tile for tile in tiles() if tile.z == 12]
    [own] = by_hand.StreamTiles(parent=account.name, tiles=[tile])
    address = filled(partner.SignTileUrl(parent=account.name).tile_path, tile)
    assert fetch(server.target, address)[2] == own.mvt, "an identity's address keeps its precision"
    none = Caller(account.operator.channel, run(*made, "hidden", server=server).strip())
    assert none.WhoAmI().positions == pb.POSITION_ACCESS_HIDDEN


@pytest.mark.parametrize("make", [rough, hidden])
@pytest.mark.parametrize("ending", ["csv", "geojson"])
def test_an_export_tells_no_more_and_moves_nothing_when_it_goes_in_again(server, operator, tmp_path, ending, make):
    account = Account(operator, country="IS")
    site = account.create_site("x").name
    account.caller().SetPin(site=site, position=EXACT)
    account.caller().SetAddress(site=site, address_line=STREET, keep_pin=True)
    whole = Importer(server, account, tmp_path)
    (tmp_path / "told").mkdir()
    partner = Importer(server, account, tmp_path / "told")
    partner.token_file.write_text(make(account).token)
    text = partner.export(f"all.{ending}").decode("utf-8")
    assert not any(secret in text for secret in SECRETS) and ("64.145" in text) == (make is rough)
    before = whole.sites()
    done = whole.run("sites", partner.directory / f"all.{ending}")
    assert done.returncode == 0 and "0 updated, 1 as they were" in done.stdout, done.stdout + done.stderr
    assert whole.sites() == before
    assert any(secret in whole.export(f"whole.{ending}").decode("utf-8") for secret in SECRETS)
