"""HTTP for large bodies, by aiohttp: httpx, which does the rest here, takes in no more than some 200 MB in a second."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

_SECONDS = 300


class BulkHttp:
    """A client of one server. An answer that is no success raises `aiohttp.ClientResponseError`."""

    def __init__(
        self,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        connector: aiohttp.BaseConnector | None = None,
    ) -> None:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        self._session = aiohttp.ClientSession(
            base_url, headers=headers, connector=connector, timeout=timeout, raise_for_status=True
        )

    async def send(self, method: str, path: str, body: AsyncIterator[bytes], content_type: str) -> None:
        """Send a body as it comes, and wait for the answer."""
        async with self._session.request(method, path, data=body, headers={"Content-Type": content_type}) as answer:
            await answer.read()

    async def read(self, method: str, path: str, json: Any = None) -> AsyncIterator[bytes]:
        """The body of an answer as it comes."""
        async with self._session.request(method, path, json=json) as answer:
            async for piece in answer.content.iter_any():
                yield piece

    async def close(self) -> None:
        await self._session.close()
