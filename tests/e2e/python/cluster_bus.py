"""A Redis Cluster of which a node can be cut off from all others, and stays within reach of everybody else: as where a network splits."""

import socket
import threading
from contextlib import ExitStack

from client import until
from redis_fleets import Cluster
from redis_server import lasting_port

# A message of the bus begins with these, and its sender's id stands behind what the specification of the cluster puts there.
SIGNATURE, SENDER_AT, ID_BYTES = b"RCmb", 40, 40


class Bus:
    """The way of all other nodes to one node's bus; leave its `with` block to end it. `is_cut` tells by the sender's id whether a
    connection may be."""

    def __init__(self, port, is_cut):
        self.to, self.is_cut = ("127.0.0.1", port), is_cut
        self.port, self.lock, self.open, self.refused = lasting_port(), threading.Lock(), {}, 0
        self.listener = None

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        # Wakes whoever waits in accept, which closing alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.end(lambda _: True)

    def end(self, is_ended):
        """Ends the connections of some senders."""
        with self.lock:
            ended = [ends for ends, sender in self.open.items() if is_ended(sender)]
        for ends in ended:
            _shut(ends)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._begin, args=(client,), daemon=True).start()

    def _begin(self, client):
        try:
            first = _exactly(client, SENDER_AT + ID_BYTES)
            sender = first[SENDER_AT:].decode("ascii")
            server = socket.create_connection(self.to)
            server.sendall(first)
        except OSError:
            client.close()
            return
        with self.lock:
            self.open[client, server] = sender
        # After it is noted: who cuts meanwhile ends it, or is asked here.
        if self.is_cut(sender):
            self.refused += 1
            _shut((client, server))
        threading.Thread(target=self._hand_on, args=(client, server), daemon=True).start()
        self._hand_on(server, client)
        with self.lock:
            self.open.pop((client, server), None)

    @staticmethod
    def _hand_on(source, sink):
        try:
            while chunk := source.recv(65536):
                sink.sendall(chunk)
        except OSError:
            pass
        _shut((source, sink))


class Splitting(Cluster):
    """A cluster whose nodes reach each other's buses over ways that can be cut."""

    def __init__(self, directory):
        super().__init__(directory)
        self.ids, self.alone = {}, None
        self.buses = []
        for node in self.nodes:
            own = int(node.settings[node.settings.index("--cluster-port") + 1])
            bus = Bus(own, lambda sender, node=node: self.is_cut(sender, node))
            self.buses.append(bus)
            node.settings += ["--cluster-announce-bus-port", str(bus.port)]

    def __enter__(self):
        with ExitStack() as stack:
            for bus in self.buses:
                stack.enter_context(bus)
            super().__enter__()
            self.stack.push(stack.pop_all())
        self.ids = {node.ask("CLUSTER", "MYID"): node for node in self.nodes}
        return self

    def is_cut(self, sender, node):
        """Whether nothing of a sender's comes to a node, nor back."""
        return self.alone is not None and self.alone in (self.ids.get(sender), node)

    def isolate(self, node):
        """Nothing goes between a node and any other one: neither the bus, nor what its replicas read from it."""
        self.alone = node
        for bus, of in zip(self.buses, self.nodes):
            bus.end(lambda sender, of=of: self.is_cut(sender, of))
        assert node.run("ACL", "SETUSER", "default", "-sync", "-psync", "-replconf") == "+OK"
        node.ask("CLIENT", "KILL", "TYPE", "replica")
        until("a replica reads on", lambda: not node.ask("ROLE")[2])

    def heal(self):
        assert sum(bus.refused for bus in self.buses) > 0, "nobody tried to reach it"
        assert self.alone.run("ACL", "SETUSER", "default", "+sync", "+psync", "+replconf") == "+OK"
        self.alone = None

    def asked(self):
        """A node that knows how things stand on the side of most."""
        return next(node for node in self.nodes if node is not self.alone and node.process.poll() is None)


def _exactly(source, count):
    content = b""
    while len(content) < count:
        chunk = source.recv(count - len(content))
        if not chunk:
            raise OSError("it ended before it said who it is")
        content += chunk
    if not content.startswith(SIGNATURE):
        raise OSError(f"no message of the bus: {content[:4]}")
    return content


def _shut(ends):
    for end in ends:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
