"""Settings that a built image has for sandboxes: its configuration, and whom its USER names."""

import asyncio
import io
import tarfile
from typing import Any

import aiodocker

from loopyard.dockerfile.oci import from_oci
from loopyard.kit.host.environment import fault_of_environment
from loopyard.runtime.docker import container
from loopyard.runtime.docker.building.lowering import LABEL
from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.images import BuildFailed, ImageSettings
from loopyard.runtime.protocol import User

_MOST_BYTES = 1 << 20
_IDS = 2**31
"""Numbers of users and groups are below."""


async def settings_of(engine: Engine, image: str, server: str) -> ImageSettings:
    """Give the settings of an image of the engine. `server` is the name of this one.

    Raises:
        BuildFailed: No program could be started there.
    """
    found: dict[str, Any] = await engine.docker.images.inspect(image)
    config = from_oci(found.get("Config") or {})
    if (fault := fault_of_environment({name: value for name, value in config.env if name})) is not None:
        raise BuildFailed("build_failed", f"ENV: {fault}.")
    run = (*config.entrypoint, *(config.cmd or ())) if config.entrypoint else ()
    user = None
    if config.user:
        passwd, group = await _accounts(engine, image, server)
        user = user_of(config.user, passwd, group)
    return ImageSettings(
        user,
        run,
        runs=bool(config.entrypoint or config.cmd),
        working_directory=container.workdir(found.get("Config") or {}),
    )


def user_of(named: str, passwd: str, groups: str) -> User | None:
    """The user that USER names, by name or number, if the image says who that is.

    Raises:
        BuildFailed: A number is too large, or a group is not there.
    """
    name, _, group = named.partition(":")
    if not name:
        return None
    gid = _gid(group, groups) if group else None
    number = int(name[:20]) if name.isascii() and name.isdigit() else -1
    if number >= _IDS:
        raise BuildFailed("build_failed", f"USER names the id {number}, which is too large.")
    for row in (line.split(":") for line in passwd.splitlines()):
        is_account = len(row) >= 7 and row[2].isascii() and row[2].isdigit() and int(row[2][:20]) < _IDS
        if is_account and (row[0] == name or int(row[2]) == number):
            return User(row[0], int(row[2]), gid)
    if number < 0:
        return None
    return User(f"user{number}", number, gid) if number > 0 else User("root", 0, gid)


def _gid(named: str, groups: str) -> int:
    for row in (line.split(":") for line in groups.splitlines()):
        if len(row) >= 3 and row[0] == named and row[2].isascii() and row[2].isdigit():
            return int(row[2][:20])
    if named.isascii() and named.isdigit() and int(named[:20]) < _IDS:
        return int(named)
    raise BuildFailed("build_failed", f"USER names the group {named}, which /etc/group of the image does not have.")


async def _accounts(engine: Engine, image: str, server: str) -> tuple[str, str]:
    """The image's users and groups, from a container that never runs."""
    body = {"Image": image, "Entrypoint": ["true"], "Cmd": [], "NetworkDisabled": True, "Labels": {LABEL: server}}
    made = await engine.ask("POST", "containers/create", json=body)
    try:
        passwd = await _file(engine, made["Id"], "/etc/passwd")
        return passwd, await _file(engine, made["Id"], "/etc/group")
    finally:
        await asyncio.shield(engine.ask("DELETE", f"containers/{made['Id']}?force=true&v=true"))


async def _file(engine: Engine, container: str, path: str) -> str:
    """A small file's text; empty where it is none."""
    content = b""
    try:
        async with engine.answer("GET", f"containers/{container}/archive", params={"path": path}) as answer:
            async for piece in answer.content.iter_chunked(1 << 16):
                content += piece
                if len(content) > _MOST_BYTES:
                    break
    except aiodocker.DockerError:
        return ""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            entry = archive.next()
            file = archive.extractfile(entry) if entry is not None and entry.isfile() else None
            return file.read().decode(errors="replace") if file is not None else ""
    except (tarfile.TarError, OSError):
        return ""
