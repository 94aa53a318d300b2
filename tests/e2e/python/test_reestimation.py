"""A new database is a reviewed change: previewed, applied in the background, resumed after kill -9."""

import copy
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from client import Account, Caller, refused
from databases import NESTED, written
from server import Server
from stubs import pb

# Seconds until a run must have ended; generous for a busy machine.
ENDED_S_MAX = 120
# When the files here were built: one time for all, so that what a file says alike is the same to the letter.
BUILT = int(time.time()) - 86_400
DONE, RUNNING, CANCELLED = (
    pb.Reestimation.STATE_DONE,
    pb.Reestimation.STATE_RUNNING,
    pb.Reestimation.STATE_CANCELLED,
)


def city(lat, lng, radius=20, name="Zürich"):
    record = copy.deepcopy(NESTED)
    record["location"] |= {"latitude": lat, "longitude": lng, "accuracy_radius": radius}
    record["city"]["names"] = {"en": name}
    return record


# What each network is in the first file, in the second, and how far that is in kilometres.
HOME = {
    "8.0.0.0/24": (city(47.0, 8.0), city(47.0, 8.0), 0),
    "8.0.1.0/24": (city(47.0, 8.0), city(47.004, 8.0), 0.44),
    "8.0.2.0/24": (city(47.0, 8.0), city(47.2, 8.0), 22.2),
    "8.0.3.0/24": (city(47.0, 8.0), city(52.0, 8.0), 556),
    "8.0.4.0/24": (city(47.0, 8.0), city(-33.0, 151.0), 16_600),
    "8.0.5.0/24": (city(47.0, 8.0), city(47.0, 8.0, radius=100), 0),
    "8.0.6.0/24": (city(47.0, 8.0), None, 0),
    "8.0.7.0/24": (None, city(47.0, 8.0), 0),
}


class World:
    """A server with one file of ours, and what is in it."""

    def __init__(self, tmp_path):
        self.file = tmp_path / "city.mmdb"
        self.put(0)
        self.server = Server(tmp_path / "data", geoip=False, extra=["--geoip", self.file, "--move-after", "0"])

    def put(self, version, path=None):
        networks = {network: both[version] for network, both in HOME.items() if both[version]}
        written(path or self.file, "GeoLite2-City", networks, build_epoch=BUILT)

    def __enter__(self):
        self.server.__enter__()
        self.connect()
        self.account = Account(self.operator)
        return self

    def connect(self):
        self.channel = grpc.insecure_channel(self.server.target)
        self.operator = Caller(self.channel, self.server.admin_token)

    def __exit__(self, *what):
        self.channel.close()
        self.server.__exit__(*what)

    def ended(self, run):
        """The run when it has ended."""
        ends = time.monotonic() + ENDED_S_MAX
        while run.state == RUNNING:
            assert time.monotonic() < ends, f"does not end: {run}"
            time.sleep(0.02)
            run = self.operator.GetReestimation(name=run.name)
        return run

    def sites(self):
        return {site.name: site for site in self.account.caller().ListSites(parent=self.account.name).sites}


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as made:
        yield made


def test_nothing_moves_before_the_change_was_seen_and_applied(world):
    by_network = {network: world.account.activate(ip=network.replace("0/24", "7")).site for network in HOME}
    pinned = world.account.activate(ip="8.0.4.9").site
    world.account.caller().SetPin(site=pinned, position=pb.LatLng(lat=46.0, lng=7.0))
    removed = world.account.activate(ip="8.0.4.10").site
    world.account.caller().DeleteFix(site=removed, source=pb.FIX_SOURCE_GEOIP)
    nowhere = world.account.activate(ip="10.0.0.1").site
    deleted = world.account.activate(ip="8.0.4.11").site
    world.account.caller().DeleteSite(name=deleted)
    before = world.sites()

    candidate = world.file.with_name("next.mmdb")
    world.put(1, candidate)
    run = world.operator.PreviewDatabase(candidate_path=str(candidate), replaced_path=str(world.file))
    seen_first = world.ended(run)
    assert world.sites() == before, "a preview changes nothing"
    world.put(1)
    world.operator.ReloadDatabases()
    assert world.sites() == before, "nor does a new file"
    run = world.ended(world.operator.PreviewDatabase())
    assert world.sites() == before
    for found in (seen_first, run):
        assert found.state == DONE and found.mode == pb.Reestimation.MODE_PREVIEW
        assert (found.total_count, found.seen_count) == (11, 11), found
        assert (found.kept_count, found.unchanged_count, found.regraded_count) == (2, 2, 1), found
        assert (found.placed_count, found.unplaced_count, found.moved_count) == (1, 1, 4), found
        assert found.unknown_count == 0 and found.contended_count == 0
        classes = {one.distance_m_max if one.HasField("distance_m_max") else None: one.count for one in found.moves}
        assert classes == {1e3: 1, 1e4: 0, 2.5e4: 1, 1e5: 0, 5e5: 0, 1e6: 1, None: 1}
        worst = [(move.site, round(move.distance_m / 1_000)) for move in found.worst_moves]
        far = ["8.0.4.0/24", "8.0.3.0/24", "8.0.2.0/24", "8.0.1.0/24"]
        assert [site for site, _ in worst] == [by_network[network] for network in far]
        for (_, km), network in zip(worst, far):
            assert km == pytest.approx(HOME[network][2], rel=0.02, abs=1)

    applied = world.ended(world.operator.ApplyDatabase())
    assert applied.state == DONE and applied.mode == pb.Reestimation.MODE_APPLY and applied.moved_count == 4
    after = world.sites()
    for network, (_, new, _) in HOME.items():
        location = after[by_network[network]].location
        if new is None:
            assert not location.fixes and location.no_estimate_reason == pb.NO_ESTIMATE_REASON_NOT_FOUND
        else:
            assert location.position.lat == new["location"]["latitude"], network
            assert location.accuracy_m == new["location"]["accuracy_radius"] * 1_000
    for site in (pinned, removed, nowhere):
        assert after[site] == before[site], "a person's word stays, to the letter"
    assert after[by_network["8.0.0.0/24"]] == before[by_network["8.0.0.0/24"]], "what is the same is not written"
    again = world.ended(world.operator.PreviewDatabase())
    assert again.moved_count == again.placed_count == again.unplaced_count == again.regraded_count == 0
    names = [found.name for found in world.operator.ListReestimations().reestimations]
    assert names == [again.name, applied.name, run.name, seen_first.name]


def test_a_bad_candidate_is_refused_at_once(world):
    broken = world.file.with_name("broken.mmdb")
    broken.write_bytes(world.file.read_bytes()[:-500])
    preview = world.operator.PreviewDatabase
    for fields, field in (
        ({"candidate_path": str(broken), "replaced_path": str(world.file)}, "candidate_path"),
        ({"candidate_path": str(broken) + ".none", "replaced_path": str(world.file)}, "candidate_path"),
        ({"candidate_path": str(world.file), "replaced_path": str(broken)}, "replaced_path"),
        ({"candidate_path": str(world.file)}, "replaced_path"),
        ({"replaced_path": str(world.file)}, "candidate_path"),
    ):
        refused("INVALID_ARGUMENT", "FIELD_INVALID", lambda fields=fields: preview(**fields), field=field)
    assert not world.operator.ListReestimations().reestimations
    refused("NOT_FOUND", "RESOURCE_NOT_FOUND", lambda: world.operator.GetReestimation(name="reestimations/none"))
    refused(
        "INVALID_ARGUMENT", "FIELD_INVALID", lambda: world.operator.GetReestimation(name="none"), field="name"
    )


def many_sites(world, count):
    """Sites of two accounts, all of which the second file moves."""
    accounts = [Account(world.operator) for _ in range(2)]

    def make(number):
        account = accounts[number % 2]
        return account, account.create_site().name

    accounts[0].caller(), accounts[1].caller()
    with ThreadPoolExecutor(32) as pool:
        made = list(pool.map(make, range(count)))
    for account in accounts:
        names = [site for owner, site in made if owner is account]
        for at in range(0, len(names), 1_000):
            reports = [pb.SiteReport(site=site, public_ip="8.0.4.7") for site in names[at : at + 1_000]]
            results = account.caller("SERVICE").BatchReportStatus(parent=account.name, reports=reports).results
            assert {result.outcome for result in results} == {pb.SiteReportResult.OUTCOME_WRITTEN}
    return accounts


def positions(account, token=None):
    """Latitudes of all sites of an account."""
    found, page, caller = [], "", token or account.caller()
    while True:
        answer = caller.ListSites(parent=account.name, page_size=1_000, page_token=page)
        found += [site.location.position.lat for site in answer.sites]
        page = answer.next_page_token
        if not page:
            return found


def test_a_run_goes_on_after_kill_9(world):
    """Killed in the middle of a run, again and again: each site ends where the new file puts it, and is counted once."""
    count = 4_000
    accounts = many_sites(world, count)
    version, kills = 0, 0
    for _ in range(6):
        version = 1 - version
        world.put(version)
        world.operator.ReloadDatabases()
        run = world.operator.ApplyDatabase()
        while run.state == RUNNING and run.seen_count == 0:
            run = world.operator.GetReestimation(name=run.name)
        if run.state == RUNNING:
            world.server.kill()
            kills += 1
            world.channel.close()
            world.server.start()
            world.connect()
        run = world.ended(world.operator.GetReestimation(name=run.name))
        assert run.state == DONE and run.seen_count == count == run.total_count, run
        assert run.moved_count == count, "what was written before the kill is counted as moved, not as unchanged"
        operator = Caller(world.channel, world.server.admin_token)
        expect = HOME["8.0.4.0/24"][version]["location"]["latitude"]
        for account in accounts:
            found = positions(account, operator)
            assert len(found) == count // 2 and set(found) == {expect}
        if kills >= 2:
            break
    assert kills >= 1, "no run was caught in its middle"


def test_a_cancelled_run_ends_and_the_next_goes_on(world):
    many_sites(world, 1_000)
    world.put(1)
    world.operator.ReloadDatabases()
    runs = [world.operator.ApplyDatabase() for _ in range(3)]
    for run in reversed(runs[1:]):
        cancelled = world.operator.CancelReestimation(name=run.name)
        assert cancelled.state == CANCELLED and cancelled.HasField("end_time")
        assert world.operator.CancelReestimation(name=run.name) == cancelled, "twice changes nothing"
    assert world.ended(runs[0]).state == DONE
    last = world.ended(world.operator.PreviewDatabase())
    assert last.state == DONE and last.moved_count == 0


def test_agents_go_on_while_a_run_writes(world):
    """An agent's report and a run write the same sites: neither loses anything."""
    accounts = many_sites(world, 4_000)
    account = accounts[0]
    sites = [site.name for site in account.caller().ListSites(parent=account.name, page_size=1_000).sites]
    version, overlaps, status = 0, 0, pb.SITE_STATUS_ONLINE
    # Until reports were written in the middle of a run: on a fast machine one may be over before.
    for _ in range(10):
        version = 1 - version
        world.put(version)
        world.operator.ReloadDatabases()
        run = world.operator.ApplyDatabase()
        while run.state == RUNNING:
            status = pb.SITE_STATUS_ONLINE if status == pb.SITE_STATUS_OFFLINE else pb.SITE_STATUS_OFFLINE
            reports = [pb.SiteReport(site=site, status=status) for site in sites]
            results = account.caller("SERVICE").BatchReportStatus(parent=account.name, reports=reports).results
            assert {result.outcome for result in results} == {pb.SiteReportResult.OUTCOME_WRITTEN}
            run = world.operator.GetReestimation(name=run.name)
            overlaps += run.state == RUNNING and 0 < run.seen_count < run.total_count
        assert run.state == DONE and run.contended_count == 0
        assert run.seen_count == run.moved_count == 4_000
        listed = account.caller().ListSites(parent=account.name, page_size=1_000).sites
        assert {site.status for site in listed} == {status}
        expect = HOME["8.0.4.0/24"][version]["location"]["latitude"]
        assert {site.location.position.lat for site in listed} == {expect}
        if overlaps:
            break
    assert overlaps, "no report was written while a run was in its middle"


def test_another_address_of_a_home_that_a_newer_file_widens_is_home(world):
    """Two files cut the world into other networks: what the newer one holds as one with the home is no other place."""
    key = b"k" * 32
    first = world.account.activate("fw-1", key=key, ip="8.0.0.7")
    other = copy.deepcopy(HOME["8.0.4.0/24"][1])
    written(world.file, "GeoLite2-City", {"8.0.0.0/20": other})
    world.operator.ReloadDatabases()
    again = world.account.activate("fw-1", key=key, ip="8.0.9.9")
    assert again.location == first.location, "it did not move, and nobody applied the new file"
    written(world.file, "GeoLite2-City", {"8.0.0.0/21": other, "8.0.8.0/21": other})
    world.operator.ReloadDatabases()
    moved = world.account.activate("fw-1", key=key, ip="8.0.9.9")
    assert moved.location.position != first.location.position, "another network is a move, where none is waited for"


def test_the_evidence_of_what_stays_is_that_of_the_new_file(world):
    """An estimate that did not move told the build date of a file that was long gone."""
    site = world.account.activate(ip="8.0.0.7").site
    before = world.sites()[site]
    built = before.location.fixes[0].database.build_time.seconds + 3_600
    networks = {network: both[0] for network, both in HOME.items() if both[0]}
    written(world.file, "GeoLite2-City", networks, build_epoch=built)
    world.operator.ReloadDatabases()
    run = world.ended(world.operator.ApplyDatabase())
    assert (run.unchanged_count, run.moved_count, run.regraded_count) == (1, 0, 0)
    after = world.sites()[site]
    assert after.location.fixes[0].database.build_time.seconds == built
    assert after.update_time == before.update_time and after.etag == before.etag
    assert after.location.fixes[0].make_time == before.location.fixes[0].make_time
    assert after.location.position == before.location.position
