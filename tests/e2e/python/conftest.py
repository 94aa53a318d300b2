"""What the tests share: one server with all data, the operator's caller, and a fresh account for each test."""

from pathlib import Path

import grpc
import pytest

from client import Account, Caller
from identity_provider import Provider
from mail_server import MailServer
from server import ASN_FILE, BINARY, BORDERS, GAZETTEER, GEOIP, Server

# The files that take longest, half a minute to three, where some run side by side: they begin first, so that none of them is
# left to run by itself at the end.
LONG_FILES = [
    "test_geoip.py",
    "test_slow_clients.py",
    "test_ticketing.py",
    "test_raw_addresses.py",
    "test_kill.py",
    "test_audit.py",
    "test_connections.py",
    "test_ticketing_again.py",
    "test_uplinks.py",
    "test_erased_fleet.py",
    "test_erased_locations.py",
    "test_fleet.py",
    "test_migrate.py",
    "test_reestimation.py",
    "test_replicas.py",
    "test_redis_account.py",
]


def pytest_collection_modifyitems(items):
    gone = [name for name in LONG_FILES if not Path(__file__).with_name(name).exists()]
    if gone:
        raise pytest.UsageError(f"LONG_FILES of conftest.py names files that are not there: {', '.join(gone)}")
    # Files stay whole, and so does the order within each.
    items.sort(key=lambda item: LONG_FILES.index(item.path.name) if item.path.name in LONG_FILES else len(LONG_FILES))


def pytest_sessionstart():
    missing = [str(path) for path in [BINARY, GAZETTEER, BORDERS, *GEOIP, ASN_FILE] if not path.exists()]
    if missing:
        pytest.exit(f"missing: {', '.join(missing)}; run `make test`, which makes them", returncode=2)


@pytest.fixture(scope="session")
def mail_server(tmp_path_factory):
    with MailServer(tmp_path_factory.mktemp("mail")) as running:
        yield running


@pytest.fixture(scope="session")
def identities():
    """The identity provider whose tokens the server takes."""
    return Provider()


@pytest.fixture(scope="session")
def server(tmp_path_factory, mail_server, identities):
    # Estimates follow a new address at once here; test_uplinks.py has servers that wait. All tests together take longer than a
    # connection lives, and a watch of one of them would end with it; test_connections.py has servers that end them.
    config = mail_server.config()
    text = f"{config.read_text(encoding='utf-8')}\n[listen]\nconnection_age_max_s = 0\n"
    text += identities.table_of_file(tmp_path_factory.mktemp("identity") / "keys.json")
    config.write_text(text, encoding="utf-8")
    extra = ["--move-after", "0", "--config", config]
    shared = Server(tmp_path_factory.mktemp("server") / "data", gazetteer=True, borders=True, extra=extra)
    try:
        shared.start()
    except AssertionError as fault:
        # Hundreds of tests would say the same.
        pytest.exit(f"the server does not start: {fault}", returncode=1)
    with shared:
        yield shared


@pytest.fixture(scope="session")
def channel(server):
    with grpc.insecure_channel(server.target) as open_channel:
        yield open_channel


@pytest.fixture(scope="session")
def operator(server, channel, mail_server):
    caller = Caller(channel, server.admin_token)
    # Whoever needs a resident invites one, and reads the link in the mail.
    caller.mail_server = mail_server
    return caller


@pytest.fixture
def account(operator):
    return Account(operator)


@pytest.fixture
def iceland(operator):
    return Account(operator, country="IS")
