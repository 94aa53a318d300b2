"""Phone numbers: what people write, what is kept, and what is refused with the field that is at fault."""

import pytest

from client import Account, mask, refused
from stubs import pb


def contact(*phones):
    return pb.Contact(phones=[pb.Phone(number=number) if isinstance(number, str) else number for number in phones])


@pytest.mark.parametrize(
    "written,kept,extension",
    [
        ("545 1000", "+3545451000", ""),
        ("00 354 545-1000 ext. 12", "+3545451000", "12"),
        ("+44 (0)20 7946 0018", "+442079460018", ""),
        ("tel:+354-545-1000;ext=007", "+3545451000", "007"),
        ("+39 06 6982 1234 x1", "+390669821234", "1"),
    ],
)
def test_a_number_is_kept_in_its_one_form(iceland, written, kept, extension):
    made = iceland.create_site(contact=contact(written))
    phone = iceland.caller().GetSite(name=made.name).contact.phones[0]
    assert (phone.number, phone.extension) == (kept, extension)
    # What was answered is taken back as it is, and is no change.
    again = iceland.caller().UpdateSite(
        site=pb.Site(name=made.name, etag=made.etag, contact=pb.Contact(phones=[phone])), update_mask=mask("contact.phones")
    )
    assert again.contact == made.contact and again.etag == made.etag


@pytest.mark.parametrize(
    "phones,field,why",
    [
        (["+354 545 1000", "+999 123 4567"], "site.contact.phones[1].number", "calling code"),
        (["+354 545"], "site.contact.phones[0].number", "too few"),
        (["+354 545 1000 1000"], "site.contact.phones[0].number", "digits"),
        (["+1 000 555 0123"], "site.contact.phones[0].number", "nobody has"),
        (["1-800-FLOWERS"], "site.contact.phones[0].number", "in digits"),
        (["+354 545 1000\r\nBcc: x"], "site.contact.phones[0].number", "control"),
        ([pb.Phone(number="+3545451000", extension="12a")], "site.contact.phones[0].extension", "1 to 11 digits"),
        ([pb.Phone(number="+3545451000 x1", extension="2")], "site.contact.phones[0].extension", "leave one"),
        (["+3545451000"] * 17, "site.contact.phones", "at most 16"),
    ],
)
def test_what_is_no_number_is_refused_with_what_to_do(iceland, phones, field, why):
    site = pb.Site(display_name="x", contact=contact(*phones))
    failure = refused(
        "INVALID_ARGUMENT", "FIELD_INVALID", lambda: iceland.caller().CreateSite(parent=iceland.name, site=site), field
    )
    assert why in failure.fields[field], failure


def test_without_a_country_a_number_begins_with_plus(operator):
    account = Account(operator)
    site = pb.Site(display_name="x", contact=contact("545 1000"))
    failure = refused(
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        lambda: account.caller().CreateSite(parent=account.name, site=site),
        "site.contact.phones[0].number",
    )
    assert "begin with +" in failure.message


def test_an_extension_is_in_the_history(iceland):
    site = iceland.create_site(contact=contact("+3545451000"))
    phones = [pb.Phone(number="+3545451000", extension="12", kind=pb.PHONE_KIND_WORK)]
    iceland.caller().UpdateSite(
        site=pb.Site(name=site.name, contact=pb.Contact(phones=phones)), update_mask=mask("contact.phones")
    )
    change = iceland.caller().ListSiteChanges(parent=site.name).changes[0]
    edit = change.edits[0]
    assert edit.field == "contact.phones"
    assert [value.phones.phones[0].extension for value in (edit.old_value, edit.new_value)] == ["", "12"]
