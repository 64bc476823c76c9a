"""Settings of the audit log."""

from pydantic import BaseModel, ConfigDict, Field


class AuditConfig(BaseModel):
    """The audit log, as files of the data folder: one a day."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(default=True, description="Whether there is an audit log at all.")
    reads: bool = Field(default=False, description="Whether requests that change nothing are noted, too.")
    keep_days: int = Field(default=90, ge=1, description="After how many days what was noted is deleted.")
    keep_bytes: int = Field(
        default=1 << 30, ge=1 << 20, description="How many bytes all of it may have; the oldest days go first."
    )
    trust_forwarded: bool = Field(
        default=False, description="Whether X-Forwarded-For tells where a request comes from: behind a proxy only."
    )
