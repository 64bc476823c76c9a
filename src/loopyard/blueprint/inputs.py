"""Inputs of a build from other resources: the values of secrets, and the content of an object."""

import asyncio
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from loopyard.blueprint.schemas import BuildContext
from loopyard.kit.errors import BadRequest
from loopyard.object.store import ContentMissing, ObjectStore
from loopyard.secret.service import SecretService

_ATTRIBUTES = ("--xattrs", "--xattrs-include=user.*", "--xattrs-include=security.capability")
"""Extended attributes that files of a context keep."""


class Inputs:
    def __init__(self, secrets: SecretService, objects: ObjectStore, folder: Path) -> None:
        """`folder` is where contexts are unpacked."""
        self._secrets = secrets
        self._objects = objects
        self._folder = folder

    async def secrets(self, account_id: str, wanted: Mapping[str, str]) -> dict[str, str]:
        """Variable names to values, for variable names to secrets' names.

        Raises:
            BadRequest: One is not there any more.
        """
        values, missing = await self._secrets.values(account_id, wanted)
        if missing:
            raise BadRequest(f"secrets: there is no secret named {missing[0]} any more.", field="secrets")
        return values

    async def context(self, blueprint_id: str, given: BuildContext | None) -> Path | None:
        """A folder with the content of the object: a tar archive, as it is or compressed.

        Raises:
            BadRequest: It is no such archive, or is gone.
        """
        if given is None:
            return None
        folder = self._folder / blueprint_id
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        inside = folder / "context"
        inside.mkdir(mode=0o700, parents=True)
        try:
            await self._unpack(await self._archive(given.object_id, folder / "archive"), inside)
        except ContentMissing as missing:
            message = f"build_context.object_id: the object {given.object_id} is gone."
            raise BadRequest(message, field="build_context.object_id") from missing
        finally:
            (folder / "archive").unlink(missing_ok=True)
        return inside

    async def _archive(self, object_id: str, target: Path) -> Path:
        """The file with the content of an object: the store's own, or else a copy at `target`."""
        if (own := self._objects.local_file(object_id)) is not None:
            return own
        with target.open("wb") as file:
            async for chunk in self._objects.read(object_id):
                await asyncio.to_thread(file.write, chunk)
        return target

    async def _unpack(self, archive: Path, inside: Path) -> None:
        # tar strips leading slashes, refuses `..`, and makes links only once all else is there.
        process = await asyncio.create_subprocess_exec(
            "tar",
            "--extract",
            "--no-same-owner",
            *_ATTRIBUTES,
            f"--file={archive}",
            f"--directory={inside}",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            _, errors = await process.communicate()
        finally:
            if process.returncode is None:  # the build was ended meanwhile
                process.kill()
                await process.wait()
        if process.returncode != 0:
            said = errors.decode(errors="replace").strip()[-500:]
            message = f"build_context.object_id: it is no tar archive that can be unpacked: {said}"
            raise BadRequest(message, field="build_context.object_id")

    def unpacked(self) -> set[str]:
        """The blueprints whose context is there."""
        return {folder.name for folder in self._folder.glob("*")}

    def forget(self, blueprint_id: str) -> None:
        """Delete what was unpacked for a blueprint."""
        self.clear(self._folder / blueprint_id / "context")

    def clear(self, context: Path | None) -> None:
        """Delete what `context` unpacked."""
        if context is not None:
            shutil.rmtree(context.parent, ignore_errors=True)
