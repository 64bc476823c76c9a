"""/v1/secrets: making, finding, changing and deleting secrets, by name and by id."""

from typing import Annotated

from fastapi import APIRouter, Depends

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import DEFAULT_LIMIT, Limit, PageQuery
from loopyard.secret.repository import SecretRepository
from loopyard.secret.schemas import SecretCreateParams, SecretListView, SecretUpdateParams, SecretView
from loopyard.secret.service import SecretService

router = APIRouter(prefix="/v1/secrets", tags=["secrets"])

new_secret = creation_of("secrets.create", "sec")
CreationDep = Annotated[Creation, Depends(new_secret)]

SecretServiceDep = Annotated[SecretService, Depends(part(SecretService))]


@router.post("", operation_id="secrets.create")
async def create(
    params: SecretCreateParams,
    caller: CallerDep,
    session: WriteSession,
    service: SecretServiceDep,
    creation: CreationDep,
) -> SecretView:
    """Make a secret. Its value never comes back; it is seen inside of devboxes only."""
    made = await creation.claim(session)
    if made.is_repeat:
        return SecretView.model_validate(await service.get(session, caller.account_id, made.id))
    return SecretView.model_validate(await service.create(session, caller.account_id, params, secret_id=made.id))


@router.get("", operation_id="secrets.list")
async def list_secrets(
    caller: CallerDep,
    session: ReadSession,
    limit: Limit = DEFAULT_LIMIT,
) -> SecretListView:
    """The account's secrets, newest first."""
    page = await SecretRepository(session).list_page(caller.account_id, PageQuery(limit=limit))
    views = [SecretView.model_validate(secret) for secret in page.items]
    return SecretListView(secrets=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/id/{id}", operation_id="secrets.retrieve_by_id")
async def retrieve_by_id(
    id: ShortText, caller: CallerDep, session: ReadSession, service: SecretServiceDep
) -> SecretView:
    """Retrieve a secret by its id."""
    return SecretView.model_validate(await service.get(session, caller.account_id, id))


@router.post("/id/{id}/update", operation_id="secrets.update_by_id")
async def update_by_id(
    id: ShortText, params: SecretUpdateParams, caller: CallerDep, session: WriteSession, service: SecretServiceDep
) -> SecretView:
    """Give a secret another value. Devboxes have it from their next start on."""
    secret = await service.get(session, caller.account_id, id)
    return SecretView.model_validate(await service.update(session, secret, params))


@router.post("/id/{id}/delete", operation_id="secrets.delete_by_id")
async def delete_by_id(
    id: ShortText, caller: CallerDep, session: WriteSession, service: SecretServiceDep
) -> SecretView:
    """Delete a secret; answers with what it was. Devboxes that run keep its value."""
    secret = await service.get(session, caller.account_id, id)
    return SecretView.model_validate(await service.delete(session, secret))


@router.get("/{name}", operation_id="secrets.retrieve")
async def retrieve(name: ShortText, caller: CallerDep, session: ReadSession, service: SecretServiceDep) -> SecretView:
    """Retrieve a secret by its name."""
    return SecretView.model_validate(await service.named(session, caller.account_id, name))


@router.post("/{name}", operation_id="secrets.update")
async def update(
    name: ShortText, params: SecretUpdateParams, caller: CallerDep, session: WriteSession, service: SecretServiceDep
) -> SecretView:
    """Give a secret another value, by its name. Devboxes have it from their next start on."""
    secret = await service.named(session, caller.account_id, name)
    return SecretView.model_validate(await service.update(session, secret, params))


@router.post("/{name}/delete", operation_id="secrets.delete")
async def delete(name: ShortText, caller: CallerDep, session: WriteSession, service: SecretServiceDep) -> SecretView:
    """Delete a secret, by its name; answers with what it was. Devboxes that run keep its value."""
    secret = await service.named(session, caller.account_id, name)
    return SecretView.model_validate(await service.delete(session, secret))
