"""Settings of agents."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from loopyard.agent.catalog.loader import CatalogFault, catalog
from loopyard.runtime.protocol import Limits


class AgentConfig(BaseModel):
    """How agents are installed, and how long what was installed is kept for devboxes to come."""

    model_config = ConfigDict(extra="forbid")

    catalog: Path | None = Field(
        default=None, description="A folder with more kinds of agents, one TOML file each; see docs/agents.md."
    )
    at_once: int = Field(default=2, ge=1, le=64, description="How many agents are installed at the same time.")
    cpu_cores: float = Field(default=2.0, gt=0, description="CPU cores that an installation may use.")
    memory_gib: int = Field(default=4, ge=1, description="Memory that an installation may use.")
    disk_gib: int = Field(default=16, ge=1, description="Disk that an installation may use.")
    timeout_seconds: float = Field(default=1800.0, gt=0, description="How long an installation may take.")
    unpinned_seconds: int = Field(
        default=24 * 3600,
        ge=0,
        description="How long an agent whose version is not fixed (no version, a range, a branch) is taken as it was "
        "installed; after that it is installed anew.",
    )
    cache_gib: int = Field(
        default=20, ge=0, description="How much disk installed agents may take together; those used least go first."
    )
    unused_days: int = Field(default=14, ge=0, description="After how many days without use an installed agent goes.")

    @field_validator("catalog")
    @classmethod
    def _can_be_read(cls, folder: Path | None) -> Path | None:
        try:
            catalog(folder)
        except CatalogFault as fault:
            raise ValueError(str(fault)) from fault
        return folder

    @property
    def limits(self) -> Limits:
        gib = 1024**3
        return Limits(self.cpu_cores, self.memory_gib * gib, self.disk_gib * gib)
