"""Steps of instructions that change the configuration, and of RUN."""

from typing import Any

import pytest

from loopyard.dockerfile.plan import (
    BindMount,
    CacheMount,
    ContextRef,
    HealthCheck,
    ImageConfig,
    ImageRef,
    RunStep,
    SecretMount,
    StageRef,
    TmpfsMount,
    WorkdirStep,
)
from tests.unit.dockerfile.planning import config, only, refused, steps


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("ENV A=1 B='x y' C=\"$A\" D=a\\ b", "env", {"A": "1", "B": "x y", "C": "", "D": "a b"}),
        ("ENV A b  c", "env", {"A": "b  c"}),
        ("ENV A b=c", "env", {"A": "b=c"}),
        ("ENV A=", "env", {"A": ""}),
        ("ENV A=1\nENV A=2", "env", {"A": "2"}),
        ("ENV PATH=/x:$PATH", "env", {"PATH": "/x:/usr/bin:/bin"}),
        ("ENV A=a=b", "env", {"A": "a=b"}),
        ("ENV A='${PATH}'", "env", {"A": "${PATH}"}),
        ("LABEL a=1 b='c d' \"e f\"=g", "labels", {"a": "1", "b": "c d", "e f": "g"}),
        ("LABEL a b c", "labels", {"a": "b c"}),
        ("ENV X=1\nLABEL v=$X", "labels", {"v": "1"}),
    ],
)
def test_pairs(text: str, field: str, value: dict[str, str]) -> None:
    made = dict(getattr(config(text), field))
    assert {name: made[name] for name in value} == value


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("USER app", "user", "app"),
        ("USER 200000:0", "user", "200000:0"),
        ("ARG u=app\nUSER ${u}:shared", "user", "app:shared"),
        ("WORKDIR /a/../b//c/", "workdir", "/b/c"),
        ("WORKDIR a b", "workdir", "/a b"),
        ("WORKDIR /a\nWORKDIR b\nWORKDIR ..", "workdir", "/a"),
        ("WORKDIR //x", "workdir", "/x"),
        ("WORKDIR $NO", "workdir", "/"),
        ("VOLUME /a /b", "volumes", ("/a", "/b")),
        ('VOLUME ["/a b", "$PATH"]', "volumes", ("/a b", "/usr/bin:/bin")),
        ("EXPOSE 80 53/UDP 80/tcp", "exposed", ("80/tcp", "53/udp")),
        ("EXPOSE 7000-7002/sctp", "exposed", ("7000/sctp", "7001/sctp", "7002/sctp")),
        ("ENV P='1 2'\nEXPOSE $P", "exposed", ("1/tcp", "2/tcp")),
        ("CMD a $b", "cmd", ("/bin/sh", "-c", "a $b")),
        ('CMD ["a", "$b"]', "cmd", ("a", "$b")),
        ("CMD []", "cmd", ()),
        ("CMD ['a']", "cmd", ("/bin/sh", "-c", "['a']")),
        ('SHELL ["/x", "-y"]\nCMD a', "cmd", ("/x", "-y", "a")),
        ('ENTRYPOINT ["a"]', "entrypoint", ("a",)),
        ("ENTRYPOINT a", "entrypoint", ("/bin/sh", "-c", "a")),
        ("ENTRYPOINT []", "entrypoint", None),
        ('SHELL ["/bin/bash", "-o", "pipefail", "-c"]', "shell", ("/bin/bash", "-o", "pipefail", "-c")),
        ("STOPSIGNAL SIGINT", "stop_signal", "SIGINT"),
        ("STOPSIGNAL 9", "stop_signal", "9"),
        ("STOPSIGNAL rtmin+3", "stop_signal", "rtmin+3"),
        ("HEALTHCHECK NONE", "health_check", HealthCheck(("NONE",))),
        ("HEALTHCHECK CMD curl -f x || exit 1", "health_check", HealthCheck(("CMD-SHELL", "curl -f x || exit 1"))),
        (
            'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=2h --start-interval=1s --retries=3 CMD ["a"]',
            "health_check",
            HealthCheck(("CMD", "a"), 90 * 10**9, 5 * 10**8, 7200 * 10**9, 10**9, 3),
        ),
        ("MAINTAINER A B <a@b>", "author", "A B <a@b>"),
        ("ONBUILD RUN x", "on_build", ("RUN x",)),
        ('ONBUILD CMD ["x"]', "on_build", ('CMD ["x"]',)),
        ("onbuild  copy . /a\nONBUILD USER $x", "on_build", ("copy . /a", "USER $x")),
    ],
)
def test_configuration(text: str, field: str, value: Any) -> None:
    assert getattr(config(text), field) == value


def test_an_entrypoint_takes_the_command_of_the_base_away_but_not_its_own() -> None:
    base = ImageConfig(cmd=("base",))
    assert config('ENTRYPOINT ["e"]', base).cmd is None
    assert config('CMD ["own"]\nENTRYPOINT ["e"]', base).cmd == ("own",)
    assert config("USER x", base).cmd == ("base",)


def test_a_folder_is_made_as_the_user() -> None:
    step = only(WorkdirStep, "USER app\nWORKDIR /w")
    assert (step.path, step.user) == ("/w", "app")


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("RUN a  b", ("/bin/sh", "-c", "a  b")),
        ('RUN ["a", "b c"]', ("a", "b c")),
        ('RUN [ "a" ]', ("a",)),
        ("RUN [ -f a ]", ("/bin/sh", "-c", "[ -f a ]")),
        ("RUN ['a']", ("/bin/sh", "-c", "['a']")),
        ('RUN ["a"] && b', ("/bin/sh", "-c", '["a"] && b')),
        ("RUN -- a", ("/bin/sh", "-c", "a")),
        ("RUN -x", ("/bin/sh", "-c", "-x")),
        ('RUN echo $A ${B} "c"', ("/bin/sh", "-c", 'echo $A ${B} "c"')),
        ("RUN --network=none a --b", ("/bin/sh", "-c", "a --b")),
        (
            'SHELL ["/bin/bash","-o","pipefail","-c"]\nRUN false | true',
            ("/bin/bash", "-o", "pipefail", "-c", "false | true"),
        ),
    ],
)
def test_commands(text: str, argv: tuple[str, ...]) -> None:
    assert only(RunStep, text).argv == argv


def test_what_a_command_sees() -> None:
    step = only(RunStep, "USER u:g\nWORKDIR /w\nENV A=1\nRUN --network=none --security=sandbox x", ImageConfig())
    assert (step.user, step.workdir, step.network) == ("u:g", "/w", "none")
    assert [name for name, _ in step.env] == ["A", "PATH"]
    assert only(RunStep, "RUN x", ImageConfig()).workdir == "/"


@pytest.mark.parametrize(
    ("mount", "made"),
    [
        ("target=/a", BindMount("/a")),
        ("type=bind,source=x/../y,target=a,rw", BindMount("/w/a", ContextRef(), "/y", writable=True)),
        ("type=bind,src=x,dst=/a,ro=false", BindMount("/a", ContextRef(), "/x", writable=True)),
        ("from=one,destination=/a,readonly", BindMount("/a", StageRef(0))),
        ("from=0,target=/a", BindMount("/a", StageRef(0))),
        ("from=busybox:1,target=/a", BindMount("/a", ImageRef("busybox:1"))),
        ("type=cache,target=/c", CacheMount("/c", "/c")),
        (
            "type=cache,target=/c,id=i,sharing=locked,mode=0777,uid=1,gid=2,ro,from=one,source=/s",
            CacheMount("/c", "i", StageRef(0), "/s", "locked", True, 1, 2, 0o777),
        ),
        ("type=cache,target=/c,sharing=private", CacheMount("/c", "/c", sharing="private")),
        ("type=tmpfs,target=/t,size=64m", TmpfsMount("/t", 64 << 20)),
        ("type=tmpfs,target=/t", TmpfsMount("/t")),
        ("type=secret,id=s", SecretMount("s", "/run/secrets/s")),
        ("type=secret,id=s,env=S", SecretMount("s", None, "S")),
        ("type=secret,id=s,env=S,target=/x", SecretMount("s", "/x", "S")),
        (
            "type=secret,id=s,required,uid=5,gid=6,mode=0440",
            SecretMount("s", "/run/secrets/s", None, True, 5, 6, 0o440),
        ),
        ("type=secret,target=/x/key", SecretMount("key", "/x/key")),
        ("TYPE=tmpfs,Target=/t", TmpfsMount("/t")),
        ('"type=tmpfs,target=/t"', TmpfsMount("/t")),
        ("type=cache,target=$D/c,id=$D", CacheMount("/d/c", "/d")),
    ],
)
def test_mounts(mount: str, made: object) -> None:
    text = f"FROM a AS one\nFROM b\nENV D=/d\nWORKDIR /w\nRUN --mount={mount} x\n"
    from tests.unit.dockerfile.planning import expanded

    (run,) = [step for step in expanded(text).steps if isinstance(step, RunStep)]
    assert run.mounts == (made,)


def test_several_mounts_and_what_they_use() -> None:
    found = steps("RUN --mount=type=tmpfs,target=/a --mount=type=cache,target=/b \\\n --mount=target=/c x")
    assert isinstance(found[0], RunStep)
    assert [type(one).__name__ for one in found[0].mounts] == ["TmpfsMount", "CacheMount", "BindMount"]


@pytest.mark.parametrize(
    ("text", "column", "word"),
    [
        ("RUN", 1, "command"),
        ("RUN []", 1, "command"),
        ('RUN [""]', 1, "command"),
        ('RUN ["a", 1]', 5, "strings"),
        ("RUN --mount=type=ssh x", 5, "ssh is not offered"),
        ("RUN --mount=type=npipe,target=/x x", 5, "no type"),
        ("RUN --mount=type=cache x", 5, "target"),
        ("RUN --mount=type=cache,target=/ x", 5, "nothing can be mounted"),
        ("RUN --mount=type=cache,target=/proc x", 5, "nothing can be mounted"),
        ("RUN --mount=type=cache,target=/a,mode=9 x", 5, "mode"),
        ("RUN --mount=type=cache,target=/a,uid=x x", 5, "uid"),
        ("RUN --mount=type=cache,target=/a,uid=4294967296 x", 5, "uid"),
        ("RUN --mount=type=cache,target=/a,sharing=all x", 5, "sharing"),
        ("RUN --mount=type=cache,target=/a,size=1 x", 5, "does not take"),
        ("RUN --mount=type=bind,target=/a,ro,rw x", 5, "either"),
        ("RUN --mount=target x", 5, "no value"),
        ("RUN --mount=type=secret x", 5, "id"),
        ("RUN --mount=type=secret,id=a,env=B=C x", 5, "env"),
        ("RUN --mount=type=tmpfs,target=/a,size=many x", 5, "size"),
        ("RUN --mount=type=bind,target=/a,from=$X x", 5, "Variables"),
        ("RUN --mount=type=bind,target=/a,from=9 x", 5, "no stage 9"),
        ("RUN --mount x", 5, "value"),
        ("RUN --mount= x", 5, "value"),
        ("RUN --network=host x", 5, "not offered"),
        ("RUN --network=bridge x", 5, "default or none"),
        ("RUN --security=insecure x", 5, "not offered"),
        ("RUN --security=other x", 5, "sandbox"),
        ("RUN --device=nvidia.com/gpu x", 5, "not offered"),
        ("RUN --chown=x x", 5, "--chown"),
        ("RUN --network=none --network=none x", 20, "twice"),
        (f"RUN {'x' * 140_000}", 1, "argument"),
        ("ENV", 1, "at least one"),
        ("ENV A", 5, "NAME=value"),
        ("ENV A=1 B", 5, "no ="),
        ("ENV =1", 5, "empty"),
        ("ENV A='1", 7, "single-quote"),
        ("ENV A=$B${", 7, "misses"),
        ("ENV --x=1 A=1", 5, "--x"),
        ("LABEL =1", 7, "empty"),
        ("ARG", 1, "at least one"),
        ("ARG =1", 5, "empty"),
        ("USER", 1, "one argument"),
        ("USER 4294967295", 6, "number"),
        ("USER 2147483648", 6, "number"),
        ("USER a:b:c", 6, "no user"),
        ("USER :x", 6, "no user"),
        ("WORKDIR", 1, "one argument"),
        (f"WORKDIR /{'x' * 5_000}", 9, "path"),
        ("VOLUME", 1, "at least one"),
        ('VOLUME [""]', 8, "empty"),
        ("EXPOSE", 1, "at least one"),
        ("EXPOSE x", 8, "port"),
        ("EXPOSE 80 70000", 11, "port"),
        ("EXPOSE 80:80", 8, "port"),
        ("EXPOSE 80/http", 8, "port"),
        ("EXPOSE 9-8", 8, "port"),
        ("SHELL /bin/sh -c", 1, "JSON"),
        ("SHELL []", 1, "JSON"),
        ("STOPSIGNAL SIGNOPE", 12, "signal"),
        ("STOPSIGNAL 65", 12, "signal"),
        ("STOPSIGNAL", 1, "one argument"),
        ("HEALTHCHECK", 1, "CMD"),
        ("HEALTHCHECK curl", 1, "CMD"),
        ("HEALTHCHECK CMD", 1, "command"),
        ("HEALTHCHECK NONE x", 1, "nothing else"),
        ("HEALTHCHECK --interval=5 CMD x", 13, "duration"),
        ("HEALTHCHECK --interval=1us CMD x", 13, "1ms"),
        ("HEALTHCHECK --retries=-1 CMD x", 13, "number"),
        ("ONBUILD", 1, "instruction"),
        ("ONBUILD ONBUILD RUN x", 1, "trigger"),
        ("ONBUILD FROM x", 1, "trigger"),
        ("ONBUILD NOPE", 1, "Unknown"),
        ("MAINTAINER", 1, "one argument"),
        ("FETCH x", 1, "Unknown instruction"),
        ("RUNx", 1, "Unknown instruction"),
        ("CMD --x", 5, "--x"),
    ],
)
def test_refusals(text: str, column: int, word: str) -> None:
    error = refused(f"FROM a\n{text}\nRUN y\n")
    assert word in error.reason
    assert (error.place.line, error.place.column) == (2, column)
