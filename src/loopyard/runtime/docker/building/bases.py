"""Images that a Dockerfile names, found in the engine or fetched by it, and held under names of the build's own."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiodocker

from loopyard.dockerfile.oci import from_oci
from loopyard.dockerfile.plan import ImageConfig
from loopyard.runtime.docker import container
from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.docker.tags import Tags, short
from loopyard.runtime.images import BASE_NAME, BuildFailed, BuildSpec
from loopyard.runtime.layout import read_json, write_whole

_OWN = re.compile(r"(localhost/|docker\.io/)*loopyard-")
"""Names of servers' own images: snapshots and blueprints of any account are among them."""


class WithLogin:
    """The images that only a build's own login has got so far: they are in the engine, and not for every account."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def has(self, image: str) -> bool:
        """True if nobody has got the image without such a login, as far as this server knows."""
        return image in self._known()

    def note(self, image: str, *, with_login: bool) -> None:
        """Note how an image was got."""
        known = self._known()
        if with_login != (image in known):
            write_whole(self._file, sorted(known ^ {image}))

    def _known(self) -> set[str]:
        return set(read_json(self._file) or ())


class Bases:
    """For one build. `made` are the images that the server has built, `held` the names that builds give."""

    def __init__(
        self,
        engine: Engine,
        base: str,
        made: Tags,
        held: Tags,
        with_login: WithLogin,
        spec: BuildSpec,
        told: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._base = base
        self._made = made
        self._held = held
        self._spec = spec
        self._told = told
        self._with_login = with_login
        self.names: dict[str, str] = {}
        """The engine's names of the images so far, by those that the Dockerfile has."""

    async def config(self, name: str) -> ImageConfig:
        """Find an image, and give its configuration.

        Raises:
            BuildFailed: It is not there, and cannot be fetched.
        """
        if name not in self.names:
            found = await self._find(name)
            self.names[name] = await self._held.give(found["Id"], f"{self._spec.id}-{len(self.names)}")
        return from_oci((await self._engine.docker.images.inspect(self.names[name])).get("Config") or {})

    async def _find(self, name: str) -> Mapping[str, Any]:
        if name == BASE_NAME:
            return await self._engine.docker.images.inspect(self._base)
        if name in self._spec.images:
            found = await self._named(self._made.name(name))
            if found is None:
                raise BuildFailed("build_failed", f"There is no image {name} in the engine.")
            return found
        if any(part in ("", ".", "..") for part in name.split("/")):
            raise BuildFailed("build_failed", f"{name} is no name of an image.")
        if _OWN.match(name):
            raise BuildFailed("build_failed", f"{name} is a name of the server's own images.")
        found = await self._named(name)
        if found is None or self._with_login.has(found["Id"]):  # then the registry decides who gets it
            await self._pull(name)
            found = await self._named(name)
            if found is not None:
                self._with_login.note(found["Id"], with_login=self._spec.login is not None)
        if found is None:
            raise BuildFailed("build_failed", f"There is no image {name} in the engine, and none was fetched.")
        return found

    async def _named(self, name: str) -> Mapping[str, Any] | None:
        """The image of that name; the beginning of an image's id, which the engine takes too, is none."""
        try:
            found: dict[str, Any] = await self._engine.docker.images.inspect(name)
        except aiodocker.DockerError as error:
            if error.status in (400, 404):
                return None
            raise
        names = [*(found.get("RepoTags") or ()), *(found.get("RepoDigests") or ())]
        wanted = _full(name)
        return found if any(_full(one) == wanted for one in names) else None

    async def _pull(self, name: str) -> None:
        if container.is_closed(self._spec.network_policy):
            message = f"There is no image {name} in the engine, and the network policy lets none be fetched."
            raise BuildFailed("build_failed", message)
        self._told(f"Fetching {name}.")
        headers: dict[str, str] = {}
        login = self._spec.login
        if login is not None and login.image == name:
            first = name.partition("/")[0]
            host = first if "/" in name and re.search(r"[.:]|^localhost$", first) else "https://index.docker.io/v1/"
            known = {"username": login.user, "password": login.password, "serveraddress": host}
            headers["X-Registry-Auth"] = base64.urlsafe_b64encode(json.dumps(known).encode()).decode()
        params = {"fromImage": name if "@" in name else _full(name)}
        try:
            async with self._engine.answer("POST", "images/create", params=params, headers=headers) as answer:
                async for line in answer.content:
                    said: dict[str, Any] = json.loads(line)
                    if "error" in said:
                        raise BuildFailed("build_failed", f"The image {name} could not be fetched: {said['error']}")
        except aiodocker.DockerError as error:
            message = f"The image {name} could not be fetched: {error.message}"
            raise BuildFailed("build_failed", message) from error


def _full(name: str) -> str:
    """A name without the usual registry, and with its tag."""
    name = short(name).removeprefix("index.docker.io/").removeprefix("library/")
    tagged = "@" in name or ":" in name.rpartition("/")[2]
    return name if tagged else f"{name}:latest"
