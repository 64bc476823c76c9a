"""Stages of a Dockerfile: FROM, the arguments before the first of them, and which stage needs which."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from loopyard.dockerfile import bounds, values
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.flags import Flags, required
from loopyard.dockerfile.naming import Names, stage_name
from loopyard.dockerfile.plan import Base, Instruction, Place, Platform, StageRef, Warned
from loopyard.dockerfile.steps import arguments
from loopyard.dockerfile.words import Lexer, WordError

_FROM_FORMS = (1, 3)


def automatic_arguments(platform: Platform, target_stage: str) -> dict[str, str]:
    """The arguments that every Dockerfile has before its first FROM. Builds run on the platform that they are for."""
    made: dict[str, str] = {}
    for prefix in ("BUILD", "TARGET"):
        made[f"{prefix}PLATFORM"] = str(platform)
        made[f"{prefix}OS"] = platform.os
        made[f"{prefix}ARCH"] = platform.architecture
        made[f"{prefix}VARIANT"] = platform.variant
    made["TARGETSTAGE"] = target_stage
    return made


class Globals:
    """Arguments that are declared before the first FROM, and the automatic ones."""

    def __init__(self, automatic: Mapping[str, str], build_args: Mapping[str, str], escape: str) -> None:
        self.values: dict[str, str] = {name: build_args.get(name, value) for name, value in automatic.items()}
        self.declared: set[str] = set()
        self._build_args = build_args
        self._lexer = Lexer(self.values.get, escape)

    def declare(self, instruction: Instruction) -> None:
        """Take an ARG over."""
        for name, default, place in arguments(instruction):
            value = self._build_args.get(name)
            if value is None and default is not None:
                value = self.expand(default, place)
            if value is not None:
                self.values[name] = value
            self.declared.add(name)
        if len(self.values) > bounds.VARIABLES:
            raise DockerfileError(instruction.place, f"A Dockerfile has at most {bounds.VARIABLES} arguments.")
        if sum(len(value) for value in self.values.values()) > bounds.ENVIRONMENT_CHARACTERS:
            raise DockerfileError(instruction.place, "The arguments before the first FROM are too long together.")

    def expand(self, text: str, place: Place) -> str:
        """The text with these arguments replaced."""
        try:
            return self._lexer.expand(text)
        except WordError as error:
            message = str(error)
            raise DockerfileError(place, f"{message[:1].upper()}{message[1:]}.") from None


@dataclass
class Draft:
    """A stage while it is read."""

    index: int
    name: str | None
    base: Base
    place: Place
    instructions: list[Instruction] = field(default_factory=list[Instruction])


@dataclass
class Drafts:
    """The stages so far. A later stage may take a name over: from there on it is the later one's."""

    given: Globals
    contexts: frozenset[str]
    platform: Platform
    stages: list[Draft] = field(default_factory=list[Draft])
    named: dict[str, int] = field(default_factory=dict[str, int])
    warnings: list[Warned] = field(default_factory=list[Warned])

    def add(self, instruction: Instruction) -> None:
        """Take over an instruction, which may begin a stage."""
        if instruction.name == "FROM":
            if len(self.stages) >= bounds.STAGES:
                raise DockerfileError(instruction.place, f"A Dockerfile has at most {bounds.STAGES} stages.")
            self._begin(instruction)
        elif self.stages:
            self.stages[-1].instructions.append(instruction)
        elif instruction.name == "ARG":
            self.given.declare(instruction)
        else:
            raise DockerfileError(instruction.place, f"{instruction.name} stands before the first FROM; only ARG may.")

    def _begin(self, instruction: Instruction) -> None:
        flags = Flags(instruction, ("platform",))
        args, places = instruction.args, instruction.places
        if len(args) not in _FROM_FORMS or (len(args) == _FROM_FORMS[1] and args[1].upper() != "AS"):
            raise DockerfileError(instruction.place, "FROM has the form FROM IMAGE or FROM IMAGE AS NAME.")
        if (flag := flags.get("platform")) is not None:
            text = self.given.expand(required(flag), flag.place)
            self._check_platform(text, flag.place)
        text = self.given.expand(args[0], places[0])
        if not text:
            raise DockerfileError(
                places[0], f"The name of the image, {args[0][:80]}, is empty: only ARG before the first FROM sets it."
            )
        index = len(self.stages)
        base = Names(self.named, index, self.contexts).base(text, places[0], index)
        name = stage_name(args[2], places[2]) if len(args) == _FROM_FORMS[1] else None
        if name is not None:
            if name in self.named:
                self.warnings.append(Warned(places[2], f"There was a stage with the name {name[:80]} before."))
            self.named[name] = index
        self.stages.append(Draft(index, name, base, instruction.place))

    def _check_platform(self, text: str, place: Place) -> None:
        try:
            wanted = values.platform(text, self.platform.architecture)
        except ValueError as error:
            raise DockerfileError(place, f"--platform: {error}.") from None
        if wanted != self.platform:
            raise DockerfileError(
                place, f"Images for {wanted} are not built here: this host builds and runs {self.platform}."
            )

    @property
    def names(self) -> Names:
        """The names that `--from` knows, once all stages are read."""
        return Names(self.named, len(self.stages), self.contexts)

    def target(self, wanted: str | None, file: str) -> int:
        """Index of the stage that is wanted: by name or index, or the last one."""
        if not self.stages:
            raise DockerfileError(Place(file, 1, 1, ""), "There is no FROM in it: a Dockerfile begins with one.")
        if wanted is None or not wanted:
            return len(self.stages) - 1
        index = self.named.get(wanted.lower())
        if index is None and wanted.isascii() and wanted.isdigit() and len(wanted) < 7:
            index = int(wanted)
        if index is None or index >= len(self.stages):
            raise DockerfileError(self.stages[-1].place, f"There is no stage {wanted[:80]}, which is the target.")
        return index


def order(needs: Sequence[Iterable[int]], target: int, places: Sequence[Place]) -> tuple[int, ...]:
    """The stages that the target needs and itself, each after those that it needs.

    Raises:
        DockerfileError: Stages need each other.
    """
    done: dict[int, None] = {}
    trail: list[tuple[int, list[int]]] = [(target, sorted(needs[target], reverse=True))]
    open_stages = {target}
    while trail:
        index, left = trail[-1]
        if not left:
            trail.pop()
            open_stages.discard(index)
            done[index] = None
            continue
        following = left.pop()
        if following in done:
            continue
        if following in open_stages:
            raise DockerfileError(
                places[following], "This stage needs itself: stages take files of each other in a circle."
            )
        open_stages.add(following)
        trail.append((following, sorted(needs[following], reverse=True)))
    return tuple(done)


def base_index(base: Base) -> set[int]:
    """The stage that a base is, if it is one."""
    return {base.index} if isinstance(base, StageRef) else set()
