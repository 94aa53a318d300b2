"""A server on loopback that stands for a provider: what it answers is for those who derive from it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HttpStub:
    """A running stub; leave its `with` block to end it."""

    def __init__(self):
        stub = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one request."""

            def do_GET(self):
                status, headers, value = stub.answer(self.path)
                body = json.dumps(value).encode()
                self.send_response(status)
                for name, value in ({"content-type": "application/json; charset=utf-8"} | headers).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Says nothing: pytest shows what failed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, path):
        """The status, headers and value to answer to a path and its query."""
        raise NotImplementedError
