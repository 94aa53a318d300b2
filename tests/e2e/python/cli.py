"""Runs the command line as an operator does: a token in the environment, an answer on standard output, one line of complaint."""

import json
import os
import subprocess

from server import BINARY

COMMAND_S_MAX = 60
# What a command ends with: see docs/cli.md.
DONE, FAILED, WRONG, LATER = 0, 1, 2, 75


def run(*arguments, code=DONE, server=None, token=None, binary=BINARY, stdin=None):
    """What it prints; where another code is expected, what it complains of."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WAYMARK_")}
    if server:
        url = server if isinstance(server, str) else server.url
        environment |= {"WAYMARK_SERVER": url, "WAYMARK_TOKEN": token or server.admin_token}
    heard = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    command = [str(binary), *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False, **heard
    )
    assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "panicked" not in done.stderr, done.stderr
    if code in (FAILED, LATER):
        complaints = [line for line in done.stderr.splitlines() if line.startswith("waymark: ")]
        assert len(complaints) == 1 and done.stderr.endswith(f"{complaints[0]}\n"), done
    return done.stdout if code == DONE else done.stdout + done.stderr


def objects(*arguments, **options):
    """What it prints for programs: an object a line."""
    return [json.loads(line) for line in run(*arguments, **options).splitlines()]
