"""Upstream calls that a new devbox may make, found by the names in the request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import require
from loopyard.devbox.schemas import DevboxCreateParams
from loopyard.gateway_config.repository import GatewayConfigRepository
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.errors import BadRequest
from loopyard.launch.parameters import LaunchParameters
from loopyard.launch.upstreams import merged
from loopyard.mcp_config.repository import McpConfigRepository
from loopyard.upstream_proxy.configured import find_secret
from loopyard.upstream_proxy.grants import MCP_TOKEN, MCP_URL, Wanted


@dataclass(frozen=True, slots=True)
class Calls:
    """`gateway_specs` and `mcp_specs` are as rows have them."""

    wanted: list[Wanted] = field(default_factory=list[Wanted])
    gateway_specs: dict[str, Any] | None = None
    mcp_specs: dict[str, Any] | None = None


async def find_calls(
    session: AsyncSession, account_id: str, params: DevboxCreateParams, launch: LaunchParameters
) -> Calls:
    """The configurations and secrets that the request and its launch parameters name; the request's own go first.

    Raises:
        Forbidden: The caller's key may not use the account's configurations and secrets.
        BadRequest: There is no such secret, or two things would set one variable.
        NotFound: There is no such configuration.
    """
    gateways_asked, mcp_asked = merged(launch.gateways, params.gateways), merged(launch.mcp, params.mcp)
    if gateways_asked or mcp_asked:
        field_at_fault = "gateways" if gateways_asked else "mcp"
        require(Resource.ACCOUNT, Level.READ, "a secret that is called with", field=field_at_fault)
    wanted: list[Wanted] = []
    gateway_specs: dict[str, Any] = {}
    for variable, spec in (gateways_asked or {}).items():
        place = f"gateways.{variable}"
        config = await GatewayConfigRepository(session).get_one_named_for_update(
            spec.gateway, account_id, f"{place}.gateway"
        )
        secret_id = await find_secret(session, account_id, spec.secret, f"{place}.secret")
        wanted.append(Wanted("gateway", variable, config.id, secret_id))
        gateway_specs[variable] = {"gateway_config_id": config.id, "secret_id": secret_id}
    mcp_specs: dict[str, Any] = {}
    for variable, spec in (mcp_asked or {}).items():
        place = f"mcp.{variable}"
        config = await McpConfigRepository(session).get_one_named_for_update(
            spec.mcp_config, account_id, f"{place}.mcp_config"
        )
        secret_id = await find_secret(session, account_id, spec.secret, f"{place}.secret")
        wanted.append(Wanted("mcp", variable, config.id, secret_id))
        mcp_specs[variable] = {"mcp_config_id": config.id, "secret_id": secret_id}
    _check_variables(params, gateway_specs, mcp_specs)
    return Calls(wanted, gateway_specs or None, mcp_specs or None)


def _check_variables(params: DevboxCreateParams, gateways: Mapping[str, Any], mcp: Mapping[str, Any]) -> None:
    taken = dict.fromkeys(params.environment_variables or {}, "environment_variables")
    taken |= dict.fromkeys(params.secrets or {}, "secrets")
    fixed = {MCP_URL, MCP_TOKEN} - mcp.keys() if mcp else set[str]()
    ours = [(f"gateways.{name}", one) for name in gateways for one in (name, f"{name}_URL")]
    ours += [(f"mcp.{name}", name) for name in mcp]
    ours += [("mcp", name) for name in fixed]
    for place, variable in ours:
        if (by := taken.get(variable)) is not None:
            raise BadRequest(f"{place}: the variable {variable} is set by {by} too.", field=place)
        taken[variable] = place
