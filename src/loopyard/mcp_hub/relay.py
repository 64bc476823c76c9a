"""Relay of messages that MCP servers send unasked to the devbox's session."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import mcp_types as types
from mcp.client.session import ClientRequestContext, IncomingMessage
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.shared.message import ServerMessageMetadata
from pydantic import BaseModel

_Result = TypeVar("_Result", bound=BaseModel)


class Relay:
    """Session of a devbox. Requests and log messages of MCP servers go by the call that is under way, and other
    notifications by the session's own stream."""

    def __init__(self) -> None:
        self._calls: list[ServerRequestContext[Any]] = []
        self._session: ServerSession | None = None

    @contextmanager
    def during(self, call: ServerRequestContext[Any]) -> Generator[None]:
        """While a request of the devbox is being answered."""
        self._calls.append(call)
        self._session = call.session
        try:
            yield
        finally:
            self._calls.remove(call)

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        call = self._calls[-1] if self._calls else None
        session = self._session if call is None else call.session
        if session is not None:
            note = types.LoggingMessageNotification(params=params)
            await session.send_notification(note, None if call is None else call.request_id)

    async def hear(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification) and self._session is not None:
            await self._session.send_notification(message)

    async def sample(
        self, context: ClientRequestContext, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult | types.CreateMessageResultWithTools | types.ErrorData:
        del context
        kind = types.CreateMessageResultWithTools if params.tools else types.CreateMessageResult
        return await self._ask(types.CreateMessageRequest(params=params), kind)

    async def elicit(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        del context
        return await self._ask(types.ElicitRequest(params=params), types.ElicitResult)

    async def roots(self, context: ClientRequestContext) -> types.ListRootsResult | types.ErrorData:
        del context
        return await self._ask(types.ListRootsRequest(), types.ListRootsResult)

    async def _ask(self, request: types.ServerRequest, kind: type[_Result]) -> _Result | types.ErrorData:
        if not self._calls:
            return types.ErrorData(code=types.INVALID_REQUEST, message="No call of the devbox is under way.")
        call = self._calls[-1]
        metadata = ServerMessageMetadata(related_request_id=call.request_id)
        return await call.session.send_request(request, kind, metadata=metadata)
