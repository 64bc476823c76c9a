"""Settings of the upkeep."""

from pydantic import BaseModel, ConfigDict, Field


class UpkeepConfig(BaseModel):
    """How often what is left over is looked for."""

    model_config = ConfigDict(extra="forbid")

    sweep_seconds: float = Field(
        default=3600.0, gt=0, description="How often a server frees what nothing refers to any more."
    )
    cache_days: float = Field(
        default=7.0,
        ge=0,
        description="How long what only makes something faster is kept unused: layers of builds, Python environments.",
    )
