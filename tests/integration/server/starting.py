"""Servers that are not meant to start."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a server ended that did not start."""

    status: int
    out: str
    err: str


def refused(
    *options: str, env: Mapping[str, str] | None = None, through: Sequence[str] = (), program: Sequence[str] = ()
) -> Refusal:
    """Run `loopyard serve` with these options until it ends by itself.

    Args:
        options: Of the command line; `--port 0` goes before them.
        env: Added to the environment.
        through: A command line that runs the rest in a place of its own.
        program: What is run instead of `loopyard`.
    """
    command = [*through, *(program or (sys.executable, "-m", "loopyard")), "serve", "--port", "0", *options]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return Refusal(ended.returncode, ended.stdout, ended.stderr)
