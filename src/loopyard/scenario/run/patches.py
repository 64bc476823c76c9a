"""Keeps what was changed in the working directories of runs: once, before the scorers have a hand in them, or before
the devbox of a run that was not scored is freed."""

import asyncio
import logging
import zlib

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.db.database import Database
from loopyard.launch.parameters import LaunchParameters
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.folder_changes import ComparesFolders, FolderChanges
from loopyard.runtime.protocol import Runtime
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.repository import ScenarioRunRepository

log = logging.getLogger("loopyard.scenario.run")


class PatchRecorder:
    """Has the provider compare working directories. Providers that cannot leave runs without a patch."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self._database = database
        self._runtime = runtime

    @property
    def can_compare(self) -> bool:
        """True if the provider can."""
        return isinstance(self._runtime, ComparesFolders)

    async def take(self, run: ScenarioRun, devbox: Devbox | None) -> FolderChanges | None:
        """Changes as they are now, or were when this was called first. None where they cannot be told: a run is scored
        all the same."""
        if devbox is None or not isinstance(self._runtime, ComparesFolders):
            return None
        folder = run.working_directory or LaunchParameters.model_validate(devbox.launch_parameters).user.home
        try:
            return await self._runtime.folder_changes(devbox.id, folder)
        except RuntimeFault as fault:
            log.warning("run %s: the changes in its working directory are not known: %s", run.id, fault)
            return None

    async def devbox_is_freed(self, devbox_id: str) -> None:
        """Keep the patch of the run that a devbox was made for, if it has none yet. The disk is there still."""
        if not self.can_compare:
            return
        async with self._database.read() as session:
            devbox = await DevboxRepository(session).get_by_id(devbox_id)
            if devbox is None or devbox.initiator_type != "scenario" or devbox.initiator_id is None:
                return
            run = await ScenarioRunRepository(session).get_by_id(devbox.initiator_id)
            if run is None or await find(session, run.id) is not None:
                return
        changes = await self.take(run, devbox)
        if changes is not None:
            compressed = await compress(changes)
            async with self._database.write() as session:
                await keep(session, run.id, changes, compressed)


async def compress(changes: FolderChanges) -> bytes:
    """A patch as it is stored."""
    return await asyncio.to_thread(zlib.compress, changes.patch)


async def keep(session: AsyncSession, run_id: str, changes: FolderChanges, compressed: bytes) -> None:
    """Store the changes of a run, unless some are stored."""
    values = {
        "run_id": run_id,
        "compressed": compressed,
        "files": changes.files,
        "left_out": changes.left_out,
        "added": changes.added,
        "removed": changes.removed,
        "skipped": list(changes.skipped),
        "complete": changes.complete,
    }
    await ScenarioRunRepository(session).create_patch_if_new(values)


async def find(session: AsyncSession, run_id: str) -> FolderChanges | None:
    """Changes of a run, if they are stored."""
    row = await ScenarioRunRepository(session).get_patch(run_id)
    if row is None:
        return None
    patch = await asyncio.to_thread(zlib.decompress, row.compressed)
    return FolderChanges(patch, row.files, row.left_out, row.added, row.removed, tuple(row.skipped), row.complete)
