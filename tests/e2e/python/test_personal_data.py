"""Persons: exported whole, masked by tokens that mask, erased for good even where the server dies in the middle."""

import json
import subprocess

import grpc
import pytest

from client import CALL_S_MAX, Account, Caller, absent_site, mask, refused
from residents import DEVICES
from server import BINARY, Server
from stubs import pb, stub

# Begins every text of a person here, and no other.
CANARY = "kanarie"
# Begins the addresses, which stay unless they are to go.
STREET = "Xyzzyqwv"
SITES = 6
# The number of a site of another account.
KEPT = 90
ROUNDS = 4


def contact(number, round_):
    """A contact whose every field is of one site and one time."""
    mark = f"{CANARY}-{number}-{round_}"
    phone = pb.Phone(number=f"+35455{number:02}{round_:03}", kind=pb.PHONE_KIND_HOME)
    return pb.Contact(email=f"{mark}@example.org", first_name=f"{mark}-first", last_name=f"{mark}-last", phones=[phone])


def note(number, round_):
    """Longer than an entry holds, so that it is kept beside the history."""
    return f"{CANARY}-{number}-{round_}-note " * 100


def street(number):
    """An address of one site, to which nothing answers."""
    return f"{STREET} Plughkjh {90_000 + number}"


def pin(number):
    """A position of one site, of digits that are nobody else's."""
    return pb.LatLng(lat=51.123451 + number / 100, lng=0.5)


class House:
    """An account whose sites have persons, each changed some times, with an address, a pin, an agent, a device and a resident."""

    def __init__(self, operator, numbers=range(SITES), account_id=None):
        self.account = Account(operator, account_id)
        self.caller = self.account.caller()
        self.sites = [self.furnish(number) for number in numbers]

    def furnish(self, number):
        ip = f"81.2.69.{100 + number}"
        site = self.account.activate(f"agent-{number}", ip=ip, display_name=f"house {number}").site
        for round_ in range(ROUNDS):
            stated = pb.Site(name=site, contact=contact(number, round_), note=note(number, round_))
            self.caller.UpdateSite(site=stated, update_mask=mask("contact", "note"))
        device = pb.Device(id=DEVICES[0].id, display_name=f"{CANARY}-{number}-device", kind="camera")
        self.account.caller("SERVICE").ReportDevices(parent=site, devices=[device])
        access = pb.ResidentAccess(name=f"{site}/residentAccess", owner_email=f"{CANARY}-{number}-owner@example.org")
        self.caller.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email"))
        self.caller.SetAddress(site=site, address_line=street(number))
        self.caller.SetPin(site=site, position=pin(number))
        return site

    def texts(self, number):
        """All personal texts of a site, those of the past too."""
        for round_ in range(ROUNDS):
            person = contact(number, round_)
            yield from (person.email, person.first_name, person.last_name, person.phones[0].number)
            yield note(number, round_)
        yield from (f"{CANARY}-{number}-device", f"{CANARY}-{number}-owner@example.org", f"81.2.69.{100 + number}")


def pages(call, name, size):
    """All records of an export, page by page."""
    records, token = [], ""
    while True:
        page = call(name=name, page_size=size, page_token=token)
        assert len(page.records) <= size
        records += page.records
        token = page.next_page_token
        if not token:
            return records


def lines(server, *arguments):
    """What the command writes, a record a line."""
    command = [str(BINARY), "account", "export-personal-data", *arguments, "--server", server.url]
    environment = {"WAYMARK_TOKEN": server.admin_token}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stored(server):
    """Everything in the data directory."""
    return b"".join(path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def house(operator):
    return House(operator)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_export_has_every_personal_text_once_and_in_order(house, size):
    records = pages(house.caller.ExportAccountPersonalData, house.account.name, size)
    data = [record.site.name for record in records if record.WhichOneof("kind") == "site"]
    assert data == sorted(house.sites)
    for number, site in enumerate(house.sites):
        mine = pages(house.caller.ExportSitePersonalData, site, size)
        at = next(at for at, record in enumerate(records) if record.site.name == site)
        assert records[at : at + len(mine)] == mine, "a site's records stand together"
        changes = [record.change for record in mine[1:]]
        assert [change.name for change in changes] == [f"{site}/changes/{at + 1}" for at in range(len(changes))]
        assert all(change.actor.WhichOneof("kind") for change in changes), "each says who made it"
        text = str(mine)
        for expected in (*house.texts(number), street(number)):
            assert expected in text, expected
        assert mine[0].site.address.typed == street(number)
        assert [(fix.source, fix.position) for fix in mine[0].site.fixes] == [(pb.FIX_SOURCE_PIN, pin(number))], "no estimate"
        assert not mine[0].site.HasField("removed_device_position")
        assert mine[0].site.resident_access.state == pb.RESIDENT_ACCESS_STATE_READY
        assert mine[0].site.display_name == f"house {number}"


def test_the_command_writes_lines_into_a_file_of_the_owner_alone(server, house, tmp_path):
    told = lines(server, house.account.id)
    records = [json.loads(line) for line in told.splitlines()]
    assert sorted(record["site"]["name"] for record in records if "site" in record) == sorted(house.sites)
    out = tmp_path / "persons.jsonl"
    out.write_text("open to all", encoding="utf-8")
    site = house.sites[2]
    assert lines(server, house.account.id, "--site", site.rsplit("/")[-1], "--out", str(out)).endswith(f"in {out}\n")
    assert out.stat().st_mode & 0o777 == 0o600
    mine = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert mine == [r for r in records if (r.get("site") or r["change"])["name"].startswith(site)]
    assert mine[0]["site"]["contact"]["phones"] == [{"number": "+3545502003", "kind": "PHONE_KIND_HOME"}]
    assert mine[1]["change"]["cause"] == "CHANGE_CAUSE_ACTIVATED"
    assert [path.name for path in tmp_path.iterdir()] == ["persons.jsonl"], "nothing is left beside it"


def erase(server, *arguments, answer=None):
    """What became of the command that erases an account; without an answer nobody is there to give one."""
    command = [str(BINARY), "account", "erase-personal-data", *arguments, "--server", server.url]
    environment = {"WAYMARK_TOKEN": server.admin_token}
    heard = {"stdin": subprocess.DEVNULL} if answer is None else {"input": answer}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False, **heard)


def test_the_command_erases_all_pages_of_an_account_that_is_named_once_more(server, operator):
    house = House(operator, [70, 71])
    name, account_id = house.account.name, house.account.id
    for begin in (0, 60):
        named = [pb.Site(display_name=f"row {begin + n}", note=f"{CANARY}-row") for n in range(60)]
        rows = [pb.SiteRow(site=site, update_mask=mask("note")) for site in named]
        house.caller.ImportSites(parent=name, rows=rows)
    held = lambda: str(pages(house.caller.ExportAccountPersonalData, name, 1000))
    before = held()
    for answer in (None, "\n", "yes\n", f"{account_id}x\n"):
        done = erase(server, account_id, answer=answer)
        assert (done.returncode, done.stdout) == (1, "") and "nothing was erased" in done.stderr, answer
    assert held() == before
    done = erase(server, account_id, answer=f"{account_id}\n")
    assert (done.returncode, done.stdout) == (0, "erased the personal data of 122 sites\n"), done.stderr
    assert f"Type {account_id}" in done.stderr and "where people live" not in done.stderr
    assert CANARY not in held() and street(70) in held(), "where they live stays"
    done = erase(server, account_id, "--include-location", answer="no\n")
    assert done.returncode == 1 and "where people live included" in done.stderr and street(70) in held()
    done = erase(server, account_id, "--include-location", "--yes")
    assert (done.returncode, done.stdout) == (0, "erased the personal data of 122 sites\n"), done.stderr
    assert "Type" not in done.stderr and STREET not in held()
    unknown = erase(server, "nowhere", "--yes")
    assert unknown.returncode == 1 and "NotFound" in unknown.stderr


def test_masked_tokens_and_strangers_export_nothing(operator, house):
    token = pb.Token(scope=pb.TOKEN_SCOPE_ADMIN, contacts=pb.CONTACT_ACCESS_MASKED)
    masked = Caller(operator.channel, house.caller.CreateToken(parent=house.account.name, token=token).secret)
    site, name = house.sites[0], house.account.name
    for call in (lambda: masked.ExportSitePersonalData(name=site), lambda: masked.ExportAccountPersonalData(name=name)):
        refused("PERMISSION_DENIED", "CONTACTS_MASKED", call)
    stranger = Account(operator).caller()
    there = refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: stranger.ExportAccountPersonalData(name=name))
    absent = lambda: stranger.ExportAccountPersonalData(name="accounts/nowhere")
    nowhere = refused("NOT_FOUND", "RESOURCE_NOT_FOUND", absent)
    assert there.message.replace(house.account.id, "nowhere") == nowhere.message
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: stranger.ExportSitePersonalData(name=site))
    absent = absent_site(house.account.id)
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: house.caller.ExportSitePersonalData(name=absent))
    # A masked token sees that there is somebody, and not who.
    seen = masked.GetSite(name=site)
    history = masked.ListSiteChanges(parent=site, field="contact")
    assert seen.contact_masked and seen.contact.email == "•••"
    shown = str([seen.contact, history])
    assert history.changes and not any(part in shown for part in ("@example.org", "-first", "-last", "+354"))


def test_an_erasure_that_dies_in_the_middle_is_repeated_and_leaves_nothing(tmp_path):
    with Server(tmp_path / "data", geoip=False, gazetteer=True) as server:
        with grpc.insecure_channel(server.target) as channel:
            house = House(Caller(channel, server.admin_token), account_id="erased")
            kept = House(Caller(channel, server.admin_token), [KEPT], "kept").sites[0]
            call = house.caller.EraseAccountPersonalData
            first = call(name=house.account.name, page_size=2)
            assert first.next_page_token
            # Begun, and dead once one more site is erased, before the call is answered.
            request = pb.EraseAccountPersonalDataRequest(name=house.account.name, page_token=first.next_page_token)
            request.page_size = 100
            erase = stub("AdminService", channel).EraseAccountPersonalData
            pending = erase.future(request, metadata=house.caller.metadata, timeout=CALL_S_MAX)
            third = sorted(house.sites)[2]
            while house.caller.GetSite(name=third).contact.email:
                assert not pending.done(), "it was answered, and the third site stands as it was"
            server.kill()
            assert pending.exception() is None or pending.code() == grpc.StatusCode.UNAVAILABLE
        assert CANARY.encode() in stored(server)
        server.start()
        with grpc.insecure_channel(server.target) as channel:
            caller = Caller(channel, house.caller.token)
            erased, token = [], ""
            while True:
                page = caller.EraseAccountPersonalData(name=house.account.name, page_size=2, page_token=token)
                erased += page.sites
                token = page.next_page_token
                if not token:
                    break
            assert erased == sorted(house.sites)
            records = pages(caller.ExportAccountPersonalData, house.account.name, 1000)
            assert CANARY not in str(records) and len(records) == len(house.sites), "names are left, and no history"
            assert [r.site.address.typed for r in records] == [street(house.sites.index(r.site.name)) for r in records]
            files = stored(server)
            assert street(5).encode() in files, "where they live stays unless that is to go"
            for number in range(SITES):
                for text in house.texts(number):
                    assert text.encode() not in files, text
            assert b"house 5" in files, "the sites stay"
            caller.EraseAccountPersonalData(name=house.account.name, include_location=True, page_size=100)
            files = stored(server)
            for number in range(SITES):
                assert street(number).encode() not in files and repr(pin(number).lat).encode() not in files, number
            assert street(KEPT).encode() in files
            other = Caller(channel, server.admin_token).GetSite(name=kept)
            assert other.contact.email == f"{CANARY}-{KEPT}-{ROUNDS - 1}@example.org", "another account keeps its own"
