"""Writes model calls down, a JSON line each, in a file for each devbox."""

import logging
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from loopyard.gateway.observation import Call, Headers
from loopyard.kit.clock import now_ms
from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.metering.decoding import Decoder, Undecodable
from loopyard.model_usage.recording.assembly import assemble
from loopyard.model_usage.recording.recordings import Recordings
from loopyard.model_usage.recording.redaction import Redaction
from loopyard.model_usage.sums import CallReport

log = logging.getLogger("loopyard.model_usage")

MOST_BYTES = 64 * 1024**2
"""Of one devbox's file."""

MOST_BODY_BYTES = 8 * 1024**2
"""Of a request, and of an answer, as it comes; what is longer is kept without its end, as text."""

_MOST_DECODED_BYTES = 32 * 1024**2
_IN_MEMORY_BYTES = 256 * 1024
_NOTE_BYTES = 1024
"""Room for the line that says that nothing more is written."""


class _Body:
    """A body as it came, on the disk if it is not small."""

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115
        self._size = 0
        self.is_cut = False

    def add(self, chunk: bytes) -> None:
        room = MOST_BODY_BYTES - self._size
        if len(chunk) > room:
            self.is_cut = True
            chunk = chunk[:room]
        self._file.write(chunk)
        self._size += len(chunk)

    def take(self, encoding: str) -> tuple[bytes, bool]:
        """The bytes without their encoding, and whether something is missing. The body is gone then."""
        self._file.seek(0)
        kept = bytearray()
        try:
            for piece in Decoder(encoding).feed(self._file.read()):
                kept += piece[: _MOST_DECODED_BYTES - len(kept)]
                if len(kept) >= _MOST_DECODED_BYTES:
                    self.is_cut = True
                    break
        except Undecodable:
            self.is_cut = True
        finally:
            self._file.close()
        return bytes(kept), self.is_cut


@dataclass(slots=True)
class _Answer:
    status: int
    headers: Headers


class Recording:
    """Recording of a call in progress."""

    def __init__(self, recorder: "Recorder", call: Call, api: Api, known: Sequence[str]) -> None:
        self._recorder = recorder
        self._call = call
        self._api = api
        self._redaction = Redaction(known)
        self._headers: Headers = []
        self._request = _Body(recorder.folder)
        self._response = _Body(recorder.folder)
        self._answer: _Answer | None = None

    def request(self, headers: Headers) -> None:
        self._headers = headers

    def request_body(self, chunk: bytes) -> None:
        self._request.add(chunk)

    def response(self, status: int, headers: Headers) -> None:
        self._answer = _Answer(status, headers)

    def body(self, chunk: bytes) -> None:
        self._response.add(chunk)

    def write(self, report: CallReport, error: str | None) -> None:
        """Write it down; takes as long as the disk and the size of the call make it, so do it in a thread."""
        call, redaction = self._call, self._redaction
        line = {
            "id": call.id,
            "scenario_run_id": call.scenario_run_id,
            "devbox_id": call.devbox_id,
            "gateway": call.gateway_name,
            "host": call.host,
            "api": self._api.value,
            "method": call.method,
            "path": redaction.target(call.path),
            "start_time_ms": call.started_ms,
            "end_time_ms": now_ms(),
            "request": {
                "headers": redaction.headers(self._headers),
                **self._told(self._request, self._headers, is_answer=False),
            },
            "response": self._told_response(),
            "error": error,
            "usage": report.model_dump(mode="json"),
        }
        self._recorder.append(call.devbox_id, orjson.dumps(line) + b"\n")

    def _told_response(self) -> dict[str, Any] | None:
        if self._answer is None:
            self._response.take("")
            return None
        return {
            "status": self._answer.status,
            "headers": self._redaction.headers(self._answer.headers),
            **self._told(self._response, self._answer.headers, is_answer=True),
        }

    def _told(self, body: _Body, headers: Headers, *, is_answer: bool) -> dict[str, Any]:
        """A body as JSON in `body`, or in `text` if it is none."""
        data, is_cut = body.take(_value(headers, "content-encoding"))
        read = None
        if is_answer or not is_cut:
            try:
                read = self._redaction.json(assemble(self._api, data) if is_answer else _parsed(data))
            except RecursionError:
                read = None
        if read is None:
            return {"body": None, "text": self._redaction.text(data.decode("utf-8", "replace")), "is_cut": is_cut}
        return {"body": read, "is_cut": is_cut}


class Recorder:
    """The files of all devboxes."""

    def __init__(self, folder: Path) -> None:
        """Take the gateway's folder, which belongs to the server alone."""
        self._files = Recordings(folder)
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        return self._files.folder

    def open(self, call: Call, api: Api, known: Sequence[str]) -> Recording:
        """Begin to record a call. `known` are credentials that must not be kept."""
        self._files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Recording(self, call, api, known)

    def append(self, devbox_id: str, line: bytes) -> None:
        """Add a line to a devbox's file; once it is full, a line that says so, and nothing more."""
        path = self._files.path(devbox_id)
        with self._lock, path.open("ab+") as file:
            path.chmod(0o600)
            size = file.tell()
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # cut off by a crash
                    file.write(b"\n")
            if size + len(line) <= MOST_BYTES - _NOTE_BYTES:
                file.write(line)
            elif not path.with_suffix(".full").exists():
                told = {"full": True, "message": f"Calls from here on are left out: {MOST_BYTES} bytes are recorded."}
                file.write(orjson.dumps(told) + b"\n")
                path.with_suffix(".full").touch(0o600)


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _value(headers: Headers, name: str) -> str:
    return ", ".join(value for one, value in headers if one == name)
