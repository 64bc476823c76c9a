"""Begins with Python itself: loads the test framework before anything of the working directory can take its place."""

import importlib
import importlib.abc
import os
import sys
from typing import Any, List, Optional

from .channel import Send, connect
from .pytest_plugin import reporter
from .records import address
from .unittest_runs import attach

_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_SCRIPTS = {"pytest": "pytest", "py.test": "pytest", "pytest-3": "pytest"}
_MODULES = {"pytest": "pytest", "py.test": "pytest", "unittest": "unittest"}


class Reporter:
    """Reporter of this process, and when it begins. `folder` is the reporter's on the path, an archive."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._directory = os.getcwd()
        self._owner = os.getpid()
        self._send: Optional[Send] = None
        self._runner: Optional[str] = None

    def begin(self) -> None:
        """Prepare for what the command line says that this process is to run."""
        runner = started()
        if runner is None:
            sys.meta_path.insert(0, _After({"unittest": self._unittest, "_pytest.config": self._pytest}))
            return
        path = list(sys.path)
        sys.path[:] = [one for one in path if not self._of_work(one)]
        try:
            self._load(runner)
        except ImportError:
            sys.path[:] = path  # a repository may be the framework's own
            try:
                self._load(runner)
            except ImportError:
                return
        finally:
            sys.path[:] = path
        send = self._opened(runner)
        if send is not None:
            send({"kind": "start"})
        if runner == "pytest":
            self._pytest()
        else:
            self._unittest()

    def _load(self, runner: str) -> None:
        importlib.import_module("unittest.main")
        if runner == "pytest":
            importlib.import_module("pytest")
            config = importlib.import_module("_pytest.config")
            for name in getattr(config, "default_plugins", ()):
                try:
                    importlib.import_module("_pytest." + name)
                except ImportError:
                    continue

    def _unittest(self) -> None:
        attach(lambda: self._opened("unittest"), self._directory)

    def _pytest(self) -> None:
        config: Any = sys.modules["_pytest.config"]
        original = config._prepareconfig
        begun: List[bool] = []

        def prepare(args: Any = None, plugins: Any = None, *more: Any, **named: Any) -> Any:
            send = None if begun else self._opened("pytest")
            begun.append(True)
            if send is not None:
                plugins = [*(plugins or ()), reporter(send, self._directory)]
            return original(args, plugins, *more, **named)

        config._prepareconfig = prepare

    def _opened(self, runner: str) -> Optional[Send]:
        """The way to the judge, for the first runner that asks: others in this process are run by its tests."""
        self._runner = self._runner or runner
        if os.getpid() != self._owner or self._runner != runner:
            return None
        if self._send is None:
            self._send = connect(address(self._folder))
            self._hide()
        return self._send

    def _hide(self) -> None:
        """Leave nothing of this where code under test, or programs that it starts, would find it by accident."""
        sys.path[:] = [one for one in sys.path if one != self._folder]
        for one in [one for one in sys.path_importer_cache if one.startswith(self._folder)]:
            del sys.path_importer_cache[one]
        rest = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one != self._folder]
        if any(rest):
            os.environ["PYTHONPATH"] = os.pathsep.join(rest)
        else:
            os.environ.pop("PYTHONPATH", None)
        for name in [name for name in sys.modules if name.partition(".")[0] == __name__.partition(".")[0]]:
            del sys.modules[name]

    def _of_work(self, path: str) -> bool:
        inside = os.path.join(os.path.realpath(path or "."), "")
        return inside.startswith(os.path.join(os.path.realpath(self._directory), "")) and "-packages" not in inside


class _After(importlib.abc.MetaPathFinder):
    """Calls a function each time that one of the named modules has been loaded."""

    def __init__(self, calls: Any) -> None:
        self._calls = dict(calls)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        call = self._calls.get(name)
        if call is None:
            return None
        del self._calls[name]
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module = _followed(spec.loader.exec_module, call)
                return spec
        return None


def _followed(execute: Any, call: Any) -> Any:
    def run(module: Any) -> None:
        execute(module)
        call()

    return run


def started() -> Optional[str]:
    """The test runner that this process was started as: pytest, unittest, or None."""
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = [os.fsdecode(word) for word in file.read().split(b"\0")[1:-1]]
    except OSError:
        return None
    place = 0
    while place < len(words):
        word = words[place]
        if word in _WITH_VALUE:
            place += 2
        elif word.startswith("-") and not word.startswith("--") and len(word) > 1:
            if word.endswith("m"):
                return _MODULES.get(words[place + 1]) if place + 1 < len(words) else None
            if "m" in word[1:] and word[1] not in "WX":
                return _MODULES.get(word.partition("m")[2])
            if word.endswith("c"):
                return None
            place += 1
        elif word.startswith("--"):
            place += 1
        else:
            return _SCRIPTS.get(os.path.basename(word))
    return None


def begin(launcher: str) -> None:
    """Called by the `sitecustomize.py` beside this package; another one on the path is run after it."""
    folder = os.path.dirname(os.path.abspath(launcher))
    own = sys.modules.get("sitecustomize")
    reporting = Reporter(folder)
    path = list(sys.path)
    sys.path[:] = [one for one in path if one != folder]
    sys.modules.pop("sitecustomize", None)
    try:
        importlib.import_module("sitecustomize")
    except ImportError:
        pass
    finally:
        sys.path[:] = path
        if own is not None:
            sys.modules.setdefault("sitecustomize", own)
    reporting.begin()
