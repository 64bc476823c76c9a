"""Commands in one devbox while other clients do what holds a server up."""

import asyncio
import resource
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.context import Context
from benchmarks.hostile_load import AT_ONCE, KINDS, LONG_FILE
from benchmarks.loop_holds import LoopHolds
from benchmarks.loopyard import Loopyard, connected
from benchmarks.result import Measure, Series, timed
from tests.serving import ServerProcess, serving

_NOTES = {"small commands": f"{AT_ONCE} commands at a time have to share the processors with it"}
_COMMANDS = {"floods": "while :; do echo flood flood flood; done"}


async def hostile(context: Context) -> list[Measure]:
    """Measures for each kind of load: `execute_sync` before it, and beside it."""
    with tempfile.TemporaryDirectory(prefix="loopyard-bench-") as folder:
        holds = LoopHolds(Path(folder) / "holds")
        with serving(Path(folder) / "hostile", before=holds.command) as server:
            return await _beside_each(context, server, holds)


async def _beside_each(context: Context, server: ServerProcess, holds: LoopHolds) -> list[Measure]:
    async with connected(server) as loopyard:
        quiet, loaded = await loopyard.create(), await loopyard.create()
        await loopyard.execute(loaded, f"head -c {10 << 20} /dev/zero | tr '\\0' x > {LONG_FILE}")
        boxes = (quiet, loaded)
        found = [await _beside(context, server, loopyard, boxes, kind, holds) for kind in KINDS]
        await loopyard.shut_down_all()
        return found


async def _beside(
    context: Context,
    server: ServerProcess,
    loopyard: Loopyard,
    boxes: tuple[str, str],
    kind: str,
    holds: LoopHolds,
) -> Measure:
    quiet, loaded = boxes
    command = _COMMANDS.get(kind, "sleep 3600")
    execution = await loopyard.post(f"/v1/devboxes/{loaded}/execute_async", command=command)
    before = await timed(context.counts.execute, lambda: loopyard.execute(quiet))
    async with _load(server, kind, loaded, execution["execution_id"]):
        holds.take()
        during = await timed(context.counts.execute, lambda: loopyard.execute(quiet))
        held = holds.take()
    await loopyard.post(f"/v1/devboxes/{loaded}/executions/{execution['execution_id']}/kill", kill_process_group=True)
    series = [Series("loopyard", f"beside {kind}", during), Series("loopyard", "before", before)]
    name = f"hostile-{kind.replace(' ', '-')}"
    note = f"the event loop was held for {held:.1f} ms of processor time at most"
    note = "; ".join(filter(None, (note, _NOTES.get(kind))))
    facts = {"longest_hold_ms": round(held, 2)}
    return Measure(name, f"execute_sync beside {kind}", series, reference=1, note=note, facts=facts)


@asynccontextmanager
async def _load(server: ServerProcess, kind: str, devbox: str, execution: str) -> AsyncGenerator[None]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))
    port = server.base_url.rpartition(":")[2]
    arguments = ("-m", "benchmarks.hostile_load", kind, port, server.api_key, devbox, execution)
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not await process.stdout.readline():
            raise RuntimeError(f"the load {kind!r} could not be made")
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
