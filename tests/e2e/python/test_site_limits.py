"""The longest texts and the most ticketing links that a site may have, the most sites of an account, and what is one more than that."""

import secrets

import grpc
import pytest

from client import Account, Caller, mask, refused
from server import Server
from stubs import pb

# Bytes of a line of text and of a web page's address, and links of a site.
LINE_BYTES_MAX, URI_BYTES_MAX, LINKS_MAX = 256, 2_048, 32


@pytest.fixture
def account(operator):
    return Account(operator)


def refused_everywhere(account, field, **fields):
    """A site of these fields is neither made nor does one become it, and the answer names the field."""
    before = account.create_site()
    for call in (
        lambda: account.create_site(**fields),
        lambda: account.caller().UpdateSite(site=pb.Site(name=before.name, **fields), update_mask=mask(*fields)),
    ):
        refused("INVALID_ARGUMENT", "FIELD_INVALID", call, f"site.{field}")
    assert account.caller().GetSite(name=before.name) == before


@pytest.mark.parametrize("letter", ["x", "þ", "価"])
def test_a_contract_id_has_at_most_256_bytes(account, letter):
    """Bytes, whatever the letters."""
    width = len(letter.encode())
    longest = letter * (LINE_BYTES_MAX // width) + "x" * (LINE_BYTES_MAX % width)
    site = account.create_site(contract_id=longest)
    assert account.caller().GetSite(name=site.name).contract_id == longest
    changed = account.create_site(contract_id="K-1")
    update = {"site": pb.Site(name=changed.name, contract_id=longest), "update_mask": mask("contract_id")}
    assert account.caller().UpdateSite(**update).contract_id == longest
    found = account.caller().SearchSites(parent=account.name, query=longest)
    assert {one.site.name for one in found.hits} == {site.name, changed.name}
    refused_everywhere(account, "contract_id", contract_id=longest + "x")


def test_a_site_has_at_most_32_links(account):
    longest = pb.TicketingLink(
        uri="https://example.com/".ljust(URI_BYTES_MAX, "x"),
        **dict.fromkeys(("organization_name", "external_site_name", "external_site_id"), "x" * LINE_BYTES_MAX),
    )

    def links(count):
        """So many links, each as long as it may be."""
        for number in range(count):
            one = pb.TicketingLink(system=f"system {number}".ljust(LINE_BYTES_MAX, "x"))
            one.organization_id = str(number).ljust(LINE_BYTES_MAX, "x")
            one.MergeFrom(longest)
            yield one

    site = account.create_site(ticketing_links=links(LINKS_MAX))
    kept = account.caller().GetSite(name=site.name).ticketing_links
    told = [(one.system, one.organization_id, one.external_site_name, one.uri) for one in kept]
    assert told == [(one.system, one.organization_id, one.external_site_name, one.uri) for one in links(LINKS_MAX)]
    last = kept[-1]
    linked = account.caller().ListLinkedSites(
        parent=account.name, system=last.system, organization_id=last.organization_id
    )
    assert [one.name for one in linked.sites] == [site.name]
    refused_everywhere(account, "ticketing_links", ticketing_links=list(links(LINKS_MAX + 1)))
    for field, length in (("system", LINE_BYTES_MAX), ("organization_id", LINE_BYTES_MAX), ("uri", URI_BYTES_MAX),
                          ("organization_name", LINE_BYTES_MAX), ("external_site_id", LINE_BYTES_MAX)):  # fmt: skip
        *others, wrong = links(LINKS_MAX)
        setattr(wrong, field, getattr(wrong, field) + "x")
        assert len(getattr(wrong, field)) == length + 1
        refused_everywhere(account, f"ticketing_links[{LINKS_MAX - 1}].{field}", ticketing_links=[*others, wrong])


def test_an_account_has_at_most_as_many_sites_as_the_operator_lets_it(tmp_path):
    """However a site would come; and one that goes makes room for one."""
    config = tmp_path / "waymark.toml"
    config.write_text("[service]\nsites_max = 2\n", encoding="utf-8")
    with (
        Server(tmp_path / "data", geoip=False, extra=["--config", config]) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        operator = Caller(channel, server.admin_token)
        account, other = Account(operator), Account(operator)
        key = secrets.token_bytes(32)
        first, last = account.create_site(), account.activate("agent-1", key=key)

        def imported():
            row = pb.SiteRow(site=pb.Site(display_name="from a sheet"))
            return account.caller().ImportSites(parent=account.name, rows=[row]).results[0]

        def full(call):
            refused("RESOURCE_EXHAUSTED", "LIMIT_REACHED", call)

        full(account.create_site)
        full(lambda: account.activate("agent-2"))
        assert imported().reason == pb.ERROR_REASON_LIMIT_REACHED
        assert account.activate("agent-1", key=key).site == last.site, "a known agent comes again"
        other.create_site()
        account.caller().DeleteSite(name=first.name)
        account.activate("agent-2")
        full(lambda: account.caller().UndeleteSite(name=first.name))
        assert len(account.caller().ListSites(parent=account.name).sites) == 2
