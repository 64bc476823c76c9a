"""/v1/devboxes/{id}/create_gateway_token: tokens for devboxes that run already."""

from typing import Annotated

from fastapi import APIRouter, Depends

from loopyard.auth.caller import CallerDep
from loopyard.devbox.service import DevboxService
from loopyard.gateway.schemas import GatewayTokenParams, GatewayTokenView
from loopyard.gateway_config.repository import GatewayConfigRepository
from loopyard.kit.db.database import WriteSession
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.upstream_proxy.configured import find_secret
from loopyard.upstream_proxy.grants import Grants, Wanted
from loopyard.upstream_proxy.mechanism import AuthMechanismView

router = APIRouter(prefix="/v1/devboxes", tags=["devboxes"])

GrantsDep = Annotated[Grants, Depends(part(Grants))]
DevboxServiceDep = Annotated[DevboxService, Depends(part(DevboxService))]


@router.post("/{id}/create_gateway_token", operation_id="devboxes.create_gateway_token")
async def create_gateway_token(
    id: ShortText,
    params: GatewayTokenParams,
    caller: CallerDep,
    session: WriteSession,
    devboxes: DevboxServiceDep,
    grants: GrantsDep,
) -> GatewayTokenView:
    """Make a token that this devbox, and no other, may call a gateway with as long as it lives. It is shown only here,
    and nothing is put into the devbox."""
    devbox = await devboxes.lock_running(session, caller.account_id, id)
    grants.check_offered("gateway")
    config = await GatewayConfigRepository(session).get_one_named_for_update(
        params.gateway, caller.account_id, "gateway"
    )
    secret_id = await find_secret(session, caller.account_id, params.secret, "secret")
    devbox.has_grants = True
    token = await grants.mint(session, devbox.account_id, devbox.id, Wanted("gateway", None, config.id, secret_id))
    return GatewayTokenView(
        token=token,
        auth_mechanism=AuthMechanismView.model_validate(config.auth_mechanism),
        devbox_id=devbox.id,
        endpoint=config.endpoint,
        gateway_config_id=config.id,
        url=grants.url("gateway"),
    )
