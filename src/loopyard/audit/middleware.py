"""Notes requests in the audit log: those that may change something, and those that were refused."""

from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loopyard.audit.log import AuditLog
from loopyard.audit.record import Record
from loopyard.auth.acting import Caller
from loopyard.auth.caller import CALLER, KEY, MADE, entry_of
from loopyard.auth.operations import changes, concerns_account
from loopyard.kit.clock import now_ms

_ID = b'"id":"'
_LONGEST_ID = 64
_REFUSALS = (401, 403)


class AuditMiddleware:
    def __init__(self, app: ASGIApp, audit: AuditLog) -> None:
        self._app = app
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._audit.config.enabled:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._audit, scope, send)
        try:
            await self._app(scope, receive, exchange.send)
        finally:
            exchange.end()


class _Exchange:
    """A request and the beginning of its answer."""

    __slots__ = ("_at_ms", "_audit", "_head", "_noted", "_scope", "_send")

    def __init__(self, audit: AuditLog, scope: Scope, send: Send) -> None:
        self._audit = audit
        self._scope = scope
        self._send = send
        self._at_ms = now_ms()
        self._head: Message | None = None
        self._noted = False

    async def send(self, message: Message) -> None:
        if self._noted:
            await self._send(message)
            return
        held, self._head = self._head, self._head or message
        if held is None and self._may_make():  # held until the body begins, which tells what was made
            return
        if self._note(b"" if held is None else bytes(message.get("body", b""))):
            await self._audit.flush()
        if held is not None:
            await self._send(held)
        await self._send(message)

    def _may_make(self) -> bool:
        return self._scope["method"] == "POST" and not self._scope.get("path_params")

    def end(self) -> None:
        """Nothing more comes; that no answer was given at all is noted, too."""
        if not self._noted:
            self._note(b"")

    def _note(self, body: bytes) -> bool:
        """Note the request, if it is to be noted. Whether it is one whose record is written down before its answer."""
        self._noted = True
        scope, config = self._scope, self._audit.config
        status = None if self._head is None else int(self._head["status"])
        entry = entry_of(scope)
        changing = entry is not None and changes(entry)
        if not (changing or config.reads or status in _REFUSALS):
            return False
        caller = cast("Caller | None", scope.get(CALLER))
        made = _first_id(body) if status is not None and status < 400 and not scope.get("path_params") else None
        self._audit.note(
            Record(
                operation=entry or f"{scope['method']} a path that leads nowhere",
                at_ms=self._at_ms,
                source=_source(scope, trust_forwarded=config.trust_forwarded),
                account=None if caller is None else caller.account_id,
                key=scope.get(KEY) if caller is None else caller.key_id,
                path=scope["path"],
                made=made or scope.get(MADE),
                status=status,
                error=None if status is not None else "it was not answered",
            )
        )
        return changing and status is not None and entry is not None and concerns_account(entry)


def _first_id(body: bytes) -> str | None:
    start = body.find(_ID)
    if start < 0:
        return None
    found = body[start + len(_ID) : start + len(_ID) + _LONGEST_ID + 1].partition(b'"')
    return found[0].decode("latin-1") if found[1] else None


def _source(scope: Any, *, trust_forwarded: bool) -> str:
    if trust_forwarded:
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                return value.decode("latin-1").partition(",")[0].strip()[:64]
    client = scope.get("client")
    return "unknown" if client is None else str(client[0])
