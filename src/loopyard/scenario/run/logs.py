"""The logs of a run as a zip file, made while it is sent."""

import asyncio
import json
import os
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopyard.devbox.execution.models import Execution
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.folder_changes import FolderChanges
from loopyard.runtime.output import LOST_NOTE
from loopyard.runtime.protocol import Runtime, Stream
from loopyard.scorer.request import command_id

_CHUNK_BYTES = 256 * 1024
_FOLDERS = {"exec": "executions", "launch": "launch", "scoring": "scoring"}
_STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


class _Outlet:
    """A file that cannot be sought, whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        data, self._pieces = b"".join(self._pieces), []
        return data


@dataclass(frozen=True, slots=True)
class RunNotes:
    """A run as the wire has it, and what the wire has no word for: why it ended as it did, whose fault that was, if its
    scenario's own setup failed, what of the system was put back before scoring, and what its calls of models used."""

    view: dict[str, Any]
    failure_reason: str | None
    fault: str | None
    setup_failed: bool = False
    restore_report: dict[str, Any] | None = None
    model_usage: dict[str, Any] | None = None
    """Usage of models by the run: a `ModelUsageView`."""
    model_calls: Path | None = None
    """The file of its recorded calls of models, if there is one."""
    changes: FolderChanges | None = None
    """Changes in its working directory, if they are recorded."""

    def manifest(self, listed: list[dict[str, Any]]) -> dict[str, Any]:
        """The manifest of the run's logs, with the executions in it."""
        return {
            "run_id": self.view["id"],
            "scenario_id": self.view["scenario_id"],
            "devbox_id": self.view["devbox_id"],
            "state": self.view["state"],
            "failure_reason": self.failure_reason,
            "fault": self.fault,
            "setup_failed": self.setup_failed,
            "restore_report": self.restore_report,
            "put_back": self.restore_report,  # its older name
            "model_usage": self.model_usage,
            "working_directory": self._changed(),
            "executions": listed,
        }

    def _changed(self) -> dict[str, Any] | None:
        told = self.changes
        if told is None:
            return None
        counts = {name: getattr(told, name) for name in ("files", "left_out", "added", "removed", "complete")}
        return {**counts, "skipped": list(told.skipped)}

    def scored(self, execution_id: str) -> dict[str, Any]:
        """Name and result of the scoring function that an execution is; empty if it is none, or is not done."""
        contract: dict[str, Any] = self.view["scoring_contract_result"] or {}
        results: list[dict[str, Any]] = contract.get("scoring_function_results", [])
        for index, result in enumerate(results):
            if execution_id == command_id(index):
                return {name: result[name] for name in ("scoring_function_name", "score", "state")}
        return {}


async def archive(runtime: Runtime, run: RunNotes, executions: Sequence[Execution]) -> AsyncIterator[bytes]:
    """A zip file in pieces.

    For each execution it has a folder with `command`, `stdout`, `stderr` and `exit_status` (empty while it runs), in
    `launch/`, `executions/` or `scoring/`; `run.json` is the run, `working_directory.patch` what it changed there,
    `model_calls.jsonl` has its calls of models if they were recorded, and `manifest.json`, the last entry, lists the
    rest.
    """
    outlet = _Outlet()
    listed: list[dict[str, Any]] = []
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as file:  # type: ignore[arg-type]
        file.writestr("run.json", _json(run.view))
        for number, execution in enumerate(executions):
            folder = f"{_FOLDERS.get(execution.purpose, 'executions')}/{number:04}-{execution.id}"
            entry = _entry(folder, execution)
            if scored := run.scored(execution.id):
                entry["scoring"] = scored
            file.writestr(f"{folder}/command", execution.command)
            exit_status = "" if execution.exit_status is None else f"{execution.exit_status}\n"
            file.writestr(f"{folder}/exit_status", exit_status)
            for stream in _STREAMS:
                size = 0
                with file.open(f"{folder}/{stream}", "w", force_zip64=True) as target:
                    try:
                        async for data in _output(runtime, execution, stream):
                            await asyncio.to_thread(target.write, data)
                            size += len(data)
                            yield outlet.take()
                    except RuntimeFault as fault:
                        entry["missing"] = str(fault)
                entry[f"{stream}_bytes"] = size
            listed.append(entry)
        if run.changes is not None:
            file.writestr("working_directory.patch", run.changes.patch)
            yield outlet.take()
        if run.model_calls is not None:
            async for data in _copied(file, run.model_calls, "model_calls.jsonl", outlet):
                yield data
        file.writestr("manifest.json", _json(run.manifest(listed)))
    yield outlet.take()


async def _copied(file: zipfile.ZipFile, path: Path, name: str, outlet: _Outlet) -> AsyncIterator[bytes]:
    """Copy a file of the host, up to the end that it has now, into an entry; gives the zip's bytes as they come."""
    with path.open("rb") as source, file.open(name, "w", force_zip64=True) as target:
        room = os.fstat(source.fileno()).st_size
        while data := await asyncio.to_thread(source.read, min(_CHUNK_BYTES, room)):
            room -= len(data)
            await asyncio.to_thread(target.write, data)
            yield outlet.take()


def _entry(folder: str, execution: Execution) -> dict[str, Any]:
    return {
        "folder": folder,
        "execution_id": execution.id,
        "purpose": execution.purpose,
        "command": execution.command,
        "status": execution.status,
        "exit_status": execution.exit_status,
        "timed_out": execution.timed_out,
        "lost": execution.lost,
        "start_time_ms": execution.start_time_ms,
        "end_time_ms": execution.end_time_ms,
    }


async def _output(runtime: Runtime, execution: Execution, stream: Stream) -> AsyncIterator[bytes]:
    offset = 0
    while data := await runtime.read_output(execution.devbox_id, execution.id, stream, offset, _CHUNK_BYTES):
        yield data
        offset += len(data)
    if await runtime.is_truncated(execution.devbox_id, execution.id, stream):
        yield LOST_NOTE.encode()


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
