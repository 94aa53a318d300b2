"""A server on loopback that stands for a provider: what it answers is for those who derive from it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    """What was asked: the path with its query, the headers, and the body as it came."""

    path: str
    headers: dict
    body: bytes


class HttpStub:
    """A running stub; leave its `with` block to end it."""

    def __init__(self):
        stub = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one request."""

            protocol_version = "HTTP/1.1"

            def do_GET(self):
                sent = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, headers, value = stub.answer(Request(self.path, self.headers, sent))
                body = json.dumps(value).encode()
                self.send_response(status)
                for name, value in ({"content-type": "application/json; charset=utf-8"} | headers).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_):
                """Says nothing: pytest shows what failed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A connection that a client keeps open does not keep the stub from ending.
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, request):
        """The status, headers and value to answer to a request."""
        raise NotImplementedError
