"""Contacts and notes that a token masks: seen in no answer and no stream, found by no search, and guessed by no filter."""

import secrets

import grpc
import pytest

from client import Account, Caller, Failure, failure_of, fetch, mask
from rules import RULES, World, request_for
from stubs import methods, pb

EMAIL, FIRST, LAST, PHONE = "anna-kanarie@example.org", "Annakanarie", "Kanarieson", "+3545512347"
# Notes name people, too.
NOTE = f"Kellerschluessel bei {FIRST}, Codewort Papageitaucher"
FORMER_NOTE = "Codewort Lundaveisla"
# Parts of a person, and words of a note, that somebody could know or guess, and as many that are nowhere.
GUESSES = {
    EMAIL: "otto-kanarie@example.org",
    "anna-kanarie": "otto-kanarie",
    FIRST: "Ottokanarie",
    LAST: "Kanariesdottir",
    PHONE: "+3545512348",
    "5512347": "5512348",
    "2347": "2348",
    "kellerschluessel": "dachschluessel",
    "papageitaucher": "papageitauchet",
}
TEXTS = (EMAIL, "papageitaucher", "nobody", "*", "a")
# Fields that filters name, with what is guessed of them.
FIELDS = {
    "contact.email": TEXTS,
    "contact.first_name": TEXTS,
    "contact.last_name": TEXTS,
    "contact.phones": (PHONE, "551 23-47", "99", "*", "1"),
    "note": TEXTS,
}
# Methods whose good request finds no site.
ANSWERS_NONE = {"ListClusterSites"}
# Fields of requests in which callers say what is looked for.
ASKING = ("filter", "query")


def asking():
    """The methods that somebody could try guesses on, with the field that takes them."""
    for _, method in methods():
        for field in method.input_type.fields:
            if field.name in ASKING:
                yield method.name, field.name


def peopled(server, operator):
    """A world whose site has a contact and a note, now and before, and beside it a like one."""
    world = World(Account(operator))
    world.target = server.target
    contact = pb.Contact(email=EMAIL, first_name=FIRST, last_name=LAST, phones=[pb.Phone(number=PHONE)])
    # The one before is longer than histories show at once.
    before = (pb.Contact(email=f"former-{EMAIL}", first_name=FIRST), f"{FORMER_NOTE} " * 300)
    for stated, note in (before, (contact, NOTE)):
        site = pb.Site(name=world.site, contact=stated, note=note)
        world.account.caller().UpdateSite(site=site, update_mask=mask("contact", "note"))
    twin = world.account.create_site("the twin", contact=contact, note=NOTE).name
    world.account.caller().SetPin(site=twin, position=pb.LatLng(lat=10.5, lng=10.5))
    return world


@pytest.fixture(scope="module")
def world(server, operator):
    return peopled(server, operator)


def masked(world, scope=pb.TOKEN_SCOPE_ADMIN):
    """A caller whose token masks contacts."""
    token = pb.Token(scope=scope, contacts=pb.CONTACT_ACCESS_MASKED)
    made = world.account.operator.CreateToken(parent=world.account.name, token=token)
    return Caller(world.account.operator.channel, made.secret)


def outcome(caller, method, request, target=None):
    """What a call answers, as text; of a signed address what it leads to."""
    try:
        answer = caller.call(method, request)
        if method == "SignTileUrl" and target:
            path = answer.tile_path
            for place in ("{z}", "{x}", "{y}"):
                path = path.replace(place, "0")
            status, _, body = fetch(target, path)
            assert status == 200, path
            return str(body)
    except grpc.RpcError as error:
        failure = Failure(error)
        return f"{failure.code} {failure.message} {failure.details}"
    return str(answer)


def ask(caller, world, method, field, text):
    """The outcome of asking for a text, where all of the world is looked at."""
    request = request_for(method, world)
    if hasattr(request, "viewport"):
        request.viewport.CopyFrom(pb.BoundingBox(low=pb.LatLng(lat=-85, lng=-180), high=pb.LatLng(lat=85, lng=180)))
        if hasattr(request, "zoom"):
            request.zoom = 2
    setattr(request, field, text)
    return outcome(caller, method, request, world.target)


def test_no_answer_shows_what_is_masked(server, operator):
    """Every method that reads or writes, by a token that may do all but see contacts and notes."""
    world = peopled(server, operator)
    caller, reader = masked(world), world.account.caller()
    shown = 0
    for _, method in methods():
        request = lambda method=method: request_for(method.name, world, validate=True)
        if "ADMIN" not in RULES[method.name].scopes or method.name.startswith(("Delete", "Erase", "Revoke")):
            continue
        told = outcome(caller, method.name, request())
        for text in (EMAIL, FIRST, LAST, PHONE, "Papageitaucher", FORMER_NOTE, world.resident_email):
            assert text not in told, f"{method.name} shows {text}"
        shown += "•••" in told
    assert shown >= 8, shown
    for method in ("GetSite", "ListSites", "ListSiteChanges", "ListViewportSites", "WatchSites"):
        request = request_for(method, world)
        told = outcome(reader, method, request)
        assert EMAIL in told and "Papageitaucher" in told or method == "ListViewportSites", method
    change = world.account.caller().ListSiteChanges(parent=world.site, field="note").changes[0]
    whole, told = (str(one.GetSiteChange(name=change.name)) for one in (reader, caller))
    assert FORMER_NOTE in whole and NOTE in whole and FORMER_NOTE not in told and NOTE not in told


def test_a_watch_masks_what_it_tells_of_later(world):
    caller, name = masked(world, pb.TOKEN_SCOPE_VIEWER), world.account.name
    stream = caller.begin("WatchSites", pb.WatchSitesRequest(parent=name))
    told = [next(stream)]
    while told[-1].mark != pb.WATCH_MARK_CURRENT:
        told.append(next(stream))
    revision = told[-1].revision
    other = f"later-{secrets.token_hex(4)}-{EMAIL}"
    contact = pb.Contact(email=other, phones=[pb.Phone(number=PHONE)])
    site = world.account.create_site(contact=contact, note=NOTE).name
    changed = pb.Site(name=site, contact=pb.Contact(email=f"x-{other}"), note=FORMER_NOTE)
    world.account.caller().UpdateSite(site=changed, update_mask=mask("contact", "note"))
    resumed = caller.begin("WatchSites", pb.WatchSitesRequest(parent=name, resume_revision=revision))
    for one in (stream, resumed):
        seen = []
        while not (seen and "•••" in str(seen) and site in str(seen)):
            seen.append(next(one))
        told += seen
        one.cancel()
    assert site in str(told)
    for text in (EMAIL, other, PHONE, FIRST, LAST, NOTE, FORMER_NOTE):
        assert text not in str(told), text


@pytest.mark.parametrize("method, field", list(asking()))
def test_nothing_is_found_out_by_guessing(world, method, field):
    """The right guess and a wrong one have one outcome; whoever reads contacts sees two."""
    caller, reader = masked(world), world.account.caller()
    sees = 0
    for right, wrong in GUESSES.items():
        forms = ["{}"] if field == "query" else ["{}", "-{}", "pump OR {}", "status = ONLINE AND {}"]
        for form in [form.replace("{}", '"{}"') if field == "filter" else form for form in forms]:
            hit, miss = (ask(caller, world, method, field, form.format(text)) for text in (right, wrong))
            assert hit.replace(right, wrong) == miss, form.format(right)
        hit, miss = (ask(reader, world, method, field, forms[0].format(f'"{text}"')) for text in (right, wrong))
        sees += hit.replace(right, wrong) != miss
    if field == "query":
        assert sees == len(GUESSES), "the right guess finds something for whoever reads contacts"
        return
    assert sees or method in ANSWERS_NONE, "a right guess is seen by whoever reads contacts"
    for path, texts in FIELDS.items():
        for form in ['{} = "{}"', '{} : "{}"', 'NOT {} = "{}"', '(status = ONLINE OR -{} = "{}")']:
            for text in texts:
                told = ask(caller, world, method, field, form.format(path, text))
                # Maps are filtered by nobody's note.
                refused = "CONTACTS_MASKED" in told or path == "note" and "filter by note with ListSites" in told
                assert refused, (form, told[:200])
                assert told == ask(caller, world, method, field, form.format(path, texts[-1])), form


def test_tiles_are_filtered_by_no_masked_contact(server, world):
    caller = masked(world)
    for path in ("tiles.json", "tiles/0/0/0.mvt"):
        get = lambda text, path=path: fetch(server.target, f"/v1/{world.account.name}/{path}?filter={text}", caller.token)
        named = ("contact.email%3D%22anna-kanarie%40example.org%22", "contact.first_name%3AAnna", "contact.phones%3A354")
        for text in named:
            status, _, body = get(text)
            assert status == 403 and b"CONTACTS_MASKED" in body, (status, body)
        assert get("Annakanarie")[0] == get("Ottokanarie")[0] == get("5512347")[0] == 200
    hit, miss = (fetch(server.target, f"/v1/{world.account.name}/tiles/0/0/0.mvt?filter={text}", caller.token)
                 for text in ("Annakanarie", "Ottokanarie"))  # fmt: skip
    assert hit[2] == miss[2]
    hit, miss = (fetch(server.target, f"/v1/{world.account.name}/tiles/0/0/0.mvt?filter={text}", caller.token)
                 for text in ("5512347", "5512348"))  # fmt: skip
    assert hit[2] == miss[2]


def test_a_query_means_the_same_whatever_contacts_hold(world):
    """A query of joined words is taken apart where no site has it whole: were a masked e-mail looked at for that, a text with
    its parts would be a trap for it."""
    caller = masked(world)
    parts = "anna kanarie example org, otto kanarie example org"
    trap = world.account.create_site("trap", customer_id=parts).name
    for query in (EMAIL, GUESSES[EMAIL]):
        hits = caller.SearchSites(parent=world.account.name, query=query).hits
        assert [hit.site.name for hit in hits] == [trap], query
    hits = world.account.caller().SearchSites(parent=world.account.name, query=EMAIL).hits
    assert {world.site} < {hit.site.name for hit in hits} and trap not in str(hits)


def test_histories_are_not_searched_by_masked_values(world):
    """Who asks for the changes of a field hears how many there were, and of no value."""
    caller = masked(world)
    for field, text in (("contact.email", EMAIL), ("note", "Codewort")):
        told = caller.ListSiteChanges(parent=world.site, field=field).changes
        assert len(told) == 2 and text not in str(told)
    assert failure_of(lambda: caller.ExportSitePersonalData(name=world.site)).reason == "CONTACTS_MASKED"


def test_notes_are_read_and_written_by_whoever_reads_contacts_alone(world):
    caller, reader = masked(world, pb.TOKEN_SCOPE_EDITOR), world.account.caller()
    listing = {"parent": world.account.name, "filter": "note : papageitaucher"}
    assert world.site in str(reader.ListSites(**listing))
    change = reader.ListSiteChanges(parent=world.site, field="note").changes[0].name
    site = reader.GetSite(name=world.site)
    shown = caller.GetSite(name=world.site)
    assert (shown.note, shown.contact_masked, site.contact_masked) == ("•••", True, False)
    for refused in (
        lambda: caller.ListSites(**listing),
        lambda: caller.UpdateSite(site=pb.Site(name=world.site, note="mine"), update_mask=mask("note")),
        lambda: caller.UpdateSite(site=pb.Site(name=world.site), update_mask=mask("note")),
        lambda: caller.CreateSite(parent=world.account.name, site=pb.Site(display_name="noted", note="mine")),
        lambda: caller.RestoreSiteValue(name=change, field="note"),
    ):
        assert failure_of(refused).reason == "CONTACTS_MASKED"
    # Nor does anybody write the mask by mistake.
    masked_note = pb.Site(name=world.site, note=shown.note)
    fault = failure_of(lambda: reader.UpdateSite(site=masked_note, update_mask=mask("note")))
    assert "it is masked" in str(fault.details) + fault.message
    assert reader.GetSite(name=world.site).note == site.note == NOTE
