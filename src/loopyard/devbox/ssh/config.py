"""Settings of the SSH gateway."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class SshConfig(BaseModel):
    """SSH into devboxes, on a port of its own at the API's address."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(default=True, description="Whether there is SSH at all.")
    port: int = Field(
        default=2222,
        ge=0,
        le=65535,
        description="The port to listen on. If this default is taken, a free one is used; 0 always takes a free one.",
    )
    url: str | None = Field(
        default=None,
        description="What `create_ssh_key` tells as `url`, `host` or `host:port`, where that is not the API's own host "
        "with the port above.",
    )
    certificate: Path | None = Field(
        default=None,
        description="A certificate chain and its key, in PEM, for SSH inside TLS on the same port. Null makes one that "
        "no authority has signed.",
    )

    @property
    def may_move(self) -> bool:
        """True if another port will do, since nobody asked for this one."""
        return "port" not in self.model_fields_set
