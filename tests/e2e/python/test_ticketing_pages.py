"""Lists of ticketing systems page by page, and systems that want fewer requests while a list is read or links are checked."""

import grpc
import pytest
from google.rpc import error_details_pb2

from client import Failure, failure_of, until
from stubs import pb
from ticketing_accounts import (  # noqa: F401, F811 (pytest finds fixtures by their names)
    DONE,
    VERIFIED,
    acme,
    all_pages,
    connect,
    done,
    link,
    shared,
    system,
)
from ticketing_systems import WITH_SITES, System

# Organisations, and sites of the first: more than two pages, and more than one, of every system.
ORGANIZATIONS, SITES = 230, 130
# Seconds that a system says to wait, and what it is off by where two clocks tell them.
WAIT_S, OFF_S = 1, 0.01
# What the documentation of each says of a limit that is reached: a status, headers, and the seconds that are waited then. Where
# nothing is said of how long, it is a minute.
MINUTE_S = (30, 60)
LIMITS = {
    "connectwise": (429, {"retry-after": "30"}, (10, 30)),
    "autotask": (429, {}, MINUTE_S),
    "syncro": (429, {}, MINUTE_S),
    "zendesk": (200, {"x-rate-limit": "700", "x-rate-limit-remaining": "0", "ratelimit-reset": "41"}, (15, 41)),
    "freshservice": (200, {"x-ratelimit-total": "100", "x-ratelimit-remaining": "0"}, MINUTE_S),
    "freshdesk": (200, {"x-ratelimit-total": "50", "x-ratelimit-remaining": "0"}, MINUTE_S),
}


@pytest.fixture
def filled(system):
    """A system with many organisations and sites."""
    system.organizations = {number: f"Company {number:03}" for number in range(1, ORGANIZATIONS + 1)}
    system.sites = {1: {number: f"Site {number:03}" for number in range(1, SITES + 1)}}
    return system


def ids(found):
    return [int(one.id) for one in found]


def wait_told(failure):
    """The seconds after which a call may be tried again that was refused because the system wants fewer requests."""
    assert (failure.code.name, failure.reason) == ("RESOURCE_EXHAUSTED", "TICKETING_RATE_LIMITED"), failure
    (told,) = [value for url, value in failure.details if url.endswith("google.rpc.RetryInfo")]
    delay = error_details_pb2.RetryInfo.FromString(told).retry_delay
    return delay.seconds + delay.nanos / 1e9


def once_let(call):
    """What a call answers once the system lets it."""
    answers = []

    def is_let():
        try:
            answers.append(call())
        except grpc.RpcError as error:
            wait_told(Failure(error))
        return answers

    until("the system is asked again", is_let)
    return answers[0]


def all_over_a_refusal(system, call, items):
    """All items of a list whose second page is refused once: the caller is told, and the list goes on from there."""
    first = call()
    found, token, at = list(getattr(first, items)), first.next_page_token, len(system.asked)
    assert found and token
    system.failing_at[at] = (429, {"retry-after": str(WAIT_S)})
    assert 0 < wait_told(failure_of(lambda: call(page_token=token))) <= WAIT_S
    assert not system.failing_at, "the refusal took place"
    while token:
        page = once_let(lambda: call(page_token=token))
        found.extend(getattr(page, items))
        token = page.next_page_token
    assert system.asked_at[at + 1] - system.asked_at[at] >= WAIT_S - OFF_S, "nobody asked sooner"
    return found


def test_each_organization_and_site_is_listed_once(acme, filled):
    made, caller = connect(acme, filled), acme.caller()

    def organizations(search=""):
        return all_pages(
            lambda **page: caller.ListExternalOrganizations(connection=made.name, search=search, **page),
            "organizations",
        )

    found, pages = organizations()
    assert ids(found) == sorted(filled.organizations) and pages >= 3
    found, pages = all_pages(
        lambda **page: caller.ListExternalSites(connection=made.name, organization_id="1", **page), "sites"
    )
    if filled.name in WITH_SITES:
        assert ids(found) == sorted(filled.sites[1]) and pages == 2
        assert [one.display_name for one in found] == list(filled.sites[1].values())
    else:
        assert not found
    # A search has pages too, but for Freshdesk's, which has the one.
    filled.organizations = {number: f"Company {number:03}" for number in range(1, SITES + 1)}
    found, pages = organizations("Company")
    assert ids(found) == sorted(filled.organizations) and (pages >= 2) == (filled.name != "freshdesk")


def test_a_list_goes_on_after_a_refusal_in_its_middle(acme, filled):
    made, caller = connect(acme, filled), acme.caller()
    found = all_over_a_refusal(
        filled, lambda **page: caller.ListExternalOrganizations(connection=made.name, **page), "organizations"
    )
    assert ids(found) == sorted(filled.organizations)
    if filled.name in WITH_SITES:
        found = all_over_a_refusal(
            filled,
            lambda **page: caller.ListExternalSites(connection=made.name, organization_id="1", **page),
            "sites",
        )
        assert ids(found) == sorted(filled.sites[1])


def test_a_check_of_all_links_waits_for_the_system(acme, filled):
    sites = [acme.create_site(ticketing_links=[link(filled, number)]) for number in range(1, 7)]
    made = connect(acme, filled)
    acme.caller().CheckTicketingConnection(name=made.name)
    # Behind the run's own look at the connection, amidst the organisations.
    at = len(filled.asked) + 4
    filled.failing_at[at] = (429, {"retry-after": str(WAIT_S)})
    run = done(acme, acme.caller().VerifyTicketingLinks(parent=acme.name))
    assert not filled.failing_at, "the refusal took place"
    assert (run.state, run.verified_count, run.failed_count, run.broken_count) == (DONE, len(sites), 0, 0)
    assert not run.HasField("resume_time") and not run.failures
    assert filled.asked_at[at + 1] - filled.asked_at[at] >= WAIT_S - OFF_S
    assert all(acme.caller().GetSite(name=site.name).ticketing_links[0].state == VERIFIED for site in sites)


def test_suggestions_go_on_where_a_refusal_ended_them(acme, filled):
    filled.organizations[ORGANIZATIONS] = "Nordur hf"
    made, site = connect(acme, filled), acme.create_site("Nordur")
    # Autotask is asked for its zone first.
    at = 1 + (filled.name == "autotask")
    filled.failing_at[at] = (429, {"retry-after": str(WAIT_S)})

    def suggestions():
        return acme.caller().SuggestTicketingLinks(connection=made.name, sites=[site.name])

    part = suggestions()
    assert not filled.failing_at, "the refusal took place"
    assert not part.complete and 0 < part.organization_count < ORGANIZATIONS
    assert not any(one.clear for one in part.suggestions), "among the others there may be a better one"
    until("all are read", lambda: suggestions().complete)
    whole = suggestions()
    assert whole.organization_count == ORGANIZATIONS and whole.suggestions[0].clear
    assert whole.suggestions[0].candidates[0].organization.id == str(ORGANIZATIONS)
    assert filled.asked_at[at + 1] - filled.asked_at[at] >= WAIT_S - OFF_S


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_told_as_each_system_documents_it(acme, name):
    status, headers, (least, most) = LIMITS[name]
    with System(name) as system:
        system.organizations = {number: f"Company {number:03}" for number in range(1, ORGANIZATIONS + 1)}
        made, caller = connect(acme, system), acme.caller()

        def organizations(**page):
            return caller.ListExternalOrganizations(connection=made.name, **page)

        token = organizations().next_page_token
        if status == 200:
            # The last request of the window is answered, and tells that it is the last one.
            system.telling = headers
            organizations(page_token=token)
        else:
            system.failing_at[len(system.asked)] = (status, headers)
            assert least < wait_told(failure_of(lambda: organizations(page_token=token))) <= most
        asked = len(system.asked)
        for call in (
            lambda: organizations(page_token=token),
            lambda: organizations(search="Company"),
            lambda: caller.CheckTicketingConnection(name=made.name),
        ):
            assert least < wait_told(failure_of(call)) <= most
        assert len(system.asked) == asked, "nobody asks a system that wants to be left alone"
        site = acme.create_site(ticketing_links=[link(system, 1)])
        answer = caller.VerifySiteTicketingLinks(site=site.name)
        assert [one.reason for one in answer.failures] == [pb.ERROR_REASON_TICKETING_RATE_LIMITED]
        assert answer.site.ticketing_links == site.ticketing_links and len(system.asked) == asked
