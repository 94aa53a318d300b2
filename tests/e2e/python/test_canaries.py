"""Canaries: a different one in every field that holds something of a person or a secret, in calls that succeed and in calls
that fail. Whatever waymark logs, counts and measures, at the finest level too, holds none of them."""

import contextlib
import secrets

import grpc
import pytest

from client import Account, Caller, absent_site, failure_of, fetch, mask, scope_value
from server import Server
from stubs import pb

# Begins each canary; nothing else of a server does.
MARK = "kanarie"
# Longer than any text may be.
TOO_LONG = 70_000


class Canaries:
    """Makes canaries and remembers them."""

    def __init__(self):
        self.all = {}

    def of(self, field):
        """A new canary for a field."""
        canary = f"{MARK}{secrets.token_hex(6)}"
        self.all[canary] = field
        return canary

    def found_in(self, text):
        """The fields whose canaries stand in a text."""
        return sorted({field for canary, field in self.all.items() if canary in text})


def site(of, **others):
    """A site with a canary in every text."""
    phone = f"+{int(secrets.token_hex(5), 16) % 10**12 + 10**13}"
    of.all[phone] = "phone"
    link = pb.TicketingLink(
        system="books", organization_id=of.of("link.organization_id"), organization_name=of.of("link.organization_name")
    )
    contact = pb.Contact(
        email=f"{of.of('email')}@example.org",
        first_name=of.of("first_name"),
        last_name=of.of("last_name"),
        phones=[pb.Phone(number=phone)],
    )
    texts = {field: of.of(field) for field in ("display_name", "customer_id", "contract_id", "note")}
    labels = {"owner": of.of("label")}
    return pb.Site(**(dict(contact=contact, labels=labels, ticketing_links=[link], **texts) | others))


def good_calls(of, account):
    """Calls that succeed."""
    admin = account.caller()
    made = admin.CreateSite(parent=account.name, site=site(of))
    changed = site(of, name=made.name)
    paths = ["contact", "note", "customer_id", "contract_id", "labels", "display_name", "ticketing_links"]
    made = admin.UpdateSite(site=changed, update_mask=mask(*paths))
    admin.ListSites(parent=account.name, filter=f"contact.email = '{of.of('filter')}' OR {of.of('filter word')}")
    admin.QueryViewport(
        parent=account.name,
        filter=f"contact.last_name : {of.of('map filter')}",
        viewport={"low": {"lat": 10, "lng": 10}, "high": {"lat": 11, "lng": 11}},
        zoom=5,
    )
    admin.SetAddress(site=made.name, address_line=of.of("address"), country_code="IS")
    admin.ListSiteChanges(parent=made.name, field="contact")
    email = f"{of.of('owner_email')}@example.org"
    access = pb.ResidentAccess(name=f"{made.name}/residentAccess", owner_email=email, enabled=True)
    admin.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email", "enabled"))
    answer = admin.CreateToken(
        parent=account.name, token=pb.Token(scope=scope_value("VIEWER"), display_name=of.of("token.display_name"))
    )
    of.all[answer.secret] = "token secret"
    Caller(admin.channel, answer.secret).GetSite(name=made.name)
    admin.UpdateAccount(
        account=pb.Account(
            name=account.name,
            display_name=of.of("account"),
            user_emails=[f"{of.of('user_emails')}@example.org"],
            support_contact=of.of("support_contact"),
        ),
        update_mask=mask("*"),
    )
    return made


def failing_calls(of, account, made):
    """Calls that fail: with values that are no good, too long, of another account, without a good token."""
    admin, channel = account.caller(), account.operator.channel
    contact = lambda **fields: site(of, contact=pb.Contact(**fields))  # noqa: E731
    long = lambda field: of.of(field) * (TOO_LONG // 20)  # noqa: E731
    bad_sites = [
        contact(email=of.of("email without a domain")),
        contact(first_name=long("long first name")),
        contact(last_name=of.of("last name with a control character") + "\x07"),
        contact(phones=[pb.Phone(number=of.of("phone"))]),
        site(of, note=long("long note")),
        site(of, customer_id=long("long customer_id")),
        site(of, labels={"owner": long("long label")}),
        site(of, labels={of.of("LABEL KEY").upper() + "!": "x"}),
        site(of, display_name=made.display_name),
    ]
    for bad in bad_sites:
        yield lambda bad=bad: admin.CreateSite(parent=account.name, site=bad)
    yield lambda: admin.CreateSite(parent="accounts/nobodys", site=site(of))
    yield lambda: admin.UpdateSite(site=site(of, name=absent_site(account.id)), update_mask=mask("contact", "note"))
    yield lambda: admin.UpdateSite(site=site(of, name=made.name, etag=of.of("etag")), update_mask=mask("note"))
    yield lambda: admin.UpdateSite(site=site(of, name=made.name), update_mask=mask(of.of("path")))
    yield lambda: admin.CreateSite(parent=account.name, site=site(of), request_id=of.of("request_id"))
    for text in (f"contact.email < {of.of('filter sign')}", f"{of.of('filter field')} = 1", f"({of.of('filter end')}"):
        yield lambda text=text: admin.ListSites(parent=account.name, filter=text)
        yield lambda text=text: admin.FitSites(parent=account.name, filter=text)
    yield lambda: admin.ListSites(parent=account.name, page_token=of.of("page_token"))
    yield lambda: admin.ListSites(parent=account.name, order_by=of.of("order_by"))
    yield lambda: admin.SetAddress(site=made.name, address_line=long("long address"))
    yield lambda: admin.SetAddress(site=absent_site(account.id), address_line=of.of("address of no site"))
    yield lambda: admin.GetSite(name=of.of("name"))
    access = pb.ResidentAccess(name=f"{made.name}/residentAccess", owner_email=of.of("owner without a domain"))
    yield lambda: admin.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email"))
    yield lambda: Caller(channel).RedeemInvitation(code=of.of("invitation"))
    for system in ("syncro", "no such system"):
        connection = pb.TicketingConnection(
            system=system, base_url=f"https://{of.of('base_url')}.invalid", credentials={"password": of.of("credential")}
        )
        yield lambda connection=connection: admin.CreateTicketingConnection(parent=account.name, connection=connection)
    for token in (of.of("token"), f"wmk_{of.of('token like ours')}", long("long token")[:4_000]):
        yield lambda token=token: Caller(channel, token).WhoAmI()


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_canary_is_in_a_log_or_a_metric(tmp_path, form):
    of, told = Canaries(), []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path / "data", gazetteer=True, extra=["--log-format", form, "--log", "trace"]))
        channel = stack.enter_context(grpc.insecure_channel(server.target))
        account = Account(Caller(channel, server.admin_token))
        of.all[server.admin_token] = "the operator's secret"
        made = good_calls(of, account)
        for call in failing_calls(of, account, made):
            failure = failure_of(call)
            told.append(f"{failure.message} {failure.details}")
        for path in ("/metrics", f"/{of.of('HTTP path')}", f"/healthz?who={of.of('HTTP query')}"):
            fetch(server.target, path, of.of("HTTP token"))
        status, _, metrics = fetch(server.target, "/metrics", server.admin_token)
        assert status == 200 and MARK not in metrics.decode()
    log = server.log_text()
    assert "TRACE" in log and len(log) > 10_000, "the log is the finest there is"
    assert of.found_in(log) == []
    # An error may name what its caller sent, but no secret: it may be shown to others.
    secret = {"credential", "token", "token like ours", "long token", "invitation", "HTTP token", "token secret"}
    assert not secret & set(of.found_in("\n".join(told)))
