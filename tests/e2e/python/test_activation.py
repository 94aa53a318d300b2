"""Agents come in: exactly one site each, placed by the address that the call really comes from."""

import ipaddress
import secrets
from concurrent.futures import ThreadPoolExecutor

import grpc
import maxminddb
import pytest

from client import Account, Caller, failure_of, refused
from server import GEOIP, Server
from stubs import pb

PUBLIC_V4 = ["8.8.8.8", "81.2.69.160", "89.160.20.112", "213.167.128.1", "200.160.2.3", "202.12.29.175"]
PUBLIC_V6 = ["2001:4860:4860::8888", "2a00:1450:4001:82a::200e"]


def recorded(ip):
    """What another reader finds for the address in the same files."""
    file = GEOIP[0] if ipaddress.ip_address(ip).version == 4 else GEOIP[1]
    with maxminddb.open_database(file) as database:
        return database.get_with_prefix_len(ip)


def test_a_repeat_with_the_same_key_is_the_same_site_and_credential(account):
    key = secrets.token_bytes(32)
    first = account.activate("fw-17", key=key, ip="8.8.8.8")
    again = account.activate("fw-17", key=key, ip="8.8.8.8")
    assert first.created and not again.created
    assert (first.site, first.credential) == (again.site, again.credential)
    assert first.site.startswith(f"{account.name}/sites/") and first.credential.startswith("wmk_")
    listed = account.caller().ListSites(parent=account.name).sites
    assert [(site.name, site.agent_id, site.display_name) for site in listed] == [(first.site, "fw-17", "fw-17")]


def test_another_key_is_refused(account):
    account.activate("fw-17", key=b"a" * 32)
    refused("PERMISSION_DENIED", "AGENT_KEY_MISMATCH", lambda: account.activate("fw-17", key=b"b" * 32))


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_key_is_16_to_64_bytes(account, size):
    call = account.caller("ENROLLMENT").ActivateAgent
    request = {"parent": account.name, "agent_id": "fw-1", "agent_key": b"k" * size}
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: call(**request), field="agent_key")
    assert not account.caller().ListSites(parent=account.name).sites


def test_the_credential_says_hello_again_for_its_own_site_alone(account):
    first = account.activate("fw-1", ip="8.8.8.8")
    other = account.activate("fw-2", ip="8.8.8.8")
    agent = Caller(account.operator.channel, first.credential)
    again = agent.ActivateAgent(parent=account.name, agent_id="fw-1")
    assert again.site == first.site and not again.created and again.credential == ""
    for site in (first.site, other.site):
        refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", lambda site=site: agent.GetSite(name=site))
    assert failure_of(lambda: agent.ActivateAgent(parent=account.name, agent_id="fw-2")).code.name in (
        "NOT_FOUND",
        "PERMISSION_DENIED",
    )


def test_64_racing_calls_of_one_agent_make_one_site(account):
    key = secrets.token_bytes(32)
    account.caller("ENROLLMENT")
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: account.activate("raced", key=key, ip="8.8.8.8"), range(64)))
    assert len({(answer.site, answer.credential) for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1
    assert len(account.caller().ListSites(parent=account.name).sites) == 1


def test_a_taken_name_gets_a_number(account):
    account.create_site("Head Office")
    answer = account.activate("fw-1", display_name="head office")
    name = account.caller().GetSite(name=answer.site).display_name
    assert name.lower().startswith("head office") and name.lower() != "head office"


@pytest.mark.parametrize("ip", PUBLIC_V4 + PUBLIC_V6)
def test_the_position_is_what_the_database_says(account, ip):
    record, prefix = recorded(ip)
    answer = account.activate(ip=ip)
    assert ipaddress.ip_address(answer.public_ip) == ipaddress.ip_address(ip)
    fix = answer.location.fixes[0]
    assert fix.source == pb.FIX_SOURCE_GEOIP and not answer.location.confirmed
    assert fix.position.lat == pytest.approx(record["latitude"], abs=1e-4)
    assert fix.position.lng == pytest.approx(record["longitude"], abs=1e-4)
    assert answer.location.position == fix.position
    assert not fix.HasField("accuracy_m"), "the files state no accuracy, so none is invented"
    assert fix.database.country_code == record["country_code"] and fix.database.city == record["city"]
    assert fix.database.attribution
    assert ipaddress.ip_network(fix.database.network) == ipaddress.ip_network(f"{ip}/{prefix}", strict=False)


@pytest.mark.parametrize(
    "ip, reason",
    [
        ("10.1.2.3", "PRIVATE"),
        ("192.168.0.9", "PRIVATE"),
        ("172.31.255.255", "PRIVATE"),
        ("100.64.0.1", "CARRIER_NAT"),
        ("127.0.0.1", "LOOPBACK"),
        ("::1", "LOOPBACK"),
        ("169.254.1.1", "LINK_LOCAL"),
        ("fe80::1", "LINK_LOCAL"),
        ("fd00::1", "UNIQUE_LOCAL"),
        ("192.0.2.7", "DOCUMENTATION"),
        ("2001:db8::7", "DOCUMENTATION"),
        ("198.18.0.1", "BENCHMARK"),
        ("224.0.0.1", "MULTICAST"),
        ("ff02::1", "MULTICAST"),
        ("0.0.0.0", "RESERVED"),
        ("255.255.255.255", "RESERVED"),
        ("::ffff:10.1.2.3", "PRIVATE"),
    ],
)
def test_a_special_address_is_kept_unplaced_with_the_reason(account, ip, reason):
    answer = account.caller().LookupIp(parent=account.name, ip=ip)
    assert not answer.HasField("fix")
    assert pb.NoEstimateReason.Name(answer.no_estimate_reason) == f"NO_ESTIMATE_REASON_{reason}"


def test_an_agent_from_a_private_address_has_a_site_without_a_position(account):
    # A trusted proxy is skipped from the right, so the leftmost untrusted address is a private one here.
    answer = account.activate(ip="10.1.2.3")
    assert not answer.location.HasField("position")
    assert answer.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_PRIVATE
    site = account.caller().GetSite(name=answer.site)
    assert answer.public_ip == "" and site.public_ip == "" and not site.location.fixes


@pytest.mark.parametrize(
    "ip", ["10.1.2.3", "192.168.0.9", "100.64.0.1", "192.0.2.7", "fd00::1", "::ffff:10.1.2.3", "not-an-address"]
)
def test_the_answer_names_the_address_of_this_call_and_the_site_the_last_public_one(account, ip):
    key = secrets.token_bytes(32)
    first = account.activate("fw-1", key=key, ip="8.8.8.8")
    assert first.public_ip == "8.8.8.8"
    inside = account.activate("fw-1", key=key, ip=ip)
    assert inside.public_ip == "" and inside.location == first.location, "it tells nothing against the estimate"
    agent = Caller(account.operator.channel, first.credential).behind(ip)
    assert agent.ActivateAgent(parent=account.name, agent_id="fw-1").public_ip == ""
    assert account.caller().GetSite(name=first.site).public_ip == "8.8.8.8"
    moved = account.activate("fw-1", key=key, ip="213.167.128.1")
    assert moved.public_ip == "213.167.128.1" == account.caller().GetSite(name=first.site).public_ip
    assert moved.location.position != first.location.position


def test_a_removed_estimate_stays_away_until_the_agent_comes_from_elsewhere(account):
    """A hello brought back what a person had just removed."""
    key, caller = secrets.token_bytes(32), account.caller()
    site = account.activate("fw-1", key=key, ip="8.8.8.8").site
    removed = caller.DeleteFix(site=site, source=pb.FIX_SOURCE_GEOIP).location
    assert not removed.fixes and removed.no_estimate_reason == pb.NO_ESTIMATE_REASON_REMOVED
    # From a private address in between nothing is learnt.
    for ip in ("8.8.8.8", "8.8.8.8", "10.1.2.3", "8.8.8.8"):
        said = account.activate("fw-1", key=key, ip=ip).location
        assert not said.fixes and not said.HasField("position"), f"a hello from {ip} brings it back"
        assert caller.GetSite(name=site).location == said
    assert said.no_estimate_reason == pb.NO_ESTIMATE_REASON_REMOVED
    for ip in ("213.167.128.1", "8.8.8.8"):
        moved = account.activate("fw-1", key=key, ip=ip).location
        assert [fix.source for fix in moved.fixes] == [pb.FIX_SOURCE_GEOIP], f"{ip} is another address"
        assert moved.position.lat == pytest.approx(recorded(ip)[0]["latitude"], abs=1e-4)
        assert moved.no_estimate_reason == pb.NO_ESTIMATE_REASON_UNSPECIFIED
        assert caller.GetSite(name=site).location == moved


def test_mapped_addresses_are_unwrapped(account):
    answer = account.caller().LookupIp(parent=account.name, ip="::ffff:8.8.8.8")
    assert answer.canonical_ip == "8.8.8.8" and answer.HasField("fix")


def test_the_forwarded_address_counts_from_the_right_past_trusted_proxies(account):
    spoofed = account.activate(ip="81.2.69.160, 8.8.8.8")
    assert spoofed.public_ip == "8.8.8.8"
    chained = account.activate(ip="8.8.8.8, 127.0.0.9")
    assert chained.public_ip == "8.8.8.8"


def test_malformed_forwarding_headers_give_no_address(account):
    answer = account.activate(ip="8.8.8.8, not-an-address")
    assert answer.public_ip == "" and not answer.location.HasField("position")
    assert answer.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_UNKNOWN_ADDRESS


def test_without_a_trusted_proxy_the_header_is_ignored(tmp_path):
    with Server(tmp_path / "data", trusted_proxy=False) as server:
        with grpc.insecure_channel(server.target) as channel:
            answer = Account(Caller(channel, server.admin_token)).activate(ip="8.8.8.8")
    assert answer.public_ip == ""
    assert answer.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_LOOPBACK


def test_a_moved_agent_is_placed_anew_and_a_persons_word_stays(account):
    key = secrets.token_bytes(32)
    first = account.activate("fw-1", key=key, ip="8.8.8.8")
    account.caller().SetPin(site=first.site, position=pb.LatLng(lat=64.1, lng=-21.9))
    account.activate("fw-1", key=key, ip="213.167.128.1")
    site = account.caller().GetSite(name=first.site)
    assert site.public_ip == "213.167.128.1"
    assert site.location.source == pb.FIX_SOURCE_PIN and site.location.position == pb.LatLng(lat=64.1, lng=-21.9)


def test_a_deleted_site_does_not_come_back_by_itself(account):
    key = secrets.token_bytes(32)
    site = account.activate("fw-1", key=key).site
    account.caller().DeleteSite(name=site)
    refused("FAILED_PRECONDITION", "SITE_DELETED", lambda: account.activate("fw-1", key=key))
    account.caller().UndeleteSite(name=site)
    assert account.activate("fw-1", key=key).site == site
