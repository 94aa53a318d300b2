"""What an operator does by the command line, and what programs read of it: each object is the API's message or what docs/cli.md says."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format

from cli import DONE, FAILED, LATER, WRONG, objects, run
from client import Account, Caller, absent_site, fetch
from server import BINARY, GAZETTEER, GEOIP, ROOT, Server
from stubs import methods, pb


def message(kind, value):
    """The message that protobuf's own reader makes of an object: unknown fields and other spellings are errors."""
    return json_format.ParseDict(value, kind())


def test_accounts_are_kept(server, operator):
    name = Account(operator).id + "-cli"
    tell = lambda *words: objects("account", *words, "--format", "json", server=server)
    (made,) = tell("create", name, "--display-name", "Acme", "--country", "IS")
    account = message(pb.Account, made)
    assert (account.name, account.display_name, account.country_code) == (f"accounts/{name}", "Acme", "IS")
    (changed,) = tell("update", name, "--support-contact", "help@example.com", "--country", "")
    account = message(pb.Account, changed)
    assert (account.display_name, account.country_code, account.support_contact) == ("Acme", "", "help@example.com")
    assert tell("get", name) == [changed]
    assert account == operator.GetAccount(name=account.name)
    assert changed in tell("list")
    assert run("account", "get", name, server=server) == f"accounts/{name}\tAcme\n"
    assert "NotFound" in run("account", "get", "nowhere", server=server, code=FAILED)
    # Nothing to change is a fault of whoever asked.
    assert "update_mask" in run("account", "update", name, server=server, code=FAILED)


def test_tokens_are_kept(server, account):
    tell = lambda *words, **options: objects("token", *words, "--format", "json", server=server, **options)
    (made,) = tell("create", "--account", account.id, "--scope", "viewer", "--expires", "1h", "--display-name", "a clock")
    made = message(pb.CreateTokenResponse, made)
    assert made.secret and made.token.scope == pb.TOKEN_SCOPE_VIEWER
    (me,) = objects("whoami", "--format", "json", server=server, token=made.secret)
    me = message(pb.WhoAmIResponse, me)
    assert (me.token, me.account, me.scope) == (made.token.name, account.name, pb.TOKEN_SCOPE_VIEWER)
    assert run("whoami", server=server).split("\t")[1:3] == ["admin", "operator"]
    listed = [message(pb.Token, token) for token in tell("list", "--account", account.id)]
    assert made.token.name in [token.name for token in listed]
    (revoked,) = tell("revoke", made.token.name)
    assert message(pb.Token, revoked).HasField("revoke_time")
    assert "Unauthenticated" in run("whoami", server=server, token=made.secret, code=FAILED)


def test_sites_are_shown_ended_and_brought_back(server, account):
    site = account.create_site("Head office", labels={"tier": "gold"}).name
    other = account.create_site("Depot").name
    tell = lambda *words: objects("site", *words, "--format", "json", server=server)
    (shown,) = tell("get", site)
    assert message(pb.Site, shown) == account.caller().GetSite(name=site)
    listed = lambda *words: [found["name"] for found in tell("list", "--account", account.id, *words)]
    assert sorted(listed()) == sorted([site, other]) and listed("--filter", 'labels.tier = "gold"') == [site]
    assert "deleteTime" in tell("delete", site)[0]
    assert listed() == [other] and sorted(listed("--show-deleted")) == sorted([site, other])
    assert "deleteTime" not in tell("undelete", site)[0]
    assert run("site", "get", site, server=server) == f"{site}\tunknown\t\t\tHead office\n"
    assert "NotFound" in run("site", "delete", absent_site(account.id), server=server, code=FAILED)


def test_sites_are_followed_and_found_again(server, account):
    site = account.create_site("Head office").name
    watch = ["site", "watch", "--account", account.id]
    first, current = objects(*watch, "--count", 2, "--format", "json", server=server)
    assert (first["change"], first["name"], first["revision"]) == ("changed", site, "0")
    assert message(pb.Site, first["site"]) == account.caller().GetSite(name=site)
    assert (current["change"], current["name"], current["site"]) == ("current", "", None)
    account.caller().DeleteSite(name=site)
    again = run(*watch, "--resume", current["revision"], "--count", 1, server=server).split("\t")
    assert again[1:] == ["removed", site, "", "\n"] and int(again[0]) >= int(current["revision"])
    assert "filter: " in run(*watch, "--filter", "status = ", server=server, code=FAILED)


def test_one_person_is_erased_and_exported(server, account, tmp_path):
    site = account.create_site("Home", contact=pb.Contact(first_name="Sigrún"), note="the key is under the mat").name
    out = tmp_path / "persons.jsonl"
    export = ["account", "export-personal-data", account.id, "--out", out, "--format", "json"]
    (told,) = objects(*export, server=server)
    assert told == {"records": out.read_text(encoding="utf-8").count("\n"), "file": str(out)}
    for line in out.read_text(encoding="utf-8").splitlines():
        message(pb.PersonalRecord, json.loads(line))
    erase = ["account", "erase-personal-data", account.id, "--site", site.rpartition("/")[2], "--format", "json"]
    assert "nothing was erased" in run(*erase, server=server, stdin="no\n", code=FAILED).splitlines()[-1]
    (told,) = objects(*erase, "--yes", server=server)
    assert told["site"] == site and told["history_records"] >= 1
    found = account.caller().GetSite(name=site)
    assert not found.contact.first_name and not found.note
    (told,) = objects("account", "erase-personal-data", account.id, "--yes", "--format", "json", server=server)
    assert told == {"account": account.name, "sites": 1}


def test_geoip_files_are_kept(server):
    tell = lambda *words: objects("geoip", *words, "--format", "json", server=server)
    for words in ("list", "reload"):
        files = [message(pb.GeoIpDatabase, file) for file in tell(words)]
        assert [file.path for file in files] == list(map(str, GEOIP))
    begun = message(pb.Reestimation, tell("preview", GEOIP[0], GEOIP[0])[0])
    assert begun.mode == pb.Reestimation.MODE_PREVIEW
    assert begun.name in [run["name"] for run in tell("runs")]
    assert str(GEOIP[0]) in run("geoip", "list", server=server)
    answers = objects("lookup", "--geoip", GEOIP[0], "--geoip", GEOIP[1], "--format", "json", stdin="8.8.8.8\n::1\n")
    assert [answer["ip"] for answer in answers] == ["8.8.8.8", "::1"]


def test_every_method_can_be_called(server, account):
    listed = [line.split("\t") for line in run("call", "--list").splitlines()]
    described = {
        f"{service}/{method.name}": [
            "stream " * method.client_streaming + method.input_type.name,
            "stream " * method.server_streaming + method.output_type.name,
        ]
        for service, method in ((service.rpartition(".")[2], method) for service, method in methods())
    }
    assert {name: rest for name, *rest in listed} == described
    site = account.create_site("Head office", labels={"tier": "gold"}).name
    (answer,) = objects("call", "SiteService/GetSite", json.dumps({"name": site}), server=server)
    assert message(pb.Site, answer) == account.caller().GetSite(name=site)
    request = {"site": {"name": site, "note": "ring twice"}, "updateMask": "note"}
    (answer,) = objects("call", "waymark.v1.SiteService.UpdateSite", "-", server=server, stdin=json.dumps(request))
    assert answer["note"] == "ring twice" and answer["displayName"] == "Head office"
    known = ["--header", f"Waymark-Min-Revision: {account.name}={answer['revision']}"]
    assert objects("call", "SiteService/GetSite", json.dumps({"name": site}), *known, server=server) == [answer]


def first_line(server, *arguments, stdin=None):
    """The first line of a command that goes on."""
    environment = {"WAYMARK_SERVER": server.url, "WAYMARK_TOKEN": server.admin_token}
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([str(BINARY), *arguments], env=environment, **streams) as process:
        process.stdin.write(stdin or "")
        process.stdin.close()
        line = process.stdout.readline()
        process.kill()
    return json.loads(line)


def test_streams_are_printed_as_they_come(server, account):
    account.create_site("Head office")
    watch = ["call", "SiteService/WatchSites", json.dumps({"parent": account.name})]
    message(pb.WatchSitesResponse, first_line(server, *watch))
    world = {"low": {"lat": -90, "lng": -180}, "high": {"lat": 90, "lng": 180}}
    view = json.dumps({"parent": account.name, "zoom": 2, "viewport": world})
    message(pb.WatchMapResponse, first_line(server, "call", "MapService/WatchMap", "-", stdin=view))


@pytest.mark.parametrize(
    "arguments,code,told",
    [
        (["call", "SiteService/GetSite", "{"], FAILED, "the request"),
        (["call", "SiteService/GetSite", '{"nam": "x"}'], FAILED, "nam: GetSiteRequest has no such field"),
        (["call", "SiteService/GetSite", '{"name": "x"}'], FAILED, "InvalidArgument"),
        (["call", "SiteService/GetSites", "{}"], FAILED, "call --list"),
        (["call", "SiteService/GetSite", "{}", "--header", "authorization: Bearer x"], FAILED, "--token-file"),
        (["call"], WRONG, "required"),
        (["account", "list", "--format", "yaml"], WRONG, "table, json"),
        (["colour"], WRONG, "unrecognized"),
        ([], WRONG, "Usage"),
    ],
)
def test_what_is_wrong_is_told(server, arguments, code, told):
    assert told in run(*arguments, server=server, code=code)


def test_codes_tell_what_to_do_next(server, tmp_path):
    with Server(tmp_path / "data", geoip=False) as gone:
        token = gone.admin_token
    # Nobody is there, so the same may succeed later.
    assert "waymark: " in run("account", "list", server=gone.url, token=token, code=LATER)
    assert "waymark: " in run("call", "AdminService/WhoAmI", server=gone.url, token=token, code=LATER)
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    for code in (DONE, FAILED, WRONG, LATER):
        assert re.search(rf"^\| {code} \|", page, re.M) and re.search(rf"^  {code} ", run("--help"), re.M)


def test_a_build_says_what_it_is_of(server):
    told = objects("version", "--format", "json")[0]
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["version"]) and told["rustc"].startswith("rustc 1.")
    assert re.fullmatch(r"unknown|[0-9a-f]{7,64}(-dirty)?", told["commit"])
    assert run("--version") == run("-V") == f"waymark {told['version']}\n"
    verbose = run("--version", "--verbose")
    assert verbose == run("version") and all(value in verbose for value in told.values())
    metrics = fetch(server.target, "/metrics", server.admin_token)[2].decode()
    (build,) = [line for line in metrics.splitlines() if line.startswith("waymark_build_info{")]
    first = next(line for line in server.log_text().splitlines() if "starting" in line)
    for key in ("version", "commit", "rustc", "target"):
        assert f'{key}="{told[key]}"' in build and told[key] in first, key


def test_shells_complete_what_the_program_has():
    for shell in ("bash", "zsh", "fish"):
        script = run("completion", shell)
        assert all(word in script for word in ("check-config", "erase-personal-data", "--format")), shell
    complete = """
source /dev/stdin
COMP_WORDS=(waymark token re) COMP_CWORD=2
_waymark waymark re token
echo "${COMPREPLY[@]}"
"""
    bash = ["bash", "-euc", complete]
    done = subprocess.run(bash, input=run("completion", "bash"), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["reset", "revoke"], done


def test_each_command_has_a_manual_page(tmp_path):
    run("man", "--out", tmp_path)
    pages = {page.name: page.read_text(encoding="utf-8") for page in tmp_path.iterdir()}
    assert {"waymark.1", "waymark-serve.1", "waymark-token-create.1", "waymark-import-sites.1"} <= set(pages)
    assert all(".SH SYNOPSIS" in page and ".SH DESCRIPTION" in page for page in pages.values())
    assert pages["waymark.1"] == run("man") and "Exit codes" in pages["waymark.1"]
    if shutil.which("groff"):
        for name in pages:
            lint = ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", str(tmp_path / name)]
            done = subprocess.run(lint, capture_output=True, text=True, check=True)
            assert done.stderr == "", f"{name}: {done.stderr}"


def test_what_is_done_without_a_server_has_objects_too(tmp_path):
    with Server(tmp_path / "data", geoip=False) as server, grpc.insecure_channel(server.target) as channel:
        account = Account(Caller(channel, server.admin_token))
        copy = ["backup", "--data-dir", server.data_dir, "--to", tmp_path / "copy", "--revisions", "--format", "json"]
        (copied,) = objects(*copy)
    assert copied["to"] == str(tmp_path / "copy") and copied["revisions"][account.name] >= 1
    restore = ["restore", "--from", tmp_path / "copy", "--data-dir", tmp_path / "fresh", "--format", "json"]
    (restored,) = objects(*restore)
    assert restored["records"] == copied["records"] and restored["credentials_key"] is False
    (reset,) = objects("token", "reset", "--data-dir", tmp_path / "fresh", "--format", "json")
    with Server(tmp_path / "fresh", geoip=False) as server:
        assert run("whoami", server=server, token=reset["secret"]).split("\t")[2] == "operator"


def test_geocoders_are_asked_without_a_server(account, tmp_path):
    line, alone = "Laugavegur 1, 101 Reykjavík", ["--gazetteer", GAZETTEER]
    (answer,) = account.caller().GeocodeAddress(parent=account.name, address_line=line).candidates[:1]
    (told,) = objects("geocode", line, *alone, "--format", "json")
    best = told["candidates"][0]
    assert (told["asked"], best["formatted_address"]) == (line, answer.formatted_address)
    assert best["position"] == [answer.position.lat, answer.position.lng] and 0.9 < best["confidence"] <= 1
    confidence, granularity, _, address, provider, attribution = run("geocode", line, *alone).splitlines()[0].split("\t")
    assert (granularity, address, provider) == ("Door", answer.formatted_address, "gazetteer")
    assert 0.9 < float(confidence) <= 1 and attribution
    # Lines of standard input, and a configuration's geocoders.
    file = tmp_path / "waymark.toml"
    file.write_text(f'[geocode]\ngazetteer = "{GAZETTEER}"\n', encoding="utf-8")
    asked = objects("geocode", "--config", file, "--limit", "1", "--format", "json", stdin="Paris\nqxzvw kjhgf\n")
    assert [(one["asked"], len(one["candidates"])) for one in asked] == [("Paris", 1), ("qxzvw kjhgf", 0)]
    assert run("geocode", "qxzvw kjhgf", *alone) == "nothing answers to qxzvw kjhgf\n"
    at = f"{answer.position.lat},{answer.position.lng}"
    assert answer.formatted_address in run("geocode", "--at", at, *alone)
    run("geocode", line, "--gazetteer", tmp_path / "nowhere", code=FAILED)
    file.write_text("", encoding="utf-8")
    assert "geocode.providers" in run("geocode", line, "--config", file, code=FAILED)
    for wrong in ([line], ["--at", "91,0", *alone], [line, "--at", at, *alone], [line, "--country", "ISL", *alone]):
        run("geocode", *wrong, code=WRONG)


def test_sheets_have_a_summary_for_programs(server, account, tmp_path):
    sheet = tmp_path / "sites.csv"
    sheet.write_text("name,lat,lng\nA,64,-21\nB,65,-20\n", encoding="utf-8")
    made = ["import", "sites", sheet, "--account", account.id, "--summary", "json"]
    (told,) = objects(*made, server=server)
    assert told["counts"]["created"] == 2 and told["ambiguous"] == 0 and Path(told["report"]).exists()
    out = tmp_path / "out.csv"
    (told,) = objects("export", "sites", "--account", account.id, "--out", out, "--summary", "json", server=server)
    assert told == {"sites": 2, "file": str(out)}


def test_the_page_of_commands_names_each_of_them():
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`waymark ([a-z-]+)", page))
    listed = re.findall(r"^  ([a-z-]+)  ", run("--help").partition("Commands:")[2].partition("Options:")[0], re.M)
    assert len(listed) >= 18 and set(listed) - {"help"} <= named, set(listed) - named
