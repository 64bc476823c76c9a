"""/v1/apikeys and /v1/restricted_keys: making keys, listing them, and taking them back."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends

from loopyard.auth.caller import CallerDep
from loopyard.identity.repository import ApiKeyRepository
from loopyard.key.schemas import (
    APIKeyCreatedView,
    ApikeyCreateParams,
    APIKeyListView,
    APIKeyRevokedView,
    RestrictedKeyCreatedView,
    RestrictedKeyCreateParams,
    entries,
    scopes_of,
    view,
)
from loopyard.key.service import KeyService, KeyWish
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.idempotency import RequestKey
from loopyard.kit.lists.paging import PageParams, cursor_of

router = APIRouter(prefix="/v1", tags=["keys"])

KeyServiceDep = Annotated[KeyService, Depends(part(KeyService))]


@router.post("/apikeys", operation_id="apikeys.create")
async def create(
    caller: CallerDep,
    session: WriteSession,
    service: KeyServiceDep,
    params: Annotated[ApikeyCreateParams | None, Body()] = None,
    request_key: RequestKey = None,
) -> APIKeyCreatedView:
    """Make a standard key, which may do everything in the account. Its secret is shown here only."""
    params = params or ApikeyCreateParams()
    key, secret = await service.create(session, caller, KeyWish(params.name, params.expires_at_ms, None), request_key)
    return APIKeyCreatedView(id=key.id, name=key.name, expires_at_ms=key.expires_at_ms, key_secret=secret)


@router.post("/restricted_keys", operation_id="restrictedkeys.create")
async def create_restricted(
    caller: CallerDep,
    session: WriteSession,
    service: KeyServiceDep,
    params: Annotated[RestrictedKeyCreateParams | None, Body()] = None,
    request_key: RequestKey = None,
) -> RestrictedKeyCreatedView:
    """Make a key that may do what its scopes say. Its secret is shown here only."""
    params = params or RestrictedKeyCreateParams()
    scopes = scopes_of(params.scopes)
    if scopes is None:
        raise BadRequest("scopes: Invalid scopes: a kind of resource is named twice.", field="scopes")
    key, secret = await service.create(session, caller, KeyWish(params.name, params.expires_at_ms, scopes), request_key)
    return RestrictedKeyCreatedView(
        id=key.id, name=key.name, expires_at_ms=key.expires_at_ms, key_secret=secret, scopes=entries(scopes)
    )


@router.get("/apikeys", operation_id="apikeys.list")
async def list_keys(caller: CallerDep, session: ReadSession, page_query: PageParams) -> APIKeyListView:
    """The account's keys of both kinds, newest first, without those that are revoked."""
    page = await ApiKeyRepository(session).list_page(caller.account_id, cursor_of(page_query, "key"))
    return APIKeyListView(
        api_keys=[view(key) for key in page.items], has_more=page.has_more, total_count=page.total_count
    )


@router.delete("/apikeys/{id}", operation_id="apikeys.delete")
async def delete(id: ShortText, caller: CallerDep, session: WriteSession, service: KeyServiceDep) -> APIKeyRevokedView:
    """Revoke a key of either kind, and if it is restricted those made with it. Nothing is begun with them any more, and
    what is open with them ends."""
    return APIKeyRevokedView(revoked=list(await service.revoke(session, caller, id)))
