"""SQL for secrets."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import undefer

from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.lists.paging import Page, PageQuery
from loopyard.secret.models import HeldToken, Secret

_KEYS_LOCK = 0x6C6F6F7073656372


class SecretRepository(OwnedRepository[Secret]):
    model = Secret
    kind = "secret"

    async def hold_keys(self) -> None:
        """Let no other transaction seal anything until this one ends. On SQLite only one writes anyway."""
        if self._session.get_bind().dialect.name == "postgresql":
            await self._session.execute(text(f"SELECT pg_advisory_xact_lock({_KEYS_LOCK})"))

    async def get_by_name(self, account_id: str, name: str) -> Secret | None:
        return await self._session.scalar(select(Secret).where(Secret.account_id == account_id, Secret.name == name))

    async def known_names(self, account_id: str, names: Collection[str]) -> set[str]:
        """Names, of those given, that the account has a secret of."""
        statement = select(Secret.name).where(Secret.account_id == account_id, Secret.name.in_(names))
        return set((await self._session.scalars(statement)).all())

    async def sealed_sizes(self, account_id: str, names: Collection[str]) -> dict[str, int]:
        """Names, of those given, that the account has a secret of, each with the bytes of its sealed value."""
        columns = select(Secret.name, func.length(Secret.sealed))
        rows = await self._session.execute(columns.where(Secret.account_id == account_id, Secret.name.in_(names)))
        return {name: size for name, size in rows.all()}  # noqa: C416 - a row is no pair to the type checker

    async def list_sealed(self, account_id: str, names: Collection[str]) -> Sequence[Secret]:
        """The account's secrets of these names, with their sealed values."""
        statement = select(Secret).where(Secret.account_id == account_id, Secret.name.in_(names))
        return (await self._session.scalars(statement.options(undefer(Secret.sealed)))).all()

    async def list_sealed_by_id(self, account_id: str, secret_ids: Collection[str]) -> Sequence[Secret]:
        """The account's secrets of these ids, with their sealed values."""
        statement = select(Secret).where(Secret.account_id == account_id, Secret.id.in_(secret_ids))
        return (await self._session.scalars(statement.options(undefer(Secret.sealed)))).all()

    async def list_page(self, account_id: str, query: PageQuery) -> Page[Secret]:
        condition = Secret.account_id == account_id
        return await self._page(query, condition)

    async def list_sealed_otherwise_for_update(self, key_id: str, limit: int) -> Sequence[Secret]:
        """Secrets that are sealed with another key than this, kept from others' changes until the transaction ends."""
        statement = select(Secret).where(Secret.key_id != key_id).order_by(Secret.id).limit(limit)
        return (await self._session.scalars(statement.options(undefer(Secret.sealed)).with_for_update())).all()

    async def key_ids(self) -> set[str]:
        """The ids of all keys that something is sealed with."""
        named = select(Secret.key_id).union(select(HeldToken.key_id))
        return set((await self._session.scalars(named)).all())

    async def list_tokens_otherwise_for_update(self, key_id: str, limit: int) -> Sequence[HeldToken]:
        """Tokens that are sealed with another key than this, kept from others' changes until the transaction ends."""
        statement = select(HeldToken).where(HeldToken.key_id != key_id).limit(limit)
        return (await self._session.scalars(statement.with_for_update())).all()

    async def list_tokens(self, owner_id: str) -> Sequence[HeldToken]:
        return (await self._session.scalars(select(HeldToken).where(HeldToken.owner_id == owner_id))).all()

    async def create_tokens(self, tokens: Iterable[HeldToken]) -> None:
        """Write new tokens."""
        self._session.add_all(tokens)
        await self._session.flush()

    async def delete_tokens(self, owner_id: str) -> None:
        """Erase the tokens that the owner needs no more."""
        await self._session.execute(delete(HeldToken).where(HeldToken.owner_id == owner_id))
