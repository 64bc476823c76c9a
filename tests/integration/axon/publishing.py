"""Publishing by many at once."""

import asyncio
from collections.abc import Sequence

import aiohttp

from tests.serving import ServerProcess


def event(payload: str = "{}", **fields: str) -> dict[str, str]:
    """The body of a publish call."""
    return {"event_type": "test", "origin": "USER_EVENT", "payload": payload, "source": "tests", **fields}


async def publish_many(server: ServerProcess, axon_id: str, count: int, at_once: int) -> dict[int, int]:
    """Publish events with payloads 0 to count - 1 by `at_once` publishers. Each repeats a call that got no answer under
    the same key, until the server has answered it. Returns the sequence of each payload."""
    answered: dict[int, int] = {}
    left = list(range(count))

    async def publisher() -> None:
        while left:
            number = left.pop()
            while number not in answered:
                answered.update(await _publish(http, server, axon_id, number))

    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        await asyncio.gather(*(publisher() for _ in range(at_once)))
    return answered


async def _publish(http: aiohttp.ClientSession, server: ServerProcess, axon_id: str, number: int) -> dict[int, int]:
    url = f"{server.base_url}/v1/axons/{axon_id}/publish"
    headers = {"Authorization": f"Bearer {server.api_key}", "x-request-id": f"publish-{number}"}
    try:
        async with http.post(url, json=event(str(number)), headers=headers) as answer:
            if answer.status == 503:
                return {}
            assert answer.status == 200, await answer.text()
            return {number: (await answer.json())["sequence"]}
    except (aiohttp.ClientError, TimeoutError):
        await asyncio.sleep(0.05)  # the server is not there for the moment
        return {}


def assert_contiguous(sequences: Sequence[int], count: int) -> None:
    """The sequences are 1 to `count`, each once."""
    assert sorted(sequences) == list(range(1, count + 1))
