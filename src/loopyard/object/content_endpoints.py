"""Up- and downloads at signed URLs, where this server itself keeps the contents. No key: the signature is the right."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from loopyard.auth.authenticator import Authenticator
from loopyard.auth.caller import KEY
from loopyard.connections.limits import let_in
from loopyard.kit.db.database import DatabaseDep
from loopyard.kit.errors import BadRequest, Forbidden, NotFound
from loopyard.kit.http.in_flight import mark
from loopyard.kit.http.parts import part
from loopyard.object.endpoints import ObjectServiceDep
from loopyard.object.local import BLOCK_BYTES, CONTENT_PATH, LocalStore
from loopyard.object.signing import Action
from loopyard.object.store import MEDIA_TYPES, ContentMissing, ObjectStore

router = APIRouter(prefix=CONTENT_PATH.rstrip("/"), include_in_schema=False)

StoreDep = Annotated[ObjectStore, Depends(part(ObjectStore))]


class _Blocks(FileResponse):
    chunk_size = BLOCK_BYTES


async def _local(store: StoreDep) -> LocalStore:
    if not isinstance(store, LocalStore):
        raise NotFound("This server keeps its objects elsewhere.")
    return store


LocalDep = Annotated[LocalStore, Depends(_local)]
Expires = Annotated[int, Query(ge=0, le=1 << 40)]
Signature = Annotated[str, Query(max_length=64)]
MadeBy = Annotated[str | None, Query(alias="key", max_length=64)]


async def _admit(
    request: Request,
    store: LocalStore,
    authenticator: Authenticator,
    action: Action,
    id: str,
    expires: int,
    made_by: str | None,
    signature: str,
) -> None:
    """Raises Forbidden if the URL is not one that was given away, or is not good any more."""
    store.signer.check(action, id, expires, made_by, signature)
    request.scope[KEY] = made_by
    if made_by is None:
        let_in(request.scope)
        return
    if not await authenticator.is_good(made_by):
        raise Forbidden("The API key that this URL was made with is not good any more.", field="key")
    mark(made_by)
    let_in(request.scope)


AuthenticatorDep = Annotated[Authenticator, Depends(part(Authenticator))]


@router.put("/{id}")
async def upload(
    id: str,
    request: Request,
    store: LocalDep,
    service: ObjectServiceDep,
    authenticator: AuthenticatorDep,
    expires: Expires,
    signature: Signature,
    made_by: MadeBy = None,
) -> Response:
    """Take in an object's content as it comes. What is cut off leaves nothing."""
    await _admit(request, store, authenticator, "upload", id, expires, made_by, signature)
    store.check_size(request.headers.get("content-length"))
    try:
        await service.receive(store, id, request.stream())
    except ClientDisconnect as error:
        raise BadRequest("The request body ends too early.", field="body") from error
    return Response(status_code=200)


@router.get("/{id}")
@router.head("/{id}")
async def download(
    id: str,
    request: Request,
    store: LocalDep,
    service: ObjectServiceDep,
    database: DatabaseDep,
    authenticator: AuthenticatorDep,
    expires: Expires,
    signature: Signature,
    made_by: MadeBy = None,
) -> Response:
    """Give an object's content, or a range of it."""
    await _admit(request, store, authenticator, "download", id, expires, made_by, signature)
    async with database.read() as session:
        row = await service.get_signed(session, id)
    try:
        path = store.path(id)
    except ContentMissing:
        raise NotFound(f"There is no object {id} any more.", field="id") from None
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
    return _Blocks(path, media_type=MEDIA_TYPES[row.content_type], filename=row.name, headers=headers)
