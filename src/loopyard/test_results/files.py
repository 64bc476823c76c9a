"""The programs of the package `inside`, as they are put into a box."""

import io
import zipfile
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

PACKAGE = "loopyard_results"
ARCHIVE = "results.zip"

_SEALED = (1980, 1, 1, 0, 0, 0)

_MAIN = f"""from {PACKAGE}.judge import main
main()
"""

_SITECUSTOMIZE = f"""def _begin():
    from {PACKAGE} import start
    start.begin(__file__)
_begin()
"""


@cache
def archive() -> bytes:
    """A zip file, the same for the same programs. Python runs it as the judge, with the path of a plan as its argument,
    and loads the reporter from it if it is first on PYTHONPATH."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        found = {"__main__.py": _MAIN, "sitecustomize.py": _SITECUSTOMIZE}
        found |= {f"{PACKAGE}/{path}": text for path, text in _sources(_inside(), "")}
        for path, text in found.items():
            target.writestr(zipfile.ZipInfo(path, _SEALED), text)
    return made.getvalue()


def _inside() -> Traversable:
    return files("loopyard.test_results").joinpath("inside")


def _sources(folder: Traversable, path: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.is_dir() and one.name != "__pycache__":
            found += _sources(one, f"{path}{one.name}/")
        elif one.name.endswith(".py"):
            found.append((f"{path}{one.name}", one.read_text(encoding="utf-8")))
    return found
