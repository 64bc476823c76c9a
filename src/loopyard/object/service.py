"""Decides about objects."""

import asyncio
from collections.abc import AsyncIterable
from typing import cast
from weakref import WeakValueDictionary

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.account.limits import AccountLimits, check
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database, after_commit
from loopyard.kit.errors import NotFound, WrongState
from loopyard.kit.lists import names
from loopyard.object.config import ObjectConfig
from loopyard.object.deleter import ObjectDeleter
from loopyard.object.local import LocalStore
from loopyard.object.models import StorageObject
from loopyard.object.repository import ObjectRepository
from loopyard.object.schemas import ObjectCreateParams
from loopyard.object.states import DELETED, READ_ONLY, UPLOADING, ContentType
from loopyard.object.store import ContentMissing, Download, ObjectStore


class ObjectService:
    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        deleter: ObjectDeleter,
        config: ObjectConfig,
        limits: AccountLimits,
    ) -> None:
        self._database = database
        self._store = store
        self._deleter = deleter
        self._config = config
        self._limits = limits
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def create(
        self, session: AsyncSession, account_id: str, params: ObjectCreateParams, *, object_id: str
    ) -> StorageObject:
        """Write a new object down, which waits for its content.

        Raises:
            LimitReached: The account has as many bytes in objects as it may have.
        """
        await self._check_room(session, account_id, 1)
        now = now_ms()
        row = StorageObject(
            id=object_id,
            account_id=account_id,
            name=params.name,
            name_folded=names.fold(params.name),
            content_type=params.content_type,
            state=UPLOADING,
            metadata_=params.metadata or {},
            create_time_ms=now,
            delete_after_time_ms=None if params.ttl_ms is None else now + params.ttl_ms,
            is_public=False,
            reclaimed=False,
        )
        await ObjectRepository(session).create(row)
        return row

    async def get(self, session: AsyncSession, account_id: str, object_id: str) -> StorageObject:
        """An object that the account may see: its own, or a public one.

        Raises:
            NotFound: There is none of this id.
        """
        return await ObjectRepository(session).get_one_visible(object_id, account_id)

    async def get_readable(self, session: AsyncSession, account_id: str, object_id: str) -> StorageObject:
        """An object whose content can be read.

        Raises:
            NotFound: There is none of this id that the account may see.
            WrongState: It is not uploaded, or was deleted.
        """
        row = await self.get(session, account_id, object_id)
        if row.state == UPLOADING:
            raise WrongState(f"Object {object_id} is not complete; upload its content and complete it first.")
        if row.state != READ_ONLY or _expired(row):
            raise WrongState(f"Object {object_id} is {DELETED if _expired(row) else row.state}.")
        return row

    async def upload_url(self, row: StorageObject, base_url: str) -> str | None:
        """Where the content of an object that waits for it is put."""
        if row.state != UPLOADING:
            return None
        return await self._store.upload_url(row.id, base_url, self._config.upload_seconds)

    async def download_url(
        self, session: AsyncSession, account_id: str, object_id: str, base_url: str, seconds: int
    ) -> str:
        """Where its content is got for so many seconds.

        Raises:
            NotFound, WrongState: As `get_readable`.
        """
        row = await self.get_readable(session, account_id, object_id)
        download = Download(row.id, row.name, cast("ContentType", row.content_type))
        return await self._store.download_url(download, base_url, seconds)

    async def complete(self, account_id: str, object_id: str) -> StorageObject:
        """Make what was uploaded the object's content for good; one that is complete stays as it is. Opens transactions
        of its own.

        Raises:
            NotFound: The account has none of this id.
            WrongState: Nothing was uploaded, or it was deleted.
            TooLarge: What was uploaded is more than an object may have.
            LimitReached: With it the account has more bytes in objects than it may have.
        """
        async with self._turn(object_id):
            async with self._database.read() as session:
                row = await ObjectRepository(session).get_one_owned(object_id, account_id)
            if row.state == READ_ONLY:
                return row
            try:
                size = await self._store.seal(object_id)
            except ContentMissing:
                size = None
            async with self._database.write() as session:
                row = await ObjectRepository(session).get_one_owned_for_update(object_id, account_id)
                if row.state != UPLOADING:
                    raise WrongState(f"Object {object_id} is {row.state}; it cannot be completed.")
                if size is None:
                    raise WrongState(f"Nothing was uploaded to object {object_id} yet.")
                await self._check_room(session, account_id, size, but=object_id)
                row.state, row.size_bytes, row.uploaded_bytes = READ_ONLY, size, None
                return row

    async def delete(self, session: AsyncSession, account_id: str, object_id: str) -> StorageObject:
        """Delete an object; its content is freed after the commit. One that is deleted stays so.

        Raises:
            NotFound: The account has none of this id.
        """
        objects = ObjectRepository(session)
        row = await objects.get_one_owned_for_update(object_id, account_id)
        row.state = DELETED
        after_commit(session, self._deleter.wake)
        return await objects.update(row)

    async def receive(self, store: LocalStore, object_id: str, chunks: AsyncIterable[bytes]) -> None:
        """Take in an upload at a signed URL.

        Raises:
            NotFound, WrongState: The object does not wait for its content any more.
            TooLarge, Unavailable: As `LocalStore.receive`.
            LimitReached: With it the account has more bytes in objects than it may have.
        """
        async with self._database.read() as session:
            self._check_waiting(await ObjectRepository(session).get_by_id(object_id), object_id)
        path = await store.receive(object_id, chunks)
        try:
            async with self._turn(object_id), self._database.write() as session:
                row = self._check_waiting(await ObjectRepository(session).get_by_id_for_update(object_id), object_id)
                row.uploaded_bytes = size = path.stat().st_size
                await self._check_room(session, row.account_id, size, but=object_id)
                store.put(object_id, path)
        finally:
            store.discard(path)

    async def get_signed(self, session: AsyncSession, object_id: str) -> StorageObject:
        """An object that a signed URL gives away.

        Raises:
            NotFound: It was deleted.
        """
        row = await ObjectRepository(session).get_by_id(object_id)
        if row is None or row.state != READ_ONLY or _expired(row):
            raise NotFound(f"There is no object {object_id} any more.", field="id")
        return row

    async def _check_room(self, session: AsyncSession, account_id: str, size: int, *, but: str | None = None) -> None:
        """See that an account may have so many bytes more, besides those of all its objects `but` one."""
        limits = await self._limits.hold(session, account_id)
        if limits is not None and limits.object_bytes is not None:
            has = await ObjectRepository(session).total_bytes(account_id, but)
            # What is full does not empty itself: the clients are told not to try again.
            advice = "Delete objects."
            check("object_bytes", limits.object_bytes, has, size, account_id=account_id, advice=advice, retry=False)

    def _turn(self, object_id: str) -> asyncio.Lock:
        """Lock of an object's content: one change at a time."""
        return self._turns.setdefault(object_id, asyncio.Lock())

    def _check_waiting(self, row: StorageObject | None, object_id: str) -> StorageObject:
        if row is None:
            raise NotFound(f"There is no object {object_id}.", field="id")
        if row.state != UPLOADING or _expired(row):
            raise WrongState(f"Object {object_id} is {row.state}; it takes no upload any more.")
        return row


def _expired(row: StorageObject) -> bool:
    return row.delete_after_time_ms is not None and row.delete_after_time_ms <= now_ms()
