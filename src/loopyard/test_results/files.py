"""The programs of the package `inside`, as they are put into a box."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

PACKAGE = "loopyard_results"
JUDGE = "judge.py"

_JUDGE = f"""import os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "reporter"))
from {PACKAGE}.judge import main
main()
"""

_SITECUSTOMIZE = f"""def _begin():
    import sys
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        from {PACKAGE} import start
    finally:
        sys.dont_write_bytecode = kept
    start.begin(__file__)
_begin()
"""


@cache
def programs() -> Mapping[str, str]:
    """The texts of all files by their paths: `judge.py`, which takes a plan's path, and the folder `reporter`, which
    goes first on Python's path."""
    inside = files("loopyard.test_results").joinpath("inside")
    found = {f"reporter/{PACKAGE}/{path}": text for path, text in _sources(inside, "")}
    return MappingProxyType({JUDGE: _JUDGE, "reporter/sitecustomize.py": _SITECUSTOMIZE, **found})


def _sources(folder: Traversable, path: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.is_dir() and one.name != "__pycache__":
            found += _sources(one, f"{path}{one.name}/")
        elif one.name.endswith(".py"):
            found.append((f"{path}{one.name}", one.read_text(encoding="utf-8")))
    return found
