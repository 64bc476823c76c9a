"""Forms that make secrets, and give a secret another value."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response
from pydantic import ValidationError

from loopyard.auth.caller import MADE
from loopyard.console.page import Page, allowed
from loopyard.console.text import typed
from loopyard.kit.http.error_handlers import explain
from loopyard.kit.http.parts import part
from loopyard.secret import endpoints as secrets
from loopyard.secret.schemas import SecretCreateParams, SecretUpdateParams
from loopyard.secret.service import SecretService

router = APIRouter()

SecretServiceDep = Annotated[SecretService, Depends(part(SecretService))]
Text = Annotated[str, Form()]


@router.post("/create")
async def create_secret(
    page: Annotated[Page, Depends(allowed("POST /v1/secrets"))],
    service: SecretServiceDep,
    name: Text = "",
    value: Text = "",
) -> Response:
    """Make a secret."""
    try:
        params = SecretCreateParams.model_validate({"name": name.strip(), "value": typed(value)})
    except ValidationError as error:
        raise explain(error.errors(include_input=False)) from None
    async with page.database.write(last=True) as session:
        creation = await secrets.new_secret(page.caller, None)
        made = await secrets.create(params, page.caller, session, service, creation)
    page.request.scope[MADE] = made.id
    return page.redirect(f"/console/secrets/{made.id}", note="The secret was made. Its value is never shown.")


@router.post("/{id}/update")
async def update_secret(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/secrets/id/{}/update"))],
    service: SecretServiceDep,
    value: Text = "",
) -> Response:
    """Give a secret another value."""
    try:
        params = SecretUpdateParams.model_validate({"value": typed(value)})
    except ValidationError as error:
        raise explain(error.errors(include_input=False)) from None
    async with page.database.write() as session:
        await secrets.update_by_id(id, params, page.caller, session, service)
    return page.redirect(f"/console/secrets/{id}", note="Devboxes have the new value from their next start on.")
