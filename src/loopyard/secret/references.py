"""Secrets that a request names, to be injected as variables."""

import re
from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import require
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.errors import BadRequest
from loopyard.kit.host.environment import check_sizes
from loopyard.secret.repository import SecretRepository
from loopyard.secret.vault import SEAL_BYTES

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
    sizes = await SecretRepository(session).sealed_sizes(account_id, names) if names else {}
    if missing := sorted(names - sizes.keys()):
        raise BadRequest(f"secrets: there is no secret named {', '.join(missing)}.", field="secrets")
    injected = {variable: sizes[name] - SEAL_BYTES for variable, name in (wanted or {}).items()}
    beside = {name: len(value.encode()) for name, value in (variables or {}).items() if name not in injected}
    check_sizes({**beside, **injected}, "secrets")
    return dict(wanted or {})
