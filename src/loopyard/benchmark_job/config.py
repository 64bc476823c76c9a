"""Settings of benchmark jobs."""

from pydantic import BaseModel, ConfigDict, Field

from loopyard.benchmark_job.harbor_config import HarborConfig


class JobConfig(BaseModel):
    """How many trials go on at once, and how patient they are with the infrastructure."""

    model_config = ConfigDict(extra="forbid")

    at_once: int = Field(default=8, ge=1, le=1024, description="How many trials of all jobs go on at the same time.")
    agent_seconds: float = Field(
        default=3600.0, gt=0, le=86_400, description="How long an agent works at one trial, unless its job says."
    )
    retries: int = Field(
        default=3, ge=0, le=100, description="How often a trial is repeated after a failure of the infrastructure."
    )
    retry_seconds: float = Field(
        default=2.0, ge=0, le=3600, description="The pause before the first such repeat; each further one is doubled."
    )
    job_seconds: int = Field(default=604_800, ge=1, le=31_536_000, description="How long a job may take in all.")
    harbor: HarborConfig = Field(default_factory=HarborConfig, description="Jobs that Harbor itself carries out.")
