"""Ends what a folder's tests share once the next test is in another folder: servers, providers, engines.

A host has a fixed number of network ranges for servers. Without this each worker would keep the servers of all folders
that it has been to until its end.
"""

from collections.abc import Generator
from typing import Any

import pytest

_SHARED = ("session", "package")


class EarlyTeardown:
    """Finishes fixtures of the scopes session and package when the tests below their folder are left."""

    def __init__(self) -> None:
        self._active: list[pytest.FixtureDef[Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        if fixturedef.scope in _SHARED and fixturedef not in self._active:
            self._active.append(fixturedef)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Function, nextitem: pytest.Item | None) -> Generator[None]:
        yield
        if nextitem is None:
            return
        for definition in reversed(self._active):
            if not nextitem.nodeid.startswith(definition.baseid):
                definition.finish(item._request)  # pyright: ignore[reportArgumentType, reportPrivateUsage]
        self._active = [each for each in self._active if nextitem.nodeid.startswith(each.baseid)]
