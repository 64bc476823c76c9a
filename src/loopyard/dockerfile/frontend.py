"""Plan of a Dockerfile, and the steps of its stages once their bases are known."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from loopyard.dockerfile import bounds, values
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.lines import Lines
from loopyard.dockerfile.naming import Names
from loopyard.dockerfile.plan import (
    SCRATCH,
    ExpandedStage,
    ImageConfig,
    ImageRef,
    Instruction,
    Plan,
    Platform,
    ScratchRef,
    Stage,
    StageRef,
    Step,
    Warned,
)
from loopyard.dockerfile.reading import instructions, trigger
from loopyard.dockerfile.stages import Draft, Drafts, Globals, automatic_arguments, base_index, order
from loopyard.dockerfile.state import PROXIES, State, Unknown
from loopyard.dockerfile.steps import step
from loopyard.dockerfile.words import Budget, Lexer, WordError

_EXPANDED = ("ADD", "ARG", "COPY", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")
"""Instructions whose words have variables."""


def host_platform() -> Platform:
    """The platform that this host builds for and runs."""
    return values.platform(f"linux/{platform.machine()}")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a build beside the Dockerfile. `file` is its name in messages. `target` is the stage that is wanted,
    by name or index; None is the last one. `contexts` are the names of further contexts that `--from` knows."""

    file: str = "Dockerfile"
    build_args: Mapping[str, str] = field(default_factory=dict[str, str])
    platform: Platform = field(default_factory=host_platform)
    target: str | None = None
    contexts: frozenset[str] = frozenset()


def plan_dockerfile(text: str | bytes, options: Options | None = None) -> Plan:
    """Read and check a Dockerfile.

    Raises:
        DockerfileError: It has something that is wrong or not offered, as far as that is known without its bases.
    """
    options = options or Options()
    lines = Lines.of(text, options.file)
    given = Globals(
        automatic_arguments(options.platform, options.target or "default"), options.build_args, lines.escape
    )
    drafts = Drafts(given, options.contexts, options.platform)
    for instruction in instructions(lines):
        drafts.add(instruction)
    target = drafts.target(options.target, options.file)
    plan = Plan(
        file=options.file,
        stages=(),
        target=target,
        needed=(),
        platform=options.platform,
        escape=lines.escape,
        global_args=tuple(given.values.items()),
        build_args=tuple(options.build_args.items()),
        contexts=options.contexts,
        named=tuple(drafts.named.items()),
    )
    budget = Budget()
    states = [_checked(plan, drafts.names, draft, budget) for draft in drafts.stages]
    needs = [state.needs | base_index(draft.base) for state, draft in zip(states, drafts.stages, strict=True)]
    declared = given.declared.union(*(state.declared for state in states))
    stages = tuple(
        Stage(
            draft.index,
            draft.name,
            draft.base,
            options.platform,
            draft.place,
            tuple(draft.instructions),
            tuple(sorted(wants)),
            tuple(dict.fromkeys(state.images)),
        )
        for draft, state, wants in zip(drafts.stages, states, needs, strict=True)
    )
    return replace(
        plan,
        stages=stages,
        needed=order(needs, target, [draft.place for draft in drafts.stages]),
        warnings=(*lines.warnings, *drafts.warnings, *_unused(options.build_args, declared, drafts)),
    )


def _unused(build_args: Mapping[str, str], declared: set[str], drafts: Drafts) -> list[Warned]:
    known = declared.union(PROXIES, drafts.given.values)
    names = sorted(name for name in build_args if name not in known and not name.startswith("BUILDKIT_"))
    if not names:
        return []
    shown = ", ".join(names)[:200]
    return [Warned(drafts.stages[0].place, f"No ARG declares these build arguments: {shown}.")]


def _checked(plan: Plan, names: Names, draft: Draft, budget: Budget) -> State:
    """The state at the end of a stage, as far as it is known; checks all that does not depend on the base."""
    from_nothing = isinstance(draft.base, ScratchRef)
    state = _state(plan, names, SCRATCH if from_nothing else ImageConfig(), budget, complete=from_nothing)
    for instruction in draft.instructions:
        try:
            step(instruction, state)
        except Unknown:
            _checked_words(instruction, state)
    return state


def _checked_words(instruction: Instruction, state: State) -> None:
    """Check the form of words whose values are not known yet."""
    if instruction.name == "ARG":
        state.declared.update(text.partition("=")[0] for text in instruction.args)
    if instruction.name not in _EXPANDED:
        return
    stand_in = Lexer(lambda _: "x", state.escape)
    for text, place in zip(instruction.args, instruction.places, strict=True):
        try:
            stand_in.expand(text)
        except WordError as error:
            message = str(error)
            raise DockerfileError(place, f"{message[:1].upper()}{message[1:]}.") from None


def _state(plan: Plan, names: Names, config: ImageConfig, budget: Budget, *, complete: bool) -> State:
    return State(names, config, dict(plan.global_args), dict(plan.build_args), plan.escape, budget, complete=complete)


def expand(plan: Plan, stage: Stage, base: ImageConfig) -> ExpandedStage:
    """The steps of a stage whose base has this configuration, the ONBUILD triggers of the base first.

    Raises:
        DockerfileError: A trigger, or something that follows from the base's variables, is wrong or not offered.
    """
    names = Names(dict(plan.named), len(plan.stages), plan.contexts)
    state = _state(plan, names, replace(base, on_build=()), Budget(), complete=True)
    name = _base_name(plan, stage)
    if len(base.on_build) > bounds.TRIGGERS:
        raise DockerfileError(stage.place, f"{name} has more than {bounds.TRIGGERS} ONBUILD triggers.")
    triggers = [trigger(text, name) for text in base.on_build]
    for one in triggers:
        if one.name in ("FROM", "ONBUILD", "MAINTAINER"):
            raise DockerfileError(one.place, f"{one.name} cannot be a trigger.")
    steps: list[Step] = [step(one, state) for one in (*triggers, *stage.instructions)]
    if stage.index in state.needs:
        raise DockerfileError(stage.place, "This stage takes files of itself.")
    return ExpandedStage(
        stage,
        tuple(steps),
        state.config,
        tuple(sorted(state.needs)),
        tuple(dict.fromkeys(state.images)),
        state.uses_context,
    )


def _base_name(plan: Plan, stage: Stage) -> str:
    if isinstance(stage.base, ImageRef):
        return stage.base.name
    if isinstance(stage.base, StageRef):
        return plan.stages[stage.base.index].name or f"stage {stage.base.index}"
    return "scratch"
