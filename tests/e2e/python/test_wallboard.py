"""A wallboard's token: how many sites there are, of which status and about where; no name, no person, no address.

Which methods it may call is in rules.py, and test_tokens.py walks over all of them.
"""

import pytest

from cli import run
from client import WORLD, Account, Caller, fetch, failure_of, mask, refused, scope_value
from stubs import pb
from test_map import box

# Where a person put a site: exact to less than a metre.
EXACT = pb.LatLng(lat=64.146512, lng=-21.942387)
NAME = "Lighthouse-Kanarie"
CUSTOMER = "customer-Kanarie"
PERSON = pb.Contact(email="anna-kanarie@example.org", first_name="Anna-Kanarie", last_name="Kanarie")
# Filters that ask for a text or a time of sites: each would tell one who guesses whether it is right.
GUESSES = [
    'display_name = "Lighthouse*"',
    "lighthouse",
    "-lighthouse",
    f'customer_id = "{CUSTOMER}"',
    "labels.tier = gold",
    'location.address : "Laugavegur"',
    'contact.email = "*"',
    "contact.phones : 354",
    "ticketing_links.state = UNVERIFIED",
    "note : key",
    "create_time > 2020-01-01T00:00:00Z",
    "status = ONLINE OR NOT (attention : * AND display_name = x)",
]


@pytest.fixture(scope="module")
def account(operator):
    made = Account(operator)
    texts = {"contact": PERSON, "customer_id": CUSTOMER, "note": "key-Kanarie", "labels": {"tier": "gold"}}
    site = made.create_site(NAME, status=pb.SITE_STATUS_ONLINE, **texts)
    made.caller().SetPin(site=site.name, position=EXACT)
    made.create_site("Nowhere-Kanarie")
    return made


@pytest.fixture(scope="module")
def board(account):
    return account.caller("WALLBOARD")


def test_symbols_have_no_names_and_no_exact_places(account, board):
    seen = board.QueryViewport(parent=account.name, viewport=WORLD, zoom=4)
    [pin] = seen.symbols.pins
    assert pin.name.startswith(f"{account.name}/sites/") and pin.status == pb.SITE_STATUS_ONLINE
    assert (pin.position.lat, pin.position.lng) == (64.15, -21.94)
    assert (seen.account_tally.total, seen.unplaced) == (1, 1)
    watched = board.call("WatchViewport", pb.WatchViewportRequest(parent=account.name, viewport=WORLD, zoom=4))
    moved = board.call("WatchMap", pb.WatchMapRequest(parent=account.name, viewport=WORLD, zoom=4))
    for changes in (watched[0].changes, moved[0].changes):
        assert list(changes.changed.pins) == [pin]
    fit = board.FitSites(parent=account.name, filter="status = ONLINE")
    assert (fit.tally.total, fit.unplaced) == (1, 0)
    corners = [fit.bounds.low.lat, fit.bounds.low.lng, fit.bounds.high.lat, fit.bounds.high.lng]
    assert corners == pytest.approx([64.14, -21.95, 64.15, -21.94], abs=1e-9)
    for told in (seen, watched, moved, fit):
        assert "Kanarie" not in str(told) and "64.1465" not in str(told)
    # Whoever reads sites sees what is there.
    whole = account.caller("VIEWER").QueryViewport(parent=account.name, viewport=WORLD, zoom=4).symbols.pins[0]
    assert (whole.display_name, whole.position) == (NAME, EXACT)


def test_a_watch_goes_on_without_names(account, board):
    site = account.create_site("Later-Kanarie").name
    request = pb.WatchViewportRequest(parent=account.name, viewport=WORLD, zoom=4, filter="status = UNKNOWN")
    stream = board.begin("WatchViewport", request)
    told = [next(stream)]
    account.caller().SetPin(site=site, position=pb.LatLng(lat=-33.868812, lng=151.209312))
    while not any(pin.name == site for pin in told[-1].changes.changed.pins):
        told.append(next(stream))
    stream.cancel()
    assert "Kanarie" not in str(told) and "33.8688" not in str(told)
    account.caller().DeleteSite(name=site)


def test_no_question_is_fine_enough_to_find_a_place_out(account, board):
    """A box within a degree answers as the whole degree does, and streets are not told apart."""
    boxes = [(64.1, -22.0, 64.2, -21.9), (64.6, -21.2, 64.7, -21.1), (65.1, -21.2, 65.2, -21.1)]
    pins = [len(board.QueryViewport(parent=account.name, viewport=box(*each), zoom=6).symbols.pins) for each in boxes]
    assert pins == [1, 1, 0]
    deep = lambda: board.QueryViewport(parent=account.name, viewport=box(*boxes[0]), zoom=7)  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", deep, field="zoom")


def test_who_knows_one_site_of_a_cluster_learns_nothing_of_the_other(operator):
    """A zoom at which two sites part says how near they are, to some metres."""
    account = Account(operator)
    for lng in (EXACT.lng, EXACT.lng - 0.0006):
        account.caller().SetPin(site=account.create_site().name, position=pb.LatLng(lat=EXACT.lat, lng=lng))

    def cluster(scope):
        request = {"parent": account.name, "viewport": box(64, -22, 65, -21), "zoom": 6}
        [found] = account.caller(scope).QueryViewport(**request).symbols.clusters
        return found

    told, whole = cluster("WALLBOARD"), cluster("VIEWER")
    assert (told.tally.total, told.id) == (2, whole.id)
    assert whole.expansion_zoom > 6 and not told.HasField("expansion_zoom") and not told.stack


@pytest.mark.parametrize("guess", GUESSES)
def test_no_count_tells_whether_a_guess_is_right(account, board, guess):
    for ask in (
        lambda: board.QueryViewport(parent=account.name, viewport=WORLD, zoom=3, filter=guess),
        lambda: board.FitSites(parent=account.name, filter=guess),
        lambda: board.call("WatchViewport", pb.WatchViewportRequest(parent=account.name, viewport=WORLD, filter=guess)),
    ):
        failure = failure_of(ask)
        told = (failure.code.name, failure.reason)
        # Maps are filtered by nobody's note.
        assert told == ("PERMISSION_DENIED", "SCOPE_INSUFFICIENT") or guess.startswith("note"), (guess, told)
        assert told[0] in ("PERMISSION_DENIED", "INVALID_ARGUMENT")


def test_it_opens_no_tile_and_no_address_of_tiles(server, account, board):
    get = lambda path: fetch(server.target, f"/v1/{account.name}/{path}", board.token)  # noqa: E731
    assert get("tiles.json")[0] == 200, "whose data it is, it may hear"
    status, _, body = get("tiles/0/0/0.mvt")
    assert status == 403 and b"Kanarie" not in body
    refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: board.SignTileUrl(parent=account.name))
    tiles = [pb.TileCoordinates(z=0, x=0, y=0)]
    refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: board.StreamTiles(parent=account.name, tiles=tiles))


def test_of_its_account_it_hears_the_name_alone(account, board):
    told = {"user_emails": ["berta-kanarie@example.org"], "support_contact": "+354 555 1234", "country_code": "IS"}
    said = pb.Account(name=account.name, **told)
    whole = account.caller().UpdateAccount(account=said, update_mask=mask(*told))
    assert (whole.support_contact, whole.country_code) == (told["support_contact"], "IS")
    [listed] = board.ListAccounts().accounts
    for seen in (listed, board.GetAccount(name=account.name)):
        assert (seen.name, seen.display_name) == (account.name, whole.display_name)
        assert not seen.user_emails and not seen.support_contact and not seen.country_code
    assert account.caller("VIEWER").GetAccount(name=account.name).support_contact == told["support_contact"]


def test_a_site_keeps_its_id_from_day_to_day(account, board):
    """As the scope says of itself: its status can be followed, though not whose it is."""
    [pin] = board.QueryViewport(parent=account.name, viewport=WORLD, zoom=4).symbols.pins
    turn = lambda status: account.caller().UpdateSite(  # noqa: E731
        site=pb.Site(name=pin.name, status=status), update_mask=mask("status")
    )
    turn(pb.SITE_STATUS_OFFLINE)
    [later] = board.QueryViewport(parent=account.name, viewport=WORLD, zoom=4).symbols.pins
    assert (later.name, later.status) == (pin.name, pb.SITE_STATUS_OFFLINE)
    turn(pin.status)


def test_it_masks_contacts_whoever_makes_it(account):
    """Answers of its methods have none; that it says so keeps whoever lists tokens from wondering."""
    token = pb.Token(scope=scope_value("WALLBOARD"))
    made = account.operator.CreateToken(parent=account.name, token=token)
    assert made.token.contacts == pb.CONTACT_ACCESS_MASKED
    assert Caller(account.operator.channel, made.secret).WhoAmI().contacts == pb.CONTACT_ACCESS_MASKED
    token.contacts = pb.CONTACT_ACCESS_READ
    create = lambda: account.operator.CreateToken(parent=account.name, token=token)  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", create, field="token.contacts")
    rotated = account.caller().RotateToken(name=made.token.name)
    assert Caller(account.operator.channel, rotated.secret).WhoAmI().scope == scope_value("WALLBOARD")


def test_the_command_line_makes_one(server, account):
    secret = run("token", "create", "--account", account.id, "--scope", "wallboard", server=server).strip()
    who = Caller(account.operator.channel, secret).WhoAmI()
    assert (who.scope, who.account) == (scope_value("WALLBOARD"), account.name)
