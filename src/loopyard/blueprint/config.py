"""Settings of builds."""

from pydantic import BaseModel, ConfigDict, Field

from loopyard.runtime.protocol import Limits


class BuildConfig(BaseModel):
    """Limits of each build, and the number of builds at once; others wait."""

    model_config = ConfigDict(extra="forbid")

    at_once: int = Field(default=2, ge=1, le=64, description="How many builds go on at the same time.")
    cpu_cores: float = Field(default=2.0, gt=0, description="CPU cores that a step of a build may use.")
    memory_gib: int = Field(default=4, ge=1, description="Memory that a step of a build may use.")
    disk_gib: int = Field(default=16, ge=1, description="What one step of a build may write.")
    timeout_seconds: float = Field(default=3600.0, gt=0, description="How long a build may take.")

    @property
    def limits(self) -> Limits:
        gib = 1024**3
        return Limits(self.cpu_cores, self.memory_gib * gib, self.disk_gib * gib)
