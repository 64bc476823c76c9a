"""Every provider, opened once for all its tests, and sandboxes of it.

The tests in `conformance` run on each provider that this machine can have. Where the protocol leaves something to the
provider's host, it says so by `runtime.features`, and the test asks that.
"""

import itertools
from collections.abc import AsyncGenerator

import pytest

from loopyard.runtime.config import CrunConfig
from loopyard.runtime.protocol import Runtime, SandboxSpec
from loopyard.runtime.readiness import KeepsReady
from tests.integration.runtime.box import Box, MakeBox, until_ready
from tests.integration.runtime.providers import PROVIDERS, Provider
from tests.suite.spent import spent

_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=PROVIDERS)
async def provider(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Provider]:
    """Makes runtimes of one kind. Skips the test where this machine cannot have it."""
    name: str = request.param
    async with PROVIDERS[name](tmp_path_factory.mktemp(name)) as made:
        yield made


@pytest.fixture(scope="session")
async def runtime(provider: Provider) -> AsyncGenerator[Runtime]:
    """The provider that the tests share, opened."""
    runtime = await provider.open("shared")
    if isinstance(runtime, KeepsReady):
        runtime.keep_ready(SandboxSpec(id=""))
    yield runtime
    for sandbox_id in await runtime.sandboxes():
        await runtime.destroy(sandbox_id)
    for snapshot_id in await runtime.snapshots():
        await runtime.delete_snapshot(snapshot_id)
    await runtime.close()


@pytest.fixture
async def make_box(provider: Provider, runtime: Runtime) -> AsyncGenerator[MakeBox]:
    """Makes sandboxes (arguments: fields of `SandboxSpec`) that are gone after the test."""
    made: list[str] = []

    async def make(**fields: object) -> Box:
        fields.setdefault("id", f"box-{next(_numbers)}")
        spec = SandboxSpec(**fields)  # type: ignore[arg-type]
        made.append(spec.id)
        if isinstance(provider.config, CrunConfig) and provider.config.ready_sandboxes:
            await until_ready(runtime)
        with spent("sandboxes"):
            await runtime.create(spec)
        return Box(runtime, spec.id)

    yield make
    for sandbox_id in made:
        await runtime.destroy(sandbox_id)
        await runtime.forget(sandbox_id)


@pytest.fixture
async def box(make_box: MakeBox) -> Box:
    """A sandbox of the default kind."""
    return await make_box()


@pytest.fixture
async def new_snapshot(runtime: Runtime) -> AsyncGenerator[list[str]]:
    """Ids of snapshots that a test took: those it puts in here are deleted after it."""
    taken: list[str] = []
    yield taken
    for snapshot_id in taken:
        await runtime.delete_snapshot(snapshot_id)
