"""HTTP as the benchmark speaks it to every subject, by aiohttp: httpx, on which the official client stands, takes some
1.5 ms more for each call, and takes in no more than some 200 MB in a second."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import orjson

_SECONDS = 300


class HttpClient:
    """A client of one server, with as many connections as are asked for at once. An answer that is no success raises
    `aiohttp.ClientResponseError`, no answer `aiohttp.ClientConnectionError`."""

    def __init__(self, base_url: str, headers: Mapping[str, str] | None = None, socket: str | None = None) -> None:
        """`socket` is the path of the one that the server listens on, if it does not listen where its URL says."""
        connector = aiohttp.TCPConnector(limit=0) if socket is None else aiohttp.UnixConnector(socket, limit=0)
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        self._session = aiohttp.ClientSession(base_url, headers=headers, connector=connector, timeout=timeout)

    async def ask(self, method: str, path: str, body: object = None, **query: str | int | bool) -> Any:
        """The answer to a request; None if it is not JSON."""
        asked = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
        async with self._session.request(method, path, json=body, params=asked) as answer:
            said = await answer.read()
            if not answer.ok:
                message = said.decode(errors="replace").strip()
                raise aiohttp.ClientResponseError(answer.request_info, (), status=answer.status, message=message)
            return orjson.loads(said) if said and answer.content_type == "application/json" else None

    async def send(self, method: str, path: str, body: AsyncIterator[bytes], content_type: str) -> None:
        """Send a body as it comes, and wait for the answer."""
        headers = {"Content-Type": content_type}
        async with self._session.request(method, path, data=body, headers=headers, raise_for_status=True) as answer:
            await answer.read()

    async def read(self, method: str, path: str, body: object = None) -> AsyncIterator[bytes]:
        """The body of an answer as it comes."""
        async with self._session.request(method, path, json=body, raise_for_status=True) as answer:
            async for piece in answer.content.iter_any():
                yield piece

    async def close(self) -> None:
        await self._session.close()
