"""Reports the outcomes of tests that unittest's text runner runs, Django's among them."""

import importlib
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Set

from .channel import Send
from .untouched import UNITTEST, Untouched

_EVENTS = {
    "addSuccess": "PASSED",
    "addFailure": "FAILED",
    "addError": "ERROR",
    "addSkip": "SKIPPED",
    "addExpectedFailure": "XFAIL",
    "addUnexpectedSuccess": "XPASS",
}


def attach(opened: Callable[[], Optional[Send]], directory: str) -> None:
    """Let the outermost run of the text runner be reported. `opened` gives the way to the judge when one begins."""
    unittest = importlib.import_module("unittest")
    runner = unittest.TextTestRunner
    original = runner.run
    owner = os.getpid()
    running: List[bool] = []
    checked: List[Untouched] = []

    def run(self: Any, test: Any) -> Any:
        send = opened() if not running and os.getpid() == owner else None
        if send is None:
            return original(self, test)
        send({"kind": "begin", "runner": "unittest", "file": os.path.realpath(str(unittest.__file__))})
        make = self._makeResult
        watched = _Watched(send, checked[0], directory)

        def _make() -> Any:
            return watched.watch(make())

        self._makeResult = _make
        running.append(True)
        try:
            result = original(self, test)
        finally:
            running.pop()
            del self._makeResult
        watched.end()
        return result

    runner.run = run
    checked.append(Untouched(UNITTEST, directory))


class _Watched:
    """A result whose every event is noted on its way."""

    def __init__(self, send: Send, untouched: Untouched, directory: str) -> None:
        self._directory = directory
        self._send = send
        self._untouched = untouched
        self._count = 0
        self._statuses: Dict[int, Set[str]] = {}

    def watch(self, result: Any) -> Any:
        for name, status in _EVENTS.items():
            self._before(result, name, self._noting(status))
        self._before(result, "addSubTest", self._subtest)
        self._before(result, "startTest", self._start)
        self._before(result, "stopTest", self._stop)
        return result

    def _before(self, result: Any, name: str, note: Callable[..., None]) -> None:
        method = getattr(result, name, None)
        if method is None:
            return

        def noted(*args: Any, **kwargs: Any) -> Any:
            note(*args, **kwargs)
            return method(*args, **kwargs)

        setattr(result, name, noted)

    def _noting(self, status: str) -> Callable[..., None]:
        def note(test: Any, *_args: Any, **_kwargs: Any) -> None:
            noted = self._statuses.get(id(test))
            if noted is None:  # setUpClass and its like, which no test is begun for
                self._tell(test, {status})
            else:
                noted.add(status)

        return note

    def _subtest(self, test: Any, _subtest: Any, error: Any = None) -> None:
        if error is not None:
            self._statuses.setdefault(id(test), set()).add("FAILED")

    def _start(self, test: Any) -> None:
        self._statuses[id(test)] = set()

    def _stop(self, test: Any) -> None:
        self._tell(test, self._statuses.pop(id(test), set()))

    def _tell(self, test: Any, statuses: Set[str]) -> None:
        module = sys.modules.get(type(test).__module__)
        record = {
            "kind": "test",
            "names": _names(test),
            "statuses": sorted(statuses),
            # A script's own file may be named relative to where it was started.
            "module": os.path.realpath(os.path.join(self._directory, str(getattr(module, "__file__", None) or ""))),
        }
        self._count += 1
        self._send(record)
        self._tell_changes()

    def _tell_changes(self) -> None:
        changed = self._untouched.changed()
        if changed:
            self._send({"kind": "changed", "names": changed[:5]})

    def end(self) -> None:
        self._tell_changes()
        self._send({"kind": "end", "count": self._count, "status": 0})


def _names(test: Any) -> List[str]:
    """All that Python's versions print for a test: with and without the method at the end, or its docstring."""
    found = [str(test)]
    method = getattr(test, "_testMethodName", None)
    if method is not None:
        of = importlib.import_module("unittest.util").strclass(type(test))
        found += ["{} ({})".format(method, of), "{} ({}.{})".format(method, of, method)]
        try:
            described = test.shortDescription()
        except Exception:
            described = None
        if described:
            found.append(str(described))
    return list(dict.fromkeys(found))
