"""/v1/devboxes/{id}/execute… and /executions: running commands and following them."""

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.devbox.execution.engine import ExecutionEngine, change_key
from loopyard.devbox.execution.schemas import (
    ExecuteAsyncParams,
    ExecuteParams,
    ExecuteSyncParams,
    ExecutionResultView,
    ExecutionUpdateChunk,
    ExecutionView,
    KillParams,
    SendStdInParams,
    SendStdInView,
    WaitForExecutionParams,
)
from loopyard.devbox.execution.service import ExecutionService
from loopyard.kit.db.changes import Changes
from loopyard.kit.errors import BadRequest, WaitTimeout
from loopyard.kit.http.parts import part
from loopyard.kit.http.sse import PING_SECONDS, EventStream
from loopyard.kit.idempotency import RequestIdentity, RequestKey
from loopyard.kit.ids import new_id
from loopyard.runtime.protocol import Stream

LONGEST_WAIT_SECONDS = 25.0

router = APIRouter(prefix="/v1/devboxes", tags=["executions"])

ServiceDep = Annotated[ExecutionService, Depends(part(ExecutionService))]
EngineDep = Annotated[ExecutionEngine, Depends(part(ExecutionEngine))]


async def _last_n(
    last_n: Annotated[
        str | None,
        Query(pattern=r"^\d{1,9}$", description="How many last lines of each stream to return. Default 100."),
    ] = None,
) -> int | None:
    return None if last_n is None else int(last_n)


async def _offset(
    offset: Annotated[
        str | None, Query(pattern=r"^\d{1,18}$", description="The byte to start from. Default 0.")
    ] = None,
) -> int:
    return int(offset or 0)


LastN = Annotated[int | None, Depends(_last_n)]
Offset = Annotated[int, Depends(_offset)]


def _wait_seconds(asked: float | None) -> float:
    return LONGEST_WAIT_SECONDS if asked is None else min(asked, LONGEST_WAIT_SECONDS)


@router.post("/{id}/execute", operation_id="devboxes.execute")
async def execute(
    id: str,
    params: ExecuteParams,
    caller: CallerDep,
    service: ServiceDep,
    engine: EngineDep,
    last_n: LastN,
) -> ExecutionView:
    """Run a command under an id of the caller's, and wait for its end up to `optimistic_timeout` seconds (25 at most).

    The same id again does not run it again, but answers with the execution there is.
    """
    await service.start(caller.account_id, id, params.command_id, params.command, shell_name=params.shell_name)
    try:
        execution = await engine.wait(id, params.command_id, _wait_seconds(params.optimistic_timeout))
    except WaitTimeout:
        execution = await engine.get(id, params.command_id)
    return await service.view(execution, last_n)


@router.post("/{id}/execute_sync", operation_id="devboxes.execute_sync")
async def execute_sync(
    id: str,
    params: ExecuteSyncParams,
    caller: CallerDep,
    service: ServiceDep,
    engine: EngineDep,
    request_key: RequestKey = None,
) -> ExecutionResultView:
    """Run a command and wait for its end, however long it takes."""
    if params.attach_stdin:
        raise BadRequest("attach_stdin: only execute_async can attach standard input.", field="attach_stdin")
    execution_id = _execution_id(request_key)
    await service.start(
        caller.account_id, id, execution_id, params.command, shell_name=params.shell_name, request=request_key
    )
    return await service.result(await engine.wait(id, execution_id))


@router.post("/{id}/execute_async", operation_id="devboxes.execute_async")
async def execute_async(
    id: str,
    params: ExecuteAsyncParams,
    caller: CallerDep,
    service: ServiceDep,
    engine: EngineDep,
    request_key: RequestKey = None,
) -> ExecutionView:
    """Start a command and answer at once."""
    execution_id = _execution_id(request_key)
    await service.start(
        caller.account_id,
        id,
        execution_id,
        params.command,
        shell_name=params.shell_name,
        attach_stdin=bool(params.attach_stdin),
        request=request_key,
    )
    return await service.view(await engine.get(id, execution_id))


def _execution_id(request: RequestIdentity | None) -> str:
    """The id for the execution of this request: the same for every retry of it, so that a retry runs nothing twice."""
    if request is None:
        return new_id("exe")
    return f"exe_{hashlib.blake2b(request.key.encode(), digest_size=16).hexdigest()}"


@router.get("/{devbox_id}/executions/{execution_id}", operation_id="executions.retrieve")
async def retrieve(
    devbox_id: str, execution_id: str, caller: CallerDep, service: ServiceDep, last_n: LastN
) -> ExecutionView:
    """Retrieve an execution, with the end of its output once it is completed."""
    return await service.view(await service.get(caller.account_id, devbox_id, execution_id), last_n)


@router.post("/{devbox_id}/executions/{execution_id}/wait_for_status", operation_id="devboxes.wait_for_command")
async def wait_for_status(
    devbox_id: str,
    execution_id: str,
    params: WaitForExecutionParams,
    caller: CallerDep,
    service: ServiceDep,
    changes: Annotated[Changes, Depends(part(Changes))],
    last_n: LastN,
) -> ExecutionView:
    """Wait until the execution is in one of the statuses, 25 seconds at most; 408 if it is not by then."""
    wanted = set(params.statuses)
    execution = await changes.wait_until(
        change_key(devbox_id, execution_id),
        lambda: service.get(caller.account_id, devbox_id, execution_id),
        lambda row: row.status in wanted,
        _wait_seconds(params.timeout_seconds),
    )
    return await service.view(execution, last_n)


@router.post("/{devbox_id}/executions/{execution_id}/kill", operation_id="executions.kill")
async def kill(
    devbox_id: str,
    execution_id: str,
    caller: CallerDep,
    service: ServiceDep,
    params: Annotated[KillParams | None, Body()] = None,
) -> ExecutionView:
    """Kill the command's process by SIGKILL, or its whole process group. One that is queued in a shell never runs."""
    group = bool(params and params.kill_process_group)
    return await service.view(await service.kill(caller.account_id, devbox_id, execution_id, group=group))


@router.post("/{devbox_id}/executions/{execution_id}/send_std_in", operation_id="executions.send_std_in")
async def send_std_in(
    devbox_id: str,
    execution_id: str,
    params: SendStdInParams,
    caller: CallerDep,
    service: ServiceDep,
    request_key: RequestKey = None,
) -> SendStdInView:
    """Send text, then a signal, to the standard input of a command that was started with `attach_stdin`."""
    execution = await service.get(caller.account_id, devbox_id, execution_id)
    taken = await service.standard_input.send(caller.account_id, execution, params.text, params.signal, request_key)
    return SendStdInView(devbox_id=devbox_id, execution_id=execution_id, success=taken)


_SSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": ExecutionUpdateChunk.model_json_schema()}}}
}


@router.get(
    "/{devbox_id}/executions/{execution_id}/stream_stdout_updates",
    operation_id="executions.stream_stdout_updates",
    response_class=EventStream,
    responses=_SSE,
)
async def stream_stdout_updates(
    devbox_id: str, execution_id: str, caller: CallerDep, service: ServiceDep, offset: Offset
) -> EventStream:
    """Standard output from byte `offset` on, as it is written; ends when the command has ended."""
    await service.get(caller.account_id, devbox_id, execution_id)
    return EventStream(_events(service, devbox_id, execution_id, "stdout", offset))


@router.get(
    "/{devbox_id}/executions/{execution_id}/stream_stderr_updates",
    operation_id="executions.stream_stderr_updates",
    response_class=EventStream,
    responses=_SSE,
)
async def stream_stderr_updates(
    devbox_id: str, execution_id: str, caller: CallerDep, service: ServiceDep, offset: Offset
) -> EventStream:
    """Standard error from byte `offset` on, as it is written; ends when the command has ended."""
    await service.get(caller.account_id, devbox_id, execution_id)
    return EventStream(_events(service, devbox_id, execution_id, "stderr", offset))


async def _events(
    service: ExecutionService, devbox_id: str, execution_id: str, stream: Stream, offset: int
) -> AsyncIterator[dict[str, Any] | None]:
    async for chunk in service.follow(devbox_id, execution_id, stream, offset, ping_seconds=PING_SECONDS):
        yield None if chunk is None else {"output": chunk.output, "offset": chunk.offset}
