"""Hostile Dockerfiles: they are read or refused soon, and take little memory."""

import time
import tracemalloc

import pytest

from loopyard.dockerfile import DockerfileError, Options, expand, plan_dockerfile
from loopyard.dockerfile.plan import SCRATCH, ImageConfig

MEBIBYTE = 1 << 20

HOSTILE = {
    "large": "FROM a\n" + "# " + "x" * 3 * MEBIBYTE,
    "stages": "FROM a\n" * 3_000,
    "stages that copy": "".join(f"FROM a AS s{n}\nCOPY --from=s{max(n - 1, 0)} / /\n" for n in range(400)),
    "stages on stages": "FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(498)),
    "instructions": "FROM a\n" + "RUN a\n" * 10_000,
    "comments": "#\n" * 200_000 + "FROM a\n",
    "continuation": "FROM a\nRUN a \\\n" + "\\\n" * 200_000,
    "continued comments": "FROM a\nRUN a \\\n" + "#\n" * 200_000,
    "one line": "FROM a\nRUN " + "x" * MEBIBYTE,
    "blanks": "FROM a\nRUN a" + " " * MEBIBYTE + "b",
    "blanks and backslashes": "FROM a\nRUN a" + "\\ " * 300_000,
    "a directive of blanks": "# syntax=" + " " * MEBIBYTE + "x\nFROM a\n",
    "a comment like a directive": "# a=" + " x" * 300_000 + "\nFROM a\n",
    "heredocs": "FROM a\nRUN " + "<<A " * 10_000 + "\n" + "A\n" * 10_000,
    "heredocs in words": "FROM a\nRUN cat " + "<<" * 100_000 + "\n",
    "heredoc without end": "FROM a\nRUN <<" + "x" * 900 + "\n" + "y\n" * 100_000,
    "quotes": "FROM a\nENV a=" + "'\"" * 100_000,
    "open quotes": "FROM a\nENV a=" + '"' * 200_001,
    "a long name of a variable": "FROM a\nENV a=$" + "b" * 300_000,
    "nested substitutions": "FROM scratch\nENV a=" + "${x:-" * 50_000,
    "braces": "FROM a\nENV a=" + "${" * 100_000,
    "doubling": "FROM scratch\nENV a0=xxxxxxxxxx\n" + "".join(f"ENV a{n + 1}=$a{n}$a{n}\n" for n in range(60)),
    "doubling arguments": "ARG a0=xxxxxxxxxx\n" + "".join(f"ARG a{n + 1}=$a{n}$a{n}\n" for n in range(60)),
    "substituted patterns": "FROM scratch\nENV v=" + "a" * 50_000 + "\nENV w=${v%%" + "*a" * 1_000 + "b}\n",
    "patterns each time": "FROM scratch\nENV v=" + "a" * 50_000 + "\n" + ("ENV w=${v%%" + "*a" * 30 + "b}\n") * 2_000,
    "substituted each time": "FROM scratch\nENV v=" + "a" * 50_000 + "\n" + "RUN x\nENV w=$v$v$v$v$v\n" * 1_000,
    "variables": "FROM a\n" + "".join(f"ENV a{n}=b\n" for n in range(4_900)),
    "variables and commands": "FROM a\n" + "".join(f"ENV a{n}=b\nRUN x\n" for n in range(1_900)),
    "ports": "FROM a\n" + "EXPOSE 1-65535\n" * 2_000,
    "ports each": "FROM a\nEXPOSE 1-60000\n" + "".join(f"EXPOSE {60_000 + n}\n" for n in range(4_000)),
    "labels": "FROM a\n" + "".join(f"LABEL a{n}=b\n" for n in range(4_900)),
    "triggers": "FROM a\n" + "ONBUILD RUN x\n" * 4_000,
    "nested JSON": "FROM a\nRUN " + "[" * 100_000,
    "long JSON": "FROM a\nRUN [" + ",".join(['"x"'] * 100_000) + "]\n",
    "numbers in JSON": "FROM a\nRUN [" + "9" * 100_000 + "]\n",
    "flags": "FROM a\nRUN " + "--mount=type=tmpfs,target=/x " * 20_000 + "y\n",
    "fields of a mount": "FROM a\nRUN --mount=" + ",".join(["target=/x"] * 50_000) + " y\n",
    "quotes in a mount": "FROM a\nRUN --mount=" + '\\"' * 100_000 + " y\n",
    "sources": "FROM a\nCOPY " + "x " * 100_000 + "/y/\n",
    "modes": "FROM a\nCOPY --chmod=" + "u+x," * 100_000 + "g+x a b\n",
    "a mode": "FROM a\nCOPY --chmod=" + "u" * 199 + " a b\n",
    "a duration": "FROM a\nHEALTHCHECK --interval=" + "1h" * 200_000 + " CMD x\n",
    "a large number": "FROM a\nHEALTHCHECK --retries=" + "9" * 300_000 + " CMD x\n",
    "a stage's number": "FROM a\nCOPY --from=" + "9" * 300_000 + " a b\n",
    "a platform": "FROM --platform=" + "a/" * 200_000 + " a\n",
    "a path": "FROM a\nWORKDIR " + "a/../" * 200_000 + "\n",
    "relative folders": "FROM a\n" + "WORKDIR a\n" * 4_900,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_soon(name: str) -> None:
    begun = time.process_time()
    _plan(HOSTILE[name])
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("name", ["doubling", "substituted each time", "stages on stages"])
def test_a_hostile_file_takes_little_memory(name: str) -> None:
    tracemalloc.start(1)
    try:
        _plan(HOSTILE[name])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 200 * MEBIBYTE


def _plan(text: str) -> None:
    told = ""
    try:
        plan = plan_dockerfile(text)
        for index in plan.needed:
            expand(plan, plan.stage(index), SCRATCH)
    except DockerfileError as error:
        told = str(error)
    assert len(told) < 1_500


def test_hostile_bases() -> None:
    plan = plan_dockerfile("FROM a\nENV x=$v$v$v$v\n", Options(build_args={"y": "z" * MEBIBYTE}))
    with pytest.raises(DockerfileError, match="characters"):
        expand(plan, plan.stage(0), ImageConfig(env=(("v", "x" * MEBIBYTE),)))
    with pytest.raises(DockerfileError, match="triggers"):
        expand(plan, plan.stage(0), ImageConfig(on_build=("RUN x",) * 1_000))
