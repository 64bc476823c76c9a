"""/console/devboxes/{id}/log and …/commands: what happened in a devbox, and the commands that ran in it."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from loopyard.console.devboxes.common import is_over, read, tabs
from loopyard.console.figures import exact
from loopyard.console.live import Fragment
from loopyard.console.page import Page, allowed
from loopyard.console.text import sortable
from loopyard.devbox.execution.engine import change_key
from loopyard.devbox.execution.schemas import ExecuteAsyncParams
from loopyard.devbox.execution.service import ExecutionService
from loopyard.devbox.execution.states import COMPLETED
from loopyard.devbox.log.repository import DevboxLogRepository
from loopyard.devbox.log.schemas import LogView
from loopyard.devbox.log.service import LogService
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.parts import part
from loopyard.kit.ids import new_id
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.output import tail
from loopyard.runtime.protocol import Runtime, Stream

router = APIRouter()

LogPage = Annotated[Page, Depends(allowed("GET /v1/devboxes/{}/logs"))]
CommandPage = Annotated[Page, Depends(allowed("GET /v1/devboxes/{}/executions/{}"))]
SearchParam = Annotated[str, Query(max_length=200)]

MOST_LINES = 600
_MOST_COMMANDS = 200
_SHOWN_BYTES = 256 * 1024
_ACTIVE_SECONDS = 1.0
_IDLE_SECONDS = 10.0
_STREAMS: tuple[Stream, Stream] = ("stdout", "stderr")


@router.get("/{id}/log")
async def log(id: str, page: LogPage, q: SearchParam = "") -> Response:
    """The log, newest lines last."""
    return page.render("devboxes/log.html", tabs=tabs(page), devbox=await read(page, id), **await _log(page, id, q))


@router.get("/{id}/log/live")
async def log_live(id: str, page: LogPage, q: SearchParam = "") -> Response:
    """The log again, whenever it has changed; each second while a command runs."""
    devbox = await read(page, id)
    active = False

    async def render() -> str:
        nonlocal active, devbox
        devbox = await read(page, id)
        found = await _log(page, id, q)
        active = found["active"]
        return page.html("devboxes/_log.html", devbox=devbox, **found)

    def every() -> float | None:
        return _ACTIVE_SECONDS if active else None if is_over(devbox) else _IDLE_SECONDS

    return page.live(Fragment("log", ("log", id, q), render, _of(id), every))


@router.get("/{id}/log.txt")
async def whole_log(id: str, page: LogPage, service: Annotated[LogService, Depends(part(LogService))]) -> Response:
    """The log as text, to keep."""
    lines = await service.logs(page.caller.account_id, id)
    text = "".join(f"{exact(one.timestamp_ms)} {one.source} {_words(one)}\n" for one in lines)
    headers = {"Content-Disposition": f'attachment; filename="{id[:64]}.log"'}
    return PlainTextResponse(text, headers=headers)


async def _log(page: Page, devbox_id: str, q: str) -> dict[str, Any]:
    lines = await page.parts.get(LogService).logs(page.caller.account_id, devbox_id)
    ended = {one.cmd_id for one in lines if one.exit_code is not None}
    active = any(one.cmd is not None and one.cmd_id not in ended for one in lines)
    if q:
        wanted = sortable(q)
        lines = [one for one in lines if wanted in sortable(_words(one))]
    return {
        "lines": [(one, _words(one)) for one in lines[-MOST_LINES:]],
        "left_out": max(0, len(lines) - MOST_LINES),
        "active": active,
        "q": q,
    }


def _words(line: LogView) -> str:
    if line.cmd is not None:
        return f"$ {line.cmd}"
    if line.exit_code is not None:
        return f"ended with {line.exit_code}" + (f". {line.message}" if line.message else "")
    return line.message or ""


def _of(devbox_id: str) -> Callable[[str], bool]:
    """Tells the changes of a devbox and its commands."""
    return lambda key: key.startswith(devbox_id)


@router.get("/{id}/commands")
async def commands(id: str, page: CommandPage) -> Response:
    """The newest commands."""
    devbox = await read(page, id)
    return page.render("devboxes/commands.html", tabs=tabs(page), devbox=devbox, **await _commands(page, id))


@router.get("/{id}/commands/live")
async def commands_live(id: str, page: CommandPage) -> Response:
    """The list again, whenever one has begun or ended."""
    await read(page, id)

    async def render() -> str:
        return page.html("devboxes/_commands.html", devbox=await read(page, id), **await _commands(page, id))

    return page.live(Fragment("commands", ("commands", id), render, _of(id)))


async def _commands(page: Page, devbox_id: str) -> Mapping[str, Any]:
    async with page.database.read() as session:
        found = await DevboxLogRepository(session).list_newest_executions(
            devbox_id, _MOST_COMMANDS, execution_id=None, shell_name=None
        )
    return {"executions": found, "most": _MOST_COMMANDS}


@router.post("/{id}/commands")
async def execute(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/execute_async"))],
    service: Annotated[ExecutionService, Depends(part(ExecutionService))],
    command: Annotated[str, Form()] = "",
) -> Response:
    """Start a command, and go on with its page."""
    try:
        params = ExecuteAsyncParams(command=command.replace("\r\n", "\n"))
    except ValueError:
        raise BadRequest("command: must have 1 to 120,000 bytes, none of them NUL.", field="command") from None
    execution_id = new_id("exe")
    await service.start(page.caller.account_id, id, execution_id, params.command)
    return page.redirect(f"/console/devboxes/{id}/commands/{execution_id}")


@router.get("/{id}/commands/{execution_id}")
async def command(id: str, execution_id: str, page: CommandPage) -> Response:
    """A command with the end of its output."""
    devbox = await read(page, id)
    return page.render(
        "devboxes/command.html", tabs=tabs(page), devbox=devbox, **await _command(page, id, execution_id)
    )


@router.get("/{id}/commands/{execution_id}/live")
async def command_live(id: str, execution_id: str, page: CommandPage) -> Response:
    """Live parts of the command, each second until it has ended."""
    devbox = await read(page, id)
    running = True

    async def render() -> str:
        nonlocal running
        found = await _command(page, id, execution_id)
        running = found["execution"].status != COMPLETED
        return page.html("devboxes/_command.html", devbox=devbox, **found)

    def every() -> float | None:
        return _ACTIVE_SECONDS if running else None

    own = change_key(id, execution_id)
    return page.live(Fragment("command", ("command", id, execution_id), render, lambda key: key == own, every))


async def _command(page: Page, devbox_id: str, execution_id: str) -> dict[str, Any]:
    execution = await page.parts.get(ExecutionService).get(page.caller.account_id, devbox_id, execution_id)
    runtime = page.parts.get(Runtime)
    outputs: dict[str, Any] = {}
    for stream in _STREAMS:
        try:
            outputs[stream] = await tail(runtime, devbox_id, execution_id, stream, None, _SHOWN_BYTES)
        except RuntimeFault:  # it never ran
            outputs[stream] = None
    return {"execution": execution, "outputs": outputs}


@router.get("/{id}/commands/{execution_id}/{stream}.txt")
async def whole_output(id: str, execution_id: str, stream: str, page: CommandPage) -> Response:
    """All that a command wrote to a stream, to keep."""
    if stream not in _STREAMS:
        raise BadRequest("The streams of a command are stdout and stderr.")
    service = page.parts.get(ExecutionService)
    await service.get(page.caller.account_id, id, execution_id)
    wanted: Stream = "stdout" if stream == "stdout" else "stderr"

    async def pieces() -> AsyncIterator[bytes]:
        async for chunk in service.follow(id, execution_id, wanted, 0, ping_seconds=5.0):
            if chunk is not None:
                yield chunk.output.encode()

    headers = {"Content-Disposition": f'attachment; filename="{stream}.txt"'}
    return StreamingResponse(pieces(), media_type="application/octet-stream", headers=headers)


@router.post("/{id}/commands/{execution_id}/kill")
async def kill(
    id: str,
    execution_id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/executions/{}/kill"))],
    service: Annotated[ExecutionService, Depends(part(ExecutionService))],
) -> Response:
    await service.kill(page.caller.account_id, id, execution_id, group=True)
    return page.redirect(f"/console/devboxes/{id}/commands/{execution_id}", note="It was killed.")
