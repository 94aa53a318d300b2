#!/usr/bin/env python3
"""A service: lists the sites of an account that are offline or need attention, then says what becomes of them.

    export WAYMARK_SERVER=http://127.0.0.1:8642 WAYMARK_TOKEN=wmk_…    # a token of scope VIEWER or more
    examples/problem_sites.py --account acme --position problems.revision

With `--position` it goes on after a restart where it ended, and tells what changed while it was away.
"""

import argparse
import os

from waymark_client import connect, pb

# In the language of ListSites.
PROBLEMS = "status = OFFLINE OR attention:*"


def reasons(item):
    """Why a site needs attention, in words."""
    names = [pb.AttentionReason.Name(reason) for reason in item.reasons]
    return ", ".join(name.removeprefix("ATTENTION_REASON_").lower().replace("_", " ") for name in names)


def status(site):
    """How a site is, in a word."""
    return pb.SiteStatus.Name(site.status).removeprefix("SITE_STATUS_").lower()


def read_position(file):
    """The revision that was kept; 0 for none."""
    if file is None or not os.path.exists(file):
        return 0
    with open(file, encoding="utf-8") as opened:
        return int(opened.read())


def keep_position(file, revision):
    """Keeps a revision, whole or not at all."""
    if file is None or revision == 0:
        return
    with open(f"{file}.new", "w", encoding="utf-8") as opened:
        opened.write(f"{revision}\n")
    os.replace(f"{file}.new", file)


def main():
    """Lists, and follows until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--account", required=True)
    parser.add_argument("--position", help="file that keeps how far it has come")
    parser.add_argument("--events", type=int, help="ends after so many")
    arguments = parser.parse_args()
    account, position = f"accounts/{arguments.account}", read_position(arguments.position)

    with connect() as waymark:
        for item in waymark.each.list_attention(parent=account):
            print(f"needs attention\t{item.site.display_name}\t{reasons(item)}", flush=True)
        with waymark.watch_sites(on=account, filter=PROBLEMS, resume_revision=position) as events:
            for count, event in enumerate(events, start=1):
                if event.kind == "changed":
                    print(f"problem\t{event.site.display_name}\t{status(event.site)}\t{event.name}", flush=True)
                elif event.kind == "removed":
                    print(f"no problem\t\t\t{event.name}", flush=True)
                else:
                    print(event.kind, flush=True)
                # After it is dealt with: whoever keeps it before loses an event at a crash.
                keep_position(arguments.position, event.revision)
                if count == arguments.events:
                    return


if __name__ == "__main__":
    main()
