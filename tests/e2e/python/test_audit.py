"""The audit log: who administered what, and who read of persons; it survives a kill, tells no secret, and stays small."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import timestamp_pb2

from client import WORLD, Account, Caller, mask, refused, until
from rules import SYSTEM_URL
from server import Server
from stubs import pb


@pytest.fixture
def alone(tmp_path):
    """A server of its own, to be ended."""
    with Server(tmp_path / "data", geoip=False) as server:
        yield server


def operator_of(server):
    return Caller(grpc.insecure_channel(server.target), server.admin_token)


def records(caller, parent, **query):
    """All records that a query finds, the newest first."""
    found, token = [], ""
    while True:
        page = caller.ListAuditRecords(parent=parent, page_size=3, page_token=token, **query)
        assert len(page.records) <= 3
        found += page.records
        token = page.next_page_token
        if not token:
            return found


def told(caller, parent, method):
    """Resource, outcome and number of calls of a method, the newest first."""
    return [
        (one.resource, one.error_reason or ("wrote" if one.changed else "ok"), one.call_count)
        for one in records(caller, parent, method=method)
    ]


def test_what_administers_is_told_once_it_is_answered(account):
    admin, parent = account.caller(), account.name
    me = admin.WhoAmI().token
    made = admin.CreateToken(parent=parent, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER))
    admin.RotateToken(name=made.token.name)
    admin.RevokeToken(name=made.token.name)
    admin.UpdateAccount(account=pb.Account(name=parent, support_contact="call us"), update_mask=mask("support_contact"))
    connection = pb.TicketingConnection(system="syncro", base_url=SYSTEM_URL, credentials={"api_token": "a secret"})
    system = admin.CreateTicketingConnection(parent=parent, connection=connection).name
    admin.DeleteTicketingConnection(name=system)
    site = account.create_site("told of").name
    access = pb.ResidentAccess(name=f"{site}/residentAccess", owner_email=f"{secrets.token_hex(6)}@example.org")
    admin.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email"))
    admin.EraseSitePersonalData(name=site)
    found = records(admin, parent, token=me)
    assert [(one.method, one.resource) for one in found] == [
        ("AdminService.EraseSitePersonalData", site),
        ("ResidentAccessService.UpdateResidentAccess", f"{site}/residentAccess"),
        ("TicketingService.DeleteTicketingConnection", system),
        ("TicketingService.CreateTicketingConnection", parent),
        ("AdminService.UpdateAccount", parent),
        ("AdminService.RevokeToken", made.token.name),
        ("AdminService.RotateToken", made.token.name),
        ("AdminService.CreateToken", parent),
    ]
    assert all(one.changed and one.call_count == 1 and not one.error_reason for one in found)
    assert all(one.token == me and one.scope == pb.TOKEN_SCOPE_ADMIN for one in found)
    times = [one.time.ToNanoseconds() for one in found]
    assert times == sorted(times, reverse=True)
    # The operator's calls in an account are there for its administrators to see.
    assert told(admin, parent, "AdminService.CreateAccount") == [(parent, "wrote", 1)]
    between = timestamp_pb2.Timestamp()
    between.FromNanoseconds(times[3])
    assert len(records(admin, parent, token=me, start_time=between)) == 4
    assert len(records(admin, parent, token=me, end_time=between)) == 4


def test_networks_are_told_of_and_previews_of_databases(account):
    admin, parent = account.caller(), account.name
    network = pb.Prefix(cidr="10.9.0.0/16", position=pb.LatLng(lat=10, lng=10))
    name = admin.CreatePrefix(parent=parent, prefix=network).name
    refused("ALREADY_EXISTS", "RESOURCE_EXISTS", lambda: admin.CreatePrefix(parent=parent, prefix=network))
    admin.UpdatePrefix(prefix=pb.Prefix(name=name, position=pb.LatLng(lat=11, lng=10)))
    admin.DeletePrefix(name=name)
    until("its end is not told", lambda: told(admin, parent, "PrefixService.DeletePrefix") == [(name, "wrote", 1)])
    assert told(admin, parent, "PrefixService.UpdatePrefix") == [(name, "wrote", 1)]
    made = told(admin, parent, "PrefixService.CreatePrefix")
    assert sorted(made) == [(parent, "RESOURCE_EXISTS", 1), (parent, "wrote", 1)]
    # One that joins a run which waits is no record of its own.
    previews = lambda: sum(one.call_count for one in records(account.operator, "", method="GeoIpService.PreviewDatabase"))  # noqa: E731
    before = previews()
    account.operator.PreviewDatabase()
    until("a preview is not told", lambda: previews() > before)


def test_what_was_refused_or_changed_nothing_says_so(account):
    admin, viewer, parent = account.caller(), account.caller("VIEWER"), account.name
    token = pb.Token(scope=pb.TOKEN_SCOPE_ADMIN)
    for _ in range(3):
        refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: viewer.CreateToken(parent=parent, token=token))
    site = account.create_site("kept").name
    admin.EraseSitePersonalData(name=site, validate_only=True)
    until(
        "a refusal is not told",
        lambda: (parent, "SCOPE_INSUFFICIENT", 3) in told(admin, parent, "AdminService.CreateToken"),
    )
    assert told(admin, parent, "AdminService.EraseSitePersonalData") == [(site, "ok", 1)]


def test_reads_of_persons_are_told_together_and_those_that_show_none_are_not(account):
    admin, editor, parent = account.caller(), account.caller("EDITOR"), account.name
    site = account.create_site("read", contact=pb.Contact(email="a@example.com")).name
    masked = account.operator.CreateToken(
        parent=parent, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER, contacts=pb.CONTACT_ACCESS_MASKED)
    )
    before = editor.QueryViewport(parent=parent, viewport=WORLD).revision
    for _ in range(5):
        editor.GetSite(name=site)
        editor.ListSites(parent=parent)
        Caller(editor.channel, masked.secret).GetSite(name=site)
    admin.ExportSitePersonalData(name=site)
    until("a read is not told", lambda: told(admin, parent, "SiteService.GetSite") == [(site, "ok", 5)])
    assert told(admin, parent, "SiteService.ListSites") == [(parent, "ok", 5)]
    assert told(admin, parent, "AdminService.ExportSitePersonalData") == [(site, "ok", 1)]
    after = editor.QueryViewport(parent=parent, viewport=WORLD).revision
    assert after == before, "what is told of reads counts in the account's revisions"


def test_a_read_of_each_site_is_not_a_record_of_each_site(account):
    admin, parent = account.caller(), account.name
    names = [account.create_site().name for _ in range(80)]
    for name in names:
        admin.GetSite(name=name)
    until("reads are not told", lambda: sum(calls for *_, calls in told(admin, parent, "SiteService.GetSite")) == 80)
    found = told(admin, parent, "SiteService.GetSite")
    assert len(found) == 65 and (f"{parent}/sites/-", "ok", 16) in found


def test_pages_and_rows_of_one_import_are_one_record(account):
    admin, parent = account.caller(), account.name
    for number in range(5):
        rows = [pb.SiteRow(site=pb.Site(display_name=f"row {number} {row}")) for row in range(3)]
        admin.ImportSites(parent=parent, rows=rows)
    assert told(admin, parent, "ImportService.ImportSites") == [(parent, "wrote", 5)]


def test_pages_side_by_side_are_all_counted_and_those_that_were_not_written_never_as_such(account):
    admin, viewer, parent = account.caller(), account.caller("VIEWER"), account.name
    pages = 24

    def page(number):
        rows = [pb.SiteRow(site=pb.Site(display_name=f"side {number} {row}")) for row in range(5)]
        admin.ImportSites(parent=parent, rows=rows)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(page, range(pages)))
    row = pb.SiteRow(site=pb.Site(display_name="never there"))
    refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: viewer.ImportSites(parent=parent, rows=[row]))
    admin.ImportSites(parent=parent, rows=[row], validate_only=True)
    # All rows are refused by themselves: the call is answered, and wrote nothing.
    nowhere = pb.SiteRow(agent_id="nobody", site=pb.Site(display_name="nowhere"))
    admin.ImportSites(parent=parent, rows=[nowhere])

    def outcomes():
        sums = {}
        for resource, outcome, calls in told(admin, parent, "ImportService.ImportSites"):
            assert resource == parent
            sums[outcome] = sums.get(outcome, 0) + calls
        return sums

    expected = {"wrote": pages, "SCOPE_INSUFFICIENT": 1, "ok": 2}
    until("they are not told as they ended", lambda: outcomes() == expected)
    assert len(told(admin, parent, "ImportService.ImportSites")) <= 8 + 2, "pages are not told together"


def test_no_text_of_a_request_and_no_secret_is_in_a_record(account):
    admin, parent, canary = account.caller(), account.name, f"canary-{secrets.token_hex(8)}"
    made = admin.CreateToken(parent=parent, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER, display_name=canary))
    rotated = admin.RotateToken(name=made.token.name, request_id="0b3c0f4e-9d0b-4f3e-8a57-3b0f6f6f0001")
    contact = pb.Contact(email=f"{canary}@example.com")
    admin.ImportSites(parent=parent, rows=[pb.SiteRow(site=pb.Site(display_name=canary, contact=contact))])
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: admin.RevokeToken(name=f"tokens/{canary}"))
    admin.SearchSites(parent=parent, query=canary)
    until("a read is not told", lambda: told(admin, parent, "SiteService.SearchSites"))
    until("a refusal is not told", lambda: len(told(admin, parent, "AdminService.RevokeToken")) == 1)
    text = str(records(admin, parent))
    assert canary not in text and made.secret not in text and rotated.secret not in text
    assert told(admin, parent, "AdminService.RevokeToken") == [("", "FIELD_INVALID", 1)]


def test_what_was_answered_outlives_a_kill_and_what_was_read_an_end(alone):
    operator = operator_of(alone)
    account = Account(operator)
    admin = account.caller()
    made = admin.CreateToken(parent=account.name, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER))
    alone.kill()
    alone.start()
    admin = Caller(operator_of(alone).channel, admin.token)
    found = told(admin, account.name, "AdminService.CreateToken")
    assert found[0] == (account.name, "wrote", 1) and len(found) == 2, found
    Caller(admin.channel, made.secret).GetAccount(name=account.name)
    assert alone.stop() == 0
    alone.start()
    admin = Caller(operator_of(alone).channel, admin.token)
    assert told(admin, account.name, "AdminService.GetAccount") == [(account.name, "ok", 1)]
    listed = admin.ListTokens(parent=account.name).tokens
    assert next(one for one in listed if one.name == made.token.name).HasField("last_use_time")


def test_the_operators_own_calls_stand_apart(alone):
    operator = operator_of(alone)
    account = Account(operator)
    name = operator.CreateToken(token=pb.Token(scope=pb.TOKEN_SCOPE_ADMIN)).token.name
    operator.RevokeToken(name=name)
    assert told(operator, "", "AdminService.RevokeToken") == [(name, "wrote", 1)]
    assert told(operator, account.name, "AdminService.RevokeToken") == []
    refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", account.caller().ListAuditRecords)
