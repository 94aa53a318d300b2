"""What people type is text in mails and records: no header, no markup, no control character."""

import html

import pytest

from client import Account, mask, refused
from residents import Home
from stubs import pb

INJECTIONS = ["Jo\r\nBcc: x@y.z", "Jo\nBcc: x@y.z", "Jo\rBcc: x@y.z", "Jo\r\n\r\n<p>", "a\x00b", "a\x1b[31mb", "a\x7fb", "a\x85b"]
HOSTILE = """Hjálp & <b>"help"</b> 'x' Bcc: x@y.z, +354 555 1234"""


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_name_holds_a_second_line(operator, account, text):
    invalid = lambda field, call: refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field)
    caller = account.caller()
    site = account.create_site("Home").name
    for name in ("first_name", "last_name", "email"):
        said = pb.Site(name=site, contact=pb.Contact(**{name: text}))
        invalid(f"site.contact.{name}", lambda said=said: caller.UpdateSite(site=said, update_mask=mask("contact")))
        made = pb.Site(display_name="Other", contact=pb.Contact(**{name: text}))
        invalid(f"site.contact.{name}", lambda made=made: caller.CreateSite(parent=account.name, site=made))
    before = caller.GetAccount(name=account.name)
    for name in ("display_name", "support_contact"):
        said = pb.Account(name=account.name, **{name: text})
        call = lambda said=said, name=name: caller.UpdateAccount(account=said, update_mask=mask(name))
        invalid(f"account.{name}", call)
        made = pb.Account(**{name: text})
        call = lambda made=made: operator.CreateAccount(account_id=f"{account.id}-x", account=made)
        invalid(f"account.{name}", call)
    assert caller.GetAccount(name=account.name) == before and caller.GetSite(name=site).contact == pb.Contact()


def test_the_support_contact_is_in_both_parts_of_the_mail_as_text(operator, mail_server):
    account = Account(operator)
    said = pb.Account(name=account.name, display_name="Ünits & <i>Co</i>", support_contact=HOSTILE)
    account.caller().UpdateAccount(account=said, update_mask=mask("display_name", "support_contact"))
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    code = mail_server.code(home.email)
    (message,) = mail_server.to(home.email)
    plain, marked = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    for text in (said.support_contact, said.display_name):
        assert text in plain and text in html.unescape(marked)
        assert text not in marked, "it is escaped"
    for tag in ("<b>", "<i>"):
        assert tag not in marked
    assert message["subject"].startswith(said.display_name) and message["bcc"] is None
    assert sorted(key.lower() for key in set(message.keys())) == sorted(
        ["message-id", "from", "to", "subject", "auto-submitted", "mime-version", "content-type", "date"]
    )
    redeemed = home.redeem(code)
    assert (redeemed.account_display_name, redeemed.support_contact) == (said.display_name, HOSTILE)


def test_without_a_support_contact_the_mail_names_the_account_alone(operator, mail_server):
    home = Home(Account(operator))
    home.editor.InviteResident(name=home.name)
    mail_server.code(home.email)
    (message,) = mail_server.to(home.email)
    assert message.get_body(("plain",)).get_content().rstrip().endswith("or ask a test's.")
