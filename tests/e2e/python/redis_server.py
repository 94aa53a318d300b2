"""A real redis-server on a free port of loopback, that keeps nothing, or all."""

import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

START_S_MAX = 20
# Outside of those that the system gives to connections: who is started again finds its port free.
PORTS = range(11_000, 31_000)


def lasting_port():
    """A port that nobody has now and no connection takes."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def run(port, *command):
    """One command to the Redis on a port, in its own protocol; gives the first line of its answer."""
    return ask(port, *command, reads=lambda answer: answer.readline().decode().strip())


def ask(port, *command, reads=None):
    """One command to the Redis on a port; gives its whole answer, an error as text that begins with `-`."""
    words = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in (word if isinstance(word, bytes) else str(word).encode() for word in command))
    with socket.create_connection(("127.0.0.1", port), START_S_MAX) as there:
        there.sendall(b"*%d\r\n%s" % (len(command), words))
        return (reads or _read)(there.makefile("rb"))


def _read(answer):
    line = answer.readline().decode().rstrip("\r\n")
    kind, rest = line[:1], line[1:]
    if kind == "$":
        return None if rest == "-1" else answer.read(int(rest) + 2)[:-2].decode()
    if kind == "*":
        return [_read(answer) for _ in range(int(rest))]
    return int(rest) if kind == ":" else line if kind == "-" else rest


class Redis:
    """A running server; leave its `with` block to end it."""

    def __init__(self, directory, keeps=False, extra=()):
        self.directory = directory
        # Each write is on the disk before it is answered.
        kept = ["--appendonly", "yes", "--appendfsync", "always"]
        self.settings = [*(kept if keeps else ["--appendonly", "no"]), *(str(word) for word in extra)]
        self.port = lasting_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.process = None

    def arguments(self):
        return ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", *self.settings]

    def command(self):
        """What starts it."""
        program = shutil.which("redis-server")
        assert program, "redis-server is missing: run scripts/install-tools test"
        return [program, *self.arguments()]

    def start(self):
        """Starts it, or starts it again."""
        self.mend()
        self.process = subprocess.Popen(self.command(), cwd=self.directory, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S_MAX
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self.process.poll() is None and time.monotonic() < deadline, "redis-server does not start"
            time.sleep(0.02)

    def mend(self):
        """Takes half of a batch that a kill left away from the end of the file, as docs/replicas.md says."""
        manifest = Path(self.directory) / "appendonlydir" / "appendonly.aof.manifest"
        if manifest.exists():
            subprocess.run(["redis-check-aof", "--fix", str(manifest)], input=b"y\n", stdout=subprocess.DEVNULL, check=True)

    def run(self, *command):
        """One command; gives the first line of its answer."""
        return run(self.port, *command)

    def ask(self, *command):
        """One command; gives its whole answer."""
        return ask(self.port, *command)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def pause(self):
        """It stands still, and ends no connection."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    __enter__ = start

    def __exit__(self, *_):
        self.kill()
