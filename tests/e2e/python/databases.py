"""GeoIP files of each schema, written by an independent writer, and what an independent reader says of them."""

import ipaddress
import os

import maxminddb
from mmdb_writer import MMDBWriter
from netaddr import IPSet

# Seconds by which the time of a file's last modification is put back.
BACKDATED_S = 60

NESTED = {
    "city": {"names": {"en": "Zürich", "de": "Zürich"}, "geoname_id": 2657896},
    "country": {"iso_code": "CH", "names": {"en": "Switzerland"}},
    "location": {"latitude": 47.3667, "longitude": 8.55, "accuracy_radius": 20, "time_zone": "Europe/Zurich"},
    "postal": {"code": "8001"},
    "subdivisions": [{"iso_code": "ZH", "names": {"en": "Zurich"}}],
}
DBIP = {
    "city": {"names": {"en": "Reykjavik"}},
    "continent": {"code": "EU", "names": {"en": "Europe"}},
    "country": {"is_in_european_union": False, "iso_code": "IS", "names": {"en": "Iceland"}},
    "location": {"latitude": 64.1466, "longitude": -21.9426},
    "subdivisions": [{"names": {"en": "Capital Region"}}],
}
FLAT = {
    "city": "Milan",
    "country_code": "IT",
    "latitude": 45.4642,
    "longitude": 9.19,
    "postcode": "20121",
    "state1": "Lombardy",
    "state2": "",
    "timezone": "Europe/Rome",
}
COUNTRY = {"country": {"iso_code": "SE", "names": {"en": "Sweden"}}}
ASN = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Networks"}


def written(path, kind, networks, ip_version=6, build_epoch=None):
    """Writes a file of `{network: record}`, backdated, and renames it to its place."""
    writer = MMDBWriter(ip_version=ip_version, database_type=kind, ipv4_compatible=ip_version == 6, float_type="f64")
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    writer.to_db_file(str(beside))
    if build_epoch is not None:
        beside.write_bytes(with_build_epoch(beside.read_bytes(), build_epoch))
    backdate(beside)
    os.replace(beside, path)
    return path


def with_build_epoch(data, epoch):
    """The bytes of a file with another time of its build, which must be written in as many bytes."""
    marker = data.rindex(b"\xab\xcd\xefMaxMind.com")
    at = data.index(b"build_epoch", marker) + len(b"build_epoch")
    # A 64-bit number of the extended kind: its length in the first byte, its type in the second.
    length = data[at] & 0x1F
    return data[: at + 2] + epoch.to_bytes(length, "big") + data[at + 2 + length :]


def backdate(path):
    """Puts the time of a file's last modification into the past, as copies have it that keep their original's.

    Nothing rests sooner for it: a reload goes by the last change of the inode, which nobody can put back.
    """
    past = os.stat(path).st_mtime - BACKDATED_S
    os.utime(path, (past, past))


class Independent:
    """What Python's reader says of a file, in the words of the API."""

    def __init__(self, path):
        self.reader = maxminddb.open_database(str(path), maxminddb.MODE_MEMORY)
        self.kind = self.reader.metadata().database_type
        self.is_ipv4 = self.reader.metadata().ip_version == 4

    def covers(self, ip):
        return not (self.is_ipv4 and ":" in ip)

    def record(self, ip):
        """The fields that the API tells of a record; `None` where there is none."""
        found, prefix = self.reader.get_with_prefix_len(ip)
        if found is None:
            return None
        network = ipaddress.ip_network(f"{ip}/{prefix}", strict=False)
        flat = "city" in found and isinstance(found["city"], str) or "country_code" in found
        return {"network": str(network), **(_flat(found) if flat else _nested(found))}


def _english(part):
    return (part or {}).get("names", {}).get("en", "")


def _nested(found):
    location = found.get("location", {})
    region = (found.get("subdivisions") or [{}])[0]
    return {
        "position": _position(location.get("latitude"), location.get("longitude")),
        "city": _english(found.get("city")),
        "region": _english(region),
        "region_code": region.get("iso_code", ""),
        "country_code": found.get("country", {}).get("iso_code", ""),
        "postcode": found.get("postal", {}).get("code", ""),
        "time_zone": location.get("time_zone", ""),
        "asn": found.get("autonomous_system_number"),
        # Some names end in a blank, which nobody wants to read.
        "isp": found.get("autonomous_system_organization", "").strip(),
    }


def _flat(found):
    return {
        "position": _position(found.get("latitude"), found.get("longitude")),
        "city": found.get("city", ""),
        "region": found.get("state1", ""),
        "region_code": "",
        "country_code": found.get("country_code", ""),
        "postcode": found.get("postcode", ""),
        "time_zone": found.get("timezone", ""),
        "asn": None,
        "isp": "",
    }


def _position(lat, lng):
    return None if lat is None or lng is None or (lat == 0 and lng == 0) else (lat, lng)
