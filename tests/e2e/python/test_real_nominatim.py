"""Nominatim itself, not a stub: what a real server makes of a real map, seen through the API.

The map is the centre of Helsinki as it was in April 2019, and a street made by hand. Its addresses are told by the
server's own database, so that what waymark says of them is held against the data and not against what it said before.
"""

import contextlib
import json
import os
import random
import subprocess
import time

import grpc
import pytest

from client import Account, Caller
from clock import set_clock
from nominatim import Nominatim
from real_nominatim import BY_HAND_IDS, EXTRACT, RealNominatim, fetch, require
from server import BINARY, Server
from stubs import pb
from test_round_trip import metres

SEED = int(os.environ.get("WAYMARK_SEED", "20261128"))
# Metres: the server tells seven decimals, a centimetre.
SAME_M = 0.1
# Metres within which two geocoders mean the same house: it is that wide, and its door stands elsewhere than its middle.
HOUSE_M = 50
# Addresses that both geocoders are asked for. Of four seeds 94 to 95 % are within HOUSE_M, and 90 to 93 % applied by each.
ASKED = 300
AGREE_MIN = 0.88
APPLIED_MIN = 0.85
# Houses whose positions are asked for. Of four seeds 87 to 98 % have the same address; else the server tells a neighbour.
REVERSED = 60
REVERSED_MIN = 0.75
# Below it an answer is offered and not applied.
APPLIED_CONFIDENCE_MIN = 0.85
ATTRIBUTION = "© OpenStreetMap contributors"
# Seconds within which an answer that is about to end is renewed after a start.
RENEWED_S_MAX = 30


@pytest.fixture(scope="module")
def nominatim():
    """The server; skipped only for who may not install it."""
    require()
    with RealNominatim() as server:
        yield server


def asking(nominatim, directory, more=""):
    """A waymark, not started yet, that asks the real server alone."""
    config = directory / "waymark.toml"
    config.write_text(
        f'[[geocode.providers]]\nkind = "nominatim"\nurl = "{nominatim.url}"\n'
        f"requests_per_s = 1000\ntimeout_ms = 20000\nsuggest = true\n{more}",
        encoding="utf-8",
    )
    return Server(directory / "data", geoip=False, borders=True, extra=["--config", config])


@contextlib.contextmanager
def operating(server):
    """A caller of a server, for the operator."""
    with server, grpc.insecure_channel(server.target) as channel:
        yield Caller(channel, server.admin_token)


@pytest.fixture(scope="module")
def helsinki(nominatim, tmp_path_factory):
    """An account of a waymark that asks the real server alone."""
    with operating(asking(nominatim, tmp_path_factory.mktemp("asking"))) as operator:
        yield Account(operator)


@pytest.fixture(scope="module")
def embedded(nominatim, tmp_path_factory):  # pylint: disable=unused-argument
    """An account of a waymark whose own gazetteer is made of the same map."""
    directory = tmp_path_factory.mktemp("embedded")
    build = [BINARY, "gazetteer", "build", "--osm", f"{EXTRACT},country=FI", "--out", directory / "gazetteer"]
    done = subprocess.run([str(part) for part in build], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    extra = ["--gazetteer", directory / "gazetteer"]
    with operating(Server(directory / "data", geoip=False, extra=extra)) as operator:
        yield Account(operator)


def at(position):
    return (position.lat, position.lng)


def nearest_m(position, points):
    return min(metres(at(position), point) for point in points)


def geocode(account, line, candidates_max=20):
    caller = account.caller("VIEWER")
    return caller.GeocodeAddress(parent=account.name, address_line=line, candidates_max=candidates_max)


def is_confident(candidate):
    return candidate.confidence > 0.999


@pytest.mark.parametrize(
    ("line", "street", "number"),
    [
        ("Lönnrotinkatu 5, Helsinki", "Lönnrotinkatu", "5"),
        ("Lönnrotinkatu 5, 00120 Helsinki", "Lönnrotinkatu", "5"),
        ("Lonnrotinkatu 5, Helsinki", "Lönnrotinkatu", "5"),
        ("LÖNNROTINKATU 5 HELSINKI", "Lönnrotinkatu", "5"),
        ("Lönnrotinkatu 5, Helsinki, Suomi", "Lönnrotinkatu", "5"),
        ("Lönnrotinkatu 5, Helsinki, Finland", "Lönnrotinkatu", "5"),
        ("Eerikinkatu 10, Helsinki", "Eerikinkatu", "10"),
        ("Alvar Aallon katu 3, Helsinki", "Alvar Aallon katu", "3"),
    ],
)
def test_one_line_finds_the_house(nominatim, helsinki, line, street, number):
    best = geocode(helsinki, line).candidates[0]
    assert nearest_m(best.position, nominatim.houses(street, number)) < SAME_M, best
    assert best.granularity == pb.GRANULARITY_DOOR and is_confident(best), best
    assert best.country_code == "FI" and best.provider == "nominatim", best
    assert f"{number}, {street}" in best.formatted_address, best


def test_the_attribution_is_the_one_that_the_server_asks_for(nominatim, helsinki):
    best = geocode(helsinki, "Lönnrotinkatu 5, Helsinki").candidates[0]
    assert ATTRIBUTION in best.attribution and "ODbL" in best.attribution
    assert ATTRIBUTION in nominatim.ask("search", q="Lönnrotinkatu 5, Helsinki")[0]["licence"]


def test_parts_find_the_house_and_a_wrong_part_applies_nothing(nominatim, helsinki):
    def ask(**parts):
        parts = pb.PostalAddress(**({"street": "Lönnrotinkatu 5", "locality": "Helsinki"} | parts))
        return helsinki.caller().GeocodeAddress(parent=helsinki.name, postal_address=parts)

    for right in ({}, {"country_code": "fi"}, {"postal_code": "00120", "country_code": "FI"}):
        answer = ask(**right)
        assert answer.state == pb.ADDRESS_STATE_APPLIED, (right, answer)
        assert nearest_m(answer.candidates[0].position, nominatim.houses("Lönnrotinkatu", "5")) < SAME_M
    answer = ask(postal_code="00990")
    assert answer.state == pb.ADDRESS_STATE_AMBIGUOUS and answer.candidates[0].confidence < 0.6, answer
    for wrong in ({"country_code": "SE"}, {"locality": "Tampere"}):
        answer = ask(**wrong)
        assert answer.state == pb.ADDRESS_STATE_NOT_FOUND and not answer.candidates, (wrong, answer)


def test_places_are_as_fine_as_they_are(helsinki):
    for line, granularity in [
        ("Eerikinkatu, Helsinki", pb.GRANULARITY_STREET),
        ("Rautatientori, Helsinki", pb.GRANULARITY_STREET),
        ("Helsinki", pb.GRANULARITY_CITY),
        ("Kluuvi, Helsinki", pb.GRANULARITY_CITY),
        ("00100", pb.GRANULARITY_POSTCODE),
        ("Finland", pb.GRANULARITY_COUNTRY),
    ]:
        best = geocode(helsinki, line).candidates[0]
        assert best.granularity == granularity and is_confident(best), (line, best)


@pytest.mark.parametrize("line", ["Xyzzyqwv Plughkjh 99999", "Mannerhemintie 5, Helsinki", "Laugavegur 1, Reykjavík"])
def test_what_the_map_does_not_have_is_not_found(helsinki, line):
    """The server forgives no typo: that is told as it is, and nothing is made up."""
    site = helsinki.create_site().name
    answer = helsinki.caller().SetAddress(site=site, address_line=line)
    assert answer.state == pb.ADDRESS_STATE_NOT_FOUND and not answer.candidates, answer
    assert answer.site.location.source == pb.FIX_SOURCE_UNSPECIFIED and not answer.site.location.fixes


def test_a_house_that_is_missing_is_offered_as_its_street(nominatim, helsinki):
    assert not nominatim.houses("Eerikinkatu", "999")
    site = helsinki.create_site().name
    answer = helsinki.caller().SetAddress(site=site, address_line="Eerikinkatu 999, Helsinki")
    assert answer.state == pb.ADDRESS_STATE_AMBIGUOUS and not answer.site.location.fixes, answer
    assert {candidate.granularity for candidate in answer.candidates} == {pb.GRANULARITY_STREET}
    assert max(candidate.confidence for candidate in answer.candidates) <= 0.5


def test_a_house_of_a_row_is_counted_off_and_says_so(nominatim, helsinki):
    ends = [nominatim.houses("Mallikatu", number)[0] for number in ("1", "9")]
    best = geocode(helsinki, "Mallikatu 3, Helsinki").candidates[0]
    assert best.granularity == pb.GRANULARITY_INTERPOLATED and is_confident(best), best
    quarter = ends[0][0], ends[0][1] + (ends[1][1] - ends[0][1]) / 4
    assert metres(at(best.position), quarter) < SAME_M, best
    assert best.formatted_address.startswith("3, Mallikatu, ")
    even = geocode(helsinki, "Mallikatu 4, Helsinki").candidates[0]
    assert even.granularity == pb.GRANULARITY_STREET and even.confidence <= 0.5, even


def test_the_other_language_of_a_street_is_offered_and_not_applied(helsinki):
    """The server knows Mannerheimvägen and answers Mannerheimintie: nothing in the answer says that they are one."""
    site = helsinki.create_site().name
    answer = helsinki.caller().SetAddress(site=site, address_line="Mannerheimvägen 5, Helsingfors")
    assert answer.state == pb.ADDRESS_STATE_AMBIGUOUS and not answer.site.location.fixes
    assert "5, Mannerheimintie" in answer.candidates[0].formatted_address


def test_an_ambiguous_street_is_a_choice(nominatim, helsinki):
    caller, site = helsinki.caller(), helsinki.create_site().name
    answer = caller.SetAddress(site=site, address_line="Makasiinikatu 4, Helsinki")
    assert answer.state == pb.ADDRESS_STATE_AMBIGUOUS and not answer.site.location.fixes
    for street in ("Eteläinen Makasiinikatu", "Pohjoinen Makasiinikatu"):
        points = nominatim.houses(street, "4")
        chosen = next(one for one in answer.candidates if street in one.formatted_address)
        assert chosen.confidence < APPLIED_CONFIDENCE_MIN and nearest_m(chosen.position, points) < SAME_M
        moved = caller.ApplyCandidate(site=site, candidate_token=chosen.token).location
        assert at(moved.position) == at(chosen.position) and moved.address.state == pb.ADDRESS_STATE_APPLIED


def test_a_street_of_a_longer_name_is_a_choice_even_where_it_is_alone(nominatim, helsinki):
    """The number is mapped on one of two such streets, and the server answers with that one: it was applied."""
    rows = nominatim.select("SELECT DISTINCT address->'street' FROM placex WHERE address ? 'street'")
    streets = {street for (street,) in rows}
    assert {"Pieni Roobertinkatu", "Iso Roobertinkatu"} <= streets
    line = "Roobertinkatu 5, Helsinki"
    roads = {result["address"]["road"] for result in nominatim.ask("search", q=line, dedupe=0)}
    assert roads == {"Pieni Roobertinkatu"}, roads
    answer = helsinki.caller().SetAddress(site=helsinki.create_site().name, address_line=line)
    assert answer.state == pb.ADDRESS_STATE_AMBIGUOUS and not answer.site.location.fixes, answer
    assert 0 < answer.candidates[0].confidence < APPLIED_CONFIDENCE_MIN
    whole = geocode(helsinki, f"Pieni {line}")
    assert whole.state == pb.ADDRESS_STATE_APPLIED and is_confident(whole.candidates[0]), whole


def test_two_doors_of_one_address_are_both_told(nominatim, helsinki):
    """Left alone, the server leaves out one of two results that are written alike, by chance, however far apart: the door
    that it kept was applied, 184 metres from the other."""
    line = "Unioninkatu 7, Helsinki"
    doors = [result for result in nominatim.ask("search", q=line, dedupe=0) if result["type"] == "house"]
    points = [(float(door["lat"]), float(door["lon"])) for door in doors]
    assert len({door["display_name"] for door in doors}) == 1 and len(points) == 2 and metres(*points) > 150, doors
    answer = helsinki.caller().SetAddress(site=helsinki.create_site().name, address_line=line)
    assert answer.state == pb.ADDRESS_STATE_AMBIGUOUS and not answer.site.location.fixes
    assert sorted(at(candidate.position) for candidate in answer.candidates) == sorted(points)


def test_a_house_stands_before_the_shops_in_it(nominatim, helsinki):
    """Each of the shops of a house was as sure as the house, so that the address of a busy street was never applied."""
    line = "Keskuskatu 6, Helsinki"
    answer = geocode(helsinki, line)
    categories = {result["category"] for result in nominatim.ask("search", q=line, dedupe=0)}
    assert {"place", "shop"} <= categories, categories
    assert answer.state == pb.ADDRESS_STATE_APPLIED, answer
    assert answer.candidates[0].formatted_address.startswith("6, Keskuskatu"), answer
    assert all(shop.confidence < 0.9 for shop in answer.candidates[1:]) and len(answer.candidates) > 2


def test_nothing_is_told_twice(helsinki):
    for line in ("Uudenmaankatu 7, Helsinki", "Mannerheimintie, Helsinki", "Rautatientori, Helsinki"):
        told = [(one.formatted_address, at(one.position)) for one in geocode(helsinki, line).candidates]
        assert len(told) == len(set(told)) > 1, told
    streets = [one.formatted_address for one in geocode(helsinki, "Mannerheimintie, Helsinki").candidates]
    assert len(streets) == len(set(streets)), streets


def test_the_address_of_a_site_from_typing_to_the_map(nominatim, helsinki):
    caller, site = helsinki.caller(), helsinki.create_site().name
    typed = "Lönnrotinkatu 5, 00120 Helsinki"
    answer = caller.SetAddress(site=site, address_line=typed, country_code="FI")
    assert answer.state == pb.ADDRESS_STATE_APPLIED
    location = answer.site.location
    assert nearest_m(location.position, nominatim.houses("Lönnrotinkatu", "5")) < SAME_M
    assert location.source == pb.FIX_SOURCE_ADDRESS and location.confirmed and not location.HasField("accuracy_m")
    evidence = location.fixes[0].geocoded
    assert (evidence.provider, evidence.query) == ("nominatim", typed) and ATTRIBUTION in evidence.attribution
    assert evidence.country_code == "FI" and not evidence.HasField("expire_time")
    assert caller.GetSite(name=site).location == location
    on_map = caller.LocateSite(name=site, zoom=18).site
    assert on_map.position == location.position and on_map.granularity == pb.GRANULARITY_DOOR


@pytest.mark.parametrize(
    ("line", "granularity", "again"),
    [
        ("Lönnrotinkatu 5, Helsinki", pb.GRANULARITY_DOOR, "/lookup?"),
        # By the id of its row it lost its number, and stood in the middle of the row.
        ("Mallikatu 3, Helsinki", pb.GRANULARITY_INTERPOLATED, "/search?"),
    ],
)
def test_an_answer_that_ends_is_asked_for_again(nominatim, tmp_path, line, granularity, again):
    """Kept for a day by its terms, it is asked for again in the last quarter: twenty hours later by the server's clock."""
    server = asking(nominatim, tmp_path, "store_days = 1\n")
    with operating(server) as operator:
        account = Account(operator)
        site = account.create_site().name
        applied = account.caller().SetAddress(site=site, address_line=line).site.location
    before, asked = applied.fixes[0].geocoded, len(nominatim.asked())
    assert applied.granularity == granularity
    with pytest.MonkeyPatch.context() as later:
        set_clock(later, "+20h")
        server.start()
    with operating(server) as operator:
        deadline = time.monotonic() + RENEWED_S_MAX
        while (now := operator.GetSite(name=site).location).fixes[0].geocoded.expire_time == before.expire_time:
            assert time.monotonic() < deadline, f"not renewed: {now}"
            time.sleep(0.02)
    renewed = now.fixes[0].geocoded
    assert renewed.expire_time.seconds - before.expire_time.seconds > 19 * 3_600
    assert (renewed.place_id, renewed.formatted_address) == (before.place_id, before.formatted_address)
    assert now.position == applied.position and now.address.state == pb.ADDRESS_STATE_APPLIED
    requests = nominatim.asked()[asked:]
    assert again in requests[0] and before.place_id in requests[0] and "200 OK" in requests[0], requests


def test_positions_read_back_as_their_addresses(nominatim, helsinki):
    rows = nominatim.select(
        "SELECT address->'street', address->'housenumber', ST_Y(centroid), ST_X(centroid) FROM placex"
        " WHERE class = 'place' AND type = 'house' AND address ? 'street'"
        f" AND osm_id < {BY_HAND_IDS} ORDER BY osm_id"
    )
    missed = []
    for street, number, lat, lng in random.Random(SEED).sample(rows, REVERSED):
        position = pb.LatLng(lat=float(lat), lng=float(lng))
        found = helsinki.caller("VIEWER").ReverseGeocode(parent=helsinki.name, position=position).candidates
        best = found[0] if found else None
        written = f"{number}, {street},".casefold()
        if not best or written not in best.formatted_address.casefold() or best.granularity != pb.GRANULARITY_DOOR:
            missed.append((street, number, best and best.formatted_address))
    share = 1 - len(missed) / REVERSED
    print(f"seed {SEED}: {share:.1%} of {REVERSED} houses read back, missed:", *missed, sep="\n  ")
    assert share >= REVERSED_MIN, f"seed {SEED}: {share:.1%}, missed {missed}"


def test_where_nothing_is_there_is_no_address(helsinki):
    position = pb.LatLng(lat=-30.0, lng=-120.0)
    assert not helsinki.caller().ReverseGeocode(parent=helsinki.name, position=position).candidates


def test_a_pin_takes_the_address_that_stands_there(nominatim, helsinki):
    caller, site = helsinki.caller(), helsinki.create_site().name
    ((lat, lng), *_) = nominatim.houses("Lönnrotinkatu", "5")
    pin = caller.SetPin(site=site, position=pb.LatLng(lat=lat, lng=lng)).location.position
    best = caller.ReverseGeocode(parent=helsinki.name, position=pin, site=site).candidates[0]
    named = caller.ApplyCandidate(site=site, candidate_token=best.token, keep_pin=True).location
    assert named.address.state == pb.ADDRESS_STATE_PIN_KEPT and named.position == pin
    assert named.address.formatted.startswith("5, Lönnrotinkatu")
    # From now on what is near the pin is preferred.
    assert caller.SetAddress(site=site, address_line="Kirkkokatu 15, Helsinki").state == pb.ADDRESS_STATE_APPLIED
    assert "viewbox=" in nominatim.asked()[-1] and "200 OK" in nominatim.asked()[-1]


def test_suggestions_are_of_whole_words(helsinki):
    """A search is what this server has: it completes no word, and what it does not find is not made up."""

    def typed(text):
        return helsinki.caller("VIEWER").SuggestAddresses(parent=helsinki.name, typed=text).candidates

    assert "Eerikinkatu" in typed("Eerikinkatu")[0].formatted_address
    assert typed("Eerikinkatu 1")[0].formatted_address.startswith("1, Eerikinkatu")
    assert not typed("Eerikinka") and not typed("")


@pytest.mark.parametrize(
    "line",
    [
        "Eerikinkatu 10, Helsinki&format=xml&limit=0#",
        "Eerikinkatu 10, Helsinki' OR 1=1; DROP TABLE placex; --",
        "[amenity=restaurant] Helsinki",
        "%00%FF../../status?",
        "🏠 Eerikinkatu 10 \N{ZERO WIDTH JOINER}Helsinki",
        "Eerikinkatu " * 40,
        '"\\" {"a": [1]} <script>',
    ],
)
def test_hostile_lines_are_answered_and_harm_nobody(nominatim, helsinki, line):
    answer = helsinki.caller().SetAddress(site=helsinki.create_site().name, address_line=line)
    assert answer.state in (pb.ADDRESS_STATE_AMBIGUOUS, pb.ADDRESS_STATE_NOT_FOUND, pb.ADDRESS_STATE_APPLIED), answer
    assert nominatim.ask("status", format="json")["status"] == 0
    assert geocode(helsinki, "Lönnrotinkatu 5, Helsinki").state == pb.ADDRESS_STATE_APPLIED


def test_the_stub_of_the_other_tests_speaks_as_the_server_does(nominatim):
    def told(url, query):
        with fetch(f"{url}/search?format=jsonv2&addressdetails=1&q={query}") as answer:
            return answer.headers["content-type"], json.load(answer)

    def shape(value):
        """The types of a value; parts of an address are those of its country."""
        if isinstance(value, dict):
            return {key: shape(inner) for key, inner in value.items() if key not in ("suburb", "neighbourhood", "postcode")}
        return [shape(inner) for inner in value] if isinstance(value, list) else type(value)

    with Nominatim() as stub:
        stub.doors["laugavegur"] = [(1, 64.1466, -21.9426)]
        kind, houses_of_stub = told(stub.url, "Laugavegur+1")
        nothing = told(stub.url, "Nowhere+1")
    real_kind, houses_of_map = told(nominatim.url, "Kirkkokatu+15,Helsinki")
    house = next(one for one in houses_of_map if (one["osm_type"], one["category"]) == ("node", "place"))
    assert (kind, shape(houses_of_stub[0])) == (real_kind, shape(house)), house
    assert list(houses_of_stub[0]) == list(house) and houses_of_stub[0]["licence"] == house["licence"]
    assert nothing == told(nominatim.url, "Xyzzyqwv")


def test_the_embedded_gazetteer_and_nominatim_mean_the_same_houses(nominatim, helsinki, embedded):
    """One map, two programs that share no code: where they differ, one of them is wrong, or the map has two such doors."""
    rows = nominatim.select(
        "SELECT DISTINCT address->'street', housenumber FROM placex"
        " WHERE address ? 'street' AND housenumber ~ '^[0-9]+ ?[A-Za-z]?$'"
        f" AND osm_id < {BY_HAND_IDS} ORDER BY 1, 2"
    )
    assert len(rows) > ASKED
    distances, apart, applied = [], [], {helsinki: 0, embedded: 0}
    for street, number in random.Random(SEED).sample(rows, ASKED):
        line = f"{street} {number}, Helsinki"
        answers = [geocode(account, line) for account in (helsinki, embedded)]
        for account, answer in zip(applied, answers):
            applied[account] += answer.state == pb.ADDRESS_STATE_APPLIED
        bests = [answer.candidates[0] if answer.candidates else None for answer in answers]
        distances.append(metres(*(at(best.position) for best in bests)) if all(bests) else float("inf"))
        if distances[-1] > HOUSE_M:
            apart.append((line, round(distances[-1], 1), [best and best.formatted_address for best in bests]))
    within = {limit: sum(distance <= limit for distance in distances) / ASKED for limit in (1, 20, HOUSE_M)}
    print(f"seed {SEED}, {ASKED} addresses: agree within metres {within}")
    print(f"applied: by Nominatim {applied[helsinki]}, by the gazetteer {applied[embedded]}; apart:", *apart, sep="\n  ")
    assert within[HOUSE_M] >= AGREE_MIN, f"seed {SEED}: {within}, apart {apart}"
    assert min(applied.values()) >= APPLIED_MIN * ASKED, f"seed {SEED}: {list(applied.values())} of {ASKED}"
