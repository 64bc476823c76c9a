"""Settings of jobs that Harbor carries out."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class HarborConfig(BaseModel):
    """How Harbor is started, and what its jobs may use."""

    model_config = ConfigDict(extra="forbid")

    command: list[str] | None = Field(
        default=None,
        description="The command that Harbor is started by, as a JSON list. Null looks for one that is installed with "
        "this server, and else has uv install it.",
    )
    tasks: Path | None = Field(
        default=None,
        description="The folder that holds the tasks and data sets that jobs name by a path. Null allows no paths.",
    )
    tries: int = Field(
        default=3, ge=1, le=100, description="How often a job is taken up again whose Harbor ended before its time."
    )
