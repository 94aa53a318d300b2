"""A site that is deleted keeps what it holds of persons until it comes back or is erased: meanwhile its resident is out, its link lets
nobody in, its mail is not sent, an export tells all of it, and an erasure takes it away."""

import struct

import grpc
import pytest

from client import Caller, refused, until
from metrics_page import Metrics
from residents import Home, Running, is_dead
from server import Server
from stubs import pb
from test_personal_data import ROUNDS, House, contact, pages, pin, stored, street

# The site that is deleted, and one that stands beside it.
GONE, STAYS = 3, 4


def holds_pin(files, number):
    """Whether files hold the pin of a site, as a text or as it is."""
    lat = pin(number).lat
    return repr(lat).encode() in files or struct.pack("<d", lat) in files


@pytest.mark.parametrize("all_of_account", [False, True])
def test_a_deleted_site_is_exported_and_erased_like_any_other(tmp_path, all_of_account):
    with Server(tmp_path / "data", geoip=False, gazetteer=True) as server, grpc.insecure_channel(server.target) as channel:
        house = House(Caller(channel, server.admin_token), [GONE, STAYS])
        caller, (gone, stays) = house.caller, house.sites
        deleted = caller.DeleteSite(name=gone)
        assert deleted.HasField("delete_time")
        whole = pages(caller.ExportAccountPersonalData, house.account.name, 1000)
        mine = pages(caller.ExportSitePersonalData, gone, 1000)
        assert [record for record in whole if gone in str(record)] == mine, "it is in both exports"
        for text in (*house.texts(GONE), street(GONE)):
            assert text in str(mine), text
        before = stored(server)
        assert holds_pin(before, GONE) and holds_pin(before, STAYS)

        if all_of_account:
            caller.EraseAccountPersonalData(name=house.account.name, include_location=True, page_size=100)
        else:
            caller.EraseSitePersonalData(name=gone, include_location=True)
        files = stored(server)
        for text in (*house.texts(GONE), street(GONE)):
            assert text.encode() not in files, text
        assert not holds_pin(files, GONE)
        left = caller.GetSite(name=gone)
        assert left.HasField("delete_time") and left.display_name == f"house {GONE}", "it stays deleted, and known"
        assert not caller.ListSiteChanges(parent=gone).changes
        other = contact(STAYS, ROUNDS - 1).email
        assert (other.encode() in files) is not all_of_account, "the one beside it is another one's"

        back = caller.UndeleteSite(name=gone)
        assert not back.HasField("delete_time") and back.contact == pb.Contact() and not back.note
        assert not back.location.HasField("position") and not back.location.HasField("address")
        assert caller.GetResidentAccess(name=f"{gone}/residentAccess").state == pb.RESIDENT_ACCESS_STATE_NONE
        assert not caller.ListDevices(parent=gone).devices
        assert {site.name for site in caller.ListSites(parent=house.account.name).sites} == {gone, stays}


def test_while_a_site_is_deleted_nobody_gets_in(account, mail_server):
    accepted, invited = Home(account), Home(account)
    accepted.editor.InviteResident(name=accepted.name)
    resident = accepted.resident(mail_server.code(accepted.email))
    invited.editor.InviteResident(name=invited.name)
    code = mail_server.code(invited.email)
    seen = resident.GetResidentSite(name=accepted.site)
    for home in (accepted, invited):
        home.editor.DeleteSite(name=home.site)
        refused("FAILED_PRECONDITION", "SITE_DELETED", home.get)
        refused("FAILED_PRECONDITION", "SITE_DELETED", lambda home=home: home.editor.RevokeResidentAccess(name=home.name))
    for call in (
        lambda: resident.GetResidentSite(name=accepted.site),
        lambda: resident.ListResidentDevices(parent=accepted.site),
    ):
        refused("NOT_FOUND", "RESOURCE_NOT_FOUND", call)
    is_dead(invited, code)
    for home in (accepted, invited):
        home.editor.UndeleteSite(name=home.site)
    assert (accepted.state(), invited.state()) == ("ACCEPTED", "INVITED")
    assert resident.GetResidentSite(name=accepted.site) == seen
    assert invited.resident(code).GetResidentSite(name=invited.site).name == invited.site


def test_the_mail_of_a_site_that_is_deleted_before_it_goes_is_not_sent(tmp_path):
    with Running(tmp_path) as running:
        home, mail = Home(running.account), running.mail
        mail.refuse = "451 later"
        home.editor.InviteResident(name=home.name)
        mail.wait_for(lambda: mail.tries >= 1)
        home.editor.DeleteSite(name=home.site)
        until("it waits on", lambda: Metrics.of(running.server)["waymark_mails_waiting"] == 0)
        mail.refuse = None
        home.editor.UndeleteSite(name=home.site)
        assert home.get().invitation_delivery == pb.INVITATION_DELIVERY_REFUSED, "who invited sees that nothing came"
        assert not mail.to(home.email)
        home.editor.ResendInvitation(name=home.name)
        home.resident(mail.code(home.email))
        assert home.state() == "ACCEPTED" and len(mail.to(home.email)) == 1
