"""The fake provider in the place of those that the conformance suite runs on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.integration.runtime.conftest import box, make_box, new_snapshot, runtime
from tests.unit.fake_runtime.runtime import FakeRuntime, Host

__all__ = ["box", "make_box", "new_snapshot", "provider", "runtime"]


@dataclass(frozen=True)
class FakeProvider:
    """Makes runtimes over hosts in memory; the same name is the same host again."""

    config: Mapping[str, str] = field(default_factory=dict[str, str])
    hosts: dict[str, Host] = field(default_factory=dict[str, Host])

    async def open(self, name: str) -> FakeRuntime:
        return FakeRuntime(self.hosts.setdefault(name, Host()))


@pytest.fixture(scope="session")
def provider() -> FakeProvider:
    return FakeProvider()
