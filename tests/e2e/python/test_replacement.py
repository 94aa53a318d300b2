"""A site outlives its agent: the next one finds all that people and the site itself said of it."""

from client import Account, Caller, mask
from residents import DEVICES, allow
from rules import invite
from stubs import pb


def kept(site):
    """The record without what another agent changes: who it is, and what it reports."""
    copy = pb.Site.FromString(site.SerializeToString())
    for name in ("agent_id", "replacement", "last_seen_time", "update_time", "revision", "etag"):
        copy.ClearField(name)
    return copy


def test_a_site_loses_nothing_to_its_next_agent(operator):
    account = Account(operator)
    editor = account.caller("EDITOR")
    old = account.activate("fw-old", ip="8.8.8.8")
    said = pb.Site(
        name=old.site, display_name="Head office", note="Key at the desk", customer_id="C-17", contract_id="K-2026/4",
        status=pb.SITE_STATUS_MAINTENANCE, labels={"region": "north"},
        contact=pb.Contact(email="anna@example.is", first_name="Anna", last_name="Ek", phones=[
            pb.Phone(number="+3545551234", kind=pb.PHONE_KIND_WORK)
        ]),
        ticketing_links=[pb.TicketingLink(system="our own", organization_id="AC-17", organization_name="Acme")],
    )  # fmt: skip
    paths = [field.name for field, _ in said.ListFields() if field.name != "name"]
    editor.UpdateSite(site=said, update_mask=mask(*paths))
    editor.SetPin(site=old.site, position=pb.LatLng(lat=64.1, lng=-21.9))
    account.caller("SERVICE").ReportDevices(parent=old.site, devices=DEVICES)
    name = f"{old.site}/residentAccess"
    resident = Caller(operator.channel, invite(account, old.site, "replaced@example.org"))
    allowed = [allow("cam", visible=True, power=True), allow("tv", visible=True, block=True)]
    access = pb.ResidentAccess(name=name, device_permissions=allowed)
    editor.UpdateResidentAccess(resident_access=access, update_mask=mask("device_permissions"))

    def standing():
        return {
            "site": kept(editor.GetSite(name=old.site)),
            "access": editor.GetResidentAccess(name=name),
            "devices": list(editor.ListDevices(parent=old.site).devices),
            "seen": resident.GetResidentSite(name=old.site),
            "seen devices": list(resident.ListResidentDevices(parent=old.site).devices),
        }

    before = standing()
    assert before["access"].state == pb.RESIDENT_ACCESS_STATE_ACCEPTED and len(before["seen devices"]) == 2
    assert before["site"].status == pb.SITE_STATUS_MAINTENANCE and before["site"].customer_id == "C-17"
    editor.AllowReplacement(site=old.site, agent_id="fw-new")
    new = account.activate("fw-new", ip="8.8.8.8")
    assert new.site == old.site and new.replaced
    assert editor.GetSite(name=old.site).agent_id == "fw-new"
    after = standing()
    for part, was in before.items():
        assert after[part] == was, part
    # The next agent speaks for the same devices.
    agent = Caller(operator.channel, new.credential)
    assert len(agent.ReportDevices(parent=old.site, devices=[pb.Device(id="new")], merge=True).devices) == 4


def test_the_first_activation_is_told_for_ever(account):
    """`activate_time`: set once by the first agent that comes, whoever comes again or later."""
    caller = account.caller()
    assert not account.create_site().HasField("activate_time"), "no agent, no activation"
    key = b"k" * 32
    old = account.activate("fw-old", key=key, ip="8.8.8.8")
    first = caller.GetSite(name=old.site)
    assert first.activate_time == first.create_time, "made by its activation"
    account.activate("fw-old", key=key, ip="81.2.69.160")
    agent = Caller(account.operator.channel, old.credential)
    agent.ReportStatus(status=pb.SITE_STATUS_OFFLINE)
    agent.ActivateAgent(parent=account.name, agent_id="fw-old")
    assert caller.GetSite(name=old.site).activate_time == first.activate_time
    caller.AllowReplacement(site=old.site, agent_id="fw-new")
    account.activate("fw-new")
    assert caller.GetSite(name=old.site).activate_time == first.activate_time
    listed = {site.name: site for site in caller.ListSites(parent=account.name).sites}
    assert listed[old.site].activate_time == first.activate_time


def test_a_site_that_waited_for_its_first_agent_is_activated_when_it_comes(account):
    caller = account.caller()
    site = account.create_site("Waits")
    caller.AllowReplacement(site=site.name, agent_id="fw-1")
    came = account.activate("fw-1")
    assert came.site == site.name
    found = caller.GetSite(name=site.name)
    assert found.activate_time.ToNanoseconds() > site.create_time.ToNanoseconds()
    change = caller.ListSiteChanges(parent=site.name, field="activate_time", page_size=1).changes[0]
    (edit,) = [edit for edit in change.edits if edit.field == "activate_time"]
    assert edit.new_value.time == found.activate_time and not edit.HasField("old_value")
