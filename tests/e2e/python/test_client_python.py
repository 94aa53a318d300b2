"""The client in Python against a real server: what it repeats, deadlines, pages, and watches over cuts and crashes."""

import json
import logging
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import trustme

from client import Account, Caller, absent_site, until
from client_package import CLIENT, environment
from cutting import Cutting
from metrics_page import Metrics
from redis_server import lasting_port
from server import ROOT, Server
from stubs import methods, pb
from test_certificates import Mutual, certified
from test_traffic import serving
from waymark_client import WaymarkError, connect
from waymark_client.client import Each
from waymark_client.ledger import Ledger
from waymark_client.messages import METHODS
from waymark_client.policy import POLICY

PROGRAM_S_MAX = 60
# Seconds for what a watch has to tell: a change that never comes ends it.
HEARD_S_MAX = 60
CASES = json.loads((ROOT / "clients/cases.json").read_text(encoding="utf-8"))


def error_of(call):
    """The error that a call of the client ends with."""
    with pytest.raises(WaymarkError) as raised:
        call()
    return raised.value


@pytest.fixture
def waymark(server, account):
    with connect(server.url, token=account.caller().token) as client:
        yield client


def site_of(text):
    """A site as cases.json writes it."""
    name, revision, seconds = text.split("@")
    site = pb.Site(name=name, revision=int(revision))
    site.update_time.FromSeconds(int(seconds))
    return site


def shown(event):
    """An event as cases.json writes it."""
    change = {"changed": f"+{event.name}@{event.site.revision if event.site else ''}", "removed": f"-{event.name}"}
    return f"{change.get(event.kind, event.kind)} ={event.revision}"


@pytest.mark.parametrize("case", CASES["watch"], ids=lambda case: case["name"])
def test_each_change_is_told_once_as_the_cases_of_all_clients_say(case):
    ledger = Ledger(case["resume"])
    for step in case["steps"]:
        if "begin" in step:
            assert ledger.begin() == step["begin"]
            continue
        taken = step["take"]
        message = pb.WatchSitesResponse(
            mark=f"WATCH_MARK_{taken.get('mark', 'UNSPECIFIED')}",
            revision=taken["revision"],
            changed_sites=map(site_of, taken.get("changed", [])),
            removed_sites=taken.get("removed", []),
        )
        assert [shown(event) for event in ledger.take(message)] == step["tell"], taken


def test_every_method_is_there_with_its_rules():
    assert {method.name for method in METHODS.values()} == {f"{service}/{one.name}" for service, one in methods()}
    assert {method.name for method in METHODS.values()} == set(POLICY.rules["methods"])


def test_calls_take_fields_or_messages_and_lists_are_iterators(waymark, account):
    made = [waymark.create_site(parent=account.name, site=pb.Site(display_name=f"site {at}")) for at in range(5)]
    assert waymark.get_site(name=made[0].name) == waymark.get_site(pb.GetSiteRequest(name=made[0].name)) == made[0]
    assert waymark.call("SiteService/GetSite", pb.GetSiteRequest(name=made[1].name)) == made[1]
    request = pb.ListSitesRequest(parent=account.name, page_size=2)
    assert [site.name for site in waymark.each.list_sites(request)] == [site.name for site in made]
    assert request.page_token == "", "the caller's own message stays as it is"
    assert list(waymark.each.list_attention(parent=account.name, page_size=3))
    (tile,) = waymark.stream_tiles(parent=account.name, tiles=[pb.TileCoordinates(z=0, x=0, y=0)])
    assert tile.tile.z == 0
    for wrong in (lambda: waymark.get_site(pb.GetSiteRequest(), name="x"), lambda: waymark.get_site(pb.Site())):
        with pytest.raises(TypeError):
            wrong()
    for wrong in (lambda: waymark.explode(), lambda: waymark.each.get_site(name="x")):
        with pytest.raises(AttributeError):
            wrong()


def test_a_list_that_lacks_damaged_sites_says_so_behind_all_others():
    class Damaged:
        """Answers with two pages, each of which lacks a site."""

        @staticmethod
        def list_sites(request, **_):
            site, damaged = ("c", "d") if request.page_token else ("a", "b")
            token = "" if request.page_token else "next"
            return pb.ListSitesResponse(sites=[pb.Site(name=site)], unreachable=[damaged], next_page_token=token)

    items = Each(Damaged()).list_sites(parent="accounts/acme")
    assert [next(items).name, next(items).name] == ["a", "c"]
    error = error_of(lambda: next(items))
    assert (error.code, error.reason) == (grpc.StatusCode.DATA_LOSS, "STORAGE_CORRUPT")
    assert (error.advice, error.is_lost) == ("operator", False)
    assert "2 sites are left out" in error.message and "b, d" in error.message


def test_errors_say_what_to_do(waymark, account):
    error = error_of(lambda: waymark.create_site(parent=account.name, site=pb.Site()))
    assert (error.code, error.reason, error.advice) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", "correct")
    assert [violation.field for violation in error.violations] == ["site.display_name"]
    assert error.violations[0].description in str(error) and not error.is_lost
    missing = absent_site(account.id)
    error = error_of(lambda: waymark.get_site(name=missing))
    assert (error.reason, error.advice, error.resource) == ("RESOURCE_NOT_FOUND", "missing", missing)
    site = waymark.create_site(parent=account.name, site=pb.Site(display_name="one"))
    error = error_of(lambda: waymark.delete_site(name=site.name, etag="stale"))
    assert (error.reason, error.advice) == ("ETAG_MISMATCH", "read_again")


def test_a_site_whose_answer_was_lost_is_made_once(server, account):
    with Cutting(server.target, b"lost on its way") as cutting:
        with connect(f"http://{cutting.target}", token=account.caller().token) as client:
            made = client.create_site(parent=account.name, site=pb.Site(display_name="lost on its way"))
            assert cutting.cuts == 1, "the answer was lost"
            assert [site.name for site in client.each.list_sites(parent=account.name)] == [made.name]


def test_what_would_be_done_twice_is_not_repeated(server, account):
    token = account.caller().token
    with Cutting(server.target, b"wmk_") as cutting, connect(f"http://{cutting.target}", token=token) as client:
        before = sum(1 for _ in client.each.list_tokens(parent=account.name))
        new = pb.Token(scope=pb.TOKEN_SCOPE_VIEWER)
        error = error_of(lambda: client.create_token(parent=account.name, token=new))
        assert (cutting.cuts, error.is_lost, error.advice) == (1, True, "look")
        assert sum(1 for _ in client.each.list_tokens(parent=account.name)) == before + 1


def test_the_wait_that_a_server_asks_for_is_kept(tmp_path):
    """Half a second passes between two places: without the wait each call would be refused three times at least."""
    with serving(tmp_path, "[traffic]\ncalls_of_token = { per_s = 2, burst = 2 }") as (server, operator):
        account = Account(operator)
        with connect(server.url, token=account.caller("VIEWER").token) as client:
            waits = []
            client._sleep = lambda wait_s, sleep=client._sleep: (waits.append(wait_s), sleep(wait_s))
            for _ in range(5):
                assert client.who_am_i().account == account.name
        limited = Metrics.of(server)["waymark_calls_limited_total", "calls_of_token"]
        assert 1 <= limited <= 6 and len(waits) == limited


def test_a_deadline_ends_a_call_and_is_not_repeated():
    """Somebody listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with connect(url, token="wmk_x", deadline_s=60) as client:
            client._sleep = lambda wait_s: pytest.fail("it waits for another attempt")
            error = error_of(lambda: client.who_am_i(deadline_s=0.2))
            assert (error.code, error.advice) == (grpc.StatusCode.DEADLINE_EXCEEDED, "look")
            with pytest.raises(WaymarkError) as raised:
                next(client.stream_tiles(parent="accounts/acme", deadline_s=0.2))
            assert raised.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def heard(events, count):
    """The next events of a watch; fails where they do not come."""
    timer = threading.Timer(HEARD_S_MAX, events.close)
    timer.start()
    try:
        return [next(events) for _ in range(count)]
    finally:
        timer.cancel()


class Follower:
    """Reads a watch, and keeps what it told of sites."""

    def __init__(self, client, account):
        self.events = client.watch_sites(on=account)
        self.told, self.kinds = [], set()

    def hear(self, count):
        """Reads until so much was told."""
        while len(self.told) < count:
            (event,) = heard(self.events, 1)
            self.kinds.add(event.kind)
            if event.name:
                self.told.append((event.kind, event.name))
        return self


def test_a_watch_tells_each_change_once_over_cuts_and_crashes(tmp_path):
    names = []
    with Server(tmp_path / "data", geoip=False, listen=f"127.0.0.1:{lasting_port()}") as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            token = account.caller().token

        def write(count):
            for _ in range(count):
                site = pb.Site(display_name=f"site {len(names):03}")
                names.append(writer.create_site(parent=account.name, site=site).name)

        with (
            Cutting(server.target) as cutting,
            connect(f"http://{cutting.target}", token=token) as watcher,
            connect(server.url, token=token, deadline_s=60) as writer,
            ThreadPoolExecutor(1) as pool,
        ):
            follower = Follower(watcher, account.name)
            assert heard(follower.events, 1)[0].kind == "current"
            write(5)
            follower.hear(5)
            cutting.cut()
            write(5)
            follower.hear(10)
            # Killed while nothing happens, and twice in the midst of writes: a write whose answer is lost is made once.
            server.kill()
            server.start()
            write(5)
            follower.hear(15)
            for _ in range(2):
                wanted = len(names) + 40
                writing = pool.submit(write, 40)
                until("nothing is written", lambda wanted=wanted: len(names) > wanted - 35)
                server.kill()
                cutting.cut()
                server.start()
                writing.result(PROGRAM_S_MAX)
            follower.hear(len(names))
            assert follower.told == [("changed", name) for name in names]
            listed = [site.name for site in writer.each.list_sites(parent=account.name)]
            assert listed == names and "resync" not in follower.kinds
            writer.delete_site(name=names[0])
            cutting.cut()
            assert follower.hear(len(names) + 1).told[-1] == ("removed", names[0])
            follower.events.close()
            assert list(follower.events) == []


def test_a_program_that_comes_back_hears_what_it_missed(waymark, account):
    kept = waymark.create_site(parent=account.name, site=pb.Site(display_name="kept")).name
    with waymark.watch_sites(on=account.name) as events:
        assert [event.kind for event in heard(events, 2)] == ["changed", "current"]
        position = events.revision
    new = waymark.create_site(parent=account.name, site=pb.Site(display_name="new")).name
    waymark.delete_site(name=kept)
    with waymark.watch_sites(on=account.name, resume_revision=position) as events:
        told = heard(events, 3)
    assert {(event.kind, event.name) for event in told[:2]} == {("changed", new), ("removed", kept)}
    assert told[2].kind == "current" and told[2].revision > position
    # What never was is not remembered.
    with waymark.watch_sites(on=account.name, resume_revision=2**63) as events:
        assert [event.kind for event in heard(events, 3)] == ["resync", "changed", "current"]


def test_a_watch_that_is_closed_gives_nothing_more(waymark, account):
    for number in range(3):
        waymark.create_site(parent=account.name, site=pb.Site(display_name=f"site {number}"))
    events = waymark.watch_sites(on=account.name)
    # All three came in one message: two of them, and that they are all, have come and were not given.
    (given,) = heard(events, 1)
    events.close()
    assert list(events) == [] and (given.kind, events.revision) == ("changed", given.revision)


def test_a_watch_that_is_wrong_ends(server, waymark, account):
    error = error_of(lambda: next(waymark.watch_sites(on=account.name, filter="status = ")))
    assert [violation.field for violation in error.violations] == ["filter"]
    made = waymark.create_token(parent=account.name, token=pb.Token(scope=pb.TOKEN_SCOPE_VIEWER))
    with connect(server.url, token=made.secret) as client:
        events = client.watch_sites(on=account.name)
        assert heard(events, 1)[0].kind == "current"
        waymark.revoke_token(name=made.token.name)
        assert error_of(lambda: heard(events, 1)).advice == "sign_in"


def test_own_writes_are_asked_for(server, waymark, account):
    site = waymark.create_site(parent=account.name, site=pb.Site(display_name="mine"))
    assert waymark.written(account.name) == f"{account.name}={site.revision}"
    assert waymark.written("accounts/other") is None
    assert waymark.get_site(name=site.name, min_revision=waymark.written(account.name)) == site
    error = error_of(lambda: waymark.get_site(name=site.name, min_revision="nonsense"))
    assert [violation.field for violation in error.violations] == ["waymark-min-revision"]
    with connect(server.url, token=account.caller().token, own_writes_of=account.name) as client:
        assert "waymark-min-revision" not in dict(client._metadata(None))
        client.delete_site(name=site.name)
        assert dict(client._metadata(None))["waymark-min-revision"] == client.written(account.name)
        assert client.get_site(name=site.name).HasField("delete_time")


def test_tls_trusts_the_authority_that_is_named(tmp_path):
    authority, certificate, key = trustme.CA(), tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    extra = ["--tls-cert", certificate, "--tls-key", key]
    with Server(tmp_path / "data", geoip=False, extra=extra) as server:
        assert server.url.startswith("https://")
        (tmp_path / "token").write_text(f"{server.admin_token}\n", encoding="utf-8")
        with connect(server.url, token_file=tmp_path / "token", ca_file=tmp_path / "authority.pem") as client:
            assert client.who_am_i().scope == pb.TOKEN_SCOPE_ADMIN
        with connect(server.url, token=server.admin_token, attempts_max=1) as distrusting:
            assert error_of(distrusting.who_am_i).is_lost


def test_a_certificate_is_shown_and_stands_for_a_token(tmp_path, monkeypatch):
    for name in ("WAYMARK_TOKEN", "WAYMARK_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with Mutual(tmp_path, "required") as mutual:
        certificate, key = mutual.authority.issue(names=["reader.example"]).write(tmp_path, "reader")
        files = {"ca_file": tmp_path / "server-authority.pem", "certificate_file": certificate, "key_file": key}
        with connect(mutual.server.url, attempts_max=1, **files) as client:
            error = error_of(client.who_am_i)
            assert (error.reason, error.advice) == ("CLIENT_CERTIFICATE_UNKNOWN", "sign_in")
            token = certified(Account(mutual.operator()), "SERVICE", dns_name="reader.example")
            assert client.who_am_i().token == token.name
    with pytest.raises(ValueError, match="go together"):
        connect("https://127.0.0.1", certificate_file=certificate)
    with pytest.raises(ValueError, match="over TLS alone"):
        connect("http://127.0.0.1", certificate_file=certificate, key_file=key)


def test_a_token_is_shown_nowhere(server, account, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "wmk_" + "secret" * 7
    monkeypatch.setenv("WAYMARK_SERVER", server.url)
    monkeypatch.setenv("WAYMARK_TOKEN", secret)
    with connect() as client:
        error = error_of(client.who_am_i)
        assert error.advice == "sign_in"
        watching = error_of(lambda: next(client.watch_sites(on=account.name)))
        shown = [repr(client), repr(error), str(error), repr(error.__cause__), repr(watching), caplog.text]
        assert not any("secret" in text for text in shown), shown
    for bad in ("", "two words", "a\nb"):
        with pytest.raises(ValueError, match="the token is malformed"):
            connect(server.url, token=bad)
    for bad in ("127.0.0.1:8642", "ftp://127.0.0.1", "http://127.0.0.1/path"):
        with pytest.raises(ValueError, match="a server's address"):
            connect(bad, token=secret)
    with pytest.raises(ValueError, match="another machine"):
        connect("http://192.0.2.1:8642", token=secret)


def program(name, *arguments, **settings):
    """What an example prints, and what it logs."""
    command = [sys.executable, CLIENT / "examples" / name, *map(str, arguments)]
    done = subprocess.run(
        command, env=environment(**settings), capture_output=True, text=True, timeout=PROGRAM_S_MAX, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_the_examples_do_what_they_say(server, account, tmp_path):
    state, settings = tmp_path / "state.json", {"WAYMARK_SERVER": server.url}
    agent = ["--account", account.id, "--agent-id", "fw-17", "--display-name", "Depot", "--state", state]
    enrolment = {"WAYMARK_TOKEN": account.caller("ENROLLMENT").token}
    _, said = program("agent.py", *agent, "--reports", 2, "--every-s", 0, **settings, **enrolment)
    kept = json.loads(state.read_text(encoding="utf-8"))
    assert said.count("reported ") == 2 and f"made {kept['site']}" in said
    assert state.stat().st_mode & 0o777 == 0o600
    # Without the enrolment token from now on.
    _, said = program("agent.py", *agent, "--reports", 1, **settings)
    assert f"reported {kept['site']} from an address that is not public" in said and "found" not in said

    viewer = {"WAYMARK_TOKEN": account.caller("VIEWER").token}
    follow = ["--account", account.id, "--position", tmp_path / "position"]
    told, _ = program("problem_sites.py", *follow, "--events", 2, **settings, **viewer)
    assert told.splitlines() == [
        "needs attention\tDepot\tunplaced",
        f"problem\tDepot\tonline\t{kept['site']}",
        "current",
    ]
    account.caller().SetPin(site=kept["site"], position=pb.LatLng(lat=64.1, lng=-21.9))
    told, _ = program("problem_sites.py", *follow, "--events", 2, **settings, **viewer)
    assert told.splitlines() == [f"no problem\t\t\t{kept['site']}", "current"]


def test_the_package_is_built_with_its_messages_and_rules(tmp_path):
    """As from the repository, so from the source distribution that is made of it."""
    tree = tmp_path / "tree"
    shutil.copytree(CLIENT, tree / "clients/python", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    shutil.copy(ROOT / "clients/policy.json", tree / "clients")
    shutil.copytree(ROOT / "proto", tree / "proto")
    packed = build(tree / "clients/python", "sdist", tmp_path)
    shutil.unpack_archive(packed, tmp_path / "unpacked")
    (sources,) = (tmp_path / "unpacked").iterdir()
    wheel = build(sources, "wheel", tmp_path)
    library = tmp_path / "library"
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(library)
    asked = "from waymark_client import messages, policy; print(len(messages.METHODS), len(policy.POLICY.rules['methods']))"
    settings = environment(PYTHONPATH=str(library))
    done = subprocess.run([sys.executable, "-c", asked], env=settings, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(len(METHODS))] * 2, done.stderr
    assert (library / "waymark/v1/site_pb2.pyi").exists()


def build(directory, what, out):
    """The archive that setuptools makes, as pip would ask it to."""
    make = f"from setuptools import build_meta; print(build_meta.build_{what}({str(out)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", make], cwd=directory, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return out / done.stdout.splitlines()[-1]
