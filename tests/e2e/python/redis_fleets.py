"""A real Redis Cluster, and a real master whose Sentinels name another one when it dies: all on loopback."""

import shutil
import subprocess
import zlib
from contextlib import ExitStack

from client import until
from redis_server import Redis, lasting_port

MASTERS = 3
# As docs/replicas.md asks for: no write is taken by a master that nobody follows.
SAFE = ["--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0"]
# Milliseconds after which a node counts as dead, and while the cluster is made, on a machine that does other things too.
DEAD_MS = 1500
PATIENT_MS = 15_000
NAME = "main"
PREFIX = "waymark"
SENTINELS = 3


class Cluster:
    """Three masters with one replica each; leave its `with` block to end all of them."""

    partitions = 16
    # As many as each master has: whoever takes over has each write that was acknowledged.
    wait_replicas = 1

    def __init__(self, directory):
        self.nodes = []
        for number in range(2 * MASTERS):
            home = directory / f"node{number}"
            home.mkdir(parents=True)
            own = ["--cluster-enabled", "yes", "--cluster-port", lasting_port(), "--cluster-node-timeout", PATIENT_MS]
            self.nodes.append(Redis(home, keeps=True, extra=[*own, "--cluster-require-full-coverage", "no", *SAFE]))
        self.stack = ExitStack()

    def __enter__(self):
        with ExitStack() as stack:
            for node in self.nodes:
                stack.enter_context(node)
            addresses = [f"127.0.0.1:{node.port}" for node in self.nodes]
            program = shutil.which("redis-cli")
            assert program, "redis-cli is missing: run scripts/install-tools test"
            create = [program, "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"]
            done = subprocess.run(create, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            until("the cluster does not come together", self.is_whole)
            for node in self.nodes:
                assert node.run("CONFIG", "SET", "cluster-node-timeout", str(DEAD_MS)) == "+OK"
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self.stack.__exit__(*error)

    def is_whole(self):
        """Whether each slot has a master, each master its replica, and all nodes know it."""
        return all(_serves(node) and is_joined(node) for node in self.nodes)

    def config(self):
        nodes = ", ".join(f'"127.0.0.1:{node.port}"' for node in self.nodes)
        return (
            f'mode = "cluster"\nnodes = [{nodes}]\npartitions = {self.partitions}\n'
            f"wait_replicas = {self.wait_replicas}"
        )

    def comes_back(self, node):
        """A dead node starts again, and follows whoever took over."""
        node.start()

    def asked(self):
        """A node that knows how things stand."""
        return next(node for node in self.nodes if node.process.poll() is None)

    def master_of(self, account_id):
        """The node that an account's records are written on, as those that live see it; `None` while there is none."""
        partition = zlib.crc32(account_id.encode()) % self.partitions
        asked = self.asked()
        slot = asked.ask("CLUSTER", "KEYSLOT", f"{PREFIX}:{{{PREFIX}:{partition}}}:head")
        for first, last, master, *_ in asked.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                node = next(node for node in self.nodes if node.port == master[1])
                return node if node.process.poll() is None else None
        return None


class Watched:
    """A master, two replicas and three Sentinels; leave its `with` block to end all of them."""

    # As many as the master has: whoever takes over has each write that was acknowledged.
    wait_replicas = 2

    def __init__(self, directory):
        homes = [directory / name for name in ("redis0", "redis1", "redis2")]
        for home in homes:
            home.mkdir(parents=True)
        first = Redis(homes[0], keeps=True, extra=SAFE)
        follows = [*SAFE, "--replicaof", "127.0.0.1", first.port]
        self.nodes = [first, *(Redis(home, keeps=True, extra=follows) for home in homes[1:])]
        self.sentinels = [Sentinel(directory / f"sentinel{number}", first.port) for number in range(SENTINELS)]
        self.stack = ExitStack()

    def __enter__(self):
        with ExitStack() as stack:
            for server in (*self.nodes, *self.sentinels):
                stack.enter_context(server)
            until("the Sentinels do not find each other", self.is_whole)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self.stack.__exit__(*error)

    def is_whole(self):
        """Whether all replicas follow and all Sentinels know of all."""
        for sentinel in self.sentinels:
            told = sentinel.ask("SENTINEL", "MASTERS")[0]
            told = dict(zip(told[::2], told[1::2]))
            if (told["num-slaves"], told["num-other-sentinels"]) != (str(len(self.nodes) - 1), str(SENTINELS - 1)):
                return False
        return all(is_joined(node, len(self.nodes) - 1) for node in self.nodes)

    def config(self):
        nodes = ", ".join(f'"127.0.0.1:{sentinel.port}"' for sentinel in self.sentinels)
        return (
            f'mode = "sentinel"\nmaster_name = "{NAME}"\nnodes = [{nodes}]\npartitions = 4\n'
            f"wait_replicas = {self.wait_replicas}"
        )

    def comes_back(self, node):
        """A dead server starts again as a replica of whoever took over, as an operator would let it: Sentinels alone see to
        that after ten seconds."""
        node.settings = [*node.settings, "--replicaof", "127.0.0.1", str(self.master_of("").port)]
        node.start()

    def master_of(self, _account_id):
        """The master that all Sentinels name, if it is alive."""
        named = {int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1]) for sentinel in self.sentinels}
        node = next((node for node in self.nodes if {node.port} == named), None)
        return node if node and node.process.poll() is None else None


class Sentinel(Redis):
    """One Sentinel, which looks after the master on a port."""

    def __init__(self, directory, master):
        super().__init__(directory)
        directory.mkdir(parents=True)
        self.file = directory / "sentinel.conf"
        self.file.write_text(
            f"bind 127.0.0.1\nport {self.port}\nsentinel monitor {NAME} 127.0.0.1 {master} 2\n"
            f"sentinel down-after-milliseconds {NAME} {DEAD_MS}\nsentinel failover-timeout {NAME} 3000\n",
            encoding="ascii",
        )

    def arguments(self):
        return [str(self.file), "--sentinel"]


def is_joined(node, replicas=1):
    """Whether a master has its replicas, or a replica its master."""
    role = node.ask("ROLE")
    return len(role[2]) >= replicas if role[0] == "master" else role[0] == "slave" and role[3] == "connected"


def _serves(node):
    cluster = node.ask("CLUSTER", "INFO")
    return "cluster_state:ok" in cluster and "cluster_slots_fail:0" in cluster
