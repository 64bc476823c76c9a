"""Objects that a new devbox refers to."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import require
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.errors import WrongState
from loopyard.launch.mounts import Mount, MountedObject, ObjectMount
from loopyard.object.models import StorageObject
from loopyard.object.repository import ObjectRepository
from loopyard.object.states import READ_ONLY, UPLOADING


async def find_objects(session: AsyncSession, account_id: str, mounts: Sequence[Mount] | None) -> list[MountedObject]:
    """The objects to put in, in order.

    Raises:
        Forbidden: The caller's key may not read objects.
        NotFound: One is not there.
        WrongState: One is not complete.
    """
    found: list[MountedObject] = []
    for index, mount in enumerate(mounts or ()):
        if isinstance(mount, ObjectMount):
            field = f"mounts.{index}.object_id"
            require(Resource.OBJECTS, Level.READ, "an object that is mounted", field=field)
            row = await readable_object(session, account_id, mount.object_id, field)
            found.append(MountedObject(row.id, mount.object_path, row.content_type))
    return found


async def readable_object(session: AsyncSession, account_id: str, object_id: str, field: str) -> StorageObject:
    """An object whose content the account can have. `field` is what the request calls it.

    Raises:
        NotFound: It is not there.
        WrongState: It is not complete.
    """
    row = await ObjectRepository(session).get_one_visible(object_id, account_id, field)
    if row.state != READ_ONLY:
        advice = "; upload its content and complete it first" if row.state == UPLOADING else ""
        raise WrongState(f"{field}: object {row.id} is {row.state}{advice}.", field=field)
    return row
