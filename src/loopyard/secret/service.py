"""Decides about secrets, and gives their values to what starts sandboxes."""

from collections.abc import Collection, Mapping

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.errors import BadRequest, NotFound, Unavailable
from loopyard.secret.models import Secret
from loopyard.secret.repository import SecretRepository
from loopyard.secret.schemas import SecretCreateParams, SecretUpdateParams
from loopyard.secret.vault import Sealed, Vault


class SecretService:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def create(
        self, session: AsyncSession, account_id: str, params: SecretCreateParams, *, secret_id: str
    ) -> Secret:
        """Write a new secret down.

        Raises:
            BadRequest: The account has one of this name.
        """
        now = now_ms()
        secret = Secret(id=secret_id, account_id=account_id, name=params.name, create_time_ms=now, update_time_ms=now)
        secrets = SecretRepository(session)
        if await secrets.get_by_name(account_id, params.name) is not None:
            raise _taken(params.name)
        await self._seal(session, secret, params)
        try:
            return await secrets.create(secret)
        except IntegrityError:  # somebody else took it at this moment
            raise _taken(params.name) from None

    async def get(self, session: AsyncSession, account_id: str, secret_id: str) -> Secret:
        """A secret of the account by its id.

        Raises:
            NotFound: It has none of this id.
        """
        return await SecretRepository(session).get_one_owned(secret_id, account_id)

    async def named(self, session: AsyncSession, account_id: str, name: str) -> Secret:
        """A secret of the account by its name.

        Raises:
            NotFound: It has none of this name.
        """
        secret = await SecretRepository(session).get_by_name(account_id, name)
        if secret is None:
            raise NotFound(f"There is no secret named {name}.", field="name")
        return secret

    async def update(self, session: AsyncSession, secret: Secret, params: SecretUpdateParams) -> Secret:
        """Give a secret another value. Devboxes have it from their next start on."""
        await self._seal(session, secret, params)
        secret.update_time_ms = max(now_ms(), secret.update_time_ms + 1)
        return await SecretRepository(session).update(secret)

    async def delete(self, session: AsyncSession, secret: Secret) -> Secret:
        """Delete a secret. Devboxes that have its value keep it until they end or are suspended."""
        return await SecretRepository(session).delete(secret)

    async def values(self, account_id: str, wanted: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """Values to inject: variable names to values, for variable names to secrets' names. Opens a transaction of its
        own. The second part is the names of secrets that are not there any more.

        Raises:
            Unavailable: A value cannot be opened.
        """
        if not wanted:
            return {}, []
        try:
            values = await self._opened(account_id, set(wanted.values()))
        except Unavailable:  # the keys may have been changed between the two looks
            values = await self._opened(account_id, set(wanted.values()))
        missing = sorted(set(wanted.values()) - values.keys())
        return {variable: values[name] for variable, name in wanted.items() if name in values}, missing

    async def values_by_id(self, session: AsyncSession, account_id: str, secret_ids: Collection[str]) -> dict[str, str]:
        """The values that the account's secrets of these ids have now. Those that are not there are left out.

        Raises:
            Unavailable: A value cannot be opened.
        """
        secrets = await SecretRepository(session).list_sealed_by_id(account_id, secret_ids)
        return {one.id: self._vault.open(one.id, Sealed(one.sealed, one.key_id)) for one in secrets}

    def opened(self, secret_id: str, sealed: bytes, key_id: str) -> str:
        """The value of a secret whose row somebody has read.

        Raises:
            Unavailable: It cannot be opened.
        """
        return self._vault.open(secret_id, Sealed(sealed, key_id))

    async def _opened(self, account_id: str, names: set[str]) -> dict[str, str]:
        async with self._database.read() as session:
            secrets = await SecretRepository(session).list_sealed(account_id, names)
        return {one.name: self._vault.open(one.id, Sealed(one.sealed, one.key_id)) for one in secrets}

    async def _seal(self, session: AsyncSession, secret: Secret, params: SecretUpdateParams) -> None:
        await SecretRepository(session).hold_keys()
        sealed = self._vault.seal(secret.id, params.value.get_secret_value())
        secret.sealed, secret.key_id = sealed.data, sealed.key_id


def _taken(name: str) -> BadRequest:
    return BadRequest(f"name: there is a secret named {name} already; update it instead.", field="name")
