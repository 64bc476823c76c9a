"""Notices when code of the working directory replaces functions of the test framework."""

import os
import sys
import types
from typing import Any, Dict, List, Sequence, Tuple

_UNITTEST = ("case", "suite", "result", "runner", "loader")
_PYTEST = ("runner", "reports", "python", "unittest", "skipping", "main", "outcomes")
_PLUGGY = ("callers", "_callers", "hooks", "_hooks", "_result", "manager", "_manager")

UNITTEST = tuple("unittest." + name for name in _UNITTEST)
PYTEST = (*UNITTEST, *("_pytest." + name for name in _PYTEST), *("pluggy." + name for name in _PLUGGY))

_KINDS: Any = (types.FunctionType, staticmethod, classmethod, property)
_Known = Tuple[Any, str, Any, Any]


class Untouched:
    """The functions of modules as they were at first. Modules that are not loaded are left out."""

    def __init__(self, modules: Sequence[str], directory: str) -> None:
        self._inside = os.path.join(os.path.realpath(directory), "")
        self._known: List[_Known] = []
        for name in modules:
            module = sys.modules.get(name)
            if module is not None:
                self._learn(module, name)

    def _learn(self, module: Any, name: str) -> None:
        for key, value in _members(module).items():
            if isinstance(value, types.FunctionType) and value.__module__ == name:
                self._known.append((module, key, value, value.__code__))
            elif isinstance(value, type) and value.__module__ == name:
                for own, part in _members(value).items():
                    if isinstance(part, _KINDS):
                        self._known.append((value, own, part, getattr(part, "__code__", None)))

    def changed(self) -> List[str]:
        """The functions that code from the working directory has replaced, by their full names."""
        return [
            "{}.{}".format(getattr(owner, "__qualname__", owner.__name__), name)
            for owner, name, part, code in self._known
            if (_now(owner, name) is not part or getattr(part, "__code__", None) is not code)
            and not self._of_plugin(_now(owner, name))
        ]

    def _of_plugin(self, part: Any) -> bool:
        """Plug-ins that are installed may replace functions; the code of the working directory may not."""
        part = getattr(part, "__func__", part)
        part = getattr(part, "func", part)
        code = getattr(part, "__code__", None)
        path = getattr(code, "co_filename", "")
        if not path or not os.path.isfile(path):
            return False
        return not os.path.realpath(path).startswith(self._inside) or "-packages" + os.sep in path


def _members(owner: Any) -> Dict[str, Any]:
    return dict(owner.__dict__)


def _now(owner: Any, name: str) -> Any:
    return owner.__dict__.get(name)
