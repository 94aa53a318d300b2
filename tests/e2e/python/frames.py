"""HTTP/2 by hand: frames as they are on the wire, for what no client library sends."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
# Flags. ACK is that of SETTINGS and PING.
ACK = END_STREAM = 1
END_HEADERS = 4
# Settings.
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
# Errors.
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11
HEAD_BYTES = 9
# Seconds that a peer may take for anything: one that takes longer has stopped.
PEER_S_MAX = 30


def frame(kind, flags=0, stream=0, payload=b""):
    """A frame."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def settings(pairs=()):
    """SETTINGS with these pairs."""
    return frame(SETTINGS, payload=b"".join(struct.pack("!HI", *pair) for pair in pairs))


def reset(stream, code=CANCEL):
    """RST_STREAM."""
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


def window(stream, bytes_more):
    """WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", bytes_more))


def integer(number, bits, first=0):
    """A number of HPACK that has so many bits of its first byte (RFC 7541, 5.1)."""
    limit = (1 << bits) - 1
    if number < limit:
        return bytes([first | number])
    out, number = [first | limit], number - limit
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def text(value):
    """A text of HPACK, without Huffman's code."""
    return integer(len(value), 7) + value


def field(name, value, first=0):
    """A header field with its name written out: not kept (0), or kept in the peer's table (0x40)."""
    return bytes([first]) + text(name.encode("latin-1")) + text(value.encode("latin-1"))


def fields(pairs):
    """A block of header fields."""
    return b"".join(field(name, value) for name, value in pairs)


def call_fields(path, token=None, more=()):
    """The fields of a gRPC call."""
    pairs = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost")]
    pairs += [("content-type", "application/grpc"), ("te", "trailers")]
    pairs += [("authorization", f"Bearer {token}")] if token else []
    return fields([*pairs, *more])


def message(content, flag=0):
    """A message of gRPC before it is cut into frames."""
    return struct.pack("!BI", flag, len(content)) + content


def connect(target, source=None, receive_bytes=None, timeout=PEER_S_MAX):
    """A connection. `source` is the address it comes from, `receive_bytes` the room for what comes in."""
    host, port = target.rsplit(":", 1)
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.settimeout(timeout)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if receive_bytes:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    if source:
        opened.bind((source, 0))
    opened.connect((host, int(port)))
    return opened


class Connection:
    """A connection that spoke HTTP/2's beginning. What comes is read when it is asked for, and never before."""

    def __init__(self, target, pairs=(), **how):
        self.socket = connect(target, **how)
        self.buffer = b""
        self.is_closed = False
        self.send(PREFACE + settings(pairs))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, content):
        """Sends; whether the peer took it. One that takes nothing for long has not closed the connection."""
        try:
            self.socket.sendall(content)
        except TimeoutError:
            return False
        except OSError:
            self.is_closed = True
        return not self.is_closed

    def frames(self):
        """What comes, as (kind, flags, stream, payload), until the peer closes the connection or falls silent."""
        while True:
            head = self._take(HEAD_BYTES)
            payload = self._take(int.from_bytes(head[:3], "big")) if head is not None else None
            if payload is None:
                return
            yield head[3], head[4], struct.unpack("!I", head[5:9])[0] & 0x7FFFFFFF, payload

    def until(self, wanted):
        """All frames up to the first one that is wanted, or to the end."""
        seen = []
        for found in self.frames():
            seen.append(found)
            if wanted(*found):
                break
        return seen

    def ping(self, mark=b"attacked"):
        """Whether the peer answers; all that came before."""
        self.send(frame(PING, 0, 0, mark))
        seen = self.until(lambda kind, flags, _, payload: kind == GOAWAY or (kind == PING and flags & ACK and payload == mark))
        return bool(seen) and seen[-1][0] == PING, seen

    def _take(self, length):
        while len(self.buffer) < length:
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                return None
            except OSError:
                more = b""
            if not more:
                self.is_closed = True
                return None
            self.buffer += more
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken
