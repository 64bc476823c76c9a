"""Checks of what a configuration of an upstream names: its endpoint, and secrets."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import require
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.errors import BadRequest
from loopyard.secret.repository import SecretRepository
from loopyard.upstream_proxy.addresses import Addresses, AddressRefused
from loopyard.upstream_proxy.endpoint import Endpoint
from loopyard.upstream_proxy.mechanism import CustomHeaderParams

_LOOK_UP_SECONDS = 3.0


async def find_secret(session: AsyncSession, account_id: str, id_or_name: str, field: str) -> str:
    """The id of a secret that a request names. `field` is what the request calls it.

    Raises:
        Forbidden: The caller's key may not use the account's secrets.
        BadRequest: The account has none of this id or name.
    """
    require(Resource.ACCOUNT, Level.READ, "a secret that calls are made with", field=field)
    secrets = SecretRepository(session)
    secret = await secrets.get_owned(id_or_name, account_id) or await secrets.get_by_name(account_id, id_or_name)
    if secret is None:
        raise BadRequest(f"{field}: there is no secret {id_or_name}.", field=field)
    return secret.id


async def stored_headers(
    session: AsyncSession, account_id: str, headers: Sequence[CustomHeaderParams]
) -> list[dict[str, Any]]:
    """Custom headers as rows have them: secrets by id.

    Raises:
        BadRequest: There is no such secret.
    """
    stored: list[dict[str, Any]] = []
    for index, header in enumerate(headers):
        one = header.model_dump(exclude_none=True)
        if header.secret is not None:
            one["secret"] = await find_secret(session, account_id, header.secret, f"custom_headers.{index}.secret")
        stored.append(one)
    return stored


async def check_endpoint(addresses: Addresses, url: str | None) -> None:
    """See that credentials may be sent to an endpoint, as far as can be told now; each connection is checked again.
    A name that has no address now may get one.

    Raises:
        BadRequest: They may not.
    """
    if url is None:
        return
    endpoint = Endpoint.parse(url)
    try:
        async with asyncio.timeout(_LOOK_UP_SECONDS):
            await addresses.find(endpoint.host, endpoint.port, secure=endpoint.secure)
    except AddressRefused as error:
        raise BadRequest(f"endpoint: {error}", field="endpoint") from error
    except (OSError, TimeoutError, UnicodeError):
        if not endpoint.secure and not addresses.any_named:
            message = (
                "endpoint: http:// would send the credential in clear text; use https://, or have the operator name "
                "the upstream's network in LOOPYARD_GATEWAY__ALLOWED_NETWORKS."
            )
            raise BadRequest(message, field="endpoint") from None
