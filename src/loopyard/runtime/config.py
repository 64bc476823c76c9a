"""Configuration of the provider of sandboxes that a server uses. `factory` opens it."""

from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from loopyard.kit.host.linux import CA_BUNDLE


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
    ready_sandboxes: int = Field(
        default=100,
        ge=0,
        le=512,
        description="How many sandboxes are kept ready, so that devboxes start at once; each takes some 0.6 MiB of "
        "memory. They are made while the server has nothing to make.",
    )
    ca_bundle: Path | None = Field(
        default=Path(CA_BUNDLE),
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
    names_open_seconds: float = Field(
        default=60,
        gt=0,
        description="How long an address that a network policy opens by name stays open at least after its last use by "
        "that sandbox, however short the name's time to live is.",
    )

    def images_of(self, data_dir: Path) -> Path:
        """Where a server over this data folder keeps images."""
        return self.images or data_dir / "images"


class DockerConfig(BaseModel):
    """Sandboxes as containers of Docker, or of Podman's socket. Needs neither root nor programs on this host."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["docker"] = "docker"
    socket: Path | None = Field(
        default=None, description="Where the engine listens; DOCKER_HOST, or else the usual places, if null."
    )
    images: Path | None = Field(
        default=None, description="Where the base image's files are made; `images` in the data folder if null."
    )
    base_image: str = Field(
        default="debian:stable-slim",
        description="What the base image is built on where this host cannot make one (that takes root and mmdebstrap).",
    )
    network: str | None = Field(
        default=None,
        description="The engine's network that sandboxes are on; `loopyard`, where none reaches another, if null.",
    )
    buildkit: bool = Field(
        default=False,
        description="Have BuildKit do builds that need it (secrets, mounts of RUN, `--chmod`), where a client for it "
        "is on this host. BuildKit limits neither their memory nor their CPU, so they are refused by default.",
    )
    ca_bundle: Path | None = Field(
        default=Path(CA_BUNDLE),
        description="Certificate authorities, in PEM, that sandboxes trust besides their own; null for none.",
    )

    def images_of(self, data_dir: Path) -> Path:
        """Where a server over this data folder keeps images."""
        return self.images or data_dir / "images"


def _type_of(given: Any) -> str:
    """Settings that name no type are crun's."""
    if isinstance(given, dict):
        return str(cast("dict[str, Any]", given).get("type", "crun"))
    return str(given.type)


RuntimeConfig = Annotated[
    Annotated[CrunConfig, Tag("crun")] | Annotated[DockerConfig, Tag("docker")], Discriminator(_type_of)
]
