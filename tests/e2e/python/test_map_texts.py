"""Filters by ticketing link, contact with its phones, customer, contract and address on every call of the map.

The oracle is Python over what ListSites tells of all sites; tiles and viewports are compared with it, and with one another, at
every zoom.
"""

import random
from urllib.parse import quote

import pytest

import mvt
from client import WORLD, Account, fetch, mask
from stubs import pb
from test_map import distance_m
from test_map_filters import all_pages, check_tally
from test_watches import MapWatcher, listed, revision_of, symbols_of
from web_mercator import Grid

SEED = 20261130
ZOOMS = range(23)
SITES = 44
TILES_MAX = 256
# Towns, the two sides of the antimeridian, the far north: sites stand on these spots or a little beside.
SPOTS = [(64.14, -21.9), (48.85, 2.35), (48.86, 2.36), (-16.5, 179.999), (-16.5, -179.999), (84.9, 10.0)]
# Of each, all estimates are on one position.
ADDRESSES = ["8.8.8.8", "213.167.128.1"]
LINES = ["1 Xyzzyqwv Lane", "2 Xyzzyqwv Lane", "3 Plughkjh Hill"]
FIRST, LAST = ["Anna", "Björn", "Chloé", ""], ["Öström", "Smith", "Smithers", ""]
CUSTOMERS, CONTRACTS = ["acme", "Acme Two", "globex", ""], ["K-7", "K-17", "L-2", ""]
SYSTEMS, ORGANIZATIONS = ["zendesk", "syncro", "Our Own Desk"], {"7": "Harbour Trust", "17": "Hill Trust", "19": "Lane & Co"}
PHONES = ["+3545451000", "+3545551234", "+442079460018"]
# Ids and names of sites in the system of our own: the others have none.
FAR_SITES = [("22", "Quay"), ("31", "Quay"), ("31", ""), ("", "")]
STATUSES = ["ONLINE", "OFFLINE", "UNKNOWN", "MAINTENANCE"]
# What of a site a filter by texts looks at, and a change copies.
FIELDS = ("status", "contact", "customer_id", "contract_id", "ticketing_links")


def drawn(dice, more):
    """The texts of a random site: phones and sites of links by a chance of their own."""
    first, last = dice.choice(FIRST), dice.choice(LAST)
    email = f"{first or 'desk'}.{dice.randrange(3)}@example.{dice.choice(['net', 'org'])}".encode("ascii", "ignore").decode()
    links = {}
    for _ in range(dice.randrange(3)):
        organization = dice.choice(list(ORGANIZATIONS))
        link = pb.TicketingLink(
            system=dice.choice(SYSTEMS), organization_id=organization, organization_name=ORGANIZATIONS[organization]
        )
        if link.system == "Our Own Desk":
            link.external_site_id, link.external_site_name = more.choice(FAR_SITES)
        links[link.system, link.organization_id] = link
    phones = [pb.Phone(number=number) for number in more.sample(PHONES, more.choice([0, 1, 1, 2]))]
    return {
        "status": pb.SiteStatus.Value(f"SITE_STATUS_{dice.choice(STATUSES)}"),
        "contact": pb.Contact(email=dice.choice([email, ""]), first_name=first, last_name=last, phones=phones),
        "customer_id": dice.choice(CUSTOMERS),
        "contract_id": dice.choice(CONTRACTS),
        "ticketing_links": list(links.values()),
    }


@pytest.fixture(scope="module")
def fleet(operator):
    """Pinned, estimated and unplaced sites with random texts; `sites` is what ListSites tells of all of them."""
    print("seed", SEED)
    account, dice, more = Account(operator), random.Random(SEED), random.Random(f"{SEED} phones")
    caller = account.caller()
    for number in range(SITES):
        kind = dice.choices(["PIN", "GEOIP", None], [6, 2, 1])[0]
        fields = drawn(dice, more)
        if kind == "GEOIP":
            name = account.activate(ip=dice.choice(ADDRESSES)).site
            caller.UpdateSite(site=pb.Site(name=name, **fields), update_mask=mask(*FIELDS))
        else:
            name = account.create_site(f"pump {number}", **fields).name
        if kind == "PIN":
            lat, lng = dice.choice(SPOTS)
            if dice.random() < 0.2:
                lat, lng = lat + dice.uniform(-1e-3, 1e-3), lng - dice.uniform(0, 1e-4)
            caller.SetPin(site=name, position=pb.LatLng(lat=lat, lng=lng))
        if kind and dice.random() < 0.5:
            caller.SetAddress(site=name, address_line=dice.choice(LINES), keep_pin=True)
    account.sites = listed(caller, account.name, "")
    assert len(account.sites) == SITES
    return account


def folded(texts):
    return [text.casefold() for text in texts if text]


def address(site):
    return folded([site.location.address.typed, site.location.address.formatted])


def systems(site):
    return folded(link.system for link in site.ticketing_links)


def organizations(site):
    return folded(link.organization_id for link in site.ticketing_links)


def external_sites(site):
    return folded(link.external_site_id for link in site.ticketing_links)


def phones(site):
    return [phone.number for phone in site.contact.phones]


def person(site):
    return folded([site.contact.email, site.contact.first_name, site.contact.last_name]) + phones(site)


def texts(site):
    """All that a bare word is looked for in: these sites have no labels."""
    links = folded(text for link in site.ticketing_links for text in (link.organization_name, link.external_site_name))
    own = folded([site.display_name, site.agent_id, site.customer_id, site.contract_id])
    ids = systems(site) + organizations(site) + external_sites(site)
    return own + person(site) + address(site) + ids + links


def is_offline(site):
    return site.status == pb.SITE_STATUS_OFFLINE


def is_confirmed(site):
    return site.location.source in (pb.FIX_SOURCE_PIN, pb.FIX_SOURCE_ADDRESS)


def anywhere(word):
    return lambda site: any(word in text for text in texts(site))


FILTERS = {
    "contact.email : EXAMPLE.NET": lambda site: "example.net" in site.contact.email,
    'contact.email = "*@example.org"': lambda site: site.contact.email.endswith("@example.org"),
    "contact.first_name = björn": lambda site: site.contact.first_name == "Björn",
    "contact.last_name = smith": lambda site: site.contact.last_name == "Smith",
    "contact.last_name = smith*": lambda site: site.contact.last_name.startswith("Smith"),
    'contact.last_name != "ÖSTRÖM"': lambda site: site.contact.last_name != "Öström",
    'contact.first_name = ""': lambda site: not site.contact.first_name,
    'contact.phones : "+354 (545)"': lambda site: any("+354545" in number for number in phones(site)),
    'contact.phones = "44 20-7946 0018"': lambda site: "+442079460018" in phones(site),
    "contact.phones != +3545451000": lambda site: "+3545451000" not in phones(site),
    'contact.phones = "*12 34"': lambda site: any(number.endswith("1234") for number in phones(site)),
    'contact.phones = ""': lambda site: not phones(site),
    "customer_id = acme": lambda site: site.customer_id == "acme",
    "customer_id != acme*": lambda site: not site.customer_id.lower().startswith("acme"),
    "contract_id = k-7": lambda site: site.contract_id == "K-7",
    "contract_id : 7": lambda site: "7" in site.contract_id,
    "ticketing_links.system = zendesk": lambda site: "zendesk" in systems(site),
    'ticketing_links.system != "our own desk"': lambda site: "our own desk" not in systems(site),
    "ticketing_links.organization_id = 7": lambda site: "7" in organizations(site),
    'ticketing_links.organization_id = ""': lambda site: not organizations(site),
    'ticketing_links.organization_name = "harbour trust"': lambda site: any(
        link.organization_name == "Harbour Trust" for link in site.ticketing_links
    ),
    "ticketing_links.external_site_id = 22": lambda site: "22" in external_sites(site),
    'ticketing_links.external_site_id = ""': lambda site: not external_sites(site),
    "ticketing_links.external_site_name : QUAY": lambda site: any(
        link.external_site_name == "Quay" for link in site.ticketing_links
    ),
    "ticketing_links.state = UNVERIFIED": lambda site: bool(site.ticketing_links),
    "location.address : lane": lambda site: any("lane" in text for text in address(site)),
    'location.address = ""': lambda site: not address(site),
    "chlo": anywhere("chlo"),
    "5451000": anywhere("5451000"),
    '"harbour trust"': anywhere("harbour trust"),
    "-lane": lambda site: not anywhere("lane")(site),
    "status = OFFLINE (contact.email : net OR ticketing_links.system = syncro)": lambda site: is_offline(site)
    and ("net" in site.contact.email or "syncro" in systems(site)),
    "location.confirmed = true contract_id : k": lambda site: is_confirmed(site) and "K" in site.contract_id,
    "status = OFFLINE OR location.address : hill": lambda site: is_offline(site)
    or any("hill" in text for text in address(site)),
}


class Known:
    """A site as `check_tally` wants it."""

    def __init__(self, site):
        self.status = pb.SiteStatus.Name(site.status).removeprefix("SITE_STATUS_")
        self.source = pb.FixSource.Name(site.location.source).removeprefix("FIX_SOURCE_")


@pytest.fixture(params=FILTERS)
def filtered(request, fleet):
    """A filter with the placed and the unplaced sites that match it; some do, and some do not."""
    matching = {name: site for name, site in fleet.sites.items() if FILTERS[request.param](site)}
    assert 0 < len(matching) < SITES, "a filter that tells no sites apart tests nothing"
    placed = {name: site for name, site in matching.items() if site.location.HasField("position")}
    assert placed
    return request.param, placed, {name: site for name, site in matching.items() if name not in placed}


def positions(sites):
    return {(site.location.position.lat, site.location.position.lng) for site in sites.values()}


def viewport_counts(caller, parent, boxes, zoom, filter):
    """Symbol -> count over boxes that may overlap, and the answers."""
    found, answers = {}, []
    for box in boxes:
        answers.append(caller.QueryViewport(parent=parent, viewport=box, zoom=zoom, filter=filter))
        symbols = symbols_of(answers[-1].symbols)
        counts = {id: 1 if id.startswith("p-") else symbol.tally.total for id, symbol in symbols.items()}
        assert all(found.get(id, count) == count for id, count in counts.items()), "a symbol has one count"
        found |= counts
    return found, answers


def test_at_every_zoom_viewports_and_tiles_show_each_matching_site_once(server, fleet, filtered):
    filter, placed, unplaced = filtered
    caller, dice = fleet.caller("VIEWER"), random.Random(f"{SEED} {filter}")
    placed_anywhere = {name: site for name, site in fleet.sites.items() if site.location.HasField("position")}
    spots, kinds = positions(placed_anywhere), set()
    for zoom in ZOOMS:
        grid = Grid(zoom)
        boxes = [WORLD] if zoom <= 4 else grid.boxes_around(spots)
        seen, answers = viewport_counts(caller, fleet.name, boxes, zoom, filter)
        assert sum(seen.values()) == len(placed), f"zoom {zoom}"
        for answer in answers:
            check_tally(answer.matching_tally, map(Known, placed.values()))
            assert answer.unplaced == len(unplaced)
        tiled, bodies, tiles = {}, {}, grid.tiles_around(spots)
        for at in range(0, len(tiles), TILES_MAX):
            asked = [dict(zip("zxy", (zoom, *tile))) for tile in tiles[at : at + TILES_MAX]]
            for answer in caller.StreamTiles(parent=fleet.name, tiles=asked, filter=filter):
                counts = mvt.counts(answer.mvt)
                assert not tiled.keys() & counts.keys(), "a symbol is in one tile"
                tiled |= counts
                bodies[answer.tile.x, answer.tile.y] = answer.mvt
        assert tiled == seen, f"zoom {zoom}: tiles and viewports tell the same"
        kinds |= {id[0] for id in seen}
        x, y = dice.choice([tile for tile, body in bodies.items() if body])
        path = f"/v1/{fleet.name}/tiles/{zoom}/{x}/{y}.mvt?filter={quote(filter)}"
        status, _, body = fetch(server.target, path, caller.token)
        assert (status, body) == (200, bodies[x, y]), path
    sources = {site.location.source for site in placed.values()}
    assert ("a" in kinds) == (pb.FIX_SOURCE_GEOIP in sources), "estimates end as areas, near by"
    assert "p" in kinds or "c" in kinds


def test_what_is_near_in_a_polygon_and_in_all_obeys_the_filter(fleet, filtered):
    filter, placed, unplaced = filtered
    caller, dice = fleet.caller("VIEWER"), random.Random(f"{SEED} {filter}")
    at = (dice.uniform(-80, 80), dice.uniform(-180, 180))
    here = pb.LatLng(lat=at[0], lng=at[1])
    far = {
        name: distance_m(at, (site.location.position.lat, site.location.position.lng)) for name, site in placed.items()
    }
    nearest = caller.ListNearestSites(parent=fleet.name, position=here, page_size=1000, filter=filter).sites
    assert {entry.site.name for entry in nearest} == set(far) and len(nearest) == len(far)
    assert [entry.distance_m for entry in nearest] == pytest.approx(sorted(far.values()), rel=1e-6, abs=0.01)
    common = {"parent": fleet.name, "filter": filter, "page_size": 5}
    radius_m = sorted(far.values())[len(far) // 2] + 1.0
    within = all_pages(caller.ListSitesWithinRadius, "sites", center=here, radius_m=radius_m, **common)
    assert sorted(entry.site.name for entry in within) == sorted(name for name, m in far.items() if m <= radius_m)
    corners = [(40, -30), (40, 10), (70, 10), (70, -30)]
    square = pb.Polygon(outer=pb.Ring(points=[pb.LatLng(lat=lat, lng=lng) for lat, lng in corners]))
    inside = [
        name
        for name, site in placed.items()
        if 40 <= site.location.position.lat <= 70 and -30 <= site.location.position.lng <= 10
    ]
    found = all_pages(caller.ListPolygonSites, "sites", polygons=[square], **common)
    assert sorted(site.name for site in found) == sorted(inside)
    boxed = all_pages(caller.ListViewportSites, "sites", viewport=WORLD, **common)
    assert sorted(site.name for site in boxed) == sorted(placed)
    fit = caller.FitSites(parent=fleet.name, filter=filter)
    check_tally(fit.tally, map(Known, placed.values()))
    assert fit.unplaced == len(unplaced)
    assert sorted(listed(caller, fleet.name, filter)) == sorted([*placed, *unplaced]), "lists speak the same language"


def dress(account, name, like):
    """Gives a site the texts of another one."""
    site = pb.Site(name=name, **{field: getattr(like, field) for field in FIELDS})
    account.caller().UpdateSite(site=site, update_mask=mask(*FIELDS))
    if like.location.address.typed:
        account.caller().SetAddress(site=name, address_line=like.location.address.typed, keep_pin=True)
    return account.caller().GetSite(name=name)


def models(fleet, filter):
    """A pinned site that matches, and one that does not; with addresses, where the filter leaves the choice."""
    pinned = [site for site in fleet.sites.values() if site.location.source == pb.FIX_SOURCE_PIN]
    pinned.sort(key=lambda site: not site.location.address.typed)
    match = next(site for site in pinned if FILTERS[filter](site))
    # What a test gives it besides is a place and another name.
    other = next(site for site in pinned if not FILTERS[filter](site))
    return match, other


# A lonely place.
LONELY = pb.LatLng(lat=-40.0, lng=60.0)
NEAR = pb.BoundingBox(low=pb.LatLng(lat=-40.01, lng=59.99), high=pb.LatLng(lat=-39.99, lng=60.01))


@pytest.mark.parametrize("filter", FILTERS)
def test_a_watch_shows_the_filtered_map_and_who_enters_and_leaves_it(fleet, filter):
    caller, (match, other) = fleet.caller("VIEWER"), models(fleet, filter)
    watchers = [MapWatcher(caller, fleet.name).look(WORLD, 2, filter), MapWatcher(caller, fleet.name).look(NEAR, 12, filter)]
    name = None

    def is_as_asked():
        revision = revision_of(caller, fleet.name)
        for watcher in watchers:
            watcher.read_to(revision)
            viewport, zoom, _ = watcher.view
            seen = caller.QueryViewport(parent=fleet.name, viewport=viewport, zoom=zoom, filter=filter)
            assert watcher.symbols == symbols_of(seen.symbols)
            counts = (seen.account_tally, seen.matching_tally, seen.legend_tally, seen.unplaced)
            assert watcher.counts == counts
        return f"p-{name.rpartition('/')[2]}" in watchers[1].symbols if name else None

    try:
        assert is_as_asked() is None and watchers[0].symbols
        name = fleet.create_site("newcomer").name
        fleet.caller().SetPin(site=name, position=LONELY)
        turns = []
        # An address that was typed stays: who has none comes first.
        for like in (other, match, other) if match.location.address.typed else (match, other):
            site = dress(fleet, name, like)
            turns.append(FILTERS[filter](site))
            assert is_as_asked() == turns[-1]
        assert turns[-2:] == [True, False], "it entered, and left"
    finally:
        for watcher in watchers:
            watcher.close()
        if name:
            fleet.caller().DeleteSite(name=name)
