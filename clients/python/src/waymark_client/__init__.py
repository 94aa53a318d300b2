"""A client of waymark for programs in Python: deadlines, repeats, pages, and watches that go on after cuts.

    from waymark_client import connect

    with connect("http://127.0.0.1:8642", token_file="run/admin.token") as waymark:
        for site in waymark.each.list_sites(parent="accounts/acme", filter="status = OFFLINE"):
            print(site.display_name)

`docs/clients.md` of waymark says what is repeated, when and for how long.
"""

from .client import Client, connect
from .errors import Violation, WaymarkError
from .messages import pb
from .watch import SiteEvent, SiteWatch

__all__ = ["Client", "SiteEvent", "SiteWatch", "Violation", "WaymarkError", "connect", "pb"]
