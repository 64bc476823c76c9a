"""Networks that a policy allows, as the wire has them and as they are stored."""

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from loopyard.kit.http.wire import Params, Text

MAX_PORTS = 100
"""Limit on the port rules of one network."""


def _cidr(text: str) -> str:
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError("must be an IPv4 network such as 10.12.0.0/16") from None
    if text != str(network):
        raise ValueError(f"must be written as {network}, with the bits of the host zero")
    return text


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
