"""The engine's classic builder, by its HTTP API. It ends when the connection does."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiodocker

from loopyard.runtime.docker.building.lowering import Line, Lowered
from loopyard.runtime.docker.building.outcome import failure
from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.images import BuildFailed
from loopyard.runtime.protocol import Limits

_STEP = re.compile(r"Step (\d+)/\d+ : ")
_OURS = re.compile(r" ---> |Removing intermediate container |\[Warning\] |Successfully (built|tagged) ")
_DOCKERFILE = ".loopyard-dockerfile"
_PERIOD = 100_000
_PIECE_BYTES = 1 << 20
_MOST_LINE = 8_192


async def build(
    engine: Engine,
    lowered: Lowered,
    text: str,
    context: Path,
    work: Path,
    image: str,
    build_args: Mapping[str, str],
    limits: Limits,
    network: str,
    told: Callable[[str], None],
) -> None:
    """Build an image of that name.

    Raises:
        BuildFailed: A step failed.
    """
    added = work / "added"
    added.mkdir()
    (added / _DOCKERFILE).write_text(text)
    (added / ".dockerignore").write_text(f".dockerignore\n{_DOCKERFILE}\n")  # the rest is left out already
    params = {
        "t": image,
        "dockerfile": _DOCKERFILE,
        "rm": "true",
        "forcerm": "true",
        "version": "1",
        "networkmode": network,
        "memory": str(limits.memory_bytes),
        "memswap": str(limits.memory_bytes),
        "cpuperiod": str(_PERIOD),
        "cpuquota": str(max(1_000, int(limits.cpu_cores * _PERIOD))),
        "buildargs": json.dumps(dict(build_args)),
    }
    reader = _Reader(lowered.lines, told)
    try:
        async with engine.answer(
            "POST",
            "build",
            params=params,
            data=_packed(context, added),
            headers={"Content-Type": "application/x-tar"},
        ) as answer:
            left = b""
            async for piece in answer.content.iter_any():
                *lines, left = (left + piece).split(b"\n")
                for line in lines:
                    reader.take(line)
            reader.take(left)
    except aiodocker.DockerError as error:
        raise BuildFailed("build_failed", f"The engine did not build it: {error.message}") from error
    reader.end()


class _Reader:
    """Reads what the builder says, a line of JSON at a time."""

    def __init__(self, lines: list[Line], told: Callable[[str], None]) -> None:
        self._lines = lines
        self._told = told
        self._at: Line | None = None
        self._left = ""

    def take(self, line: bytes) -> None:
        """Read a line.

        Raises:
            BuildFailed: It says that the build failed.
        """
        if not line.strip():
            return
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            self.end()
            detail: dict[str, Any] = said.get("errorDetail") or {}
            code = detail.get("code")
            raise failure(self._at, str(said["error"]), int(code) if code else None, limited=True)
        self._left += str(said.get("stream") or "")
        *whole, self._left = self._left.split("\n")
        for one in whole:
            self._say(one)
        if len(self._left) > _MOST_LINE:
            self.end()

    def end(self) -> None:
        """Tell what has no end of line."""
        left, self._left = self._left, ""
        if left:
            self._say(left)

    def _say(self, text: str) -> None:
        step = _STEP.match(text)
        if step is not None and int(step[1]) <= len(self._lines):
            self._at = self._lines[int(step[1]) - 1]
            if self._at.place is not None:
                self._told(f"STEP {self._at.place.line}: {self._at.shown}")
        elif text.strip() and not _OURS.match(text):
            self._told(text.rstrip("\r"))


async def _packed(context: Path, added: Path) -> AsyncIterator[bytes]:
    """A tar archive of the context and of what is added to it."""
    archive = await asyncio.create_subprocess_exec(
        *("tar", "--numeric-owner", "--sparse", "-cf", "-", "-C", os.fspath(context), ".", "-C", os.fspath(added)),
        *sorted(one.name for one in added.iterdir()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    output = archive.stdout
    assert output is not None  # noqa: S101
    try:
        while piece := await output.read(_PIECE_BYTES):
            yield piece
    finally:
        if archive.returncode is None and sys.exc_info()[0] is not None:
            archive.kill()
        await asyncio.shield(archive.wait())
