"""The history of a site: who changed what, when, why, from and to; and former values put back."""

import secrets
import threading
import time
import uuid

import grpc
import pytest
from google.protobuf import json_format

from client import Account, Caller, failure_of, mask, refused, scope_value
from stubs import pb

# Far above what a re-estimation of one site takes.
ENDED_S_MAX = 60
LINK = pb.TicketingLink(system="autotask", organization_id="17", organization_name="Acme")
PHONES = [pb.Phone(number="+3545551234", kind=pb.PHONE_KIND_WORK)]
AT, THERE = pb.LatLng(lat=10.5, lng=10.5), pb.LatLng(lat=-33.0, lng=151.0)
LONG, LONGER = "né " * 700, "x" * 65_536

# Field of a history -> update mask, the site with a first value, the site with a second one.
FIELDS = {
    "display_name": ("display_name", {"display_name": "One"}, {"display_name": "Two"}),
    "status": ("status", {"status": pb.SITE_STATUS_OFFLINE}, {"status": pb.SITE_STATUS_MAINTENANCE}),
    "contact.email": (
        "contact.email",
        {"contact": pb.Contact(email="a@example.is")},
        {"contact": pb.Contact(email="b@example.is")},
    ),
    "contact.first_name": (
        "contact.first_name",
        {"contact": pb.Contact(first_name="Anna")},
        {"contact": pb.Contact(first_name="Ýr")},
    ),
    "contact.last_name": (
        "contact.last_name",
        {"contact": pb.Contact(last_name="Jónsdóttir")},
        {"contact": pb.Contact(last_name="Ek")},
    ),
    "contact.phones": ("contact.phones", {"contact": pb.Contact(phones=PHONES)}, {"contact": pb.Contact()}),
    "customer_id": ("customer_id", {"customer_id": "C-1"}, {"customer_id": ""}),
    "contract_id": ("contract_id", {"contract_id": "K-1"}, {"contract_id": "K-2"}),
    "note": ("note", {"note": LONG}, {"note": LONGER}),
    "labels.region": ("labels", {"labels": {"region": "north", "x": "1"}}, {"labels": {"x": "1"}}),
    "ticketing_links.autotask/17/": ("ticketing_links", {"ticketing_links": [LINK]}, {"ticketing_links": []}),
}


def changes_of(caller, site, field="", page_size=1000):
    """All changes of a site, the newest first."""
    found, token = [], ""
    while True:
        page = caller.ListSiteChanges(parent=site, field=field, page_size=page_size, page_token=token)
        found += page.changes
        token = page.next_page_token
        if not token:
            return found


def last(caller, site):
    return caller.ListSiteChanges(parent=site, page_size=1).changes[0]


def edits_of(change):
    return {edit.field: edit for edit in change.edits}


def cause(change):
    return pb.ChangeCause.Name(change.cause).removeprefix("CHANGE_CAUSE_")


def number_of(change):
    return int(change.name.rpartition("/")[2])


def actor_of(change):
    return change.actor.WhichOneof("kind") and getattr(change.actor, change.actor.WhichOneof("kind"))


def check_chain(caller, site):
    """The entries are numbered without a gap, and each begins where the one before it ended; gives them, the newest first."""
    changes = changes_of(caller, site)
    assert [number_of(change) for change in changes] == list(range(len(changes), 0, -1))
    known = {}
    for change in changes:
        for field, edit in edits_of(change).items():
            if field in known:
                assert edit.new_value == known[field], f"{change.name} {field}: the next entry began elsewhere"
            known[field] = edit.old_value
    times = [change.make_time.ToNanoseconds() for change in changes]
    assert times == sorted(times, reverse=True)
    return changes


@pytest.mark.parametrize("field", FIELDS)
def test_a_change_tells_who_when_from_and_to_and_is_put_back(account, field):
    path, first, second = FIELDS[field]
    token = pb.Token(scope=scope_value("EDITOR"), display_name="Anna's dashboard")
    made = account.caller().CreateToken(parent=account.name, token=token)
    editor, viewer = Caller(account.operator.channel, made.secret), account.caller("VIEWER")
    site = account.create_site().name
    editor.UpdateSite(site=pb.Site(name=site, **first), update_mask=mask(path))
    before = editor.GetSite(name=site)
    after = editor.UpdateSite(site=pb.Site(name=site, **second), update_mask=mask(path))
    change = last(viewer, site)
    assert (cause(change), actor_of(change)) == ("UPDATED", made.token.name)
    assert (change.actor.scope, change.actor.display_name) == (token.scope, token.display_name)
    assert change.make_time == after.update_time
    assert list(edits_of(change)) == [field] and change.edits[0].restorable
    assert [number_of(one) for one in changes_of(viewer, site, field)][:2] == [3, 2], "of this field"
    assert len(changes_of(viewer, site, field.split(".")[0])) == 2, "of what it is in"

    request = {"name": change.name, "field": field}
    refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: viewer.RestoreSiteValue(**request))
    refused("ABORTED", "ETAG_MISMATCH", lambda: editor.RestoreSiteValue(**request, etag="stale"))
    editor.RestoreSiteValue(**request, etag=after.etag, validate_only=True)
    assert editor.GetSite(name=site) == after
    back = editor.RestoreSiteValue(**request, etag=after.etag)
    assert back.etag == before.etag and back.status == before.status, "it is as it was, in all that people say of it"
    restored = last(viewer, site)
    assert (cause(restored), restored.restored_change, actor_of(restored)) == ("RESTORED", change.name, made.token.name)
    assert restored.edits[0].old_value == change.edits[0].new_value
    assert restored.edits[0].new_value == change.edits[0].old_value
    assert editor.RestoreSiteValue(**request).revision == back.revision, "once more changes nothing"
    check_chain(viewer, site)


def test_a_long_note_is_kept_whole_and_shown_short(account):
    caller = account.caller()
    site = account.create_site(note=LONG).name
    for note in (LONGER, "short", LONG, ""):
        caller.UpdateSite(site=pb.Site(name=site, note=note), update_mask=mask("note"))
    listed = changes_of(caller, site)[:4]
    told = [(edit.old_value, edit.new_value) for change in listed for edit in change.edits]
    assert [(old.text_bytes, old.shortened) for old, _ in told] == [(2_800, True), (5, False), (65_536, True), (2_800, True)]
    assert all(len(value.text.encode()) <= 256 for pair in told for value in pair)
    notes = []
    for change in listed:
        (edit,) = caller.GetSiteChange(name=change.name).edits
        assert not edit.old_value.shortened and not edit.new_value.shortened
        notes.append((edit.old_value.text, edit.new_value.text))
    assert notes == [(LONG, ""), ("short", LONG), (LONGER, "short"), (LONG, LONGER)]
    assert caller.RestoreSiteValue(name=listed[2].name, field="note").note == LONGER


def test_positions_tell_who_moved_the_site_and_why(iceland):
    caller = iceland.caller("EDITOR")
    site = iceland.activate("fw-1", ip="8.8.8.8").site
    assert [cause(change) for change in changes_of(caller, site)] == ["ACTIVATED"]
    created = last(caller, site)
    assert actor_of(created) == "fw-1" and not created.edits
    estimate = caller.GetSite(name=site).location
    caller.SetPin(site=site, position=AT)
    change = last(caller, site)
    edits = edits_of(change)
    assert cause(change) == "PIN_DROPPED" and set(edits) == {"location.fixes.pin", "location.source"}
    assert not edits["location.fixes.pin"].HasField("old_value")
    assert edits["location.fixes.pin"].new_value.fix.position == AT
    sources = edits["location.source"]
    assert (sources.old_value.source, sources.new_value.source) == (pb.FIX_SOURCE_GEOIP, pb.FIX_SOURCE_PIN)
    assert not sources.restorable

    caller.SetAddress(site=site, address_line="Laugavegur 1, Reykjavík")
    stated = last(caller, site)
    edits = edits_of(stated)
    assert cause(stated) == "ADDRESS_STATED"
    assert edits["location.address"].new_value.address.typed == "Laugavegur 1, Reykjavík"
    assert edits["location.fixes.address"].new_value.fix.geocoded.formatted_address
    at_door = caller.GetSite(name=site).location
    caller.ResetLocation(site=site)
    reset = last(caller, site)
    assert cause(reset) == "LOCATION_RESET" and caller.GetSite(name=site).location.position == estimate.position

    # The former answer comes back with its address, the former pin as a pin, each as a word of now.
    back = caller.RestoreSiteValue(name=reset.name, field="location.fixes.address").location
    assert back.position == at_door.position and back.source == pb.FIX_SOURCE_ADDRESS and back.confirmed
    assert back.address.state == pb.ADDRESS_STATE_APPLIED and back.address.typed == at_door.address.typed
    back = caller.RestoreSiteValue(name=reset.name, field="location.fixes.pin").location
    assert back.position == AT and back.source == pb.FIX_SOURCE_PIN
    assert back.address.state == pb.ADDRESS_STATE_PIN_KEPT, "the address is kept beside the pin"
    assert cause(last(caller, site)) == "RESTORED"
    # What was not there before the first pin is taken away.
    back = caller.RestoreSiteValue(name=change.name, field="location.fixes.pin").location
    assert back.source == pb.FIX_SOURCE_ADDRESS and back.position == at_door.position
    back = caller.RestoreSiteValue(name=stated.name, field="location.address").location
    assert back.position == estimate.position and not back.HasField("address")
    call = lambda: caller.RestoreSiteValue(name=change.name, field="location.source")
    refused("FAILED_PRECONDITION", "VALUE_NOT_RESTORABLE", call)
    check_chain(caller, site)


def test_an_address_that_waited_is_asked_for_again(iceland):
    caller = iceland.caller()
    site = iceland.create_site().name
    caller.SetAddress(site=site, address_line="Nosuchstreetatall 99")
    assert caller.GetSite(name=site).location.address.state == pb.ADDRESS_STATE_NOT_FOUND
    caller.ResetLocation(site=site)
    reset = last(caller, site)
    back = caller.RestoreSiteValue(name=reset.name, field="location.address").location.address
    assert back.typed == "Nosuchstreetatall 99" and back.state == pb.ADDRESS_STATE_PENDING
    ends = time.monotonic() + ENDED_S_MAX
    while caller.GetSite(name=site).location.address.state == pb.ADDRESS_STATE_PENDING:
        assert time.monotonic() < ends, "nobody asked again"
        time.sleep(0.05)
    answered = last(caller, site)
    assert cause(answered) == "ADDRESS_ANSWERED" and actor_of(answered) is None, "waymark itself"
    check_chain(caller, site)


def test_a_network_of_the_account_moves_its_sites_by_a_run(account):
    caller = account.caller()
    site = account.activate(ip="81.2.69.160").site
    prefix = pb.Prefix(cidr="81.2.69.0/24", position=THERE)
    made = caller.CreatePrefix(parent=account.name, prefix=prefix)
    ends = time.monotonic() + ENDED_S_MAX
    while caller.GetSite(name=site).location.position != THERE:
        assert time.monotonic() < ends, "the site does not move"
        time.sleep(0.02)
    change = last(caller, site)
    assert cause(change) == "REESTIMATED" and change.reestimation.startswith("reestimations/")
    assert actor_of(change) is None
    edit = edits_of(change)["location.fixes.geoip"]
    assert edit.new_value.fix.position == THERE and edit.new_value.fix.prefix.network == made.cidr
    assert edit.old_value.fix.database.database_type and not edit.restorable
    call = lambda: caller.RestoreSiteValue(name=change.name, field="location.fixes.geoip")
    refused("FAILED_PRECONDITION", "VALUE_NOT_RESTORABLE", call)


def test_reports_leave_what_they_change_and_no_times(account):
    caller = account.caller()
    activated = account.activate("fw-1", ip="8.8.8.8")
    agent = Caller(account.operator.channel, activated.credential).behind("8.8.8.8")
    for status in (pb.SITE_STATUS_ONLINE, pb.SITE_STATUS_OFFLINE, pb.SITE_STATUS_OFFLINE):
        agent.ReportStatus(status=status)
    agent.ActivateAgent(parent=account.name, agent_id="fw-1")
    agent.behind("81.2.69.160").ReportStatus()
    changes = check_chain(caller, activated.site)
    told = [(cause(change), actor_of(change), sorted(edits_of(change))) for change in changes]
    assert told[1:] == [("ACTIVATED", "fw-1", [])]
    # Down, up by the activation, and from elsewhere: of one minute.
    assert told[0][:2] == ("REPORTED", "fw-1") and changes[0].merged_changes == 3
    assert {"status", "public_ip", "location.fixes.geoip"} <= set(told[0][2])
    edit = edits_of(changes[0])["public_ip"]
    assert (edit.old_value.text, edit.new_value.text) == ("8.8.8.8", "81.2.69.160")
    assert not edit.restorable


def test_a_replaced_agent_loses_nothing(account):
    editor = account.caller("EDITOR")
    old = account.activate("fw-old", ip="8.8.8.8")
    editor.UpdateSite(site=pb.Site(name=old.site, note="kept"), update_mask=mask("note"))
    before = changes_of(editor, old.site)
    editor.AllowReplacement(site=old.site, agent_id="fw-never")
    editor.CancelReplacement(site=old.site)
    editor.AllowReplacement(site=old.site, agent_id="fw-new")
    new = account.activate("fw-new", ip="8.8.8.8")
    assert new.site == old.site
    changes = check_chain(editor, old.site)
    assert changes[-len(before) :] == before
    told = [(cause(change), actor_of(change), sorted(edits_of(change))) for change in changes[: -len(before)]]
    token = editor.WhoAmI().token
    assert told == [
        ("TAKEN_OVER", "fw-new", ["agent_id", "replacement"]),
        ("REPLACEMENT_ALLOWED", token, ["replacement"]),
        ("REPLACEMENT_CANCELLED", token, ["replacement"]),
        ("REPLACEMENT_ALLOWED", token, ["replacement"]),
    ]
    edit = edits_of(changes[0])["agent_id"]
    assert (edit.old_value.text, edit.new_value.text) == ("fw-old", "fw-new")
    assert edits_of(changes[1])["replacement"].new_value.replacement.agent_id == "fw-new"
    for change, field in ((changes[0], "agent_id"), (changes[1], "replacement")):
        call = lambda change=change, field=field: editor.RestoreSiteValue(name=change.name, field=field)
        refused("FAILED_PRECONDITION", "VALUE_NOT_RESTORABLE", call)


def test_a_deleted_site_has_its_history_and_takes_no_value_back(account):
    caller = account.caller()
    site = account.create_site("first", note="a").name
    caller.UpdateSite(site=pb.Site(name=site, note="b"), update_mask=mask("note"))
    noted = last(caller, site)
    caller.DeleteSite(name=site)
    deleted = last(account.caller("VIEWER"), site)
    assert cause(deleted) == "DELETED" and list(edits_of(deleted)) == ["delete_time"]
    call = lambda: caller.RestoreSiteValue(name=noted.name, field="note")
    refused("FAILED_PRECONDITION", "SITE_DELETED", call)
    caller.UndeleteSite(name=site, display_name="second")
    assert sorted(edits_of(last(caller, site))) == ["delete_time", "display_name"]
    account.create_site("FIRST")
    back = last(caller, site)
    call = lambda: caller.RestoreSiteValue(name=back.name, field="display_name")
    refused("ALREADY_EXISTS", "SITE_NAME_TAKEN", call)
    call = lambda: caller.RestoreSiteValue(name=back.name, field="delete_time")
    refused("FAILED_PRECONDITION", "VALUE_NOT_RESTORABLE", call)
    assert len(check_chain(caller, site)) == 4


def test_attention_is_in_it(account):
    caller = account.caller()
    site = account.create_site().name
    caller.DismissAttention(site=site, reason=pb.ATTENTION_REASON_UNPLACED)
    caller.RestoreAttention(site=site, reason=pb.ATTENTION_REASON_UNPLACED)
    told = [(cause(change), list(edits_of(change))) for change in check_chain(caller, site)]
    assert told[:2] == [
        ("ATTENTION_RESTORED", ["attention.UNPLACED"]),
        ("ATTENTION_DISMISSED", ["attention.UNPLACED"]),
    ]


def test_a_restoration_is_made_once_a_request_id(account):
    caller = account.caller()
    site = account.create_site(note="a").name
    caller.UpdateSite(site=pb.Site(name=site, note="b"), update_mask=mask("note"))
    request = {"name": last(caller, site).name, "field": "note", "request_id": str(uuid.uuid4())}
    first = caller.RestoreSiteValue(**request)
    caller.UpdateSite(site=pb.Site(name=site, note="c"), update_mask=mask("note"))
    again = caller.RestoreSiteValue(**request)
    assert (first.note, again.note) == ("a", "c"), "the repeat changed nothing"
    other = request | {"field": "customer_id"}
    failure = failure_of(lambda: caller.RestoreSiteValue(**other))
    assert failure.reason in ("REQUEST_ID_REUSED", "FIELD_INVALID"), failure
    assert len(check_chain(caller, site)) == 4


def test_what_is_not_asked_rightly_is_refused(account):
    caller = account.caller()
    site = account.create_site().name
    bad = lambda call, field: refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field=field)
    bad(lambda: caller.ListSiteChanges(parent=site, field="contacts"), "field")
    bad(lambda: caller.ListSiteChanges(parent=site, field="labels." + "x" * 3_000), "field")
    bad(lambda: caller.ListSiteChanges(parent=site, page_size=-1), "page_size")
    bad(lambda: caller.ListSiteChanges(parent=account.name), "parent")
    for number in ("0", "01", "x", "4294967296"):
        bad(lambda number=number: caller.GetSiteChange(name=f"{site}/changes/{number}"), "name")
    bad(lambda: caller.RestoreSiteValue(name=f"{site}/changes/1", field="note"), "field")
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: caller.GetSiteChange(name=f"{site}/changes/2"))
    page = caller.ListSiteChanges(parent=site)
    assert len(page.changes) == 1 and not page.next_page_token
    other = account.create_site().name
    caller.UpdateSite(site=pb.Site(name=other, note="x"), update_mask=mask("note"))
    token = caller.ListSiteChanges(parent=other, page_size=1).next_page_token
    call = lambda: caller.ListSiteChanges(parent=site, page_size=1, page_token=token)
    refused("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", call)


def test_pages_do_not_shift_while_others_write(account):
    caller, site = account.caller(), account.create_site(note="0").name
    write = lambda number: caller.UpdateSite(site=pb.Site(name=site, note=str(number)), update_mask=mask("note"))
    for number in range(1, 40):
        write(number)
    ended, failed = threading.Event(), []

    def go_on():
        number = 40
        while not ended.is_set():
            try:
                write(number)
            except grpc.RpcError as error:
                failed.append(error)
                return
            number += 1

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        for _ in range(5):
            seen = [number_of(change) for change in changes_of(caller, site, page_size=3)]
            assert seen == list(range(seen[0], 0, -1)), "each once, and none left out"
            noted = [number_of(change) for change in changes_of(caller, site, field="note", page_size=7)]
            assert noted == list(range(noted[0], 1, -1))
    finally:
        ended.set()
        writer.join()
    assert not failed
    assert last(caller, site).edits[0].new_value.text == caller.GetSite(name=site).note


def test_an_activation_of_a_service_is_laid_to_the_service(account):
    service = account.caller("SERVICE")
    made = service.ActivateAgent(
        parent=account.name, agent_id="fw-9", agent_key=secrets.token_bytes(32), claimed_ip="8.8.8.8"
    )
    change = last(service, made.site)
    assert actor_of(change) == service.WhoAmI().token and change.actor.scope == scope_value("SERVICE")


def test_the_operators_name_is_not_told(account):
    site = account.create_site().name
    account.operator.UpdateSite(site=pb.Site(name=site, note="x"), update_mask=mask("note"))
    change = last(account.caller("VIEWER"), site)
    assert actor_of(change) == account.operator.WhoAmI().token and actor_of(change).startswith("tokens/")
    assert change.actor.display_name == "" and "display" not in json_format.MessageToDict(change.actor)


def test_equal_sites_of_two_accounts_have_histories_of_their_own(operator):
    one, other = Account(operator), Account(operator)
    sites = [account.create_site("same", note="a").name for account in (one, other)]
    one.caller().UpdateSite(site=pb.Site(name=sites[0], note="secret of one"), update_mask=mask("note"))
    assert [len(changes_of(account.caller(), site)) for account, site in zip((one, other), sites)] == [2, 1]
    failure = failure_of(lambda: other.caller().ListSiteChanges(parent=sites[0]))
    assert (failure.code.name, failure.reason) == ("NOT_FOUND", "RESOURCE_NOT_FOUND")
