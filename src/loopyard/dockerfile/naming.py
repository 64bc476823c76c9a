"""Names that `--from` and FROM know: stages of the Dockerfile, contexts of the caller, images."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.plan import Base, ImageRef, NamedContextRef, Origin, Place, ScratchRef, StageRef

SCRATCH = "scratch"
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*\Z")
_IMAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]*\Z")
_MOST_NAME = 512


@dataclass(frozen=True, slots=True)
class Names:
    """The stages of a Dockerfile by name, how many there are, and the names of further contexts."""

    stages: Mapping[str, int]
    count: int
    contexts: frozenset[str]

    def origin(self, text: str, place: Place) -> Origin:
        """Where `--from` or `from=` takes files of.

        Raises:
            DockerfileError: There is no such stage, or it can be no image's name.
        """
        if "$" in text:
            raise DockerfileError(
                place, "Variables are not replaced in from; name the image as a stage of its own: FROM … AS NAME."
            )
        if text in self.contexts:
            return NamedContextRef(text)
        if text.isascii() and text.isdigit():
            if len(text) > 6 or int(text) >= self.count:
                raise DockerfileError(place, f"There is no stage {text[:20]}: the stages are 0 to {self.count - 1}.")
            return StageRef(int(text))
        index = self.stages.get(text.lower())
        if index is not None:
            return StageRef(index)
        return ScratchRef() if text == SCRATCH else ImageRef(image_name(text, place))

    def base(self, text: str, place: Place, own_index: int) -> Base:
        """Base of a stage: a stage before it, an image, or nothing.

        Raises:
            DockerfileError: It can be no image's name.
        """
        if text == SCRATCH:
            return ScratchRef()
        if text in self.contexts:
            raise DockerfileError(place, f"{text} has files to be copied; an image cannot begin with it.")
        index = self.stages.get(text.lower())
        return StageRef(index) if index is not None and index < own_index else ImageRef(image_name(text, place))


def image_name(text: str, place: Place) -> str:
    """The name, if an image can have it.

    Raises:
        DockerfileError: It can not.
    """
    if not _IMAGE_NAME.match(text) or len(text) > _MOST_NAME:
        raise DockerfileError(place, f"{text[:80]!r} is no name of an image.")
    return text


def stage_name(text: str, place: Place) -> str:
    """The name of a stage, in small letters.

    Raises:
        DockerfileError: It is none.
    """
    name = text.lower()
    if not _STAGE_NAME.match(name) or len(name) > _MOST_NAME:
        raise DockerfileError(
            place, f"{text[:80]!r} is no name of a stage: it begins with a letter, and has letters, digits, -, _ and ."
        )
    return name
