"""The wire's words for network policies."""

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from loopyard.kit.hostnames import is_name, normal
from loopyard.kit.wire import Params, Text, View
from loopyard.network_policy.models import NetworkPolicy

MAX_HOSTNAMES = 1000
MAX_CIDRS = 500
MAX_PORTS = 100
"""Limits on the entries of one policy, and on the port rules of one of its networks."""


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


def _cidr(text: str) -> str:
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError("must be an IPv4 network such as 10.12.0.0/16") from None
    if text != str(network):
        raise ValueError(f"must be written as {network}, with the bits of the host zero")
    return text


Name = Annotated[Text, StringConstraints(max_length=1024), AfterValidator(_not_blank)]
Description = Annotated[Text, StringConstraints(max_length=16384)]
Hostname = Annotated[Text, StringConstraints(max_length=256), AfterValidator(_hostname)]
Port = Annotated[int, Field(ge=1, le=65535)]


class PortRule(Params):
    """A port, or a range of ports, of TCP and UDP or of one of them."""

    port: Port
    end_port: Port | None = None
    """The last port of a range."""
    protocol: Literal["TCP", "UDP"] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "PortRule":
        if self.end_port is not None and self.end_port < self.port:
            raise ValueError("end_port must not be less than port")
        return self


class AllowedCidr(Params):
    cidr: Annotated[Text, StringConstraints(max_length=64), AfterValidator(_cidr)]
    ports: Annotated[list[PortRule], Field(max_length=MAX_PORTS)] | None = None
    """None, or none in it, for every port and protocol."""


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
            allowed_cidrs=[AllowedCidr.model_validate(one) for one in policy.allowed_cidrs],
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
