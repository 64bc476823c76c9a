"""The providers that the conformance suite runs on, as this machine can have them."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopyard.runtime.config import CrunConfig, DockerConfig
from loopyard.runtime.factory import open_runtime
from loopyard.runtime.protocol import Runtime
from tests.integration.runtime.dockerd import NoEngine, docker_engine

READY = 24
"""How many are kept ready by the provider that keeps some."""


@dataclass(frozen=True)
class Provider:
    """One kind of provider, with a folder for the data of its runtimes."""

    config: CrunConfig | DockerConfig
    folder: Path

    async def open(self, name: str) -> Runtime:
        """A runtime, opened. The same name is the same data folder again."""
        return await open_runtime(self.config, self.folder / name)


def _images() -> Path:
    return Path(os.environ["LOOPYARD_RUNTIME__IMAGES"])


@asynccontextmanager
async def _crun(folder: Path) -> AsyncGenerator[Provider]:
    yield Provider(CrunConfig(images=_images(), disk_gib=20, ready_sandboxes=0), folder)


@asynccontextmanager
async def _crun_ready(folder: Path) -> AsyncGenerator[Provider]:
    """Where it can, it hands over sandboxes that it has made before."""
    yield Provider(CrunConfig(images=_images(), disk_gib=20, ready_sandboxes=READY), folder)


@asynccontextmanager
async def _docker(folder: Path) -> AsyncGenerator[Provider]:
    try:
        with docker_engine() as socket:
            yield Provider(DockerConfig(images=_images(), socket=socket), folder)
    except NoEngine as reason:
        pytest.skip(str(reason))


PROVIDERS: dict[str, Callable[[Path], AbstractAsyncContextManager[Provider]]] = {
    "crun": _crun,
    "crun-ready": _crun_ready,
    "docker": _docker,
}
