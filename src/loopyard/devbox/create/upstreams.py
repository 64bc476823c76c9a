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
from loopyard.upstream_proxy.tokens import Kind


@dataclass(frozen=True, slots=True)
class Calls:
    """`gateway_specs` and `mcp_specs` are as rows have them."""

    wanted: list[Wanted] = field(default_factory=list[Wanted])
    gateway_specs: dict[str, Any] | None = None
    mcp_specs: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is asked for: a configuration and a secret, by id or name."""

    kind: Kind
    variable: str
    config: str
    secret: str


@dataclass(frozen=True, slots=True)
class _OfKind:
    """Calls of a kind: their field in a request, and in it that of the configuration; where this is, and its key in
    rows."""

    field: str
    config: str
    repository: type[GatewayConfigRepository | McpConfigRepository]
    key: str


_KINDS: Mapping[Kind, _OfKind] = {
    "gateway": _OfKind("gateways", "gateway", GatewayConfigRepository, "gateway_config_id"),
    "mcp": _OfKind("mcp", "mcp_config", McpConfigRepository, "mcp_config_id"),
}


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
    calls = [
        *(_Call("gateway", variable, one.gateway, one.secret) for variable, one in (gateways_asked or {}).items()),
        *(_Call("mcp", variable, one.mcp_config, one.secret) for variable, one in (mcp_asked or {}).items()),
    ]
    wanted: list[Wanted] = []
    specs: dict[Kind, dict[str, Any]] = {"gateway": {}, "mcp": {}}
    for call in calls:
        kind = _KINDS[call.kind]
        place = f"{kind.field}.{call.variable}"
        configs = kind.repository(session)
        config = await configs.get_one_named_for_update(call.config, account_id, f"{place}.{kind.config}")
        secret_id = await find_secret(session, account_id, call.secret, f"{place}.secret")
        wanted.append(Wanted(call.kind, call.variable, config.id, secret_id))
        specs[call.kind][call.variable] = {kind.key: config.id, "secret_id": secret_id}
    gateway_specs, mcp_specs = specs["gateway"], specs["mcp"]
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
