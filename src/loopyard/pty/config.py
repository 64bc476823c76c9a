"""Settings of terminals."""

from pydantic import BaseModel, ConfigDict, Field


class PtyConfig(BaseModel):
    """Terminals in devboxes over WebSocket."""

    model_config = ConfigDict(extra="forbid")

    idle_ttl_seconds: int = Field(
        default=600, ge=1, description="How long a session is kept once nobody is attached to it."
    )
    scrollback_bytes: int = Field(
        default=256 * 1024, ge=0, description="How much of a session's last output is replayed to who attaches."
    )
    token_ttl_seconds: int = Field(default=86_400, ge=1, description="How long a token of create_pty_tunnel is good.")
    most_sessions: int = Field(default=32, ge=1, description="How many sessions one devbox may have at the same time.")
