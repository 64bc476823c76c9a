"""Forms that make secrets and network policies, and give a secret another value."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response
from pydantic import ValidationError

from loopyard.auth.caller import MADE
from loopyard.console.page import Page, allowed
from loopyard.kit.error_handlers import explain
from loopyard.kit.errors import BadRequest
from loopyard.kit.parts import part
from loopyard.network_policy import endpoints as policies
from loopyard.network_policy.enforcement import Enforcement
from loopyard.network_policy.schemas import NetworkPolicyCreateParams
from loopyard.secret import endpoints as secrets
from loopyard.secret.schemas import SecretCreateParams, SecretUpdateParams
from loopyard.secret.service import SecretService

secret_router = APIRouter()
policy_router = APIRouter()

SecretServiceDep = Annotated[SecretService, Depends(part(SecretService))]
Text = Annotated[str, Form()]
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp))?", re.IGNORECASE)
_FLAGS = (
    "allow_all",
    "allow_devbox_to_devbox",
    "allow_agent_gateway",
    "allow_mcp_gateway",
    "allow_runloop_mirrors",
)


@secret_router.post("/create")
async def create_secret(
    page: Annotated[Page, Depends(allowed("POST /v1/secrets"))],
    service: SecretServiceDep,
    name: Text = "",
    value: Text = "",
) -> Response:
    """Make a secret."""
    try:
        params = SecretCreateParams.model_validate({"name": name.strip(), "value": _typed(value)})
    except ValidationError as error:
        raise explain(error.errors(include_input=False)) from None
    async with page.database.write(last=True) as session:
        made = await secrets.create(params, page.caller, session, service)
    page.request.scope[MADE] = made.id
    return page.redirect(f"/console/secrets/{made.id}", note="The secret was made. Its value is never shown.")


@secret_router.post("/{id}/update")
async def update_secret(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/secrets/id/{}/update"))],
    service: SecretServiceDep,
    value: Text = "",
) -> Response:
    """Give a secret another value."""
    try:
        params = SecretUpdateParams.model_validate({"value": _typed(value)})
    except ValidationError as error:
        raise explain(error.errors(include_input=False)) from None
    async with page.database.write() as session:
        await secrets.update_by_id(id, params, page.caller, session, service)
    return page.redirect(f"/console/secrets/{id}", note="Devboxes have the new value from their next start on.")


def _typed(value: str) -> str:
    """The value as it was typed: browsers send ends of lines as CR LF."""
    return value.replace("\r\n", "\n")


@policy_router.post("/create")
async def create_policy(
    page: Annotated[Page, Depends(allowed("POST /v1/network-policies"))],
    enforcement: Annotated[Enforcement, Depends(part(Enforcement))],
    name: Text = "",
    description: Text = "",
    hostnames: Text = "",
    networks: Text = "",
    allow: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make a network policy."""
    given: dict[str, Any] = {
        "name": name.strip(),
        "description": _typed(description).strip() or None,
        "allowed_hostnames": hostnames.split(),
        "allowed_cidrs": list(networks_of(networks)),
        **{flag: flag in (allow or ()) for flag in _FLAGS},
    }
    try:
        params = NetworkPolicyCreateParams.model_validate(given)
    except ValidationError as error:
        raise explain(error.errors()) from None
    async with page.database.write(last=True) as session:
        made = await policies.create(params, page.caller, session, enforcement)
    page.request.scope[MADE] = made.id
    return page.redirect(f"/console/network-policies/{made.id}", note="The network policy was made.")


def networks_of(text: str) -> Iterator[dict[str, Any]]:
    """The networks of lines such as `10.1.0.0/16 443/tcp 8000-8100`, as the API takes them.

    Raises:
        BadRequest: A port is written in another way.
    """
    for line in filter(None, map(str.strip, text.splitlines())):
        cidr, *ports = line.split()
        yield {"cidr": cidr, "ports": [_rule(port) for port in ports] or None}


def _rule(port: str) -> dict[str, Any]:
    found = _PORTS.fullmatch(port)
    if found is None:
        words = f"networks: write a port as 443, 443/tcp or 8000-8100/udp, not {port[:40]!r}."
        raise BadRequest(words, field="networks")
    first, last, protocol = found.groups()
    rule: dict[str, Any] = {"port": int(first)}
    if last:
        rule["end_port"] = int(last)
    if protocol:
        rule["protocol"] = protocol.upper()
    return rule
