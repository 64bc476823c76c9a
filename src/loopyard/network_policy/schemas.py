"""The wire's words for network policies."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from loopyard.kit.host.hostnames import is_name, normal
from loopyard.kit.http.wire import Params, Text, View
from loopyard.network_policy.models import NetworkPolicy
from loopyard.network_policy.networks import AllowedCidr

MAX_HOSTNAMES = 1000
MAX_CIDRS = 500
"""Limits on the entries of one policy."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _hostname(text: str) -> str:
    name = normal(text)
    if name == "*":
        raise ValueError("'*' alone would allow every name; use allow_all for that")
    if not name.isascii():
        raise ValueError("write it in its ASCII form (xn--…)")
    bare = name.removeprefix("*.")
    if not is_name(bare):
        raise ValueError("must be a host's name such as github.com, or *.example.org; no port, path or other wildcard")
    if bare.rpartition(".")[2].isdigit():
        raise ValueError("must be a name; put addresses into allowed_cidrs")
    return text


Name = Annotated[Text, StringConstraints(max_length=1024), AfterValidator(_not_blank)]
Description = Annotated[Text, StringConstraints(max_length=16384)]
Hostname = Annotated[Text, StringConstraints(max_length=256), AfterValidator(_hostname)]


class NetworkPolicyUpdateParams(Params):
    """Parameters of an update. A field that is not given stays; a field that is given replaces its whole value."""

    allow_agent_gateway: bool | None = None
    allow_all: bool | None = None
    allow_devbox_to_devbox: bool | None = None
    allow_mcp_gateway: bool | None = None
    allow_runloop_mirrors: bool | None = None
    allowed_cidrs: Annotated[list[AllowedCidr], Field(max_length=MAX_CIDRS)] | None = None
    allowed_hostnames: Annotated[list[Hostname], Field(max_length=MAX_HOSTNAMES)] | None = None
    description: Description | None = None
    name: Name | None = None


class NetworkPolicyCreateParams(NetworkPolicyUpdateParams):
    name: Name  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]


class Egress(View):
    allow_agent_gateway: bool
    allow_all: bool
    allow_devbox_to_devbox: bool
    allow_mcp_gateway: bool
    allow_runloop_mirrors: bool
    allowed_cidrs: list[AllowedCidr]
    allowed_hostnames: list[str]


class NetworkPolicyView(View):
    id: str
    create_time_ms: int
    egress: Egress
    name: str
    update_time_ms: int
    description: str | None = None

    @classmethod
    def of(cls, policy: NetworkPolicy) -> "NetworkPolicyView":
        egress = Egress(
            allow_agent_gateway=policy.allow_agent_gateway,
            allow_all=policy.allow_all,
            allow_devbox_to_devbox=policy.allow_devbox_to_devbox or policy.allow_all,
            allow_mcp_gateway=policy.allow_mcp_gateway,
            allow_runloop_mirrors=policy.allow_runloop_mirrors,
            allowed_cidrs=policy.allowed_cidrs,
            allowed_hostnames=policy.allowed_hostnames,
        )
        return cls(
            id=policy.id,
            create_time_ms=policy.create_time_ms,
            egress=egress,
            name=policy.name,
            update_time_ms=policy.update_time_ms,
            description=policy.description,
        )


class NetworkPolicyListView(View):
    network_policies: list[NetworkPolicyView]
    has_more: bool
    total_count: int | None = None
