"""Search as one types: every field, in every state, at once after each write, and for nobody but the account."""

import secrets

import grpc
import pytest

from client import Account, Caller, mask, refused
from server import Server
from stubs import pb


def search(account, query, scope="VIEWER", **fields):
    return account.caller(scope).SearchSites(parent=account.name, query=query, **fields)


def names(answer):
    return [hit.site.display_name for hit in answer.hits]


def marked(match):
    """The parts of a match's text that its ranges say."""
    text = match.text.encode()
    return [text[part.start : part.end].decode() for part in match.ranges]


FULL = {
    "customer_id": "CUST-00417/b",
    "contract_id": "K.2024-9",
    "note": "Behind the blue gate.\nKey at the neighbour's",
    "labels": {"region": "Nordics"},
    "contact": pb.Contact(
        email="asa.thors@example.is",
        first_name="Ásdís",
        last_name="Þórsdóttir",
        phones=[pb.Phone(number="+3545551234"), pb.Phone(number="+4688123457")],
    ),
    "ticketing_links": [
        pb.TicketingLink(system="zendesk", organization_id="36028", organization_name="Große Werke"),
        pb.TicketingLink(system="our desk", organization_id="5", external_site_id="w1", external_site_name="Südlager"),
    ],
}

# What is typed, the field that it is found in, and what of it is marked.
FOUND = [
    ("hofudst", "display_name", ["Höfuðst"]),
    ("ＨÖFUÐSTÖÐVAR", "display_name", ["Höfuðstöðvar"]),
    ("cust-00417/B", "customer_id", ["CUST-00417/b"]),
    ("00417", "customer_id", ["00417"]),
    ("cust00417b", "customer_id", ["CUST-00417/b"]),
    ("k.2024-9", "contract_id", ["K.2024-9"]),
    ("asa.thors@example.is", "contact.email", ["asa.thors@example.is"]),
    ("asdis", "contact.first_name", ["Ásdís"]),
    ("thorsdottir", "contact.last_name", ["Þórsdóttir"]),
    ("+354 555 1234", "contact.phones", ["3545551234"]),
    ("555-1234", "contact.phones", ["5551234"]),
    ("3457", "contact.phones", ["3457"]),
    ("region=nordics", "labels", ["region=Nordics"]),
    ("nordic", "labels", ["Nordic"]),
    ("zendesk", "ticketing_links.system", ["zendesk"]),
    ("36028", "ticketing_links.organization_id", ["36028"]),
    ("grosse werk", "ticketing_links.organization_name", ["Große", "Werk"]),
    ("sudlager", "ticketing_links.external_site_name", ["Südlager"]),
    ("neighb", "note", ["neighb"]),
]


def test_each_field_of_a_site_is_found(account):
    made = account.create_site("Höfuðstöðvar Norður", **FULL)
    account.create_site("Another")
    for typed, field, parts in FOUND:
        answer = search(account, typed)
        assert [hit.site.name for hit in answer.hits] == [made.name], typed
        assert answer.total_size == 1 and answer.is_total_exact and answer.revision >= made.revision, typed
        assert answer.hits[0].site == made, typed
        assert (answer.hits[0].matches[0].field, marked(answer.hits[0].matches[0])) == (field, parts), typed
    both = search(account, "blue höf").hits[0].matches
    assert {match.field for match in both} == {"display_name", "note"}
    for typed in ["nothing", "höfuð nothing", "23457x", "hofudstodvarr"]:
        answer = search(account, typed)
        assert not answer.hits and answer.total_size == 0 and answer.is_total_exact, typed


def test_agents_and_addresses_are_found(iceland):
    caller = iceland.caller()
    site = iceland.activate("fw:0A-1b-77", ip="213.167.128.1", display_name="Kaffi").site
    caller.SetAddress(site=site, address_line="Laugavegur 1, Reykjavik")
    for typed, field in [("fw:0a-1b-77", "agent_id"), ("laugavegur 1 reykjavik", "location.address")]:
        answer = search(iceland, typed)
        assert [hit.site.name for hit in answer.hits] == [site], typed
        assert field in {match.field for match in answer.hits[0].matches}, typed
    assert [hit.site.name for hit in search(iceland, "101 reykja").hits] == [site], "as the geocoder writes it"
    caller.SetAddress(site=site, address_line="Hafnarstræti 94, Akureyri")
    assert not search(iceland, "laugavegur").hits
    assert [hit.site.name for hit in search(iceland, "hafnarstraeti").hits] == [site]


def test_better_fields_and_whole_words_come_first(account):
    account.create_site("Beta", note="nord")
    account.create_site("Gamma", labels={"side": "nord"})
    account.create_site("Delta", contact=pb.Contact(last_name="Nord"))
    account.create_site("Epsilon", customer_id="nord")
    account.create_site("Zeta Nord")
    account.create_site("Nord")
    account.create_site("Nordic A")
    account.create_site("nordic b")
    ranked = ["Nord", "Zeta Nord", "Epsilon", "Delta", "Gamma", "Beta", "Nordic A", "nordic b"]
    assert names(search(account, "NORD")) == ranked
    first = search(account, "nord", page_size=3)
    assert names(first) == ranked[:3] and first.total_size == 8 and first.is_total_exact
    assert len(search(account, "nord", page_size=1000).hits) == 8


def test_every_write_is_in_the_next_search(account):
    caller = account.caller()
    for number in range(40):
        word = f"w{secrets.token_hex(6)}"
        site = account.create_site(f"{word} one")
        assert names(search(account, word)) == [f"{word} one"], number
        other = f"v{secrets.token_hex(6)}"
        changed = caller.UpdateSite(
            site=pb.Site(name=site.name, display_name=f"{other} two", note=word), update_mask=mask("display_name", "note")
        )
        answer = search(account, word)
        assert names(answer) == [f"{other} two"] and answer.hits[0].matches[0].field == "note"
        assert answer.revision >= changed.revision
        caller.UpdateSite(site=pb.Site(name=site.name, note=""), update_mask=mask("note"))
        assert not search(account, word).hits, "what a site had before is not found"
        caller.UpdateSite(site=pb.Site(name=site.name, status=pb.SITE_STATUS_ONLINE), update_mask=mask("status"))
        assert search(account, other).hits[0].site.status == pb.SITE_STATUS_ONLINE
        if number % 2:
            caller.DeleteSite(name=site.name)
            assert not search(account, other).hits, "a deleted site is not found"
        if number % 4 == 3:
            caller.UndeleteSite(name=site.name)
            assert names(search(account, other)) == [f"{other} two"]


def test_a_site_of_another_account_is_never_found(account, operator):
    other = Account(operator)
    word = f"w{secrets.token_hex(6)}"
    other.create_site(f"{word} theirs", customer_id=word, note=word)
    assert search(other, word).total_size == 1
    answer = search(account, word)
    assert not answer.hits and answer.total_size == 0
    refused(
        "NOT_FOUND",
        "RESOURCE_NOT_FOUND",
        lambda: account.caller().SearchSites(parent=other.name, query=word),
    )


def test_a_filter_leaves_matching_sites_alone(account):
    caller = account.caller()
    for number in range(30):
        account.create_site(
            f"Office {number:02}",
            status=pb.SITE_STATUS_ONLINE if number % 3 else pb.SITE_STATUS_OFFLINE,
            labels={"tier": "gold" if number % 2 else "iron"},
        )
    for expression, wanted in [
        ("status = OFFLINE", lambda n: n % 3 == 0),
        ("labels.tier = gold", lambda n: n % 2 == 1),
        ("status = OFFLINE labels.tier = gold", lambda n: n % 6 == 3),
        ('display_name = "*5"', lambda n: n % 10 == 5),
        ("location.placed = true", lambda n: False),
    ]:
        expected = [f"Office {number:02}" for number in range(30) if wanted(number)]
        answer = search(account, "office", filter=expression, page_size=50)
        assert names(answer) == expected, expression
        assert answer.total_size == len(expected) and answer.is_total_exact, expression
        listed = caller.ListSites(parent=account.name, filter=expression, order_by="display_name")
        assert [site.display_name for site in listed.sites] == expected, "the list answers the same"
        few = search(account, "office", filter=expression, page_size=2)
        assert names(few) == expected[:2]
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: search(account, "x", filter="nonsense ="), field="filter")
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: search(account, "x", filter="note:x"), field="filter")


@pytest.mark.parametrize(
    "typed",
    ["", "   ", "-", "'\"\\*()&|!", "\u0301", "x" * 257, "ö" * 129, "a b c d e f g h i", "\u202e", "😀"],
)
def test_bad_queries_are_refused(account, typed):
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: search(account, typed), field="query")


def test_hostile_queries_are_answered(account):
    account.create_site("<script>alert(1)</script> O'Brien; DROP TABLE sites")
    for typed in [
        "<script>",
        "o'brien",
        "'; DROP TABLE sites; --",
        "..\\..\\..",
        "%00 x",
        "a" * 256,
        "1 " * 8,
        ".a" * 128,
        "\u0000drop",
        "*",
        "İSTANBUL ﬃ ½ ㎏",
    ]:
        try:
            answer = search(account, typed)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, typed
            continue
        for match in (match for hit in answer.hits for match in hit.matches):
            ends = [0, *(end for part in match.ranges for end in (part.start, part.end)), len(match.text.encode())]
            assert ends == sorted(ends) and marked(match), typed
    assert len(search(account, "script").hits) == 1
    assert search(account, "o'brien").hits[0].matches[0].text.startswith("<script>"), "texts come as they are"
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: search(account, "x", page_size=-1), field="page_size")


def test_a_search_is_whole_again_after_a_restart_and_after_kill_9(tmp_path):
    server = Server(tmp_path / "data", geoip=False)
    with server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token), "again")
            for number in range(300):
                account.create_site(f"kept {number:03}", note=f"needle{number}", customer_id=f"C-{number:04}")
            full = account.create_site("Höfuðstöðvar Norður", **FULL)
            gone = account.create_site("gone", note="needle7x")
            account.caller().DeleteSite(name=gone.name)
        for end in (server.stop, server.kill):
            end()
            server.start()
            with grpc.insecure_channel(server.target) as channel:
                caller = Caller(channel, server.admin_token)

                def found(query, caller=caller):
                    return caller.SearchSites(parent="accounts/again", query=query)

                assert names(found("needle7")) == ["kept 007", *(f"kept {n:03}" for n in range(70, 79))]
                assert found("needle7").total_size == 11 and found("kept").total_size == 300
                assert names(found("c-0299")) == ["kept 299"]
                assert not found("gone").hits
                for typed, _, _ in FOUND:
                    assert [hit.site.name for hit in found(typed).hits] == [full.name], typed
                site = caller.CreateSite(parent="accounts/again", site=pb.Site(display_name=f"needle7 {end.__name__}"))
                assert found("needle7").hits[0].site == site, "a new write is seen beside what was read"
                caller.DeleteSite(name=site.name)
