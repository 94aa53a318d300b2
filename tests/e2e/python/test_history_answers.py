"""Answers of geocoders whose terms end: what the history says of one that is renewed, and of one that is dropped."""

import grpc
import pytest

from client import Account, Caller, until
from clock import faketime, set_clock
from nominatim import Nominatim
from server import Server
from stubs import pb
from test_history import actor_of, cause, changes_of, check_chain, edits_of, last


@pytest.mark.skipif(not faketime(), reason="libfaketime is missing")
def test_an_answer_is_renewed_and_then_dropped(tmp_path, monkeypatch):
    path = tmp_path / "waymark.toml"
    with Nominatim() as geocoder:
        geocoder.doors["laugavegur"] = [(1, 64.1463, -21.9340)]
        path.write_text(geocoder.config() + "store_days = 1\n", encoding="utf-8")
        with Server(tmp_path / "data", geoip=False, extra=["--config", path]) as server:
            with grpc.insecure_channel(server.target) as channel:
                account = Account(Caller(channel, server.admin_token))
                site = account.create_site().name
                account.caller().SetAddress(site=site, address_line="Laugavegur 1, Town 1")
                token = account.caller().token
                assert [cause(one) for one in changes_of(account.caller(), site)] == ["ADDRESS_STATED", "CREATED"]
            server.stop()

            # The door is some metres off now, and the answer is asked for again in the last quarter of its time. Of an answer
            # that ends no history keeps the position: there is nothing that an entry could tell.
            geocoder.doors["laugavegur"] = [(1, 64.1464, -21.9340)]
            set_clock(monkeypatch, "+20h")
            server.start()
            with grpc.insecure_channel(server.target) as channel:
                caller = Caller(channel, token)
                renewed = lambda: caller.GetSite(name=site).location.position == pb.LatLng(lat=64.1464, lng=-21.9340)
                until("it is not renewed", renewed)
                assert [cause(one) for one in changes_of(caller, site)] == ["ADDRESS_STATED", "CREATED"]
            server.stop()

            # The place is elsewhere: a person has to choose, and the history says so.
            geocoder.doors["laugavegur"] = [(1, 64.1564, -21.9340)]
            set_clock(monkeypatch, "+40h")
            server.start()
            with grpc.insecure_channel(server.target) as channel:
                caller = Caller(channel, token)
                until("nobody is asked", lambda: cause(last(caller, site)) == "ADDRESS_RENEWED")
                moved = last(caller, site)
                assert actor_of(moved) is None and list(edits_of(moved)) == ["location.address"]
                edit = moved.edits[0]
                states = (edit.old_value.address.state, edit.new_value.address.state)
                assert states == (pb.ADDRESS_STATE_APPLIED, pb.ADDRESS_STATE_AMBIGUOUS)
                assert caller.GetSite(name=site).location.position == pb.LatLng(lat=64.1464, lng=-21.9340)
            server.stop()

            geocoder.status = 500
            set_clock(monkeypatch, "+6d")
            server.start()
            with grpc.insecure_channel(server.target) as channel:
                caller = Caller(channel, token)
                until("it is not dropped", lambda: cause(last(caller, site)) == "ADDRESS_EXPIRED")
                dropped = last(caller, site)
                edits = edits_of(dropped)
                assert actor_of(dropped) is None
                assert set(edits) == {"location.fixes.address", "location.source", "location.address"}
                assert not edits["location.fixes.address"].HasField("new_value")
                assert edits["location.address"].new_value.address.state == pb.ADDRESS_STATE_EXPIRED
                assert not caller.GetSite(name=site).location.HasField("position")
                causes = [cause(one) for one in check_chain(caller, site)]
                assert causes == ["ADDRESS_EXPIRED", "ADDRESS_RENEWED", "ADDRESS_STATED", "CREATED"]
