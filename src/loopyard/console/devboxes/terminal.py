"""/console/devboxes/{id}/terminal: terminals in the page, over the same sessions as `/pty`."""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Form, Path, Query
from fastapi.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from loopyard.auth.acting import acting_as
from loopyard.connections.limits import let_in
from loopyard.console.devboxes.common import read, tabs
from loopyard.console.login.sessions import Session
from loopyard.console.page import Page, allowed, is_same_origin, missing, who
from loopyard.devbox.models import Devbox
from loopyard.devbox.service import DevboxService
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.errors import Forbidden, LoopyardError, NotFound
from loopyard.kit.http.parts import Parts, part
from loopyard.kit.ids import is_id
from loopyard.pty.attach import Attach
from loopyard.pty.endpoints import MOST_CELLS
from loopyard.pty.sessions import PtySessions
from loopyard.runtime.protocol import Terminal

router = APIRouter()

OPERATION = "POST /v1/devboxes/{}/create_pty_tunnel"
"""Operation of the API that opens a terminal: the right to it is the right to this."""

TerminalPage = Annotated[Page, Depends(allowed(OPERATION))]
SessionsDep = Annotated[PtySessions, Depends(part(PtySessions))]
NAME = r"^[A-Za-z0-9_-]{1,32}$"
SessionName = Annotated[str, Path(pattern=NAME)]
Cells = Annotated[int, Form(ge=1, le=MOST_CELLS)]


@router.get("/{id}/terminal")
async def terminal(
    id: str, page: TerminalPage, sessions: SessionsDep, name: Annotated[str, Query(pattern=NAME)] = "main"
) -> Response:
    """A terminal, and the other ones that the devbox has."""
    devbox = await read(page, id)
    names = list(dict.fromkeys([*sessions.names(id), name]))
    fresh = next(str(number) for number in range(2, len(names) + 3) if str(number) not in names)
    return page.render("devboxes/terminal.html", tabs=tabs(page), devbox=devbox, names=names, name=name, fresh=fresh)


@router.post("/{id}/terminal/{name}")
async def connect(
    id: str, name: SessionName, page: TerminalPage, sessions: SessionsDep, rows: Cells, cols: Cells
) -> Response:
    """Find the terminal, or make it with a new shell."""
    devbox = await _running(page.parts, page.caller.account_id, id)
    _, created = await sessions.connect(devbox, name, Terminal(rows, cols))
    return JSONResponse({"created": created})


@router.post("/{id}/terminal/{name}/resize")
async def resize(
    id: str, name: SessionName, page: TerminalPage, sessions: SessionsDep, rows: Cells, cols: Cells
) -> Response:
    devbox = await _running(page.parts, page.caller.account_id, id)
    sessions.get(devbox, name).resize(rows, cols)
    return Response(status_code=204)


@router.post("/{id}/terminal/{name}/close")
async def close(id: str, name: SessionName, page: TerminalPage, sessions: SessionsDep) -> Response:
    """End the terminal and what runs in it."""
    devbox = await _running(page.parts, page.caller.account_id, id)
    sessions.get(devbox, name).close()
    return page.redirect(f"/console/devboxes/{id}/terminal", note=f"Terminal {name} was closed.")


async def attach(websocket: WebSocket) -> None:
    """The WebSocket of a terminal. The session's cookie lets it in, from a page of this very address only."""
    parts = cast("Parts", websocket.app.state.parts)
    devbox_id, name = websocket.path_params["id"], websocket.path_params["name"]
    try:
        if not is_same_origin(websocket):
            raise Forbidden("Terminals open from pages of the console only.")
        caller, session = await who(websocket)
        if (refusal := missing(caller, OPERATION)) is not None:
            raise refusal
        let_in(websocket.scope)
        if not is_id(devbox_id, "dbx"):
            raise NotFound(f"There is no devbox {devbox_id}.", field="id")
        with acting_as(caller):
            devbox = await _running(parts, caller.account_id, devbox_id)
            shell = parts.get(PtySessions).get(devbox, name)
    except LoopyardError as error:
        await websocket.send_denial_response(JSONResponse(error.body(), error.status))
        return
    with acting_as(caller):
        await Attach(parts).join(websocket, devbox, shell, caller.key_id, ending_with=_ending_with(session))


async def _running(parts: Parts, account_id: str, devbox_id: str) -> Devbox:
    async with parts.get(Database).read() as session:
        return await parts.get(DevboxService).get_running(session, account_id, devbox_id)


def _ending_with(session: Session) -> Callable[[Callable[[], None]], contextlib.AbstractContextManager[None]]:
    @contextlib.contextmanager
    def ending(end: Callable[[], None]) -> Generator[None]:
        left = max(0.0, (session.until_ms - now_ms()) / 1000)
        timer = asyncio.get_running_loop().call_later(left, end)
        try:
            with session.telling(end):
                yield
        finally:
            timer.cancel()

    return ending


router.add_websocket_route("/{id}/terminal/{name}/socket", attach)
