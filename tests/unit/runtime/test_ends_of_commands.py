"""The end of a command is noticed in whatever order the supervisor writes it down, tells it, tidies up, and goes on."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from loopyard.runtime.commands.claim import claim, described, use
from loopyard.runtime.commands.kept import Commands
from loopyard.runtime.layout import Layout, write_whole
from loopyard.runtime.proc import start_ticks

pytestmark = pytest.mark.anyio

RESULT = {"exit_status": 3}


class Supervised:
    """A command `one` of the sandbox `box` whose supervisor is this process, which lives on as a worker does."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        folder = commands.prepare("box", "one", stdin_for=None)
        assert folder is not None
        self.folder, self.live = folder, commands.live(folder)
        claimed = claim(str(folder), str(self.live))
        assert claimed is not None
        use(claimed, described(os.getpid(), start_ticks(os.getpid())))
        os.close(claimed)
        commands.started(folder)
        self.told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def write_result(self) -> None:
        write_whole(self.folder / "result.json", RESULT)

    def write_output(self) -> None:
        with (self.folder / "stdout").open("ab") as file:
            file.write(b"more")

    def tidy(self) -> None:
        shutil.rmtree(self.live)

    async def wait_output(self, offset: int, seconds: float = 30) -> bool:
        return await self.commands.wait_output("box", "one", "stdout", offset, seconds)

    async def exit_status(self) -> int:
        async with asyncio.timeout(60):
            return (await self.commands.wait("box", "one")).exit_status

    async def has_ended(self) -> bool:
        """As those ask who follow its output."""
        try:
            async with asyncio.timeout(0):
                await self.commands.wait("box", "one")
        except TimeoutError:
            return False
        return True


@pytest.fixture
async def command(tmp_path: Path) -> AsyncGenerator[Supervised]:
    commands = Commands(Layout(tmp_path))
    yield Supervised(commands)
    commands.close()


async def test_the_end_is_seen_while_the_supervisor_that_told_it_has_not_tidied_up(command: Supervised) -> None:
    command.commands.watched(command.folder, command.told)
    reading = asyncio.create_task(command.wait_output(0))
    await asyncio.sleep(0.02)
    command.write_result()
    command.told.set_result(0)
    assert not await reading
    assert not await command.wait_output(0)
    assert not await command.wait_output(0)
    assert await command.has_ended()
    assert await command.exit_status() == 3
    command.tidy()
    assert await command.has_ended()


async def test_output_that_comes_with_the_end_is_read_and_then_the_end(command: Supervised) -> None:
    command.commands.watched(command.folder, command.told)
    reading = asyncio.create_task(command.wait_output(0))
    await asyncio.sleep(0.02)
    command.write_output()
    command.write_result()
    command.told.set_result(0)
    assert await reading
    assert not await command.wait_output(4)
    assert await command.has_ended()


async def test_a_result_that_is_there_counts_though_nobody_has_told_yet(command: Supervised) -> None:
    command.commands.watched(command.folder, command.told)
    command.write_result()
    assert await command.has_ended()
    assert await command.exit_status() == 3


async def test_an_end_that_was_told_before_anybody_watched_is_seen(command: Supervised) -> None:
    command.write_result()
    command.told.set_result(0)
    command.commands.watched(command.folder, command.told)
    assert await command.has_ended()
    assert not await command.wait_output(0)


@pytest.mark.parametrize("tidied", [True, False])
async def test_a_supervisor_that_tells_nobody_and_lives_on_is_known_by_the_result(
    command: Supervised, tidied: bool
) -> None:
    waiting = [asyncio.create_task(command.exit_status()) for _ in range(2)]
    reading = asyncio.create_task(command.wait_output(0))
    await asyncio.sleep(0.02)
    waiting[0].cancel()  # who waits no more takes nothing from the others
    command.write_result()
    if tidied:
        command.tidy()
    assert await waiting[1] == 3
    assert not await reading


async def test_without_inotify_the_result_is_looked_for(command: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object, __: object) -> None:
        return None

    monkeypatch.setattr("loopyard.runtime.commands.file_watch.FileWatch.next_rename", none)
    waiting = asyncio.create_task(command.exit_status())
    await asyncio.sleep(0.02)
    command.write_result()
    assert await waiting == 3


async def test_who_waits_for_output_after_the_start_and_before_it_is_told_who_watches(command: Supervised) -> None:
    reading = asyncio.create_task(command.wait_output(0))
    await asyncio.sleep(0.02)
    command.commands.watched(command.folder, command.told)
    command.write_output()
    assert await reading
    reading = asyncio.create_task(command.wait_output(4))
    await asyncio.sleep(0.02)
    command.write_result()
    command.told.set_result(0)
    command.tidy()
    assert not await reading
    assert await command.has_ended()
