"""Objects' contents in a bucket. Callers up- and download there, at URLs that S3 itself checks."""

from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from loopyard.kit.errors import TooLarge, Unavailable
from loopyard.object.config import S3Config
from loopyard.object.store import ContentMissing, Download

if TYPE_CHECKING:
    from obstore.store import S3Config as S3Options

_BLOCK_BYTES = 4 << 20


class BucketStore:
    """Uploads go to `uploads/{id}`; completing copies them to `objects/{id}`, which no URL can write to."""

    shared = True

    def __init__(self, config: S3Config, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        options: dict[str, Any] = {"region": config.region, "endpoint": config.endpoint}
        if config.access_key_id is not None and config.secret_access_key is not None:
            options["access_key_id"] = config.access_key_id.get_secret_value()
            options["secret_access_key"] = config.secret_access_key.get_secret_value()
        given = cast("S3Options", {name: value for name, value in options.items() if value is not None})
        plain = config.endpoint is not None and config.endpoint.startswith("http://")
        self._store = S3Store(
            config.bucket, prefix=config.prefix or None, config=given, client_options={"allow_http": plain}
        )

    async def open(self) -> None:
        """Nothing is left half done: S3 shows an upload when it is whole."""

    async def upload_url(self, object_id: str, base_url: str, seconds: int) -> str:  # noqa: ARG002
        return await obstore.sign_async(self._store, "PUT", _uploaded(object_id), timedelta(seconds=seconds))

    async def download_url(self, download: Download, base_url: str, seconds: int) -> str:  # noqa: ARG002
        return await obstore.sign_async(self._store, "GET", _final(download.object_id), timedelta(seconds=seconds))

    async def seal(self, object_id: str) -> int:
        uploaded, final = _uploaded(object_id), _final(object_id)
        with _understood():
            with suppress(FileNotFoundError):  # then an earlier call did this part
                await self._check(uploaded)
                await obstore.copy_async(self._store, uploaded, final)
                await obstore.delete_async(self._store, uploaded)
            try:
                return await self._check(final)  # it may have been uploaded anew after the first look
            except FileNotFoundError:
                raise ContentMissing(object_id) from None

    async def _check(self, path: str) -> int:
        """The size of what is there. What is larger than an object may be goes: no URL can keep it from being sent."""
        size = (await obstore.head_async(self._store, path))["size"]
        if size > self._max_bytes:
            await obstore.delete_async(self._store, path)
            raise TooLarge(f"An object may have at most {self._max_bytes} bytes; {size} were uploaded.")
        return size

    async def read(self, object_id: str) -> AsyncIterator[bytes]:
        with _understood():
            try:
                result = await obstore.get_async(self._store, _final(object_id))
            except FileNotFoundError:
                raise ContentMissing(object_id) from None
            async for chunk in result.stream(min_chunk_size=_BLOCK_BYTES):
                yield bytes(chunk)

    def local_file(self, object_id: str) -> None:
        del object_id  # none is on this host

    async def contents(self) -> AsyncIterator[str]:
        with _understood():
            for kept in (_uploaded(""), _final("")):
                async for entries in obstore.list(self._store, kept):
                    for entry in entries:
                        yield entry["path"].rpartition("/")[2]

    async def delete(self, object_id: str) -> None:
        with _understood():
            for path in (_uploaded(object_id), _final(object_id)):
                with suppress(FileNotFoundError):
                    await obstore.delete_async(self._store, path)


def _uploaded(object_id: str) -> str:
    return f"uploads/{object_id}"


def _final(object_id: str) -> str:
    return f"objects/{object_id}"


@contextmanager
def _understood() -> Generator[None]:
    try:
        yield
    except BaseError as error:
        raise Unavailable(f"The object store failed: {type(error).__name__}.") from error
