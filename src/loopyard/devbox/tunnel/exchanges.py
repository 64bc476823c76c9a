"""HTTP exchanges in flight through tunnels."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class TunnelExchanges:
    """Registry of exchanges in flight, by the key of their tunnel."""

    def __init__(self) -> None:
        self._tasks: dict[str, set[asyncio.Task[None]]] = {}

    async def run(self, tunnel_key: str, exchange: Coroutine[Any, Any, None]) -> None:
        """Run an exchange, until it is over or its tunnel is dropped."""
        task = asyncio.ensure_future(exchange)
        tasks = self._tasks.setdefault(tunnel_key, set())
        tasks.add(task)
        try:
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()
        finally:
            task.cancel()
            tasks.discard(task)
            if not tasks:
                self._tasks.pop(tunnel_key, None)

    def drop(self, tunnel_key: str) -> None:
        """End every exchange that goes through this tunnel."""
        for task in self._tasks.get(tunnel_key, ()):
            task.cancel()
