"""What attacks are measured by: a client that goes on asking meanwhile, and how much the server holds."""

import os
import threading
import time

import grpc

from client import CALL_S_MAX, Caller
from stubs import pb

# Pause between two calls, in seconds: so that one client is no load of its own.
PAUSE_S = 0.005
# Calls that have to be answered while an attack runs, and behind it: fewer say nothing.
CALLS_MIN = 50
# Seconds for them, on a busy machine.
CALLS_S_MAX = 60


def memory_mb(server):
    """What the server holds, in MB."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def sockets(server):
    """How many sockets it has open. Files are left out: the store opens readers as they are needed, and keeps them."""
    return sum(is_socket(entry) for entry in os.scandir(f"/proc/{server.process.pid}/fd"))


def is_socket(entry):
    try:
        return os.readlink(entry.path).startswith("socket:")
    except FileNotFoundError:
        return False


class Steady(threading.Thread):
    """A good client on a connection of its own. Leave its `with` block to end it; leaving checks that no call failed and that
    enough were answered, some of them after the attack."""

    def __init__(self, server, token):
        super().__init__(daemon=True)
        self.server, self.token = server, token
        self.ended, self.failures, self.times_s, self.peak_mb = threading.Event(), [], [], memory_mb(server)

    def __enter__(self):
        self.start()
        self.answered(1)
        return self

    def __exit__(self, kind, _value, _trace):
        if kind is None:
            self.answered(len(self.times_s) + CALLS_MIN)
        self.ended.set()
        self.join(CALL_S_MAX)
        assert kind is not None or not self.failures, self.failures[:3]

    def run(self):
        with grpc.insecure_channel(self.server.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            caller = Caller(channel, self.token)
            while not self.ended.wait(PAUSE_S):
                begun = time.monotonic()
                try:
                    caller.call("WhoAmI", pb.WhoAmIRequest())
                except grpc.RpcError as error:
                    self.failures.append(f"{error.code()} {error.details()}")
                self.times_s.append(time.monotonic() - begun)
                self.peak_mb = max(self.peak_mb, memory_mb(self.server))

    def answered(self, calls):
        """Waits until so many calls were answered."""
        deadline = time.monotonic() + CALLS_S_MAX
        while len(self.times_s) < calls:
            assert time.monotonic() < deadline and not self.failures, f"{self}: {self.failures[:3]}"
            time.sleep(0.01)

    def __repr__(self):
        times = sorted(self.times_s) or [0.0]
        p99 = times[len(times) * 99 // 100]
        return f"{len(times)} good calls, p50 {times[len(times) // 2] * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, {self.peak_mb:.0f} MB"
