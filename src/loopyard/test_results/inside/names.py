"""Finds the tests that are wanted among those that were told of."""

import re
from typing import List, Sequence, Tuple

from .outcomes import PASSING, Statuses

_WITH_METHOD = re.compile(r"^(\w+) \(([\w.<>]+)\.\1\)$")


class Results:
    """The statuses of tests by all names that they may be asked for."""

    def __init__(self, statuses: Statuses) -> None:
        self._statuses: Statuses = {}
        for name, status in statuses.items():
            self._statuses[name] = status
            self._statuses.setdefault(without_method(name), status)

    def of(self, wanted: str) -> Tuple[bool, str]:
        """Outcome of a test: true if it passed, and its status or why it did not.

        A name that was cut at a blank, as in published data, is that of the only test whose name begins so.
        """
        escaped = wanted.encode("unicode_escape", "surrogatepass").decode("ascii")  # as pytest writes its parameters
        known = (self._statuses.get(name) for name in (wanted, without_method(wanted), escaped))
        found = next((one for one in known if one is not None), None)
        if found is None:
            begun = self._begun(wanted)
            if len(begun) > 1:
                named = "; ".join(begun[:3]) + ("; ..." if len(begun) > 3 else "")
                return False, "ambiguous: the names of {} tests begin so: {}".format(len(begun), named)
            found = self._statuses[begun[0]] if begun else ("not among the results", "")
        status, why = found
        return status in PASSING, "{}: {}".format(status, why) if why else status

    def _begun(self, wanted: str) -> List[str]:
        return sorted(name for name in self._statuses if name.startswith(wanted + " "))

    def missing(self, wanted: Sequence[str]) -> List[Tuple[str, str]]:
        """Tests that did not pass, each with its status or why."""
        asked = [(name, self.of(name)) for name in wanted]
        return [(name, why) for name, (passed, why) in asked if not passed]


def without_method(name: str) -> str:
    """Python 3.11 says `test_b (a.C.test_b)` where older ones say `test_b (a.C)`: all as the older ones."""
    return _WITH_METHOD.sub(r"\1 (\2)", name)
