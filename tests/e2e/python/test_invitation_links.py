"""What an invitation's link is made of: 256 random bits behind a `#`, of which the store has nothing but a hash; and who tries many."""

import base64
import contextlib
import hashlib
import html
import itertools
import json
import re
import secrets
from urllib.parse import urlsplit

import grpc
import pytest

from client import Account, Caller, failure_of, fetch
from fleet import single
from mail_server import MailServer
from redis_server import Redis
from residents import Home, wait_until
from server import Server
from stubs import pb
from test_traffic import retry_s

# Tries of one address in a minute.
TRIES_MAX = 300
RANDOM_BYTES = 32
# Of 256 bits that are drawn by themselves 128 differ, give or take 8: that fewer than 70 do happens to one pair in 10^12.
DIFFERENT_BITS_MIN = 70
# As many as are sent to a site within a day.
LINKS = 10


def random_of(code):
    """The random part of a code, as bytes."""
    prefix, site, text = code.split(".")
    assert prefix.startswith("wmi_") and site
    random = base64.urlsafe_b64decode(text + "=")
    assert base64.urlsafe_b64encode(random).decode().rstrip("=") == text, "each bit of the text counts"
    return random


def test_a_link_is_of_256_random_bits_and_shares_none_with_another(account, mail_server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    for count in range(1, LINKS):
        # A link whose place another one took is not sent any more.
        mail_server.code(home.email, count)
        home.editor.ResendInvitation(name=home.name)
    mail_server.code(home.email, LINKS)
    neighbour = Home(account)
    neighbour.editor.InviteResident(name=neighbour.name)
    mail_server.code(neighbour.email)
    mails = mail_server.to(home.email) + mail_server.to(neighbour.email)
    codes = [link_of(mail).fragment for mail in mails]
    randoms = [random_of(code) for code in codes]
    assert len(set(codes)) == LINKS + 1
    assert {len(random) for random in randoms} == {RANDOM_BYTES}
    for one, other in itertools.combinations(randoms, 2):
        different = int.from_bytes(one) ^ int.from_bytes(other)
        assert different.bit_count() >= DIFFERENT_BITS_MIN
        runs = {one[at : at + 4] for at in range(RANDOM_BYTES - 3)}
        assert not any(other[at : at + 4] in runs for at in range(RANDOM_BYTES - 3))
    # Nor is it the time, a counter, or one of the ids that are known: what is named in it stands beside.
    site = home.site.rpartition("/")[2]
    assert all(bytes.fromhex(site.replace("-", "")) not in random for random in randoms)


def link_of(message):
    """The one link of a mail, the same in both of its parts."""
    plain, marked = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    (link,) = re.findall(r"https?://\S+", plain)
    assert {html.unescape(there) for there in re.findall(r'href="([^"]+)"', marked)} == {link}
    return urlsplit(link)


def test_the_secret_stands_in_the_fragment_alone(account, mail_server, server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    code = mail_server.code(home.email)
    (message,) = mail_server.to(home.email)
    link = link_of(message)
    assert (link.path, link.query, link.fragment) == ("/invitation", "", code)
    random = code.rpartition(".")[2]
    assert not any(random in str(value) for value in message.values()), "no header has it"
    # What a browser asks for has no part of it, and accepts nothing.
    for method in ("GET", "HEAD"):
        status, headers, body = fetch(server.target, "/invitation", method=method)
        assert status == 200 and random not in body.decode()
        assert headers["referrer-policy"] == "no-referrer"
    assert home.state() == "INVITED"
    home.resident(code)


def test_who_tries_codes_waits_for_the_next_minute_and_others_do_not(account, mail_server):
    home = Home(account)
    home.editor.InviteResident(name=home.name)
    code = mail_server.code(home.email)
    guess = ".".join([*code.split(".")[:2], "A" * 43])
    guesser, neighbour = (Caller(account.operator.channel, forwarded_for=ip) for ip in ("62.40.98.7", "62.40.99.7"))
    told = []
    # A minute may end in between.
    while len(told) <= 2 * TRIES_MAX and (not told or told[-1].reason == "INVITATION_INVALID"):
        told.append(failure_of(lambda: guesser.RedeemInvitation(code=guess)))
    last = told.pop()
    assert (last.code.name, last.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_REACHED")
    assert len(told) >= TRIES_MAX and 0 < retry_s(last) <= 60
    assert home.state() == "INVITED"
    assert neighbour.RedeemInvitation(code=code).secret.startswith("wmk_")


def test_the_link_leads_to_the_operators_address_whatever_a_request_says(account, mail_server, server):
    """Whoever sent an invitation by another name of the server had the code sent there."""
    home = Home(account)
    options = [("grpc.default_authority", "evil.example"), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(server.target, options=options) as channel:
        caller = Caller(channel, home.editor.token)
        caller.metadata += [("x-forwarded-host", "evil.example"), ("origin", "https://evil.example")]
        caller.InviteResident(name=home.name)
    mail_server.code(home.email)
    (message,) = mail_server.to(home.email)
    # As `mail.public_url` says.
    assert link_of(message)[:2] == ("http", "127.0.0.1:1") and "evil.example" not in message.as_string()


def forms(random):
    """All ways in which bytes may stand in a file."""
    yield "bytes", random
    for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
        yield name, encode(random).rstrip(b"=")
        # Within a longer text that was encoded as a whole it stands in one of three ways, its ends aside.
        for shift in range(3):
            yield f"{name}, shifted by {shift}", encode(bytes(shift) + random)[4:-4]
        # The text itself, as bytes that were encoded once more.
        yield f"{name} twice", encode(encode(random).rstrip(b"="))[:40]
    yield "hex", random.hex().encode()
    yield "HEX", random.hex().upper().encode()
    yield "list", json.dumps(list(random)).encode()
    yield "list, close", json.dumps(list(random), separators=(",", ":")).encode()


def found(random, stored):
    return [name for name, form in forms(random) if form in stored]


@contextlib.contextmanager
def stored_in(tmp_path, kind):
    """What the configuration says of the store, and a look at all of its bytes."""
    files = lambda folder: b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    if kind == "embedded":
        yield "", lambda: files(tmp_path / "data")
        return
    key, home = tmp_path / "credentials.key", tmp_path / "redis"
    home.mkdir()
    key.write_text(base64.b64encode(secrets.token_bytes(32)).decode(), encoding="ascii")
    key.chmod(0o600)
    with Redis(home, keeps=True) as redis:
        # The append-only file has each write in its own words.
        yield f'[redis]\n{single(redis)}\n[ticketing]\nkey_file = "{key}"\n', lambda: files(home)


@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_the_store_has_the_hash_and_never_the_secret(tmp_path, kind):
    with MailServer(tmp_path, "none", login=False) as mail, stored_in(tmp_path, kind) as (table, look):
        config = mail.config()
        config.write_text(f"{config.read_text(encoding='utf-8')}{table}", encoding="utf-8")
        with Server(tmp_path / "data", geoip=False, extra=["--config", config]) as server:
            with grpc.insecure_channel(server.target) as channel:
                operator = Caller(channel, server.admin_token)
                operator.mail_server = mail
                home = Home(Account(operator))
                # It waits in the outbox first, where the secret has to be, and is encrypted.
                mail.refuse = "451 later"
                home.editor.InviteResident(name=home.name)
                mail.wait_for(lambda: mail.tries >= 1)
                looks = [look()]
                mail.refuse = None
                code = mail.code(home.email)
                sent = lambda: home.get().invitation_delivery == pb.INVITATION_DELIVERY_SENT
                wait_until(sent, mail)
                looks.append(look())
                home.resident(code)
                assert home.state() == "ACCEPTED"
                looks.append(look())
        looks.append(look())
    random = random_of(code)
    for at, stored in enumerate(looks):
        assert home.email.encode() in stored, "or the look finds nothing"
        assert not found(random, stored), f"look {at}"
    hashed = hashlib.sha256(random).digest()
    assert found(hashed, looks[0]) and found(hashed, looks[1]), "its hash is found, in the same ways"
