"""Settings of connections."""

from pydantic import BaseModel, ConfigDict, Field


class ConnectionSettings(BaseModel):
    """How long requests may take to arrive, and how many connections callers without a key may hold."""

    model_config = ConfigDict(extra="forbid")

    head_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="How long a request's head may take, from its first byte or connect."
    )
    body_seconds: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="How long a request's body may stand still. Tunnels have no such limit.",
    )
    most_unknown: int | None = Field(
        default=None,
        ge=8,
        description="How many connections may be open that have shown no valid key; the oldest is closed for the "
        "next. A quarter of the open files that the process may have, if null.",
    )
