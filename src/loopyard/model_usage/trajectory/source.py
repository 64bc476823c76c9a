"""Reads recordings: of files, of a run's logs, and of a server."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from loopyard.model_usage.trajectory.atif import Names

_CALLS = "model_calls.jsonl"


class Unreadable(Exception):
    """A recording cannot be read; the message says why."""


def load(source: str) -> tuple[list[dict[str, Any]], Names]:
    """The lines of a recording, and what else is known of its run.

    Args:
        source: A file `model_calls.jsonl`, a zip file of a run's logs, or the id of a run on the server that
            RUNLOOP_BASE_URL and RUNLOOP_API_KEY name.

    Raises:
        Unreadable: It cannot be read, or has no recording.
    """
    path = Path(source)
    try:
        if path.is_file():
            if zipfile.is_zipfile(path):
                return _of_logs(source, path.read_bytes())
            return list(_lines(path.read_bytes())), Names(path.stem)
        if source.startswith("scr_"):
            return _of_logs(source, _download(source))
    except (OSError, zipfile.BadZipFile) as error:
        raise Unreadable(f"{source} cannot be read: {error}") from error
    raise Unreadable(f"{source} is neither a file nor the id of a scenario run (scr_…)")


def _of_logs(source: str, data: bytes) -> tuple[list[dict[str, Any]], Names]:
    with zipfile.ZipFile(io.BytesIO(data)) as logs:
        if _CALLS not in logs.namelist():
            raise Unreadable(
                f"{source} has no recorded calls: set loopyard.record_model_calls to true in the run's metadata, "
                "or LOOPYARD_GATEWAY__RECORD=true for the server"
            )
        run: dict[str, Any] = json.loads(logs.read("run.json"))
        lines = [*_lines(logs.read(_CALLS))]
    metadata = cast("dict[str, str]", run.get("metadata") or {})
    return lines, Names(str(run["id"]), metadata.get("agent") or Names.agent)


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        try:
            read: object = json.loads(line)
        except ValueError:
            continue  # cut off by a crash
        if isinstance(read, dict):
            yield cast("dict[str, Any]", read)


def _download(run_id: str) -> bytes:
    from runloop_api_client import APIError, Runloop

    url, key = os.environ.get("RUNLOOP_BASE_URL"), os.environ.get("RUNLOOP_API_KEY")
    if not url or not key:
        raise Unreadable(f"{run_id} is on a server: set RUNLOOP_BASE_URL and RUNLOOP_API_KEY to its address and key")
    try:
        with Runloop(base_url=url, bearer_token=key) as client:
            return client.scenarios.runs.download_logs(run_id).read()
    except APIError as error:
        raise Unreadable(f"{run_id} cannot be read from {url}: {error}") from error
