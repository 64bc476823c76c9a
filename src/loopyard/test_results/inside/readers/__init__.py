"""Readers of what test runners print or write, for runners that no reporter is loaded into.

A reader is a function of a text that gives the statuses of the tests in it. Code under test can forge all of this.
"""

from typing import Callable, Dict

from ..outcomes import Statuses
from . import cargo, go_json, jest_json, junit_xml, lines, tap

Reader = Callable[[str], Statuses]

READERS: Dict[str, Reader] = {
    "lines": lines.read,
    "junit-xml": junit_xml.read,
    "tap": tap.read,
    "go-json": go_json.read,
    "jest-json": jest_json.read,
    "cargo": cargo.read,
}
