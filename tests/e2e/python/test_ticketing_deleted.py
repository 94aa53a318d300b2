"""Records that a ticketing system marks as deleted, or as inactive, and tells all the same.

ConnectWise Manage and Zendesk mark what is deleted; Freshservice, Freshdesk and Syncro tell nothing of it any more, and Autotask
deletes no company that was ever of use. An inactive one is there: ConnectWise's sites, Autotask's companies and locations,
Syncro's customers.
"""

import pytest

from stubs import pb
from ticketing_accounts import (  # noqa: F401, F811 (pytest finds fixtures by their names)
    BROKEN,
    DONE,
    VERIFIED,
    acme,
    all_pages,
    connect,
    done,
    link,
    shared,
    verified,
)
from ticketing_systems import System

DELETED = {"connectwise": {"deletedFlag": True}, "zendesk": {"deleted_at": "2026-02-03T04:05:06Z"}}
INACTIVE = {
    "connectwise": {"status": {"id": 2, "name": "Inactive"}},
    "autotask": {"isActive": False},
    "syncro": {"disabled": True},
}
INACTIVE_SITE = {"connectwise": {"inactiveFlag": True}, "autotask": {"isActive": False}}


def listed(account, made, search=""):
    """The ids of the organisations of a connection."""
    found, _ = all_pages(
        lambda **page: account.caller().ListExternalOrganizations(connection=made.name, search=search, **page),
        "organizations",
    )
    return [int(one.id) for one in found]


def suggested(account, made, site):
    """The ids of the organisations that a site may belong to."""
    answer = account.caller().SuggestTicketingLinks(connection=made.name, sites=[site.name])
    return [int(one.organization.id) for suggestion in answer.suggestions for one in suggestion.candidates]


def broken_sites(account):
    """The sites that need attention because a link is broken."""
    reasons = [pb.ATTENTION_REASON_TICKETING_LINK_BROKEN]
    return [item.site.name for item in account.caller().ListAttention(parent=account.name, reasons=reasons).items]


@pytest.mark.parametrize("name", DELETED)
def test_a_record_that_is_marked_as_deleted_is_gone(acme, name):
    with System(name) as system:
        system.organizations[3] = "Acme Ltd"
        made = connect(acme, system)
        twin = acme.create_site("Acme")
        site = verified(acme, acme.create_site(ticketing_links=[link(system, 1, "Acme Ltd")]))
        assert site.ticketing_links[0].state == VERIFIED and listed(acme, made) == [1, 2, 3]
        system.marks[1] = DELETED[name]
        gone = verified(acme, site).ticketing_links[0]
        # No name there: it is the organisation that is gone.
        assert (gone.state, gone.found_organization_name, gone.state_time) == (BROKEN, "", gone.verify_time)
        assert gone.organization_name == "Acme Ltd" and broken_sites(acme) == [site.name]
        assert listed(acme, made) == [2, 3] and listed(acme, made, "Acme") == [3]
        assert suggested(acme, made, twin) == [3]
        run = done(acme, acme.caller().VerifyTicketingLinks(parent=acme.name))
        assert (run.state, run.broken_count, run.verified_count, run.failed_count) == (DONE, 1, 0, 0)
        # It is restored there.
        del system.marks[1]
        assert verified(acme, site).ticketing_links[0].state == VERIFIED and broken_sites(acme) == []
        assert listed(acme, made) == [1, 2, 3]


def test_the_sites_of_a_deleted_company_are_gone_with_it(acme):
    with System("connectwise") as system:
        connect(acme, system)
        site = verified(acme, acme.create_site(ticketing_links=[link(system, 1, "Acme Ltd", "11")]))
        assert site.ticketing_links[0].found_site_name == "Head Office"
        system.marks[1] = DELETED["connectwise"]
        gone = verified(acme, site).ticketing_links[0]
        assert (gone.state, gone.found_organization_name, gone.found_site_name) == (BROKEN, "", "")


@pytest.mark.parametrize("name", INACTIVE)
def test_an_inactive_organization_is_there(acme, name):
    with System(name) as system:
        made = connect(acme, system)
        site = verified(acme, acme.create_site(ticketing_links=[link(system, 1, "Acme Ltd")]))
        system.marks[1] = INACTIVE[name]
        now = verified(acme, site).ticketing_links[0]
        assert (now.state, now.found_organization_name) == (VERIFIED, "Acme Ltd")
        assert now.state_time == site.ticketing_links[0].state_time and broken_sites(acme) == []
        # Syncro's own list leaves it out.
        assert listed(acme, made) == ([2] if name == "syncro" else [1, 2])
        run = done(acme, acme.caller().VerifyTicketingLinks(parent=acme.name))
        assert (run.verified_count, run.broken_count) == (1, 0)


@pytest.mark.parametrize("name", INACTIVE_SITE)
def test_an_inactive_site_is_there(acme, name):
    with System(name) as system:
        made = connect(acme, system)
        site = verified(acme, acme.create_site(ticketing_links=[link(system, 1, "Acme Ltd", "11")]))
        system.site_marks[11] = INACTIVE_SITE[name]
        now = verified(acme, site).ticketing_links[0]
        assert (now.state, now.found_site_name) == (VERIFIED, "Head Office") and broken_sites(acme) == []
        found = acme.caller().ListExternalSites(connection=made.name, organization_id="1").sites
        assert [one.display_name for one in found] == ["Head Office", "Warehouse"]
