"""kill -9 while many people write: every answered change has its entry, and every entry its change."""

import threading

import grpc

from client import Account, Caller, mask
from server import Server
from stubs import pb
from test_history import actor_of, cause, changes_of, check_chain

WRITERS = 8
ANSWERED_MIN = 200


def test_histories_are_whole_after_kill_9(tmp_path):
    server = Server(tmp_path / "data")
    with server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token), "crash")
            editor = account.caller("EDITOR")
            sites = [account.create_site(note="0").name for _ in range(WRITERS)]
            activated = account.activate("fw-1", ip="8.8.8.8").site
            editor.SetPin(site=activated, position=pb.LatLng(lat=10.5, lng=10.5))
            told = changes_of(editor, activated)
            answered = write_until_killed(server, editor, sites)
        server.start()
        with grpc.insecure_channel(server.target) as channel:
            editor = Caller(channel, editor.token)
            assert changes_of(editor, activated) == told, "a restart loses nothing"
            for site, last in zip(sites, answered):
                note = editor.GetSite(name=site).note
                assert int(note) in (last, last + 1), "what was answered is kept, and nothing half of what was not"
                changes = check_chain(editor, site)
                assert len(changes) == int(note) + 1, "one entry a change, and one for the making"
                assert changes[0].edits[0].new_value.text == note
            # A clean end and another start.
            name = sites[0]
            editor.UpdateSite(site=pb.Site(name=name, note="end"), update_mask=mask("note"))
            before = changes_of(editor, name)
        assert server.stop() == 0
        server.start()
        with grpc.insecure_channel(server.target) as channel:
            editor = Caller(channel, editor.token)
            assert changes_of(editor, name) == before
            assert (cause(before[0]), actor_of(before[0])) == ("UPDATED", editor.WhoAmI().token)


def write_until_killed(server, editor, sites):
    """Each writer counts in its site's note; gives the last number that was answered, for each site."""
    answered, enough = [0] * len(sites), threading.Event()

    def count(index):
        while True:
            site = pb.Site(name=sites[index], note=str(answered[index] + 1))
            try:
                editor.UpdateSite(site=site, update_mask=mask("note"))
            except grpc.RpcError:
                return
            answered[index] += 1
            if sum(answered) >= ANSWERED_MIN:
                enough.set()

    writers = [threading.Thread(target=count, args=(index,)) for index in range(len(sites))]
    for writer in writers:
        writer.start()
    assert enough.wait(60), "too little traffic for a test"
    server.kill()
    for writer in writers:
        writer.join()
    assert sum(answered) >= ANSWERED_MIN
    return answered
