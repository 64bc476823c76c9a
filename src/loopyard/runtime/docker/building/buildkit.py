"""BuildKit in the engine, by a client of Docker on this host: it speaks BuildKit's sessions. The build ends with it."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from loopyard.runtime.docker.building.lowering import Line, Lowered
from loopyard.runtime.docker.building.outcome import failure
from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.programs import search_path

_USUAL = ("/usr/bin/docker", "/usr/local/bin/docker")
_LINE = re.compile(r"#(\d+) (.*)")
_NAMED = re.compile(r"\[(?:(?:[^\s\]]+ )?(s\d+) )?(?:stage-\d+ )?(\d+)/\d+\] ")
_OUTPUT = re.compile(r"\d+\.\d+ ?(.*)")
_STATUS = re.compile(r"exit code: (\d+)")
_ASK_SECONDS = 20


async def find_client(engine: Engine) -> str | None:
    """A client that builds by this engine's BuildKit; None where there is none."""
    version = await engine.ask("GET", "version")
    parts = [str(one.get("Name")) for one in version.get("Components") or ()]
    if not any(name == "Engine" for name in parts) or _number(str(version.get("Version"))) < 19:
        return None
    found = shutil.which("docker", path=search_path())
    for client in dict.fromkeys(one for one in (found, *_USUAL) if one is not None and Path(one).exists()):
        status, said = await _ask(client, "--version")
        match = re.search(r"version (\d+)", said)
        if status != 0 or match is None:
            continue
        if int(match[1]) < 23 or (await _ask(client, "buildx", "version"))[0] == 0:
            return client
    return None


def _number(version: str) -> int:
    match = re.match(r"\d+", version)
    return int(match[0]) if match is not None else 0


async def _ask(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, ""
    return process.returncode or 0, output.decode(errors="replace")


async def build(
    client: str,
    engine: Engine,
    lowered: Lowered,
    text: str,
    context: Path,
    work: Path,
    memory: Path,
    image: str,
    build_args: Mapping[str, str],
    secrets: Mapping[str, str],
    network: str,
    told: Callable[[str], None],
) -> None:
    """Build an image of that name. `memory` is a folder for the secrets, by their ids.

    Raises:
        BuildFailed: A step failed.
    """
    dockerfile, home = work / "Dockerfile", work / "home"
    dockerfile.write_text(text)
    home.mkdir(mode=0o700)
    options = [f"--file={dockerfile}", f"--tag={image}", f"--network={network}", "--progress=plain"]
    options += [f"--build-arg={name}={value}" for name, value in build_args.items()]
    for name, value in secrets.items():
        (memory / name).touch(mode=0o600)
        (memory / name).write_text(value)
        options.append(f"--secret=id={name},src={memory / name}")
    alone = shutil.which("setpriv", path=search_path())
    process = await asyncio.create_subprocess_exec(
        *((alone, "--pdeathsig", "KILL", "--") if alone is not None else ()),  # it goes with a server that is killed
        *(client, "--host", f"unix://{engine.path}", "build", *options, "--", str(context)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": search_path(), "HOME": str(home), "DOCKER_CONFIG": str(home), "DOCKER_BUILDKIT": "1"},
        start_new_session=True,
        limit=1 << 20,
    )
    reader = _Reader(lowered.lines, told)
    output = process.stderr
    assert output is not None  # noqa: S101
    try:
        async for line in _lines(output):
            reader.take(line)
        status = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
    if status != 0:
        code = _STATUS.search(reader.error)
        said = reader.error or reader.last or "the client of the engine ended without a word"
        raise failure(reader.failed, said, int(code[1]) if code else None, limited=False)


async def _lines(output: asyncio.StreamReader):  # noqa: ANN202
    """Lines of any length; long ones in pieces."""
    left = b""
    while piece := await output.read(1 << 16):
        *lines, left = (left + piece).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
        if len(left) > 1 << 16:
            yield left.decode(errors="replace")
            left = b""
    if left:
        yield left.decode(errors="replace")


class _Reader:
    """Reads what the client says: lines with the number of a vertex, whose name comes first."""

    def __init__(self, lines: list[Line], told: Callable[[str], None]) -> None:
        self._by_number = {(line.stage, line.number): line for line in lines if line.number}
        self._only = next((line.stage for line in lines if line.stage), "")
        self._told = told
        self._vertices: dict[str, Line] = {}
        self.failed: Line | None = None
        self.error = ""
        self.last = ""

    def take(self, text: str) -> None:
        """Read a line."""
        text = text.rstrip("\r")
        match = _LINE.match(text)
        if match is None:
            self.last = text.strip() or self.last
            return
        number, said = match.groups()
        line = self._vertices.get(number)
        if line is None:
            if (named := _NAMED.match(said)) is not None:
                found = self._by_number.get((named[1] or self._only, int(named[2])))
                if found is not None and found.place is not None:
                    self._vertices[number] = found
                    self._told(f"STEP {found.place.line}: {found.shown}")
                    return
            if said.startswith("ERROR"):
                self.error = self.error or said.removeprefix("ERROR:").strip()
        elif said.startswith("ERROR"):
            self.failed, self.error = line, said.removeprefix("ERROR:").strip()
        elif said == "CACHED":
            self._told("--> Using cache")
        elif (output := _OUTPUT.match(said)) is not None:
            self._told(output[1])
