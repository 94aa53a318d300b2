"""Every field of a site, its devices and its access, from the descriptors: changing it leaves an entry that tells who, when, from what
and to what, or it is one of those that the protos say leave none. A new field fails here until it is said which."""

import re
from pathlib import Path

import pytest

from client import Caller, failure_of, mask, until
from residents import DEVICES, Home, allow
from server import ROOT
from stubs import DESCRIPTORS, field_comments, pb
from test_history import actor_of, cause, changes_of, edits_of, last
from ticketing_accounts import link

COMMENTS = field_comments()
# Messages of a site whose own fields are looked at one by one.
DEEP = ("Contact", "Phone", "TicketingLink", "ResidentDevicePermission")
MOBILE, WORK = pb.PHONE_KIND_MOBILE, pb.PHONE_KIND_WORK


def leaves(message, path=""):
    """Each field: its path, and whether callers state it."""
    for field in message.fields:
        below = field.message_type.name if field.message_type else ""
        if below in DEEP:
            yield from leaves(field.message_type, f"{path}{field.name}.")
        else:
            comment = COMMENTS[message.name, field.name]
            yield path + field.name, not re.search(r"Output only|Opaque version", comment)


def phones(**fields):
    return pb.Contact(phones=[pb.Phone(**{"number": "+3545551234", "kind": WORK} | fields)])


def tied(**fields):
    stated = {"system": "other", "organization_id": "1", "external_site_id": "2", "uri": "https://a.example/"} | fields
    return [pb.TicketingLink(**stated)]


# What people state of a site, by the path of the field: what it is first and then, and the field of the history that tells of it.
WRITTEN = {
    "display_name": ("One", "Two", "display_name"),
    "status": (pb.SITE_STATUS_OFFLINE, pb.SITE_STATUS_MAINTENANCE, "status"),
    "contact.email": (pb.Contact(email="a@example.is"), pb.Contact(email="b@example.is"), "contact.email"),
    "contact.first_name": (pb.Contact(first_name="Anna"), pb.Contact(first_name="Ýr"), "contact.first_name"),
    "contact.last_name": (pb.Contact(last_name="Jónsdóttir"), pb.Contact(last_name="Ek"), "contact.last_name"),
    "contact.phones.number": (phones(), phones(number="+3545554321"), "contact.phones"),
    "contact.phones.kind": (phones(), phones(kind=MOBILE), "contact.phones"),
    "contact.phones.extension": (phones(), phones(extension="12"), "contact.phones"),
    "customer_id": ("C-1", "C-2", "customer_id"),
    "contract_id": ("K-1", "K-2", "contract_id"),
    "note": ("first", "second", "note"),
    "labels": ({"region": "north"}, {"region": "south"}, "labels.region"),
    "ticketing_links.system": (tied(), tied(system="another"), "ticketing_links.another/1/2"),
    "ticketing_links.organization_id": (tied(), tied(organization_id="3"), "ticketing_links.other/3/2"),
    "ticketing_links.external_site_id": (tied(), tied(external_site_id="3"), "ticketing_links.other/1/3"),
    "ticketing_links.organization_name": (tied(), tied(organization_name="Acme"), "ticketing_links.other/1/2"),
    "ticketing_links.external_site_name": (tied(), tied(external_site_name="Head"), "ticketing_links.other/1/2"),
    "ticketing_links.uri": (tied(), tied(uri="https://b.example/"), "ticketing_links.other/1/2"),
}
# What is told of a site where others than UpdateSite change it, and by which test here or elsewhere.
TOLD = {
    "location": "test_history.py::test_positions_tell_who_moved_the_site_and_why",
    "agent_id": "test_history.py::test_a_replaced_agent_loses_nothing",
    "replacement": "test_history.py::test_a_replaced_agent_loses_nothing",
    "public_ip": "test_history.py::test_reports_leave_what_they_change_and_no_times",
    "network": "test_uplinks.py::test_who_runs_the_network_is_in_the_history_once_a_site_moved",
    "delete_time": "test_history.py::test_a_deleted_site_has_its_history_and_takes_no_value_back",
    "activate_time": "test_history_fields.py::test_the_first_activation_of_a_site_is_told_with_its_time",
    "ticketing_links.state": "test_ticketing_links.py::test_a_check_is_an_entry_of_the_history_where_a_state_changes",
}
# What is no property of the site, never changes, or follows from what is told.
FOLLOWS = {
    "name": "never changes",
    "create_time": "never changes",
    "etag": "of what is told",
    "revision": "of the write",
    "update_time": "of the last entry",
    "time_zone": "of the position",
    "contact_masked": "of the caller",
    "positions": "of the caller",
}
OF_CHECKS = (
    "a check of ticketing links that finds each in the state that it was in, and the names that checks find "
    "(a link says `verify_time` and what was found itself)"
)
OF_AGENTS = "the address by which an agent knows itself (`claimed_ip`)"
OF_REPORTS = "the times of reports"
OF_MAILS = "how far the mail of an invitation is"
OF_LINKS = "the order of links"
OF_CUTS = "what is left of a raw address after `service.raw_ip_days`"
# Of these fields the protos say that they leave no entry.
SILENT = {
    "claimed_ip": OF_AGENTS,
    "last_seen_time": OF_REPORTS,
    "ticketing_links.verify_time": OF_CHECKS,
    "ticketing_links.found_organization_name": OF_CHECKS,
    "ticketing_links.found_site_name": OF_CHECKS,
    "ticketing_links.state_time": OF_CHECKS,
}
NO_DIFFERENCE = "src/model/history/tests.rs::what_makes_no_difference_to_people_is_no_edit"
# All exceptions, as the comment of SiteChange lists them, and the test that shows each.
EXCEPTIONS = {
    OF_CHECKS: TOLD["ticketing_links.state"],
    OF_AGENTS: "test_history_causes.py::test_how_an_agent_knows_itself_leaves_no_entry",
    OF_REPORTS: TOLD["public_ip"],
    "where a file cuts the network of a public address out (`network.network`) and what kind of network it is": NO_DIFFERENCE,
    "turns to a second uplink and back": TOLD["network"],
    "evidence that is renewed behind a position that stays": NO_DIFFERENCE,
    "how often a geocoder was asked": NO_DIFFERENCE,
    OF_CUTS: "test_raw_addresses.py::test_an_address_is_whole_for_thirty_days_and_then_a_network",
    OF_LINKS: "test_history_fields.py::test_what_changes_nothing_leaves_no_entry",
    OF_MAILS: "test_history_fields.py::test_how_far_a_mail_is_leaves_no_entry",
}
RENEWED = (
    "Nor of a geocoder's answer that is renewed, up to 100 m beside where it was, if its terms end: no history keeps its position. "
    "An erasure of personal data takes entries away."
)
OF_RENEWED = [
    "test_history_answers.py::test_an_answer_is_renewed_and_then_dropped",
    "test_erasure_canaries.py::test_nothing_of_a_person_is_left",
]

# Of a resident's access: what it is first and then.
CAM = "device_permissions.cam"
ACCESS = {
    "owner_email": ({"owner_email": "jo@example.org"}, {"owner_email": "bo@example.org"}, "owner_email"),
    "enabled": ({"enabled": True}, {"enabled": False}, "enabled"),
    "device_permissions.device_id": ({}, {"device_permissions": [allow("cam")]}, CAM),
    "device_permissions.visible": ({}, {"device_permissions": [allow("cam", visible=True)]}, CAM),
    "device_permissions.power": ({}, {"device_permissions": [allow("cam", visible=True, power=True)]}, CAM),
    "device_permissions.block": ({}, {"device_permissions": [allow("tv", visible=True, block=True)]}, "device_permissions.tv"),
}
# How the steps of an access are told: their states, and when it was invited.
ACCESS_TOLD = {name: "test_history_causes.py::test_every_step_of_an_access_is_in_it" for name in ("state", "invite_time")}
ACCESS_FOLLOWS = {
    "name": "never changes",
    "etag": "of what is told",
    "invitation_expire_time": "seven days after `invite_time`",
    "accept_time": "of the entry that tells the state",
    "revoke_time": "of the entry that tells the state",
    "owner_email_masked": "of the caller",
}
ACCESS_SILENT = {"invitation_delivery": OF_MAILS}
DEVICE = {
    "id": "another device",
    "display_name": pb.Device(id="d", display_name="Camera"),
    "kind": pb.Device(id="d", kind="camera"),
    "can_power": pb.Device(id="d", can_power=True),
    "can_block": pb.Device(id="d", can_block=True),
}


def editor_of(account):
    made = account.caller().CreateToken(parent=account.name, token=pb.Token(scope=pb.TOKEN_SCOPE_EDITOR))
    return Caller(account.operator.channel, made.secret), made.token.name


def test_each_field_is_told_or_is_one_of_those_that_are_not():
    assert sorted(path for path, states in leaves(pb.Site.DESCRIPTOR) if states) == sorted(WRITTEN)
    known = [*WRITTEN, *TOLD, *FOLLOWS, *SILENT]
    assert sorted(path for path, _ in leaves(pb.Site.DESCRIPTOR)) == sorted(known)
    access = dict(leaves(pb.ResidentAccess.DESCRIPTOR))
    assert sorted(access) == sorted([*ACCESS, *ACCESS_TOLD, *ACCESS_FOLLOWS, *ACCESS_SILENT])
    assert all(access[path] for path in ACCESS)
    assert sorted(field.name for field in pb.Device.DESCRIPTOR.fields) == sorted(DEVICE)


def test_the_exceptions_are_those_that_the_protos_name_and_each_has_its_test():
    (file,) = [file for file in DESCRIPTORS.file if file.name.endswith("/history.proto")]
    number = [message.name for message in file.message_type].index("SiteChange")
    (found,) = [one for one in file.source_code_info.location if list(one.path) == [4, number]]
    comment = " ".join(found.leading_comments.split())
    begins = "No entry is made of what makes no difference to the record: "
    assert comment.partition(begins)[2] == ", ".join(EXCEPTIONS) + ". " + RENEWED
    assert {*SILENT.values(), *ACCESS_SILENT.values()} <= EXCEPTIONS.keys()
    for name in {*TOLD.values(), *ACCESS_TOLD.values(), *EXCEPTIONS.values(), *OF_RENEWED}:
        path, _, test = name.partition("::")
        path = ROOT / path if "/" in path else Path(__file__).with_name(path)
        assert re.search(rf"^(def|fn) {test}\(", path.read_text(encoding="utf-8"), re.MULTILINE), name


def shown(value, stated):
    """What a past value tells, where `stated` is what was stated."""
    kind = value.WhichOneof("kind")
    if kind == "ticketing_links":
        links = [pb.TicketingLink.FromString(one.SerializeToString()) for one in value.ticketing_links.links]
        for one in links:
            assert one.state == pb.TICKETING_LINK_STATE_UNVERIFIED
            one.ClearField("state")
        return links
    if kind == "phones":
        return pb.Contact(phones=value.phones.phones)
    if isinstance(stated, pb.Contact):
        (field,) = [field.name for field, _ in stated.ListFields()]
        return pb.Contact(**{field: value.text})
    return value.status if kind == "status" else value.text


@pytest.mark.parametrize("path", WRITTEN)
def test_a_field_that_is_changed_leaves_its_entry(account, path):
    first, second, field = WRITTEN[path]
    top = path.partition(".")[0]
    editor, token = editor_of(account)
    site = editor.CreateSite(parent=account.name, site=pb.Site(**{"display_name": "Home", top: first})).name
    before = changes_of(editor, site)
    after = editor.UpdateSite(site=pb.Site(name=site, **{top: second}), update_mask=mask(top))
    change, *rest = changes_of(editor, site)
    assert rest == before, "one entry"
    assert (cause(change), actor_of(change), change.actor.scope) == ("UPDATED", token, pb.TOKEN_SCOPE_EDITOR)
    assert change.make_time == after.update_time and change.make_time.ToNanoseconds() > rest[0].make_time.ToNanoseconds()
    edits = edits_of(change)
    edit = edits[field]
    if top == "labels":
        first, second = first["region"], second["region"]
    if len(edits) == 1:
        assert (shown(edit.old_value, first), shown(edit.new_value, second)) == (first, second)
    else:
        # A link of another identity is another link: the one goes, and the other one comes.
        (gone,) = edits.keys() - {field}
        assert gone == "ticketing_links.other/1/2" and not edits[gone].HasField("new_value") and not edit.HasField("old_value")
        assert (shown(edits[gone].old_value, first), shown(edit.new_value, second)) == (first, second)


@pytest.mark.parametrize("path", ACCESS)
def test_a_field_of_an_access_that_is_changed_leaves_its_entry(account, path):
    first, second, field = ACCESS[path]
    account.caller("SERVICE").ReportDevices(parent=(home := Home(account)).site, devices=DEVICES)
    if first:
        home.update(**first)
    before, then = changes_of(home.editor, home.site), home.get()
    home.update(**second)
    change, *rest = changes_of(home.editor, home.site)
    assert rest == before and cause(change) == "RESIDENT_ACCESS_CHANGED"
    assert actor_of(change) == home.editor.WhoAmI().token
    assert change.make_time.ToNanoseconds() > rest[0].make_time.ToNanoseconds()
    assert list(edits_of(change)) == [f"resident_access.{field}"]
    (edit,) = change.edits
    if path == "owner_email":
        assert (edit.old_value.text, edit.new_value.text) == (then.owner_email, second["owner_email"])
    elif path == "enabled":
        assert (edit.old_value.text, edit.new_value.text) == ("on", "off")
    else:
        (stated,) = second["device_permissions"]
        may = [word for name, word in (("visible", "see"), ("power", "power"), ("block", "block")) if getattr(stated, name)]
        assert not edit.HasField("old_value") and edit.new_value.text == (", ".join(may) or "nothing"), edit


@pytest.mark.parametrize("field", DEVICE)
def test_a_field_of_a_device_that_is_changed_leaves_its_entry(account, field):
    service, site = account.caller("SERVICE"), account.create_site().name
    device = DEVICE[field]
    before = pb.Device(id="d")
    service.ReportDevices(parent=site, devices=[before])
    # Reports of an hour are one entry, where nothing else comes between them.
    account.caller().UpdateSite(site=pb.Site(name=site, note="between"), update_mask=mask("note"))
    if field == "id":
        service.ReportDevices(parent=site, devices=[pb.Device(id="e")])
        edits = edits_of(last(service, site))
        assert edits["devices.d"].old_value.device == before and not edits["devices.d"].HasField("new_value")
        assert edits["devices.e"].new_value.device == pb.Device(id="e") and not edits["devices.e"].HasField("old_value")
        return
    service.ReportDevices(parent=site, devices=[device])
    change = last(service, site)
    assert (cause(change), actor_of(change)) == ("REPORTED", service.WhoAmI().token)
    (edit,) = change.edits
    assert (edit.field, edit.old_value.device, edit.new_value.device) == ("devices.d", before, device)


def test_the_first_activation_of_a_site_is_told_with_its_time(account):
    editor, _ = editor_of(account)
    site = account.create_site().name
    editor.AllowReplacement(site=site, agent_id="fw-1")
    assert account.activate("fw-1").site == site
    change = last(editor, site)
    edit = edits_of(change)["activate_time"]
    assert (cause(change), actor_of(change)) == ("TAKEN_OVER", "fw-1")
    assert not edit.HasField("old_value") and edit.new_value.time == editor.GetSite(name=site).activate_time


def test_what_changes_nothing_leaves_no_entry(account):
    """The order of links, and whatever is stated as it is."""
    caller, links = account.caller(), [link("other", 1, "Acme"), link("other", 2)]
    stated = {"display_name": "Home", "note": "n", "labels": {"a": "b"}, "contact": phones(), "ticketing_links": links}
    site = caller.CreateSite(parent=account.name, site=pb.Site(**stated))
    before = changes_of(caller, site.name)
    turned = stated | {"ticketing_links": links[::-1]}
    caller.UpdateSite(site=pb.Site(name=site.name, **turned), update_mask=mask(*turned))
    assert [one.organization_id for one in caller.GetSite(name=site.name).ticketing_links] == ["2", "1"]
    caller.UpdateSite(site=pb.Site(name=site.name, **turned), update_mask=mask(*turned))
    bad = pb.Site(name=site.name, contact=pb.Contact(email="no address"), note="x")
    failure_of(lambda: caller.UpdateSite(site=bad, update_mask=mask("note", "contact")))
    assert changes_of(caller, site.name) == before


def test_how_far_a_mail_is_leaves_no_entry(account, mail_server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    before = changes_of(home.editor, home.site)
    assert cause(before[0]) == "RESIDENT_INVITED"
    mail_server.code(home.email)
    until("nobody says that it was sent", lambda: home.get().invitation_delivery == pb.INVITATION_DELIVERY_SENT)
    assert changes_of(home.editor, home.site) == before
