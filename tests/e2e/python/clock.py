"""The clock of processes that tests start, set by libfaketime."""

from pathlib import Path


def faketime():
    """The library that sets a process's clock; None where it is not installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def set_clock(environment, told):
    """Sets the clock of processes that are started from now on, as faketime is told: `+8d`, `+20 x100`."""
    for name, value in {"LD_PRELOAD": faketime(), "FAKETIME": told, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}.items():
        environment.setenv(name, str(value))
