"""Sessions with MCP servers: one for each session of a devbox and each server."""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any, TypeVar, cast

import httpx2
import mcp_types as types
from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.dispatcher import ProgressFnT
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from loopyard.mcp_hub.relay import Relay
from loopyard.mcp_hub.servers import McpServer
from loopyard.mcp_hub.transport import Fault, UpstreamTransport
from loopyard.upstream_proxy.wire.pool import Pool
from loopyard.version import VERSION

_OPEN_SECONDS = 30.0
_MESSAGE_BYTES = 1 << 24
_MOST_PAGES = 100

_Result = TypeVar("_Result", bound=BaseModel)


class ServerUnusable(Exception):
    """No session with an MCP server can be had."""

    def __init__(self, server: McpServer, fault: Fault) -> None:
        super().__init__(f"{server.name}: {fault.message}")
        self.status = fault.status


class ServerSession:
    """A session with one MCP server. `wishes` are the capabilities of the devbox's client."""

    def __init__(self, server: McpServer, pool: Pool, account_id: str, relay: Relay, wishes: Collection[str]) -> None:
        self.server = server
        self._relay = relay
        self._wishes = wishes
        self._transport = UpstreamTransport(pool, account_id, server.endpoint)
        self._opening = asyncio.Lock()
        self._session: ClientSession | None = None
        self._ending = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def open(self, server: McpServer) -> None:
        """See that there is a session, with the credentials that the server has now.

        Raises:
            ServerUnusable.
        """
        self.server = server
        self._transport.credentials = list(server.credentials)
        async with self._opening:
            if self._session is not None and self._running is not None and not self._running.done():
                return
            await self.close()
            ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
            self._ending = asyncio.Event()
            self._running = asyncio.create_task(self._run(ready, self._ending))
            try:
                async with asyncio.timeout(_OPEN_SECONDS):
                    self._session = await ready
            except TimeoutError as error:
                await self.close()
                message = f"The MCP server did not begin a session within {_OPEN_SECONDS:g} s."
                raise ServerUnusable(server, Fault(504, message)) from error
            except Exception as error:
                await self.close()
                fault = self._transport.fault or Fault(502, f"The MCP server does not begin a session: {error}")
                raise ServerUnusable(server, fault) from error

    async def _run(self, ready: asyncio.Future[ClientSession], ending: asyncio.Event) -> None:
        """Hold the session. It is entered and left by the same task, as its library wants."""
        relay = self._relay
        try:
            async with (
                httpx2.AsyncClient(transport=self._transport, timeout=None, follow_redirects=False) as http,
                Client(
                    streamable_http_client(self.server.endpoint, http_client=http, max_sse_event_size=_MESSAGE_BYTES),
                    mode="legacy",
                    cache=None,
                    client_info=types.Implementation(name="loopyard-mcp-hub", version=VERSION),
                    logging_callback=relay.log,
                    message_handler=relay.hear,
                    sampling_callback=relay.sample if "sampling" in self._wishes else None,
                    elicitation_callback=relay.elicit if "elicitation" in self._wishes else None,
                    list_roots_callback=relay.roots if "roots" in self._wishes else None,
                ) as client,
            ):
                ready.set_result(client.session)
                await ending.wait()
        except Exception as error:
            if not ready.done():
                ready.set_exception(_first(error))
        finally:
            if not ready.done():
                ready.cancel()

    async def tools(self) -> list[types.Tool]:
        """All tools that it has and that are allowed, named by the service.

        Raises:
            ServerUnusable, MCPError.
        """
        found: list[types.Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            params = None if cursor is None else types.PaginatedRequestParams(cursor=cursor)
            page = await self._ask(types.ListToolsRequest(params=params), types.ListToolsResult)
            found += page.tools
            if (cursor := page.next_cursor) is None:
                break
        allowed = [tool for tool in found if self.server.allows(tool.name)]
        return [tool.model_copy(update={"name": f"{self.server.service}.{tool.name}"}) for tool in allowed]

    async def call(
        self, params: types.CallToolRequestParams, tool: str, progress: ProgressFnT | None
    ) -> types.CallToolResult:
        """Call a tool, and return its answer.

        Raises:
            ServerUnusable, MCPError.
        """
        request = types.CallToolRequest(params=params.model_copy(update={"name": tool, "meta": None}))
        return await self._ask(request, types.CallToolResult, progress)

    async def _ask(self, request: Any, kind: type[_Result], progress: ProgressFnT | None = None) -> _Result:
        try:
            return await self._ask_once(request, kind, progress)
        except MCPError:
            # A session that the server has forgotten is answered with 404, and nothing was done.
            if self._transport.fault is None or self._transport.fault.status != 404:
                raise
        await self.close()
        await self.open(self.server)
        return await self._ask_once(request, kind, progress)

    async def _ask_once(self, request: Any, kind: type[_Result], progress: ProgressFnT | None) -> _Result:
        if self._session is None:
            await self.open(self.server)
        assert self._session is not None  # noqa: S101
        return await self._session.send_request(request, kind, progress_callback=progress)

    async def close(self) -> None:
        """End the session."""
        running, self._running, self._session = self._running, None, None
        self._ending.set()
        if running is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await asyncio.wait((running,))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _first(error: BaseException) -> BaseException:
    """The error inside of groups of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
