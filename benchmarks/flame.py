"""`python -m benchmarks.flame`: where the server's time goes, as flame graphs.

py-spy looks some hundred times a second at what the server, its launcher and the launcher's workers do, while a client
makes boxes one after another, or runs commands in one. Time in which they wait is left out.
"""

import asyncio
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.loopyard import Loopyard, connected
from tests.serving import serving

KEPT = Path(__file__).parent / "flames"
_LOOKS_A_SECOND = 400
_WARM = 5
_LABELS = re.compile(r"<(title|text)[^>]*>[^<]*")
_PLACES = re.compile(r"(?<![\w<])/[^\s<>&()]*/")
"""The folders in which files are: they say something of the machine, and nothing of the time."""


def main(
    creates: Annotated[int, typer.Option(help="How many boxes to make.")] = 100,
    commands: Annotated[int, typer.Option(help="How many commands to run.")] = 1000,
    folder: Annotated[Path, typer.Option(help="Where the graphs go.")] = KEPT,
) -> None:
    """Draw create.svg and execute.svg."""
    program = shutil.which("py-spy") or shutil.which(str(Path(sys.executable).parent / "py-spy"))
    if program is None:
        raise typer.BadParameter("py-spy is missing. .venv/bin/uv pip install py-spy")
    folder.mkdir(exist_ok=True)
    asyncio.run(_draw(program, folder, creates, commands))


async def _draw(program: str, folder: Path, creates: int, commands: int) -> None:
    with tempfile.TemporaryDirectory(prefix="loopyard-flame-") as data, serving(Path(data) / "data") as server:
        async with connected(server) as loopyard:
            await _record(program, server.pid, folder / "create.svg", creates, lambda: _create(loopyard))
            devbox = await loopyard.create()
            await _record(program, server.pid, folder / "execute.svg", commands, lambda: loopyard.execute(devbox))


async def _create(loopyard: Loopyard) -> None:
    """A box is shut down at once, so that their number does not grow: that is in the graph too."""
    devbox = await loopyard.create_to_first_command()
    await loopyard.post(f"/v1/devboxes/{devbox}/shutdown")


async def _record(program: str, pid: int, graph: Path, count: int, action: Callable[[], Awaitable[object]]) -> None:
    for _ in range(_WARM):
        await action()
    command = (program, "record", "--pid", str(pid), "--subprocesses", "--rate", str(_LOOKS_A_SECOND))
    options = ("--nonblocking", "--format", "flamegraph", "--output", str(graph))
    recorder = await asyncio.create_subprocess_exec(
        *command, *options, "--duration", "unlimited", stdin=subprocess.DEVNULL
    )
    await asyncio.sleep(1)
    try:
        for _ in range(count):
            await action()
    finally:
        recorder.send_signal(signal.SIGINT)  # it draws when it is told to stop
        await recorder.wait()
    graph.write_text(_LABELS.sub(lambda label: _PLACES.sub("", label.group()), graph.read_text()))
    print(graph)


if __name__ == "__main__":
    typer.run(main)
