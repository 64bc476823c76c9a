"""References of a new devbox by name: objects and secrets."""

import re
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import require
from loopyard.devbox.mounts import Mount, MountedObject, ObjectMount
from loopyard.key.scopes import Level, Resource
from loopyard.kit.environment import check_sizes
from loopyard.kit.errors import BadRequest, NotFound, WrongState
from loopyard.object import repository as objects
from loopyard.object.models import StorageObject
from loopyard.object.states import READ_ONLY, UPLOADING
from loopyard.secret import repository as secrets
from loopyard.secret.vault import SEAL_BYTES

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
    row = await objects.get(session, object_id)
    if row is None or not (row.is_public or row.account_id == account_id):
        raise NotFound(f"There is no object {object_id}.", field=field)
    if row.state != READ_ONLY:
        advice = "; upload its content and complete it first" if row.state == UPLOADING else ""
        raise WrongState(f"{field}: object {row.id} is {row.state}{advice}.", field=field)
    return row


async def check_secrets(
    session: AsyncSession,
    account_id: str,
    wanted: Mapping[str, str] | None,
    variables: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The secrets to inject, variable names to secrets' names. `variables` are injected beside them.

    Raises:
        Forbidden: The caller's key may not use the account's secrets.
        BadRequest: There is no such secret, no variable can have such a name, or all are too large for the kernel.
    """
    if wanted:
        require(Resource.ACCOUNT, Level.READ, "a secret that is put somewhere", field="secrets")
    for variable in wanted or {}:
        if not _VARIABLE.fullmatch(variable):
            raise BadRequest(f"secrets: {variable!r} cannot be the name of a variable.", field="secrets")
    names = set((wanted or {}).values())
    sizes = await secrets.sealed_sizes(session, account_id, names) if names else {}
    if missing := sorted(names - sizes.keys()):
        raise BadRequest(f"secrets: there is no secret named {', '.join(missing)}.", field="secrets")
    injected = {variable: sizes[name] - SEAL_BYTES for variable, name in (wanted or {}).items()}
    beside = {name: len(value.encode()) for name, value in (variables or {}).items() if name not in injected}
    check_sizes({**beside, **injected}, "secrets")
    return dict(wanted or {})
