"""Settings of accounts: what one may have."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Count = Annotated[int | None, Field(default=None, ge=0, le=1_000_000_000)]
_Amount = Annotated[float | None, Field(default=None, ge=0, le=1e9, allow_inf_nan=False)]


class Limits(BaseModel):
    """The limits of an account; None is no limit."""

    model_config = ConfigDict(extra="forbid")

    running_devboxes: _Count = Field(default=None, description="Devboxes at a time, without suspended ones.")
    cpu_cores: _Amount = Field(default=None, description="CPU cores of these devboxes together.")
    memory_gib: _Amount = Field(default=None, description="Memory of these devboxes together, in GiB.")
    disk_gib: _Amount = Field(default=None, description="Disks of all devboxes together, suspended too, in GiB.")
    builds: _Count = Field(default=None, description="Builds of blueprints at a time.")
    jobs: _Count = Field(default=None, description="Benchmark jobs at a time.")
    object_bytes: Annotated[int | None, Field(ge=0, le=1 << 60)] = Field(
        default=None, description="Bytes of all objects together."
    )
