"""/console/devboxes/{id}/files: looking at files of a devbox, taking them out, and putting them in."""

import posixpath
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse

from loopyard.console.devboxes.common import read, tabs
from loopyard.console.page import Page, allowed
from loopyard.devbox.files.service import DevboxFiles
from loopyard.devbox.schemas import MOST_PATH_BYTES
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.multipart import Upload
from loopyard.kit.http.parts import part

router = APIRouter()

READ = "POST /v1/devboxes/{}/download_file"
FilesPage = Annotated[Page, Depends(allowed(READ))]
FilesDep = Annotated[DevboxFiles, Depends(part(DevboxFiles))]
PathParam = Annotated[str, Query()]

_SHOWN_BYTES = 256 * 1024
_MOST_SHOWN = 2000


@router.get("/{id}/files")
async def folder(id: str, page: FilesPage, files: FilesDep, path: PathParam = "") -> Response:
    """Content of a folder; at first, the one where commands start."""
    devbox = await read(page, id)
    if devbox.status != "running":
        return page.render("devboxes/files.html", tabs=tabs(page), devbox=devbox, listing=None, steps=[], most=0)
    listing = await files.folder(page.caller.account_id, id, _checked(path or "."))
    return page.render(
        "devboxes/files.html",
        tabs=tabs(page),
        devbox=devbox,
        listing=listing,
        steps=_steps(listing.path),
        most=_MOST_SHOWN,
    )


@router.get("/{id}/files/view")
async def view(id: str, page: FilesPage, files: FilesDep, path: PathParam) -> Response:
    """The beginning of a file, as text if it is any."""
    devbox = await read(page, id)
    data = bytearray()
    content = await files.read(page.caller.account_id, id, _checked(path), field="path")
    async for chunk in content:
        data += chunk
        if len(data) > _SHOWN_BYTES:
            break
    shown = bytes(data[:_SHOWN_BYTES])
    return page.render(
        "devboxes/file.html",
        tabs=tabs(page),
        devbox=devbox,
        file_path=path,
        folder=posixpath.dirname(path) or "/",
        is_text=b"\0" not in shown,
        text=shown.decode(errors="replace"),
        is_cut=len(data) > _SHOWN_BYTES,
        shown=len(shown),
    )


@router.get("/{id}/files/download")
async def download(id: str, page: FilesPage, files: FilesDep, path: PathParam) -> Response:
    """A file's bytes, to keep."""
    content = await files.read(page.caller.account_id, id, _checked(path), field="path")
    name = quote(posixpath.basename(path.rstrip("/")) or "file", safe="", errors="replace")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Content-Security-Policy": "sandbox"}
    return StreamingResponse(content, media_type="application/octet-stream", headers=headers)


@router.post("/{id}/files/upload")
async def upload(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/devboxes/{}/upload_file", token_in_stream=True))],
    files: FilesDep,
) -> Response:
    """Write a file into a folder."""
    form = Upload(page.request, "file")
    page.check_token(await form.field("csrf"))
    place = _checked(await form.field("folder"))
    name = (await form.field("name")).strip()
    if not name:
        raise BadRequest("name: say what the file is to be called.", field="name")
    path = _checked(posixpath.join(place, name))
    await files.write(page.caller.account_id, id, path, await form.file(), field="path")
    return page.redirect(f"/console/devboxes/{id}/files?{urlencode({'path': place})}", note=f"{path} was written.")


def _checked(path: str) -> str:
    try:
        fits = 1 <= len(path.encode()) <= MOST_PATH_BYTES and "\0" not in path
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise BadRequest(f"path: must have 1 to {MOST_PATH_BYTES} bytes, none of them NUL.", field="path")
    return path


def _steps(path: str) -> list[tuple[str, str]]:
    """The folders above, each with its path."""
    steps = [("/", "/")]
    for name in path.strip("/").split("/"):
        if name:
            steps.append((name, posixpath.join(steps[-1][1], name)))
    return steps
