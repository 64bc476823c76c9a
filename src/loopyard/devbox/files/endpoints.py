"""/v1/devboxes/{id}/…file…: reading and writing files in a devbox."""

import codecs
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from loopyard.auth.caller import CallerDep
from loopyard.devbox.execution.schemas import ExecutionResultView
from loopyard.devbox.files.service import DevboxFiles
from loopyard.devbox.schemas import MOST_PATH_BYTES, DownloadFileParams, ReadFileParams, WriteFileParams
from loopyard.kit.chunks import one_chunk
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.multipart import Upload
from loopyard.kit.http.parts import part

router = APIRouter(prefix="/v1/devboxes", tags=["files"])

FilesDep = Annotated[DevboxFiles, Depends(part(DevboxFiles))]


@router.post(
    "/{id}/read_file_contents",
    operation_id="devboxes.read_file_contents",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_file_contents(id: str, params: ReadFileParams, caller: CallerDep, files: FilesDep) -> StreamingResponse:
    """A file's content as text; bytes that are not UTF-8 are replaced."""
    content = await files.read(caller.account_id, id, params.file_path, field="file_path")
    return StreamingResponse(_as_text(content), media_type="text/plain")


@router.post(
    "/{id}/download_file",
    operation_id="devboxes.download_file",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def download_file(id: str, params: DownloadFileParams, caller: CallerDep, files: FilesDep) -> StreamingResponse:
    """A file's bytes."""
    content = await files.read(caller.account_id, id, params.path, field="path")
    return StreamingResponse(content, media_type="application/octet-stream")


@router.post("/{id}/write_file_contents", operation_id="devboxes.write_file_contents")
async def write_file_contents(
    id: str,
    params: WriteFileParams,
    caller: CallerDep,
    files: FilesDep,
) -> ExecutionResultView:
    """Write text to a file, replacing what was there; parent folders are made."""
    try:
        data = params.contents.encode()
    except UnicodeEncodeError:
        raise BadRequest("contents: must be valid Unicode.", field="contents") from None
    await files.write(caller.account_id, id, params.file_path, one_chunk(data), field="file_path")
    return ExecutionResultView(devbox_id=id, exit_status=0, stdout="", stderr="")


_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["path", "file"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "maxLength": MOST_PATH_BYTES},
                    "file": {"type": "string", "format": "binary"},
                },
            }
        }
    },
}


@router.post("/{id}/upload_file", operation_id="devboxes.upload_file", openapi_extra={"requestBody": _FORM})
async def upload_file(id: str, request: Request, caller: CallerDep, files: FilesDep) -> dict[str, str]:
    """Write an uploaded file, replacing what was there; parent folders are made."""
    upload = Upload(request, "file")
    path = await upload.field("path")
    if not 1 <= len(path.encode()) <= MOST_PATH_BYTES or "\x00" in path:
        message = f"path: must have 1 to {MOST_PATH_BYTES} bytes, none of them NUL"
        raise BadRequest(message, field="path")
    await files.write(caller.account_id, id, path, await upload.file(), field="path")
    return {}


async def _as_text(content: AsyncIterator[bytes]) -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    async for chunk in content:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)
