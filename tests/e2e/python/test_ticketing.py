"""Ties to ticketing systems: connections, what they tell, links that hold, drift and break, and whose sites are whose.

The systems are servers on loopback that speak each documented API.
"""

import base64
import contextlib
import time

import grpc
import pytest

from client import Account, Caller, failure_of, mask, refused
from stubs import pb
from ticketing_accounts import (  # noqa: F401, F811 (pytest finds fixtures by their names)
    BROKEN,
    DONE,
    DONE_S_MAX,
    DRIFTED,
    UNVERIFIED,
    VERIFIED,
    acme,
    all_pages,
    connect,
    done,
    link,
    other,
    serving,
    shared,
    system,
    verified,
    zendesk,
)
from ticketing_systems import CANARY, CREDENTIALS, NAMES, WITH_SITES, System


def test_systems_tell_their_ids_and_what_they_need(acme):
    systems = acme.caller("VIEWER").ListTicketingSystems(parent=acme.name).systems
    assert [one.system for one in systems] == NAMES
    for one in systems:
        assert {field.name for field in one.credential_fields} == set(CREDENTIALS[one.system])
        assert bool(one.site_term) == bool(one.site_id_format) == (one.system in WITH_SITES)


def test_a_system_is_connected_and_listed_page_by_page(acme, system):
    system.organizations |= {number: f"Company {number:03}" for number in range(3, 231)}
    made = connect(acme, system, display_name="ours")
    assert made.name == f"{acme.name}/ticketingConnections/{system.name}" and not made.credentials
    caller = acme.caller("EDITOR")
    caller.CheckTicketingConnection(name=made.name)
    found, pages = all_pages(
        lambda **page: caller.ListExternalOrganizations(connection=made.name, **page), "organizations"
    )
    assert [int(one.id) for one in found] == list(range(1, 231)) and pages >= 3
    named, _ = all_pages(
        lambda **page: caller.ListExternalOrganizations(connection=made.name, search="Acme", **page), "organizations"
    )
    assert [(one.id, one.display_name) for one in named] == [("1", "Acme Ltd")] and named[0].uri
    sites, _ = all_pages(
        lambda **page: caller.ListExternalSites(connection=made.name, organization_id="1", **page), "sites"
    )
    expected = ["Head Office", "Warehouse"] if system.name in WITH_SITES else []
    assert [one.display_name for one in sites] == expected


def check_filters_by_state(account, state):
    """A filter by the state of links finds the account's one site, which has no position, in this state alone: in lists, and on
    the map, which is told of each check."""
    caller = account.caller("VIEWER")
    for name in ("UNVERIFIED", "VERIFIED", "DRIFTED", "BROKEN"):
        is_in = pb.TicketingLinkState.Value(f"TICKETING_LINK_STATE_{name}") == state
        for sign, expected in (("=", is_in), ("!=", not is_in)):
            text = f"ticketing_links.state {sign} {name}"
            assert len(caller.ListSites(parent=account.name, filter=text).sites) == expected, text
            assert caller.FitSites(parent=account.name, filter=text).unplaced == expected, text


def test_a_link_is_verified_drifts_breaks_and_heals(acme, system):
    connect(acme, system)
    site = acme.create_site(ticketing_links=[link(system, 1, "ACME  ltd")])
    check_filters_by_state(acme, UNVERIFIED)
    assert site.ticketing_links[0].state == UNVERIFIED and not site.ticketing_links[0].HasField("verify_time")
    # Autotask's pages are at the zone, which is told when the connection is checked.
    assert bool(site.ticketing_links[0].uri) == (system.name != "autotask")
    now = verified(acme, site)
    assert now.etag == site.etag, "nobody said anything else"
    assert verified(acme, site).update_time == now.update_time, "and a check that finds nothing new changes nothing"
    assert now.ticketing_links[0].state == VERIFIED and now.ticketing_links[0].HasField("verify_time")
    check_filters_by_state(acme, VERIFIED)
    system.organizations[1] = "Acme International"
    drifted = verified(acme, site).ticketing_links[0]
    assert (drifted.state, drifted.organization_name) == (DRIFTED, "ACME  ltd")
    assert drifted.found_organization_name == "Acme International"
    check_filters_by_state(acme, DRIFTED)
    del system.organizations[1]
    assert verified(acme, site).ticketing_links[0].state == BROKEN
    check_filters_by_state(acme, BROKEN)
    listed = acme.caller().ListAttention(parent=acme.name, reasons=[pb.ATTENTION_REASON_TICKETING_LINK_BROKEN])
    assert [item.site.name for item in listed.items] == [site.name]
    counts = {count.reason: count.site_count for count in listed.counts}
    assert counts[pb.ATTENTION_REASON_TICKETING_LINK_BROKEN] == 1
    found = acme.caller().ListSites(parent=acme.name, filter="attention = TICKETING_LINK_BROKEN").sites
    assert [one.name for one in found] == [site.name]
    system.organizations[1] = "Acme Ltd"
    assert verified(acme, site).ticketing_links[0].state == VERIFIED
    assert not acme.caller().ListSites(parent=acme.name, filter="attention = TICKETING_LINK_BROKEN").sites


def test_a_link_to_a_site_breaks_with_the_site(acme, system):
    if system.name not in WITH_SITES:
        named = [link(system, 1, "", "11")]
        field = "site.ticketing_links[0].external_site_id"
        refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: acme.create_site(ticketing_links=named), field)
        return
    connect(acme, system)
    site = acme.create_site(ticketing_links=[link(system, 1, "", "11")])
    now = verified(acme, site).ticketing_links[0]
    assert (now.state, now.found_site_name) == (VERIFIED, "Head Office")
    del system.sites[1][11]
    now = verified(acme, site).ticketing_links[0]
    assert (now.state, now.found_organization_name, now.found_site_name) == (BROKEN, "Acme Ltd", "")


def test_ids_have_the_form_of_their_system(acme):
    for name in NAMES:
        for bad in ("x", "01", "-1", " ", "99999999999999999999"):
            bad_link = link(name, bad)
            refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: acme.create_site(ticketing_links=[bad_link]))
    site = acme.create_site(ticketing_links=[link("Our own", "AC-17/b"), link("ConnectWise Manage", 7)])
    assert [one.system for one in site.ticketing_links] == ["our own", "connectwise"]


def test_an_edit_begins_anew_and_others_keep_the_state(acme, zendesk):
    connect(acme, zendesk)
    site = verified(acme, acme.create_site(ticketing_links=[link(zendesk, 1, "Acme Ltd")]))

    def updated(*links):
        changed = pb.Site(name=site.name, ticketing_links=links)
        return acme.caller().UpdateSite(site=changed, update_mask=mask("ticketing_links")).ticketing_links

    same = updated(*site.ticketing_links, link(zendesk, 2))
    assert [one.state for one in same] == [VERIFIED, UNVERIFIED]
    assert updated(link(zendesk, 1, "Acme"))[0].state == UNVERIFIED


@pytest.mark.parametrize("failing, reason", [
    ((401, {}), "TICKETING_DENIED"),
    ((403, {}), "TICKETING_DENIED"),
    ((404, {}), "TICKETING_MISCONFIGURED"),
    ((429, {"retry-after": "7"}), "TICKETING_RATE_LIMITED"),
    ((500, {}), "TICKETING_UNAVAILABLE"),
    ((302, {"location": "http://127.0.0.1:1/"}), "TICKETING_MISCONFIGURED"),
    ((200, {"content-type": "text/html"}), "TICKETING_UNAVAILABLE"),
])
def test_a_system_that_fails_breaks_no_link(acme, system, failing, reason):
    made = connect(acme, system)
    site = verified(acme, acme.create_site(ticketing_links=[link(system, 1)]))
    system.failing = failing
    answer = acme.caller().VerifySiteTicketingLinks(site=site.name)
    assert [(one.system, pb.ErrorReason.Name(one.reason)) for one in answer.failures] == [
        (system.name, f"ERROR_REASON_{reason}")
    ]
    assert answer.site.ticketing_links == site.ticketing_links
    failure = failure_of(lambda: acme.caller().ListExternalOrganizations(connection=made.name))
    assert failure.reason == reason and CANARY not in repr(failure)


def test_wrong_credentials_are_denied_and_set_again(acme, system):
    wrong = {name: f"{value}x" for name, value in CREDENTIALS[system.name].items()}
    made = connect(acme, system, credentials=wrong)

    def check():
        acme.caller().CheckTicketingConnection(name=made.name)

    failure = refused("FAILED_PRECONDITION", "TICKETING_DENIED", check)
    assert CANARY not in repr(failure) + str(failure.details)
    changed = pb.TicketingConnection(name=made.name, credentials=CREDENTIALS[system.name], etag=made.etag)

    def update():
        return acme.caller().UpdateTicketingConnection(connection=changed, update_mask=mask("credentials"))

    after = update()
    assert after.etag != made.etag and not after.credentials
    check()
    refused("ABORTED", "ETAG_MISMATCH", update)


def test_base_urls_lead_nowhere_inside(acme, zendesk):
    for url in (
        "", "x", "http://example.com", "https://user:pw@example.com", "https://10.0.0.1", "https://169.254.169.254",
        "https://[::1]", "https://example.com:22", "https://example.com/?a=b", "file:///etc/passwd",
    ):
        field = "connection.base_url"
        refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda url=url: connect(acme, zendesk, base_url=url), field)
    made = connect(acme, zendesk, base_url="https://localhost")
    failure = failure_of(lambda: acme.caller().CheckTicketingConnection(name=made.name))
    # A name may lead to this machine, which is allowed here, where nothing speaks TLS.
    assert failure.reason in ("TICKETING_UNAVAILABLE", "TICKETING_MISCONFIGURED")


def test_secrets_do_not_follow_a_connection_to_another_host(acme, zendesk):
    made = connect(acme, zendesk)
    refused("ALREADY_EXISTS", "RESOURCE_EXISTS", lambda: connect(acme, zendesk))
    with System("zendesk") as other:
        moved = pb.TicketingConnection(name=made.name, base_url=other.url)

        def update():
            acme.caller().UpdateTicketingConnection(connection=moved, update_mask=mask("base_url"))

        refused("INVALID_ARGUMENT", "FIELD_INVALID", update, "connection.credentials")
        acme.caller().CheckTicketingConnection(name=made.name)
        assert zendesk.asked and not other.asked
    acme.caller().DeleteTicketingConnection(name=made.name)
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: acme.caller().GetTicketingConnection(name=made.name))


def test_sites_are_found_by_organization(acme, other, zendesk):
    sites = [
        acme.create_site(ticketing_links=[link(zendesk, 1 + number % 2), link("syncro", 9)]) for number in range(7)
    ]
    other.create_site(ticketing_links=[link(zendesk, 1)])

    def linked(organization, system="Zendesk"):
        def ask(**page):
            return acme.caller("VIEWER").ListLinkedSites(
                parent=acme.name, system=system, organization_id=organization, page_size=2, **page
            )

        found, _ = all_pages(ask, "sites")
        assert ask().total_size == len(found)
        return [site.name for site in found]

    assert linked("1") == [site.name for site in sites[::2]]
    assert linked("2") == [site.name for site in sites[1::2]]
    assert linked("9") == [] and linked("", "syncro") == linked("") == [site.name for site in sites]
    acme.caller().DeleteSite(name=sites[0].name)
    changed = pb.Site(name=sites[2].name, ticketing_links=[link(zendesk, 2)])
    acme.caller().UpdateSite(site=changed, update_mask=mask("ticketing_links"))
    assert linked("1") == [sites[4].name, sites[6].name]


def test_all_links_are_verified_in_the_background(acme, system):
    system.organizations |= {number: f"Company {number}" for number in range(3, 9)}
    sites = [acme.create_site(ticketing_links=[link(system, 1 + number % 8)]) for number in range(60)]
    unconnected = "connectwise" if system.name != "connectwise" else "syncro"
    acme.create_site(ticketing_links=[link("our own", "x"), link(unconnected, 5)])
    connect(acme, system)
    del system.organizations[8]
    run = done(acme, acme.caller().VerifyTicketingLinks(parent=acme.name))
    assert run.state == DONE and (run.total_count, run.seen_count) == (61, 61)
    gone = len(range(7, 60, 8))
    assert (run.verified_count, run.broken_count, run.failed_count, run.unknown_count) == (60 - gone, gone, 1, 1)
    assert [one.reason for one in run.failures] == [pb.ERROR_REASON_TICKETING_NOT_CONNECTED]
    singles = [path for path in system.asked if path.rpartition("/")[2].isdigit()]
    assert len(singles) == 8, "each organisation is asked for once"
    assert acme.caller().GetSite(name=sites[7].name).ticketing_links[0].state == BROKEN
    assert list(acme.caller().ListTicketingVerifications(parent=acme.name).verifications) == [run]


def test_a_run_waits_for_a_system_and_goes_on_after_a_crash(tmp_path, zendesk):
    with serving(tmp_path) as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            sites = [account.create_site(ticketing_links=[link(zendesk, 1)]) for _ in range(3)]
            connect(account, zendesk)
            zendesk.failing = (429, {"retry-after": "1"})
            run = account.caller().VerifyTicketingLinks(parent=account.name)
            ends = time.monotonic() + DONE_S_MAX
            while not account.caller().GetTicketingVerification(name=run.name).HasField("resume_time"):
                assert time.monotonic() < ends
                time.sleep(0.02)
            assert account.caller().VerifyTicketingLinks(parent=account.name).name == run.name, "it goes on already"
            token = account.caller().token
        server.kill()
        zendesk.failing = None
        server.start()
        with grpc.insecure_channel(server.target) as channel:
            account.operator, account._callers = Caller(channel, server.admin_token), {"ADMIN": Caller(channel, token)}
            found = done(account, run)
            assert found.state == DONE and found.verified_count == 3 and not found.HasField("resume_time")
            linked = account.caller().ListLinkedSites(parent=account.name, system="zendesk", organization_id="1")
            assert [site.name for site in linked.sites] == [site.name for site in sites]


def test_a_run_can_be_ended(acme, zendesk):
    acme.create_site(ticketing_links=[link(zendesk, 1)])
    connect(acme, zendesk)
    zendesk.failing = (429, {"retry-after": "100"})
    run = acme.caller().VerifyTicketingLinks(parent=acme.name)
    ended = acme.caller().CancelTicketingVerification(name=run.name)
    assert ended.state == pb.TicketingVerification.STATE_CANCELLED and ended.HasField("end_time")
    assert acme.caller().VerifyTicketingLinks(parent=acme.name).name != run.name


def test_suggestions_tell_why_and_tell_ties(acme, system):
    twins = {3: ("Nordur hf", "Hafnarstræti 5", "600", "Akureyri"), 4: ("Nordur", "Laugavegur 1", "101", "Reykjavík")}
    system.organizations |= twins
    made = connect(acme, system)
    clear, within, tied = (acme.create_site(name) for name in ("ACME", "Acme Akureyri", "Nordur"))
    acme.create_site("Nobody's")
    acme.create_site("Apex", ticketing_links=[link(system, 2)])
    answer = acme.caller().SuggestTicketingLinks(connection=made.name)
    assert answer.complete and answer.organization_count == 4
    by_site = {one.site: one for one in answer.suggestions}
    assert set(by_site) == {clear.name, within.name, tied.name}, "neither what is linked nor what is like nothing"
    best, within_best = by_site[clear.name], by_site[within.name]
    assert best.clear and best.candidates[0].organization.id == "1"
    assert not within_best.clear and within_best.candidates[0].organization.id == "1", "a common word is no proof"
    assert list(within_best.candidates[0].reasons) == [pb.TICKETING_SUGGESTION_REASON_NAME_WITHIN]
    both = by_site[tied.name]
    assert not both.clear and [one.organization.id for one in both.candidates] == ["3", "4"]
    assert not acme.caller().GetSite(name=clear.name).ticketing_links, "nothing is applied"
    named = acme.caller().SuggestTicketingLinks(connection=made.name, sites=[tied.name])
    assert [one.site for one in named.suggestions] == [tied.name]
    paged, _ = all_pages(
        lambda **page: acme.caller().SuggestTicketingLinks(connection=made.name, page_size=1, **page), "suggestions"
    )
    assert [one.site for one in paged] == [clear.name, within.name, tied.name]


def test_an_account_sees_nothing_of_anothers_connection(acme, other, zendesk):
    made = connect(acme, zendesk)
    caller = other.caller()
    for call in (
        lambda: caller.GetTicketingConnection(name=made.name),
        lambda: caller.ListExternalOrganizations(connection=made.name),
        lambda: caller.DeleteTicketingConnection(name=made.name),
    ):
        refused("NOT_FOUND", "RESOURCE_NOT_FOUND", call)
    assert not caller.ListTicketingConnections(parent=other.name).connections and not zendesk.asked


def in_base64(text):
    """What base64 makes of a text, wherever it stands in another one: the characters that it alone decides."""
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + text.encode()).decode()
        yield coded[-(-shift * 8 // 6) : (shift + len(text)) * 8 // 6]


def test_no_secret_is_in_the_store_a_log_or_an_answer(tmp_path):
    with serving(tmp_path) as server, contextlib.ExitStack() as stack:
        channel = stack.enter_context(grpc.insecure_channel(server.target))
        account = Account(Caller(channel, server.admin_token))
        told = ""
        for name in NAMES:
            system = stack.enter_context(System(name))
            made = connect(account, system)
            account.caller().CheckTicketingConnection(name=made.name)
            system.failing = (401, {})
            failure = failure_of(lambda: account.caller().CheckTicketingConnection(name=made.name))
            told += f"{made} {failure} {failure.details} {account.caller().GetTicketingConnection(name=made.name)}"
        told += str(account.caller().ListTicketingConnections(parent=account.name))
    key = tmp_path / "data" / "credentials.key"
    assert key.stat().st_mode & 0o777 == 0o600
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and path != key]
    raw = b"".join(path.read_bytes() for path in files)
    assert b"ticketing" in raw or b"zendesk" in raw, "the store is looked at"
    for secret in (CANARY, *in_base64(CANARY)):
        assert secret not in told and secret.encode() not in raw and secret not in server.log_text()
    assert key.read_text(encoding="utf-8").strip().encode() not in raw


def test_the_store_without_its_key_opens_nothing(tmp_path, zendesk):
    with serving(tmp_path) as server, grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token))
        made = connect(account, zendesk)
        token = account.caller().token
    (tmp_path / "data" / "credentials.key").unlink()
    with serving(tmp_path) as server, grpc.insecure_channel(server.target) as channel:
        caller = Caller(channel, token)

        def check():
            caller.CheckTicketingConnection(name=made.name)

        refused("FAILED_PRECONDITION", "CREDENTIALS_UNREADABLE", check)
        assert not zendesk.asked
        again = pb.TicketingConnection(name=made.name, credentials=CREDENTIALS["zendesk"])
        caller.UpdateTicketingConnection(connection=again, update_mask=mask("credentials"))
        check()
