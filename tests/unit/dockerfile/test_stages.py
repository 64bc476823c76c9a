"""Stages: FROM, arguments before it, targets, which stage needs which."""

from typing import Any

import pytest

from loopyard.dockerfile import DockerfileError, Options, expand, plan_dockerfile
from loopyard.dockerfile.plan import (
    CopyStep,
    ImageConfig,
    ImageRef,
    NamedContextRef,
    Platform,
    RunStep,
    ScratchRef,
    StageRef,
)
from tests.unit.dockerfile.planning import BASE, expanded, refused

THREE = """
ARG BASE=debian
FROM $BASE:12 AS build
RUN make
FROM scratch AS assets
COPY a /
FROM build AS test
RUN test
FROM alpine
COPY --from=Build /out /
COPY --from=1 /a /
COPY --from=busybox:1 /bin/busybox /
RUN --mount=from=assets,target=/m true
"""


def test_bases() -> None:
    plan = plan_dockerfile(THREE)
    assert [stage.base for stage in plan.stages] == [
        ImageRef("debian:12"),
        ScratchRef(),
        StageRef(0),
        ImageRef("alpine"),
    ]
    assert [stage.name for stage in plan.stages] == ["build", "assets", "test", None]


@pytest.mark.parametrize(
    ("target", "needed"),
    [(None, (0, 1, 3)), ("", (0, 1, 3)), ("test", (0, 2)), ("TEST", (0, 2)), ("2", (0, 2)), ("assets", (1,))],
)
def test_stages_that_the_target_does_not_need_are_skipped(target: str | None, needed: tuple[int, ...]) -> None:
    assert plan_dockerfile(THREE, Options(target=target)).needed == needed


def test_images_that_are_needed() -> None:
    assert plan_dockerfile(THREE).images == ("debian:12", "alpine", "busybox:1")
    assert plan_dockerfile(THREE, Options(target="assets")).images == ()


def test_what_stages_need() -> None:
    assert [stage.needs for stage in plan_dockerfile(THREE).stages] == [(), (), (0,), (0, 1)]


def test_a_target_that_is_not_there() -> None:
    assert "target" in refused(THREE, target="deploy").reason
    assert "target" in refused(THREE, target="4").reason


def test_a_later_stage_may_be_copied_from() -> None:
    plan = plan_dockerfile("FROM a\nCOPY --from=later /x /\nFROM b AS later\nRUN x\n", Options(target="0"))
    assert plan.needed == (1, 0)


def test_stages_in_a_circle_are_refused() -> None:
    error = refused("FROM a AS one\nCOPY --from=two x /\nFROM b AS two\nCOPY --from=one x /\n")
    assert "circle" in error.reason


def test_a_name_counts_from_where_it_stands_on() -> None:
    plan = plan_dockerfile("FROM one\nFROM two AS one\nFROM one\nFROM three AS one\nFROM one\n")
    assert [stage.base for stage in plan.stages[2:]] == [StageRef(1), ImageRef("three"), StageRef(3)]
    assert "before" in plan.warnings[0].message


@pytest.mark.parametrize(
    ("text", "column", "word"),
    [
        ("FROM\n", 1, "form"),
        ("FROM a b\n", 1, "form"),
        ("FROM a AS\n", 1, "form"),
        ("FROM a AS b c\n", 1, "form"),
        ("FROM a IS b\n", 1, "form"),
        ("FROM a AS 1b\n", 11, "stage"),
        ("FROM a AS b/c\n", 11, "stage"),
        ("FROM $NO\n", 6, "empty"),
        ("FROM -x\n", 6, "name of an image"),
        ("FROM a|b\n", 6, "name of an image"),
        ("FROM --platform=linux/arm64 a\n", 6, "linux/arm64"),
        ("FROM --platform=windows/amd64 a\n", 6, "windows/amd64"),
        ("FROM --platform=$NO a\n", 6, "platform"),
        ("FROM --other=x a\n", 6, "--other"),
        ("FROM --platform=linux/amd64 --platform=linux/amd64 a\n", 29, "twice"),
        ("FROM ${x:?why} \n", 6, "why"),
        ("ENV a=b\nFROM a\n", 1, "before the first FROM"),
        ("RUN a\n", 1, "before the first FROM"),
        ("# nothing\n", 1, "no FROM"),
        ("", 1, "no FROM"),
        ("ARG a\n", 1, "no FROM"),
        ("FROM files\n", 6, "cannot begin"),
    ],
)
def test_from_that_is_refused(text: str, column: int, word: str) -> None:
    error = refused(text, contexts=frozenset({"files"}))
    assert word in error.reason
    assert (error.place.line, error.place.column) == (1, column)


@pytest.mark.parametrize(
    "platform", ["linux/amd64", "linux/x86_64", "amd64", "linux", "$TARGETPLATFORM", "${BUILDPLATFORM}"]
)
def test_the_own_platform_is_taken(platform: str) -> None:
    for own in (Platform(), Platform(architecture="arm64")):
        text = f"FROM --platform={platform.replace('amd64', own.architecture)} a\n"
        if own == Platform() or "x86" not in text:
            assert plan_dockerfile(text, Options(platform=own)).stages[0].platform == own


# Arguments.


def _run(text: str, **options: Any) -> RunStep:
    (run,) = [step for step in expanded(text, **options).steps if isinstance(step, RunStep)]
    return run


@pytest.mark.parametrize(
    ("text", "given", "args"),
    [
        ("FROM a\nARG x\nRUN b", {}, {}),
        ("FROM a\nARG x=1\nRUN b", {}, {"x": "1"}),
        ("FROM a\nARG x=1\nRUN b", {"x": "2"}, {"x": "2"}),
        ("FROM a\nARG x\nRUN b", {"x": "2"}, {"x": "2"}),
        ("FROM a\nRUN b", {"x": "2"}, {}),
        ("ARG x=1\nFROM a\nRUN b", {}, {}),
        ("ARG x=1\nFROM a\nARG x\nRUN b", {}, {"x": "1"}),
        ("ARG x=1\nFROM a\nARG x\nRUN b", {"x": "2"}, {"x": "2"}),
        ("ARG x=1\nFROM a\nARG x=3\nRUN b", {}, {"x": "3"}),
        ("ARG x=1\nARG y=$x.2\nFROM a\nARG y\nRUN b", {}, {"y": "1.2"}),
        ("ARG x=1\nARG y=$x.2\nFROM a\nARG y\nRUN b", {"x": "9"}, {"y": "9.2"}),
        ("FROM a\nARG x=1 y=$x z=${x:-2}\nRUN b", {}, {"x": "1", "y": "1", "z": "1"}),
        ("FROM a\nARG x=1\nARG x=2\nRUN b", {}, {"x": "2"}),
        ("FROM a\nARG x=1\nARG x\nRUN b", {}, {"x": "1"}),
        ("FROM a\nARG x=1\nENV x=2\nRUN b", {}, {}),
        ("FROM a\nENV x=2\nARG x=1\nRUN b", {}, {"x": "1"}),
        ("FROM a\nENV x=2\nARG x\nRUN b", {}, {}),
        ("FROM a\nARG x='a b'\nRUN b", {}, {"x": "a b"}),
        ("FROM a\nARG x=\nRUN b", {}, {"x": ""}),
        ("FROM a\nARG TARGETARCH TARGETPLATFORM\nRUN b", {}, {"TARGETARCH": "amd64", "TARGETPLATFORM": "linux/amd64"}),
        ("FROM a AS z\nARG x=1\nFROM z\nRUN b", {}, {}),
    ],
)
def test_arguments(text: str, given: dict[str, str], args: dict[str, str]) -> None:
    assert dict(_run(text, build_args=given).args) == args


def test_the_later_of_env_and_arg_counts() -> None:
    made = expanded("FROM a\nARG x=1\nENV x=2 y=$x\nENV y2=$x\nARG x=3\nENV y3=$x\n").config
    assert [value for name, value in made.env if name.startswith("y")] == ["1", "2", "3"]
    assert dict(made.env)["x"] == "2"


def test_proxies_need_no_arg_and_are_apart() -> None:
    given = {"HTTP_PROXY": "http://p", "no_proxy": "x", "OTHER": "y"}
    run = _run("FROM a\nRUN b $HTTP_PROXY\n", build_args=given)
    assert (run.args, dict(run.proxies)) == ((), {"HTTP_PROXY": "http://p", "no_proxy": "x"})
    run = _run("FROM a\nARG HTTP_PROXY\nRUN b\n", build_args=given)
    assert (dict(run.args), dict(run.proxies)) == ({"HTTP_PROXY": "http://p"}, {"no_proxy": "x"})


def test_arguments_that_nothing_declares_are_warned_of() -> None:
    plan = plan_dockerfile(
        "FROM a\nARG x=$HOME\n", Options(build_args={"x": "", "y": "", "BUILDKIT_INLINE_CACHE": "1"})
    )
    (warning,) = plan.warnings
    assert warning.message.endswith(" y.")


# Bases whose configuration is known later.


def test_the_base_gives_variables_user_folder_and_shell() -> None:
    env = (("PATH", "/opt/bin"), ("HOME_DIR", "/srv"))
    base = ImageConfig(env, "app:staff", "/base", ("/bin/ash", "-ec"))
    made = expanded("FROM a\nWORKDIR $HOME_DIR\nWORKDIR sub\nRUN x\nCOPY a .\n", base)
    run, copy = made.steps[2:]
    assert isinstance(run, RunStep)
    assert isinstance(copy, CopyStep)
    assert (run.argv, run.user, run.workdir) == (("/bin/ash", "-ec", "x"), "app:staff", "/srv/sub")
    assert (copy.destination, copy.into_folder) == ("/srv/sub", True)


def test_a_stage_goes_on_from_another() -> None:
    made = expanded('FROM a AS one\nENV A=1\nUSER u\nWORKDIR /w\nSHELL ["/s"]\nFROM one\nENV B=$A\nRUN x\n')
    run = made.steps[-1]
    assert isinstance(run, RunStep)
    assert (run.argv, run.user, run.workdir, dict(run.env)["B"]) == (("/s", "x"), "u", "/w", "1")


def test_scratch_has_a_path() -> None:
    made = expanded("FROM scratch\nENV A=$PATH\n")
    assert dict(made.config.env)["A"].startswith("/usr/local/sbin:")


def test_triggers_come_first() -> None:
    base = ImageConfig(on_build=("RUN first", "COPY . /app", 'ENV A="b c"', "RUN --mount=type=cache,target=/c x"))
    made = expanded("FROM a\nRUN last\n", base)
    assert [getattr(step, "shown", None) for step in made.steps][:2] == ["RUN first", "COPY . /app"]
    assert dict(made.config.env)["A"] == "b c"
    assert made.config.on_build == ()
    assert made.uses_context
    assert made.steps[0].place.trigger_of == "a"


def test_triggers_of_a_stage_fire_in_the_next() -> None:
    made = expanded("FROM a AS one\nONBUILD RUN x\nFROM one AS two\nFROM two\n")
    assert made.steps == ()
    assert [type(step) for step in expanded("FROM a AS one\nONBUILD RUN x\nFROM one\n").steps] == [RunStep]


def test_triggers_may_take_files_of_stages_and_images() -> None:
    text = "FROM x AS tools\nFROM a\n"
    plan = plan_dockerfile(text)
    assert plan.needed == (1,)
    base = ImageConfig(on_build=("COPY --from=tools /t /t", "COPY --from=busybox /b /b"))
    made = expand(plan, plan.stage(1), base)
    assert (made.needs, made.images) == ((0,), ("busybox",))


@pytest.mark.parametrize(
    "trigger",
    ["FROM x", "ONBUILD RUN x", "MAINTAINER x", "NONSENSE", "RUN --mount=type=ssh x", "RUN a\nRUN b", "", "USER"],
)
def test_triggers_that_are_refused(trigger: str) -> None:
    plan = plan_dockerfile("FROM a\n")
    with pytest.raises(DockerfileError) as raised:
        expand(plan, plan.stage(0), ImageConfig(on_build=(trigger,)))
    assert str(raised.value).startswith("ONBUILD trigger of a: ")


def test_what_only_the_base_makes_wrong_is_told_when_it_is_known() -> None:
    plan = plan_dockerfile("FROM a\nEXPOSE $PORT\n")
    with pytest.raises(DockerfileError) as raised:
        expand(plan, plan.stage(0), ImageConfig(env=(("PORT", "many"),)))
    assert (raised.value.place.line, raised.value.place.column) == (2, 8)


def test_names_of_further_contexts() -> None:
    made = expanded("FROM a\nCOPY --from=files x /\n", BASE, contexts=frozenset({"files"}))
    (step,) = made.steps
    assert isinstance(step, CopyStep)
    assert step.origin == NamedContextRef("files")
    assert (made.images, made.uses_context) == ((), False)
