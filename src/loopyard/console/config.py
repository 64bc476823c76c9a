"""Settings of the console."""

from pydantic import BaseModel, ConfigDict, Field


class ConsoleConfig(BaseModel):
    """Pages at /console."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(default=True, description="Whether there are pages at /console.")
    session_hours: float = Field(
        default=12.0, gt=0, le=12, description="How long a login lasts. The key's own end ends it, too."
    )
