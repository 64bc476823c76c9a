"""Where in a file a fault is: the file, the line, and the field."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loopyard.kit.http.complaints import in_words

_HEADER = re.compile(r"^\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")

_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^\s."']+))""")


def told(path: Path, line: int, field: str, text: str) -> str:
    """`FILE:LINE: field: what is wrong`, as compilers say it. The field may be empty."""
    return f"{path}:{line}: {field}: {text}" if field else f"{path}:{line}: {text}"


def line_of(toml: str, field: Sequence[str | int]) -> int:
    """The line of a field in TOML text, counted from 1; that of the nearest table above it, if it has none of its own.

    Args:
        toml: The whole text.
        field: The keys that lead to it; positions in lists do not count.
    """
    wanted = [str(part) for part in field if not isinstance(part, int)]
    table: list[str] = []
    best, depth = 1, 0
    for number, line in enumerate(toml.split("\n"), 1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            at = table
        elif key := _KEY.match(line):
            at = table + _parts(key[1])
        else:
            continue
        if len(at) > depth and wanted[: len(at)] == at:
            best, depth = number, len(at)
    return best


def of_errors(path: Path, toml: str, errors: Sequence[Any]) -> list[str]:
    """Pydantic's errors, each with its place."""
    found: list[str] = []
    for error in errors:
        location: tuple[str | int, ...] = error["loc"]
        text = "is required; add it" if error["type"] == "missing" else in_words(error)
        found.append(told(path, line_of(toml, location), ".".join(map(str, location)), text))
    return found


def _parts(dotted: str) -> list[str]:
    return [double or single or bare for double, single, bare in _PART.findall(dotted)]
