"""Ends what a folder's tests share once the next test is in another folder: servers, providers, engines.

A host has a fixed number of network ranges for servers. Without this each worker would keep the servers of all folders
that it has been to until its end.
"""

from collections.abc import Generator, Iterable
from typing import Any

import pytest

_SHARED = ("session", "package")


class EarlyTeardown:
    """Finishes fixtures of the scopes session and package when the tests below their folder are left."""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Function, nextitem: pytest.Function | None) -> Generator[None]:
        yield
        if nextitem is None:
            return
        for definition in _definitions(item):
            if definition.scope in _SHARED and not nextitem.nodeid.startswith(definition.baseid):
                definition.finish(item._request)  # pyright: ignore[reportArgumentType, reportPrivateUsage]


def _definitions(item: pytest.Function) -> Iterable[pytest.FixtureDef[Any]]:
    """The fixtures that a test uses, by itself or through others. Doctests and the like have none."""
    used = getattr(item, "_fixtureinfo", None)
    if used is None:
        return
    for definitions in used.name2fixturedefs.values():
        yield from definitions
