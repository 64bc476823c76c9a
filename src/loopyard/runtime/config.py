"""Which provider of sandboxes a server uses, and how."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from loopyard.runtime.protocol import Runtime


class CrunConfig(BaseModel):
    """Sandboxes by crun on this host. Needs Linux, root, and the programs that the server names if they are missing."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["crun"] = "crun"
    images: Path | None = Field(default=None, description="Where images are kept; `images` in the data folder if null.")
    disk_gib: int | None = Field(
        default=None, ge=1, description="Size of the disk that all sandboxes share; 80 % of what is free if null."
    )
    network: str = Field(
        default="10.231.0.0/16",
        pattern=r"^\d+\.\d+\.0\.0/16$",
        description="The /16 network that the sandboxes of all servers on this host take their addresses from.",
    )
    spare_slots: int = Field(
        default=32, ge=0, le=1024, description="How many network namespaces are kept ready for sandboxes to come."
    )
    ca_bundle: Path | None = Field(
        default=Path("/etc/ssl/certs/ca-certificates.crt"),
        description="Certificate authorities, in PEM, that sandboxes trust besides their own; null for none.",
    )

    mirrors: list[str] = Field(
        default_factory=list[str],
        description="Host names that a network policy's `allow_runloop_mirrors` opens, such as a package index's; "
        "`*.` at the start stands for any labels.",
    )
    open_host_ports: list[Annotated[int, Field(ge=1, le=65535)]] = Field(
        default_factory=list[int],
        description="TCP ports of this host that sandboxes may reach at their gateway's address, such as the API's.",
    )

    def images_of(self, data_dir: Path) -> Path:
        """Where a server over this data folder keeps images."""
        return self.images or data_dir / "images"

    def build(self, data_dir: Path) -> Runtime:
        """The provider, not yet opened; nothing is touched before."""
        from loopyard.runtime.crun.provider import CrunRuntime

        return CrunRuntime(self, data_dir)


RuntimeConfig = CrunConfig
