"""Finds the program that is Harbor. It needs Python 3.12, so it may have a Python of its own."""

import shutil
import sys
from pathlib import Path

from loopyard.benchmark_job.harbor_config import HarborConfig

PACKAGE = "harbor[runloop]>=0.26,<0.27"
PYTHON = ">=3.12"

MISSING = (
    "this server has no Harbor: install uv (or loopyard[harbor] under Python 3.12 or later) beside it, or set "
    "LOOPYARD_JOBS__HARBOR__COMMAND"
)


def find(config: HarborConfig) -> list[str] | None:
    """The command that starts Harbor: the one that is set, else the one beside this Python, else by uv. None without
    any.

    uv installs it at the first call, with a Python that it finds or fetches.
    """
    if config.command:
        return list(config.command)
    beside = Path(sys.executable).with_name("harbor")
    if beside.is_file():
        return [str(beside)]
    uv = _uv()
    return None if uv is None else [uv, "tool", "run", "--python", PYTHON, "--from", PACKAGE, "harbor"]


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")
