"""A live nginx of Debian's packages in front of a server: on free ports of loopback, in a directory of its own."""

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

# Where Debian puts the binary, which is on nobody's path but root's.
PLACES = ["nginx", "/usr/sbin/nginx"]
STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
START_S_MAX = 20
# The address that nginx connects from: the one proxy that the server trusts, unlike 127.0.0.1, which is a stranger.
ADDRESS = "127.0.0.2"

CONFIG = """
{load}
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
events {{}}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
{http}
}}
stream {{
{stream}
}}
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Nginx:
    """Runs with `http` and `stream` blocks, in which a free port stands for each `@name@`."""

    def __init__(self, directory, http="", stream=""):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        self.ports = {name: free_port() for name in re.findall(r"@(\w+)@", http + stream)}
        load = f"load_module {STREAM_MODULE};" if STREAM_MODULE.exists() else ""
        parts = {"http": self._with_ports(http), "stream": self._with_ports(stream)}
        self.config = self.directory / "nginx.conf"
        self.config.write_text(CONFIG.format(load=load, directory=self.directory, **parts), encoding="utf-8")
        self.process = None

    def __enter__(self):
        binary = next((found for place in PLACES if (found := shutil.which(place))), None)
        assert binary, "nginx is missing: `make test` installs it or says what to install"
        command = [binary, "-p", self.directory, "-c", self.config, "-e", self.directory / "error.log"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S_MAX
        for port in self.ports.values():
            while not _answers(port):
                assert self.process.poll() is None and time.monotonic() < deadline, self.log()
                time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(START_S_MAX)

    def _with_ports(self, text):
        return re.sub(r"@(\w+)@", lambda name: str(self.ports[name[1]]), text)

    def log(self):
        return (self.directory / "error.log").read_text(encoding="utf-8", errors="replace")


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False
