"""Identity of steps, for the key of the build cache."""

from typing import Any

import pytest

from loopyard.dockerfile.identity import identity
from loopyard.dockerfile.plan import ImageConfig
from tests.unit.dockerfile.planning import BASE, expanded, steps


def _last(text: str, base: ImageConfig = BASE, **options: Any) -> str:
    return identity(steps(text, base, **options)[-1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RUN a", "\n\n# comment\nRUN a"),
        ("RUN a", "run a  "),
        ("RUN a", 'RUN ["/bin/sh", "-c", "a"]'),
        ("RUN a", "LABEL x=y\nRUN a"),
        ("COPY a /b", "COPY --link a /b"),
        ("USER u\nCOPY a /b", "COPY a /b"),
        ("RUN <<EOF\n#!x\nEOF", "RUN <<END\n#!x\nEND"),
    ],
)
def test_the_same_work_has_one_identity(one: str, other: str) -> None:
    assert _last(one) == _last(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RUN a", "RUN b"),
        ("RUN a b", 'RUN ["a", "b"]'),
        ("RUN a", "ENV x=1\nRUN a"),
        ("RUN a", "ARG x=1\nRUN a"),
        ("RUN a", "USER u\nRUN a"),
        ("RUN a", "WORKDIR /w\nRUN a"),
        ("RUN a", "RUN --network=none a"),
        ("RUN a", "RUN --mount=type=tmpfs,target=/x a"),
        ("RUN --mount=type=cache,target=/x a", "RUN --mount=type=cache,target=/x,mode=0700 a"),
        ("RUN --mount=type=secret,id=x a", "RUN --mount=type=secret,id=y a"),
        ("RUN <<EOF\n#!x\nEOF", "RUN <<EOF\n#!y\nEOF"),
        ("COPY a /b", "ADD a /b"),
        ("COPY a /b", "COPY a /b/"),
        ("COPY a /b", "COPY --chown=1 a /b"),
        ("COPY a /b", "COPY --chmod=600 a /b"),
        ("COPY a /b", "COPY --exclude=x a /b"),
        ("COPY a /b", "COPY --from=image a /b"),
        ("COPY --from=one a /b", "COPY --from=two a /b"),
        ("COPY <<E /b\nx\nE", "COPY <<E /b\ny\nE"),
        ("WORKDIR /a", "WORKDIR /b"),
        ("WORKDIR /a", "USER u\nWORKDIR /a"),
        ("ENV a=b", "ENV a=c"),
    ],
)
def test_other_work_has_another(one: str, other: str) -> None:
    assert _last(one) != _last(other)


def test_proxies_are_no_part_of_it_and_arguments_are() -> None:
    assert _last("RUN a", build_args={"HTTP_PROXY": "x"}) == _last("RUN a")
    assert _last("ARG x\nRUN a", build_args={"x": "1"}) != _last("ARG x\nRUN a", build_args={"x": "2"})
    assert _last("RUN a", build_args={"x": "1"}) == _last("RUN a", build_args={"x": "2"})


def test_where_a_stage_stands_is_no_part_of_it() -> None:
    one = expanded("FROM a AS x\nFROM b\nCOPY --from=x /a /b\nRUN --mount=from=x,target=/m c\n")
    two = expanded("FROM z\nFROM a AS y\nFROM b\nCOPY --from=y /a /b\nRUN --mount=from=y,target=/m c\n")
    assert [identity(step) for step in one.steps] == [identity(step) for step in two.steps]
