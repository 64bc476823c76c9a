"""Protocol of a provider that builds images. Ids are the caller's, as in the protocol of sandboxes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import Limits, NetworkPolicy, User

BASE_NAME = "loopyard-base"
"""Name of the provider's base image in a Dockerfile."""

FILES_NAME = "loopyard-files"
"""Name of the folder of `BuildSpec.files` in a Dockerfile."""

STARTS_IN_WORKDIR = "loopyard.starts-in-workdir"
"""The label, with the value `true`, of an image whose commands start in its WORKDIR also where that is `/` or is not
said, as they do in a container. Without it they start in the user's home there."""

BuildFault = Literal["out_of_memory", "out_of_disk", "build_failed"]


class BuildFailed(RuntimeFault):
    """The image could not be built. `reason` is the wire's word for why; the message says it for people."""

    def __init__(self, reason: BuildFault, message: str) -> None:
        super().__init__(message)
        self.reason: BuildFault = reason


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Settings of an image. `user` None leaves that to whoever makes a sandbox of it. `entrypoint` is its ENTRYPOINT
    with CMD as its arguments; empty for an image without ENTRYPOINT. `runs` tells whether it has either of the two,
    which a service needs. `working_directory` is where commands start; None for the user's home."""

    user: User | None = None
    entrypoint: tuple[str, ...] = ()
    runs: bool = False
    working_directory: str | None = None


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """Whom the registry of an image knows. `image` is the image's name, as a Dockerfile has it."""

    image: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """An image to be built from a Dockerfile, in which `loopyard-base` and the ids of images built before may stand.

    `files` are what `COPY --from=loopyard-files` finds, by name. `secrets` are seen by every RUN as environment
    variables, and by `RUN --mount=type=secret,id=NAME` as files; they get neither into the image nor its history.
    `hidden` are only seen by such mounts. `account` is whose build it is: caches of `RUN --mount=type=cache`, and steps
    that saw secrets, are kept for each account. Nobody changes the files of `context` any more, which the image may
    share.
    """

    id: str
    dockerfile: str
    account: str = ""
    context: Path | None = None
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    images: tuple[str, ...] = ()
    build_args: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    hidden: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: Limits = field(default_factory=Limits)
    network_policy: NetworkPolicy | None = None
    timeout_seconds: float = 3600.0
    login: RegistryLogin | None = None


class ImageBuilder(Protocol):
    """Builds images that sandboxes can be made of, by the id of the build."""

    async def build(self, spec: BuildSpec, told: Callable[[str], None]) -> ImageSettings:
        """Build an image. `told` gets each line of output as it comes. A build of this id that was cut off is done
        anew; cancelling it stops all that it runs.

        Raises:
            BuildFailed: It failed, took too long, or used more than it may.
            RuntimeFault: The host could not do its part.
        """
        ...

    async def images(self) -> set[str]:
        """The ids of all images that were built, or begun, and not deleted."""
        ...

    async def delete(self, image_id: str) -> None:
        """Delete an image, and what an unfinished build of it left. Sandboxes and snapshots made of it keep what they
        have. Does nothing if it is gone."""
        ...


@runtime_checkable
class BuildsImages(Protocol):
    """A provider that builds images."""

    @property
    def image_builder(self) -> ImageBuilder:
        """The builder."""
        ...


@runtime_checkable
class NamesImages(Protocol):
    """A provider that tells images apart which have the same name at different times."""

    def image_version(self, image: str | None) -> str:
        """Version of an image: changes with its content; None is the base image.

        Raises:
            ImageNotFound: There is no such image on this host.
        """
        ...
