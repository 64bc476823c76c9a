"""create_pty_tunnel, and /pty: terminals in devboxes."""

import signal
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request

from loopyard.auth.caller import KEY, CallerDep
from loopyard.devbox.models import Devbox
from loopyard.kit.db.database import WriteSession
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.parts import part
from loopyard.pty.config import PtyConfig
from loopyard.pty.schemas import PtyConnectView, PtyControlParams, PtyControlResultView, PtyTunnelView
from loopyard.pty.sessions import PtySessions
from loopyard.pty.tunnels import PtyTunnels
from loopyard.runtime.protocol import Terminal

PROTOCOL_VERSION = "1"
MOST_CELLS = 1000
"""The greatest number of rows, and of columns."""

router = APIRouter(tags=["pty"])

TunnelsDep = Annotated[PtyTunnels, Depends(part(PtyTunnels))]
SessionsDep = Annotated[PtySessions, Depends(part(PtySessions))]
SessionName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_*-]{1,256}$", description="A name of the caller's choice.")]


async def _admitted(
    request: Request,
    tunnels: TunnelsDep,
    authorization: Annotated[
        str | None, Header(alias="X-Runloop-Tunnel-Authorization", include_in_schema=False)
    ] = None,
) -> Devbox:
    admitted = await tunnels.admit(request.headers.get("host"), authorization)
    request.scope[KEY] = admitted.made_by
    return admitted.devbox


DevboxDep = Annotated[Devbox, Depends(_admitted)]


@router.post("/v1/devboxes/{id}/create_pty_tunnel", operation_id="devboxes.create_pty_tunnel")
async def create_pty_tunnel(id: str, caller: CallerDep, session: WriteSession, tunnels: TunnelsDep) -> PtyTunnelView:
    """Make a token that opens terminals in a running devbox."""
    return await tunnels.create(session, caller.account_id, id)


@router.get("/pty/{session_name}", operation_id="pty.connect")
async def connect(
    session_name: SessionName,
    devbox: DevboxDep,
    sessions: SessionsDep,
    config: Annotated[PtyConfig, Depends(part(PtyConfig))],
    cols: Annotated[int | None, Query(description="Columns; with rows, from 1 to 1000, else ignored.")] = None,
    rows: Annotated[int | None, Query(description="Rows; with cols, from 1 to 1000, else ignored.")] = None,
) -> PtyConnectView:
    """Find the session, or make it with a new shell. The terminal itself is the WebSocket at `connect_url`."""
    terminal = Terminal(rows, cols) if rows is not None and cols is not None and _fit(rows, cols) else None
    session, created = await sessions.connect(devbox, session_name, terminal)
    return PtyConnectView(
        attached=session.attached,
        created=created,
        cols=session.columns,
        rows=session.rows,
        connect_url=f"/pty/{session_name}/attach",
        idle_ttl_seconds=config.idle_ttl_seconds,
        protocol_version=PROTOCOL_VERSION,
        session_name=session_name,
        status="running",
    )


@router.post("/pty/{session_name}/control", operation_id="pty.control")
async def control(
    session_name: SessionName,
    devbox: DevboxDep,
    sessions: SessionsDep,
    params: Annotated[PtyControlParams | None, Body()] = None,
) -> PtyControlResultView:
    """Resize a session's terminal, send a signal to what is in its foreground, or end it."""
    params = params or PtyControlParams()
    session = sessions.get(devbox, session_name)
    match params.action:
        case "resize":
            session.resize(_cells(params.rows, "rows"), _cells(params.cols, "cols"))
        case "signal":
            session.signal(_signal(params.signal))
        case "close":
            session.close()
        case None:
            raise BadRequest("action: must be resize, signal or close.", field="action")
    return PtyControlResultView(session_name=session_name, status="closed" if session.closed else "running")


def _fit(*sizes: int) -> bool:
    return all(1 <= size <= MOST_CELLS for size in sizes)


def _cells(value: int | None, field: str) -> int:
    if value is None or not _fit(value):
        raise BadRequest(f"{field}: must be from 1 to {MOST_CELLS}.", field=field)
    return value


def _signal(name: str | None) -> int:
    number = signal.Signals.__members__.get(name or "")
    if number is None:
        raise BadRequest("signal: must be the name of a signal, such as SIGTERM.", field="signal")
    return number
