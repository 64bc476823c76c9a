"""The Test Anything Protocol."""

import re

from ..outcomes import Statuses
from .unreadable import Unreadable
from .worst import add

_POINT = re.compile(r"^(not )?ok\b *(\d*) *(?:- *)?(.*?) *(?:(?<!\\)# *(skip|todo)\b.*)?$", re.IGNORECASE)
_PLAN = re.compile(r"^1\.\.(\d+)\b")


def read(text: str) -> Statuses:
    """Tests are named by their descriptions. Subtests, which are indented, are within the test that they belong to.

    Raises:
        Unreadable: The plan is missing, or not all of it was carried out.
    """
    found: Statuses = {}
    planned, count = None, 0
    for line in map(str.rstrip, text.split("\n")):
        if line.startswith("Bail out!"):
            raise Unreadable(line)
        plan = _PLAN.match(line)
        if plan is not None:
            planned = int(plan.group(1))
        point = _POINT.match(line)
        if point is not None:
            count += 1
            bad, directive = point.group(1) is not None, (point.group(4) or "").lower()
            status = "FAILED" if bad else "PASSED"
            if directive == "skip":
                status = "SKIPPED"
            elif directive == "todo":
                status = "XFAIL" if bad else "XPASS"
            add(found, point.group(3), status)
    if planned is None or count != planned:
        raise Unreadable("{} of {} tests were carried out".format(count, "?" if planned is None else planned))
    return found
