"""Builds images from Dockerfiles, each in the network and under the limits of a sandbox of its own."""

import asyncio
import json
import logging
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import cast

from loopyard.kit.environment import fault_of_environment
from loopyard.runtime.base_image.making import BASE
from loopyard.runtime.crun import image_config
from loopyard.runtime.crun.accounts import Accounts
from loopyard.runtime.crun.building import command
from loopyard.runtime.crun.building.buildah import BASE_REPOSITORY, REPOSITORY, BuildahFailed, Storage
from loopyard.runtime.crun.building.command import Ground, Place
from loopyard.runtime.crun.building.keeping import ImagesKeeper
from loopyard.runtime.crun.building.watching import Watch
from loopyard.runtime.crun.image_config import ImageConfig
from loopyard.runtime.crun.launcher.slots import UIDS
from loopyard.runtime.images import STARTS_IN_WORKDIR, BuildFailed, BuildFault, BuildSpec, ImageSettings
from loopyard.runtime.layout import read_json, subfolders
from loopyard.runtime.protocol import Runtime, SandboxSpec, User

log = logging.getLogger("loopyard.runtime.building")

_LINE_BYTES = 1 << 16
_EXIT_STATUS = re.compile(r"exit status (\d+)\s*$")
_NO_SPACE = ("no space left on device", "disk quota exceeded")


class CrunImageBuilder:
    """See the protocol of builders for what each method does and raises."""

    def __init__(
        self,
        runtime: Runtime,
        ground: Callable[[], Ground],
        where: Callable[[str], Place],
        data: Path,
        images: Path,
    ) -> None:
        """`ground` is known once the runtime is open; `where` tells of a sandbox that runs where its processes are."""
        self._runtime = runtime
        self._ground = ground
        self._where = where
        self._folder = data / "builds"
        self._images = images
        self._storage = Storage(images)
        self._base = asyncio.Lock()
        self._known_base: str | None = None
        """The tag of the base image that the storage has for sure: nobody removes it as long as its folder is there."""

    async def build(self, spec: BuildSpec, told: Callable[[str], None]) -> ImageSettings:
        self._storage.open()
        work = self._folder / spec.id
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        work.mkdir(mode=0o700, parents=True)
        async with self._storage.in_use():
            try:
                base = await self._ensure_base(told)
                await self._stop(spec.id)  # what a build that was cut off left
                sandbox = SandboxSpec(
                    id=spec.id, limits=spec.limits, hostname="build", network_policy=spec.network_policy
                )
                await self._runtime.create(sandbox)
                async with asyncio.timeout(spec.timeout_seconds):
                    image_id = await self._run(spec, work, base, told)
                    return await self._keep(spec, image_id, told)
            except TimeoutError:
                message = f"The build took longer than {spec.timeout_seconds:g} seconds."
                raise BuildFailed("build_failed", message) from None
            except BuildahFailed as fault:
                raise BuildFailed(_reason(str(fault)), str(fault)) from fault
            finally:
                await asyncio.shield(self._leave(spec.id, work))

    async def delete(self, image_id: str) -> None:
        await self._leave(image_id, self._folder / image_id)
        (self._images / image_id).unlink(missing_ok=True)
        tag = _field(self._folder / f"{image_id}.json", "tag")
        (self._folder / f"{image_id}.json").unlink(missing_ok=True)
        if tag is not None:
            async with self._storage.in_use():
                try:
                    await self._storage.remove(tag)
                except BuildahFailed as fault:
                    log.warning("image %s stays in the storage: %s", image_id, fault)
        await ImagesKeeper(self._storage).free_folders()  # where others build now, the next sweep does it

    async def images(self) -> set[str]:
        return {*subfolders(self._folder), *(file.stem for file in self._folder.glob("*.json"))}

    async def _ensure_base(self, told: Callable[[str], None]) -> str:
        """The tag of the base image in the storage."""
        root = (self._images / BASE).resolve()
        tag = f"{BASE_REPOSITORY}:{root.name}"
        async with self._base:
            if tag != self._known_base and not await self._storage.has(tag):
                told("Taking the base image into the storage of images; this happens once.")
                await self._storage.keep_folder(root, tag)
            self._known_base = tag
        return tag

    async def _run(self, spec: BuildSpec, work: Path, base: str, told: Callable[[str], None]) -> str:
        tags = {BASE: base}
        for image_id in spec.images:
            tag = _field(self._folder / f"{image_id}.json", "tag")
            if tag is None:
                raise BuildFailed("build_failed", f"The image {image_id} is not on this host.")
            tags[image_id] = tag
        place = self._where(spec.id)
        way = await asyncio.to_thread(command.prepare, spec, work, self._storage, self._ground(), place, tags)
        process = await asyncio.create_subprocess_exec(
            *command.start(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            limit=_LINE_BYTES,
        )
        assert process.stdin is not None  # noqa: S101
        process.stdin.write(json.dumps(way).encode())
        process.stdin.close()
        watch = Watch(work, spec.limits.disk_bytes, lambda: _kill(process))
        watching = asyncio.create_task(watch.run())
        try:
            last = await _follow(process, told)
            status = await process.wait()
        finally:
            watching.cancel()
            _kill(process)
            await process.wait()
        if watch.too_much:
            raise BuildFailed("out_of_disk", f"The build wrote more than {spec.limits.disk_bytes >> 30} GiB.")
        if status != 0:
            out_of_memory = command.out_of_memory(work).exists() or (
                status == -signal.SIGKILL and (await self._runtime.status(spec.id)).out_of_memory
            )
            if out_of_memory:
                raise BuildFailed("out_of_memory", "The build used all the memory it may.")
            raise BuildFailed(_reason(last), last or f"buildah ended with {status}.")
        return command.image_id(work)

    async def _keep(self, spec: BuildSpec, image_id: str, told: Callable[[str], None]) -> ImageSettings:
        """Make the image one that sandboxes start from."""
        tag = f"{REPOSITORY}:{secrets.token_hex(16)}"
        await self._storage.tag(image_id, tag)
        command.write_tag(self._folder / f"{spec.id}.json", tag)
        root = self._images / f"image-{image_id[:32]}"
        async with self._storage.keeping():
            if not root.is_dir():
                told("Unpacking the image for devboxes.")
                await self._storage.export(image_id, root)
            if (config := image_config.known(root)) is None:
                config = _config(await self._storage.configuration(image_id), root)
                _check_variables(config)
                image_config.write(root, config)
        link = self._images / f"{spec.id}.new"
        link.unlink(missing_ok=True)
        link.symlink_to(root.name)
        link.rename(self._images / spec.id)
        run = (*config.entrypoint, *config.command) if config.entrypoint else ()
        runs = bool(config.entrypoint or config.command)
        return ImageSettings(config.user, run, runs=runs, working_directory=config.cwd)

    async def _leave(self, build_id: str, work: Path) -> None:
        await self._stop(build_id)
        await self._runtime.forget(build_id)
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _stop(self, build_id: str) -> None:
        await asyncio.to_thread(command.stop_steps, self._ground(), build_id)
        await self._runtime.destroy(build_id)


async def _follow(process: asyncio.subprocess.Process, told: Callable[[str], None]) -> str:
    """Pass on each line. Returns the last that tells of an error, else the last."""
    assert process.stdout is not None  # noqa: S101
    last, error, rest = "", "", b""
    while chunk := await process.stdout.read(_LINE_BYTES):
        *lines, rest = re.split(rb"\r?\n|\r", rest + chunk)
        if len(rest) > _LINE_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            last = line.decode(errors="replace").rstrip()
            error = last if last.startswith(("Error:", "error ")) else error
            told(last)
    if rest:
        last = rest.decode(errors="replace")
        told(last)
    return error or last


def _field(file: Path, name: str) -> str | None:
    """A text of a JSON object in a file; None where there is none."""
    content: dict[str, str] | None = read_json(file)
    return None if content is None else content.get(name)


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()


def _reason(said: str) -> BuildFault:
    lowered = said.lower()
    return "out_of_disk" if any(words in lowered for words in _NO_SPACE) else "build_failed"


def _config(given: dict[str, object], root: Path) -> ImageConfig:
    entries = [str(entry).partition("=") for entry in given.get("Env") or ()]  # type: ignore[union-attr, attr-defined]
    cwd = str(given.get("WorkingDir") or "/")
    labels = cast("dict[str, object]", given.get("Labels") or {})
    return ImageConfig(
        environment={name: value for name, _, value in entries if name},
        cwd=cwd if cwd != "/" or labels.get(STARTS_IN_WORKDIR) == "true" else None,
        user=_user(str(given.get("User") or ""), root),
        entrypoint=_words(given.get("Entrypoint")),
        command=_words(given.get("Cmd")),
    )


def _check_variables(config: ImageConfig) -> None:
    """Refuse an image in which no program could be started.

    Raises:
        BuildFailed: The kernel does not take its variables.
    """
    if (fault := fault_of_environment(config.environment)) is not None:
        raise BuildFailed("build_failed", f"ENV: {fault}.")


def _words(given: object) -> list[str]:
    return [str(word) for word in cast("list[object]", given or [])]


def _user(named: str, root: Path) -> User | None:
    """The user that USER names, by name or number, if the image says who that is."""
    name, _, group = named.partition(":")
    if not name:
        return None
    accounts = Accounts(root)
    number = int(name) if name.isdigit() else -1
    account = accounts.find(User(name, number))
    if account is None and number < 0:
        account = accounts.named(name)
    gid = _gid(group, accounts)
    if account is not None:
        return User(account.name, account.uid, gid)
    return User(f"user{number}", number, gid) if number > 0 else User("root", 0, gid) if number == 0 else None


def _gid(named: str, accounts: Accounts) -> int | None:
    """The group that USER names after the colon, by name or number; None for the user's own."""
    if not named:
        return None
    if (gid := accounts.group_id(named)) is not None:
        return gid
    if named.isdigit() and int(named) < UIDS:
        return int(named)
    raise BuildFailed("build_failed", f"USER names the group {named}, which /etc/group of the image does not have.")
