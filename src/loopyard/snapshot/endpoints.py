"""/v1/devboxes/{id}/snapshot_disk… and /v1/devboxes/disk_snapshots: keeping the disks of devboxes."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import DatabaseDep, ReadSession, WriteSession
from loopyard.kit.errors import Unavailable
from loopyard.kit.http.parts import part
from loopyard.kit.lists.metadata import MetadataFilterParam
from loopyard.kit.lists.paging import PageParams, cursor_of
from loopyard.snapshot.models import Snapshot
from loopyard.snapshot.repository import SnapshotRepository
from loopyard.snapshot.schemas import SnapshotListView, SnapshotParams, SnapshotStatusView, SnapshotView
from loopyard.snapshot.service import SnapshotService
from loopyard.snapshot.states import DELETED, ERROR, IN_PROGRESS

router = APIRouter(prefix="/v1/devboxes", tags=["snapshots"])

ServiceDep = Annotated[SnapshotService, Depends(part(SnapshotService))]
Given = Annotated[SnapshotParams | None, Body()]


@router.post("/{id}/snapshot_disk", operation_id="devboxes.snapshot_disk")
async def snapshot_disk(
    id: str,
    caller: CallerDep,
    database: DatabaseDep,
    service: ServiceDep,
    changes: Annotated[Changes, Depends(part(Changes))],
    creation: Annotated[Creation, Depends(creation_of("devboxes.snapshot_disk", "snp"))],
    params: Given = None,
) -> SnapshotView:
    """Keep a devbox's disk as it is now; the answer comes when that is done. The devbox runs on."""
    async with database.write() as session:
        snapshot_id = (await _take(session, service, id, creation, params)).id

    async def read() -> Snapshot:
        async with database.read() as session:
            return await service.get(session, caller.account_id, snapshot_id)

    snapshot = await changes.wait_until(snapshot_id, read, lambda row: row.status != IN_PROGRESS, timeout=None)
    if snapshot.status == ERROR:
        raise Unavailable(f"The snapshot could not be taken: {snapshot.error_message}")
    return SnapshotView.model_validate(snapshot)


@router.post("/{id}/snapshot_disk_async", operation_id="devboxes.snapshot_disk_async")
async def snapshot_disk_async(
    id: str,
    session: WriteSession,
    service: ServiceDep,
    creation: Annotated[Creation, Depends(creation_of("devboxes.snapshot_disk_async", "snp"))],
    params: Given = None,
) -> SnapshotView:
    """Begin to keep a devbox's disk as it is now; `status` tells when that is done. The devbox runs on."""
    snapshot = await _take(session, service, id, creation, params)
    return SnapshotView.model_validate(snapshot)


async def _take(
    session: WriteSession,
    service: SnapshotService,
    devbox_id: str,
    creation: Creation,
    params: SnapshotParams | None,
) -> Snapshot:
    made = await creation.claim(session)
    if made.is_repeat:
        return await service.get(session, creation.account_id, made.id)
    return await service.take(session, creation.account_id, devbox_id, params or SnapshotParams(), snapshot_id=made.id)


@router.get("/disk_snapshots", operation_id="devboxes.list_disk_snapshots")
async def list_disk_snapshots(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    metadata: MetadataFilterParam,
    devbox_id: Annotated[str | None, Query(description="Only those taken of this devbox.")] = None,
    source_blueprint_id: Annotated[
        str | None, Query(description="Only those of devboxes made from this blueprint.")
    ] = None,
) -> SnapshotListView:
    """The account's snapshots, complete or being taken, newest first."""
    page = await SnapshotRepository(session).list_page(
        caller.account_id,
        cursor_of(page_query, "snp"),
        devbox_id=devbox_id,
        blueprint_id=source_blueprint_id,
        metadata=metadata,
    )
    views = [SnapshotView.model_validate(snapshot) for snapshot in page.items]
    return SnapshotListView(snapshots=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/disk_snapshots/{id}/status", operation_id="disksnapshots.query_status")
async def query_status(id: str, caller: CallerDep, session: ReadSession, service: ServiceDep) -> SnapshotStatusView:
    """How far a snapshot is. One that was deleted says so."""
    snapshot = await service.get(session, caller.account_id, id)
    return SnapshotStatusView(
        status=snapshot.status,  # type: ignore[arg-type]
        error_message=snapshot.error_message if snapshot.status == ERROR else None,
        snapshot=None if snapshot.status in (DELETED, ERROR) else SnapshotView.model_validate(snapshot),
    )


@router.post("/disk_snapshots/{id}", operation_id="disksnapshots.update")
async def update(
    id: str, caller: CallerDep, session: WriteSession, service: ServiceDep, params: Given = None
) -> SnapshotView:
    """Change a snapshot's name, commit message, or all of its metadata; what is not given stays."""
    snapshot = await service.update(session, caller.account_id, id, params or SnapshotParams())
    return SnapshotView.model_validate(snapshot)


@router.post("/disk_snapshots/{id}/delete", operation_id="devboxes.delete_disk_snapshot")
async def delete(id: str, caller: CallerDep, session: WriteSession, service: ServiceDep) -> dict[str, str]:
    """Delete a snapshot. Devboxes that were made from it keep all they have."""
    await service.delete(session, caller.account_id, id)
    return {}
