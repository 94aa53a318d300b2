"""The devices of a site in its history: which came, went or learnt something, by whom, and never more than a person reads."""

from client import Caller, mask, refused
from residents import DEVICES
from stubs import pb
from test_history import actor_of, cause, changes_of, check_chain, edits_of, last

# Most devices that one entry tells of.
TOLD_MAX = 64
MANY = 400
FLAPS = 20


def devices_told(change):
    return sorted(field for field in edits_of(change) if field.startswith("devices."))


def test_devices_that_come_go_and_learn_are_told(account):
    service, editor = account.caller("SERVICE"), account.caller("EDITOR")
    site = account.create_site().name
    etag = editor.GetSite(name=site).etag
    service.ReportDevices(parent=site, devices=DEVICES)
    change = last(editor, site)
    assert (cause(change), actor_of(change)) == ("REPORTED", service.WhoAmI().token)
    edits = edits_of(change)
    assert set(edits) == {"device_count", "devices.cam", "devices.nas", "devices.tv"}
    assert not edits["device_count"].HasField("old_value") and edits["device_count"].new_value.text == "3"
    for device in DEVICES:
        edit = edits[f"devices.{device.id}"]
        assert not edit.HasField("old_value") and edit.new_value.device == device and not edit.restorable
    shown = editor.GetSite(name=site)
    assert shown.etag == etag, "no machine is in the way of who edits"
    assert shown.update_time == change.make_time

    before = changes_of(editor, site)
    service.ReportDevices(parent=site, devices=DEVICES)
    service.ReportDevices(parent=site, devices=DEVICES[:1], merge=True)
    assert changes_of(editor, site) == before, "the same again is no change"

    editor.UpdateSite(site=pb.Site(name=site, note="a person"), update_mask=mask("note"))
    cam = pb.Device(id="cam", display_name="Front door camera", kind="camera", can_power=True, can_block=True)
    service.ReportDevices(parent=site, devices=[cam, DEVICES[1]])
    changes = check_chain(editor, site)
    assert [cause(change) for change in changes] == ["REPORTED", "UPDATED", "REPORTED", "CREATED"]
    edits = edits_of(changes[0])
    assert set(edits) == {"device_count", "devices.cam", "devices.nas"}
    learnt, gone = edits["devices.cam"], edits["devices.nas"]
    assert (learnt.old_value.device, learnt.new_value.device) == (DEVICES[0], cam)
    assert gone.old_value.device == DEVICES[2] and not gone.HasField("new_value")
    call = lambda: editor.RestoreSiteValue(name=changes[0].name, field="devices.cam")
    refused("FAILED_PRECONDITION", "VALUE_NOT_RESTORABLE", call)
    assert changes_of(editor, site, "devices") == [changes[0], changes[2]] == changes_of(editor, site, "devices.cam")
    assert changes_of(editor, site, "device_count") == [changes[0], changes[2]]


def test_devices_that_flap_are_one_entry_of_a_bounded_length(account):
    service, editor = account.caller("SERVICE"), account.caller("EDITOR")
    site = account.create_site().name
    many, others = ([pb.Device(id=f"{letter}{number:03}") for number in range(MANY)] for letter in "ab")
    for turn in range(FLAPS):
        service.ReportDevices(parent=site, devices=[] if turn % 2 else many)
    service.ReportDevices(parent=site, devices=others)
    changes = changes_of(editor, site)
    assert [cause(change) for change in changes] == ["REPORTED", "CREATED"]
    assert changes[0].merged_changes == FLAPS + 1
    assert devices_told(changes[0]) == [f"devices.{device.id}" for device in many[:TOLD_MAX]]
    count = edits_of(changes[0])["device_count"]
    assert not count.HasField("old_value") and count.new_value.text == str(MANY)


def test_what_an_agent_reports_of_itself_and_its_devices_is_one_entry(account):
    editor, made = account.caller("EDITOR"), account.activate("fw-1", ip="8.8.8.8")
    agent = Caller(account.operator.channel, made.credential).behind("8.8.8.8")
    agent.ReportStatus(status=pb.SITE_STATUS_OFFLINE)
    agent.ReportDevices(parent=made.site, devices=DEVICES[:1])
    agent.ReportStatus(status=pb.SITE_STATUS_ONLINE)
    changes = check_chain(editor, made.site)
    assert [(cause(change), actor_of(change)) for change in changes] == [("REPORTED", "fw-1"), ("ACTIVATED", "fw-1")]
    assert changes[0].merged_changes == 3
    assert set(edits_of(changes[0])) == {"status", "device_count", "devices.cam"}
