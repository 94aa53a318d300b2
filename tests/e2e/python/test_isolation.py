"""Two accounts cannot see each other by any method, whatever the scope of the caller.

Each method of the descriptors is called with the names of another account's things, and then with names of things that
do not exist. Code, message and details must be the same to the letter once the names themselves are blotted out:
otherwise the difference tells a stranger what exists. Names under the caller's own account are compared with each
other, and names under other accounts with each other: what is its own a caller knows.
"""

import itertools
import json
import re
import secrets
import uuid

import grpc
import pytest

from client import Account, Caller, Failure, failure_of, fetch, refused
from rules import CLOSED_TO_AGENTS, CREDENTIALS, OUTPUT_NAMES, RULES, SCOPES, World, request_for
from stubs import field_comments, methods, pb

# Kinds of names that hold a site's.
OF_SITES = ("site", "sites", "change")
ALL = [method.name for _, method in methods()]
# Id of an account that nobody has, cut to the length of the foreign one's, so that even the lengths inside serialised
# details are the same.
NOBODY = f"n{secrets.token_hex(31)}"
# What marks a field as a resource name in the protos' comments.
NAME_PATTERN = re.compile(
    r"`(accounts/\{account\}|tokens/\{token\})|[Rr]esource name|\b(account|site|token)s?'s id|^ Its id"
)


@pytest.fixture(scope="module")
def own(operator):
    return World(Account(operator))


@pytest.fixture(scope="module")
def foreign(operator):
    return World(Account(operator))


# Methods that answer item by item, and how they say that one failed.
ITEM_BY_ITEM = {"BatchReportStatus": "OUTCOME_FAILED", "ImportSites": "IMPORT_OUTCOME_REFUSED"}


def test_each_method_has_a_rule_and_each_rule_a_method():
    assert sorted(RULES) == sorted(ALL)


def test_each_resource_name_in_a_request_is_known():
    comments = field_comments()
    for _, method in methods():
        for path, message, field in walk(method.input_type):
            looks_like_a_name = NAME_PATTERN.search(comments[message, field]) or field in ("name", "parent", "names")
            if looks_like_a_name and path not in RULES[method.name].names:
                assert (message, field) in OUTPUT_NAMES, f"{method.name}: say in rules.py what `{path}` may name"


def walk(message, prefix="", depth=2):
    """String fields of a message of waymark.v1 and of those in it: (path, message, field)."""
    for field in message.fields:
        if field.type == field.TYPE_STRING:
            yield prefix + field.name, message.name, field.name
        elif field.message_type and field.message_type.file.package == "waymark.v1" and depth:
            if not field.message_type.GetOptions().map_entry:
                yield from walk(field.message_type, f"{prefix}{field.name}.", depth - 1)


def foreign_names(kind, own, foreign):
    """Names of things that exist, and are another's."""
    stranger, home = foreign.account, own.account
    sites = [foreign.site, foreign.deleted, foreign.activated.site]
    moved = [name.replace(stranger.name, home.name) for name in (*sites, foreign.token)]
    return {
        "account": [stranger.name],
        "account_id": [stranger.id],
        "site": sites + moved[:-1],
        "sites": sites + moved[:-1],
        "token": [foreign.token, moved[-1], "tokens/" + operator_token(own)],
        "change": [f"{name}/changes/1" for name in sites + moved[:-1]],
        "prefix": [foreign.prefix, foreign.prefix.replace(stranger.name, home.name).replace("10.8", "10.7")],
        "access": [f"{name}/residentAccess" for name in sites + moved[:-1]],
        # Ids of connections are names of systems: that one's own account has none to Freshdesk it knows.
        "connection": [foreign.connection],
        # Runs are numbered in their account, which has one of this number itself.
        "verification": [foreign.verification],
        "share": [foreign.share, foreign.share.replace(stranger.name, home.name)],
    }[kind]


def absent_names(kind, own, foreign):
    """Names of things that do not exist, well-formed all the same."""
    nobody = "accounts/" + NOBODY[: len(foreign.account.id)]
    parents = [nobody, foreign.account.name, own.account.name]
    return {
        "account": [nobody],
        "account_id": [nobody.removeprefix("accounts/")],
        "site": [f"{parent}/sites/{uuid.uuid4()}" for parent in parents],
        "sites": [f"{parent}/sites/{uuid.uuid4()}" for parent in parents],
        "token": [f"{parent}/tokens/{secrets.token_hex(8)}" for parent in parents] + [f"tokens/{secrets.token_hex(8)}"],
        "change": [f"{parent}/sites/{uuid.uuid4()}/changes/1" for parent in parents],
        "prefix": [f"{parent}/prefixes/10.7.0.0-16" for parent in parents],
        "access": [f"{parent}/sites/{uuid.uuid4()}/residentAccess" for parent in parents],
        "connection": [f"{nobody}/ticketingConnections/zendesk", *absent_connections(foreign.account, own.account)],
        "verification": [f"{parent}/ticketingVerifications/{absent_run()}" for parent in parents],
        "share": [f"{parent}/shares/{secrets.token_hex(8)}" for parent in parents],
    }[kind]


def absent_connections(*accounts):
    """Names of connections to a system that neither account has one to."""
    return [f"{account.name}/ticketingConnections/freshdesk" for account in accounts]


def absent_run():
    """An id as those of runs are."""
    return f"{10**11 + secrets.randbelow(10**11):012}"


def operator_token(own):
    return own.account.operator.WhoAmI().token.rpartition("/")[2]


def seen(caller, method, request, names):
    """All that a caller learns, with every part of the names blotted out."""
    try:
        answer = caller.call(method, request)
        return f"OK {blot(str(answer), names)}"
    except grpc.RpcError as error:
        failure = Failure(error)
        details = [(kind, blot(value.decode("latin-1"), names)) for kind, value in failure.details]
        return f"{failure.code.name} {blot(failure.message, names)} {details} {failure.trailing}"


def blot(text, names):
    parts = {part for name in names for part in (name, *name.split("/")) if part not in ("accounts", "sites", "tokens")}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "<name>")
    return text


@pytest.mark.parametrize("scope", CREDENTIALS)
@pytest.mark.parametrize("method", ALL)
def test_a_foreign_thing_is_as_absent_as_one_that_is_not(own, foreign, method, scope):
    caller, rule = own.caller(scope), RULES[method]
    for chosen in chosen_fields(rule.names):
        groups = {}
        for origin, names_of in (("foreign", foreign_names), ("absent", absent_names)):
            for combination in itertools.product(*(names_of(rule.names[path], own, foreign) for path in chosen)):
                what = seen(caller, method, request_for(method, own, dict(zip(chosen, combination))), combination)
                # Whether two names agree on their account is in the request's own text, and tells nothing.
                agree = len({"/".join(name.split("/")[:2]) for name in combination}) == 1
                group = (agree, *(home_of(name, own) for name in combination))
                groups.setdefault(group, {}).setdefault(what, []).append((origin, combination))
        for answers in groups.values():
            origins = {origin for cases in answers.values() for origin, _ in cases}
            assert "absent" in origins, f"{method} {list(chosen)}: nothing to compare with {answers}"
            assert len(answers) == 1, f"{method} as {scope} tells {list(chosen)} apart:\n" + "\n".join(
                f"{what}\n    for {cases}" for what, cases in answers.items()
            )
            what = next(iter(answers))
            if method in ITEM_BY_ITEM and what.startswith("OK"):
                # The failure of one leaves the others as they are.
                assert ITEM_BY_ITEM[method] in what and "RESOURCE_NOT_FOUND" in what, what
                continue
            assert not what.startswith("OK"), f"{method} as {scope} answers for {list(chosen)}: {what}"
            # With two names in a request the one may be said not to belong to the other, and tokens may be the operator's.
            if scope in rule.scopes and len(rule.names) == 1 and method not in ("RevokeToken", "RotateToken"):
                assert what.startswith("NOT_FOUND"), f"{method} as {scope}: {what}"


def home_of(name, own):
    """Whose a name claims to be."""
    if name.startswith(own.account.name + "/"):
        return "own"
    return "operator" if name.startswith("tokens/") else "other"


def chosen_fields(names):
    """Each resource-name field alone, and all of them together."""
    single = [(path,) for path in names]
    return single + ([tuple(names)] if len(names) > 1 else [])


@pytest.mark.parametrize("method", [method.name for service, method in methods() if service in CLOSED_TO_AGENTS])
def test_an_agents_credential_opens_nothing_but_the_door(own, foreign, method):
    """An agent stands on a customer's network: who takes its credential must learn nothing, of its own site neither."""
    agent, rule = own.caller("AGENT"), RULES[method]
    # What of a site's name each names.
    sites = {path: "/changes/1" if kind == "change" else "" for path, kind in rule.names.items() if kind in OF_SITES}
    others = [foreign.site.replace(foreign.account.name, own.account.name), f"{own.account.name}/sites/{uuid.uuid4()}"]
    for name in [own.activated.site, own.site, own.deleted, *others] if sites else [None]:
        request = request_for(method, own, {path: name + behind for path, behind in sites.items()})
        refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda request=request: agent.call(method, request))
    for origin in (foreign_names, absent_names):
        names = {path: origin(kind, own, foreign)[0] for path, kind in rule.names.items()}
        request = request_for(method, own, names)
        refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda request=request: agent.call(method, request))


@pytest.mark.parametrize("path", ["tiles.json", "tiles/0/0/0.mvt"])
def test_an_agents_credential_opens_no_tile(server, own, foreign, path):
    secret = own.activated.credential
    assert fetch(server.target, f"/v1/{own.account.name}/{path}", secret)[0] == 403
    assert fetch(server.target, f"/v1/{foreign.account.name}/{path}", secret)[0] == 404


def test_what_is_listed_is_ones_own(own, foreign):
    things = (foreign.site, foreign.deleted, foreign.token, foreign.share)
    marks = [foreign.account.id, *(name.rpartition("/")[2] for name in things)]
    for scope in SCOPES:
        caller = own.account.caller(scope)
        for method in ALL:
            if scope in RULES[method].scopes and not method.startswith(("Delete", "Create", "Revoke")):
                try:
                    text = str(caller.call(method, request_for(method, own, validate=True)))
                except grpc.RpcError as error:
                    text = repr(Failure(error))
                # The audit log tells what the account's own callers asked for, be it an id that is another's.
                told = marks[:1] if method == "ListAuditRecords" else marks
                assert not any(mark in text for mark in told), f"{method} as {scope} shows another account: {text}"
    assert [a.name for a in own.account.caller().ListAccounts().accounts] == [own.account.name]


def test_equal_names_agents_and_request_ids_do_not_meet(own, foreign):
    request_id, key = str(uuid.uuid4()), secrets.token_bytes(32)
    made = [
        (
            world.account.caller().CreateSite(
                parent=world.account.name, site=pb.Site(display_name="Same Name"), request_id=request_id
            ),
            world.account.activate("same-agent", key=key),
        )
        for world in (own, foreign)
    ]
    assert made[0][0].name != made[1][0].name and made[1][0].name.startswith(foreign.account.name)
    assert made[0][1].site != made[1][1].site and made[0][1].created and made[1][1].created
    assert made[0][1].credential != made[1][1].credential


def test_page_tokens_do_not_travel(own, foreign):
    token = foreign.account.caller().ListSites(parent=foreign.account.name, page_size=1).next_page_token
    assert token
    failure = failure_of(lambda: own.account.caller().ListSites(parent=own.account.name, page_size=1, page_token=token))
    assert (failure.code.name, failure.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


@pytest.mark.parametrize("path", ["tiles.json", "tiles/0/0/0.mvt", "tiles/5/16/9.mvt"])
def test_tiles_of_a_foreign_account_are_those_of_none(server, own, foreign, path):
    secret = own.account.caller("VIEWER").token
    answers = {}
    for account in (foreign.account.id, NOBODY[: len(foreign.account.id)]):
        status, headers, body = fetch(server.target, f"/v1/accounts/{account}/{path}", secret)
        headers.pop("content-length", None)
        answers[status, blot(body.decode(), [account]), json.dumps(sorted(headers.items()))] = account
    assert len(answers) == 1, answers
    assert next(iter(answers))[0] == 404


def test_the_stranger_lost_nothing(foreign):
    listed = foreign.account.caller().ListSites(parent=foreign.account.name, show_deleted=True).sites
    by_name = {site.name: site for site in listed}
    assert by_name[foreign.site].location.source == pb.FIX_SOURCE_PIN and not by_name[foreign.site].note
    assert not by_name[foreign.site].HasField("delete_time") and by_name[foreign.deleted].HasField("delete_time")
    assert Caller(foreign.account.operator.channel, foreign.token_secret).WhoAmI().account == foreign.account.name
