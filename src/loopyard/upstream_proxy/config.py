"""Settings of the gateway and the MCP hub."""

import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator


class GatewaySettings(BaseModel):
    """Settings of the proxy: which upstreams devboxes may reach, and for how long."""

    model_config = ConfigDict(extra="forbid")

    allowed_networks: list[str] = Field(
        default_factory=list[str],
        description="Private networks and loopback addresses, in CIDR notation, that upstreams may be in; `http://` "
        "endpoints are allowed there too. Link-local addresses never are.",
    )
    ca_bundle: Path | None = Field(
        default=None, description="Certificate authorities, in PEM, that upstreams are trusted by; the host's if null."
    )
    connect_seconds: float = Field(default=10.0, gt=0, le=300, description="How long connecting may take.")
    answer_seconds: float = Field(
        default=3600.0,
        gt=0,
        le=86_400,
        description="How long an upstream may take until its answer begins, and between two pieces of it.",
    )
    record: bool = Field(default=False, description="Whether calls of models are recorded. Runs may say otherwise.")
    recording_days: float | None = Field(
        default=None,
        ge=0,
        description="How long recorded calls of an ended devbox are kept after the last one; for ever if null.",
    )
    priced_as: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="Whose prices upstreams have, beside those that are known: hosts to providers of genai-prices, "
        "such as openai, anthropic or google.",
    )

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, networks: list[str]) -> list[str]:
        for network in networks:
            ipaddress.ip_network(network, strict=False)
        return networks
