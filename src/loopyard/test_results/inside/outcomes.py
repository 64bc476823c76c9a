"""The one status of each test, from all that was told about it (docs/trusted-scores.md has the table)."""

import os
from typing import Any, Dict, List, Sequence, Tuple

from .sessions import Session

Statuses = Dict[str, Tuple[str, str]]
"""Test names, each with its status and, for some, why: PASSED, XFAIL, XPASS, SKIPPED, FAILED, ERROR, NOT RUN."""

PASSING = ("PASSED", "XFAIL")
_RANK = ("SKIPPED", "XPASS", "PASSED", "XFAIL", "NOT RUN", "ERROR", "FAILED")
"""pytest prints its summary in this order, and a later line of a test overrules an earlier one."""


def statuses(sessions: Sequence[Session]) -> Statuses:
    """The statuses of all tests of sessions; of several for one test, the worst one counts."""
    found: Statuses = {}
    for session in sessions:
        for record in session.records:
            names, status = _of_phase(record) if record.get("kind") == "phase" else _of_test(record)
            for name in names if status[0] else ():
                known = found.get(name)
                if known is None or worse(status[0], known[0]):
                    found[name] = status
    return found


def worse(status: str, than: str) -> bool:
    """True if a status overrules another one of the same test."""
    return _RANK.index(status) > _RANK.index(than)


def passed_files(sessions: Sequence[Session]) -> List[str]:
    """The files of the tests that passed."""
    files: Dict[str, None] = {}
    for session in sessions:
        for record in session.records:
            _, status = _of_phase(record) if record.get("kind") == "phase" else _of_test(record)
            if status[0] in PASSING:
                files[str(record.get("module") or record.get("file") or "")] = None
    return list(files)


def _of_phase(record: Dict[str, Any]) -> Tuple[List[str], Tuple[str, str]]:
    names = [str(record.get("name"))]
    outcome, when, xfail = record.get("outcome"), record.get("when"), bool(record.get("xfail"))
    if outcome == "failed":
        return names, ("FAILED" if when == "call" else "ERROR", "" if when == "call" else "in its {}".format(when))
    if record.get("subtest"):
        return names, ("", "")
    if outcome == "skipped":
        if not xfail:
            return names, ("SKIPPED", "")
        if when == "teardown":
            return names, ("", "")
        if not record.get("expected"):
            return names, ("NOT RUN", "it was reported as an expected failure, though nothing marks it as one")
        return names, ("XFAIL", "")
    if outcome == "passed" and record.get("raised") != "":
        why = (
            "without having been run" if record.get("raised") is None else "though it raised {raised}".format(**record)
        )
        return names, ("NOT RUN", "it was reported as passed, " + why)
    if outcome != "passed" or when != "call":
        return names, ("", "")
    if xfail:
        return names, ("XPASS", "")
    wrong = _wrong_file(record)
    return names, (("NOT RUN", wrong) if wrong else ("PASSED", ""))


def _of_test(record: Dict[str, Any]) -> Tuple[List[str], Tuple[str, str]]:
    names = [str(name) for name in record.get("names", ())]
    told = [str(status) for status in record.get("statuses", ())]
    bad = [status for status in _RANK if status in told and status not in PASSING]
    if bad:
        return names, (bad[-1], "")
    good = [status for status in told if status in PASSING]
    if not good:
        return names, ("NOT RUN", "nothing was reported of how it ended")
    wrong = _wrong_file(record)
    return names, (("NOT RUN", wrong) if wrong else (good[0], ""))


def _wrong_file(record: Dict[str, Any]) -> str:
    """Why the module that a test is in is not the file that it should be; empty if it is."""
    module, own = record.get("module"), record.get("file")
    if module is None:
        return ""
    if own is not None and own.endswith(".py") and module != own:
        return "it is in {} instead of {}".format(module or "no file", own)
    if module and not module.endswith(".py"):
        return "it is in {}, which is no source".format(module)
    folder, name = os.path.split(str(module))
    if name == "__init__.py" and os.path.isfile(folder + ".py"):
        return "the package {} takes the place of {}.py".format(folder, folder)
    return ""
