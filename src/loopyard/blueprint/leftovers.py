"""Orphans of builds, which no blueprint refers to: images, logs, and unpacked contexts."""

import asyncio
from collections.abc import Collection, Sequence

from loopyard.blueprint.inputs import Inputs
from loopyard.blueprint.logs import BuildLogs
from loopyard.blueprint.models import Blueprint
from loopyard.blueprint.repository import BlueprintRepository
from loopyard.blueprint.states import DELETED, UNFINISHED, Status
from loopyard.kit.db.database import Database
from loopyard.runtime.images import ImageBuilder
from loopyard.runtime.upkeep import Leftover

_IMAGE, _LOG, _CONTEXT = "image", "log", "context"


class BuildsKeeper:
    """Names are a word for what it is, and the id of the image or the blueprint."""

    def __init__(self, database: Database, builder: ImageBuilder | None, logs: BuildLogs, inputs: Inputs) -> None:
        self._database = database
        self._builder = builder
        self._logs = logs
        self._inputs = inputs

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:  # noqa: ARG002
        # The host first: a blueprint has its row before there is anything of it.
        found = [(_IMAGE, one) for one in (await self._builder.images() if self._builder is not None else ())]
        found += [(_LOG, one) for one in await asyncio.to_thread(self._logs.ids)]
        found += [(_CONTEXT, one) for one in await asyncio.to_thread(self._inputs.unpacked)]
        gone = await self._unwanted(found)
        return [Leftover("builds", f"{what} {one}") for what, one in sorted(gone)]

    async def free(self, leftover: Leftover) -> bool:
        what, _, one = leftover.name.partition(" ")
        if not await self._unwanted([(what, one)]):
            return False
        if what == _IMAGE and self._builder is not None:
            await self._builder.delete(one)
        elif what == _LOG:
            self._logs.delete(one)
        else:
            await asyncio.to_thread(self._inputs.forget, one)
        return True

    async def _unwanted(self, found: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
        async with self._database.read() as session:
            rows = await BlueprintRepository(session).list_by_ids({_blueprint(one) for _, one in found})
        known = {row.id: row for row in rows}
        return [(what, one) for what, one in found if not _is_wanted(what, known.get(_blueprint(one)))]


def _blueprint(image_id: str) -> str:
    """The blueprint that an image belongs to: its own, or that of a service."""
    return image_id.partition(".")[0]


def _is_wanted(what: str, row: Blueprint | None) -> bool:
    if row is None or row.reclaimed:
        return False
    if row.status in UNFINISHED or row.state == DELETED:  # whoever works on it sees to all that
        return True
    return what == _LOG or (what == _IMAGE and row.status == Status.COMPLETE)
