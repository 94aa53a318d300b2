"""Sites from a sheet, by the command line: what becomes of each row, what a person chooses, and going on after a fall."""

import contextlib
import csv
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time

import grpc
import pytest

from client import Account, Caller
from server import BINARY, Server
from stubs import pb

# Seconds for one import in a build without optimisation.
IMPORT_S_MAX = 120
# Rows of a sheet that is interrupted: enough that it lasts some seconds.
MANY = 400


class Importer:
    """The command line with a token of one account, for what goes in and what comes out."""

    def __init__(self, server, account, directory):
        self.server, self.account, self.directory = server, account, directory
        self.token_file = directory / "token"
        token = pb.Token(scope=pb.TOKEN_SCOPE_EDITOR)
        self.token_file.write_text(account.operator.CreateToken(parent=account.name, token=token).secret)

    def command(self, *arguments, verb="import"):
        own = ["--account", self.account.id, "--server", self.server.url, "--token-file", self.token_file]
        return [str(part) for part in [BINARY, verb, *arguments, *own]]

    def run(self, *arguments, verb="import"):
        """Runs it to its end."""
        command = self.command(*arguments, verb=verb)
        done = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_S_MAX, check=False)
        assert "panicked" not in done.stderr, done.stderr
        return done

    def export(self, name, *arguments):
        """The bytes of an export into a file of this name."""
        path = self.directory / name
        done = self.run("sites", "--out", path, *arguments, verb="export")
        assert done.returncode == 0, done.stderr
        assert not path.with_name(f"{name}.part").exists()
        return path.read_bytes()

    def sheet(self, text, name="sites.csv"):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def rows(self, name):
        with open(self.directory / name, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def sites(self, caller=None):
        """The account's sites by name."""
        caller, token, found = caller or self.account.caller("VIEWER"), "", {}
        while True:
            page = caller.ListSites(parent=self.account.name, page_size=1000, page_token=token)
            for site in page.sites:
                assert site.display_name not in found
                found[site.display_name] = site
            token = page.next_page_token
            if not token:
                return found


@pytest.fixture
def importer(server, iceland, tmp_path):
    return Importer(server, iceland, tmp_path)


SHEET = """name,customer_id,email,phone,label.tier,address,lat,lng
Harpa,C-1,harpa@example.com,+3545285000,gold,"Laugavegur 1, 101 Reykjavík",,
Vague,C-2,,,,Springfield,,
Lost,C-3,,,,"Xyzzyplugh 9999, Nowhereton",,
Pinned,C-4,,,,"Austurstræti 9, Reykjavík",64.15,-21.9
Bare,,,,,,,
"""


def test_a_terminal_shows_a_bar_and_a_file_none(importer):
    path = importer.sheet("name\n" + "".join(f"site {number}\n" for number in range(MANY)))
    master, terminal = pty.openpty()
    os.set_inheritable(terminal, True)
    # Wide enough for the bar; nobody sized this terminal.
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    with subprocess.Popen(
        importer.command("sites", path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal, env=os.environ | {"TERM": "xterm"}
    ) as process:
        os.close(terminal)
        shown = b""
        # The other end closes with the program: on Linux that is an error of reading.
        with contextlib.suppress(OSError):
            while read := os.read(master, 65536):
                shown += read
        assert process.wait(IMPORT_S_MAX) == 0
    os.close(master)
    text = shown.decode("utf-8")
    counted = [int(done) for done in re.findall(rf"(\d+)/{MANY} ", text)]
    assert counted and counted == sorted(counted) and counted[-1] == MANY, text
    assert "rows" in text and "█" in text, text
    again = importer.run("sites", path)
    assert again.returncode == 0 and "\x1b" not in again.stderr and "█" not in again.stderr


def test_a_sheet_becomes_sites_and_what_is_ambiguous_waits_for_a_choice(importer):
    sheet = importer.sheet(SHEET)
    done = importer.run("sites", sheet)
    assert done.returncode == 0, done.stderr
    assert "5 rows: 5 created, 0 updated, 0 as they were, 0 failed; 1 addresses were not found" in done.stdout
    sites = importer.sites()
    assert set(sites) == {"Harpa", "Vague", "Lost", "Pinned", "Bare"}
    harpa = sites["Harpa"]
    assert (harpa.customer_id, harpa.contact.email, harpa.labels["tier"]) == ("C-1", "harpa@example.com", "gold")
    assert harpa.contact.phones[0].number == "+3545285000"
    assert harpa.location.source == pb.FIX_SOURCE_ADDRESS and abs(harpa.location.position.lat - 64.146) < 0.005
    pinned = sites["Pinned"].location
    assert (pinned.position.lat, pinned.position.lng, pinned.source) == (64.15, -21.9, pb.FIX_SOURCE_PIN)
    assert pinned.address.state == pb.ADDRESS_STATE_PIN_KEPT and "Austurstræti" in pinned.address.formatted
    assert not sites["Vague"].location.HasField("position") and not sites["Bare"].location.HasField("address")

    report = {row["name"]: row for row in importer.rows("sites.csv.report.csv")}
    states = {name: row["address_state"] for name, row in report.items()}
    assert states == {"Harpa": "applied", "Vague": "ambiguous", "Lost": "not_found", "Pinned": "pin_kept", "Bare": ""}
    assert report["Harpa"]["line"] == "2" and report["Harpa"]["site"] == harpa.name
    offers = importer.rows("sites.csv.review.csv")
    assert len(offers) > 1 and {offer["name"] for offer in offers} == {"Vague"}
    assert not sheet.with_name("sites.csv.journal").exists(), "all is done"
    # The same sheet again finds all as it was, whatever became of the addresses.
    before = importer.sites()
    done = importer.run("sites", sheet)
    assert "5 rows: 0 created, 0 updated, 5 as they were, 0 failed" in done.stdout, done.stdout + done.stderr
    assert importer.sites() == before

    # A person marks the second place, and that is where the site goes.
    chosen = offers[1] | {"choice": "x"}
    with open(importer.directory / "review.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, offers[0].keys())
        writer.writeheader()
        writer.writerows([offers[0], chosen])
    done = importer.run("choices", importer.directory / "review.csv")
    assert done.returncode == 0 and "1 of 1 choices applied" in done.stdout, done.stdout + done.stderr
    vague = importer.sites()["Vague"].location
    assert vague.address.formatted == chosen["formatted_address"]
    assert abs(vague.position.lat - float(chosen["lat"])) < 1e-5

    # What a sheet does not speak of stays.
    before = importer.sites()
    done = importer.run("sites", importer.sheet("name,customer_id\nharpa,C-1\nBare,C-9\n"))
    assert "2 rows: 0 created, 1 updated, 1 as they were, 0 failed" in done.stdout, done.stdout + done.stderr
    after = importer.sites()
    assert after["Harpa"] == before["Harpa"] and after["Bare"].customer_id == "C-9"


def test_labels_and_phones_of_a_sheet_join_those_that_are_there(importer):
    mobile = pb.Phone(number="+3545551234", kind=pb.PHONE_KIND_MOBILE)
    contact = pb.Contact(first_name="Ada", phones=[mobile])
    importer.account.create_site("Harpa", labels={"tier": "silver", "floor": "3"}, contact=contact)
    sheet = importer.sheet("name,label.tier,phone\nHARPA,gold,+3545550000\n")
    done = importer.run("sites", sheet)
    assert done.returncode == 0 and "1 updated" in done.stdout, done.stderr
    harpa = importer.sites()["Harpa"]
    assert dict(harpa.labels) == {"tier": "gold", "floor": "3"} and harpa.contact.first_name == "Ada"
    assert [phone.number for phone in harpa.contact.phones] == ["+3545551234", "+3545550000"]
    assert harpa.contact.phones[0] == mobile
    assert "1 as they were" in importer.run("sites", sheet).stdout


def test_a_choice_overrules_nobody_and_marks_are_not_written_over(importer):
    sheet = importer.sheet("name,address\nVague,Springfield\n")
    assert importer.run("sites", sheet).returncode == 0
    review = importer.directory / "sites.csv.review.csv"
    lines = review.read_text(encoding="utf-8").splitlines()
    review.write_text("\n".join([lines[0], "x" + lines[1], *lines[2:]]), encoding="utf-8")
    again = importer.run("sites", sheet)
    assert again.returncode == 1 and "marked choices" in again.stderr
    site = importer.sites()["Vague"]
    importer.account.caller().SetPin(site=site.name, position=pb.LatLng(lat=64.1, lng=-21.9))
    done = importer.run("choices", review)
    assert done.returncode == 1 and "0 of 1 choices applied" in done.stdout, done.stdout
    assert importer.sites()["Vague"].location.source == pb.FIX_SOURCE_PIN


def test_a_dry_run_says_what_would_be_and_changes_nothing(importer):
    importer.account.create_site("Bare")
    before = importer.sites()
    sheet = importer.sheet(SHEET + "Bad,,no address,,,,,\n")
    done = importer.run("sites", sheet, "--dry-run")
    assert done.returncode == 1 and "1 rows failed" in done.stderr
    report = {row["name"]: row for row in importer.rows("sites.csv.dry.report.csv")}
    outcomes = {name: row["outcome"] for name, row in report.items()}
    created = dict.fromkeys(["Harpa", "Vague", "Lost", "Pinned"], "created")
    assert outcomes == created | {"Bare": "unchanged", "Bad": "failed"}
    assert report["Vague"]["address_state"] == "ambiguous" and report["Harpa"]["address_state"] == "applied"
    assert report["Bad"]["field"] == "contact.email" and "name@domain" in report["Bad"]["message"]
    assert importer.sites() == before
    assert not sheet.with_name("sites.csv.report.csv").exists()


def test_bad_rows_are_told_and_tried_again_and_the_others_are_done(importer):
    sheet = importer.sheet("name;status;address\nGood;online;\nBad;broken;\nShort\nWorse;online;\x07bell\nLast;offline;\n")
    done = importer.run("sites", sheet)
    assert done.returncode == 1 and "3 rows failed" in done.stderr, done.stderr
    report = {row["line"]: row for row in importer.rows("sites.csv.report.csv")}
    assert [report[line]["outcome"] for line in "23456"] == ["created", "failed", "failed", "failed", "created"]
    assert "a status is" in report["3"]["message"] and "fields" in report["4"]["message"]
    assert report["5"]["field"] == "address_line" and "control" in report["5"]["message"]
    # A row is applied whole or not at all.
    assert set(importer.sites()) == {"Good", "Last"}
    again = importer.run("sites", sheet)
    assert again.returncode == 1 and "2 created" in again.stdout
    # Another sheet is no continuation of this one.
    other = importer.run("sites", importer.sheet("name\nOther\n"))
    assert other.returncode == 1 and "begun with another sheet" in other.stderr


@pytest.mark.parametrize(
    "text,told",
    [("", "empty"), ("naem\nx\n", "no column is called"), ("customer_id\nx\n", "`name`"), ("name,name\n", "two columns")],
)
def test_a_file_that_is_no_sheet_is_refused(importer, text, told):
    done = importer.run("sites", importer.sheet(text))
    assert done.returncode == 1 and told in done.stderr
    assert importer.sites() == {}


def test_a_token_without_the_right_stops_the_import_at_once(importer):
    viewer = importer.account.operator.CreateToken(
        parent=importer.account.name, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER)
    )
    importer.token_file.write_text(viewer.secret)
    done = importer.run("sites", importer.sheet("name\n" + "".join(f"site {number}\n" for number in range(MANY))))
    assert done.returncode == 1 and "run it again to go on" in done.stderr
    assert importer.sites() == {}


def many():
    """A sheet of many sites at doors that there are."""
    rows = (f'"site {number}","Laugavegur {number % 40 + 1}, Reykjavík"\n' for number in range(MANY))
    return "name,address\n" + "".join(rows)


def begun(process, journal, rows):
    """Waits until so many rows are in the journal."""
    deadline = time.monotonic() + IMPORT_S_MAX
    while not journal.exists() or journal.read_bytes().count(b"\n") <= rows:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)


def test_an_import_that_is_killed_goes_on_and_doubles_nothing(importer):
    sheet = importer.sheet(many())
    journal = sheet.with_name("sites.csv.journal")
    for rows in (20, 120):
        process = subprocess.Popen(importer.command("sites", sheet), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        begun(process, journal, rows)
        process.kill()
        process.communicate()
        assert process.returncode == -9
    kept = journal.read_bytes().count(b"\n") - 1
    done = importer.run("sites", sheet)
    assert done.returncode == 0 and f"{MANY} rows: {MANY} created" in done.stdout, done.stdout + done.stderr
    assert kept < MANY
    assert len(importer.sites()) == MANY


def test_a_server_that_falls_stops_the_import_and_the_next_run_ends_it(tmp_path):
    with Server(tmp_path / "data", geoip=False, gazetteer=True) as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token), country="IS")
            importer = Importer(server, account, tmp_path)
        sheet = importer.sheet(many())
        process = subprocess.Popen(importer.command("sites", sheet), stderr=subprocess.PIPE, text=True)
        begun(process, sheet.with_name("sites.csv.journal"), 50)
        server.kill()
        _, told = process.communicate(timeout=IMPORT_S_MAX)
        # Not 1: the same command may succeed later.
        assert process.returncode == 75 and "run it again to go on" in told, told
        server.start()
        done = importer.run("sites", sheet)
        assert done.returncode == 0, done.stderr
        with grpc.insecure_channel(server.target) as channel:
            sites = importer.sites(Caller(channel, importer.token_file.read_text()))
        assert len(sites) == MANY
        # A site and its address are one write.
        assert all(site.location.address.typed for site in sites.values())


def test_two_thousand_rows_survive_a_fall_of_either_side(tmp_path):
    rows, fields = 2_000, "name,email,phones,labels,lat,lng"
    row = '"site {0}",a{0}@example.com,work +3545451{1:03},"{{""n"":""{0}""}}",{2},{3}\n'
    text = "".join(row.format(n, n % 1000, n % 160 - 79.5, n % 357 - 177.5) for n in range(rows))
    with Server(tmp_path / "data", geoip=False) as server:
        with grpc.insecure_channel(server.target) as channel:
            importer = Importer(server, Account(Caller(channel, server.admin_token)), tmp_path)
        sheet = importer.sheet(f"{fields}\n{text}")
        journal = sheet.with_name("sites.csv.journal")
        for done, falls in ((300, "importer"), (900, "server")):
            process = subprocess.Popen(importer.command("sites", sheet), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            begun(process, journal, done)
            if falls == "server":
                server.kill()
            else:
                process.kill()
            process.communicate(timeout=IMPORT_S_MAX)
            assert process.returncode != 0
        server.start()
        done = importer.run("sites", sheet)
        assert done.returncode == 0 and f"{rows} rows: {rows} created" in done.stdout, done.stdout + done.stderr
        with grpc.insecure_channel(server.target) as channel:
            sites = importer.sites(Caller(channel, importer.token_file.read_text()))
        # None is missing, none is there twice, and none is there in part.
        assert len(sites) == rows
        for n in range(rows):
            site = sites[f"site {n}"]
            assert site.labels["n"] == str(n) and site.contact.email == f"a{n}@example.com"
            assert site.location.position == pb.LatLng(lat=n % 160 - 79.5, lng=n % 357 - 177.5), n
