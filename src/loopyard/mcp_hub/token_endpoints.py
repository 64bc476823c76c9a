"""/v1/devboxes/{id}/create_mcp_token: tokens for devboxes that run already."""

from typing import Annotated

from fastapi import APIRouter, Depends

from loopyard.auth.caller import CallerDep
from loopyard.devbox.service import DevboxService
from loopyard.kit.db.database import WriteSession
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.mcp_config.repository import McpConfigRepository
from loopyard.mcp_hub.schemas import McpTokenParams, McpTokenView
from loopyard.upstream_proxy.configured import find_secret
from loopyard.upstream_proxy.grants import Grants, Wanted

router = APIRouter(prefix="/v1/devboxes", tags=["devboxes"])

GrantsDep = Annotated[Grants, Depends(part(Grants))]
DevboxServiceDep = Annotated[DevboxService, Depends(part(DevboxService))]


@router.post("/{id}/create_mcp_token", operation_id="devboxes.create_mcp_token")
async def create_mcp_token(
    id: ShortText,
    params: McpTokenParams,
    caller: CallerDep,
    session: WriteSession,
    devboxes: DevboxServiceDep,
    grants: GrantsDep,
) -> McpTokenView:
    """Make a token that this devbox, and no other, may call an MCP server with as long as it lives. It is shown only
    here, and nothing is put into the devbox."""
    devbox = await devboxes.lock_running(session, caller.account_id, id)
    grants.check_offered("mcp_config")
    config = await McpConfigRepository(session).get_one_named_for_update(
        params.mcp_config, caller.account_id, "mcp_config"
    )
    secret_id = await find_secret(session, caller.account_id, params.secret, "secret")
    devbox.has_grants = True
    token = await grants.mint(session, devbox.account_id, devbox.id, Wanted("mcp", None, config.id, secret_id))
    return McpTokenView(
        token=token,
        allowed_tools=config.allowed_tools,
        devbox_id=devbox.id,
        endpoint=config.endpoint,
        mcp_config_id=config.id,
        url=grants.url("mcp"),
    )
