"""Garbage collector of the layers that builds leave in the engine: those of failed builds, and the build cache."""

import json
import time
from collections.abc import Sequence
from typing import Any

import aiodocker

from loopyard.runtime.docker.building.lowering import LABEL
from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.upkeep import Leftover

_DAY_SECONDS = 24 * 3600


class LayersKeeper:
    """Names are the engine's ids of images without a name, with nothing on top of them. `server` is its name."""

    def __init__(self, engine: Engine, server: str) -> None:
        self._engine = engine
        self._server = server

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:
        before = time.time() - cache_days * _DAY_SECONDS
        filters = json.dumps({"label": [f"{LABEL}={self._server}"], "dangling": ["true"]})
        rows: list[dict[str, Any]] = await self._engine.ask("GET", "images/json", params={"filters": filters})
        return [Leftover("layers", str(row["Id"])) for row in rows if int(row["Created"]) <= before]

    async def free(self, leftover: Leftover) -> bool:
        try:
            found: dict[str, Any] = await self._engine.docker.images.inspect(leftover.name)
            if found.get("RepoTags"):
                return False
            await self._engine.docker.images.delete(leftover.name)
        except aiodocker.DockerError as error:
            return error.status == 404
        return True
