"""A TCP proxy on loopback that hands everything on, and cuts the connection when a marked answer comes: it is lost on its way."""

import socket
import threading


class Cutting:
    """Hands connections on to `target`. The first `times` answers that hold `marker` never arrive; leave its `with` block to
    end it."""

    def __init__(self, target, marker, times=1):
        host, port = target.rsplit(":", 1)
        self.to, self.marker = (host, int(port)), marker
        self.left, self.cuts = times, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock = threading.Lock()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        # Wakes whoever waits in accept, which closing alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.to)
            threading.Thread(target=self._hand_on, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._hand_on, args=(server, client, self.marker), daemon=True).start()

    def _hand_on(self, source, sink, marker):
        """Until one side ends, or what comes is to be lost."""
        seen = b""
        try:
            while chunk := source.recv(65536):
                # The marker may come in two pieces.
                seen = seen[-len(marker or b"") :] + chunk
                if marker and marker in seen and self._cuts():
                    break
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _cuts(self):
        with self.lock:
            if self.left == 0:
                return False
            self.left, self.cuts = self.left - 1, self.cuts + 1
            return True
