"""The form that makes a network policy, or changes one."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response
from pydantic import ValidationError

from loopyard.auth.caller import MADE
from loopyard.console.page import Page, allowed
from loopyard.console.text import typed
from loopyard.kit.errors import BadRequest, WrongState
from loopyard.kit.http.error_handlers import explain
from loopyard.kit.http.parts import part
from loopyard.network_policy import endpoints as policies
from loopyard.network_policy.enforcement import Enforcement
from loopyard.network_policy.networks import AllowedCidr, PortRule
from loopyard.network_policy.schemas import NetworkPolicyCreateParams, NetworkPolicyUpdateParams, NetworkPolicyView

router = APIRouter()

EnforcementDep = Annotated[Enforcement, Depends(part(Enforcement))]
Text = Annotated[str, Form()]
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp))?", re.IGNORECASE)
_FLAGS = (
    "allow_all",
    "allow_devbox_to_devbox",
    "allow_agent_gateway",
    "allow_mcp_gateway",
    "allow_runloop_mirrors",
)


async def filled_in(
    name: Text = "",
    description: Text = "",
    hostnames: Text = "",
    networks: Text = "",
    allow: Annotated[list[str] | None, Form()] = None,
) -> dict[str, Any]:
    """The fields of a policy, as the API takes them.

    Raises:
        BadRequest: A port is written in another way.
    """
    return {
        "name": name.strip(),
        "description": typed(description).strip(),
        "allowed_hostnames": hostnames.split(),
        "allowed_cidrs": list(networks_of(networks)),
        **{flag: flag in (allow or ()) for flag in _FLAGS},
    }


Given = Annotated[dict[str, Any], Depends(filled_in)]


@router.post("/create")
async def create_policy(
    page: Annotated[Page, Depends(allowed("POST /v1/network-policies"))], enforcement: EnforcementDep, given: Given
) -> Response:
    """Make a network policy."""
    try:
        params = NetworkPolicyCreateParams.model_validate({**given, "description": given["description"] or None})
    except ValidationError as error:
        raise explain(error.errors()) from None
    async with page.database.write(last=True) as session:
        creation = await policies.new_policy(page.caller, None)
        made = await policies.create(params, page.caller, session, enforcement, creation)
    page.request.scope[MADE] = made.id
    return page.redirect(f"/console/network-policies/{made.id}", note="The network policy was made.")


@router.post("/{id}/update")
async def update_policy(
    id: str,
    page: Annotated[Page, Depends(allowed("POST /v1/network-policies/{}"))],
    enforcement: EnforcementDep,
    given: Given,
    seen: Text = "",
) -> Response:
    """Change what is filled in otherwise than the policy has it."""
    async with page.database.read() as session:
        policy = await policies.retrieve(id, page.caller, session)
    if seen != str(policy.update_time_ms):
        raise WrongState("The network policy was changed since the page was loaded. Load it anew and try again.")
    has = _fields_of(policy)
    for name in ("name", "description"):  # which the form has without spaces around them
        given[name] = has[name] if given[name] == has[name].strip() else given[name] or ""
    try:
        whole = NetworkPolicyUpdateParams.model_validate(given)
    except ValidationError as error:
        raise explain(error.errors()) from None
    changed = {name: value for name, value in whole if value != has[name]}
    if changed:
        await policies.update(id, page.caller, page.database, enforcement, NetworkPolicyUpdateParams(**changed))
    note = "The network policy is in force." if changed else "Nothing was changed."
    return page.redirect(f"/console/network-policies/{id}", note=note)


def _fields_of(policy: NetworkPolicyView) -> dict[str, Any]:
    """The fields of a policy by their names in an update."""
    return {**dict(policy.egress), "name": policy.name, "description": policy.description or ""}


async def texts_of(page: Page, id: str) -> Mapping[str, Any]:
    """The texts of the form for a policy."""
    async with page.database.read() as session:
        fields = _fields_of(await policies.retrieve(id, page.caller, session))
    return {
        "description": fields["description"],
        "hostnames": "\n".join(fields["allowed_hostnames"]),
        "networks": "\n".join(_line(one) for one in fields["allowed_cidrs"]),
        "flags": [flag for flag in _FLAGS if fields[flag]],
    }


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


def _line(network: AllowedCidr) -> str:
    """The line that `networks_of` reads as this network."""
    return " ".join([network.cidr, *(_word(rule) for rule in network.ports or ())])


def _word(rule: PortRule) -> str:
    last = "" if rule.end_port is None else f"-{rule.end_port}"
    return f"{rule.port}{last}" + ("" if rule.protocol is None else f"/{rule.protocol.lower()}")
