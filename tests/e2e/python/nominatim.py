"""A server on loopback that speaks Nominatim's protocol, knows the doors that a test gives it, and fails when told to."""

from urllib.parse import parse_qs, urlsplit

from http_stub import HttpStub


class Nominatim(HttpStub):
    """A running stub; leave its `with` block to end it."""

    def __init__(self):
        super().__init__()
        # Street in small letters -> positions that it may mean.
        self.doors = {}
        # The HTTP status of every answer; 200 for real ones.
        self.status = 200
        # The statuses of the next answers, before that counts.
        self.next_statuses = []
        self.asked = []

    def answer(self, request):
        """Answers a search, which is all that the tests ask for."""
        url = urlsplit(request.path)
        query = parse_qs(url.query)
        self.asked.append((url.path, query))
        text = " ".join(query.get("q", []) + query.get("street", [])).lower()
        found = [_place(*door, text) for street, doors in self.doors.items() if street in text for door in doors]
        status = self.next_statuses.pop(0) if self.next_statuses else self.status
        return status, {}, found if status == 200 else {}

    def config(self, first_retry_s=1):
        """A configuration that asks this server alone, remembers nothing, and retries soon.

        The first retry comes after a minute where nobody configures it; a test that waits a minute for each is never run.
        """
        return f"""
[service]
address_retry_s = {first_retry_s}
[[geocode.providers]]
kind = "nominatim"
url = "{self.url}"
requests_per_s = 500
timeout_ms = 5000
cache_s = 0
cache_empty_s = 0
"""


def _place(number, lat, lng, text):
    """A house as the server tells it; test_real_nominatim.py holds its form against a real one."""
    street, house = text.replace(",", " ").split()[:2]
    address = {"house_number": house, "road": street.title(), "city": f"Town {number}", "country": "Ísland"}
    return {
        "place_id": number,
        "licence": "Data © OpenStreetMap contributors, ODbL 1.0. http://osm.org/copyright",
        "osm_type": "node",
        "osm_id": number,
        "lat": f"{lat:.7f}",
        "lon": f"{lng:.7f}",
        "category": "place",
        "type": "house",
        "place_rank": 30,
        "importance": 0.00001,
        "addresstype": "place",
        "name": "",
        "display_name": ", ".join(address.values()),
        "address": address | {"country_code": "is"},
        "boundingbox": [f"{edge:.7f}" for edge in (lat - 0.00005, lat + 0.00005, lng - 0.00005, lng + 0.00005)],
    }
