"""A TCP proxy on loopback that hands everything on, and cuts connections: when a marked answer comes, which is lost on its way, or
when it is told to."""

import socket
import threading


class Cutting:
    """Hands connections on to `target`. The first `times` answers that hold `marker` never arrive; without a marker all do. While
    nobody listens there, connections end at once. Leave its `with` block to end it."""

    def __init__(self, target, marker=None, times=1):
        host, port = target.rsplit(":", 1)
        self.to, self.marker = (host, int(port)), marker
        self.left, self.cuts = times, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.opened = set()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        # Wakes whoever waits in accept, which closing alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def cut(self):
        """Cuts all connections there are; new ones are handed on."""
        with self.lock:
            opened = list(self.opened)
        for end in opened:
            _shut(end)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.to)
            except OSError:
                client.close()
                continue
            with self.lock:
                self.opened |= {client, server}
            threading.Thread(target=self._hand_on, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._hand_on, args=(server, client, self.marker), daemon=True).start()

    def _hand_on(self, source, sink, marker):
        """Until one side ends, or what comes is to be lost."""
        seen = b""
        try:
            while chunk := source.recv(65536):
                if marker:
                    # It may come in two pieces.
                    seen = seen[-len(marker) :] + chunk
                    if marker in seen and self._cuts():
                        break
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            _shut(end)
        with self.lock:
            self.opened -= {source, sink}

    def _cuts(self):
        with self.lock:
            if self.left == 0:
                return False
            self.left, self.cuts = self.left - 1, self.cuts + 1
            return True


def _shut(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It has ended by itself.
        pass
