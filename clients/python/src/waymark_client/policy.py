"""The rules that all clients of waymark share, out of `clients/policy.json`: what is repeated, how long is waited, what is advised."""

import json
import random
from importlib import resources
from pathlib import Path

_FILE = "policy.json"


def _read():
    packed = resources.files(__package__).joinpath(_FILE)
    if packed.is_file():
        return json.loads(packed.read_text(encoding="utf-8"))
    # In a checkout it is beside all clients.
    return json.loads((Path(__file__).resolve().parents[3] / _FILE).read_text(encoding="utf-8"))


class Policy:
    """The rules."""

    def __init__(self, rules):
        self.rules = rules

    def kind(self, method):
        """What a repeat of a method does: `read`, `state`, `keyed` or `once`."""
        return self.rules["methods"][method.name]["kind"]

    def key(self, method):
        """The path of the field that makes a repeat known; None where there is none."""
        return self.rules["methods"][method.name].get("key")

    def deadline_s(self, method):
        """Seconds that a call may take, all attempts and waits included; None for as long as it lasts."""
        deadline_ms = self.rules["deadlines_ms"][self.rules["methods"][method.name]["deadline"]]
        return None if deadline_ms is None else deadline_ms / 1000

    def silence_s(self):
        """Who hears nothing on a watch for so many seconds has lost its connection."""
        return self.rules["watch"]["silence_ms"] / 1000

    def is_lost(self, code):
        """Whether a code without a reason of waymark's means that the connection, or something on the way, broke."""
        return code in self.rules["lost_codes"]

    def repeats(self, kind, error):
        """Whether a call of this kind is made again after an error."""
        for rule in self.rules["repeats"]:
            if _fits(rule, error):
                return kind in rule["kinds"]
        return False

    def resumes(self, error):
        """Whether a watch goes on after an error."""
        return error.counted_as in self.rules["watch"]["codes"]

    def wait_s(self, method, error, failures):
        """Seconds before the next attempt at a call; None where there is to be none."""
        backoff = self.rules["backoff"]
        asked_s = error.retry_after_s or 0
        if not self.repeats(self.kind(method), error) or asked_s * 1000 > backoff["asked_longest_ms"]:
            return None
        return asked_s + _jitter_s(backoff, failures)

    def watch_wait_s(self, error, failures):
        """Seconds before a watch begins its next stream."""
        return (error.retry_after_s or 0) + _jitter_s(self.rules["watch"], failures)

    def advice(self, error):
        """What to do about an error, as a word and as a sentence."""
        rules = self.rules["advice"]
        of_reason = [rule for rule in rules if error.reason in rule["reasons"]]
        of_loss = [rule for rule in rules if error.is_lost and rule["advice"] == "look"]
        of_code = [rule for rule in rules if error.code.name in rule["codes"]]
        for rule in of_reason + of_loss + of_code:
            return rule["advice"], rule["text"]
        return "report", ""


def _fits(rule, error):
    reasons = rule.get("reasons", [])
    return (
        rule["code"] == error.counted_as
        and (not reasons or error.reason in reasons)
        and (not rule.get("asked", False) or error.retry_after_s is not None)
    )


def _jitter_s(backoff, failures):
    """Full jitter: anything between nothing and a bound that grows with each failure in a row."""
    # Beyond so many doublings the bound is the longest one, whatever it began with.
    grown = backoff["first_ms"] * backoff["factor"] ** min(failures - 1, 30)
    return random.uniform(0, min(grown, backoff["longest_ms"])) / 1000


POLICY = Policy(_read())
