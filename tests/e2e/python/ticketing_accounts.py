"""Accounts that are tied to ticketing systems: their server, their connections and links, and what the tests ask of them."""

import contextlib
import time

import grpc
import pytest

from client import Account, Caller
from server import Server
from stubs import pb
from ticketing_systems import CREDENTIALS, NAMES, System, config

VERIFIED, DRIFTED = pb.TICKETING_LINK_STATE_VERIFIED, pb.TICKETING_LINK_STATE_DRIFTED
BROKEN, UNVERIFIED = pb.TICKETING_LINK_STATE_BROKEN, pb.TICKETING_LINK_STATE_UNVERIFIED
RUNNING, DONE = pb.TicketingVerification.STATE_RUNNING, pb.TicketingVerification.STATE_DONE
# Seconds until a run must be done; generous for a busy machine.
DONE_S_MAX = 60


@contextlib.contextmanager
def serving(tmp_path, *more):
    """A server that may connect to this machine."""
    path = tmp_path / "waymark.toml"
    path.write_text(config(*more), encoding="utf-8")
    with Server(tmp_path / "data", geoip=False, extra=["--config", path]) as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("ticketing")) as server, grpc.insecure_channel(server.target) as channel:
        yield Caller(channel, server.admin_token)


@pytest.fixture
def acme(shared):
    return Account(shared)


@pytest.fixture
def other(shared):
    return Account(shared)


@pytest.fixture(params=NAMES)
def system(request):
    with System(request.param) as running:
        yield running


@pytest.fixture
def zendesk():
    with System("zendesk") as running:
        yield running


def connect(account, system, **fields):
    stated = {"system": system.name, "base_url": system.url, "credentials": CREDENTIALS[system.name]} | fields
    return account.caller().CreateTicketingConnection(
        parent=account.name, connection=pb.TicketingConnection(**stated)
    )


def link(system, organization, name="", site=""):
    system = system if isinstance(system, str) else system.name
    return pb.TicketingLink(
        system=system, organization_id=str(organization), organization_name=name, external_site_id=site
    )


def all_pages(call, items):
    """All items of a list, page by page, and how many pages there were."""
    found, token, pages = [], "", 0
    while True:
        page = call(page_token=token)
        found.extend(getattr(page, items))
        pages += 1
        token = page.next_page_token
        if not token:
            return found, pages
        assert pages < 50


def verified(account, site):
    """The site's links as a check leaves them, without failures."""
    answer = account.caller().VerifySiteTicketingLinks(site=site.name)
    assert not answer.failures, answer.failures
    return answer.site


def done(account, run):
    """A run, once it is over."""
    ends = time.monotonic() + DONE_S_MAX
    while True:
        found = account.caller().GetTicketingVerification(name=run.name)
        if found.state != RUNNING:
            return found
        assert time.monotonic() < ends, found
        time.sleep(0.02)
