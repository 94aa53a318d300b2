"""Who an agent is when it comes through proxies: a live nginx, and headers of the PROXY protocol byte by byte.

The server trusts 127.0.0.2 alone, from where nginx connects. So 127.0.0.1, where the clients are, is a stranger's address.
"""

import http.client
import secrets
import socket
import struct

import grpc
import pytest

from client import Account, Caller
from nginx import ADDRESS, Nginx
from server import Server
from stubs import pb

PUBLIC = "8.8.8.8"
OTHER = "213.167.128.1"
TRUST = ["--trusted-proxy", f"{ADDRESS}/32"]
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

HTTP = """
  # Clients of these tests are on loopback, which has no place. So two servers say that theirs connected from elsewhere.
  map $http_x_forwarded_for $chain { "" PUBLIC; default "$http_x_forwarded_for, PUBLIC"; }
  upstream waymark { server TARGET; keepalive 4; }
  grpc_bind 127.0.0.2;
  # Adds who connected to what came.
  server {
    listen 127.0.0.1:@appends@ http2;
    location / { grpc_pass grpc://waymark; grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }
  }
  # Says it in the other header, and lets nobody else speak.
  server {
    listen 127.0.0.1:@states@ http2;
    location / {
      grpc_pass grpc://waymark;
      grpc_set_header Forwarded "for=$remote_addr;proto=http";
      grpc_set_header X-Forwarded-For "";
    }
  }
  server {
    listen 127.0.0.1:@appends_public@ http2;
    location / { grpc_pass grpc://waymark; grpc_set_header X-Forwarded-For $chain; }
  }
  server {
    listen 127.0.0.1:@states_public@ http2;
    location / {
      grpc_pass grpc://waymark;
      grpc_set_header Forwarded "for=PUBLIC;proto=http";
      grpc_set_header X-Forwarded-For "";
    }
  }
  # Finds the caller by its own rules, from the right past what it trusts.
  server {
    listen 127.0.0.1:@finds@ http2;
    set_real_ip_from 127.0.0.0/8;
    set_real_ip_from 192.0.2.0/24;
    real_ip_header X-Forwarded-For;
    real_ip_recursive on;
    location / { grpc_pass grpc://waymark; grpc_set_header X-Forwarded-For $remote_addr; }
  }
  # The same, and tells the chain on.
  server {
    listen 127.0.0.1:@finds_and_states@ http2;
    set_real_ip_from 127.0.0.0/8;
    set_real_ip_from 192.0.2.0/24;
    real_ip_header X-Forwarded-For;
    real_ip_recursive on;
    location / { grpc_pass grpc://waymark; grpc_set_header Forwarded "for=$remote_addr"; }
  }
"""


class Behind:
    """An account of a server, called through a port of nginx."""

    def __init__(self, server):
        self.server = server
        with_channel = grpc.insecure_channel(server.target)
        self.account = Account(Caller(with_channel, server.admin_token))
        self.enrollment = self.account.caller("ENROLLMENT").token

    def activate(self, port, forwarded_for=None, metadata=()):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            caller = Caller(channel, self.enrollment, forwarded_for)
            caller.metadata += metadata
            return caller.ActivateAgent(
                parent=self.account.name, agent_id=f"a-{secrets.token_hex(6)}", agent_key=secrets.token_bytes(32)
            )


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("proxies") / "data", trusted_proxy=False, extra=TRUST) as server:
        yield Behind(server)


@pytest.fixture(scope="module")
def ports(behind, tmp_path_factory):
    http_block = HTTP.replace("TARGET", behind.server.target).replace("PUBLIC", PUBLIC)
    with Nginx(tmp_path_factory.mktemp("nginx") / "run", http=http_block) as nginx:
        yield nginx.ports


def test_what_nginx_appends_is_believed_and_what_came_before_is_not(behind, ports):
    for claim in (None, OTHER, f"{OTHER}, {PUBLIC}", f"{OTHER}, {ADDRESS}", "garbage", f"garbage, {OTHER}"):
        assert behind.activate(ports["appends_public"], claim).public_ip == PUBLIC, claim
        answer = behind.activate(ports["appends"], claim)
        # The client itself is on loopback, which has no place.
        assert answer.public_ip == "" and answer.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_LOOPBACK, claim


def test_forwarded_of_nginx_is_believed_and_what_the_client_says_is_not(behind, ports):
    for claim in (None, OTHER):
        metadata = [("forwarded", f"for={claim}")] if claim else []
        assert behind.activate(ports["states_public"], claim, metadata).public_ip == PUBLIC, claim
        answer = behind.activate(ports["states"], claim, metadata)
        assert answer.public_ip == "" and answer.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_LOOPBACK, claim


@pytest.mark.parametrize(
    ("claim", "caller"),
    [
        (PUBLIC, PUBLIC),
        (f"{OTHER}, {PUBLIC}", PUBLIC),
        (f"{OTHER}, {PUBLIC}, 192.0.2.7", PUBLIC),
        (f"{OTHER}, {PUBLIC}, 192.0.2.7, 127.0.0.5", PUBLIC),
    ],
)
def test_real_ip_recursive_finds_the_same_caller_as_waymark_would(behind, ports, claim, caller):
    assert behind.activate(ports["finds"], claim).public_ip == caller


def test_two_headers_that_differ_are_believed_neither(behind, ports):
    # nginx hands the stranger's X-Forwarded-For on, and states what it found beside it: they agree only by chance.
    assert behind.activate(ports["finds_and_states"], PUBLIC).public_ip == PUBLIC
    answer = behind.activate(ports["finds_and_states"], f"{PUBLIC}, 192.0.2.7")
    assert answer.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_UNKNOWN_ADDRESS


def test_headers_of_who_is_no_proxy_are_ignored(behind):
    port = behind.server.target.split(":")[1]
    for metadata in ([], [("forwarded", f"for={PUBLIC}")]):
        answer = behind.activate(port, PUBLIC, metadata)
        assert answer.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_LOOPBACK


# The PROXY protocol.


@pytest.fixture(scope="module")
def required(tmp_path_factory):
    extra = [*TRUST, "--trusted-proxy", "127.0.0.3/32", "--proxy-protocol"]
    server = Server(tmp_path_factory.mktemp("required") / "data", trusted_proxy=False, extra=extra)
    with server:
        yield server


@pytest.fixture(scope="module")
def token(required):
    """An account's enrolment token, made behind headers too: nobody else is let in."""
    answer = web(required, first(PUBLIC), "AdminService/CreateAccount", required.admin_token, pb.CreateAccountRequest(
        account_id="proxied", account=pb.Account(display_name="behind a proxy")
    ), pb.Account)
    assert answer.name == "accounts/proxied"
    wanted = pb.CreateTokenRequest(parent=answer.name, token=pb.Token(scope=pb.TOKEN_SCOPE_ENROLLMENT))
    made = web(required, first(PUBLIC), "AdminService/CreateToken", required.admin_token, wanted, pb.CreateTokenResponse)
    return made.secret


def first(source, port=56789):
    """A header of version 1."""
    family = "TCP6" if ":" in source else "TCP4"
    here = "2001:db8::1" if ":" in source else "10.0.0.1"
    return f"PROXY {family} {source} {here} {port} 443\r\n".encode("ascii")


def second(source, command=1, extra=b""):
    """A header of version 2."""
    is_6 = ":" in source
    family = socket.AF_INET6 if is_6 else socket.AF_INET
    here = "2001:db8::1" if is_6 else "10.0.0.1"
    addresses = socket.inet_pton(family, source) + socket.inet_pton(family, here) + struct.pack("!HH", 56789, 443)
    head = bytes([0x20 | command, 0x21 if is_6 else 0x11])
    return SIGNATURE + head + struct.pack("!H", len(addresses) + len(extra)) + addresses + extra


def connect(server, header, source=ADDRESS):
    host, port = server.target.split(":")
    stream = socket.create_connection((host, int(port)), timeout=20, source_address=(source, 0))
    stream.sendall(header)
    return stream


def web(server, header, method, token, message, kind, source=ADDRESS, port=None):
    """One call of gRPC-Web over a connection that begins with a header."""
    connection = http.client.HTTPConnection("proxied")
    connection.sock = connect(server, header, source) if port is None else port_of(port, header)
    try:
        body = message.SerializeToString()
        headers = {"content-type": "application/grpc-web+proto", "authorization": f"Bearer {token}"}
        connection.request("POST", f"/waymark.v1.{method}", struct.pack("!BI", 0, len(body)) + body, headers)
        answer = connection.getresponse().read()
        flag, length = struct.unpack("!BI", answer[:5])
        assert flag == 0, answer
        return kind.FromString(answer[5 : 5 + length])
    finally:
        connection.close()


def port_of(port, header):
    stream = socket.create_connection(("127.0.0.1", port), timeout=20)
    stream.sendall(header)
    return stream


def activate(server, token, header, **how):
    request = pb.ActivateAgentRequest(
        parent="accounts/proxied", agent_id=f"a-{secrets.token_hex(6)}", agent_key=secrets.token_bytes(32)
    )
    return web(server, header, "ActivationService/ActivateAgent", token, request, pb.ActivateAgentResponse, **how)


def test_headers_of_both_versions_name_the_caller(required, token):
    for header in (first(PUBLIC), second(PUBLIC), second(PUBLIC, extra=b"\x04\x00\x03abc")):
        assert activate(required, token, header).public_ip == PUBLIC, header
    for header in (first("2001:4860:4860::8888"), second("2001:4860:4860::8888")):
        assert activate(required, token, header).public_ip == "2001:4860:4860::8888", header


def test_a_proxy_that_speaks_for_itself_is_itself(required, token):
    for header in (b"PROXY UNKNOWN\r\n", second(PUBLIC, command=0)):
        answer = activate(required, token, header)
        assert answer.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_LOOPBACK, header


@pytest.mark.parametrize(
    "header",
    [
        b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXY TCP4 8.8.8.8\r\n",
        b"PROXY TCP4 08.8.8.8 10.0.0.1 1 2\r\n",
        b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
        SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\xff\xff" + bytes(100),
        SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
        # Those that fall silent in the midst of it.
        b"PROXY TCP4 8.8.8.8",
        SIGNATURE + b"\x21\x11\x00\x0c" + bytes(4),
    ],
    ids=lambda header: repr(header[:16]),
)
def test_a_connection_without_a_good_header_is_closed(required, token, header):
    with connect(required, header) as stream:
        assert closed(stream)
    assert activate(required, token, first(PUBLIC)).public_ip == PUBLIC, "the next one is served"


def test_a_header_of_a_stranger_closes_the_connection(required):
    for header in (first(PUBLIC), second(PUBLIC)):
        with connect(required, header, source="127.0.0.1") as stream:
            assert closed(stream)


def closed(stream):
    try:
        return stream.recv(1) == b""
    except ConnectionResetError:
        return True


def test_no_header_is_looked_for_where_none_is_required(behind):
    for header in (first(PUBLIC), second(PUBLIC)):
        with connect(behind.server, header + b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n") as stream:
            try:
                answer = stream.recv(64)
            except ConnectionResetError:
                answer = b""
            assert not answer.startswith(b"HTTP/1.1 200"), answer


def test_nginx_speaks_the_proxy_protocol(required, token, tmp_path):
    stream = f"""
  server {{
    listen 127.0.0.1:@plain@;
    proxy_bind {ADDRESS};
    proxy_pass {required.target};
    proxy_protocol on;
  }}
  server {{
    listen 127.0.0.1:@chained@ proxy_protocol;
    set_real_ip_from 127.0.0.0/8;
    proxy_bind {ADDRESS};
    proxy_pass {required.target};
    proxy_protocol on;
  }}
"""
    with Nginx(tmp_path / "nginx", stream=stream) as nginx:
        direct = activate(required, token, b"", port=nginx.ports["plain"])
        assert direct.location.no_estimate_reason == pb.NO_ESTIMATE_REASON_LOOPBACK, "the client of nginx is on loopback"
        chained = activate(required, token, first(PUBLIC), port=nginx.ports["chained"])
        assert chained.public_ip == PUBLIC
        with grpc.insecure_channel(f"127.0.0.1:{nginx.ports['plain']}") as channel:
            assert Caller(channel, token).WhoAmI().account == "accounts/proxied"
