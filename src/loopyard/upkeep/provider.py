"""A data folder belongs to one provider of sandboxes, as long as that has something in it."""

from pathlib import Path

from loopyard.data_folder import StartFailed
from loopyard.kit.db.database import Database
from loopyard.kit.host.private_files import write_private
from loopyard.upkeep.repository import UpkeepRepository

_NOTE = "provider"


async def claim(data_dir: Path, database: Database, provider: str) -> None:
    """Note that the data folder is this provider's from now on; before that is opened. One cannot take up what another
    has made: it would start suspended devboxes without their disks, lose snapshots, and know nothing of what runs.

    Raises:
        StartFailed: There are devboxes or snapshots of another one.
    """
    note = data_dir / _NOTE
    before = note.read_text() if note.exists() else None
    if before == provider:
        return
    if before is not None:
        async with database.read() as session:
            devboxes, snapshots = await UpkeepRepository(session).held()
        if devboxes or snapshots:
            raise StartFailed(
                f"The data folder {data_dir} has {devboxes} devboxes and {snapshots} snapshots of the {before} "
                f"provider, which the {provider} provider cannot take up. With LOOPYARD_RUNTIME__TYPE={before} they go "
                "on, or can be ended and deleted; or name another folder by --data-dir."
            )
    write_private(note, provider.encode())
