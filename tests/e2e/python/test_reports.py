"""Life after activation: agents and services report, devices say where they are, agents are replaced."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from client import Account, Caller, refused
from server import Server
from stubs import pb

NOTED, WRITTEN, LATE, FAILED = (
    pb.SiteReportResult.OUTCOME_NOTED,
    pb.SiteReportResult.OUTCOME_WRITTEN,
    pb.SiteReportResult.OUTCOME_LATE,
    pb.SiteReportResult.OUTCOME_FAILED,
)


def agent_of(account, activated, ip="8.8.8.8"):
    return Caller(account.operator.channel, activated.credential, ip)


def test_a_report_that_tells_the_time_alone_writes_nothing(account):
    activated = account.activate("fw-1", ip="8.8.8.8")
    agent, reader = agent_of(account, activated), account.caller()
    before = reader.GetSite(name=activated.site)
    said = agent.ReportStatus()
    assert (said.site, said.public_ip, said.revision) == (activated.site, "8.8.8.8", 0)
    after = reader.GetSite(name=activated.site)
    assert after.revision == before.revision and after.update_time == before.update_time
    seen = [site.last_seen_time.ToNanoseconds() for site in (before, after)]
    assert seen[1] > seen[0], "the time of the report is shown"
    listed = reader.ListSites(parent=account.name).sites[0]
    assert listed.last_seen_time == after.last_seen_time, "in lists as well"
    batch = reader.BatchGetSites(parent=account.name, names=[activated.site]).sites[0]
    assert batch.last_seen_time == after.last_seen_time


def test_every_answer_with_a_site_tells_when_it_was_seen(account):
    """Answers of changes told the time of the record, up to a quarter of an hour behind."""
    activated = account.activate("fw-1", ip="8.8.8.8")
    agent, caller = agent_of(account, activated), account.caller()

    def seen():
        before = caller.GetSite(name=activated.site)
        agent.ReportStatus()
        after = caller.GetSite(name=activated.site)
        assert after.last_seen_time.ToNanoseconds() > before.last_seen_time.ToNanoseconds()
        assert after.revision == before.revision, "it is in memory alone"
        return after.last_seen_time

    name, at = activated.site, pb.LatLng(lat=47.0, lng=8.0)
    note = {"site": pb.Site(name=name, note="x"), "update_mask": {"paths": ["note"]}}
    chosen = lambda: caller.GeocodeAddress(parent=account.name, site=name, address_line="47.2, 8.2").candidates[0].token  # noqa: E731
    calls = {
        "BatchGetSites": lambda: caller.BatchGetSites(parent=account.name, names=[name]).sites[0],
        "ListSites": lambda: caller.ListSites(parent=account.name).sites[0],
        "WatchSites": lambda: caller.WatchSites(parent=account.name)[0].changed_sites[0],
        "UpdateSite": lambda: caller.UpdateSite(**note),
        "UpdateSite, validate_only": lambda: caller.UpdateSite(**note, validate_only=True),
        "SetPin": lambda: caller.SetPin(site=name, position=at),
        "SetAddress": lambda: caller.SetAddress(site=name, address_line="47.1, 8.1").site,
        "ApplyCandidate": lambda: caller.ApplyCandidate(site=name, candidate_token=chosen()),
        "ResetLocation": lambda: caller.ResetLocation(site=name),
        "AllowReplacement": lambda: caller.AllowReplacement(site=name, agent_id="fw-2"),
        "CancelReplacement": lambda: caller.CancelReplacement(site=name),
        "DeleteFix": lambda: caller.DeleteFix(site=name, source=pb.FIX_SOURCE_GEOIP),
        "DeleteSite": lambda: caller.DeleteSite(name=name),
    }
    for method, call in calls.items():
        last = seen()
        assert call().last_seen_time == last, method
    assert caller.UndeleteSite(name=name).last_seen_time == last, "UndeleteSite"


def test_a_change_of_status_is_written_and_on_the_map_at_once(account):
    activated = account.activate("fw-1", ip="8.8.8.8")
    agent, reader = agent_of(account, activated), account.caller()
    said = agent.ReportStatus(status=pb.SITE_STATUS_OFFLINE)
    site = reader.GetSite(name=activated.site)
    assert said.revision == site.revision > 0 and site.status == pb.SITE_STATUS_OFFLINE
    counted = reader.ListSites(parent=account.name, filter="status = OFFLINE").sites
    assert [found.name for found in counted] == [activated.site]
    assert agent.ReportStatus().revision > said.revision
    assert reader.GetSite(name=activated.site).status == pb.SITE_STATUS_ONLINE


def test_what_a_person_sets_is_known_to_the_next_report(account):
    """The table of reports once remembered the state from before a person's edit."""
    activated = account.activate("fw-1", ip="8.8.8.8")
    agent, reader = agent_of(account, activated), account.caller()
    agent.ReportStatus()
    change = pb.Site(name=activated.site, status=pb.SITE_STATUS_OFFLINE)
    reader.UpdateSite(site=change, update_mask={"paths": ["status"]})
    assert agent.ReportStatus().revision > 0
    assert reader.GetSite(name=activated.site).status == pb.SITE_STATUS_ONLINE
    change.status = pb.SITE_STATUS_MAINTENANCE
    reader.UpdateSite(site=change, update_mask={"paths": ["status"]})
    for status in (pb.SITE_STATUS_ONLINE, pb.SITE_STATUS_OFFLINE):
        assert agent.ReportStatus(status=status).revision == 0
        assert reader.GetSite(name=activated.site).status == pb.SITE_STATUS_MAINTENANCE, "until a person ends it"


def test_a_report_is_for_agents_and_of_their_own_site(account):
    activated = account.activate("fw-1", ip="8.8.8.8")
    for scope in ("ADMIN", "SERVICE", "ENROLLMENT"):
        refused("PERMISSION_DENIED", "SCOPE_INSUFFICIENT", account.caller(scope).ReportStatus)
    account.caller().DeleteSite(name=activated.site)
    refused("FAILED_PRECONDITION", "SITE_DELETED", agent_of(account, activated).ReportStatus)
    account.caller().UndeleteSite(name=activated.site)
    assert agent_of(account, activated).ReportStatus().site == activated.site


def test_a_service_reports_many_sites_and_hears_of_each(account):
    service = account.caller("SERVICE")
    sites = [account.create_site().name for _ in range(60)]
    absent = f"{account.name}/sites/00000000-0000-7000-8000-000000000000"
    reports = [pb.SiteReport(site=site) for site in (*sites, absent)]
    first = service.BatchReportStatus(parent=account.name, reports=reports).results
    assert [result.outcome for result in first] == [WRITTEN] * 60 + [FAILED]
    assert first[-1].reason == pb.ERROR_REASON_RESOURCE_NOT_FOUND and absent in first[-1].message
    again = service.BatchReportStatus(parent=account.name, reports=reports[:60]).results
    assert {result.outcome for result in again} == {NOTED}
    reports[3].status = pb.SITE_STATUS_OFFLINE
    third = service.BatchReportStatus(parent=account.name, reports=reports[:60]).results
    assert [result.outcome for result in third].count(WRITTEN) == 1 and third[3].outcome == WRITTEN
    assert account.caller().GetSite(name=sites[3]).status == pb.SITE_STATUS_OFFLINE


def test_an_agent_that_knows_itself_by_another_address_is_heard(account):
    agent = agent_of(account, account.activate("fw-1", ip="8.8.8.8"))
    assert agent.ReportStatus(claimed_ip="192.168.1.7").revision > 0
    assert agent.ReportStatus(claimed_ip="192.168.1.7").revision == 0
    said = agent.ReportStatus(claimed_ip="192.168.1.8")
    assert said.revision > 0 and account.caller().GetSite(name=said.site).claimed_ip == "192.168.1.8"


def test_a_late_report_changes_nothing(account):
    service, site = account.caller("SERVICE"), account.create_site().name
    report = pb.SiteReport(site=site, status=pb.SITE_STATUS_ONLINE)
    assert service.BatchReportStatus(parent=account.name, reports=[report]).results[0].outcome == WRITTEN
    seen = account.caller().GetSite(name=site).last_seen_time
    old = pb.SiteReport(site=site, status=pb.SITE_STATUS_OFFLINE, seen_time=Timestamp(seconds=seen.seconds - 60))
    assert service.BatchReportStatus(parent=account.name, reports=[old]).results[0].outcome == LATE
    after = account.caller().GetSite(name=site)
    assert after.status == pb.SITE_STATUS_ONLINE and after.last_seen_time == seen


def test_a_service_says_where_a_site_comes_from(account):
    service, site = account.caller("SERVICE"), account.create_site().name
    report = pb.SiteReport(site=site, public_ip="213.167.128.1")
    assert service.BatchReportStatus(parent=account.name, reports=[report]).results[0].outcome == WRITTEN
    found = account.caller().GetSite(name=site)
    assert found.public_ip == "213.167.128.1" and found.location.source == pb.FIX_SOURCE_GEOIP
    assert found.time_zone == "Atlantic/Reykjavik"


@pytest.mark.parametrize(
    "reports, field",
    [
        ([], "reports"),
        ([{}] * 1001, "reports"),
        ([{}, {"site": "twice"}, {"site": "twice"}], "reports[2].site"),
        ([{}, {"site": "nonsense"}], "reports[1].site"),
        ([{"public_ip": "010.0.0.1"}], "reports[0].public_ip"),
        ([{"status": 99}], "reports[0].status"),
        ([{"status": pb.SITE_STATUS_MAINTENANCE}], "reports[0].status"),
        ([{"device_position": {"accuracy_m": 5}}], "reports[0].device_position.position"),
        ([{"device_position": {"position": {"lat": 0, "lng": 0}, "accuracy_m": 5}}], "reports[0].device_position.position"),
        ([{"device_position": {"position": {"lat": 9, "lng": 9}}}], "reports[0].device_position.accuracy_m"),
        ([{"device_position": {"position": {"lat": 91, "lng": 9}}}], "reports[0].device_position.position.lat"),
    ],
)
def test_a_bad_batch_is_refused_whole(account, reports, field):
    names = {"twice": account.create_site().name, "nonsense": "accounts/x"}
    made = [pb.SiteReport(**{"site": fresh_name(account), **report}) for report in reports]
    for report in made:
        report.site = names.get(report.site, report.site)
    call = account.caller("SERVICE").BatchReportStatus
    refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda: call(parent=account.name, reports=made), field=field)


def fresh_name(account):
    return f"{account.name}/sites/{'0' * 8}-0000-7000-8000-{secrets.token_hex(6)}"


def test_a_report_of_the_future_fails_alone(account):
    service, site = account.caller("SERVICE"), account.create_site().name
    ahead = Timestamp()
    ahead.GetCurrentTime()
    ahead.seconds += 3_600
    reports = [pb.SiteReport(site=site, seen_time=ahead), pb.SiteReport(site=account.create_site().name)]
    results = service.BatchReportStatus(parent=account.name, reports=reports).results
    assert [result.outcome for result in results] == [FAILED, WRITTEN]
    assert "seen_time" in results[0].message and results[0].reason == pb.ERROR_REASON_FIELD_INVALID


def test_a_device_places_its_site_and_noise_moves_nothing(account):
    activated = account.activate("fw-1", ip="8.8.8.8")
    agent, reader = agent_of(account, activated), account.caller()
    at = pb.DevicePosition(position=pb.LatLng(lat=47.0, lng=8.0), accuracy_m=20)
    assert agent.ReportStatus(device_position=at).revision > 0
    site = reader.GetSite(name=activated.site)
    assert site.location.source == pb.FIX_SOURCE_DEVICE and not site.location.confirmed
    assert (site.location.position.lat, site.location.accuracy_m) == (47.0, 20)
    assert site.location.granularity == pb.GRANULARITY_DOOR and site.time_zone == "Europe/Zurich"
    noise = pb.DevicePosition(position=pb.LatLng(lat=47.0001, lng=8.0), accuracy_m=18)
    assert agent.ReportStatus(device_position=noise).revision == 0, "11 m off, within the circle"
    moved = pb.DevicePosition(position=pb.LatLng(lat=47.5, lng=8.0), accuracy_m=18)
    assert agent.ReportStatus(device_position=moved).revision > 0
    reader.SetPin(site=activated.site, position=pb.LatLng(lat=46.9, lng=7.4))
    assert agent.ReportStatus(device_position=at).revision > 0
    pinned = reader.GetSite(name=activated.site).location
    assert pinned.source == pb.FIX_SOURCE_PIN and pinned.position.lat == 46.9, "no machine beats a person"
    assert reader.ResetLocation(site=activated.site).location.source == pb.FIX_SOURCE_DEVICE
    assert reader.DeleteFix(site=activated.site, source=pb.FIX_SOURCE_DEVICE).location.source == pb.FIX_SOURCE_GEOIP


def test_a_removed_measurement_does_not_come_back_with_the_next_report(account):
    activated = account.activate("fw-1", ip="8.8.8.8")
    agent, caller = agent_of(account, activated), account.caller()
    wrong = pb.DevicePosition(position=pb.LatLng(lat=47.0, lng=8.0), accuracy_m=20)
    agent.ReportStatus(device_position=wrong)
    caller.DeleteFix(site=activated.site, source=pb.FIX_SOURCE_DEVICE)
    assert agent.ReportStatus(device_position=wrong).revision == 0
    assert caller.GetSite(name=activated.site).location.source == pb.FIX_SOURCE_GEOIP
    elsewhere = pb.DevicePosition(position=pb.LatLng(lat=48.0, lng=8.0), accuracy_m=20)
    assert agent.ReportStatus(device_position=elsewhere).revision > 0
    assert caller.GetSite(name=activated.site).location.source == pb.FIX_SOURCE_DEVICE


def test_an_agent_may_bring_its_position_along(account):
    call, at = account.caller("ENROLLMENT").ActivateAgent, pb.LatLng(lat=64.1, lng=-21.9)
    position = pb.DevicePosition(position=at, accuracy_m=300)
    made = call(parent=account.name, agent_id="gps-1", agent_key=b"k" * 32, device_position=position)
    assert made.location.source == pb.FIX_SOURCE_DEVICE and made.location.granularity == pb.GRANULARITY_STREET
    assert [fix.maker for fix in made.location.fixes] == ["agent:gps-1"]


def test_a_services_word_on_an_agents_address_is_believed_and_an_agents_is_not(account):
    call = {"parent": account.name, "agent_key": b"k" * 32, "claimed_ip": "213.167.128.1"}
    told = account.caller("SERVICE").ActivateAgent(agent_id="a-1", **call)
    assert told.public_ip == "213.167.128.1" and told.location.source == pb.FIX_SOURCE_GEOIP
    claimed = account.caller("ENROLLMENT").ActivateAgent(agent_id="a-2", **call)
    assert claimed.public_ip == "" and not claimed.location.HasField("position")


def test_another_agent_takes_a_site_over_by_consent_and_loses_nothing(account):
    editor, key = account.caller("EDITOR"), secrets.token_bytes(32)
    old = account.activate("fw-old", ip="8.8.8.8")
    change = pb.Site(name=old.site, display_name="Head office", note="keep me")
    editor.UpdateSite(site=change, update_mask={"paths": ["display_name", "note"]})
    editor.SetPin(site=old.site, position=pb.LatLng(lat=47.0, lng=8.0))
    allowed = editor.AllowReplacement(site=old.site, agent_id="fw-new")
    assert allowed.replacement.agent_id == "fw-new" and allowed.replacement.HasField("expire_time")
    assert allowed.agent_id == "fw-old" and agent_of(account, old).ReportStatus().site == old.site, "until it comes"
    new = account.activate("fw-new", key=key, ip="213.167.128.1")
    assert new.site == old.site and new.replaced and not new.created and new.credential != old.credential
    site = editor.GetSite(name=old.site)
    assert (site.display_name, site.note, site.agent_id) == ("Head office", "keep me", "fw-new")
    assert site.location.source == pb.FIX_SOURCE_PIN and not site.HasField("replacement")
    refused("UNAUTHENTICATED", "CREDENTIAL_INVALID", agent_of(account, old).ReportStatus)
    again = account.activate("fw-new", key=key, ip="213.167.128.1")
    assert (again.site, again.credential, again.replaced) == (new.site, new.credential, False), "a repeat is a repeat"
    assert agent_of(account, new).ReportStatus().site == old.site
    elsewhere = account.activate("fw-old", ip="8.8.8.8")
    assert elsewhere.created and elsewhere.site != old.site, "the old device may serve elsewhere"


def test_the_same_agent_comes_back_with_a_new_key_by_consent(account):
    old, editor = account.activate("fw-1", key=b"a" * 32), account.caller("EDITOR")
    refused("PERMISSION_DENIED", "AGENT_KEY_MISMATCH", lambda: account.activate("fw-1", key=b"b" * 32))
    editor.AllowReplacement(site=old.site, agent_id="fw-1")
    assert account.activate("fw-1", key=b"a" * 32).credential == old.credential, "the old one works until then"
    new = account.activate("fw-1", key=b"b" * 32)
    assert new.site == old.site and new.replaced
    refused("PERMISSION_DENIED", "AGENT_KEY_MISMATCH", lambda: account.activate("fw-1", key=b"a" * 32))
    editor.AllowReplacement(site=old.site, agent_id="fw-1")
    refused("PERMISSION_DENIED", "AGENT_KEY_MISMATCH", lambda: account.activate("fw-1", key=b"a" * 32))


def test_a_device_that_comes_back_with_its_old_key_makes_no_second_site(account):
    """A key that was ended by a replacement stays ended: the device draws a new one, and has its site again."""
    editor = account.caller("EDITOR")
    old = account.activate("fw-old", key=b"a" * 32)
    editor.AllowReplacement(site=old.site, agent_id="fw-new")
    account.activate("fw-new", key=b"b" * 32)
    editor.AllowReplacement(site=old.site, agent_id="fw-old")
    refused("PERMISSION_DENIED", "AGENT_KEY_MISMATCH", lambda: account.activate("fw-old", key=b"a" * 32))
    assert account.activate("fw-old", key=b"c" * 32).site == old.site
    assert len(account.caller().ListSites(parent=account.name).sites) == 1


def test_a_consent_is_for_one_agent_and_can_be_taken_back(account):
    old, editor = account.activate("fw-old"), account.caller("EDITOR")
    editor.AllowReplacement(site=old.site, agent_id="fw-a")
    editor.AllowReplacement(site=old.site, agent_id="fw-b")
    stranger = account.activate("fw-a")
    assert stranger.created and stranger.site != old.site, "another consent replaced that one"
    cancelled = editor.CancelReplacement(site=old.site)
    assert not cancelled.HasField("replacement") and editor.CancelReplacement(site=old.site) == cancelled
    other = account.activate("fw-b")
    assert other.created and other.site != old.site
    refused(
        "ALREADY_EXISTS", "AGENT_ELSEWHERE", lambda: editor.AllowReplacement(site=old.site, agent_id="fw-b")
    )
    account.caller().DeleteSite(name=other.site)
    assert editor.AllowReplacement(site=old.site, agent_id="fw-b").replacement.agent_id == "fw-b"
    assert account.activate("fw-b").site == old.site, "whose own site was deleted"
    now = Timestamp()
    now.GetCurrentTime()
    for seconds in (-1, 91 * 86_400):
        ends = Timestamp(seconds=now.seconds + seconds)
        call = lambda ends=ends: editor.AllowReplacement(site=old.site, agent_id="fw-c", expire_time=ends)
        refused("INVALID_ARGUMENT", "FIELD_INVALID", call, field="expire_time")


def test_of_64_racing_new_keys_one_takes_the_site_over(account):
    old, editor = account.activate("fw-1", key=b"a" * 32), account.caller("EDITOR")
    editor.AllowReplacement(site=old.site, agent_id="fw-1")

    def try_one(number):
        try:
            return account.activate("fw-1", key=bytes([number]) * 32)
        except Exception as error:  # noqa: BLE001 - each refusal is looked at below
            return error

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(try_one, range(100, 164)))
    winners = [answer for answer in answers if isinstance(answer, pb.ActivateAgentResponse)]
    assert len(winners) == 1 and winners[0].replaced and winners[0].site == old.site
    assert len(account.caller().ListSites(parent=account.name).sites) == 1


def test_reports_survive_kill_9(tmp_path):
    """What was answered with a revision is there afterwards; the time alone may be as old as the last write."""
    import grpc

    server = Server(tmp_path / "data")
    with server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            activated = account.activate("fw-1", ip="8.8.8.8")
            agent = agent_of(account, activated)
            written = agent.ReportStatus(status=pb.SITE_STATUS_OFFLINE).revision
            last = account.caller().GetSite(name=activated.site).last_seen_time
            assert agent.ReportStatus(status=pb.SITE_STATUS_OFFLINE).revision == 0
            token = account.caller().token
        server.kill()
        server.start()
        with grpc.insecure_channel(server.target) as channel:
            site = Caller(channel, token).GetSite(name=activated.site)
            assert (site.status, site.revision) == (pb.SITE_STATUS_OFFLINE, written)
            assert site.last_seen_time == last
            assert Caller(channel, activated.credential, "8.8.8.8").ReportStatus(status=pb.SITE_STATUS_OFFLINE)
            assert Caller(channel, token).GetSite(name=activated.site).last_seen_time.ToNanoseconds() > last.ToNanoseconds()


def test_an_orderly_end_writes_when_sites_were_seen(tmp_path):
    """Times that were in memory alone were lost at each restart."""
    import grpc

    server = Server(tmp_path / "data")
    with server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            names = [account.create_site().name for _ in range(600)]
            reports = [pb.SiteReport(site=name) for name in names]
            for outcome in (WRITTEN, NOTED):
                results = account.caller("SERVICE").BatchReportStatus(parent=account.name, reports=reports).results
                assert {result.outcome for result in results} == {outcome}
            gone = names.pop()
            account.caller().DeleteSite(name=gone)
            list_all = lambda caller: caller.ListSites(parent=account.name, page_size=1_000).sites
            before = {site.name: site for site in list_all(account.caller())}
            token = account.caller().token
        assert server.stop() == 0
        server.start()
        with grpc.insecure_channel(server.target) as channel:
            after = {site.name: site for site in list_all(Caller(channel, token))}
            assert set(after) == set(names)
            for name, site in after.items():
                assert site.last_seen_time == before[name].last_seen_time
                assert site.update_time == before[name].update_time and site.etag == before[name].etag
