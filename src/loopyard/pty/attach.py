"""The WebSocket of a session: what is typed comes in, what the terminal shows goes out, as raw bytes.

Everyone who is attached may type, as in a shared terminal; `?view=true` only looks. Output is sent in binary messages,
the session's last output first. Text messages are typed as UTF-8. When the session is over the close reason says why.
"""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from loopyard.audit.log import AuditLog
from loopyard.audit.record import Record
from loopyard.auth.live import LiveConnections
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.models import Devbox
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import LoopyardError
from loopyard.kit.http.parts import Parts
from loopyard.pty.session import PtySession
from loopyard.pty.sessions import PtySessions
from loopyard.pty.tunnels import PtyTunnels
from loopyard.pty.viewer import Viewer

_KEY_ENDED = (1008, "the API key is not good any more")
_GOODBYE_SECONDS = 2.0
"""How long one whose key has ended is given to take what is on its way."""

PATH = "/pty/{session_name}/attach"


class Attach:
    """The endpoint."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._live = parts.get(LiveConnections)

    async def serve(self, websocket: WebSocket) -> None:
        headers = websocket.headers
        try:
            admitted = await self._parts.get(PtyTunnels).admit(
                headers.get("host"), headers.get("x-runloop-tunnel-authorization")
            )
            session = self._parts.get(PtySessions).get(admitted.devbox, websocket.path_params["session_name"])
        except LoopyardError as error:
            await websocket.send_denial_response(JSONResponse(error.body(), error.status))
            return
        await self.join(websocket, admitted.devbox, session, admitted.made_by)

    async def join(
        self,
        websocket: WebSocket,
        devbox: Devbox,
        session: PtySession,
        key_id: str | None,
        *,
        ending_with: Callable[[Callable[[], None]], contextlib.AbstractContextManager[None]] | None = None,
    ) -> None:
        """Attach a WebSocket that was let in to a session of the devbox, until either ends, or the key does.
        `ending_with` is given what ends it, for as long as it lasts."""
        self._note(websocket, devbox, key_id)
        cut = asyncio.Event()

        def end() -> None:
            viewer.end(_KEY_ENDED)
            asyncio.get_running_loop().call_later(_GOODBYE_SECONDS, cut.set)

        more = contextlib.nullcontext() if ending_with is None else ending_with(end)
        with session.attach() as viewer, self._in_use(devbox), self._live.holding(key_id, end), more:
            await websocket.accept()
            may_type = websocket.query_params.get("view") != "true"
            await _serve(websocket, session, viewer, cut, may_type=may_type)

    def _note(self, websocket: WebSocket, devbox: Devbox, key_id: str | None) -> None:
        source = "unknown" if websocket.client is None else websocket.client.host
        account, path = devbox.account_id, f"/v1/devboxes/{devbox.id}"
        record = Record("terminal attached", now_ms(), source, account=account, key=key_id, path=path)
        self._parts.get(AuditLog).note(record)

    def _in_use(self, devbox: Devbox) -> contextlib.AbstractContextManager[None]:
        return self._parts.get(Activity).using(devbox)


async def _serve(
    websocket: WebSocket, session: PtySession, viewer: Viewer, cut: asyncio.Event, *, may_type: bool
) -> None:
    showing = asyncio.ensure_future(_show(websocket, viewer))
    typing = asyncio.ensure_future(_type(websocket, session, may_type=may_type))
    cutting = asyncio.ensure_future(cut.wait())
    tasks = (showing, typing, cutting)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show(websocket: WebSocket, viewer: Viewer) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # they are gone; `_type` sees that too
        while (data := await viewer.next()) is not None:
            if data:
                await websocket.send_bytes(data)
        code, reason = viewer.ending or (1000, "")
        await websocket.close(code, reason)


async def _type(websocket: WebSocket, session: PtySession, *, may_type: bool) -> None:
    while (message := await websocket.receive())["type"] == "websocket.receive":
        text = message.get("text")
        data = message.get("bytes") if text is None else text.encode()
        if may_type and data:
            await session.write(data)
