"""Disk use by kind, and counts of rows by state, of a data folder."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loopyard.kit.db.database import Database
from loopyard.object.config import ObjectConfig
from loopyard.runtime.config import CrunConfig, RuntimeConfig
from loopyard.runtime.crun.storage.disk_use import disk_use, sizes
from loopyard.runtime.crun.storage.disk_use import shared as shared_space
from loopyard.runtime.shared_bytes import SharedSpace
from loopyard.upkeep.control import ask
from loopyard.upkeep.repository import UpkeepRepository


@dataclass(frozen=True, slots=True)
class Status:
    """`server` is the process id of the server that runs, None if none does. `disk` is bytes by kind, None where they
    cannot be told from here; `counts` rows by kind and state. `shared` tells of kinds whose files share space."""

    data_dir: Path
    server: int | None
    disk: Mapping[str, int | None]
    counts: Mapping[str, Mapping[str, int]]
    shared: Mapping[str, SharedSpace]


class ServerSettings(Protocol):
    """Settings of a server that say where it keeps what."""

    @property
    def data_dir(self) -> Path: ...

    @property
    def database_url(self) -> str | None: ...

    @property
    def store_url(self) -> str: ...

    @property
    def runtime(self) -> RuntimeConfig: ...

    @property
    def objects(self) -> ObjectConfig: ...


async def status(settings: ServerSettings) -> Status:
    """Look at a data folder, whether a server runs on it or not.

    Raises:
        OSError: There is no such folder, or no store in it.
        RuntimeUnavailable, DBAPIError: Something of it cannot be looked at.
    """
    data = settings.data_dir
    if settings.database_url is None:
        (data / "loopyard.db").stat()  # SQLite would make the file
    answer = await asyncio.to_thread(lambda: ask(data, act="hello"))
    database = Database(settings.store_url)
    try:
        async with database.read() as session:
            counts = await UpkeepRepository(session).counts()
            stored, in_bucket = (
                await UpkeepRepository(session).database_bytes(),
                await UpkeepRepository(session).object_bytes(),
            )
    finally:
        await database.close()
    disk: dict[str, int | None] = dict.fromkeys(("images", "layers", "snapshots", "boxes", "shared"))
    shared: Mapping[str, SharedSpace] = {}
    if isinstance(settings.runtime, CrunConfig):
        shared = await shared_space(data, settings.runtime.images_of(data))
        disk |= await sizes(data, settings.runtime.images_of(data))
    objects, commands, builds, axons, recordings = await asyncio.to_thread(
        disk_use, [data / "objects", data / "commands", data / "build-logs", data / "axons", data / "gateway"]
    )
    files = sum(file.stat().st_size for file in data.glob("loopyard.db*"))
    disk |= {
        "objects": in_bucket if settings.objects.s3 is not None else objects,
        "logs": commands + builds,
        "axons": axons,
        "recordings": recordings,
        "database": files if stored is None else stored,
    }
    return Status(data, None if answer is None else int(answer["pid"]), disk, counts, shared)
