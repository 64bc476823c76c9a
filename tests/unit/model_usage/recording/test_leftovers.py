"""Which recordings of model calls are freed, and when."""

import os
import time
from pathlib import Path

import pytest

from loopyard.devbox.lifecycle.states import Status
from loopyard.identity.models import Account
from loopyard.kit.db.database import Database
from loopyard.model_usage.recording.leftovers import RecordingsKeeper
from loopyard.model_usage.recording.recordings import Recordings
from tests.unit.devbox.making import stored_devbox

pytestmark = pytest.mark.anyio


@pytest.fixture
async def recordings(database: Database, tmp_path: Path) -> Recordings:
    """Of a devbox that runs, one that has ended, and one that no row speaks of; each of eight days ago."""
    recordings = Recordings(tmp_path)
    recordings.folder.mkdir()
    long_ago = time.time() - 8 * 86_400
    for name in ("dbx_runs", "dbx_ended", "dbx_unknown"):
        recordings.path(name).write_text("{}\n")
        os.utime(recordings.path(name), (long_ago, long_ago))
    async with database.write() as session:
        session.add(Account(id="acc_1", name="one", create_time_ms=0))
        await session.flush()
        session.add(stored_devbox("dbx_runs", Status.RUNNING))
        session.add(stored_devbox("dbx_ended", Status.SHUTDOWN))
    return recordings


@pytest.mark.parametrize(
    ("days", "freed"), [(None, {"dbx_unknown"}), (9, {"dbx_unknown"}), (7, {"dbx_unknown", "dbx_ended"})]
)
async def test_recordings_are_freed_by_age_once_their_devbox_has_ended(
    database: Database, recordings: Recordings, days: float | None, freed: set[str]
) -> None:
    before = set(recordings.stored())
    keeper = RecordingsKeeper(database, recordings, days)
    for leftover in await keeper.leftovers(cache_days=0):
        assert await keeper.free(leftover)
    assert before - set(recordings.stored()) == freed


async def test_a_call_recorded_meanwhile_keeps_the_recording(database: Database, recordings: Recordings) -> None:
    keeper = RecordingsKeeper(database, recordings, 7)
    found = {leftover.name: leftover for leftover in await keeper.leftovers(cache_days=0)}
    os.utime(recordings.path("dbx_ended"))
    assert not await keeper.free(found["dbx_ended"])
    assert recordings.of_devbox("dbx_ended") is not None
