"""/v1/devboxes/{id}/logs: what happened in a devbox."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.devbox.log.schemas import LogsView
from loopyard.devbox.log.service import LogService
from loopyard.kit.http.parts import part

router = APIRouter(prefix="/v1/devboxes", tags=["logs"])


@router.get("/{id}/logs", operation_id="logs.list")
async def list_logs(
    id: str,
    caller: CallerDep,
    service: Annotated[LogService, Depends(part(LogService))],
    execution_id: Annotated[str | None, Query(description="Only what this command has to do with.")] = None,
    shell_name: Annotated[str | None, Query(description="Only what ran in this named shell.")] = None,
) -> LogsView:
    """A devbox's log, oldest first: at most the newest 1000 commands, 1000 other events, and MiB of output."""
    logs = await service.logs(caller.account_id, id, execution_id=execution_id, shell_name=shell_name)
    return LogsView(logs=logs)
