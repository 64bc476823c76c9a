"""Ends what a folder's tests share once the next test does not need it: servers, providers, engines.

A host has a fixed number of network ranges for servers. Without this each worker would keep the servers of all folders
that it has been to until its end.
"""

from collections.abc import Generator, Iterable
from typing import Any

import pytest

_SHARED = ("session", "package")


class EarlyTeardown:
    """Finishes fixtures of the scopes session and package. Those in `tests/conftest.py` are kept: all folders use
    them."""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Function, nextitem: pytest.Function | None) -> Generator[None]:
        yield
        if nextitem is None:
            return
        needed = {id(definition) for definition in _definitions(nextitem)}
        for definition in _definitions(item):
            if id(definition) not in needed and definition.scope in _SHARED and "/" in definition.baseid:
                definition.finish(item._request)  # pyright: ignore[reportArgumentType, reportPrivateUsage]


def _definitions(item: pytest.Function) -> Iterable[pytest.FixtureDef[Any]]:
    """The fixtures that a test uses, by itself or through others. Doctests and the like have none."""
    used = getattr(item, "_fixtureinfo", None)
    if used is None:
        return
    for definitions in used.name2fixturedefs.values():
        yield from definitions
