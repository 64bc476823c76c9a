"""A server is killed; the next one over the same data folder finds everything again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from loopyard.runtime.memory import memory_folder
from loopyard.runtime.protocol import CommandResult, Runtime, SandboxSpec, SandboxState
from tests.integration.runtime.box import Box
from tests.integration.runtime.providers import Provider

pytestmark = pytest.mark.anyio

_FIRST_SERVER = """
import asyncio, os, sys
from pathlib import Path
from pydantic import TypeAdapter
from loopyard.runtime.config import RuntimeConfig
from loopyard.runtime.factory import open_runtime
from loopyard.runtime.protocol import CommandSpec, SandboxSpec

async def main():
    config = TypeAdapter(RuntimeConfig).validate_json(sys.argv[1])
    runtime = await open_runtime(config, Path(sys.argv[2]))
    for name in ("one", "two"):
        await runtime.create(SandboxSpec(id=name, environment={"A": name}))
    await runtime.suspend("two")
    scripts = {
        "ended": "echo out; echo err >&2; exit 3",
        "slow": "n=0; while [ ! -e stop ]; do n=$((n+1)); echo $n; sleep 0.05; done; exit 5",
        "forever": "sleep 1000",
    }
    for name, script in scripts.items():
        await runtime.start_command("one", CommandSpec(name, ["sh", "-c", script]))
    await runtime.start_command("one", CommandSpec("timed", ["sleep", "1000"], timeout_seconds=3.0))
    await runtime.start_command("one", CommandSpec("fed", ["cat"], attach_stdin=True))
    await runtime.write_stdin("one", "fed", b"first\\n")
    await runtime.wait_command("one", "ended")
    print("ready", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


@asynccontextmanager
async def _after_a_kill(provider: Provider, name: str) -> AsyncGenerator[Runtime]:
    """A runtime over what a first one left, whose server was killed while its commands ran."""
    config = provider.config.model_dump_json()
    server = subprocess.Popen(  # noqa: ASYNC220
        (sys.executable, "-c", _FIRST_SERVER, config, str(provider.folder / name)), stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        assert (await asyncio.to_thread(server.stdout.readline)).strip() == "ready"
    finally:
        server.kill()
        server.wait()
    await asyncio.sleep(0.5)
    runtime = await provider.open(name)
    try:
        yield runtime
    finally:
        for sandbox_id in await runtime.sandboxes():
            await runtime.destroy(sandbox_id)
        await runtime.close()


async def test_the_next_server_takes_up_sandboxes_and_commands(provider: Provider) -> None:
    async with _after_a_kill(provider, "killed") as runtime:
        found = await runtime.sandboxes()
        assert {name: status.state for name, status in found.items()} == {
            "one": SandboxState.RUNNING,
            "two": SandboxState.EXITED,
        }
        one = Box(runtime, "one")
        commands = await runtime.commands("one")
        assert commands["ended"] == CommandResult(exit_status=3)
        assert (commands["slow"], commands["forever"], commands["fed"]) == (None, None, None)
        assert (await one.output("ended"), await one.output("ended", "stderr")) == (b"out\n", b"err\n")
        assert await one.end("timed") == CommandResult(exit_status=137, timed_out=True)
        await runtime.write_stdin("one", "fed", b"second\n", eof=True)
        assert (await one.end("fed")).exit_status == 0
        assert await one.output("fed") == b"first\nsecond\n"
        size = await runtime.output_size("one", "slow", "stdout")
        assert await runtime.wait_output("one", "slow", "stdout", size, 10)
        assert await one.sure("touch stop; echo $A") == "one"
        assert (await one.end("slow")).exit_status == 5
        lines = (await one.output("slow")).split()
        assert lines == [str(number).encode() for number in range(1, len(lines) + 1)]
        await runtime.signal_command("one", "forever", signal.SIGTERM)
        assert (await one.end("forever")).exit_status == 143
        await one.write("file", b"content")
        assert await one.read("file") == b"content"
        await runtime.create(SandboxSpec(id="two", environment={"A": "again"}))
        assert await Box(runtime, "two").sure("echo $A") == "again"
        await runtime.destroy("one")
        assert set(await runtime.sandboxes()) == {"two"}


@pytest.mark.semantic
async def test_a_new_runtime_beside_the_data_of_another_knows_nothing_of_it(
    provider: Provider, runtime: Runtime
) -> None:
    await runtime.create(SandboxSpec(id="known"))
    other = await provider.open("other")
    try:
        assert await other.sandboxes() == {}
        await other.destroy("known")
    finally:
        await other.close()
    assert (await runtime.status("known")).state is SandboxState.RUNNING
    await runtime.destroy("known")


async def test_a_command_whose_watcher_was_killed_is_lost_and_ended(provider: Provider, box: Box) -> None:
    command_id = await box.start("sh", "-c", "echo begun; sleep 31337")
    await box.until_said(command_id, b"begun")
    os.kill(_watcher(provider, f"running/{box.id}/{command_id}/supervisor.json"), signal.SIGKILL)
    assert await box.end(command_id) == CommandResult(exit_status=137, lost=True)
    assert await box.output(command_id) == b"begun\n"
    async with asyncio.timeout(60):
        while await box.sure("pgrep -fxc 'sleep 31337' || true") != "0":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await box.sure("echo works") == "works"


def _watcher(provider: Provider, name: str) -> int:
    """The process of which a provider keeps this file, in its folder or in memory."""
    in_memory = memory_folder("").glob(f"*/{name}")
    (file,) = (file for file in (provider.folder / "shared" / name, *in_memory) if file.exists())
    return json.loads(file.read_text())["pid"]
