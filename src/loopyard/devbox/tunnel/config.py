"""Settings of tunnels."""

from pydantic import BaseModel, ConfigDict, Field


class TunnelConfig(BaseModel):
    """Where tunnels are reached: `https://{port}-{tunnel_key}.tunnel.{domain}`, on the listener of the API."""

    model_config = ConfigDict(extra="forbid")

    domain: str | None = Field(
        default=None,
        description="The only domain whose names lead into tunnels. Null takes any: the key alone tells.",
    )
    trust_forwarded: bool = Field(
        default=False,
        description="Whether a proxy before the server sets X-Forwarded-For, -Proto and -Host, so that services in "
        "devboxes get what it says. Otherwise they are replaced.",
    )
    answer_seconds: float = Field(
        default=300, gt=0, description="How long a service in a devbox may take to begin its answer, before a 504."
    )
    wake_seconds: float = Field(default=60, gt=0, description="How long a request waits for a suspended devbox to run.")
    listen_seconds: float = Field(
        default=15, ge=0, description="How long after its resume a devbox is given to listen on the port asked for."
    )
