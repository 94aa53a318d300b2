"""Sheets out and in again: what is exported comes back exactly, and what is bad is told by row and column."""

import csv
import datetime
import io
import json
import secrets

import grpc
import pytest

from client import Account, Caller, mask, refused
from server import ASN_FILE, Server
from stubs import pb
from test_history import check_chain
from test_import import Importer

# Texts that mean something to somebody on the way: spreadsheets, CSV, JSON, mail, terminals, people.
HOSTILE = [
    "=HYPERLINK(\"http://example.com\")",
    "+1-2",
    "-",
    "@SUM(A1)",
    "'=1",
    "''<clear>",
    "<clear>",
    "'s-Hertogenbosch",
    'say "hi", they\'d; said',
    "a,b;c\td",
    "\\n \\\" \\u0000",
    "<script>alert(1)</script>",
    "Ünïcödé ☃ 🦀 e\u0301",
    "x" * 256,
    "null",
    "007",
    "1e5",
    "＝1",
]
NOTES = ["\n=1\n", "  two\n\n\tlines  \n", "\t", "x" * 65536, '"""', "\ufeffbom", "#\n,\n"]


def hostile_account(operator):
    """An account with a site of each hostile text in each field that takes it."""
    account = Account(operator, country="IS")
    for number, text in enumerate(HOSTILE):
        line = text.replace("\t", " ")
        contact = pb.Contact(first_name=line, last_name=line[::-1].strip(), phones=phones(number))
        made = account.create_site(
            line,
            contact=contact,
            customer_id=line,
            contract_id=line,
            note=NOTES[number % len(NOTES)],
            labels={"a": line, "b/c": "", "d.e": "x"},
            status=1 + number % 4,
            ticketing_links=[
                pb.TicketingLink(system=line[:20] or "x", organization_id=line, organization_name=line),
                pb.TicketingLink(
                    system="other",
                    organization_id="1",
                    external_site_id=line,
                    external_site_name=line,
                    uri="https://example.com/?a=1",
                ),
            ],
        )
        if number % 2:
            at = pb.LatLng(lat=-64.1234567890123 + number / 7, lng=179.9999999999 - number / 3)
            account.caller().SetPin(site=made.name, position=at)
    account.create_site("bare")
    email = pb.Contact(email="=cmd|'/c'!a0@example.com")
    account.create_site("mail", contact=email)
    return account


def phones(number):
    some = [
        pb.Phone(number="+3545451000", kind=pb.PHONE_KIND_MOBILE, extension="012"),
        pb.Phone(number="+390669821234", kind=pb.PHONE_KIND_OTHER),
        pb.Phone(number="+12125550123", kind=pb.PHONE_KIND_HOME),
    ]
    return some[: number % 4]


@pytest.fixture(scope="module")
def hostile(operator):
    return hostile_account(operator)


@pytest.mark.parametrize("ending", ["csv", "geojson", "geojsonl"])
def test_what_is_exported_comes_back_exactly(server, operator, hostile, tmp_path, ending):
    out = Importer(server, hostile, tmp_path).export(f"one.{ending}", "--settable")
    empty = Account(operator, country="IS")
    importer = Importer(server, empty, tmp_path)
    done = importer.run("sites", tmp_path / f"one.{ending}")
    assert done.returncode == 0, done.stderr + (tmp_path / f"one.{ending}.report.csv").read_text(encoding="utf-8")
    assert f"{len(HOSTILE) + 2} created" in done.stdout
    again = importer.export(f"two.{ending}", "--settable")
    # Sites are in the order in which they were made, and rows of one call are made in none.
    assert lines_of(ending, again) == lines_of(ending, out)
    # The same sheet again changes nothing.
    done = importer.run("sites", tmp_path / f"two.{ending}")
    assert f"0 updated, {len(HOSTILE) + 2} as they were" in done.stdout, done.stdout
    # With all that waymark says it goes in as well, and changes nothing either.
    importer.export(f"all.{ending}", "--attention")
    done = importer.run("sites", tmp_path / f"all.{ending}", "--match", "site-id")
    assert f"0 updated, {len(HOSTILE) + 2} as they were" in done.stdout, done.stdout + done.stderr


def lines_of(ending, data):
    """What a file says of each site, in one order."""
    if ending == "csv":
        return sorted(map(tuple, csv.reader(io.StringIO(data.decode("utf-8"), newline=""))))
    if ending == "geojson":
        data = b"\n".join(json.dumps(feature, sort_keys=True).encode() for feature in json.loads(data)["features"])
    return sorted(json.dumps(json.loads(line), sort_keys=True) for line in data.splitlines())


def test_no_cell_of_an_export_is_a_formula(server, hostile, tmp_path):
    importer = Importer(server, hostile, tmp_path)
    data = importer.export("all.csv", "--bom").decode("utf-8")
    assert data.startswith("\ufeffname,status,") and data.endswith("\r\n")
    rows = list(csv.reader(io.StringIO(data.removeprefix("\ufeff"), newline="")))
    assert len({len(row) for row in rows}) == 1
    for row in rows:
        for heading, cell in zip(rows[0], row, strict=True):
            if heading not in ("lat", "lng", "info.lat", "info.lng"):
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")), (heading, cell)
    # One with a mark before it is read like one without.
    done = importer.run("sites", tmp_path / "all.csv", "--dry-run")
    assert "0 created, 0 updated" in done.stdout, done.stdout + done.stderr


def told(site):
    """What an export says of a site behind `info.`, by what the API says of it."""
    at, network = site.location, site.network
    links = [
        {"system": link.system, "organization_id": link.organization_id, "state": "unverified"} for link in site.ticketing_links
    ]
    time = lambda it: it.ToJsonString()  # noqa: E731
    infos = {
        "accuracy_m": at.accuracy_m if at.HasField("accuracy_m") else None,
        "source": pb.FixSource.Name(at.source).removeprefix("FIX_SOURCE_").lower(),
        "granularity": pb.Granularity.Name(at.granularity).removeprefix("GRANULARITY_").lower(),
        "address": at.address.formatted,
        "address_state": pb.AddressState.Name(at.address.state).removeprefix("ADDRESS_STATE_").lower() if at.address.state else "",
        "time_zone": site.time_zone,
        "public_ip": site.public_ip,
        "network": network.network,
        "asn": network.asn or None,
        "isp": network.isp,
        "ticketing_links": links or None,
        "activate_time": time(site.activate_time),
        "last_seen_time": time(site.last_seen_time),
        "create_time": time(site.create_time),
        "update_time": time(site.update_time),
        "revision": site.revision,
    }
    return {f"info.{name}": value for name, value in infos.items() if value not in ("", None)}


def test_an_export_tells_all_that_waymark_says_of_a_site(tmp_path):
    with Server(tmp_path / "data", extra=["--geoip", str(ASN_FILE)]) as server:
        with grpc.insecure_channel(server.target) as channel:
            tells_all(server, Account(Caller(channel, server.admin_token), country="IS"), tmp_path)


def tells_all(server, account, tmp_path):
    importer = Importer(server, account, tmp_path)
    name = account.activate("fw-1", ip="8.8.8.8", display_name="one").site
    links = [pb.TicketingLink(system=system, organization_id="17") for system in ("zendesk", "own")]
    site = pb.Site(name=name, ticketing_links=links)
    account.caller().UpdateSite(site=site, update_mask=mask("ticketing_links"))
    site = account.caller().GetSite(name=name)
    assert site.network.asn and site.network.isp and site.time_zone and site.HasField("last_seen_time")
    [feature] = json.loads(importer.export("sites.geojson"))["features"]
    infos = {key: value for key, value in feature["properties"].items() if key.startswith("info.")}
    times = [key for key in infos if key.endswith("_time")]
    expected = told(site)
    assert {key: moment(infos.pop(key)) for key in times} == {key: moment(expected.pop(key)) for key in times}
    assert infos == expected
    [row] = csv.DictReader(io.StringIO(importer.export("sites.csv").decode("utf-8"), newline=""))
    assert row["info.lat"] == str(site.location.position.lat) and row["info.lng"] == str(site.location.position.lng)
    assert json.loads(row["info.ticketing_links"]) == expected.pop("info.ticketing_links")
    assert {key: row[key] for key in expected} == {key: str(value) for key, value in expected.items()}
    assert {key: row[key] for key in times} == {key: feature["properties"][key] for key in times}


def moment(text):
    return datetime.datetime.fromisoformat(text)


def test_a_feature_says_where_its_site_is_and_whose_word_that_is(server, operator, tmp_path):
    account = Account(operator)
    importer = Importer(server, account, tmp_path)
    site = account.create_site("pinned").name
    account.caller().SetPin(site=site, position=pb.LatLng(lat=64.1, lng=-21.9))
    account.activate("fw-1", ip="8.8.8.8", display_name="estimated")
    account.create_site("unplaced")
    collection = json.loads(importer.export("sites.geojson", "--attention"))
    features = {feature["properties"]["name"]: feature for feature in collection["features"]}
    pinned, estimated, unplaced = (features[name] for name in ("pinned", "estimated", "unplaced"))
    assert pinned["geometry"] == {"type": "Point", "coordinates": [-21.9, 64.1]} and site.endswith(pinned["id"])
    assert pinned["properties"]["info.source"] == "pin"
    assert estimated["geometry"]["type"] == "Point" and estimated["properties"]["info.source"] == "geoip"
    assert estimated["properties"]["agent_id"] == "fw-1"
    assert unplaced["geometry"] is None and unplaced["properties"]["info.attention"] == ["unplaced"]
    # In again: a machine's estimate makes no pin.
    elsewhere = Importer(server, Account(operator), tmp_path)
    assert elsewhere.run("sites", tmp_path / "sites.geojson").returncode == 0
    sites = elsewhere.sites()
    assert sites["pinned"].location.source == pb.FIX_SOURCE_PIN
    assert not sites["estimated"].location.HasField("position")


def test_an_export_holds_what_its_filter_says_and_standard_output_is_a_file_too(server, hostile, tmp_path):
    importer = Importer(server, hostile, tmp_path)
    done = importer.run("sites", "--filter", 'display_name = "bare"', "--settable", verb="export")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["name"] for row in rows] == ["bare"], done.stderr
    done = importer.run("sites", "--filter", "display_name =", "--out", tmp_path / "x.csv", verb="export")
    assert done.returncode == 1 and "filter" in done.stderr and not (tmp_path / "x.csv").exists()


def test_a_site_is_found_by_id_or_agent_and_gets_another_name(server, operator, tmp_path):
    account = Account(operator)
    importer = Importer(server, account, tmp_path)
    site = account.create_site("old name").name
    account.activate("fw-1", display_name="fw-1 site")
    sheet = importer.sheet(f"site_id,name,note\n{site.rsplit('/', 1)[1]},new name,x\n,made,y\n{'0' * 32},lost,z\n")
    done = importer.run("sites", sheet, "--match", "site-id")
    assert "1 created, 1 updated, 0 as they were, 1 failed" in done.stdout, done.stdout + done.stderr
    sites = importer.sites()
    assert sites["new name"].name == site and {"made", "fw-1 site"} <= set(sites) and "lost" not in sites
    sheet = importer.sheet("agent_id,name,customer_id\nfw-1,renamed,C-1\nfw-2,nobody,C-2\n", "agents.csv")
    done = importer.run("sites", sheet, "--match", "agent-id")
    assert "0 created, 1 updated, 0 as they were, 1 failed" in done.stdout, done.stdout
    assert importer.sites()["renamed"].customer_id == "C-1"
    assert importer.rows("agents.csv.report.csv")[1]["field"] == "agent_id"


def test_what_is_cleared_is_gone_and_an_empty_cell_leaves_it(server, operator, tmp_path):
    account = Account(operator, country="IS")
    importer = Importer(server, account, tmp_path)
    contact = pb.Contact(email="a@example.com", first_name="Ada", phones=phones(2))
    site = account.create_site("x", contact=contact, note="n", labels={"a": "b"}, customer_id="C")
    account.caller().SetPin(site=site.name, position=pb.LatLng(lat=1, lng=1))
    sheet = importer.sheet("name,email,first_name,phones,note,labels,lat,lng\nx,,,,,,,\n")
    assert "1 as they were" in importer.run("sites", sheet).stdout
    sheet = importer.sheet("name,email,phones,note,labels,lat,lng\nx" + ",<clear>" * 6 + "\n")
    done = importer.run("sites", sheet)
    assert "1 updated" in done.stdout, done.stdout + done.stderr
    left = importer.sites()["x"]
    assert left.contact == pb.Contact(first_name="Ada") and left.customer_id == "C"
    assert not left.note and not left.labels and not left.location.HasField("position")


GOOD = ["Good before", "Good behind"]


@pytest.mark.parametrize(
    "row,field,told",
    [
        (b"x,\xff\xfe,,,,\n", "note", "no text in UTF-8"),
        (b"x,y\n", "", "it has 2 fields, and the heading has 6"),
        (b"x,y,,,,,,\n", "", "fields"),
        (b"x,=1+1,,,,\n", "note", "formula"),
        (b"=cmd|' /C calc'!A0,,,,,\n", "name", "formula"),
        (b"x,bell\x07,,,,\n", "note", "control"),
        (b"x\x00y,,,,,\n", "display_name", "control"),
        ("x\u202ey,,,,,\n".encode(), "display_name", "direction"),
        (b'"x\r\nBcc: y@z",,,,,\n', "display_name", "control"),
        (b'x,,"a@x\r\nBcc: y@z",,,\n', "contact.email", "control"),
        (b"x,,a@b>,,,\n", "contact.email", "name@domain"),
        (b"x,,,+999 123 4567,,\n", "contact.phones[0].number", "calling code"),
        (b"x,,,545 1000; 12,,\n", "contact.phones[1].number", "too few"),
        (b"x,,,1-800-FLOWERS,,\n", "contact.phones[0].number", "digits"),
        (b"x,,,,0,0\n", "position", "0"),
        (b"x,,,,91,0\n", "position.lat", "90"),
        (b"x,,,,NaN,1\n", "position.lat", ""),
        (b"x,,,,north,1\n", "lat", "decimal degrees"),
        (b"x,,,,1,\n", "lat", "both lat and lng"),
        (b",note,,,,\n", "name", "empty"),
        (b"x," + b"y" * (10 * 1024 * 1024) + b",,,,\n", "note", "at most 65536 bytes, got 10485760"),
        (b"x" * 300 + b",,,,,\n", "display_name", "256 bytes"),
        (b"Good before,,,,,\n", "name", "line 2 is of the same site"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value or "row",
)
def test_a_bad_row_is_told_by_row_and_field_and_leaves_nothing(server, operator, tmp_path, row, field, told):
    importer = Importer(server, Account(operator, country="IS"), tmp_path)
    path = tmp_path / "sites.csv"
    heading = b"name,note,email,phones,lat,lng\n"
    path.write_bytes(heading + b"Good before,,,,,\n" + row + b"Good behind,,,,,\n")
    dry = importer.run("sites", path, "--dry-run")
    assert dry.returncode == 1 and importer.sites() == {}
    done = importer.run("sites", path)
    assert done.returncode == 1, done.stdout
    report = importer.rows("sites.csv.report.csv")
    assert strip(report) == strip(importer.rows("sites.csv.dry.report.csv"))
    bad = next(line for line in report if line["line"] == "3")
    assert (bad["outcome"], bad["field"]) == ("failed", field) and told in bad["message"], bad
    twice = row.startswith(b"Good")
    assert set(importer.sites()) == set(GOOD[1:] if twice else GOOD)


def strip(report):
    """A report without what a dry run cannot know."""
    return [line | {"site": ""} for line in report]


def test_a_quotation_mark_that_is_never_closed_is_told_where_it_begins(server, operator, tmp_path):
    importer = Importer(server, Account(operator), tmp_path)
    sheet = importer.sheet('name,note\nA,x\nB,"open\nC,y\nD,z\n')
    assert importer.run("sites", sheet).returncode == 0
    # It is one note, of all that follows: what is there is read as RFC 4180 says.
    assert importer.sites()["B"].note == "open\nC,y\nD,z\n"
    wide = importer.sheet('name,note,email\nE,x,\nF,"open\nG,y,\n', "wide.csv")
    assert importer.run("sites", wide).returncode == 1
    assert "quotation mark" in importer.rows("wide.csv.report.csv")[1]["message"]
    assert "F" not in importer.sites()


@pytest.mark.parametrize(
    "text,told",
    [
        (b"\xff\xfen\0a\0m\0e\0", "UTF-16"),
        (b'{"type":"FeatureCollection","features":[{"type":"Feature"', "ends in the middle"),
        (b'{"features":[1]}', "stands no feature"),
    ],
)
def test_a_file_that_cannot_be_read_through_changes_nothing(server, operator, tmp_path, text, told):
    importer = Importer(server, Account(operator), tmp_path)
    path = tmp_path / ("sites.csv" if text.startswith(b"\xff") else "sites.geojson")
    path.write_bytes(text)
    done = importer.run("sites", path)
    assert done.returncode == 1 and told in done.stderr, done.stderr


def test_rows_over_the_limits_of_a_call_are_refused(operator):
    account = Account(operator)
    rows = [pb.SiteRow(site=pb.Site(display_name=secrets.token_hex(4))) for _ in range(101)]
    refused(
        "INVALID_ARGUMENT", "FIELD_INVALID", lambda: account.caller().ImportSites(parent=account.name, rows=rows), "rows"
    )
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: account.caller().ImportSites(parent=account.name), "rows")


def test_rows_that_are_sent_again_make_nothing_twice(operator):
    account = Account(operator)
    row = pb.SiteRow(
        site=pb.Site(display_name="x"),
        position=pb.LatLng(lat=1, lng=1),
        request_id="0190a1b2-0000-7000-8000-000000000001",
    )

    def send(**more):
        return account.caller().ImportSites(parent=account.name, rows=[row], **more).results[0]

    dry = send(validate_only=True)
    assert dry.outcome == pb.IMPORT_OUTCOME_CREATED and not dry.etag
    first, again = send(), send()
    assert (first.outcome, again.outcome) == (pb.IMPORT_OUTCOME_CREATED, pb.IMPORT_OUTCOME_CREATED)
    assert first.name == again.name and first.etag == again.etag
    site = account.caller().GetSite(name=first.name)
    assert site.location.source == pb.FIX_SOURCE_PIN
    # Position and fields are one change.
    assert len(account.caller().ListSiteChanges(parent=first.name).changes) == 1
    row.request_id = ""
    assert send().outcome == pb.IMPORT_OUTCOME_UNCHANGED
    # What is refused in a part is refused as a whole.
    row.site.note, row.position.lat = "changed", 0
    row.position.lng = 0
    row.update_mask.paths.append("note")
    refused_row = send()
    assert (refused_row.outcome, refused_row.field) == (pb.IMPORT_OUTCOME_REFUSED, "position")
    assert account.caller().GetSite(name=first.name).note == ""


def test_rows_of_one_call_that_name_one_site_make_it_once_and_lose_nothing(operator):
    """A sheet with such rows is refused before it is sent; whoever sends them has several writers of one site."""
    account, rows = Account(operator), 8
    row_of = lambda n: pb.SiteRow(  # noqa: E731
        site=pb.Site(display_name=["Pier", "PIER "][n % 2], note=f"by {n}"), update_mask=mask("note"), set_labels={f"row{n}": "x"}
    )
    results = account.caller().ImportSites(parent=account.name, rows=[row_of(n) for n in range(rows)]).results
    outcomes = sorted(one.outcome for one in results)
    assert outcomes == [pb.IMPORT_OUTCOME_CREATED] + [pb.IMPORT_OUTCOME_UPDATED] * (rows - 1), results
    (site,) = account.caller().ListSites(parent=account.name).sites
    assert {one.name for one in results} == {site.name}
    assert dict(site.labels) == {f"row{n}": "x" for n in range(rows)} and site.note in {f"by {n}" for n in range(rows)}
    assert len(check_chain(account.caller(), site.name)) == rows, "each of them is in its history"


@pytest.mark.parametrize("text", [b"name\nB\r\nC\r\n", b"name\rB\rC\r", b"name\r\nB\nC\n"], ids=["mixed", "returns", "feeds"])
def test_no_row_is_lost_whatever_ends_the_lines(server, operator, tmp_path, text):
    """Two rows had one number where ends of lines are mixed, or carriage returns alone, and one of them was never applied."""
    importer = Importer(server, Account(operator), tmp_path)
    path = tmp_path / "sites.csv"
    path.write_bytes(text)
    done = importer.run("sites", path)
    assert done.returncode == 0 and "2 rows: 2 created" in done.stdout, done.stdout + done.stderr
    assert set(importer.sites()) == {"B", "C"}
    assert [row["line"] for row in importer.rows("sites.csv.report.csv")] == ["2", "3"]


def test_a_report_holds_no_formula_whatever_a_property_is_called(server, operator, tmp_path):
    importer = Importer(server, Account(operator), tmp_path)
    name = '=HYPERLINK("http://example.com")'
    feature = {"type": "Feature", "properties": {"name": "x", name: "y", "=" * 100_000: 1}}
    done = importer.run("sites", importer.sheet(json.dumps(feature), "sites.geojson"))
    assert done.returncode == 1, done.stderr
    row = importer.rows("sites.geojson.report.csv")[0]
    assert not any(cell.startswith("=") for cell in row.values()), row
    assert len(row["message"]) < 2_000 and "no property is called" in row["message"]


@pytest.mark.parametrize("ending", ["csv", "geojson"])
def test_an_export_without_contacts_goes_in_again_and_leaves_them(server, operator, tmp_path, ending):
    """The mask was exported as if it were the contact: in again it stopped the import, or was refused row by row. So it would be
    with the note."""
    account = Account(operator, country="IS")
    contact = pb.Contact(email="a@example.com", first_name="Ada", phones=phones(2))
    account.create_site("x", contact=contact, note="key in the cellar")
    account.create_site("y")
    whole = Importer(server, account, tmp_path)
    (tmp_path / "masked").mkdir()
    masked = Importer(server, account, tmp_path / "masked")
    token = pb.Token(scope=pb.TOKEN_SCOPE_EDITOR, contacts=pb.CONTACT_ACCESS_MASKED)
    masked.token_file.write_text(account.operator.CreateToken(parent=account.name, token=token).secret)
    before = whole.sites()
    assert "•" not in masked.export(f"all.{ending}").decode("utf-8")
    for importer in (masked, whole):
        done = importer.run("sites", masked.directory / f"all.{ending}")
        assert done.returncode == 0 and "0 updated, 2 as they were" in done.stdout, done.stdout + done.stderr
    assert whole.sites() == before
    # A row with a contact or a note is refused, and no other.
    account.create_site("z")
    done = masked.run("sites", masked.sheet("name,email,note,contract_id\nx,b@example.com,,\nz,,seen,\ny,,,K-7\n"))
    assert "1 updated, 0 as they were, 2 failed" in done.stdout, done.stdout + done.stderr
    for row in masked.rows("sites.csv.report.csv")[:2]:
        assert "masks contacts" in row["message"], row
    after = whole.sites()
    assert after["x"] == before["x"] and after["z"].note == "" and after["y"].contract_id == "K-7"
