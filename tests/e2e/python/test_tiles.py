"""Vector tiles: codings and their tags, queries, signed addresses, and the stream that gives the same bytes."""

import gzip
import json
import random
import time
from urllib.parse import quote

import brotli
import grpc
import pytest
import zstandard
from google.protobuf import duration_pb2, timestamp_pb2

from client import Account, Caller, fetch, mask, refused, scope_value
from stubs import pb

CODINGS = {
    "identity": lambda body: body,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstandard.decompress,
}
BIG, EMPTY = "tiles/0/0/0.mvt", "tiles/22/0/0.mvt"
# A tile of one pin, too small to be compressed.
SMALL = "tiles/10/512/511.mvt"
TILES_MAX = 256
# As long as filters may be, in bytes.
LONG_FILTER = " OR ".join(f'customer_id = "{letter * 190}"' for letter in "abcdefghi").ljust(2048)
# Seconds until what ends in two must have ended; generous for a busy machine.
END_S_MAX = 30


@pytest.fixture(scope="module")
def world(operator):
    """An account with sites all over the world, so that its first tile is long and its names do not compress away."""
    account, dice = Account(operator), random.Random(20261125)
    for number in range(48):
        lat, lng = (-60 + number // 8 * 24, -157.5 + number % 8 * 45)
        site = account.create_site(f"site {number} {dice.randbytes(90).hex()}", customer_id=f"c{number % 3}").name
        account.caller().SetPin(site=site, position=pb.LatLng(lat=lat + dice.random(), lng=lng + dice.random()))
    lone = account.create_site("lone").name
    account.caller().SetPin(site=lone, position=pb.LatLng(lat=0.1, lng=0.1))
    return account


@pytest.fixture(scope="module")
def get(server, world):
    """GET of a path under the account with a reader's token; `token=None` for none."""

    def get(path, token=world.caller("VIEWER").token, account=world.name, **rest):
        return fetch(server.target, f"/v1/{account}/{path}", token, **rest)

    return get


def accepting(value):
    return {"headers": {"accept-encoding": value}}


def fault_of(body):
    return json.loads(body)["error"]


def token_of(account, scope="VIEWER", **fields):
    """A new token: its name, and a caller with it."""
    made = account.operator.CreateToken(parent=account.name, token=pb.Token(scope=scope_value(scope), **fields))
    return made.token.name, Caller(account.operator.channel, made.secret)


@pytest.mark.parametrize("coding", CODINGS)
def test_each_coding_gives_the_same_tile_and_has_a_tag_of_its_own(get, coding):
    _, plain_headers, plain = get(BIG)
    status, headers, body = get(BIG, **accepting(coding))
    assert status == 200 and len(plain) > 1024
    assert headers.get("content-encoding", "identity") == coding
    assert CODINGS[coding](body) == plain and (coding == "identity") == (body == plain)
    assert headers["content-length"] == str(len(body))
    assert headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert headers["cache-control"] == "private, no-cache"
    assert {name.strip() for name in headers["vary"].split(",")} == {"authorization", "accept-encoding"}
    assert headers["etag"][0] == headers["etag"][-1] == '"', "a strong tag"
    assert (coding == "identity") == (headers["etag"] == plain_headers["etag"])


@pytest.mark.parametrize("coding", CODINGS)
def test_a_tag_is_good_for_its_own_coding_alone(get, coding):
    tags = {name: get(BIG, **accepting(name))[1]["etag"] for name in CODINGS}
    assert len(set(tags.values())) == len(CODINGS)
    for known, expected in [(tags[name], 304 if name == coding else 200) for name in CODINGS] + [
        (f'"other", {tags[coding]}', 304),
        (f"W/{tags[coding]}", 304),
        ("*", 304),
        ('"other"', 200),
        ("", 200),
    ]:
        status, headers, body = get(BIG, headers={"accept-encoding": coding, "if-none-match": known})
        assert status == expected, known
        assert headers["etag"] == tags[coding] and headers["vary"] and headers["cache-control"] == "private, no-cache"
        assert (body == b"") == (expected == 304)


@pytest.mark.parametrize(
    "asked, big, small",
    [
        ("gzip, deflate, br, zstd", "zstd", "identity"),
        ("gzip, deflate, br", "gzip", "identity"),
        ("*", "zstd", "identity"),
        ("gzip;q=0.5, br;q=0.9", "br", "identity"),
        ("gzip;q=0", "identity", "identity"),
        ("identity, gzip;q=0.5", "identity", "identity"),
        ("identity;q=0, gzip", "gzip", "gzip"),
        ("*;q=0, br", "br", "br"),
        ("deflate", "identity", "identity"),
        ("", "identity", "identity"),
        ("*;q=0", None, None),
        ("identity;q=0", None, None),
        ("deflate, identity;q=0", None, None),
    ],
)
def test_what_is_sent_is_what_the_caller_wants_most(get, asked, big, small):
    for path, expected in ((BIG, big), (SMALL, small)):
        status, headers, body = get(path, **accepting(asked))
        if expected is None:
            assert status == 406 and fault_of(body)["field"] == "accept-encoding"
        else:
            assert (status, headers.get("content-encoding", "identity")) == (200, expected), path
            assert CODINGS[expected](body) == get(path)[2]
        assert "accept-encoding" in headers["vary"]


@pytest.mark.parametrize("rest", [{}, accepting("br"), {"headers": {"if-none-match": "*"}}, accepting("*;q=0")])
@pytest.mark.parametrize("path", [BIG, EMPTY, "tiles.json", "tiles/0/1/0.mvt", "tiles/0/0/0.mvt?x=1"])
def test_head_is_get_without_a_body(get, path, rest):
    status, headers, _ = get(path, **rest)
    assert get(path, method="HEAD", **rest) == (status, headers, b"")
    assert get(path, token=None, method="HEAD", **rest)[0] == 401


def test_equal_tiles_of_two_accounts_have_unlike_tags(get, operator):
    other = Account(operator)
    reads = {"token": other.caller("VIEWER").token, "account": other.name}
    _, headers, body = get(EMPTY, **reads)
    own = get(EMPTY)
    assert body == own[2] == b"" and headers["etag"] != own[1]["etag"]
    assert get(EMPTY, headers={"if-none-match": headers["etag"]})[0] == 200
    assert get(EMPTY, headers={"if-none-match": headers["etag"]}, **reads)[0] == 304


def test_what_is_deleted_is_in_no_tile_that_anybody_keeps(get, account):
    reads = {"token": account.caller("VIEWER").token, "account": account.name}
    site = account.create_site("soon gone").name
    account.caller().SetPin(site=site, position=pb.LatLng(lat=0.1, lng=0.1))
    _, headers, body = get(SMALL, **reads)
    known = {"if-none-match": headers["etag"]}
    assert b"soon gone" in body and get(SMALL, headers=known, **reads)[0] == 304
    account.caller().DeleteSite(name=site)
    status, _, body = get(SMALL, headers=known, **reads)
    assert (status, body) == (200, b"")


def test_a_change_that_leaves_a_tile_as_long_changes_its_tag(get, account):
    """A tag of less than all bytes would have caches show a site as it was, for as long as nothing else changes there."""
    reads = {"token": account.caller("VIEWER").token, "account": account.name}
    site = account.create_site("soon down").name
    account.caller().SetPin(site=site, position=pb.LatLng(lat=0.1, lng=0.1))
    _, headers, before = get(SMALL, **reads)
    known = {"if-none-match": headers["etag"]}
    assert b"unknown" in before and get(SMALL, headers=known, **reads)[0] == 304
    account.caller().UpdateSite(site=pb.Site(name=site, status=pb.SITE_STATUS_OFFLINE), update_mask=mask("status"))
    status, changed, after = get(SMALL, headers=known, **reads)
    assert status == 200 and b"offline" in after and changed["etag"] != headers["etag"]
    assert len(after) == len(before), "the two words are of one length"


@pytest.mark.parametrize("path", [BIG, "tiles.json"])
@pytest.mark.parametrize(
    "query, field",
    [
        ("token=x", "query"),
        ("Filter=status%3DONLINE", "query"),
        ("filter=&filter=", "filter"),
        ("r=1&r=2", "r"),
        ("filter=%ff", "filter"),
        ("filter=%4", "filter"),
        ("filter=" + quote("status ="), "filter"),
        ("filter=" + quote("nothing = 1"), "filter"),
        ("filter=" + quote("note : x"), "filter"),
        ("filter=" + quote("(" * 1000), "filter"),
        ("filter=" + "x" * 3000, "filter"),
    ],
)
def test_bad_queries_name_their_parameter(get, path, query, field):
    status, headers, body = get(f"{path}?{query}")
    assert (status, fault_of(body)["field"]) == (400, field), body
    assert headers["cache-control"] == "no-store"
    assert get(f"{path}?{query}", token=None)[0] == 401, "a stranger is told nothing else"


@pytest.mark.parametrize(
    "where, field",
    [
        ("0/1/0", "tile"),
        ("3/8/0", "tile"),
        ("3/0/8", "tile"),
        ("23/0/0", "zoom"),
        ("03/0/0", "z"),
        ("256/0/0", "z"),
        ("3/-1/0", "x"),
        ("3/+1/0", "x"),
        ("3/01/0", "x"),
        ("3/1e0/0", "x"),
        ("3/1.0/0", "x"),
        ("3/0/00", "y"),
        ("3/0/4294967296", "y"),
    ],
)
def test_tiles_that_are_nowhere_are_refused(get, where, field):
    status, _, body = get(f"tiles/{where}.mvt")
    assert (status, fault_of(body)["reason"], fault_of(body)["field"]) == (400, "FIELD_INVALID", field), body


def test_a_filter_is_obeyed_and_goes_into_the_description(server, get, world):
    queries = ("", 'customer_id = "c1"', "status = OFFLINE")
    by_filter = {query: get(f"{BIG}?filter={quote(query)}")[2] for query in queries}
    assert by_filter[""] == get(BIG)[2] and by_filter["status = OFFLINE"] == b""
    assert 0 < len(by_filter['customer_id = "c1"']) < len(by_filter[""])
    for query, tile in by_filter.items():
        streamed = world.caller().StreamTiles(parent=world.name, tiles=[{"z": 0}], filter=query)
        assert [answer.mvt for answer in streamed] == [tile]
        described = json.loads(get(f"tiles.json?filter={quote(query)}")[2])
        assert described["tilejson"] == "3.0.0" and described["maxzoom"] == 22
        path = path_at(world, first_tile(described["tiles"][0]))
        assert fetch(server.target, path, world.caller("VIEWER").token)[2] == tile


def sign(caller, account, seconds=None, **fields):
    ttl = None if seconds is None else duration_pb2.Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
    return caller.SignTileUrl(parent=account.name, ttl=ttl, **fields)


def first_tile(path):
    return path.replace("{z}", "0").replace("{x}", "0").replace("{y}", "0")


def path_at(account, address):
    """The path of an address that is relative to the account's TileJSON, as one is behind a proxy."""
    assert address.startswith("tiles/"), address
    return f"/v1/{account.name}/{address}"


def signature_of(signed):
    return signed.tile_path.partition("?signature=")[2]


def test_a_signed_address_needs_no_header(server, world, get):
    signed = sign(world.caller("VIEWER"), world)
    assert signed.tile_path.startswith(f"/v1/{world.name}/tiles/{{z}}/{{x}}/{{y}}.mvt?signature=")
    status, headers, tile = fetch(server.target, first_tile(signed.tile_path))
    assert (status, tile) == (200, get(BIG)[2])
    assert headers["referrer-policy"] == "no-referrer" and headers["cache-control"] == "private, no-cache"
    assert headers["etag"] == get(BIG)[1]["etag"]
    status, headers, body = fetch(server.target, signed.tile_json_path)
    assert status == 200 and headers["referrer-policy"] == "no-referrer"
    path = path_at(world, first_tile(json.loads(body)["tiles"][0]))
    assert fetch(server.target, path)[2] == tile, "the description's own address is signed too"
    assert fetch(server.target, path + "&r=7", token="wmk_nonsense")[0] == 200, "no header is looked at"
    assert signature_of(signed) not in server.log_text(), "addresses are permissions: no line of the log holds one"


@pytest.mark.parametrize("seconds, expected", [(None, 900), (0.001, 0.001), (90.5, 90.5), (3600, 3600)])
def test_an_address_works_as_long_as_is_asked(world, seconds, expected):
    before = time.time()
    end = sign(world.caller(), world, seconds).expire_time.ToNanoseconds() / 1e9
    assert before + expected - 0.001 <= end <= time.time() + expected + 0.001


@pytest.mark.parametrize("ttl", [(0, 0), (-1, 0), (3600, 1), (10**10, 0), (1, -1), (0, 10**9), (-(2**62), 0)])
def test_other_times_are_refused(world, ttl):
    ttl = duration_pb2.Duration(seconds=ttl[0], nanos=ttl[1])
    call = lambda: world.caller().SignTileUrl(parent=world.name, ttl=ttl)  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field="ttl")


def test_an_address_ends_when_it_expires(server, world):
    signed = sign(world.caller(), world, 2)
    end, deadline = signed.expire_time.ToNanoseconds(), time.monotonic() + END_S_MAX
    while True:
        before = time.time_ns()
        status, _, _ = fetch(server.target, first_tile(signed.tile_path))
        if status == 401:
            break
        assert status == 200 and before < end, "it works until its end and no longer"
        assert time.monotonic() < deadline
    assert time.time_ns() >= end, "it ended too early"
    assert fetch(server.target, signed.tile_json_path)[0] == 401


def test_an_address_ends_with_its_token(server, world):
    end = timestamp_pb2.Timestamp()
    end.FromNanoseconds(time.time_ns() + 60_000_000_000)
    name, caller = token_of(world, expire_time=end)
    signed = sign(caller, world, 3600)
    assert signed.expire_time == caller_end(world, name)
    paths = [first_tile(signed.tile_path), signed.tile_json_path]
    assert [fetch(server.target, path)[0] for path in paths] == [200, 200]
    world.caller().RevokeToken(name=name)
    assert [fetch(server.target, path)[0] for path in paths] == [401, 401]


def caller_end(account, name):
    tokens = account.caller().ListTokens(parent=account.name, page_size=1000).tokens
    return next(token.expire_time for token in tokens if token.name == name)


def test_what_was_not_signed_opens_nothing(server, world, operator):
    """Altered, another account's, of another use, cut, empty: one answer, which tells nothing."""
    signed = sign(world.caller(), world, filter="status = ONLINE")
    signature, other = signature_of(signed), Account(operator)
    places = range(0, len(signature), 5)
    bad = [signature[:at] + ("B" if signature[at] == "A" else "A") + signature[at + 1 :] for at in places]
    bad += [signature[:-1], signature[1:], signature + "A", signature + "=", "", "A" * 9000, signature * 2]
    bad += [signature_of(sign(other.caller(), other)), world.caller().token]
    bad += [world.caller().ListSites(parent=world.name, page_size=1).next_page_token]
    tries = [(world.name, text) for text in bad] + [(other.name, signature), ("accounts/nobody-at-all", signature)]
    for path in (BIG, "tiles.json"):
        answers = set()
        for account, text in tries:
            status, headers, body = fetch(server.target, f"/v1/{account}/{path}?signature={text}")
            answers.add((status, body, json.dumps(sorted(headers.items()))))
        assert len(answers) == 1, answers
        status, body, headers = next(iter(answers))
        assert status == 401 and fault_of(body)["reason"] == "CREDENTIAL_INVALID" and "www-authenticate" in headers
    assert fetch(server.target, first_tile(signed.tile_path))[0] == 200, "it was good all the while"


@pytest.mark.parametrize("query", ["", 'customer_id = "c2"', 'customer_id = "ö & {z}"', LONG_FILTER])
def test_the_filter_of_an_address_is_fixed(server, world, get, query):
    signed = sign(world.caller(), world, filter=query)
    for path in (first_tile(signed.tile_path), signed.tile_json_path):
        assert fetch(server.target, path)[0] == 200
        for more in ("filter=", "filter=status%3DONLINE"):
            status, _, body = fetch(server.target, f"{path}&{more}")
            assert (status, fault_of(body)["field"]) == (400, "filter")
    assert fetch(server.target, first_tile(signed.tile_path))[2] == get(f"{BIG}?filter={quote(query)}")[2]
    refused(
        "INVALID_ARGUMENT", "FIELD_INVALID", lambda: sign(world.caller(), world, filter=query + "("), field="filter"
    )


def test_a_stream_gives_what_http_gives_in_the_order_of_the_request(world, get):
    wanted = [(0, 0, 0), (10, 512, 511), (22, 0, 0), (3, 4, 3), (0, 0, 0), (1, 1, 0)]
    answers = world.caller("VIEWER").StreamTiles(parent=world.name, tiles=[dict(zip("zxy", tile)) for tile in wanted])
    assert [(answer.tile.z, answer.tile.x, answer.tile.y) for answer in answers] == wanted
    for answer, (z, x, y) in zip(answers, wanted):
        _, headers, body = get(f"tiles/{z}/{x}/{y}.mvt")
        assert (answer.mvt, answer.etag) == (body, headers["etag"])
    assert len({answer.revision for answer in answers}) == 1 and answers[0].revision > 0


@pytest.mark.parametrize(
    "tiles, query, field",
    [
        ([], "", "tiles"),
        ([(0, 0, 0)] * (TILES_MAX + 1), "", "tiles"),
        ([(0, 0, 0)] * 3 + [(3, 8, 0)], "", "tiles[3]"),
        ([(0, 0, 0), (-1, 0, 0)], "", "tiles[1]"),
        ([(23, 0, 0)], "", "tiles[0]"),
        ([(0, 0, 0)], "status =", "filter"),
        ([(0, 0, 0)], "note : x", "filter"),
    ],
)
def test_a_bad_stream_is_refused_before_its_first_tile(world, tiles, query, field):
    request = pb.StreamTilesRequest(parent=world.name, tiles=[dict(zip("zxy", tile)) for tile in tiles], filter=query)
    call = lambda: next(world.caller().begin("StreamTiles", request))  # noqa: E731
    refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field=field)


# A client that asks for 64 KiB at a time. Left to itself, gRPC opens its window to megabytes on a fast connection.
NARROW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1 << 16)]


def all_day(account):
    """More bytes than all buffers on the way to a narrow client hold, so that the server waits for it."""
    return pb.StreamTilesRequest(parent=account.name, tiles=[{"z": 0}] * TILES_MAX)


def test_a_revoked_token_ends_the_stream(server, world):
    name, caller = token_of(world)
    with grpc.insecure_channel(server.target, options=NARROW) as channel:
        stream = Caller(channel, caller.token).begin("StreamTiles", all_day(world))
        assert len(next(stream).mvt) * TILES_MAX > 1_000_000
        world.caller().RevokeToken(name=name)
        taken = 1
        with pytest.raises(grpc.RpcError) as caught:
            for _ in stream:
                taken += 1
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED and taken < TILES_MAX


def test_a_cut_stream_harms_nobody(world):
    caller = world.caller("VIEWER")
    for _ in range(20):
        stream = caller.begin("StreamTiles", all_day(world))
        next(stream)
        stream.cancel()
    assert len(caller.StreamTiles(parent=world.name, tiles=[{"z": 0}] * TILES_MAX)) == TILES_MAX
