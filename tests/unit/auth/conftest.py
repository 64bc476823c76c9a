"""Servers in this process."""

from collections.abc import AsyncGenerator

import pytest

from tests.unit.auth.world import World, world


@pytest.fixture(scope="package")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    """A server that the tests share. What they make in it must not matter to others."""
    async with world(tmp_path_factory.mktemp("auth")) as made:
        yield made
