"""Mounts that `RUN --mount` asks for, as the launcher is told them."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from loopyard.dockerfile.plan import BindMount, CacheMount, Mount, Origin, SecretMount, TmpfsMount
from loopyard.runtime.crun.building.merged import Entry, Merged
from loopyard.runtime.crun.building.removal import delete_folder
from loopyard.runtime.crun.launcher.steps import StepMount
from loopyard.runtime.images import BuildFailed

_FORBIDDEN = ("proc", "sys", "dev")
_LOOK_SECONDS = 0.1

Files = Callable[[Origin], Awaitable[Merged]]
"""Gives the files that an origin stands for."""


class Mounts:
    """Of one RUN. `files` gives the files of origins, `caches` is the folder of this account's caches, `memory` one in
    memory, and `work` one for what is thrown away after the step. It is closed when the step has ended."""

    def __init__(
        self, files: Files, caches: Path, memory: Path, work: Path, secrets: Mapping[str, str], held: AsyncExitStack
    ) -> None:
        self._files = files
        self._caches = caches
        self._memory = memory
        self._work = work
        self._secrets = secrets
        self._held = held
        self.environment: dict[str, str] = {}
        """Variables with the values of secrets."""
        self.written: list[Path] = []
        """Folders on the host, besides the layer, that the step may write to."""

    async def prepare(self, mounts: tuple[Mount, ...]) -> list[StepMount]:
        """Make them ready.

        Raises:
            BuildFailed: One cannot be had.
        """
        prepared: list[StepMount] = []
        for number, mount in enumerate(mounts):
            if isinstance(mount, SecretMount):
                prepared += self._secret(mount, number)
                continue
            _check_target(mount.target)
            if isinstance(mount, TmpfsMount):
                prepared.append(_mount(mount.target, [], size=mount.size))
            elif isinstance(mount, CacheMount):
                prepared.append(await self._cache(mount))
            else:
                prepared.append(await self._bind(mount, number))
        return prepared

    def _secret(self, mount: SecretMount, number: int) -> list[StepMount]:
        value = self._secrets.get(mount.id)
        if value is None:
            if mount.required:
                raise BuildFailed("build_failed", f"RUN --mount: the build has no secret {mount.id}.")
            return []
        if mount.env is not None:
            self.environment[mount.env] = value
        if mount.target is None:
            return []
        _check_target(mount.target)
        file = self._memory / f"secret-{uuid.uuid4().hex}-{number}"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(value.encode())
        self._held.callback(file.unlink, missing_ok=True)
        return [_mount(mount.target, [], secret=str(file), mode=mount.mode, owner=(mount.uid, mount.gid))]

    async def _bind(self, mount: BindMount, number: int) -> StepMount:
        files = await self._files(mount.origin)
        found = _find(files, mount.source)
        if not mount.writable:
            return _mount(mount.target, list(found.reals), read_only=True)
        scratch = self._work / f"bind-{uuid.uuid4().hex}-{number}"
        scratch.mkdir(mode=0o700)
        self._held.callback(delete_folder, scratch)
        if found.kind != "folder":
            copy = scratch / "file"
            await asyncio.to_thread(shutil.copy2, found.real, copy)
            return _mount(mount.target, [str(copy)])
        self.written.append(scratch)
        return _mount(mount.target, list(found.reals), scratch=str(scratch))

    async def _cache(self, mount: CacheMount) -> StepMount:
        folder = self._caches / hashlib.sha256(mount.id.encode()).hexdigest()[:32]
        self._caches.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = await self._lock(folder, mount.sharing)
        content = folder / "content"
        if not content.is_dir():
            await self._fill(content, mount)
        os.utime(folder)
        self.written.append(content)
        return _mount(mount.target, [str(content)], read_only=mount.read_only)

    async def _lock(self, folder: Path, sharing: str) -> Path:
        """Hold a cache as long as the step runs: nobody frees it, and where so asked, it is for this step alone."""
        number = 0
        while True:
            one = folder if number == 0 else folder.with_name(f"{folder.name}-{number}")
            one.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(one / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if sharing == "shared" else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                number += sharing == "private"
                if sharing != "private":
                    await asyncio.sleep(_LOOK_SECONDS)
                continue
            self._held.callback(os.close, descriptor)
            return one

    async def _fill(self, content: Path, mount: CacheMount) -> None:
        made = content.with_name(f"{uuid.uuid4().hex}.new")
        made.mkdir()
        if mount.origin is not None:
            found = _find(await self._files(mount.origin), mount.source)
            if found.kind != "folder":
                raise BuildFailed("build_failed", f"RUN --mount=type=cache: {mount.source} is no folder.")
            from loopyard.runtime.crun.building.export import lay

            for real in reversed(found.reals):
                await asyncio.to_thread(lay, Path(real), made, copy=True)
        os.chown(made, mount.uid, mount.gid)
        made.chmod(mount.mode)
        try:
            made.rename(content)
        except OSError:  # another build was first
            delete_folder(made)


def _mount(
    target: str,
    layers: list[str],
    *,
    scratch: str | None = None,
    read_only: bool = False,
    size: int | None = None,
    secret: str | None = None,
    mode: int = 0,
    owner: tuple[int, int] = (0, 0),
) -> StepMount:
    return StepMount(
        target=target,
        layers=layers,
        scratch=scratch,
        read_only=read_only,
        size=size,
        secret=secret,
        mode=mode,
        owner=owner,
    )


def _check_target(target: str) -> None:
    first = target.strip("/").partition("/")[0]
    if first in _FORBIDDEN or not first:
        raise BuildFailed("build_failed", f"RUN --mount: nothing can be mounted at {target}.")


def _find(files: Merged, path: str) -> Entry:
    found = files.find(path)
    if found is None:
        raise BuildFailed("build_failed", f"RUN --mount: there is no {path} where it is to come from.")
    if found.kind == "other":
        raise BuildFailed("build_failed", f"RUN --mount: {path} is neither a folder nor a file.")
    return found
