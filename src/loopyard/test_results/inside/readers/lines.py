"""The lines of pytest's summary, and of unittest's and Django's verbose output. A later line of a test overrules."""

import re
from typing import List, Optional

from ..outcomes import Statuses

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\r(?=$)")
_PYTEST = re.compile(r"^(PASSED|FAILED|ERROR|XFAIL|XPASS|SKIPPED) (?:at setup of )?(\S.*?)\s*$")
_VERBOSE = re.compile(r"^(\S*?\.py::\S.*?) (PASSED|FAILED|ERROR|XFAIL|XPASS|SKIPPED)(?: \(.*\))?(?: +\[ *\d+%\])?\s*$")
_NAMED = re.compile(r"(?:^|[^\w.])(?:OK)?(\w+ \([\w.<>]+\))$")
_NAME = re.compile(r"^\w+ \([\w.<>]+\)$")
_HEADING = re.compile(r"^(FAIL|ERROR): (\w+ \([\w.<>]+\))")
_STATUS = re.compile(r"(ok|OK|FAIL|ERROR|expected failure|unexpected success|skipped\b.*)\s*$")
_MEANT = {
    "ok": "PASSED", "OK": "PASSED", "FAIL": "FAILED", "ERROR": "ERROR", "expected failure": "XFAIL",
    "unexpected success": "XPASS",
}  # fmt: skip


def read(text: str) -> Statuses:
    """The statuses by pytest's ids and by unittest's names, both as they are printed and as docstrings."""
    found: Statuses = {}
    unittest = _Unittest(found)
    for raw in text.split("\n"):
        line = _COLOURS.sub("", raw)
        pytest = _PYTEST.match(line)
        if pytest is not None:
            for name in _pytest_names(pytest.group(1), pytest.group(2)):
                found[name] = (pytest.group(1), "")
            continue
        verbose = _VERBOSE.match(line)
        if verbose is not None:
            found[verbose.group(1)] = (verbose.group(2), "")
            continue
        unittest.take(line)
    return found


def _pytest_names(status: str, rest: str) -> List[str]:
    """The names that the rest of a summary's line may stand for: reasons follow after a dash, which names may have."""
    if status in ("PASSED", "XPASS"):
        return [rest]
    pieces = rest.split(" - ")
    names = [" - ".join(pieces[:count]) for count in range(1, len(pieces) + 1)]
    if status in ("FAILED", "ERROR"):
        return names
    return [next((name for name in names if name.count("[") == name.count("]")), rest)]


class _Unittest:
    """Reads unittest's lines: a name, perhaps a docstring under it, dots, perhaps other text, and how it ended."""

    def __init__(self, found: Statuses) -> None:
        self._found = found
        self._above: Optional[str] = None
        self._waiting: List[str] = []

    def take(self, line: str) -> None:
        heading = _HEADING.match(line)
        if heading is not None:
            self._found[heading.group(2)] = ("FAILED" if heading.group(1) == "FAIL" else "ERROR", "")
            self._waiting = []
            return
        head, dots, tail = line.rpartition(" ... ")
        if not dots and line.endswith(" ..."):
            head, dots, tail = line[:-4], " ...", ""
        first, more, rest = line.partition(" ... ")
        if more and first != head and _NAMED.search(first):
            head, tail = first, rest
        if dots:
            self._waiting = self._names(head)
            self._end(tail, whole=False)
        elif self._waiting:
            self._end(line, whole=True)
        self._above = line.strip() if _NAME.match(line.strip()) else None

    def _names(self, head: str) -> List[str]:
        names = [head.strip()]
        named = _NAMED.search(head)
        if named is not None:
            names.append(named.group(1))
        elif self._above is not None:
            names.append(self._above)
        return names

    def _end(self, text: str, *, whole: bool) -> None:
        """Take the status that stands in, or at the end of, a text. One at the end of other text may be overruled."""
        text = text.strip()
        status = _STATUS.match(text)
        at_end = status or (None if whole and not text.endswith("ok") else _STATUS.search(text))
        if at_end is None:
            return
        word = at_end.group(1)
        for name in self._waiting:
            self._found[name] = (_MEANT.get(word, "SKIPPED"), "")
        if status is not None:
            self._waiting = []
