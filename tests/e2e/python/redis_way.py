"""The way from a server to its Redis: a TCP proxy on loopback that hands everything on, is cut, is slow, or loses answers."""

import socket
import threading
import time

OPEN, CUT, LOSES_ANSWERS = "open", "cut", "loses answers"


class Way:
    """To the Redis on a port; leave its `with` block to end it. Connections that are cut end for both sides."""

    def __init__(self, port):
        self.to = ("127.0.0.1", port)
        self.state, self.lost = OPEN, 0
        # Bytes of answers that each connection hands on in a second; 0 for as many as come. And how many were slowed down.
        self.bytes_per_s, self.slowed = 0, 0
        # What a request holds from which on answers are lost.
        self.markers = ()
        self.lock = threading.Lock()
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        # Wakes whoever waits in accept, which closing alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.set(CUT)

    def lose_after(self, *markers):
        """From the request on that holds all of these no answer arrives, of whatever connection."""
        with self.lock:
            self.markers = markers

    def slow(self, bytes_per_s):
        """From now on answers take their time."""
        with self.lock:
            self.bytes_per_s = bytes_per_s

    def set(self, state):
        """From now on; a way that is cut ends what goes over it."""
        with self.lock:
            self.state, self.markers, self.bytes_per_s = state, (), 0
            ended = list(self.open) if state == CUT else []
        for end in ended:
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
                self.open |= {client, server}
                is_cut = self.state == CUT
            if is_cut:
                _shut(client)
            for source, sink, is_answer in [(client, server, False), (server, client, True)]:
                threading.Thread(target=self._hand_on, args=(source, sink, is_answer), daemon=True).start()

    def _hand_on(self, source, sink, is_answer):
        """Until one side ends, or an answer is to be lost."""
        try:
            while chunk := source.recv(65536):
                with self.lock:
                    if not is_answer and self.markers and all(marker in chunk for marker in self.markers):
                        self.state = LOSES_ANSWERS
                    loses = is_answer and self.state == LOSES_ANSWERS
                    self.lost += loses
                    takes_s = len(chunk) / self.bytes_per_s if is_answer and self.bytes_per_s else 0
                    self.slowed += len(chunk) if takes_s else 0
                if loses:
                    break
                time.sleep(takes_s)
                sink.sendall(chunk)
        except OSError:
            pass
        with self.lock:
            self.open -= {source, sink}
        for end in (source, sink):
            _shut(end)


def _shut(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
