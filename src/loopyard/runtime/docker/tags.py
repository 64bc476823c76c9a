"""Images of one server in the engine, by names that no other server's have."""

import logging
from typing import Any

import aiodocker

from loopyard.runtime.docker.engine import Engine

log = logging.getLogger("loopyard.runtime.image")


async def exists(engine: Engine, name: str) -> bool:
    """True if the engine has an image of this name."""
    try:
        await engine.docker.images.inspect(name)
    except aiodocker.DockerError as error:
        if error.status == 404:
            return False
        raise
    return True


class Tags:
    """Images of one kind, each with an id as its tag. `server` is the server's name."""

    def __init__(self, engine: Engine, server: str, kind: str) -> None:
        self._engine = engine
        self.repository = f"{server}/{kind}"
        self._deleted = f"{server}/deleted"

    def name(self, image_id: str) -> str:
        """The image's name in the engine."""
        return f"{self.repository}:{image_id}"

    async def has(self, image_id: str) -> bool:
        return await exists(self._engine, self.name(image_id))

    async def all(self) -> set[str]:
        """The ids of all that are there."""
        return await self._tags(self.repository)

    async def give(self, image: str, image_id: str) -> str:
        """Give an image of the engine a further name, which is returned."""
        params = {"repo": self.repository, "tag": image_id}
        await self._engine.ask("POST", f"images/{image}/tag", params=params)
        return self.name(image_id)

    async def take_away(self, image_id: str) -> None:
        """Take a name away, and with it the image, where it has no other. Does nothing if it is gone."""
        try:
            await self._engine.docker.images.delete(self.name(image_id))
        except aiodocker.DockerError as error:
            if error.status != 404:
                raise

    async def delete(self, image_id: str) -> None:
        """Take its name away. Its layers go with the last container that stands on them: see `sweep`."""
        async with self._engine.deleting_images:
            if not await self.has(image_id):
                return
            params = {"repo": self._deleted, "tag": image_id}
            await self._engine.ask("POST", f"images/{self.name(image_id)}/tag", params=params)
            # An image in use keeps its last name; it has two until this one is taken.
            await self.take_away(image_id)
            await self._sweep()

    async def sweep(self) -> None:
        """Delete what has lost its name and its last container."""
        async with self._engine.deleting_images:
            await self._sweep()

    async def _sweep(self) -> None:
        for tag in await self._tags(self._deleted):
            try:
                await self._engine.docker.images.delete(f"{self._deleted}:{tag}")
            except aiodocker.DockerError as error:
                log.debug("image %s is still in use: %s", tag, error)

    async def _tags(self, repository: str) -> set[str]:
        images: list[dict[str, Any]] = await self._engine.ask("GET", "images/json")
        names = [short(name) for image in images for name in image["RepoTags"] or ()]
        return {name.removeprefix(f"{repository}:") for name in names if name.startswith(f"{repository}:")}


def short(name: str) -> str:
    """An image's name without the registry that Podman puts before it."""
    return name.removeprefix("localhost/").removeprefix("docker.io/")
