"""Causes of the history that other tests do not meet: each way to change a site leaves the entry that names it."""

from client import Caller
from residents import Home
from stubs import pb
from test_history import AT, actor_of, cause, changes_of, check_chain, edits_of, last


def told(caller, site):
    return [(cause(change), sorted(edits_of(change))) for change in check_chain(caller, site)]


def test_a_site_is_made_and_comes_back(account):
    caller = account.caller("EDITOR")
    site = caller.CreateSite(parent=account.name, site=pb.Site(display_name="Home", note="a")).name
    token = caller.WhoAmI().token
    (made,) = changes_of(caller, site)
    assert (cause(made), actor_of(made), list(made.edits)) == ("CREATED", token, [])
    assert made.make_time == caller.GetSite(name=site).create_time
    caller.DeleteSite(name=site)
    deleted = last(caller, site)
    caller.UndeleteSite(name=site)
    back = last(caller, site)
    assert (cause(back), actor_of(back), list(edits_of(back))) == ("UNDELETED", token, ["delete_time"])
    edit = back.edits[0]
    assert edit.old_value == deleted.edits[0].new_value and not edit.HasField("new_value")
    assert [one for one, _ in told(caller, site)] == ["UNDELETED", "DELETED", "CREATED"]


def test_a_candidate_that_a_person_chose(iceland):
    caller = iceland.caller("EDITOR")
    site = iceland.create_site().name
    answer = caller.GeocodeAddress(parent=iceland.name, site=site, address_line="Laugavegur 1, Reykjavík")
    applied = caller.ApplyCandidate(site=site, candidate_token=answer.candidates[0].token)
    change = last(caller, site)
    edits = edits_of(change)
    assert (cause(change), actor_of(change)) == ("CANDIDATE_APPLIED", caller.WhoAmI().token)
    assert {"location.address", "location.fixes.address", "location.source"} <= set(edits)
    assert edits["location.fixes.address"].new_value.fix.position == applied.location.position
    assert edits["location.source"].new_value.source == pb.FIX_SOURCE_ADDRESS


def test_a_fix_that_a_person_took_away(account):
    caller = account.caller("EDITOR")
    site = account.create_site().name
    caller.SetPin(site=site, position=AT)
    caller.DeleteFix(site=site, source=pb.FIX_SOURCE_PIN)
    change = last(caller, site)
    edits = edits_of(change)
    assert (cause(change), set(edits)) == ("FIX_DELETED", {"location.fixes.pin", "location.source"})
    assert edits["location.fixes.pin"].old_value.fix.position == AT
    assert not edits["location.fixes.pin"].HasField("new_value")
    back = caller.RestoreSiteValue(name=change.name, field="location.fixes.pin")
    assert back.location.position == AT


def test_an_agent_that_leaves_a_deleted_site(account):
    """The agent of a deleted site may take another one over: the deleted one is nobody's from then on, and says why."""
    editor = account.caller("EDITOR")
    left, taken = account.activate("fw-left"), account.activate("fw-taken")
    editor.DeleteSite(name=left.site)
    editor.AllowReplacement(site=taken.site, agent_id="fw-left")
    change = last(editor, left.site)
    token = editor.WhoAmI().token
    assert (cause(change), actor_of(change), list(edits_of(change))) == ("AGENT_LEFT", token, ["agent_id"])
    came = account.activate("fw-left")
    assert came.site == taken.site and came.replaced and last(editor, left.site) == change
    assert change.edits[0].old_value.text == "fw-left" and not change.edits[0].HasField("new_value")
    assert cause(last(editor, taken.site)) == "TAKEN_OVER"
    assert not editor.UndeleteSite(name=left.site).agent_id


def test_every_step_of_an_access_is_in_it(account, mail_server):
    """Setting up, inviting, sending again, accepting, revoking and taking away: who did it, and what it changed."""
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    invited = home.get()
    mail_server.code(home.email)
    home.editor.ResendInvitation(name=home.name)
    resent = home.get()
    assert resent.invite_time.ToNanoseconds() > invited.invite_time.ToNanoseconds()
    again = last(home.editor, home.site)
    assert (cause(again), actor_of(again)) == ("RESIDENT_INVITED", home.editor.WhoAmI().token)
    values = [edit for edit in again.edits if edit.field.endswith("invite_time")]
    assert len(values) == 1, again
    assert values[0].old_value.time == invited.invite_time and values[0].new_value.time == resent.invite_time
    redeemed = home.redeem(mail_server.code(home.email, 2))
    accepted, token_id = last(home.editor, home.site), redeemed.secret.split("_")[1]
    assert (cause(accepted), actor_of(accepted)) == ("INVITATION_REDEEMED", f"{account.name}/tokens/{token_id}")
    home.editor.RevokeResidentAccess(name=home.name)
    home.editor.DeleteResidentAccess(name=home.name)
    assert [cause(change) for change in check_chain(home.editor, home.site)] == [
        "RESIDENT_ACCESS_CHANGED", "RESIDENT_ACCESS_REVOKED", "INVITATION_REDEEMED", "RESIDENT_INVITED",
        "RESIDENT_INVITED", "RESIDENT_ACCESS_CHANGED", "CREATED",
    ]  # fmt: skip


def test_how_an_agent_knows_itself_leaves_no_entry(account):
    """Devices: test_history_devices. Checks of links: test_ticketing_links. Turns between uplinks: test_uplinks."""
    caller, made = account.caller("EDITOR"), account.activate(ip="8.8.8.8")
    agent = Caller(account.operator.channel, made.credential).behind("8.8.8.8")
    agent.ReportStatus()
    before = changes_of(caller, made.site)
    for own in ("10.0.0.1", "10.0.0.2"):
        agent.ReportStatus(claimed_ip=own)
        assert caller.GetSite(name=made.site).claimed_ip == own
    assert changes_of(caller, made.site) == before
