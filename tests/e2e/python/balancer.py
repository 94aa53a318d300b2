"""Debian's nginx with deploy/nginx.conf itself: ports, addresses and the paths of what it writes are a test's."""

import re
import shutil
import ssl
import subprocess
import time
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

import grpc

from nginx import PLACES
from redis_server import lasting_port

CONFIG = Path(__file__).resolve().parents[3] / "deploy/nginx.conf"
# As compose.yaml gives them to the servers.
ADDRESSES = ["172.30.86.11:8642", "172.30.86.12:8642"]
TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
START_S_MAX = 20
CALL_S_MAX = 10


class Balancer:
    """Runs in front of servers on ports of loopback; leave its `with` block to end it."""

    def __init__(self, directory, ports):
        self.directory = directory
        directory.mkdir()
        self.port = lasting_port()
        self.certificate, key = directory / "certificate.pem", directory / "key.pem"
        subject = ["-subj", "/CN=waymark", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.certificate]
        subprocess.run([*make, *subject], check=True, capture_output=True)
        text = CONFIG.read_text(encoding="utf-8")
        text = _replaced(text, r"listen 443 ", f"listen 127.0.0.1:{self.port} ", 1)
        text = _replaced(text, r"/etc/nginx/tls/certificate\.pem", str(self.certificate), 1)
        text = _replaced(text, r"/etc/nginx/tls/key\.pem", str(key), 1)
        for address, port in zip(ADDRESSES, ports, strict=True):
            # Once as it is asked first, once for when nobody else is left.
            text = _replaced(text, rf"server {re.escape(address)} ", f"server 127.0.0.1:{port} ", 2)
        writes = "".join(f"  {name}_temp_path {directory}/{name};\n" for name in TEMPORARY)
        text = _replaced(text, r"(?m)^http \{\n", f"http {{\n{writes}", 1)
        self.config = directory / "nginx.conf"
        self.config.write_text(text, encoding="utf-8")
        self.process = None

    def __enter__(self):
        binary = next((found for place in PLACES if (found := shutil.which(place))), None)
        assert binary, "nginx is missing: `make test` installs it or says what to install"
        own = f"daemon off; pid {self.directory}/nginx.pid;"
        command = [binary, "-p", self.directory, "-c", self.config, "-e", self.directory / "error.log", "-g", own]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S_MAX
        while True:
            try:
                return self if self.fetch("/healthz")[0] else None
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, self.log()
                time.sleep(0.02)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(START_S_MAX)

    def channel(self):
        credentials = grpc.ssl_channel_credentials(self.certificate.read_bytes())
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 200)]
        return grpc.secure_channel(f"127.0.0.1:{self.port}", credentials, options)

    def fetch(self, path, token=None):
        """GET over TLS: status, headers by name in lower case, and body."""
        context = ssl.create_default_context(cafile=self.certificate)
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=CALL_S_MAX, context=context)
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except HTTPException as fault:
            raise OSError(f"{path}: {fault!r}") from fault
        finally:
            connection.close()

    def log(self):
        return (self.directory / "error.log").read_text(encoding="utf-8", errors="replace")


def _replaced(text, pattern, by, times):
    text, count = re.subn(pattern, by, text)
    assert count == times, f"{pattern} is {count} times in {CONFIG}, and not {times}"
    return text
