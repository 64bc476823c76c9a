"""The programs of the server's own that scorers use: copies of the host's, which no box can change."""

import hashlib
import sys
import sysconfig
from functools import cache
from pathlib import Path

from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.grading import SharedFolder

FOLDER = "/.loopyard/tools"
"""Where they are in a box."""

_NAMES = ("ast-grep", "uv")


class ToolMissing(RuntimeFault):
    """A program of the server's own is not there; the message says which, and where it should be."""


@cache
def tools() -> SharedFolder:
    """The folder of the tools. Another version of one of them is another folder.

    Raises:
        ToolMissing: The server is not installed whole.
    """
    files = {name: _program(name) for name in _NAMES}
    known = [f"{name} {path.stat().st_size} {path.stat().st_mtime_ns}" for name, path in files.items()]
    return SharedFolder(f"tools-{hashlib.sha256(' '.join(known).encode()).hexdigest()[:16]}", files)


def _program(name: str) -> Path:
    places = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    for place in places:
        if (place / name).is_file():
            return (place / name).resolve()
    raise ToolMissing(f"The program {name} is not in {places[0]}; its wheel is a dependency of loopyard: install that.")
