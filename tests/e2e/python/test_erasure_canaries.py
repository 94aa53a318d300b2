"""Canaries in all that is personal of a site, former values, addresses and invitations included: after an erasure of the site, or
of its account, none is in the store's files, in any form that it may have there, in a log, or in a metric. Those of where its people
live go with the others where that is asked for, and stay where it is not."""

import ipaddress
import secrets
import struct

import grpc
import pytest

from client import Account, Caller, fetch, mask
from mail_server import MailServer
from residents import allow, wait_until
from server import Server
from stubs import pb

# Former values of a site's contact and note.
ROUNDS = 3
# How a site's invitation stands when it is erased.
INVITED = ["accepted", "waits in the outbox", "revoked", "sent"]
# What is found of a site beside secrets: of its people, and of where they live.
PERSON = {"contact, note, device or owner", "former device", "phone", "extension", "claimed_ip", "public_ip"}
HOME = {"address", "its answer", "pin", "measured position"}
# A canary of one long word would be cut where a page of the file ends: many are, and not all of them.
NOTE_TIMES = 400


class Person:
    """The canaries of one site: no text of them is in another's."""

    def __init__(self, number):
        self.number, self.site = number, None
        self.mark = f"kanari{secrets.token_hex(5)}"
        low = secrets.randbelow(2**64)
        self.claimed = [str(ipaddress.ip_address((0x2001_0DB8_00AA << 80) + low + n)) for n in range(2)]
        self.addresses = [f"81.2.{number}.{11 + n}" for n in range(2)]
        self.owners = [f"{self.mark}-owner{n}@example.org" for n in range(2)]
        # So many digits stand nowhere by chance; the last one is the round's.
        self.extension = f"{secrets.randbelow(9 * 10**8) + 10**8}"
        self.secrets = []
        # One that is answered to, one that nobody answers to, and two positions.
        self.street, self.lane = f"Laugavegur {number}", f"heimili{secrets.token_hex(5)}"
        self.pin, self.measured = (pb.LatLng(lat=near(64), lng=near(-21)) for _ in range(2))

    def contact(self, round_):
        phone = pb.Phone(number=f"+35455{self.number:02}{round_:03}", extension=f"{self.extension}{round_}")
        mark = f"{self.mark}-{round_}"
        return pb.Contact(email=f"{mark}@example.org", first_name=f"{mark}-first", last_name=f"{mark}-last", phones=[phone])

    def note(self, round_):
        return f"{self.mark}-{round_}-note " * NOTE_TIMES

    def forms(self):
        """What to look for, by what it is of: texts, addresses in each of their forms, parts of secrets."""
        yield "contact, note, device or owner", self.mark.encode()
        yield "former device", f"{self.mark}-former".encode()
        for round_ in range(ROUNDS + 2):
            phone = self.contact(round_).phones[0]
            yield "phone", phone.number.encode()
            yield "extension", phone.extension.encode()
        for of, texts in (("claimed_ip", self.claimed), ("public_ip", self.addresses)):
            for text in texts:
                address = ipaddress.ip_address(text)
                yield of, text.encode()
                yield of, address.packed.hex().encode()
                if address.version == 6:
                    # Four bytes may stand anywhere by chance.
                    yield of, address.packed
        for secret in self.secrets:
            yield "invitation or token", secret.encode()
        yield "address", self.lane.encode()
        yield "its answer", self.street.encode()
        for of, position in (("pin", self.pin), ("measured position", self.measured)):
            yield of, repr(position.lat).encode()
            yield of, struct.pack("<d", position.lat)

    def found_in(self, stored):
        return {of for of, form in self.forms() if form in stored}


def near(degrees):
    """A coordinate of six digits that is nobody else's."""
    return float(f"{degrees}.{secrets.randbelow(90_000) * 10 + 100_001}")


class House:
    """An account whose sites have persons."""

    def __init__(self, operator, mail, numbers):
        self.account, self.mail = Account(operator, country="IS"), mail
        self.admin, self.service = self.account.caller(), self.account.caller("SERVICE")
        self.people = [Person(number) for number in numbers]
        for person in self.people:
            self.move_in(person)

    def move_in(self, person):
        enrol = self.account.caller("ENROLLMENT").behind(person.addresses[0])
        made = enrol.ActivateAgent(
            parent=self.account.name, agent_id=f"a{person.number}", agent_key=bytes(32), claimed_ip=person.claimed[0]
        )
        person.site = made.site
        # Gone by and by, and in the history alone then.
        self.report_device(person, "former")
        for round_ in range(ROUNDS):
            stated = pb.Site(name=person.site, contact=person.contact(round_), note=person.note(round_))
            self.admin.UpdateSite(site=stated, update_mask=mask("contact", "note"))
        row = pb.SiteRow(site=pb.Site(contact=person.contact(ROUNDS)), name=person.site, update_mask=mask("contact"))
        (result,) = self.admin.ImportSites(parent=self.account.name, rows=[row]).results
        assert result.outcome, result
        first = self.admin.ListSiteChanges(parent=person.site, field="note").changes[-1]
        self.admin.RestoreSiteValue(name=first.name, field="note")
        agent = Caller(self.account.operator.channel, made.credential, person.addresses[1])
        measured = pb.DevicePosition(position=person.measured, accuracy_m=5.0)
        agent.ReportStatus(claimed_ip=person.claimed[1], device_position=measured)
        self.report_device(person, "cam")
        self.locate(person)

    def report_device(self, person, word):
        mark = f"{person.mark}-{word}"
        device = pb.Device(id=mark, display_name=f"{mark} of a person", kind=f"{mark}-kind")
        self.service.ReportDevices(parent=person.site, devices=[device])

    def locate(self, person):
        """Says where they live beside what their device says, which some take back."""
        found = self.admin.SetAddress(site=person.site, address_line=f"{person.street}, 101 Reykjavík")
        assert found.state == pb.ADDRESS_STATE_APPLIED, found
        self.admin.SetAddress(site=person.site, address_line=f"Xyzzyqwv {person.lane} 99999")
        parts = pb.PostalAddress(street=f"Xyzzyqwv {person.lane} 7", locality=f"Plughkjh {person.lane}")
        self.admin.SetAddress(site=person.site, postal_address=parts)
        self.admin.SetPin(site=person.site, position=person.pin)
        if person.number % 2:
            self.admin.DeleteFix(site=person.site, source=pb.FIX_SOURCE_DEVICE)

    def invite(self, person, how):
        access = f"{person.site}/residentAccess"
        for owner in person.owners:
            stated = pb.ResidentAccess(name=access, owner_email=owner, enabled=True)
            stated.device_permissions.append(allow(f"{person.mark}-cam", visible=True))
            self.admin.UpdateResidentAccess(
                resident_access=stated, update_mask=mask("owner_email", "enabled", "device_permissions")
            )
        self.admin.InviteResident(name=access)
        if how == "waits in the outbox":
            return
        code = self.mail.code(person.owners[-1])
        person.secrets += [code, code.rsplit(".", 1)[1]]
        if how == "revoked":
            self.admin.RevokeResidentAccess(name=access)
        if how == "accepted":
            key = secrets.token_hex(16)
            redeemed = Caller(self.account.operator.channel).RedeemInvitation(code=code, retry_key=key.encode())
            person.secrets += [redeemed.secret, key]
        state = lambda: self.admin.GetResidentAccess(name=access)
        wait_until(lambda: state().invitation_delivery != pb.INVITATION_DELIVERY_QUEUED, self.mail)


def invite_all(house, other, mail):
    """Brings the invitations of a house's sites to where `INVITED` says; the mail server goes away before the last of them."""
    waiting = INVITED.index("waits in the outbox")
    for index, how in enumerate(INVITED):
        if index != waiting:
            house.invite(house.people[index], how)
    other.invite(other.people[0], "accepted")
    mail.stop()
    house.invite(house.people[waiting], INVITED[waiting])


def stored(server):
    """Everything in the data directory."""
    return b"".join(path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file())


def exported(house):
    return str(house.admin.ExportAccountPersonalData(name=house.account.name, page_size=1000)).encode()


def searched(house, person):
    """The sites that a search for the person's word finds: what memory holds of them."""
    return [hit.site.name for hit in house.admin.SearchSites(parent=house.account.name, query=person.mark).hits]


def erase_each(house, **how):
    """Site by site, as people ask for it."""
    for person in house.people:
        house.admin.EraseSitePersonalData(name=person.site, **how)


def erase_all(house, **how):
    token, first = "", True
    while token or first:
        page = house.admin.EraseAccountPersonalData(name=house.account.name, page_size=3, page_token=token, **how)
        token, first = page.next_page_token, False


@pytest.mark.parametrize("include_location", [False, True])
@pytest.mark.parametrize("erase", [erase_each, erase_all])
def test_nothing_of_a_person_is_left(tmp_path, erase, include_location):
    left = set() if include_location else HOME
    with MailServer(tmp_path, "none", login=False) as mail:
        extra = ["--log", "trace", "--config", mail.config()]
        with Server(tmp_path / "data", geoip=False, gazetteer=True, extra=extra) as server:
            with grpc.insecure_channel(server.target) as channel:
                operator = Caller(channel, server.admin_token)
                house, other = House(operator, mail, range(40, 44)), House(operator, mail, [60])
                invite_all(house, other, mail)
                # Without this the end of the test would say nothing.
                before, told = stored(server), exported(house)
                for person in (*house.people, *other.people):
                    assert person.found_in(before) == PERSON | HOME, "the secrets alone are nowhere, not even now"
                for person in house.people:
                    assert person.found_in(told) == PERSON | HOME, "an export tells what an erasure takes"
                    assert searched(house, person) == [person.site]

                erase(house, include_location=include_location)
                metrics = fetch(server.target, "/metrics", server.admin_token)[2]
                places = [("files", stored(server), left), ("metrics", metrics, set()), ("export", exported(house), left)]
                for of, place, there in places:
                    for person in house.people:
                        assert person.found_in(place) == there, of
                assert not any(searched(house, person) for person in house.people), "nor does memory hold it"
                assert other.people[0].found_in(stored(server)) == PERSON | HOME, "another account keeps its own"
            assert server.stop() == 0
            log = server.log_text().encode()
            assert b"TRACE" in log, "all is logged that can be"
            server.start()
            for of, place, there in (("log", log, set()), ("files after a restart", stored(server), left)):
                for person in house.people:
                    assert person.found_in(place) == there, of
