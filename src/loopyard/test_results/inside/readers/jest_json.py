"""`jest --json`, also written by vitest."""

import json

from ..outcomes import Statuses
from .unreadable import Unreadable
from .worst import add

_STATUSES = {"passed": "PASSED", "failed": "FAILED"}


def read(text: str) -> Statuses:
    """Tests are named by their full names.

    Raises:
        Unreadable: It is not jest's JSON.
    """
    for line in [text, *text.split("\n")]:
        try:
            report = json.loads(line)
            suites = report["testResults"]
            tests = [test for suite in suites for test in suite["assertionResults"]]
            told = [(" ".join([*test.get("ancestorTitles", ()), test["title"]]), test["status"]) for test in tests]
        except (ValueError, KeyError, TypeError):
            continue
        found: Statuses = {}
        for name, status in told:
            add(found, name, _STATUSES.get(status, "SKIPPED"))
        return found
    raise Unreadable("no JSON of jest's")
