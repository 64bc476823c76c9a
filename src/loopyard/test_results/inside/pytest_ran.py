"""Makes sure that a test's own function ran, where code of the working directory has a hand in how tests are run."""

import inspect
import os
import sys
from typing import Any, Dict, Iterator, List, Set


class Ran:
    """The functions of tests as they were collected, and which tests passed over them."""

    def __init__(self, directory: str) -> None:
        self._inside = os.path.join(os.path.realpath(directory), "")
        self._codes: Dict[str, Any] = {}
        self.not_run: Set[str] = set()

    def collected(self, item: Any) -> None:
        self._codes[item.nodeid] = _code(getattr(item, "obj", None))

    def around_call(self, item: Any) -> Iterator[None]:
        """Yields once, for the call: looked at only where it may be another one than pytest's own, since it is slow."""
        code = self._codes.get(item.nodeid)
        if code is None or not self._meddled(item, code):
            yield
            return
        seen: List[bool] = []

        def look(frame: Any, event: str, _argument: Any) -> None:
            if event == "call" and frame.f_code is code:
                seen.append(True)

        before = sys.getprofile()
        sys.setprofile(look)
        try:
            yield
        finally:
            sys.setprofile(before)
        if seen:
            self.not_run.discard(item.nodeid)
        else:
            self.not_run.add(item.nodeid)

    def _meddled(self, item: Any, code: Any) -> bool:
        if "runtest" in vars(item) or _code(item.obj) is not code:
            return True
        try:
            found = item.ihook.pytest_pyfunc_call.get_hookimpls()
        except AttributeError:
            return False
        return any(self._own(_code(one.function)) for one in found)

    def _own(self, code: Any) -> bool:
        path = os.path.realpath(str(getattr(code, "co_filename", "")))
        return path.startswith(self._inside) and "-packages" + os.sep not in path


def _code(function: Any) -> Any:
    try:
        function = inspect.unwrap(function)
    except (ValueError, AttributeError):
        return None
    function = getattr(function, "__func__", function)
    return getattr(getattr(function, "func", function), "__code__", None)
