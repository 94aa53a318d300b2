"""Histories of sites that flap, long pages of them, and what a restore leaves alone."""

import uuid

from client import Caller, mask, refused
from stubs import pb
from test_history import cause, changes_of, check_chain, edits_of, last

FLAPS = 40
LABELS_MAX = 64


def test_a_site_that_flaps_has_one_entry_for_all_of_it(account):
    editor = account.caller("EDITOR")
    activated = account.activate("fw-1", ip="8.8.8.8")
    site, agent = activated.site, Caller(account.operator.channel, activated.credential).behind("8.8.8.8")

    def flap():
        for turn in range(FLAPS):
            agent.ReportStatus(status=pb.SITE_STATUS_ONLINE if turn % 2 else pb.SITE_STATUS_OFFLINE)

    flap()
    before = last(editor, site)
    assert (cause(before), before.merged_changes) == ("REPORTED", FLAPS)
    assert before.first_make_time.ToNanoseconds() < before.make_time.ToNanoseconds()
    edit = edits_of(before)["status"]
    assert edit.old_value.status == edit.new_value.status == pb.SITE_STATUS_ONLINE and not edit.restorable
    call = lambda: editor.RestoreSiteValue(name=before.name, field="status")
    refused("FAILED_PRECONDITION", "VALUE_NOT_RESTORABLE", call)

    # Nothing goes into an entry that another one stands behind.
    editor.UpdateSite(site=pb.Site(name=site, note="a person"), update_mask=mask("note"))
    flap()
    changes = check_chain(editor, site)
    assert [cause(change) for change in changes] == ["REPORTED", "UPDATED", "REPORTED", "ACTIVATED"]
    assert changes[2] == before and changes[1].merged_changes == 0 and not changes[1].HasField("first_make_time")
    assert changes[0].make_time == editor.GetSite(name=site).update_time


def test_a_status_of_a_person_is_put_back_and_a_reported_one_is_not(account):
    editor = account.caller("EDITOR")
    site = account.create_site().name
    for status in (pb.SITE_STATUS_OFFLINE, pb.SITE_STATUS_MAINTENANCE):
        editor.UpdateSite(site=pb.Site(name=site, status=status), update_mask=mask("status"))
    change = last(editor, site)
    assert edits_of(change)["status"].restorable
    assert editor.RestoreSiteValue(name=change.name, field="status").status == pb.SITE_STATUS_OFFLINE


def test_the_longest_page_of_many_labels_can_be_read(account):
    editor = account.caller("EDITOR")
    site = account.create_site().name
    count = 800
    for number in range(count):
        labels = {f"{key:063}": f"{number}" for key in range(LABELS_MAX)}
        editor.UpdateSite(site=pb.Site(name=site, labels=labels), update_mask=mask("labels"))
    page = editor.ListSiteChanges(parent=site, page_size=1000)
    assert page.next_page_token and page.ByteSize() < 4 * 1024 * 1024
    assert len(changes_of(editor, site)) == count + 1
    call = lambda: editor.RestoreSiteValue(name=page.changes[0].name, field="labels")
    assert len(refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field="field").message) < 1_000


def test_a_restore_that_changed_nothing_is_made_once_a_request_id(account):
    editor = account.caller("EDITOR")
    site = account.create_site(note="a").name
    for note in ("b", "a"):
        editor.UpdateSite(site=pb.Site(name=site, note=note), update_mask=mask("note"))
    first = changes_of(editor, site)[1]
    request = {"name": first.name, "field": "note", "request_id": str(uuid.uuid4())}
    assert editor.RestoreSiteValue(**request).note == "a"
    editor.UpdateSite(site=pb.Site(name=site, note="c"), update_mask=mask("note"))
    assert editor.RestoreSiteValue(**request).note == "c", "it was done when nothing was to do"
    assert len(check_chain(editor, site)) == 4
