"""A real Nominatim on loopback: PostgreSQL with PostGIS, an import of an extract, and the server of its own command line.

Beside the extract a street is imported that is made by hand, for what the map lacks: houses counted off along a row.
The database lies in a temporary directory, is made anew for each run (some 25 seconds for a city's centre), and goes with it.
Nothing is fetched: the import is told to stay offline, and has no Wikipedia importance, as many installations have none.
"""

import csv
import ctypes
import functools
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from clock import faketime
from server import ROOT

VENV = ROOT / ".venv-nominatim"
EXTRACT = ROOT / "data/fetched/osm/helsinki.osm.pbf"
# Its objects have numbers from nine thousand millions on, far above those of the extract.
BY_HAND = Path(__file__).with_name("mallikatu.osm")
BY_HAND_IDS = 9_000_000_000
# Seconds for a start, and for the import, on a machine that does other things too.
START_S_MAX = 60
IMPORT_S_MAX = 300
# Of Linux' prctl.
PR_SET_PDEATHSIG = 1
# PostgreSQL's, Nominatim's: everything here is theirs.
NAME = "nominatim"
# Nothing that is worth to keep: no waits for the disk. No compiler for queries of milliseconds.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "autovacuum": "off",
}
# Whatever proxy the environment names: all of this is on loopback.
fetch = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def end_with_parent():
    """In a child, before its program: it ends when we do, even if we are killed and nobody cleans up."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def require():
    """Fails where scripts/install-tools installs what is needed, and skips where it does not: without root or apt."""
    needs = [
        ("PostGIS", _postgres_bin()),
        ("osm2pgsql", shutil.which("osm2pgsql")),
        ("libfaketime", faketime()),
        (".venv-nominatim", (VENV / "bin/nominatim").exists()),
        (str(EXTRACT.relative_to(ROOT)), EXTRACT.exists()),
    ]
    if lacks := ", ".join(what for what, found in needs if not found):
        hint = f"no real Nominatim: {lacks} missing; run scripts/install-tools test and scripts/fetch-data"
        may_install = os.geteuid() == 0 and shutil.which("apt-get")
        (pytest.fail if may_install else pytest.skip)(hint)


class RealNominatim:
    """A running server; leave its `with` block to end it and to remove all that it wrote."""

    def __init__(self):
        self.directory = None
        self.database = self.server = None
        self.database_port, port = _free_ports(2)
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"

    def __enter__(self):
        # Not below pytest's own directory, which is root's alone: PostgreSQL refuses to run as root.
        self.directory = Path(tempfile.mkdtemp(prefix="waymark-nominatim-"))
        self.directory.chmod(0o755)
        try:
            self._start_database()
            maps = [part for file in (EXTRACT, BY_HAND) for part in ("--osm-file", file)]
            self._run("import", "--offline", "--no-updates", "--threads", "2", *maps)
            self._start_server()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # At once for the database, which nobody needs any more.
        for process, how in ((self.server, signal.SIGTERM), (self.database, signal.SIGQUIT)):
            if process is not None and process.poll() is None:
                process.send_signal(how)
                try:
                    process.wait(START_S_MAX)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def ask(self, path, **parameters):
        """What the server itself answers to a request, from its JSON."""
        query = urllib.parse.urlencode({"format": "jsonv2", "addressdetails": 1} | parameters)
        with fetch(f"{self.url}/{path}?{query}", timeout=START_S_MAX) as answer:
            return json.load(answer)

    def asked(self):
        """The requests that it answered so far: method, path and parameters, and status, as it logs them."""
        return [line for line in self._log("serve").read_text(encoding="utf-8").splitlines() if "GET /" in line]

    def select(self, query):
        """The rows of a query of its database, as texts."""
        command = [_postgres_bin() / "psql", "--csv", "--tuples-only", "--command", query, self._dsn(libpq=True)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment())
        assert done.returncode == 0, done.stderr
        return list(csv.reader(io.StringIO(done.stdout)))

    def houses(self, street, number):
        """Where the map has this address by its own tags: pairs of latitude and longitude."""
        rows = self.select(
            "SELECT ST_Y(centroid), ST_X(centroid) FROM placex"
            f" WHERE housenumber = '{number}' AND address->'street' = '{street}'"
        )
        return [(float(lat), float(lng)) for lat, lng in rows]

    def _start_database(self):
        data, log = self.directory / "postgres", self._log("postgres")
        data.mkdir()
        as_whom = {}
        if os.geteuid() == 0:
            as_whom = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(data, "postgres", "postgres")
        common = {"cwd": data, "stdin": subprocess.DEVNULL, "env": self._environment(), **as_whom}
        program = _postgres_bin()
        initdb = [program / "initdb", "--pgdata", data, "--username", NAME, "--auth", "trust", "--no-sync"]
        with open(log, "ab") as sink:
            done = subprocess.run([*initdb, "--encoding", "UTF8", "--locale", "C"], stdout=sink, stderr=sink, **common)
            assert done.returncode == 0, f"initdb failed:\n{_tail(log)}"
            settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
            command = [program / "postgres", "-D", data, "-p", str(self.database_port), *settings]
            self.database = subprocess.Popen(
                command, stdout=sink, stderr=sink, preexec_fn=end_with_parent, **common
            )  # fmt: skip
        ready = [program / "pg_isready", "--quiet", "--host", "127.0.0.1", "--port", str(self.database_port)]
        _wait(self.database, log, lambda: subprocess.run(ready, check=False, env=self._environment()).returncode == 0)

    def _run(self, command, *arguments):
        log = self._log(command)
        with open(log, "ab") as sink:
            command_line = [*self._program(command), *arguments]
            done = subprocess.run(
                command_line, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, timeout=IMPORT_S_MAX,
                check=False, env=self._environment(),
            )  # fmt: skip
        assert done.returncode == 0, f"nominatim {command} failed:\n{_tail(log)}"

    def _start_server(self):
        log = self._log("serve")
        with open(log, "ab") as sink:
            command = [*self._program("serve"), "--server", self.address]
            self.server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=self._environment(),
                preexec_fn=end_with_parent,
            )  # fmt: skip
        _wait(self.server, log, self._is_serving)

    def _log(self, command):
        return self.directory / f"{command}.log"

    def _is_serving(self):
        try:
            return self.ask("status", format="json")["status"] == 0
        except (urllib.error.URLError, ConnectionError):
            return False

    def _program(self, command):
        return [VENV / "bin/nominatim", command, "--project-dir", self.directory]

    def _dsn(self, *, libpq=False):
        parts = {"host": "127.0.0.1", "port": self.database_port, "user": NAME, "dbname": NAME}
        stated = [f"{name}={value}" for name, value in parts.items()]
        return " ".join(stated) if libpq else "pgsql:" + ";".join(stated)

    def _environment(self):
        """Ours without what would lead PostgreSQL or Nominatim elsewhere."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "NOMINATIM_", "PYTHON"))}
        return own | {
            "PATH": f"{_postgres_bin()}{os.pathsep}{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "NOMINATIM_DATABASE_DSN": self._dsn(),
            "NOMINATIM_DATABASE_WEBUSER": NAME,
        }


@functools.cache
def _postgres_bin():
    """The programs of the newest PostgreSQL that has PostGIS, where Debian puts them."""
    found = Path("/usr/share/postgresql").glob("*/extension/postgis.control")
    versions = sorted((path.parts[-3] for path in found), key=lambda version: [int(part) for part in version.split(".")])
    return Path("/usr/lib/postgresql", versions[-1], "bin") if versions else None


def _free_ports(count):
    """Ports that nobody listens on now; between this and the server's own bind another may take one, and the start fails."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _wait(process, log, is_ready):
    """Until it is ready, or ended, or too slow."""
    deadline = time.monotonic() + START_S_MAX
    while not is_ready():
        assert process.poll() is None and time.monotonic() < deadline, f"it does not start:\n{_tail(log)}"
        time.sleep(0.05)


def _tail(log):
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
