"""Helpers of the tests of the Dockerfile frontend."""

from typing import Any, TypeVar

import pytest

from loopyard.dockerfile import DockerfileError, Options, expand, plan_dockerfile
from loopyard.dockerfile.plan import SCRATCH, ExpandedStage, ImageConfig, Platform, ScratchRef, StageRef, Step

Kind = TypeVar("Kind")

BASE = ImageConfig(env=(("PATH", "/usr/bin:/bin"),))


def _options(given: dict[str, Any]) -> Options:
    """Options for one platform, whatever the machine's is."""
    given.setdefault("platform", Platform())
    return Options(**given)


def expanded(text: str, base: ImageConfig = BASE, **options: Any) -> ExpandedStage:
    """The wanted stage of a Dockerfile, all of whose external images have the same configuration."""
    plan = plan_dockerfile(text, _options(options))
    done: dict[int, ExpandedStage] = {}
    for index in plan.needed:
        stage = plan.stage(index)
        under = base
        if isinstance(stage.base, StageRef):
            under = done[stage.base.index].config
        elif isinstance(stage.base, ScratchRef):
            under = SCRATCH
        done[index] = expand(plan, stage, under)
    return done[plan.target]


def steps(text: str, base: ImageConfig = BASE, **options: Any) -> tuple[Step, ...]:
    """The steps of instructions that follow a FROM."""
    return expanded(f"FROM base\n{text}", base, **options).steps


def only(kind: type[Kind], text: str, base: ImageConfig = BASE, **options: Any) -> Kind:
    """The one step of this kind."""
    (found,) = [step for step in steps(text, base, **options) if isinstance(step, kind)]
    return found


def config(text: str, base: ImageConfig = BASE, **options: Any) -> ImageConfig:
    """The configuration after instructions that follow a FROM."""
    return expanded(f"FROM base\n{text}", base, **options).config


def refused(text: str | bytes, **options: Any) -> DockerfileError:
    """The error that a Dockerfile is refused with before any base is known."""
    with pytest.raises(DockerfileError) as raised:
        plan_dockerfile(text, _options(options))
    return raised.value
