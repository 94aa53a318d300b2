"""The sites inside of polygons, over gRPC: compared with winding numbers in exact fractions over all sites."""

import functools
import random
from fractions import Fraction

import pytest

from client import Account, refused
from stubs import pb

RINGS_MAX = 100
POINTS_MAX = 10_000

# Polygons as lists of rings, the outer one first; rings as (latitude, longitude), in whole degrees and halves so that
# sites can stand on their edges exactly.
SQUARE = [(40, 0), (40, 10), (50, 10), (50, 0)]
INNER = [(42, 2), (42, 8), (48, 8), (48, 2)]
CAP = [(60, -120), (60, 0), (60, 120)]
SMALL_CAP = [(80, -120), (80, 0), (80, 120)]
BY_NAME = {
    "triangle": [[[(40, 0), (40, 10), (50, 4)]]],
    "its first point at the end again": [[[(40, 0), (40, 10), (50, 4), (40, 0)]]],
    "triangle the other way round": [[[(50, 4), (40, 10), (40, 0)]]],
    "square with a hole": [[SQUARE, INNER]],
    "an island in the hole": [[SQUARE, INNER], [[(44, 4), (44, 6), (46, 6), (46, 4)]]],
    "two that overlap": [[SQUARE], [[(45, 5), (45, 15), (55, 15), (55, 5)]]],
    "the same one twice": [[SQUARE], [SQUARE]],
    "hollow and not": [[[(40, 0), (50, 0), (50, 10), (45, 2), (40, 10)]]],
    "over the antimeridian": [[[(-20, 175), (-20, -175), (-10, -175), (-10, 175)]]],
    "up to 180": [[[(-20, 175), (-20, 180), (-10, 180), (-10, 175)]]],
    "from -180": [[[(-20, -180), (-20, -175), (-10, -175), (-10, -180)]]],
    "over the antimeridian with a hole": [
        [[(-20, 175), (-20, -175), (-10, -175), (-10, 175)], [(-18, 178), (-18, -178), (-12, -178), (-12, 178)]]
    ],
    "round the north pole": [[CAP]],
    "all but the north": [[CAP[::-1]]],
    "a band": [[CAP, SMALL_CAP]],
    "round the south pole": [[[(-60, 120), (-60, 0), (-60, -120)]]],
    "a wedge to the pole": [[[(90, 0), (40, 0), (40, 20)]]],
    "half the world": [[[(-90, 0), (0, 0), (90, 0), (90, 90), (90, 170), (0, 170), (-90, 170), (-90, 90)]]],
}


@functools.cache
def unwrapped(ring):
    """The ring (a tuple) in fractions, each edge the shorter way; at its end its first point, perhaps a turn away."""
    points = [(Fraction(ring[0][0]), Fraction(ring[0][1]))]
    for lat, lng in [*ring[1:], ring[0]]:
        step = (Fraction(lng) - points[-1][1] + 180) % 360 - 180
        points.append((Fraction(lat), points[-1][1] + step))
    return points


def area(a, b, c):
    return (b[1] - a[1]) * (c[0] - a[0]) - (c[1] - a[1]) * (b[0] - a[0])


def place(ring, position):
    """1 for a position inside of a ring, 0 on it, -1 outside."""
    line = unwrapped(tuple(ring))
    turns = (line[-1][1] - line[0][1]) / 360
    lat, lng = Fraction(position[0]), Fraction(position[1])
    if abs(lat) == 90:
        if any(corner[0] == lat for corner in line):
            return 0
        return 1 if turns and lat == 90 * turns else -1
    if turns:
        # Three turns of it, closed beyond the pole on its left.
        line = [(lat_, lng_ + turn * 360 * turns) for turn in (-1, 0, 1) for lat_, lng_ in line]
        closed = [*line, (91 * turns, line[-1][1]), (91 * turns, line[0][1]), line[0]]
        turned = [lng + 360 * ((line[len(line) // 2][1] - lng) // 360)]
    else:
        closed = line
        west, east = min(corner[1] for corner in line), max(corner[1] for corner in line)
        turned = [at for at in (lng + turn * 360 for turn in (-2, -1, 0, 1, 2)) if west <= at <= east]
    for at in ((lat, lng) for lng in turned):
        winds = 0
        for a, b in zip(closed, closed[1:]):
            if not min(a[0], b[0]) <= at[0] <= max(a[0], b[0]):
                continue
            side = area(a, b, at)
            between = min(a[1], b[1]) <= at[1] <= max(a[1], b[1])
            if side == 0 and between and max(abs(a[0]), abs(b[0])) <= 90:
                return 0
            if a[0] <= at[0] < b[0] and side > 0:
                winds += 1
            elif b[0] <= at[0] < a[0] and side < 0:
                winds -= 1
        if winds:
            return 1
    return -1


def inside(polygons, position):
    """Whether any polygon holds the position; the edges of holes belong to the inside."""
    return any(
        place(rings[0], position) >= 0 and all(place(hole, position) <= 0 for hole in rings[1:]) for rings in polygons
    )


def ring_of(points):
    return pb.Ring(points=[pb.LatLng(lat=lat, lng=lng) for lat, lng in points])


def message(polygons):
    return [pb.Polygon(outer=ring_of(rings[0]), holes=[ring_of(ring) for ring in rings[1:]]) for rings in polygons]


def on_lines():
    """All corners of the polygons above, and the middles of their edges: exact in binary."""
    for polygons in BY_NAME.values():
        for ring in (ring for rings in polygons for ring in rings):
            line = unwrapped(tuple(ring))
            yield from line
            yield from (((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(line, line[1:]))


@pytest.fixture(scope="module")
def world(operator):
    """An account with pins on the lines, at random near the polygons, at the poles and on both 180th meridians."""
    account, dice = Account(operator), random.Random(20261126)
    spots = {(float(lat), float((lng + 180) % 360 - 180)) for lat, lng in on_lines()}
    spots |= {(90.0, 0.0), (90.0, -75.0), (-90.0, 33.0), (-15.0, 180.0), (-15.0, -180.0)}
    spots.discard((0.0, 0.0))  # Refused: what a missing value looks like.
    for south, west, north, east in [(39, -1, 56, 16), (-21, 174, -9, 186), (55, -180, 90, 180), (-90, -180, -55, 180)]:
        for _ in range(30):
            lng = dice.uniform(west, east)
            spots.add((dice.uniform(south, north), lng - 360 if lng > 180 else lng))
    account.sites = {}
    for number, (lat, lng) in enumerate(sorted(spots)):
        name = account.create_site(f"{'even' if number % 2 == 0 else 'odd'} {number}").name
        account.caller().SetPin(site=name, position=pb.LatLng(lat=lat, lng=lng))
        account.sites[name] = (lat, lng)
    account.create_site("unplaced")
    return account


def listed(account, polygons, **fields):
    """The names of all pages, each checked for its size."""
    names, token, size = [], "", fields.setdefault("page_size", 1000)
    while True:
        page = account.caller("VIEWER").ListPolygonSites(
            parent=account.name, polygons=message(polygons), page_token=token, **fields
        )
        names += [site.name for site in page.sites]
        token = page.next_page_token
        assert len(page.sites) == size if token else len(page.sites) <= size
        if not token:
            return sorted(names)
        assert len(names) <= len(account.sites), "pages end"


def expected(account, polygons):
    return sorted(name for name, position in account.sites.items() if inside(polygons, position))


@pytest.mark.parametrize("name", BY_NAME)
def test_a_polygon_holds_what_arithmetic_says(world, name):
    polygons = BY_NAME[name]
    expect = expected(world, polygons)
    assert 0 < len(expect) < len(world.sites), "the world has sites for this, and sites elsewhere"
    assert listed(world, polygons) == expect, "each site once"


@pytest.mark.parametrize("seed", range(8))
def test_a_random_star_holds_what_arithmetic_says(world, seed):
    dice, (lat, lng) = random.Random(seed), [(46, 6), (-15, 180), (75, 20), (-70, -179)][seed % 4]
    # Corners in all eight directions in turn, so that the star is simple whatever its radii; halves of degrees.
    directions = [(0, 2), (1, 1), (2, 0), (1, -1), (0, -2), (-1, -1), (-2, 0), (-1, 1)]
    radii = [dice.randint(1, 14) / 4 for _ in directions]
    star = [(lat + radius * up, lng + radius * right) for radius, (up, right) in zip(radii, directions)]
    hole = [(lat + radius * up / 2, lng + radius * right / 2) for radius, (up, right) in zip(radii, directions)]
    polygons = [[[(lat, (lng + 180) % 360 - 180) for lat, lng in ring] for ring in (star, hole)]]
    assert listed(world, polygons) == expected(world, polygons)


def test_where_nobody_is_the_answer_is_empty(world):
    polygons = [[[(-45, -45), (-45, -44), (-44, -44)]]]
    assert listed(world, polygons) == expected(world, polygons) == []


@pytest.mark.parametrize("page_size", [1, 7, 1000])
def test_pages_join_to_the_whole(world, page_size):
    polygons = BY_NAME["two that overlap"]
    expect = expected(world, polygons)
    assert len(expect) > 14
    assert listed(world, polygons, page_size=page_size) == expect


def test_a_page_has_fifty_sites_unless_told_otherwise(world):
    polygons = message(BY_NAME["all but the north"])
    page = world.caller().ListPolygonSites(parent=world.name, polygons=polygons)
    assert len(page.sites) == 50 and page.next_page_token


def test_a_page_token_belongs_to_its_polygons(world):
    caller, polygons = world.caller(), BY_NAME["two that overlap"]
    token = caller.ListPolygonSites(parent=world.name, polygons=message(polygons), page_size=1).next_page_token
    for other in [{"polygons": message(polygons[:1])}, {"filter": "even"}]:
        fields = {"parent": world.name, "polygons": message(polygons), "page_size": 1, "page_token": token} | other
        refused(
            "INVALID_ARGUMENT",
            "PAGE_TOKEN_INVALID",
            lambda fields=fields: caller.ListPolygonSites(**fields),
            field="page_token",
        )


def test_a_filter_leaves_out_the_others(world):
    polygons = BY_NAME["two that overlap"]
    names = {site.name: site.display_name for site in world.caller().ListSites(parent=world.name, page_size=1000).sites}
    expect = [name for name in expected(world, polygons) if names[name].startswith("even")]
    assert 0 < len(expect) < len(expected(world, polygons))
    assert listed(world, polygons, filter="even") == expect


def test_a_site_that_moves_or_goes_is_told_at_once(account):
    account.sites = {}
    name = account.create_site("mover").name
    for position, expect in [((45, 5), [name]), ((45, 50), []), ((40, 5), [name])]:
        account.sites[name] = position
        account.caller().SetPin(site=name, position=pb.LatLng(lat=position[0], lng=position[1]))
        assert listed(account, [[SQUARE]]) == expect
    account.caller().DeleteSite(name=name)
    assert listed(account, [[SQUARE]]) == []


NAN = float("nan")
FAULTS = {
    "no polygons": ([], "polygons"),
    "no points": ([[[]]], "polygons[0].outer"),
    "two points": ([[[(1, 1), (2, 2), (1, 1)]]], "polygons[0].outer"),
    "one meridian, twice": ([[[(1, 180), (1, -180), (2, 180)]]], "polygons[0].outer"),
    "collinear": ([[[(1, 1), (2, 2), (3, 3)]]], "polygons[0].outer"),
    "a spike": ([[[(1, 1), (1, 4), (1, 2), (4, 2)]]], "polygons[0].outer"),
    "a bow-tie": ([[SQUARE], [[(1, 1), (4, 4), (4, 1), (1, 4)]]], "polygons[1].outer"),
    "a bow-tie over the antimeridian": ([[[(1, 178), (4, -178), (4, 178), (1, -178)]]], "polygons[0].outer"),
    "touching itself": ([[[(1, 1), (1, 5), (4, 5), (1, 3), (4, 1)]]], "polygons[0].outer"),
    "half a turn": ([[[(1, 0), (1, 10), (4, 10), (4, -170)]]], "polygons[0].outer.points[2]"),
    "twice round": ([[[(10 + n, n * 90 % 360 - 180) for n in range(8)]]], "polygons[0].outer"),
    "hole outside": ([[SQUARE, [(1, 1), (1, 2), (2, 2)]]], "polygons[0].holes[0]"),
    "hole across": ([[SQUARE, [(42, 2), (42, 20), (44, 2)]]], "polygons[0].holes[0]"),
    "hole in a hole": ([[SQUARE, INNER, [(44, 4), (44, 6), (46, 6)]]], "polygons[0].holes[1]"),
    "beyond the pole": ([[SQUARE, INNER, [(1, 1), (91, 1), (1, 2)]]], "polygons[0].holes[1].points[1].lat"),
    "beyond the world": ([[SQUARE], [[(1, 1), (2, 181), (1, 2)]]], "polygons[1].outer.points[1].lng"),
    "no number": ([[[(NAN, 1), (2, 2), (1, 2)]]], "polygons[0].outer.points[0].lat"),
    "no longitude": ([[[(1, 1), (2, float("inf")), (1, 2)]]], "polygons[0].outer.points[1].lng"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_says_where_it_stands(account, name):
    polygons, field = FAULTS[name]
    call = lambda: account.caller().ListPolygonSites(parent=account.name, polygons=message(polygons))
    refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field=field)


def test_a_polygon_needs_an_outer_ring(account):
    polygons = [pb.Polygon(outer=ring_of(SQUARE)), pb.Polygon(holes=[ring_of(INNER)])]
    call = lambda: account.caller().ListPolygonSites(parent=account.name, polygons=polygons)
    refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field="polygons[1].outer")


def test_the_number_of_rings_is_limited(account):
    account.sites = {}
    assert listed(account, [[SQUARE]] * RINGS_MAX) == []
    polygons = message([[SQUARE]] * (RINGS_MAX + 1))
    call = lambda: account.caller().ListPolygonSites(parent=account.name, polygons=polygons)
    failure = refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field="polygons")
    assert str(RINGS_MAX + 1) in failure.fields["polygons"]


def comb(count):
    """A ring of so many points, an even number: thin teeth from 40 to 50 degrees north, the gaps between them wider."""
    teeth = count // 2 - 1
    ring = [(39, 10), (39, 0)]
    for tooth in range(teeth):
        ring += [(40, tooth * 10 / teeth), (50, (tooth + 0.25) * 10 / teeth)]
    return ring


def test_the_largest_polygon_is_answered(world):
    polygons = [[comb(POINTS_MAX)]]
    found = listed(world, polygons)
    # Fractions over all sites and edges take long; the others are outside of its box.
    near = {name: at for name, at in world.sites.items() if 39 <= at[0] <= 50 and 0 <= at[1] <= 10}
    assert near and found == sorted(name for name, at in near.items() if inside(polygons, at))


@pytest.mark.parametrize("count", [POINTS_MAX + 2, 100_000])
def test_more_points_are_refused_and_the_connection_lives(account, count):
    """100,000 points are longer than a message may be; the smaller number is refused by itself. Both say what is too long."""
    account.sites = {}
    call = lambda: account.caller().ListPolygonSites(parent=account.name, polygons=message([[comb(count)]]))
    if count == 100_000:
        failure = refused("RESOURCE_EXHAUSTED", "LIMIT_REACHED", call, field="polygons")
        assert str(POINTS_MAX) in failure.fields["polygons"]
        assert "ListPolygonSites takes at most 262144 bytes" in failure.message, failure
    else:
        failure = refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field="polygons")
        assert str(count) in failure.fields["polygons"]
    assert listed(account, [[SQUARE]]) == []
