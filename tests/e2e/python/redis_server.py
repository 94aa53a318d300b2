"""A real redis-server on a free port of loopback, that keeps nothing, or all."""

import shutil
import socket
import subprocess
import time

START_S_MAX = 20


def run(port, *command):
    """One command to the Redis on a port, in its own protocol; gives the first line of its answer."""
    words = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in (word.encode() for word in command))
    with socket.create_connection(("127.0.0.1", port), START_S_MAX) as there:
        there.sendall(b"*%d\r\n%s" % (len(command), words))
        return there.makefile("rb").readline().decode().strip()


class Redis:
    """A running server; leave its `with` block to end it."""

    def __init__(self, directory, keeps=False):
        self.directory = directory
        # Each write is on the disk before it is answered.
        kept = ["--appendonly", "yes", "--appendfsync", "always"]
        self.settings = kept if keeps else ["--appendonly", "no"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        """Starts it, or starts it again."""
        program = shutil.which("redis-server")
        assert program, "redis-server is missing: run scripts/install-tools test"
        command = [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", *self.settings]
        self.process = subprocess.Popen(command, cwd=self.directory, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S_MAX
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self.process.poll() is None and time.monotonic() < deadline, "redis-server does not start"
            time.sleep(0.02)

    def run(self, *command):
        """One command; gives the first line of its answer."""
        return run(self.port, *command)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    __enter__ = start

    def __exit__(self, *_):
        self.kill()
