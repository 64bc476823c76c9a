"""The hub of one token of a devbox: the MCP servers that it stands for, as one server with all their tools."""

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from typing import Any, cast

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError

from loopyard.mcp_hub import asgi
from loopyard.mcp_hub.relay import Relay
from loopyard.mcp_hub.servers import McpServer
from loopyard.mcp_hub.session import ServerSession, ServerUnusable
from loopyard.upstream_proxy.wire.caller import Request
from loopyard.upstream_proxy.wire.pool import Pool
from loopyard.version import VERSION

log = logging.getLogger("loopyard.mcp")

BODY_BYTES = 4 << 20
"""The longest request: 4 MiB."""

_SESSION = "mcp-session-id"
_MOST_SESSIONS = 64
_IDLE_SECONDS = 1800.0
_NEEDS_SERVERS = ("initialize", "server/discover", "tools/list", "tools/call")


class _Server(Server[Any]):
    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        options = notification_options or NotificationOptions(tools_changed=True)
        return super().create_initialization_options(options, experimental_capabilities, extensions)


class _BoxSession:
    """A session of a devbox's client, with a session of its own with each MCP server."""

    def __init__(self, pool: Pool, account_id: str, wishes: frozenset[str]) -> None:
        self._pool = pool
        self._account_id = account_id
        self._wishes = wishes
        self.relay = Relay()
        self._sessions: dict[str, ServerSession] = {}

    async def connect(self, servers: Sequence[McpServer]) -> list[ServerUnusable]:
        """Have sessions with all servers; those that cannot be had are told."""
        for server in servers:
            known = self._sessions.get(server.id)
            if known is not None and known.server.endpoint != server.endpoint:
                await self._sessions.pop(server.id).close()
            if server.id not in self._sessions:
                made = ServerSession(server, self._pool, self._account_id, self.relay, self._wishes)
                self._sessions[server.id] = made
        opened = await asyncio.gather(
            *(self._sessions[server.id].open(server) for server in servers), return_exceptions=True
        )
        for one in opened:
            if isinstance(one, BaseException) and not isinstance(one, ServerUnusable):
                raise one
        return [one for one in opened if isinstance(one, ServerUnusable)]

    def of(self, server: McpServer) -> ServerSession:
        return self._sessions[server.id]

    async def close(self) -> None:
        await asyncio.gather(*(session.close() for session in self._sessions.values()), return_exceptions=True)


class Hub:
    """Answers requests with one token. `servers` are what the token stands for, in order."""

    def __init__(self, pool: Pool, account_id: str) -> None:
        self._pool = pool
        self._account_id = account_id
        self._servers: list[McpServer] = []
        self._sessions: dict[str | None, _BoxSession] = {}
        self.used_at = time.monotonic()
        server = _Server("loopyard-mcp-hub", version=VERSION, on_list_tools=self._list, on_call_tool=self._call)
        self._manager = StreamableHTTPSessionManager(
            server,
            session_idle_timeout=_IDLE_SECONDS,
            max_sessions=_MOST_SESSIONS,
            max_request_body_size=BODY_BYTES,
        )
        self._started = asyncio.Event()
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._manager.run():
            self._started.set()
            await asyncio.Event().wait()

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await asyncio.gather(*(session.close() for session in self._sessions.values()), return_exceptions=True)

    async def handle(self, request: Request, body: bytes, servers: list[McpServer]) -> None:
        """Answer a request, with the servers and credentials as they are now."""
        self.used_at = time.monotonic()
        self._servers = servers
        message = _parsed(body)
        method = message.get("method")
        session_id = request.get(_SESSION)
        starts = method == "initialize"
        session = self._session(None if starts else session_id, message, fresh=starts)
        if method in _NEEDS_SERVERS and (starts or session_id is None or session_id in self._sessions):
            faults = await session.connect(servers)
            for fault in faults:
                log.info("an MCP server cannot be used: %s", fault)
            if len(faults) == len(servers):
                await session.close()
                await request.refuse(faults[0].status, "bad_gateway", str(faults[0]))
                return
        await self._started.wait()
        fields = dict(await asgi.answer(self._manager.handle_request, request, body))
        if starts:
            if (made := fields.get(_SESSION)) is not None:
                await self._keep(made, session)
            else:
                await session.close()
        if request.method == "DELETE" and session_id in self._sessions:
            await self._sessions.pop(session_id).close()

    def _session(self, session_id: str | None, message: dict[str, Any], *, fresh: bool) -> _BoxSession:
        wishes = frozenset(_object(_object(message.get("params")).get("capabilities")))
        if fresh:
            return _BoxSession(self._pool, self._account_id, wishes)
        known = self._sessions.get(session_id)
        if known is None:
            known = _BoxSession(self._pool, self._account_id, frozenset())
            if session_id is None:  # a client of the protocol that knows no sessions
                self._sessions[None] = known
        return known

    async def _keep(self, session_id: str, session: _BoxSession) -> None:
        self._sessions[session_id] = session
        while len(self._sessions) > _MOST_SESSIONS + 1:
            await self._sessions.pop(next(iter(self._sessions))).close()

    def _of(self, ctx: ServerRequestContext[Any]) -> _BoxSession:
        session_id = None if ctx.request is None else ctx.request.headers.get(_SESSION)
        return self._sessions[session_id if session_id in self._sessions else None]

    async def _list(
        self, ctx: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        session = self._of(ctx)
        with session.relay.during(ctx):
            lists = await asyncio.gather(
                *(session.of(server).tools() for server in self._servers), return_exceptions=True
            )
        found: dict[str, types.Tool] = {}
        for one in lists:
            if isinstance(one, BaseException):
                log.info("the tools of an MCP server cannot be listed: %s", one)
            else:
                found = {**{tool.name: tool for tool in one}, **found}  # the first of a name counts
        if not found and (faults := [one for one in lists if isinstance(one, Exception)]):
            raise _as_error(faults[0])
        return types.ListToolsResult(tools=list(found.values()))

    async def _call(self, ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        session = self._of(ctx)
        server, tool = self._find(params.name)
        token = None if ctx.meta is None else ctx.meta.get("progress_token")

        async def tell(progress: float, total: float | None, message: str | None) -> None:
            if token is not None:
                await ctx.session.send_progress_notification(token, progress, total, message, str(ctx.request_id))

        with session.relay.during(ctx):
            try:
                return await session.of(server).call(params, tool, None if token is None else tell)
            except ServerUnusable as fault:
                raise _as_error(fault) from fault

    def _find(self, name: str) -> tuple[McpServer, str]:
        """The server of a tool, and its name there.

        Raises:
            MCPError: There is none, or it is not allowed.
        """
        service, dot, rest = name.partition(".")
        for server in self._servers:
            if dot and server.service == service and server.allows(rest):
                return server, rest
        bare = [server for server in self._servers if server.allows(name)]
        if len(self._servers) == 1 and bare:
            return bare[0], name
        allowed = ", ".join(f"{one.service}: {' '.join(one.allowed_tools)}" for one in self._servers)
        message = f"The tool {name} is not allowed, or not named as service.tool. Allowed are {allowed}."
        raise MCPError(types.INVALID_PARAMS, message)


def _as_error(fault: Exception) -> MCPError:
    return fault if isinstance(fault, MCPError) else MCPError(types.INTERNAL_ERROR, str(fault))


def _parsed(body: bytes) -> dict[str, Any]:
    """A message, as far as it is one: who answers says what is wrong with it."""
    try:
        return _object(json.loads(body))
    except ValueError:
        return {}


def _object(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one in place of anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
