"""GeoIP databases: each answer agrees with an independent reader, and files change under the server without a word lost."""

import ipaddress
import os
import random
import shutil
import signal
import threading
import time

import grpc
import pytest

from client import Account, Caller, refused
from databases import ASN, COUNTRY, DBIP, FLAT, NESTED, Independent, backdate, with_build_epoch, written
from server import ASN_FILE, GEOIP, Server
from stubs import pb

# Addresses asked of each data file.
ASKED = 100_000
# Most addresses of one call, and of one whose answers are explained.
BATCH = 1_000
EXPLAINED = 100
SEED = 20_261_126
# Seconds until something that takes moments must have happened.
PATIENCE_S = 60
# Least look-ups beside files that change.
LOOK_UPS_MIN = 10_000
GOOD = "81.2.69.160"


class World:
    """A server with databases of its own, and an account in it."""

    def __init__(self, server):
        self.server = server
        self.channel = grpc.insecure_channel(server.target)
        self.operator = Caller(self.channel, server.admin_token)
        self.account = Account(self.operator)
        self.caller = self.account.caller("VIEWER")

    def look_up(self, ips, explain=False):
        return self.caller.BatchLookupIp(parent=self.account.name, ips=ips, explain=explain).results

    def one(self, ip, explain=False):
        return self.caller.LookupIp(parent=self.account.name, ip=ip, explain=explain)


def serving(tmp_path, *files, extra=()):
    geoip = [part for file in files for part in ("--geoip", str(file))]
    return Server(tmp_path / "data", geoip=False, extra=[*geoip, *extra])


def any_ipv4(numbers):
    return str(ipaddress.IPv4Address(numbers.getrandbits(32)))


def any_ipv6(numbers):
    # Where networks are: most of what is given out lies in these.
    first = numbers.choice([0x2001, 0x2400, 0x2600, 0x2604, 0x2607, 0x2800, 0x2A00, 0x2A02, 0x2A0D, 0x2C0F])
    return str(ipaddress.IPv6Address(first << 112 | numbers.getrandbits(112)))


def check_agrees(world, files, ips):
    """Every step of every answer is what the independent reader says. Gives back how many records there were."""
    readers = [Independent(file) for file in files]
    records = [0] * len(readers)
    for start in range(0, len(ips), EXPLAINED):
        batch = ips[start : start + EXPLAINED]
        for ip, answer in zip(batch, world.look_up(batch, explain=True), strict=True):
            steps = answer.explanation.steps
            if not steps:
                assert answer.explanation.block, f"{ip} is asked of the databases"
                continue
            asked = answer.canonical_ip
            assert len(steps) == len(readers), ip
            for at, (reader, step) in enumerate(zip(readers, steps, strict=True)):
                records[at] += check_step(ip, asked, reader, step)
    return records


def check_step(ip, asked, reader, step):
    if not reader.covers(asked):
        assert step.said == pb.IpExplanationStep.SAID_NOT_COVERED, (ip, step)
        return 0
    expected = reader.record(asked)
    if expected is None:
        # A file that could hold the family may hold none of it.
        nothing = (pb.IpExplanationStep.SAID_NOT_FOUND, pb.IpExplanationStep.SAID_NOT_COVERED)
        assert step.said in nothing, (ip, step)
        return 0
    assert step.said == pb.IpExplanationStep.SAID_RECORD, (ip, step)
    said = step.record
    position = expected.pop("position")
    if position is None:
        assert not said.HasField("lat") and not said.HasField("lng"), (ip, said)
    else:
        assert (said.lat, said.lng) == pytest.approx(position, abs=1e-9), (ip, said)
    asn = expected.pop("asn")
    assert (said.asn if said.HasField("asn") else None) == asn, (ip, said)
    assert {name: getattr(said, name) for name in expected} == expected, ip
    return 1


def test_each_data_file_agrees_with_an_independent_reader(tmp_path):
    print(f"seed {SEED}")
    numbers = random.Random(SEED)
    files = [*GEOIP, ASN_FILE]
    ips = [any_ipv4(numbers) for _ in range(ASKED)] + [any_ipv6(numbers) for _ in range(ASKED)]
    with serving(tmp_path, *files) as server:
        records = check_agrees(World(server), files, ips)
    assert all(count > ASKED / 10 for count in records), records


def test_each_schema_agrees_with_an_independent_reader(tmp_path):
    print(f"seed {SEED}")
    numbers = random.Random(SEED)
    files = [
        written(tmp_path / "nested.mmdb", "GeoIP2-City", {"81.0.0.0/8": NESTED, "2a02::/16": NESTED}),
        written(tmp_path / "dbip.mmdb", "DBIP-City-Lite", {"64.0.0.0/2": DBIP, "2a00::/12": DBIP}),
        written(tmp_path / "flat4.mmdb", "city ipv4", {"80.0.0.0/4": FLAT}, ip_version=4),
        written(tmp_path / "flat6.mmdb", "city ipv6", {"2600::/12": FLAT}),
        written(tmp_path / "country.mmdb", "GeoLite2-Country", {"128.0.0.0/2": COUNTRY, "2c00::/12": COUNTRY}),
        written(tmp_path / "asn.mmdb", "GeoLite2-ASN", {"64.0.0.0/3": ASN, "2a00::/12": ASN}),
    ]
    ips = [any_ipv4(numbers) for _ in range(ASKED // 2)] + [any_ipv6(numbers) for _ in range(ASKED // 2)]
    with serving(tmp_path, *files) as server:
        world = World(server)
        kinds = [database.in_use.kind for database in world.operator.ListDatabases().databases]
        assert kinds == ["positions"] * 4 + ["countries", "networks"]
        records = check_agrees(world, files, ips)
    assert all(count > 100 for count in records), records


def test_what_one_file_lacks_another_gives(tmp_path):
    without_city = {"country": {"iso_code": "CH"}, "location": {"latitude": 47.4, "longitude": 8.5}}
    files = [
        written(tmp_path / "first.mmdb", "GeoIP2-City", {"81.2.69.0/24": without_city}),
        written(tmp_path / "second.mmdb", "DBIP-City-Lite", {"81.2.0.0/16": {**NESTED, "country": {"iso_code": "CH"}}}),
        written(tmp_path / "asn.mmdb", "GeoLite2-ASN", {"81.2.69.128/25": ASN}),
    ]
    with serving(tmp_path, *files) as server:
        answer = World(server).one(GOOD, explain=True)
    evidence = answer.fix.database
    assert (answer.fix.position.lat, answer.fix.position.lng) == (47.4, 8.5)
    assert (evidence.database_type, evidence.network) == ("GeoIP2-City", "81.2.69.0/24")
    assert (evidence.city, evidence.region_code, evidence.time_zone) == ("Zürich", "ZH", "Europe/Zurich")
    [other] = evidence.others
    assert other.database_type == "DBIP-City-Lite" and pb.DATABASE_PART_CITY in other.gave and other.distance_m > 1_000
    assert (answer.network.asn, answer.network.isp, answer.network.network) == (64500, "Example Networks", "81.2.69.128/25")
    assert [step.said for step in answer.explanation.steps] == [pb.IpExplanationStep.SAID_RECORD] * 3


def test_two_cities_that_agree_or_differ_say_so(tmp_path):
    near = {**DBIP, "location": {"latitude": 47.37, "longitude": 8.54}, "country": {"iso_code": "CH"}}
    files = [
        written(tmp_path / "first.mmdb", "GeoIP2-City", {"81.0.0.0/8": NESTED}),
        written(tmp_path / "second.mmdb", "DBIP-City-Lite", {"81.2.0.0/16": near, "81.3.0.0/16": DBIP}),
    ]
    with serving(tmp_path, *files) as server:
        agree, differ, alone = World(server).look_up(["81.2.1.1", "81.3.1.1", "81.4.1.1"])
    assert agree.fix.database.agreement == pb.DATABASE_AGREEMENT_AGREE
    assert differ.fix.database.agreement == pb.DATABASE_AGREEMENT_DIFFER
    assert alone.fix.database.agreement == pb.DATABASE_AGREEMENT_UNSPECIFIED


def test_a_file_that_is_missing_at_the_start_is_taken_when_it_comes(tmp_path):
    path = tmp_path / "later.mmdb"
    with serving(tmp_path, path) as server:
        world = World(server)
        assert world.one(GOOD).no_estimate_reason == pb.NO_ESTIMATE_REASON_NO_DATABASE
        activated = world.account.activate(ip=GOOD)
        assert activated.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_NO_DATABASE
        [database] = world.operator.ListDatabases().databases
        assert not database.HasField("in_use") and database.failure.reason == pb.DATABASE_FAILURE_REASON_MISSING
        written(path, "GeoIP2-City", {"81.0.0.0/8": NESTED})
        answer = world.operator.ReloadDatabases()
        assert answer.taken_count == 1 and answer.databases[0].in_use.database_type == "GeoIP2-City"
        assert world.one(GOOD).fix.database.city == "Zürich"
        # It goes away again: the last good one stays.
        os.remove(path)
        [database] = world.operator.ReloadDatabases().databases
        assert database.HasField("in_use") and database.failure.reason == pb.DATABASE_FAILURE_REASON_MISSING
        assert world.one(GOOD).fix.database.city == "Zürich"


@pytest.mark.parametrize("how", ["hangup", "watch"])
def test_a_new_file_is_found_without_being_asked_for(tmp_path, how):
    path = written(tmp_path / "one.mmdb", "GeoIP2-City", {"81.0.0.0/8": NESTED})
    config = tmp_path / "waymark.toml"
    interval = 1 if how == "watch" else 0
    config.write_text(f"[geoip]\ndatabases = ['{path}']\nwatch_interval_s = {interval}\n", encoding="utf-8")
    with Server(tmp_path / "data", geoip=False, extra=["--config", config]) as server:
        world = World(server)
        assert world.one(GOOD).fix.database.city == "Zürich"
        written(path, "DBIP-City-Lite", {"81.0.0.0/8": DBIP})
        if how == "hangup":
            server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: world.one(GOOD).fix.database.city == "Reykjavik")


def wait_until(holds):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come to be"


def damages(good, numbers):
    """Files that must never be taken, each in a way of its own; `None` for no file at all."""
    marker = good.rindex(b"\xab\xcd\xefMaxMind.com")
    yield "nothing", b""
    yield "no file", None
    yield "text", b"<html>404</html>"
    for share in (10, 4, 2):
        yield f"the first 1/{share}", good[: len(good) // share]
    yield "no marker", good[:marker]
    yield "cut in its metadata", good[: marker + 40]
    yield "zeros for its tree", bytes(marker // 4) + good[marker // 4 :]
    yield "ones for its tree", b"\xff" * (marker // 4) + good[marker // 4 :]
    yield "zeros for its records", good[: marker // 2] + bytes(marker - marker // 2) + good[marker:]
    yield "another node count", good.replace(b"node_count", b"node_cramp")
    yield "no file", None
    for _ in range(6):
        flipped = bytearray(good)
        for _ in range(64):
            flipped[numbers.randrange(marker)] ^= 1 << numbers.randrange(8)
        yield "64 flipped bits", bytes(flipped)


def town(second):
    """The record of 81.{second}.0.0/16, unlike those of all others."""
    location = {"latitude": 40 + second / 64, "longitude": second / 16, "accuracy_radius": 20}
    return NESTED | {"city": {"names": {"en": f"Town {second}"}}, "location": location}


@pytest.mark.parametrize("records", ["one for all", "one a network"])
def test_bad_files_in_turn_with_good_ones_cost_no_look_up(tmp_path, records):
    """Renamed over, written in place, and removed, while addresses are looked up as fast as they are answered.

    A file has no checksum: where each network has its own record, a flipped bit may make a whole file that says something
    else, which nobody can see. So those are tried where all say the same.
    """
    print(f"seed {SEED}")
    numbers = random.Random(SEED)
    one_for_all = records == "one for all"
    said = {second: NESTED if one_for_all else town(second) for second in range(256)}
    path = written(tmp_path / "one.mmdb", "GeoIP2-City", {f"81.{at}.0.0/16": record for at, record in said.items()})
    good = path.read_bytes()
    ips = [f"81.{numbers.randrange(256)}.{numbers.randrange(256)}.7" for _ in range(BATCH)]
    with serving(tmp_path, path) as server:
        world = World(server)
        done, asked, faults = threading.Event(), [0], []

        def ask():
            while not done.is_set():
                try:
                    for ip, answer in zip(ips, world.look_up(ips), strict=True):
                        told, at = said[int(ip.split(".")[1])], answer.fix.position
                        position = (told["location"]["latitude"], told["location"]["longitude"])
                        if (answer.fix.database.city, at.lat, at.lng) != (told["city"]["names"]["en"], *position):
                            faults.append((ip, answer))
                            return
                    asked[0] += len(ips)
                except grpc.RpcError as error:
                    faults.append(error)
                    return

        askers = [threading.Thread(target=ask) for _ in range(2)]
        for asker in askers:
            asker.start()
        begun = time.monotonic()
        taken = removed = 0
        for number, (what, bytes_) in enumerate(damages(good, numbers)):
            if what == "64 flipped bits" and not one_for_all:
                continue
            place(path, bytes_, in_place=number % 2 == 0)
            answer = world.operator.ReloadDatabases()
            is_taken = answer.taken_count > 0
            # A flipped bit may fall where no record is; such a file is whole.
            assert what == "64 flipped bits" or not is_taken, what
            [database] = answer.databases
            assert is_taken or database.HasField("failure"), what
            if bytes_ is None:
                assert database.HasField("in_use")
                assert database.failure.reason == pb.DATABASE_FAILURE_REASON_MISSING
                removed += 1
            assert not faults, (what, faults)
            if is_taken or number % 4 == 3:
                place(path, with_build_epoch(good, 1_700_000_000 + number), in_place=number % 8 == 3)
                assert world.operator.ReloadDatabases().taken_count == 1
                taken += 1
        # However slow the machine is, so many are asked beside the files.
        while asked[0] < LOOK_UPS_MIN and not faults:
            place(path, good[: len(good) // 2], in_place=False)
            assert world.operator.ReloadDatabases().taken_count == 0
            place(path, good, in_place=False)
            world.operator.ReloadDatabases()
            assert time.monotonic() - begun < PATIENCE_S, f"{asked[0]} look-ups"
        seconds = time.monotonic() - begun
        done.set()
        for asker in askers:
            asker.join()
        rate = asked[0] / seconds
        print(f"{rate:.0f} look-ups a second for {seconds:.1f} s beside {number + 1} bad files and {taken} good ones")
        assert not faults and taken >= 3 and removed > 1 and asked[0] >= LOOK_UPS_MIN


def place(path, data, in_place):
    if data is None:
        os.remove(path)
    elif in_place:
        path.write_bytes(data)
        backdate(path)
    else:
        beside = path.with_suffix(".part")
        beside.write_bytes(data)
        backdate(beside)
        os.replace(beside, path)


def resident_mb(server):
    for line in open(f"/proc/{server.process.pid}/status", encoding="ascii"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no resident size")


def peak_mb(server):
    for line in open(f"/proc/{server.process.pid}/status", encoding="ascii"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no peak of resident size")


def reloaded(world):
    """The one database after a reload that ended in time: a file this large may be read for longer than a call lasts."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            [database] = world.operator.ReloadDatabases().databases
            return database
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() < deadline, error


@pytest.mark.parametrize("files", ["good", "bad"])
def test_memory_returns_to_one_copy(tmp_path, files):
    """After good files and after bad ones, beside look-ups; and never are there more than the old copy and a new one."""
    path = tmp_path / "city.mmdb"
    shutil.copyfile(GEOIP[0], path)
    backdate(path)
    size_mb = path.stat().st_size / 2**20
    good = path.read_bytes()
    with serving(tmp_path, path) as server:
        world = World(server)
        before = resident_mb(server)
        done, asked, faults = threading.Event(), [0], []

        def ask():
            while not done.is_set():
                answer = world.one(GOOD)
                asked[0] += 1
                if not answer.fix.database.city:
                    faults.append(answer)

        asker = threading.Thread(target=ask)
        asker.start()
        try:
            if files == "good":
                for number in range(3):
                    place(path, with_build_epoch(good, 1_780_000_000 + number), in_place=False)
                    assert reloaded(world).in_use.build_time.seconds == 1_780_000_000 + number
            else:
                refused, used = 0, reloaded(world).in_use
                for number, (what, bytes_) in enumerate(damages(good, random.Random(SEED))):
                    # Flipped bits may fall where no look-up comes by; what is taken then is whole to every check.
                    if what != "64 flipped bits":
                        place(path, bytes_, in_place=number % 2 == 0)
                        database = reloaded(world)
                        assert database.HasField("failure") and database.in_use == used, what
                        refused += 1
                assert refused > 10
            # Life goes on: the allocator gives back what is free when it is next asked for something.
            wait_until(lambda: reloaded(world) and resident_mb(server) < before + size_mb / 2)
        finally:
            done.set()
            asker.join()
        assert asked[0] > 0 and not faults, faults
        peak = peak_mb(server)
        print(f"{before:.0f} MiB before, {peak:.0f} at most, {resident_mb(server):.0f} after; the file has {size_mb:.0f}")
        assert peak < before + size_mb * 1.5


def test_an_old_database_warns_marks_and_is_refused(tmp_path):
    day = 86_400
    now = int(time.time())
    for age, freshness, outdated, placed in [
        (1, "FRESH", False, True),
        (15, "OLD", False, True),
        (25, "OUTDATED", True, True),
        (35, "REFUSED", False, False),
    ]:
        path = written(tmp_path / f"{age}.mmdb", "GeoIP2-City", {"81.0.0.0/8": NESTED}, build_epoch=now - age * day)
        config = tmp_path / f"{age}.toml"
        ages = "warn_after_days = 10, mark_after_days = 20, refuse_after_days = 30"
        config.write_text(f"[geoip]\ndatabases = [{{ path = '{path}', {ages} }}]\n", encoding="utf-8")
        with Server(tmp_path / f"data{age}", geoip=False, extra=["--config", config]) as server:
            world = World(server)
            [database] = world.operator.ListDatabases().databases
            assert pb.DatabaseFreshness.Name(database.freshness) == f"DATABASE_FRESHNESS_{freshness}"
            answer = world.one(GOOD)
            assert answer.HasField("fix") == placed and answer.fix.database.outdated == outdated, age


BAD_RECORDS = {
    "no location": {"city": {"names": {"en": "Nowhere"}}, "country": {"iso_code": "CH"}},
    "NaN": {"location": {"latitude": float("nan"), "longitude": 8.5}, "country": {"iso_code": "CH"}},
    "infinite": {"location": {"latitude": float("inf"), "longitude": 8.5}, "country": {"iso_code": "CH"}},
    "999": {"location": {"latitude": 999.0, "longitude": 8.5}, "country": {"iso_code": "CH"}},
    "strings for numbers": {"location": {"latitude": "47.3", "longitude": "8.5"}, "country": {"iso_code": "CH"}},
    "a map for a string": {"city": {"names": {"en": {"x": "y"}}}, "country": {"iso_code": "CH"}},
    "0,0": {"location": {"latitude": 0.0, "longitude": 0.0}, "country": {"iso_code": "CH"}},
}


@pytest.mark.parametrize("what", BAD_RECORDS)
def test_a_record_without_a_usable_position_makes_no_estimate(tmp_path, what):
    path = written(tmp_path / "bad.mmdb", "GeoIP2-City", {"81.0.0.0/8": BAD_RECORDS[what], "82.0.0.0/8": NESTED})
    with serving(tmp_path, path) as server:
        world = World(server)
        bad, good = world.look_up([GOOD, "82.1.1.1"])
        assert not bad.HasField("fix") and bad.no_estimate_reason == pb.NO_ESTIMATE_REASON_NO_POSITION
        assert good.fix.database.city == "Zürich"
        assert not world.account.activate(ip=GOOD).location.HasField("position")


def test_batches_are_bounded_and_name_the_bad_address(account):
    caller = account.caller()
    for ips, explain in (([], False), ([], True), ([GOOD] * (BATCH + 1), False), ([GOOD] * (EXPLAINED + 1), True)):
        fault = refused(
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
            lambda ips=ips, explain=explain: caller.BatchLookupIp(parent=account.name, ips=ips, explain=explain),
            field="ips",
        )
        assert f"1 and {EXPLAINED if explain else BATCH} addresses" in fault.message, fault
    for count, explain in ((BATCH, False), (EXPLAINED, True)):
        answer = caller.BatchLookupIp(parent=account.name, ips=[GOOD] * count, explain=explain)
        assert len(answer.results) == count
    for bad in ("08.8.8.8", "0x8.8.8.8", "8.8.8", "fe80::1%eth0", "1.1.1.1/32", "", "134744072"):
        refused(
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
            lambda bad=bad: caller.BatchLookupIp(parent=account.name, ips=[GOOD, bad]),
            field="ips[1]",
        )
