"""What a link to a ticketing system tells: the page it leads to, when it was checked and since when it is so; and why an
organisation is suggested."""

import time

import grpc
import pytest

from client import Account, Caller, mask, refused
from nominatim import Nominatim
from stubs import pb
from test_history import actor_of, cause, check_chain, edits_of, last
from ticketing_accounts import (  # noqa: F401, F811 (pytest finds fixtures by their names)
    BROKEN,
    DONE,
    DRIFTED,
    UNVERIFIED,
    VERIFIED,
    acme,
    connect,
    done,
    link,
    serving,
    shared,
    system,
    verified,
    zendesk,
)
from ticketing_systems import CREDENTIALS, WITH_SITES, System

# The page of organisation 1 of each system, behind the origin of its server.
PAGES = {
    "connectwise": "/v4_6_release/services/system_io/router/openrecord.rails?recordType=CompanyFV&recid=1",
    "autotask": "/Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenAccount&AccountID=1",
    "syncro": "/customers/1",
    "zendesk": "/agent/organizations/1",
    "freshservice": "/itil/departments/1",
    "freshdesk": "/a/companies/1",
}
# Seconds between the clocks of test and server, and what a call may take on a busy machine.
NEAR_S_MAX = 60
REASON = pb.TicketingSuggestionReason


def seconds(told):
    return told.ToNanoseconds() / 1e9


def test_a_link_leads_to_its_page(acme, system):
    made = connect(acme, system)
    acme.caller().CheckTicketingConnection(name=made.name)
    expected = system.origin + PAGES[system.name]
    (listed,) = acme.caller().ListExternalOrganizations(connection=made.name, search="Acme").organizations
    assert listed.uri == expected
    site = acme.create_site(ticketing_links=[link(system, 1)])
    assert site.ticketing_links[0].uri == expected
    assert verified(acme, site).ticketing_links[0].uri == expected
    assert acme.caller().GetSite(name=site.name).ticketing_links[0].uri == expected
    # A page that a person stated is theirs, and stays.
    stated = link(system, 1)
    stated.uri = "https://portal.example.com/acme?x=1"
    changed = pb.Site(name=site.name, ticketing_links=[stated])
    acme.caller().UpdateSite(site=changed, update_mask=mask("ticketing_links"))
    assert verified(acme, site).ticketing_links[0].uri == stated.uri


@pytest.fixture
def autotask():
    with System("autotask") as running:
        yield running


def page_of_a_link(account, organization=1):
    """The page that a link to an organisation of Autotask gets now."""
    return account.create_site(ticketing_links=[link("autotask", organization)]).ticketing_links[0].uri


def test_autotask_tells_its_pages_once_and_for_every_link(acme, autotask):
    """The address of a customer's zone comes with the check of the connection or of a link, and is kept with the connection."""
    made = connect(acme, autotask)
    assert page_of_a_link(acme) == "", "it was not asked yet"
    old = acme.create_site(ticketing_links=[link(autotask, 1)])
    verified(acme, old)
    expected = autotask.origin + PAGES["autotask"]
    assert page_of_a_link(acme) == expected, "the check of a link asked it, too"
    asked = len(autotask.asked)
    assert page_of_a_link(acme, 2) == expected.replace("AccountID=1", "AccountID=2") and len(autotask.asked) == asked
    now = acme.caller().GetTicketingConnection(name=made.name)
    assert (now.etag, now.update_time) == (made.etag, made.update_time), "nobody changed the connection"
    # What a change of the connection asks anew, and what not.
    caller, other = acme.caller(), pb.TicketingConnection(name=made.name, display_name="PSA")
    caller.UpdateTicketingConnection(connection=other, update_mask=mask("display_name"))
    assert page_of_a_link(acme) == expected
    again = pb.TicketingConnection(name=made.name, credentials=CREDENTIALS["autotask"])
    caller.UpdateTicketingConnection(connection=again, update_mask=mask("credentials"))
    assert page_of_a_link(acme) == "", "it was told to another login"
    caller.CheckTicketingConnection(name=made.name)
    assert page_of_a_link(acme) == expected


def test_the_host_of_a_zone_tells_its_pages(acme):
    with System("autotask") as system:
        connect(acme, system, base_url="https://webservices3.autotask.net/atservicesrest")
    page = "https://ww3.autotask.net/Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenAccount&AccountID=1"
    assert page_of_a_link(acme) == page


@pytest.mark.parametrize(
    "told",
    [
        "",
        "javascript:alert(1)",
        "https://user:secret@127.0.0.1/",
        "https://evil.example/",
        "https://evil.example/?.autotask.net",
        "http://ww3.autotask.net/",
        "https://127.0.0.1/?next=https://evil.example",
        "http://127.0.0.1/" + "x" * 600,
        "http://10.0.0.1/",
    ],
)
def test_no_other_page_of_an_answer_becomes_a_link(acme, autotask, told):
    autotask.web_url = told
    made = connect(acme, autotask)
    acme.caller().CheckTicketingConnection(name=made.name)
    assert page_of_a_link(acme) == ""
    (listed,) = acme.caller().ListExternalOrganizations(connection=made.name, search="Acme").organizations
    assert listed.uri == ""


def test_each_check_tells_its_time_and_a_state_since_when(acme, zendesk):
    connect(acme, zendesk)
    site = acme.create_site(ticketing_links=[link(zendesk, 1, "Acme Ltd")])
    fresh = site.ticketing_links[0]
    assert fresh.state == UNVERIFIED and not fresh.HasField("verify_time") and not fresh.HasField("state_time")
    begun = time.time()
    first = verified(acme, site).ticketing_links[0]
    assert begun - NEAR_S_MAX < seconds(first.verify_time) < time.time() + NEAR_S_MAX
    assert first.state == VERIFIED and first.state_time == first.verify_time

    second = verified(acme, site).ticketing_links[0]
    assert seconds(second.verify_time) > seconds(first.verify_time), "a second check moves the time"
    assert second.state_time == first.state_time, "and the state is as old as it was"
    zendesk.organizations[1] = "Acme International"
    drifted = verified(acme, site).ticketing_links[0]
    assert drifted.state == DRIFTED and drifted.state_time == drifted.verify_time
    assert seconds(drifted.verify_time) > seconds(second.verify_time)
    del zendesk.organizations[1]
    gone = verified(acme, site).ticketing_links[0]
    assert gone.state == BROKEN and gone.state_time == gone.verify_time
    still = verified(acme, site).ticketing_links[0]
    assert still.state_time == gone.state_time and seconds(still.verify_time) > seconds(gone.verify_time)
    zendesk.failing = (500, {})
    answer = acme.caller().VerifySiteTicketingLinks(site=site.name)
    assert answer.failures and answer.site.ticketing_links[0] == still, "who could not ask knows nothing new"
    zendesk.failing = None
    assert acme.caller().GetSite(name=site.name).ticketing_links[0] == still


def test_a_check_is_an_entry_of_the_history_where_a_state_changes(acme, zendesk):
    """Who looks at a site's history sees when a link broke and when it healed; a check that finds what was known is none."""
    connect(acme, zendesk)
    caller = acme.caller()
    site = acme.create_site(ticketing_links=[link(zendesk, 1, "Acme Ltd"), link(zendesk, 2)])

    def entries():
        return check_chain(caller, site.name)[:-1]

    def check(expected):
        """Checks the links; each of the links named has gone from one state to the other, and there is an entry of just that."""
        before, known = entries(), caller.GetSite(name=site.name)
        now = verified(acme, site)
        new = entries()[: len(entries()) - len(before)]
        assert now.etag == known.etag and entries()[len(new) :] == before
        if not expected:
            assert new == [] and now.update_time == known.update_time
            return
        (change,) = new
        assert (cause(change), actor_of(change), change.make_time) == ("TICKETING_CHECKED", None, now.update_time)
        told = {field: (told_link(edit.old_value), told_link(edit.new_value)) for field, edit in edits_of(change).items()}
        assert told == {f"ticketing_links.zendesk/{number}/": states for number, states in expected.items()}
        assert not any(edit.restorable for edit in change.edits)
        request = {"name": change.name, "field": change.edits[0].field}
        refused("FAILED_PRECONDITION", "VALUE_NOT_RESTORABLE", lambda: caller.RestoreSiteValue(**request))

    def told_link(value):
        (told,) = value.ticketing_links.links
        assert told.system == "zendesk" and not told.HasField("verify_time") and not told.found_organization_name
        assert told.organization_name == ("Acme Ltd" if told.organization_id == "1" else "")
        return told.state

    check({1: (UNVERIFIED, VERIFIED), 2: (UNVERIFIED, VERIFIED)})
    check({})
    zendesk.organizations[2] = "Another Holding"
    check({})
    zendesk.organizations[1] = "Acme International"
    check({1: (VERIFIED, DRIFTED)})
    zendesk.organizations[1] = "Acme Intergalactic"
    check({})
    del zendesk.organizations[1]
    check({1: (DRIFTED, BROKEN)})
    zendesk.failing = (500, {})
    before = entries()
    assert caller.VerifySiteTicketingLinks(site=site.name).failures and entries() == before
    zendesk.failing = None
    # Nor has a run over all sites anything to tell.
    assert done(acme, caller.VerifyTicketingLinks(parent=acme.name)).state == DONE and entries() == before
    zendesk.organizations[1] = "Acme Ltd"
    assert done(acme, caller.VerifyTicketingLinks(parent=acme.name)).state == DONE
    (healed,) = entries()[: len(entries()) - len(before)]
    assert (cause(healed), actor_of(healed), list(edits_of(healed))) == (
        "TICKETING_CHECKED", None, ["ticketing_links.zendesk/1/"],
    )  # fmt: skip
    # What people said of it can still be put back, and what is known of the far end then is what a check found.
    caller.UpdateSite(site=pb.Site(name=site.name), update_mask=mask("ticketing_links"))
    request = {"name": entries()[0].name, "field": "ticketing_links.zendesk/1/"}
    assert caller.RestoreSiteValue(**request).ticketing_links[0].state == UNVERIFIED
    check({1: (UNVERIFIED, VERIFIED)})


@pytest.mark.parametrize("name", WITH_SITES)
def test_the_site_of_a_link_has_a_stated_name(acme, name):
    field = "site.ticketing_links[0].external_site_name"
    with System(name) as system:
        connect(acme, system)
        caller, named = acme.caller(), link(system, 1, "Acme Ltd", "12")
        for bad in ("x" * 257, "two\nlines", "\u202eWarehouse"):
            wrong = link(system, 1, "Acme Ltd", "12")
            wrong.external_site_name = bad
            refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: acme.create_site(ticketing_links=[wrong]), field)
        without = link(system, 1, "Acme Ltd")
        without.external_site_name = "Warehouse"
        refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: acme.create_site(ticketing_links=[without]), field)
        named.external_site_name = "WAREHOUSE"
        site = acme.create_site(ticketing_links=[named])
        assert site.ticketing_links[0].external_site_name == "WAREHOUSE"
        now = verified(acme, site).ticketing_links[0]
        assert (now.state, now.external_site_name, now.found_site_name) == (VERIFIED, "WAREHOUSE", "Warehouse")
        # What is found there is told beside it, and takes nothing of it away.
        system.sites[1][12] = "Depot"
        now = verified(acme, site).ticketing_links[0]
        assert (now.state, now.external_site_name, now.found_site_name) == (DRIFTED, "WAREHOUSE", "Depot")
        del system.sites[1][12]
        now = verified(acme, site).ticketing_links[0]
        assert (now.state, now.external_site_name, now.found_site_name) == (BROKEN, "WAREHOUSE", "")
        # Another name is another word on the link, in the history too, and can be put back.
        named.external_site_name = "Depot"
        renamed = caller.UpdateSite(
            site=pb.Site(name=site.name, ticketing_links=[named]), update_mask=mask("ticketing_links")
        )
        assert (renamed.ticketing_links[0].state, renamed.etag != site.etag) == (UNVERIFIED, True)
        (edit,) = last(caller, site.name).edits
        names = [one.ticketing_links.links[0].external_site_name for one in (edit.old_value, edit.new_value)]
        assert names == ["WAREHOUSE", "Depot"] and edit.restorable
        back = caller.RestoreSiteValue(name=last(caller, site.name).name, field=edit.field)
        assert back.ticketing_links[0].external_site_name == "WAREHOUSE" and back.etag == site.etag


@pytest.fixture(scope="module")
def located(tmp_path_factory):
    """An operator whose server has a geocoder, which knows no door: an address is kept as it was typed."""
    directory = tmp_path_factory.mktemp("suggestions")
    with Nominatim() as geocoder, serving(directory, geocoder.config()) as server:
        with grpc.insecure_channel(server.target) as channel:
            yield Caller(channel, server.admin_token)


@pytest.mark.parametrize(
    "name, address, fields, reasons, clear",
    [
        ("Nordur", "", {}, {"SAME_NAME"}, False),
        (
            "Nordur",
            "Hafnarstræti 5, 600 Akureyri",
            {},
            {"SAME_NAME", "SAME_POSTAL_CODE", "SAME_CITY", "SAME_STREET"},
            True,
        ),
        ("Nordur", "Strandgata 1, 600 Akureyri", {}, {"SAME_NAME", "SAME_POSTAL_CODE", "SAME_CITY"}, True),
        # Many are in one town.
        ("Nordur", "Strandgata 1, Akureyri", {}, {"SAME_NAME", "SAME_CITY"}, False),
        ("Nordurr", "", {}, {"ALIKE_NAME"}, False),
        ("Nordur Akureyri", "", {}, {"NAME_WITHIN"}, False),
        ("Something else", "", {"customer_id": "3"}, {"CUSTOMER_ID"}, False),
    ],
)
def test_a_suggestion_tells_each_of_its_reasons(located, name, address, fields, reasons, clear):
    """And whether it stands out: of two of one name, street or postal code decides, and nothing else."""
    acme = Account(located)
    site = acme.create_site(name, **fields)
    if address:
        acme.caller().SetAddress(site=site.name, address_line=address)
    # One that tells addresses.
    with System("connectwise") as system:
        system.organizations[3] = ("Nordur hf", "Hafnarstræti 5", "600", "Akureyri")
        system.organizations[4] = ("Nordur ehf", "Laugavegur 1", "101", "Reykjavík")
        made = connect(acme, system)
        answer = acme.caller().SuggestTicketingLinks(connection=made.name, sites=[site.name])
    (suggestion,) = answer.suggestions
    best = suggestion.candidates[0]
    found = {REASON.Name(reason).removeprefix("TICKETING_SUGGESTION_REASON_") for reason in best.reasons}
    assert (best.organization.id, found, suggestion.clear) == ("3", reasons, clear)
