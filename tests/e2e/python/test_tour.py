"""README's five-minute tour, every command of it, run as a reader would: the README cannot rot."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from server import ROOT, Server

HEADING = "## The five-minute tour"
ADDRESS = "127.0.0.1:8642"


def blocks():
    """The bash blocks under the heading, in order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert HEADING in text, f"README.md has a section {HEADING!r}"
    section = re.split(r"^## ", text.split(HEADING, 1)[1], flags=re.MULTILINE)[0]
    return re.findall(r"^```bash\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)


def test_every_command_of_the_tour_succeeds(tmp_path):
    commands = blocks()
    assert len(commands) >= 6, "the tour shows activation, look-up, address, map and tile"
    with Server(tmp_path / "data", gazetteer=True) as server:
        (tmp_path / "run").mkdir()
        (tmp_path / "run/admin.token").write_text(server.admin_token, encoding="utf-8")
        # The reader stands in the repository with a server of `make run`: same paths, other port and token.
        script = (
            "\n".join(commands)
            .replace(ADDRESS, server.target)
            .replace("run/admin.token", f"{tmp_path}/run/admin.token")
        )
        script = script.replace("target/release/waymark", os.environ.get("WAYMARK_BIN", "target/debug/waymark"))
        script = re.sub(r"(-o |> ?)([a-z]+\.mvt)", rf"\1{tmp_path}/\2", script)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WAYMARK_")}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-x", "-c", script],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    print(done.stdout, done.stderr)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    # JSON may be spaced in any way.
    shown = "".join(done.stdout.split())
    for promised in ('"created":true', '"ADDRESS_STATE_APPLIED"', "Laugavegur1", '"accountTally"', '"distanceM"'):
        assert promised in shown, f"the tour shows {promised}:\n{done.stdout}"
    assert (Path(tmp_path) / "tile.mvt").stat().st_size > 0


def test_the_runner_would_notice_a_failing_command():
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", "true\nfalse\ntrue"], check=False)
    assert done.returncode != 0
    with pytest.raises(AssertionError):
        assert not blocks()
