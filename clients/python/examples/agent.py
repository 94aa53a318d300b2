#!/usr/bin/env python3
"""An agent: activates once, whatever happens in between, and then says that its site is up.

    export WAYMARK_SERVER=http://127.0.0.1:8642 WAYMARK_TOKEN=wmk_…    # a token of scope ENROLLMENT
    examples/agent.py --account acme --agent-id fw-17 --state fw-17.json

The state holds the key that the agent drew, and its credential: keep it, and keep it secret. Started again the agent goes on with it,
and needs the enrolment token no more.
"""

import argparse
import json
import logging
import os
import secrets
import threading

from waymark_client import WaymarkError, connect, pb

LOG = logging.getLogger("agent")
# Bytes of the key: what the server takes at least is 16.
KEY_BYTES = 32


class State:
    """What an agent keeps, in a file that its owner alone can read."""

    def __init__(self, file):
        self.file = file
        try:
            with open(file, encoding="utf-8") as opened:
                self.kept = json.load(opened)
        except FileNotFoundError:
            # The key is on the disk before it is used: whoever activates with it and then forgets it is locked out.
            self.keep(key=secrets.token_hex(KEY_BYTES))

    def keep(self, **values):
        """Writes values beside those that are there, all of them or none."""
        self.kept = {**getattr(self, "kept", {}), **values}
        beside = f"{self.file}.new"
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
            json.dump(self.kept, opened)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(beside, self.file)


def activate(state, arguments):
    """Makes the agent's site, or finds it: the same key gives the same site, however often this is repeated."""
    with connect() as waymark:
        answer = waymark.activate_agent(
            parent=f"accounts/{arguments.account}",
            agent_id=arguments.agent_id,
            agent_key=bytes.fromhex(state.kept["key"]),
            display_name=arguments.display_name,
        )
    state.keep(credential=answer.credential, site=answer.site)
    LOG.info("%s %s", "made" if answer.created else "found", answer.site)


def main():
    """Activates where that was not done, and reports until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--account", required=True)
    parser.add_argument("--agent-id", required=True)
    parser.add_argument("--display-name", default="", help="how people call the site; its id where not given")
    parser.add_argument("--state", required=True, help="file for the key and the credential")
    parser.add_argument("--every-s", type=float, default=60, help="seconds between two reports")
    parser.add_argument("--reports", type=int, help="ends after so many")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    state = State(arguments.state)
    if "credential" not in state.kept:
        activate(state, arguments)
    pause, reported = threading.Event(), 0
    with connect(token=state.kept["credential"]) as waymark:
        while True:
            try:
                answer = waymark.report_status(status=pb.SITE_STATUS_ONLINE)
                LOG.info("reported %s from %s", answer.site, answer.public_ip or "an address that is not public")
            except WaymarkError as error:
                # The next report says the same: one that is lost is worth no more than a line.
                LOG.warning("not reported: %s: %s", error, error.what_to_do)
                if error.advice not in ("later", "look"):
                    raise
            reported += 1
            if reported == arguments.reports:
                return
            pause.wait(arguments.every_s)


if __name__ == "__main__":
    main()
