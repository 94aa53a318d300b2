"""Makes the Python client importable from its sources, over the messages that stubs.py makes."""

import importlib
import os
import sys
from pathlib import Path

from server import ROOT
from stubs import PACKAGE

CLIENT = ROOT / "clients/python"
SOURCES = CLIENT / "src"
MESSAGES = Path(importlib.import_module(f"{PACKAGE}.site_pb2").__file__).parents[2]
sys.path.insert(0, str(SOURCES))


def environment(**more):
    """What a program needs that uses it, without settings of a developer's shell."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("WAYMARK_")}
    paths = os.pathsep.join([str(SOURCES), str(MESSAGES)])
    return plain | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | more
