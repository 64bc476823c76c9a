"""Lines of `cargo test`."""

import re

from ..outcomes import Statuses
from .worst import add

_TEST = re.compile(r"^test (\S.*?)(?: - should panic)? \.\.\. (ok|FAILED|ignored)\b")
_STATUSES = {"ok": "PASSED", "FAILED": "FAILED", "ignored": "SKIPPED"}


def read(text: str) -> Statuses:
    """Tests are named by their paths, such as `parser::tests::nested`."""
    found: Statuses = {}
    for line in text.split("\n"):
        test = _TEST.match(line)
        if test is not None:
            add(found, test.group(1), _STATUSES[test.group(2)])
    return found
