#!/usr/bin/env python3
"""Imports a sheet of many sites with `kill -9` of the importer and of the server on the way, and exports it again.

    benches/sheets.py [ROWS]            # 100000; WAYMARK_BIN says which program, target/release/waymark without it

Needs what the tests need (`make setup`). Ends with 1 where a site is missing, is there twice, or is not as its row says.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("WAYMARK_BIN", str(ROOT / "target/release/waymark"))
sys.path.insert(0, str(ROOT / "tests/e2e/python"))

import grpc  # noqa: E402
from client import Account, Caller  # noqa: E402
from server import BINARY, Server  # noqa: E402

# Parts of the sheet behind which somebody is killed.
IMPORTER_FALLS_AT, SERVER_FALLS_AT = 0.2, 0.4
# Seconds in which a run has to come so far.
WAIT_S_MAX = 1800


# Doors that the gazetteer has, each once.
ADDRESSES = ["Laugavegur 1, 101 Reykjavík", "Laugavegur 20, 101 Reykjavík", "Austurstræti 9, 101 Reykjavík"]
FIELDS = (
    "name status email first_name last_name phones customer_id contract_id note labels ticketing_links address lat lng".split()
)


def write_sheet(path, rows):
    """A site a row, with all fields: a pin on each other one, an address on each fourth."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        for number in range(rows):
            at = [f"{number % 160 - 79.5}", f"{number % 357 - 177.5}"] if number % 2 else ["", ""]
            labels = f'{{"tier":"{number % 7}","region":"r{number % 31}"}}'
            links = f'[{{"system":"zendesk","organization_id":"{number % 997 + 1}","organization_name":"Customer {number % 997}"}}]'
            address = ADDRESSES[number % len(ADDRESSES)] if number % 4 == 0 else ""
            writer.writerow(
                [f"site {number}", "online", f"a{number}@example.com", "Ada", f"Lovelace {number}"]
                + [f"work +354545{number % 10000:04}", f"C-{number % 997}", f"K-{number}", f"note\nof {number}", labels, links, address, *at]
            )


class Peak:
    """The most memory that processes held, in MiB."""

    def __init__(self):
        self.most = 0.0

    def look(self, process):
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return
        held = [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")]
        self.most = max([self.most, *held])


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        sheet, journal = directory / "sites.csv", directory / "sites.csv.journal"
        write_sheet(sheet, rows)
        with Server(directory / "data", geoip=False, gazetteer=True) as server:
            with grpc.insecure_channel(server.target) as channel:
                account = Account(Caller(channel, server.admin_token), "bench", country="IS")
            run_all(server, account.id, directory, sheet, journal, rows)


def run_all(server, account, directory, sheet, journal, rows):
    importer, serving = Peak(), Peak()

    def command(verb, *more):
        own = ["--account", account, "--server", server.url, "--token-file", server.admin_token_file]
        return [str(part) for part in [BINARY, verb, "sites", *more, *own]]

    def done():
        return journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0

    def run(until):
        """Runs the import until so many rows are done; whether it came to its end."""
        process = subprocess.Popen(command("import", sheet), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_S_MAX
        while process.poll() is None:
            importer.look(process)
            serving.look(server.process)
            if done() >= until:
                return process
            assert time.monotonic() < deadline, "too slow"
            time.sleep(0.02)
        assert process.returncode == 0, "the import failed"
        return process

    begun = time.monotonic()
    process = run(rows * IMPORTER_FALLS_AT)
    process.kill()
    process.wait()
    kept = done()
    process = run(rows * SERVER_FALLS_AT)
    server.kill()
    process.wait()
    server.start()
    interrupted = time.monotonic() - begun
    left = rows - done()
    begun = time.monotonic()
    assert run(rows + 1).returncode == 0
    took = time.monotonic() - begun
    print(f"{kept} rows were done when the importer fell, {rows - left} when the server did ({interrupted:.1f} s)")
    print(f"the other {left} rows: {took:.1f} s, {left / took:.0f} rows/s")
    begun = time.monotonic()
    assert run(rows + 1).returncode == 0
    took = time.monotonic() - begun
    print(f"all again, nothing to change: {took:.1f} s, {rows / took:.0f} rows/s")
    begun = time.monotonic()
    out = directory / "out.csv"
    subprocess.run(command("export", "--settable", "--out", out), check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - begun
    print(f"export: {took:.1f} s, {rows / took:.0f} sites/s, {out.stat().st_size / 2**20:.1f} MiB")
    print(f"peak memory: importer {importer.most:.0f} MiB, server {serving.most:.0f} MiB")
    with open(sheet, encoding="utf-8", newline="") as first, open(out, encoding="utf-8", newline="") as second:
        wanted = {row["name"]: tuple(row.items()) for row in csv.DictReader(first)}
        found = [row for row in csv.DictReader(second)]
    assert len(found) == rows, f"{len(found)} sites of {rows} rows"
    differ = [row["name"] for row in found if wanted.pop(row["name"]) != essence(row)]
    assert not wanted and not differ, f"missing {len(wanted)}, other than their rows {differ[:3]}"
    print("each row is one site, as the row says")


def essence(row):
    """What the sheet says of a site that was exported, in the sheet's order."""
    row["labels"] = '{"tier":"%s","region":"%s"}' % tuple(json.loads(row["labels"])[key] for key in ("tier", "region"))
    return tuple((field, row[field]) for field in FIELDS)


if __name__ == "__main__":
    main()
