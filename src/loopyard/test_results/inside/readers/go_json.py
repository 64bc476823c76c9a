"""`go test -json`: one event a line."""

import json
from typing import Any, Set, Tuple

from ..outcomes import Statuses
from .worst import add

_STATUSES = {"pass": "PASSED", "fail": "FAILED", "skip": "SKIPPED"}


def read(text: str) -> Statuses:
    """Tests are named `PACKAGE.TEST` or `TEST`; a subtest is `TEST/SUB`. One that began and did not end has not run."""
    found: Statuses = {}
    open_tests: Set[Tuple[str, str]] = set()
    for line in text.split("\n"):
        try:
            event: Any = json.loads(line)
        except ValueError:
            continue
        try:
            package, test, action = str(event["Package"]), str(event["Test"]), str(event["Action"])
        except (KeyError, TypeError):  # not of a test
            continue
        if action == "run":
            open_tests.add((package, test))
        elif action in _STATUSES:
            open_tests.discard((package, test))
            for name in (test, "{}.{}".format(package, test)):
                add(found, name, _STATUSES[action])
    for package, test in open_tests:
        for name in (test, "{}.{}".format(package, test)):
            add(found, name, "NOT RUN")
    return found
