"""The storage that buildah keeps layers and images in, and what is done with it besides building.

It is in the images folder, so that all servers which share that folder share the layers too.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from loopyard.runtime.errors import RuntimeFault, RuntimeUnavailable
from loopyard.runtime.layout import read_json, write_whole
from loopyard.runtime.programs import search_path

REPOSITORY = "localhost/loopyard"
BASE_REPOSITORY = "localhost/loopyard-base"
_PRIVATE = f"{REPOSITORY}:"
_LATEST = "latest"
IMPORTED = "loopyard.imported"
"""Label of images that were imported, of which the storage has no files."""

SIZE_FILE = "size.json"
"""End of the name of the file beside an imported image's folder that holds its size in bytes."""

OPEN_FILE = "open.json"
"""End of the name of the file beside an image's folder that holds the names by which everybody may use it."""

_MARK = "io.buildah.version"
"""Label that buildah gives to what it imports; nobody has asked for it."""

_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}

_ALONE = ("unshare", "--mount", "--propagation", "private")
"""In a mount namespace of its own: what buildah mounts ends with it."""

_EXPORT = """set -eu
container=$(buildah "$@" from --pull-never "$IMAGE")
trap 'buildah "$@" rm "$container" >/dev/null' EXIT
folder=$(buildah "$@" mount "$container")
"$PYTHON" -m loopyard.runtime.crun.building.export mounted "$folder" "$TARGET" ||
    { rm -rf "$TARGET"; cp --archive --reflink=auto "$folder" "$TARGET"; }
"""


class BuildahFailed(RuntimeFault):
    """buildah did not do what it was asked; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image as `loopyard image list` shows it."""

    id: str
    names: tuple[str, ...]
    created: str
    size: str


class Storage:
    def __init__(self, images: Path) -> None:
        self.images = images
        self.root = images / "storage"
        key = hashlib.sha256(str(images.absolute()).encode()).hexdigest()[:12]
        self.run_root = Path("/run/loopyard") / f"buildah-{key}"
        self.policy = self.root / "loopyard-policy.json"
        self.untidy = True
        """True if working containers may be there that nobody works with: of a process before this, or work that
        failed."""

    @property
    def arguments(self) -> list[str]:
        """Give what follows `buildah` in every command."""
        return ["--root", str(self.root), "--runroot", str(self.run_root), "--storage-driver", "overlay"]

    def open(self) -> None:
        """Make what is missing.

        Raises:
            RuntimeUnavailable: buildah is not installed.
        """
        if shutil.which("buildah", path=search_path()) is None:
            raise RuntimeUnavailable("buildah is missing, so images cannot be built. apt-get install buildah")
        # Images hold programs that run as root for whoever starts them: nobody else on the host is to get at them.
        self.images.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.images.chmod(0o700)
        for folder in (self.root, self.run_root):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.policy.exists():
            write_whole(self.policy, _POLICY)  # by rename: others build just now

    @asynccontextmanager
    async def in_use(self) -> AsyncGenerator[None]:
        """While work on the storage goes on. The last to end it clears away what failed or killed work left."""
        descriptor = os.open(self.images / "storage.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_SH)
            try:
                yield
            except BaseException:
                self.untidy = True
                raise
            finally:
                await asyncio.shield(self._tidy(descriptor))
        finally:
            os.close(descriptor)

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        """While an image's folder is made: one at a time, for two builds may have made the same image."""
        descriptor = os.open(self.images / "keeping.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[bool]:
        """While nobody else works on the storage, and all who want to, wait; false where somebody does."""
        descriptor = os.open(self.images / "storage.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    async def _tidy(self, descriptor: int) -> None:
        if not self.untidy:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if json.loads(await self.ask("containers", "--json") or "[]"):
            await self.ask("rm", "--all")
        self.untidy = False

    async def ask(self, *arguments: str) -> str:
        """Run a command of buildah's; what it printed.

        Raises:
            BuildahFailed.
        """
        return await self._run(*_ALONE, "buildah", *self.arguments, *arguments)

    async def script(self, text: str, **variables: str) -> str:
        """Run shell lines in a mount namespace of their own; `"$@"` are buildah's arguments."""
        return await self._run(*_ALONE, "sh", "-c", text, "sh", *self.arguments, **variables)

    async def _run(self, *command: str, **variables: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PATH": search_path(), "TMPDIR": str(self.root), **variables},
            start_new_session=True,
        )
        try:
            output, errors = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            said = errors.decode(errors="replace").strip()[-2000:]
            raise BuildahFailed(f"buildah ended with {process.returncode}: {said}")
        return output.decode(errors="replace").strip()

    def _listed(self) -> list[dict[str, Any]]:
        """The images, by the storage's own list: asking buildah takes ten times as long."""
        try:
            return json.loads((self.root / "overlay-images/images.json").read_bytes())
        except (OSError, ValueError):
            return []

    def local_id(self, name: str) -> str | None:
        """The id of the image that has a name here."""
        return next((image_id for _, image_id in self.local_ids(name)), None)

    def local_ids(self, name: str) -> list[tuple[str, str]]:
        """The images that a name may mean here, the likeliest first, each with its whole name."""
        ids: dict[str, str] = {}
        for one in self._listed():
            for known in one.get("names") or ():
                if not known.startswith(_PRIVATE):
                    ids[known] = ids[f"{_repository(known)}@{one.get('digest')}"] = one["id"]
        wanted = (full_name(name), full_name(f"localhost/{name}"))
        return [(one, ids[one]) for one in wanted if one in ids]

    def named_ids(self) -> list[str]:
        """Give what the folders of images with names are called, but for those of blueprints."""
        return [one["id"][:32] for one in self._listed() if any(map(_is_public, one.get("names") or ()))]

    async def known_id(self, name: str) -> str | None:
        """The id of the image that buildah itself finds here by a name, also by the host's list of registries."""
        try:
            return await self.ask("inspect", "--type", "image", "--format", "{{.FromImageID}}", tagged(name)) or None
        except BuildahFailed:
            return None

    async def configuration(self, name: str) -> dict[str, Any]:
        """The OCI image configuration's `config`."""
        printed = await self.ask("inspect", "--type", "image", name)
        inspected: dict[str, Any] = json.loads(printed)
        found: dict[str, Any] = inspected["OCIv1"].get("config") or {}
        labels: dict[str, Any] = found.get("Labels") or {}
        for label in (_MARK, IMPORTED):
            labels.pop(label, None)
        return found

    async def is_stub(self, image_id: str) -> bool:
        """Tell whether the files of an image are nowhere but in its folder: it was imported."""
        asked = '{{index .OCIv1.Config.Labels "' + IMPORTED + '"}}'
        return (await self.ask("inspect", "--type", "image", "--format", asked, image_id)) == "true"

    async def export(self, image_id: str, target: Path) -> None:
        """Write an image's root file system to a folder that is there whole or not at all. Several builds may write the
        same one at a time; one of them is kept."""
        temporary = target.with_name(f"{target.name}.{secrets.token_hex(8)}.new")
        try:
            await self.script(_EXPORT, IMAGE=image_id, TARGET=str(temporary), PYTHON=sys.executable)
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)

    async def remove(self, name: str) -> None:
        """Remove a name, and the image and its layers if nothing else needs them.

        Raises:
            BuildahFailed: There is none, or a build uses it.
        """
        await self.ask("rmi", name)

    def _imported_size(self, image_id: str) -> str | None:
        """The size of an image's archive, if it was imported. Lists have the beginnings of ids."""
        for file in self.images.glob(f"image-{image_id}*.{SIZE_FILE}"):
            size: int | None = read_json(file)
            return None if size is None else f"{size / 1e6:,.1f} MB"
        return None

    async def list(self) -> list[StoredImage]:
        """The images that have names, but for those of blueprints."""
        found = cast("list[dict[str, Any]]", json.loads(await self.ask("images", "--json") or "[]"))
        listed: list[StoredImage] = []
        for one in found:
            names = tuple(name for name in one.get("names") or () if not name.startswith(_PRIVATE))
            if names:
                size = self._imported_size(one["id"]) or str(one["size"])
                listed.append(StoredImage(one["id"][:12], names, str(one.get("createdat", "")), size))
        return listed


def _is_public(name: str) -> bool:
    return not name.startswith(_PRIVATE)


def _repository(name: str) -> str:
    """A full name without its tag."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def full_name(name: str) -> str:
    """A short name as a registry's client reads it: `ubuntu` is `docker.io/library/ubuntu:latest`."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}"
    return tagged(name)


def tagged(name: str) -> str:
    """A name with its tag, which the beginning of an image's id has not: buildah takes that for the image."""
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:{_LATEST}"
