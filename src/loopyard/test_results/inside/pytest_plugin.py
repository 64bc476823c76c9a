"""Reports the outcomes of pytest's tests, as a plug-in that is registered as an object."""

import importlib
import os
from typing import Any, Dict, Generator, Optional, Set, Tuple

from .channel import Send
from .pytest_ran import Ran
from .untouched import PYTEST, Untouched

_real = os.path.realpath


def reporter(send: Send, directory: str) -> Any:
    """A plug-in for one session of pytest, whose modules are loaded by now."""
    pytest = importlib.import_module("pytest")
    untouched = Untouched(PYTEST, directory)
    ran = Ran(directory)
    raised: Dict[Tuple[str, str], str] = {}
    files: Dict[str, Tuple[str, Optional[str]]] = {}
    marked: Set[str] = set()

    class Reporter:
        """Outcomes are taken from what a test raised and from the report of it; both must be good."""

        _forked = False
        _config: Any = None
        _count = 0
        _begun = False

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_cmdline_main(self, config: Any) -> "Generator[None, Any, None]":
            # One process runs all: reports from others are only words.
            self._config = config
            alone: Dict[str, Any] = {"numprocesses": 0, "dist": "no", "tx": []}
            for name, value in alone.items():
                if hasattr(config.option, name):
                    setattr(config.option, name, value)
            self._forked = bool(getattr(config.option, "forked", False))
            yield
            if not self._begun:  # it was asked for its version or the like
                send({"kind": "end", "count": 0, "status": 0})

        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionstart(self) -> None:
            self._begun = True

        @pytest.hookimpl(tryfirst=True)
        def pytest_itemcollected(self, item: Any) -> None:
            ran.collected(item)

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_call(self, item: Any) -> "Generator[None, Any, None]":
            around = ran.around_call(item)
            next(around)
            yield
            next(around, None)

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_makereport(self, item: Any, call: Any) -> "Generator[None, Any, None]":
            yield
            excinfo = call.excinfo
            raised[item.nodeid, call.when] = "" if excinfo is None else excinfo.type.__name__
            if _expected(item, excinfo):
                marked.add(item.nodeid)
            if item.nodeid not in files:
                module = getattr(item, "module", None)
                own = str(getattr(item, "path", None) or item.fspath)
                files[item.nodeid] = (_real(own), None if module is None else _file(module))

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_logreport(self, report: Any) -> None:
            name = report.nodeid
            own, module = files.get(name, (None, None))
            record = {
                "kind": "phase",
                "name": self._shown(name),
                "when": report.when,
                "outcome": report.outcome,
                "xfail": hasattr(report, "wasxfail"),
                "raised": None
                if name in ran.not_run
                else raised.get((name, report.when), "" if self._forked else None),
                "expected": name in marked,
                "subtest": type(report).__name__.lower() == "subtestreport",
                "file": own,
                "module": module,
            }
            self._count += 1
            send(record)
            if report.when == "call":
                self._tell_changes()

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_sessionfinish(self, exitstatus: Any) -> "Generator[None, Any, None]":
            yield
            self._tell_changes()
            send({"kind": "end", "count": self._count, "status": int(exitstatus)})

        def _tell_changes(self) -> None:
            changed = untouched.changed()
            if changed:
                send({"kind": "changed", "names": changed[:5]})

        def _shown(self, name: str) -> str:
            """The name as pytest prints it: relative to where it was started."""
            try:
                return str(self._config.cwd_relative_nodeid(name))
            except AttributeError:
                return name

    send({"kind": "begin", "runner": "pytest", "file": _real(str(pytest.__file__))})
    return Reporter()


def _file(module: Any) -> str:
    return _real(str(getattr(module, "__file__", None) or ""))


def _expected(item: Any, excinfo: Any) -> bool:
    """True if the test says itself that it is to fail."""
    find = getattr(item, "get_closest_marker", None) or getattr(item, "get_marker", None)
    if find is not None and find("xfail") is not None:
        return True
    return excinfo is not None and excinfo.type.__name__ == "XFailed"
