"""Dockerfile for the engine's builder, made from one that was read here: its needed stages, with all that the engine
would look up by itself (images, further contexts, secrets, caches) under names of this build's own."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from loopyard.dockerfile import DockerfileError
from loopyard.dockerfile.plan import (
    ConfigStep,
    CopyStep,
    ExpandedStage,
    ImageRef,
    InlineFile,
    NamedContextRef,
    Origin,
    Path,
    Place,
    Plan,
    RunStep,
    ScratchRef,
    StageRef,
    Step,
)
from loopyard.runtime.docker.building.mounts import Secrets, mount_flags

LABEL = "loopyard.build"
"""The label of all that the builds of a server leave in the engine. Its value is the server's name."""


@dataclass(frozen=True, slots=True)
class Line:
    """Instruction of the made Dockerfile. `place` and `shown` are of the one that it stands for, None for those of our
    own. `number` counts those of `stage` that give layers, as BuildKit does in what it says; 0 for the others."""

    text: str
    place: Place | None = None
    shown: str = ""
    stage: str = ""
    number: int = 0


@dataclass(slots=True)
class Lowered:
    """A Dockerfile for the engine. `files` are the contents of the image `files_image`. `for_buildkit` is the first
    thing that only BuildKit does, with a sentence about it."""

    files_image: str
    lines: list[Line] = field(default_factory=list[Line])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    for_buildkit: DockerfileError | None = None

    def text(self, escape: str) -> str:
        head = [] if escape == "\\" else [f"# escape={escape}"]
        return "\n".join([*head, *(line.text for line in self.lines)]) + "\n"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts that the Dockerfile does not say. `images` are the engine's names by those that the Dockerfile has."""

    server: str
    account: str
    images: Mapping[str, str]
    build_args: Mapping[str, str]
    files_image: str


def lower(
    plan: Plan,
    stages: Mapping[int, ExpandedStage],
    around: Surroundings,
    secrets: Secrets,
    files: Mapping[str, bytes],
) -> Lowered:
    """Make the engine's Dockerfile.

    Raises:
        DockerfileError: It has something that is not offered on this provider.
    """
    made = Lowered(around.files_image, files=dict(files))
    for name, value in plan.global_args:
        if name in around.build_args:
            made.lines.append(Line(f"ARG {name}"))
        elif "\n" not in value:
            made.lines.append(Line(f'ARG {name}="{_word(value, plan.escape)}"'))
    for index in plan.needed:
        _Stage(made, plan, stages[index], around, secrets).add()
    return made


class _Stage:
    def __init__(
        self, made: Lowered, plan: Plan, expanded: ExpandedStage, around: Surroundings, secrets: Secrets
    ) -> None:
        self._made = made
        self._plan = plan
        self._expanded = expanded
        self._around = around
        self._secrets = secrets
        self._name = f"s{expanded.stage.index}"
        self._number = 0

    def add(self) -> None:
        stage, steps = self._expanded.stage, self._expanded.steps
        triggers, own = steps[: len(steps) - len(stage.instructions)], steps[len(steps) - len(stage.instructions) :]
        base = "scratch" if isinstance(stage.base, ScratchRef) else self._from(stage.base, stage.place)
        if isinstance(stage.base, ImageRef):
            self._number = 1
        shown = stage.place.text.strip().splitlines()[0] if stage.place.text.strip() else "FROM"
        self._made.lines.append(Line(f"FROM {base} AS {self._name}", stage.place, shown, self._name, self._number))
        for trigger in triggers:  # the engine runs them at FROM
            self._check_trigger(trigger)
        self._made.lines.append(Line(f"LABEL {LABEL}={self._around.server}"))
        volumes: dict[str, Line] = {}
        before: tuple[str, ...] = ()
        for step in own:
            if isinstance(step, ConfigStep) and step.command == "VOLUME":
                # The classic builder throws away what is written to a volume after it was declared: they come last.
                added = [one for one in step.config.volumes if one not in before]
                text = f"VOLUME {json.dumps([_word(one, self._plan.escape) for one in added])}"
                volumes |= {text: Line(text, step.place, step.shown, self._name)} if added else {}
            elif isinstance(step, RunStep):
                self._run(step)
            elif isinstance(step, CopyStep):
                self._copy(step)
            else:
                text = step.place.text
                self._line(text, step.place, step.shown, layer=not isinstance(step, ConfigStep))
            if isinstance(step, ConfigStep):
                before = step.config.volumes
        self._made.lines += volumes.values()

    def _line(self, text: str, place: Place, shown: str, *, layer: bool) -> None:
        self._number += layer
        self._made.lines.append(Line(text.rstrip("\n"), place, shown, self._name, self._number if layer else 0))

    def _check_trigger(self, step: Step) -> None:
        if isinstance(step, RunStep) and (step.mounts or self._secrets.environment):
            raise DockerfileError(step.place, "Triggers with mounts, or in a build with secrets, are not offered here.")
        if isinstance(step, CopyStep):
            if isinstance(step.origin, (StageRef, ImageRef, NamedContextRef)):
                raise DockerfileError(step.place, "Triggers that take files of images or stages are not offered here.")
            self._check_copy(step)
        if not isinstance(step, ConfigStep):
            self._number += 1

    def _run(self, step: RunStep) -> None:
        flags, argv = mount_flags(step, self._secrets, self._around.account, self._from)
        if step.script is not None:
            name = f"script-{len(self._made.files)}"
            self._made.files[name] = step.script
            flags.append(f"--mount=type=bind,from={self._made.files_image},source=/{name},target={step.argv[0]}")
        if step.network == "none":
            flags.append("--network=none")
        if flags:
            self._needs_buildkit(step.place, "mounts and networks of RUN, scripts with a #! line, and secrets")
        self._line(" ".join(["RUN", *flags, json.dumps(argv)]), step.place, step.shown, layer=True)

    def _copy(self, step: CopyStep) -> None:
        self._check_copy(step)
        flags: list[str] = []
        if step.owner is not None:
            flags.append(f"--chown={self._flag_value(step.owner, step.place)}")
        if step.mode is not None:
            if step.mode.bits is None:
                raise DockerfileError(step.place, "--chmod is an octal mode here: the engine takes no symbolic ones.")
            flags.append(f"--chmod={step.mode.bits:04o}")
            self._needs_buildkit(step.place, "--chmod")
        paths = [one.pattern for one in step.sources if isinstance(one, Path)]
        target = step.destination if not step.into_folder else f"{step.destination.rstrip('/')}/"
        if paths:
            source = None if self._is_context(step.origin) else self._from(step.origin, step.place)
            origin = [] if source is None else [f"--from={source}"]
            words = json.dumps([_word(one, self._plan.escape) for one in (*paths, target)])
            self._line(" ".join([step.command, *origin, *flags, words]), step.place, step.shown, layer=True)
        for one in step.sources:
            if isinstance(one, InlineFile):
                name = f"inline-{len(self._made.files)}"
                self._made.files[name] = one.content
                goal = f"{target}{one.name}" if step.into_folder else target
                words = json.dumps([f"/{name}", _word(goal, self._plan.escape)])
                text = " ".join(["COPY", f"--from={self._made.files_image}", *flags, words])
                self._line(text, step.place, step.shown, layer=True)

    @staticmethod
    def _is_context(origin: Origin) -> bool:
        return not isinstance(origin, (StageRef, ImageRef, NamedContextRef, ScratchRef))

    @staticmethod
    def _check_copy(step: CopyStep) -> None:
        if any(not isinstance(one, (Path, InlineFile)) for one in step.sources):
            # The engine would fetch it in the host's network, past the policy.
            raise DockerfileError(step.place, "ADD of URLs and repositories is not offered here: fetch them in a RUN.")
        for given, flag in ((step.parents, "parents"), (step.exclude, "exclude"), (step.unpack is not None, "unpack")):
            if given:
                raise DockerfileError(step.place, f"--{flag} is not offered by the engine's builder.")

    def _from(self, origin: Origin, place: Place) -> str:
        if isinstance(origin, StageRef):
            return f"s{origin.index}"
        if isinstance(origin, ImageRef):
            return self._around.images[origin.name]
        if isinstance(origin, NamedContextRef):
            return self._made.files_image
        raise DockerfileError(place, "Files of an empty image are not offered here.")

    def _flag_value(self, text: str, place: Place) -> str:
        if re.search(r"[\s'\"$\\`]", text):
            raise DockerfileError(place, f"{text[:80]!r} is no value that the engine's builder takes for a flag.")
        return text

    def _needs_buildkit(self, place: Place, what: str) -> None:
        if self._made.for_buildkit is None:
            sentence = (
                f"The engine's classic builder does not know {what}; BuildKit does, where the operator has turned it "
                "on (LOOPYARD_RUNTIME__BUILDKIT) and has a client for it."
            )
            self._made.for_buildkit = DockerfileError(place, sentence)


def account_key(account: str) -> str:
    """Name of an account in what the engine keeps."""
    return hashlib.sha256(account.encode()).hexdigest()[:16]


def _word(text: str, escape: str) -> str:
    """Text that the engine reads as this, when it has replaced variables."""
    return "".join(f"{escape}{one}" if one in ("'", '"', "$", escape) else one for one in text)
