"""/v1/devboxes/{id}/…_tunnel: giving a devbox a tunnel, and taking it away."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends

from loopyard.auth.caller import CallerDep
from loopyard.devbox.schemas import TunnelParams, TunnelView
from loopyard.devbox.tunnel.service import TunnelService
from loopyard.kit.db.database import WriteSession
from loopyard.kit.http.parts import part

router = APIRouter(prefix="/v1/devboxes", tags=["tunnels"])

ServiceDep = Annotated[TunnelService, Depends(part(TunnelService))]


@router.post("/{id}/enable_tunnel", operation_id="devboxes.enable_tunnel")
async def enable_tunnel(
    id: str,
    caller: CallerDep,
    session: WriteSession,
    service: ServiceDep,
    params: Annotated[TunnelParams | None, Body()] = None,
) -> TunnelView:
    """Make a devbox's ports reachable by host name; one tunnel serves all of them."""
    return await service.enable(session, caller.account_id, id, params or TunnelParams())


@router.post("/{id}/remove_tunnel", operation_id="devboxes.remove_tunnel")
async def remove_tunnel(id: str, caller: CallerDep, session: WriteSession, service: ServiceDep) -> dict[str, str]:
    """Take a devbox's tunnel away. Its key is never used again."""
    await service.remove(session, caller.account_id, id)
    return {}
