"""/console/devboxes/{id}: the state of a devbox, and what is done with it."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from loopyard.auth.caller import MADE
from loopyard.console.devboxes.common import is_over, read, tabs
from loopyard.console.devboxes.usage import LOOK_SECONDS, usage_of
from loopyard.console.live import Fragment
from loopyard.console.page import Page, allowed
from loopyard.console.settings import ServerSettings
from loopyard.devbox import endpoints as api
from loopyard.devbox.schemas import TunnelParams
from loopyard.devbox.service import DevboxService
from loopyard.devbox.tunnel import endpoints as tunnels
from loopyard.devbox.tunnel.service import TunnelService
from loopyard.kit.db.changes import Changes
from loopyard.kit.http.parts import part
from loopyard.kit.ids import new_id
from loopyard.kit.lists.paging import PageQuery
from loopyard.model_usage import endpoints as usage
from loopyard.model_usage.ledger import Ledger
from loopyard.snapshot import endpoints as snapshots
from loopyard.snapshot.schemas import SnapshotParams
from loopyard.snapshot.service import SnapshotService

router = APIRouter()

DetailPage = Annotated[Page, Depends(allowed("GET /v1/devboxes/{}"))]
ServiceDep = Annotated[DevboxService, Depends(part(DevboxService))]
ChangesDep = Annotated[Changes, Depends(part(Changes))]
_USAGE_SECONDS = 5.0


@router.get("/{id}")
async def devbox(id: str, page: DetailPage) -> Response:
    """The state of a devbox."""
    state = await _state(page, id)
    return page.render("devboxes/detail.html", tabs=tabs(page), usage=await usage_of(page, state["devbox"]), **state)


@router.get("/{id}/live")
async def live(id: str, page: DetailPage) -> Response:
    """Live parts of the devbox, whenever they have changed."""
    first = await read(page, id)
    over, runs = is_over(first), first.status == "running"

    async def render() -> str:
        nonlocal over
        state = await _state(page, id)
        over = state["over"]
        return page.html("devboxes/_state.html", **state)

    def every() -> float | None:
        return None if over else _USAGE_SECONDS

    async def render_usage() -> str:
        nonlocal runs
        found = await read(page, id)
        runs = found.status == "running"
        return page.html("devboxes/_usage.html", usage=await usage_of(page, found))

    def look() -> float | None:
        return LOOK_SECONDS if runs else None

    return page.live(
        Fragment("state", ("devbox", id), render, concerns=lambda key: key == id, every_seconds=every),
        Fragment("usage", ("usage", id), render_usage, concerns=lambda key: key == id, every_seconds=look),
    )


async def _state(page: Page, devbox_id: str) -> Mapping[str, Any]:
    found = await read(page, devbox_id)
    kept = used = None
    service = page.parts.get(DevboxService)
    async with page.database.read() as session:
        resources = await api.retrieve_resource_usage(devbox_id, page.caller, session, service)
        if page.may("GET /v1/devboxes/disk_snapshots"):
            query = PageQuery(limit=20, include_total_count=False)
            kept = (await snapshots.list_disk_snapshots(page.caller, session, query, (), devbox_id, None)).snapshots
    if page.may("GET /v1/devboxes/{}/model_usage"):
        used = await usage.of_devbox(devbox_id, page.caller, page.database, page.parts.get(Ledger), service)
    return {
        "devbox": found,
        "over": is_over(found),
        "resources": resources,
        "snapshots": kept,
        "used": used,
        "domain": page.parts.get(ServerSettings).tunnel.domain,
    }


@router.post("/{id}/suspend")
async def suspend(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/suspend"))],
    service: ServiceDep,
    changes: ChangesDep,
) -> Response:
    async with page.database.write() as session:
        await api.suspend(id, page.caller, session, service, changes)
    return page.redirect(f"/console/devboxes/{id}", note="The devbox is being suspended.")


@router.post("/{id}/resume")
async def resume(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/resume"))],
    service: ServiceDep,
    changes: ChangesDep,
) -> Response:
    async with page.database.write() as session:
        await api.resume(id, page.caller, session, service, changes)
    return page.redirect(f"/console/devboxes/{id}", note="The devbox is being resumed.")


@router.post("/{id}/keep_alive")
async def keep_alive(
    id: str, page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/keep_alive"))], service: ServiceDep
) -> Response:
    async with page.database.write() as session:
        await api.keep_alive(id, page.caller, session, service)
    return page.redirect(f"/console/devboxes/{id}", note="The time until it ends has begun anew.")


@router.post("/{id}/shutdown")
async def shutdown(
    id: str, page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/shutdown"))], service: ServiceDep
) -> Response:
    async with page.database.write() as session:
        await api.shutdown(id, page.caller, session, service, force=False)
    return page.redirect(f"/console/devboxes/{id}", note="The devbox has been shut down.")


@router.post("/{id}/snapshot")
async def snapshot(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/snapshot_disk_async"))],
    service: Annotated[SnapshotService, Depends(part(SnapshotService))],
    name: Annotated[str, Form(max_length=1024)] = "",
) -> Response:
    params = SnapshotParams(name=name.strip() or None)
    async with page.database.write() as session:
        taken = await service.take(session, page.caller.account_id, id, params, snapshot_id=new_id("snp"))
    page.request.scope[MADE] = taken.id
    return page.redirect(f"/console/devboxes/{id}", note=f"Snapshot {taken.id} is being taken.")


@router.post("/{id}/enable_tunnel")
async def enable_tunnel(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/enable_tunnel"))],
    service: Annotated[TunnelService, Depends(part(TunnelService))],
) -> Response:
    async with page.database.write() as session:
        await tunnels.enable_tunnel(id, page.caller, session, service, TunnelParams(auth_mode="authenticated"))
    return page.redirect(f"/console/devboxes/{id}", note="Its ports can be reached by its tunnel, with its token.")


@router.post("/{id}/remove_tunnel")
async def remove_tunnel(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/remove_tunnel"))],
    service: Annotated[TunnelService, Depends(part(TunnelService))],
) -> Response:
    async with page.database.write() as session:
        await tunnels.remove_tunnel(id, page.caller, session, service)
    return page.redirect(f"/console/devboxes/{id}", note="The tunnel is gone.")
