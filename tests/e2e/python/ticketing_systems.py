"""Servers on loopback that speak the documented APIs of the six ticketing systems, over organisations that a test gives."""

import base64
import contextlib
import json
import sys
import time
from urllib.parse import parse_qs, urlsplit

from http_stub import HttpStub

NAMES = ["connectwise", "autotask", "syncro", "zendesk", "freshservice", "freshdesk"]
# Those whose organisations have sites that a link may name.
WITH_SITES = ["connectwise", "autotask", "freshservice"]
# What a connection is let in with. Every secret part holds the canary.
CANARY = "kanarienvogel"
CREDENTIALS = {
    "connectwise": {"company": "acme", "public_key": "pub", "private_key": f"{CANARY}1", "client_id": f"{CANARY}2"},
    "autotask": {"user_name": "api@acme", "secret": f"{CANARY}3", "integration_code": f"{CANARY}4"},
    "syncro": {"api_token": f"{CANARY}5"},
    "zendesk": {"email": "agent@acme", "api_token": f"{CANARY}6"},
    "freshservice": {"api_key": f"{CANARY}7"},
    "freshdesk": {"api_key": f"{CANARY}8"},
}
ROOTS = {"connectwise": "/v4_6_release/apis/3.0", "autotask": "/atservicesrest", "syncro": "/api/v1"}


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


LOGINS = {
    "connectwise": {"authorization": basic(f"acme+pub:{CANARY}1"), "clientid": f"{CANARY}2"},
    "autotask": {"username": "api@acme", "secret": f"{CANARY}3", "apiintegrationcode": f"{CANARY}4"},
    "syncro": {"authorization": f"Bearer {CANARY}5"},
    "zendesk": {"authorization": basic(f"agent@acme/token:{CANARY}6")},
    "freshservice": {"authorization": basic(f"{CANARY}7:X")},
    "freshdesk": {"authorization": basic(f"{CANARY}8:X")},
}


class System(HttpStub):
    """A running server of one system; leave its `with` block to end it."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        # Id -> name, or (name, street, postal code, city).
        self.organizations = {1: "Acme Ltd", 2: "Apex Holding"}
        # Organisation -> id -> name. Freshservice has those of organisation 1 for all.
        self.sites = {1: {11: "Head Office", 12: "Warehouse"}}
        # Where Autotask says that its pages are; `None` for this server.
        self.web_url = None
        # Id -> fields that the record of an organisation or of a site has beside the others, such as that it is deleted.
        self.marks, self.site_marks = {}, {}
        # Status and headers of every answer, where it is not to be a good one.
        self.failing = None
        # The same for one answer each: how many requests were answered before it -> status and headers.
        self.failing_at = {}
        # Headers of every good answer beside its own.
        self.telling = {}
        # The paths that were asked for, and when.
        self.asked, self.asked_at = [], []
        self.origin = self.url
        self.url += ROOTS.get(name, "")

    def answer(self, request):
        """Answers a request as the system would, or fails as it is told to."""
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        failing = self.failing_at.pop(len(self.asked), self.failing)
        self.asked.append(url.path)
        self.asked_at.append(time.monotonic())
        is_let_in = all(request.headers.get(name) == value for name, value in LOGINS[self.name].items())
        if failing:
            return (*failing, {"message": "no"})
        if not is_let_in:
            return 401, {}, {"message": "who are you"}
        path = url.path.removeprefix(ROOTS.get(self.name, ""))
        status, headers, value = getattr(self, self.name)(path, query, json.loads(request.body or b"null"))
        return status, self.telling | headers, value

    def found(self, part=""):
        """Ids of organisations whose names hold a text."""
        return [number for number in sorted(self.organizations) if part.lower() in self.told(number)[0].lower()]

    def told(self, number):
        """Name, street, postal code and town of an organisation."""
        told = self.organizations[number]
        return told if isinstance(told, tuple) else (told, "", "", "")

    def connectwise(self, path, query, _):
        parts = path.removeprefix("/company/companies").strip("/").split("/")

        def company(number):
            name, street, code, city = self.told(number)
            told = {"id": number, "name": name, "addressLine1": street, "zip": code, "city": city, "deletedFlag": False}
            return asked_for(told | self.marks.get(number, {}))

        def site(number):
            told = {"id": number, "name": sites[number], "inactiveFlag": False}
            return asked_for(told | self.site_marks.get(number, {}))

        def asked_for(told):
            # Nothing else is told than what is asked for.
            names = {name.partition("/")[0] for name in query["fields"].split(",")}
            return {name: value for name, value in told.items() if name in names}

        if parts == [""]:
            conditions = query.get("conditions", "")
            is_there = "deletedFlag = false" in conditions
            numbers = self.found((conditions.split("%") + [""])[1])
            left = [one for one in numbers if not (is_there and self.marks.get(one, {}).get("deletedFlag"))]
            return linked([company(number) for number in left], query, "pageSize")
        sites = self.sites.get(int(parts[0]), {})
        if parts[1:] == ["sites"]:
            return linked([site(number) for number in sites], query, "pageSize")
        if parts[1:]:
            return one(sites, parts[2], site)
        return one(self.organizations, parts[0], company)

    def autotask(self, path, query, body):
        if path == "/v1.0/zoneInformation":
            web_url = f"{self.origin}/" if self.web_url is None else self.web_url
            zone = {"zoneName": "x", "url": f"{self.origin}/atservicesrest/zone/", "webUrl": web_url, "ci": 1}
            return 200, {}, zone
        parts = path.removeprefix("/zone/v1.0/").split("/")

        def company(number):
            name, street, code, city = self.told(number)
            told = {"id": number, "companyName": name, "address1": street, "postalCode": code, "city": city}
            return told | {"isActive": True} | self.marks.get(number, {})

        if parts[0] == "Companies" and parts[1] != "query":
            return 200, {}, {"item": company(int(parts[1])) if int(parts[1]) in self.organizations else None}
        if body is None:
            return 500, {}, {"errors": ["a query has a body"]}
        wanted = {one["field"]: one["value"] for one in body["filter"]}
        if parts[0] == "Companies":
            items = [company(number) for number in self.found(wanted.get("companyName", ""))]
        else:
            sites = self.sites.get(wanted["companyID"], {})
            named = {number: name for number, name in sites.items() if wanted.get("id", number) == number}
            of = {"companyID": wanted["companyID"], "isActive": True}
            items = [{"id": one, "name": name} | of | self.site_marks.get(one, {}) for one, name in named.items()]
        begin, size = int(query.get("paging", 0)), body["MaxRecords"]
        end = begin + size
        following = f"https://elsewhere.example/query/next?paging={end}" if end < len(items) else None
        return 200, {}, {"items": items[begin:end], "pageDetails": {"nextPageUrl": following}}

    def syncro(self, path, query, _):
        def customer(number):
            name, street, code, city = self.told(number)
            told = {"id": number, "business_name": name, "address": street, "zip": code, "city": city}
            return told | {"disabled": False} | self.marks.get(number, {})

        if path != "/customers":
            found = one(self.organizations, path.rpartition("/")[2], customer)
            return found if found[0] != 200 else (200, {}, {"customer": found[2]})
        # Those that are disabled are listed for who asks for them, and nobody does.
        all_found = [one for one in map(customer, self.found(query.get("query", ""))) if not one["disabled"]]
        page = int(query.get("page", 1))
        meta = {"total_pages": -(-len(all_found) // 25), "page": page}
        return 200, {}, {"customers": all_found[(page - 1) * 25 : page * 25], "meta": meta}

    def zendesk(self, path, query, _):
        def organization(number):
            return {"id": number, "name": self.told(number)[0], "deleted_at": None} | self.marks.get(number, {})

        below = path.removeprefix("/api/v2/organizations").strip("/")
        if below == "autocomplete":
            begin = query["name"].lower()
            named = [number for number in self.found() if self.told(number)[0].lower().startswith(begin)]
            _, headers, items = linked([organization(number) for number in named], query, "per_page")
            return 200, {}, {"organizations": items, "next_page": headers.get("link")}
        if below:
            found = one(self.organizations, below, organization)
            return found if found[0] != 200 else (200, {}, {"organization": found[2]})
        after, size = int(query.get("page[after]", 0)), int(query["page[size]"])
        rest = [number for number in self.found() if number > after]
        meta = {"has_more": len(rest) > size, "after_cursor": str(rest[:size][-1]) if rest else None}
        return 200, {}, {"organizations": [organization(number) for number in rest[:size]], "meta": meta}

    def freshservice(self, path, query, _):
        kind, _, number = path.removeprefix("/api/v2/").partition("/")
        things = self.organizations if kind == "departments" else self.sites.get(1, {})

        def thing(number):
            return {"id": number, "name": self.told(number)[0] if kind == "departments" else things[number]}

        if number:
            found = one(things, number, thing)
            return found if found[0] != 200 else (200, {}, {kind.removesuffix("s"): found[2]})
        status, headers, items = linked([thing(number) for number in sorted(things)], query, "per_page")
        return status, headers, {kind: items}

    def freshdesk(self, path, query, _):
        def company(number):
            return {"id": number, "name": self.told(number)[0]}

        below = path.removeprefix("/api/v2/companies").strip("/")
        if below == "autocomplete":
            return 200, {}, {"companies": [company(number) for number in self.found(query["name"])]}
        if below:
            return one(self.organizations, below, company)
        return linked([company(number) for number in self.found()], query, "per_page")


def one(things, number, make):
    """One thing by its id, or that there is none."""
    if int(number) in things:
        return 200, {}, make(int(number))
    return 404, {}, {"message": "not found"}


def linked(items, query, size_name):
    """A page, with a link to the next one."""
    page, size = int(query.get("page", 1)), int(query.get(size_name, 30))
    headers = {}
    if page * size < len(items):
        headers["link"] = f'<https://elsewhere.example/?page={page + 1}>; rel="next"'
    return 200, headers, items[(page - 1) * size : page * size]


def config(*more):
    """A configuration that allows connections to this machine. No run begins by itself, unless `more` says otherwise."""
    never = [] if any(line.startswith("verify_every_h") for line in more) else ["verify_every_h = 0"]
    return "\n".join(['[ticketing]', 'private_networks = ["127.0.0.0/8"]', *never, *more, ""])


def main():
    """For tests in other languages: servers of the named systems until standard input ends. Prints a line of JSON with the
    configuration that allows them and with each one's URL and credentials; then takes a change a line, such as
    `{"system": "zendesk", "organizations": {"1": "Acme"}, "failing": [429, {}]}`, and answers with how often each was asked."""
    with contextlib.ExitStack() as stack:
        systems = {name: stack.enter_context(System(name)) for name in sys.argv[1:]}
        told = {name: {"url": one.url, "credentials": CREDENTIALS[name]} for name, one in systems.items()}
        print(json.dumps({"config": config(), "systems": told}), flush=True)
        for line in sys.stdin:
            change = json.loads(line)
            system = systems[change["system"]]
            if "organizations" in change:
                # JSON has lists alone for an organisation with an address, and texts alone for ids.
                system.organizations = {
                    int(number): tuple(one) if isinstance(one, list) else one
                    for number, one in change["organizations"].items()
                }
            if "sites" in change:
                system.sites = {
                    int(number): {int(id): name for id, name in sites.items()}
                    for number, sites in change["sites"].items()
                }
            if "failing" in change:
                system.failing = change["failing"]
            print(json.dumps({name: len(one.asked) for name, one in systems.items()}), flush=True)


if __name__ == "__main__":
    main()
