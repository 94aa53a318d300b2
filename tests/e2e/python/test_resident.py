"""Access of residents: invitations by a real mail server, links that work once, and what a resident sees."""

import http.client
import json
import re
import secrets
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from client import Account, Caller, failure_of, fetch, mask, refused
from cutting import Cutting
from residents import DEVICES, Home, allow, is_dead
from rules import invite
from stubs import pb


def test_a_link_works_once_and_shows_what_is_allowed(account, mail_server):
    home = Home(account)
    account.caller("SERVICE").ReportDevices(parent=home.site, devices=DEVICES)
    home.update(device_permissions=[allow("cam", visible=True, power=True), allow("tv", visible=True, block=True)])
    assert home.state() == "READY"
    assert home.editor.InviteResident(name=home.name).state == pb.RESIDENT_ACCESS_STATE_INVITED
    code = mail_server.code(home.email)
    (message,) = mail_server.to(home.email)
    assert message["auto-submitted"] == "auto-generated" and message["message-id"].endswith("@waymark.test>")
    assert message.get_body(("html",)).get_content().count("Accept the invitation") == 1
    redeemed = home.redeem(code)
    assert home.state() == "ACCEPTED"
    assert (redeemed.account_display_name, redeemed.support_contact) == ("a test's", ""), "who invited"
    is_dead(home, code)
    resident = Caller(account.operator.channel, redeemed.secret)
    seen = resident.GetResidentSite(name=home.site)
    assert {field.name for field, _ in seen.ListFields()} == {"name", "display_name"} and seen == redeemed.site
    devices = resident.ListResidentDevices(parent=home.site).devices
    assert [(d.id, d.may_power, d.may_block) for d in devices] == [("cam", True, False), ("tv", False, True)]
    assert list(devices) == list(redeemed.devices)
    home.update(device_permissions=[])
    assert not resident.ListResidentDevices(parent=home.site).devices
    home.update(enabled=False)
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: resident.GetResidentSite(name=home.site))
    home.update(enabled=True)
    other = account.create_site().name
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: resident.GetResidentSite(name=other))
    home.editor.RevokeResidentAccess(name=home.name)
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", lambda: resident.GetResidentSite(name=home.site))
    assert home.state() == "REVOKED"


def test_what_a_device_can_no_more_is_not_allowed_any_more(account, mail_server):
    home, service = Home(account), account.caller("SERVICE")
    service.ReportDevices(parent=home.site, devices=DEVICES)
    home.update(device_permissions=[allow("tv", visible=True, block=True)])
    home.editor.InviteResident(name=home.name)
    resident = home.resident(mail_server.code(home.email))
    seen = lambda: [(d.id, d.may_power, d.may_block) for d in resident.ListResidentDevices(parent=home.site).devices]
    assert seen() == [("tv", False, True)]
    (tv,) = (device for device in DEVICES if device.id == "tv")
    unable = pb.Device(id=tv.id, display_name=tv.display_name, kind=tv.kind)
    service.ReportDevices(parent=home.site, devices=[unable], merge=True)
    assert seen() == [("tv", False, False)], "it is seen, and its internet cannot be blocked"
    able = [allow("tv", visible=True, block=True)]
    field = "resident_access.device_permissions[tv].block"
    home.update(device_permissions=[allow("tv", visible=True)])
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: home.update(device_permissions=able), field)


def test_blocking_is_only_where_the_site_has_a_device_that_can_be_blocked(account, mail_server):
    home, service = Home(account), account.caller("SERVICE")
    report = lambda **can: service.ReportDevices(parent=home.site, devices=[pb.Device(id="cam", **can)])
    grant = lambda: home.update(enabled=False, device_permissions=[allow("cam", visible=True, block=True)])
    field = lambda part: f"resident_access.device_permissions[cam].{part}"
    refused("INVALID_ARGUMENT", "FIELD_INVALID", grant, field("device_id"))
    report(can_power=True)
    before = home.get()
    failure = refused("INVALID_ARGUMENT", "FIELD_INVALID", grant, field("block"))
    assert "cannot be blocked at this site" in failure.message
    assert home.get() == before, "nothing of the call is written, what it could have had neither"
    report(can_power=True, can_block=True)
    grant()
    home.update(enabled=True)
    home.editor.InviteResident(name=home.name)
    resident = home.resident(mail_server.code(home.email))
    may_block = lambda: [device.may_block for device in resident.ListResidentDevices(parent=home.site).devices]
    assert may_block() == [True]
    # A report that says less takes nothing away that a person gave, and it counts for nothing meanwhile.
    report(can_power=True)
    assert may_block() == [False]
    assert [one.block for one in home.get().device_permissions] == [True]
    report(can_power=True, can_block=True)
    assert may_block() == [True]


def test_of_a_hundred_at_once_one_gets_in(account, mail_server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    code = mail_server.code(home.email)

    def redeem(_):
        try:
            return home.redeem(code, retry_key=secrets.token_bytes(32)).secret
        except grpc.RpcError as error:
            return failure_of(lambda: (_ for _ in ()).throw(error)).reason

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(redeem, range(100)))
    assert sum(answer.startswith("wmk_") for answer in answers) == 1, answers
    assert answers.count("INVITATION_INVALID") == 99, answers


def test_whoever_lost_the_answer_asks_again_and_nobody_else_can(server, account, mail_server):
    """The invitation is used up, and the token is on the way, when the connection is cut."""
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    code, key = mail_server.code(home.email), secrets.token_bytes(32)
    with Cutting(server.target, b"wmk_") as cutting, grpc.insecure_channel(cutting.target) as channel:
        cut = failure_of(lambda: Caller(channel).RedeemInvitation(code=code, retry_key=key))
        assert cut.code == grpc.StatusCode.UNAVAILABLE and cutting.cuts == 1
        assert home.state() == "ACCEPTED"
        entries = len(home.editor.ListSiteChanges(parent=home.site).changes)
        # Whoever has the link, and not the key, is as late as ever.
        redeem = Caller(channel).RedeemInvitation
        for other in (b"", secrets.token_bytes(32), key[:16], key + b"x"):
            refused("NOT_FOUND", "INVITATION_INVALID", lambda other=other: redeem(code=code, retry_key=other))
        for bad in (b"x" * 15, b"x" * 65):
            refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda bad=bad: redeem(code=code, retry_key=bad), "retry_key")
        again = redeem(code=code, retry_key=key)
        assert redeem(code=code, retry_key=key) == again
    resident = Caller(account.operator.channel, again.secret)
    assert resident.GetResidentSite(name=home.site) == again.site
    assert len(home.editor.ListSiteChanges(parent=home.site).changes) == entries, "a repeat changes nothing"
    home.editor.RevokeResidentAccess(name=home.name)
    refused("NOT_FOUND", "INVITATION_INVALID", lambda: home.redeem(code, retry_key=key))


def test_the_page_asks_again_too(server, account, mail_server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    body = json.dumps({"code": mail_server.code(home.email), "retry_key": secrets.token_urlsafe(32)})

    def post(target, body=body):
        connection = http.client.HTTPConnection(target, timeout=30)
        connection.request("POST", "/invitation/redeem", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    with Cutting(server.target, b"wmk_") as cutting:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            post(cutting.target)
        assert cutting.cuts == 1
        status, text = post(cutting.target)
    assert status == 200
    resident = Caller(account.operator.channel, json.loads(text)["secret"])
    assert resident.GetResidentSite(name=home.site).name == home.site
    assert post(server.target, json.dumps(json.loads(body) | {"retry_key": "x" * 43}))[0] == 404


def test_dead_links_and_unknown_ones_are_one(account, mail_server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    superseded = mail_server.code(home.email)
    home.editor.ResendInvitation(name=home.name)
    revoked = mail_server.code(home.email, 2)
    first = is_dead(home, superseded)
    home.editor.RevokeResidentAccess(name=home.name)
    parts = revoked.split(".")
    unknown = [
        "", "wmi_", "x" * 5000, ".".join(["wmi_nobody", *parts[1:]]), ".".join([parts[0], str(uuid.uuid4()), parts[2]]),
        ".".join([*parts[:2], "A" * 43]), revoked,
    ]
    for code in unknown:
        failure = is_dead(home, code)
        assert (failure.message, failure.details) == (first.message, first.details), code
    home.editor.InviteResident(name=home.name)
    home.resident(mail_server.code(home.email, 3))


def test_steps_are_refused_with_what_can_be_done(account):
    home = Home(account)
    state = lambda call: refused("FAILED_PRECONDITION", "RESIDENT_ACCESS_STATE", call)
    state(lambda: home.editor.ResendInvitation(name=home.name))
    state(lambda: home.editor.RevokeResidentAccess(name=home.name))
    home.editor.InviteResident(name=home.name)
    state(lambda: home.editor.InviteResident(name=home.name))
    state(lambda: home.update(owner_email="other@example.org"))
    stale = home.get().etag
    home.update(enabled=False)
    refused("ABORTED", "ETAG_MISMATCH", lambda: home.update(etag=stale, enabled=True))
    state(lambda: home.editor.ResendInvitation(name=home.name))
    home.update(enabled=True)
    for _ in range(9):
        home.editor.ResendInvitation(name=home.name)
    refused("RESOURCE_EXHAUSTED", "LIMIT_REACHED", lambda: home.editor.ResendInvitation(name=home.name))
    home.editor.DeleteResidentAccess(name=home.name)
    assert home.state() == "NONE"
    state(lambda: home.editor.InviteResident(name=home.name))
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: home.editor.DeleteResidentAccess(name=home.name))
    # Setting it up again is no way around the limit.
    home.update(owner_email=home.email, enabled=True)
    assert home.state() == "READY"
    refused("RESOURCE_EXHAUSTED", "LIMIT_REACHED", lambda: home.editor.InviteResident(name=home.name))


def test_what_is_said_of_an_access_is_checked(operator):
    account = Account(operator)
    home = Home(account)
    invalid = lambda field, call: refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field)
    for bad in ["", "jo", "jo@x\r\nBcc: a@b.c", "a@b.c>\r\nBcc: x@y.z", "Jo <jo@example.org>", "jö@example.org", "a@b@c"]:
        invalid("resident_access.owner_email", lambda bad=bad: home.update(owner_email=bad))
    unknown = [allow("fridge", visible=True)]
    invalid("resident_access.device_permissions[fridge].device_id", lambda: home.update(device_permissions=unknown))
    report = account.caller("SERVICE").ReportDevices
    report(parent=home.site, devices=DEVICES)
    cannot = [allow("cam", visible=True, block=True)]
    invalid("resident_access.device_permissions[cam].block", lambda: home.update(device_permissions=cannot))
    invalid("devices", lambda: report(parent=home.site, devices=[pb.Device(id=f"d{n}") for n in range(513)]))
    invalid("devices[1].id", lambda: report(parent=home.site, devices=[pb.Device(id="a"), pb.Device(id="a")]))
    invalid("update_mask", lambda: home.editor.UpdateResidentAccess(resident_access=pb.ResidentAccess(name=home.name)))
    request_id = str(uuid.uuid4())
    again = lambda on: home.editor.UpdateResidentAccess(
        resident_access=pb.ResidentAccess(name=home.name, enabled=on), update_mask=mask("enabled"), request_id=request_id
    )
    assert not again(False).enabled and not again(False).enabled
    refused("ALREADY_EXISTS", "REQUEST_ID_REUSED", lambda: again(True))
    preview = home.editor.UpdateResidentAccess(
        resident_access=pb.ResidentAccess(name=home.name, enabled=True), update_mask=mask("enabled"), validate_only=True
    )
    assert preview.enabled and not home.get().enabled


def test_of_two_who_set_up_at_once_one_is_told(account):
    editor, site = account.caller("EDITOR"), account.create_site("Home").name
    none = editor.GetResidentAccess(name=f"{site}/residentAccess")
    assert none.state == pb.RESIDENT_ACCESS_STATE_NONE and none.etag

    def set_up(email):
        access = pb.ResidentAccess(name=none.name, etag=none.etag, owner_email=email)
        return editor.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email"))

    assert set_up("one@example.org").etag != none.etag
    refused("ABORTED", "ETAG_MISMATCH", lambda: set_up("two@example.org"))


def test_addresses_of_users_are_told_to_who_may_change_sites(operator, account):
    said = pb.Account(name=account.name, user_emails=["boss@example.org"])
    operator.UpdateAccount(account=said, update_mask=mask("user_emails"))
    for scope in ("ADMIN", "EDITOR", "SERVICE", "VIEWER", "ENROLLMENT"):
        told = ["boss@example.org"] if scope in ("ADMIN", "EDITOR", "SERVICE") else []
        assert list(account.caller(scope).GetAccount(name=account.name).user_emails) == told, scope
        listed = account.caller(scope).ListAccounts().accounts
        assert [list(one.user_emails) for one in listed] == [told], scope


def test_a_user_of_the_account_is_no_resident(operator):
    account_id = f"u{secrets.token_hex(4)}"
    said = pb.Account(display_name="a", user_emails=["Boss@Example.org"], support_contact="help@example.org")
    operator.CreateAccount(account_id=account_id, account=said)
    site = operator.CreateSite(parent=f"accounts/{account_id}", site=pb.Site(display_name="Home")).name
    access = pb.ResidentAccess(name=f"{site}/residentAccess", owner_email="boss@example.ORG")
    call = lambda: operator.UpdateResidentAccess(resident_access=access, update_mask=mask("owner_email"))
    refused("INVALID_ARGUMENT", "FIELD_INVALID", call, "resident_access.owner_email")

    said = pb.Account(name=f"accounts/{account_id}", user_emails=["other@example.org"], display_name="not named in the mask")
    changed = operator.UpdateAccount(account=said, update_mask=mask("user_emails"))
    assert (changed.display_name, changed.support_contact) == ("a", "help@example.org")
    assert list(changed.user_emails) == ["other@example.org"] and changed == operator.GetAccount(name=changed.name)
    assert call().owner_email == "boss@example.ORG"
    bad = pb.Account(name=changed.name, user_emails=["no address"])
    refused(
        "INVALID_ARGUMENT", "FIELD_INVALID",
        lambda: operator.UpdateAccount(account=bad, update_mask=mask("user_emails")), "account.user_emails[0]",
    )  # fmt: skip
    for unknown in ("name", "create_time", ""):
        refused(
            "INVALID_ARGUMENT", "FIELD_INVALID",
            lambda unknown=unknown: operator.UpdateAccount(account=said, update_mask=mask(*filter(None, [unknown]))), "update_mask",
        )  # fmt: skip


def test_an_agent_reports_the_devices_of_its_own_site(account):
    activated = account.activate()
    agent = Caller(account.operator.channel, activated.credential)
    assert len(agent.ReportDevices(parent=activated.site, devices=DEVICES).devices) == 3
    merged = agent.ReportDevices(parent=activated.site, devices=[pb.Device(id="new")], merge=True)
    assert [device.id for device in merged.devices] == ["cam", "nas", "new", "tv"]
    elsewhere = account.create_site().name
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: agent.ReportDevices(parent=elsewhere))
    refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda: agent.ListDevices(parent=activated.site))
    assert len(account.caller("VIEWER").ListDevices(parent=activated.site).devices) == 4


def test_a_resident_opens_no_tile(server, account):
    home = Home(account)
    secret = invite(account, home.site, home.email)
    for path in ("tiles.json", "tiles/0/0/0.mvt"):
        assert fetch(server.target, f"/v1/{account.name}/{path}", secret)[0] == 403


def test_names_are_no_headers_and_no_markup(operator, mail_server):
    account = Account(operator)
    home = Home(account)
    bad = pb.Site(name=home.site, display_name="Home\r\nBcc: x@y.z")
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: home.editor.UpdateSite(site=bad, update_mask=mask("display_name")))
    hostile = 'Hüs <script>alert(1)</script>" Bcc: x@y.z'
    home.editor.UpdateSite(site=pb.Site(name=home.site, display_name=hostile), update_mask=mask("display_name"))
    home.editor.InviteResident(name=home.name)
    mail_server.code(home.email)
    (message,) = mail_server.to(home.email)
    assert message["subject"] == f"a test's invites you to {hostile}"
    assert message["bcc"] is None and message["to"] == home.email
    assert "<script" not in message.get_body(("html",)).get_content()


def test_opening_the_page_redeems_nothing(server, account, mail_server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    code = mail_server.code(home.email)
    for path in ["/invitation", f"/invitation?code={code}", f"/invitation/redeem?code={code}", "/invitation/page.js"]:
        for method in ("GET", "HEAD"):
            status, headers, _ = fetch(server.target, path, method=method)
            assert status == (405 if "redeem" in path else 200), path
            assert "script-src 'self'" in headers["content-security-policy"], path
            assert headers["referrer-policy"] == "no-referrer"
    assert home.state() == "INVITED"
    home.redeem(code)


def test_the_pages_request_takes_json_of_its_own_origin_alone(server, account, mail_server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    code = mail_server.code(home.email)

    def post(body, content_type):
        connection = http.client.HTTPConnection(server.target)
        connection.request("POST", "/invitation/redeem", body, {"content-type": content_type})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    body = json.dumps({"code": code})
    assert post(body, "text/plain")[0] == 415
    assert post("x" * 5000, "application/json")[0] in (400, 413)
    status, text = post(json.dumps({"code": "wmi_x"}), "application/json")
    assert status == 404 and json.loads(text)["error"]["reason"] == "INVITATION_INVALID"
    for nothing in (text, *(fetch(server.target, path)[2].decode() for path in ("/invitation", "/invitation/page.js"))):
        assert "a test's" not in nothing, "who invited is told to who accepted"
    status, text = post(body, "application/json")
    assert status == 200 and re.fullmatch(r"wmk_\S+", json.loads(text)["secret"])
    assert (json.loads(text)["account"], json.loads(text)["support_contact"]) == ("a test's", "")
    assert post(body, "application/json")[0] == 404


def test_the_history_tells_who_did_what_with_an_access(account, mail_server):
    home = Home(account)
    account.caller("SERVICE").ReportDevices(parent=home.site, devices=DEVICES)
    home.update(device_permissions=[allow("cam", visible=True, power=True)])
    home.editor.InviteResident(name=home.name)
    home.redeem(mail_server.code(home.email))
    home.editor.RevokeResidentAccess(name=home.name)
    home.editor.DeleteResidentAccess(name=home.name)
    changes = list(home.editor.ListSiteChanges(parent=home.site, field="resident_access").changes)
    told = [
        (
            pb.ChangeCause.Name(change.cause).removeprefix("CHANGE_CAUSE_"),
            [(e.field.removeprefix("resident_access."), e.old_value.text, e.new_value.text) for e in change.edits],
        )
        for change in reversed(changes)
    ]
    camera = "device_permissions.cam"
    assert told == [
        (
            "RESIDENT_ACCESS_CHANGED",
            [("owner_email", "", home.email), ("enabled", "", "on"), ("state", "", "ready")],
        ),
        ("RESIDENT_ACCESS_CHANGED", [(camera, "", "see, power")]),
        ("RESIDENT_INVITED", [("state", "ready", "invited")]),
        ("INVITATION_REDEEMED", [("state", "invited", "accepted")]),
        ("RESIDENT_ACCESS_REVOKED", [("state", "accepted", "revoked")]),
        (
            "RESIDENT_ACCESS_CHANGED",
            [("owner_email", home.email, ""), ("enabled", "on", ""), ("state", "revoked", ""), (camera, "see, power", "")],
        ),
    ]
    redeemed = next(change for change in changes if change.cause == pb.CHANGE_CAUSE_INVITATION_REDEEMED)
    assert redeemed.actor.scope == pb.TOKEN_SCOPE_RESIDENT
    assert not any(edit.restorable for change in changes for edit in change.edits)
