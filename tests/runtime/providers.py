"""The providers that the conformance suite runs on, as this machine can have them."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from loopyard.runtime.config import CrunConfig, RuntimeConfig
from loopyard.runtime.protocol import Runtime


@dataclass(frozen=True)
class Provider:
    """One kind of provider, with a folder for the data of its runtimes."""

    config: RuntimeConfig
    folder: Path

    def build(self, name: str) -> Runtime:
        """A runtime, not yet opened. The same name is the same data folder again."""
        return self.config.build(self.folder / name)


@asynccontextmanager
async def _crun(folder: Path) -> AsyncGenerator[Provider]:
    images = Path(os.environ["LOOPYARD_RUNTIME__IMAGES"])
    yield Provider(CrunConfig(images=images, disk_gib=20), folder)


PROVIDERS: dict[str, Callable[[Path], AbstractAsyncContextManager[Provider]]] = {"crun": _crun}
