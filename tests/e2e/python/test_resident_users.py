"""Users of an account are no residents of its sites, whichever of the two an address became first."""

from concurrent.futures import ThreadPoolExecutor, wait

from client import Account, Caller, mask, refused
from residents import DEVICES, Home, allow, is_dead
from stubs import pb


def name_users(account, *emails):
    said = pb.Account(name=account.name, user_emails=emails)
    return account.caller().UpdateAccount(account=said, update_mask=mask("user_emails"))


def refused_as_user(account, home, email, at=0):
    failure = refused(
        "INVALID_ARGUMENT", "FIELD_INVALID", lambda: name_users(account, *["other@example.org"] * at, email),
        f"account.user_emails[{at}]",
    )  # fmt: skip
    assert home.site in failure.message, "it tells where"
    assert email not in account.caller().GetAccount(name=account.name).user_emails


def test_a_residents_address_becomes_no_users_in_any_state(account, mail_server):
    home = Home(account)
    refused_as_user(account, home, home.email)
    home.editor.InviteResident(name=home.name)
    refused_as_user(account, home, home.email.upper(), at=1)
    resident = home.resident(mail_server.code(home.email))
    refused_as_user(account, home, home.email.title())
    assert resident.GetResidentSite(name=home.site).name == home.site, "who was refused changed nothing"
    home.update(enabled=False)
    refused_as_user(account, home, home.email)
    home.editor.RevokeResidentAccess(name=home.name)
    refused_as_user(account, home, home.email)
    home.editor.DeleteResidentAccess(name=home.name)
    assert list(name_users(account, home.email).user_emails) == [home.email]
    call = lambda: home.update(owner_email=home.email)
    refused("INVALID_ARGUMENT", "FIELD_INVALID", call, "resident_access.owner_email")


def test_residents_of_others_and_users_of_before_are_no_matter(operator, account):
    other = Account(operator)
    home = Home(other)
    assert list(name_users(account, home.email).user_emails) == [home.email], "another account's resident"
    assert list(name_users(account, home.email, "b@example.org").user_emails) == [home.email, "b@example.org"]
    said = pb.Account(name=other.name, support_contact="help@example.org")
    other.caller().UpdateAccount(account=said, update_mask=mask("support_contact"))


def test_an_access_that_comes_back_with_its_site_lets_no_user_in(account, mail_server):
    """Neither is refused: the site is deleted when the address becomes a user's, and has its access when it comes back."""
    invited, accepted, ready = (Home(account) for _ in range(3))
    account.caller("SERVICE").ReportDevices(parent=accepted.site, devices=DEVICES)
    accepted.update(device_permissions=[allow("cam", visible=True, power=True)])
    for home in (invited, accepted):
        home.editor.InviteResident(name=home.name)
    code, resident = mail_server.code(invited.email), accepted.resident(mail_server.code(accepted.email))
    homes = (invited, accepted, ready)
    for home in homes:
        account.caller().DeleteSite(name=home.site)
    name_users(account, *(home.email.upper() for home in homes))
    for home in homes:
        account.caller().UndeleteSite(name=home.site)

    is_dead(invited, code)
    seen = lambda name: resident.ListResidentDevices(parent=name)
    for call in (resident.GetResidentSite, seen):
        refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda call=call: call(name=accepted.site))
    field = "resident_access.owner_email"
    for home, step in ((ready, ready.editor.InviteResident), (invited, invited.editor.ResendInvitation)):
        refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda home=home, step=step: step(name=home.name), field)
    # Who became a user can be shut out still, and is not let in again.
    assert not accepted.update(enabled=False).enabled
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: accepted.update(enabled=True), field)
    accepted.editor.RevokeResidentAccess(name=accepted.name)
    # Once they are no user the link is good, and a new one is sent.
    name_users(account)
    assert invited.resident(code).GetResidentSite(name=invited.site).name == invited.site
    ready.editor.InviteResident(name=ready.name)
    ready.resident(mail_server.code(ready.email))


def test_an_access_begins_with_an_address(account):
    editor, site = account.caller("EDITOR"), account.create_site().name
    name, field = f"{site}/residentAccess", "resident_access.owner_email"
    for said, paths in (({"enabled": True}, ["enabled"]), ({}, ["device_permissions"]), ({"enabled": True}, ["*"])):
        access = pb.ResidentAccess(name=name, **said)
        call = lambda access=access, paths=paths: editor.UpdateResidentAccess(
            resident_access=access, update_mask=mask(*paths)
        )
        refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field)
    none = editor.GetResidentAccess(name=name)
    assert none.state == pb.RESIDENT_ACCESS_STATE_NONE and not none.enabled


def test_a_link_lets_nobody_in_while_access_is_off(account, mail_server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    code = mail_server.code(home.email)
    home.update(enabled=False)
    is_dead(home, code)
    assert home.state() == "INVITED", "the link is not used up"
    home.update(enabled=True)
    resident = Caller(account.operator.channel, home.redeem(code).secret)
    assert resident.GetResidentSite(name=home.site).name == home.site


def test_of_two_at_once_no_user_is_let_in(account):
    """An address becomes a user's and a resident's at the same time: one of the two is refused, or nobody is invited."""
    editor = account.caller("EDITOR")
    field = "resident_access.owner_email"
    with ThreadPoolExecutor(2) as pool:
        for number in range(20):
            site, email = account.create_site().name, f"both-{number}@example.org"
            access = pb.ResidentAccess(name=f"{site}/residentAccess", owner_email=email, enabled=True)
            set_up = lambda access=access: editor.UpdateResidentAccess(
                resident_access=access, update_mask=mask("owner_email", "enabled")
            )
            asked = [pool.submit(set_up), pool.submit(name_users, account, email)]
            wait(asked)
            users = account.caller().GetAccount(name=account.name).user_emails
            if email in users and editor.GetResidentAccess(name=access.name).owner_email:
                call = lambda access=access: editor.InviteResident(name=access.name)
                refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field)
            name_users(account)
