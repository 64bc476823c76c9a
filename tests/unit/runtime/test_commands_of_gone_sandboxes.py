"""Thousands of commands of a sandbox that goes are ended while the event loop turns."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from loopyard.runtime.commands.kept import Commands
from loopyard.runtime.layout import Layout, write_whole

pytestmark = pytest.mark.anyio

MANY = 300


async def test_others_go_on_while_they_are_ended(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    commands = Commands(layout)
    for number in range(MANY):
        assert commands.prepare("box", f"c{number}", stdin_for=None) is not None
        if number % 2:
            write_whole(layout.command("box", f"c{number}") / "result.json", {"exit_status": 3})
    ending = asyncio.create_task(commands.end_unfinished("box"))
    ended: list[int] = []
    while not ending.done():
        await asyncio.sleep(0)
        ended.append(sum((layout.command("box", f"c{number}") / "result.json").exists() for number in range(MANY)))
    await ending
    steps = [after - before for before, after in pairwise(ended)]
    assert max(steps) <= 20
    found = commands.all("box")
    assert len(found) == MANY
    lost = {name for name, result in found.items() if result is not None and result.lost}
    assert lost == {f"c{number}" for number in range(0, MANY, 2)}
    commands.close()


async def test_a_sandbox_without_commands_has_none_to_end(tmp_path: Path) -> None:
    await Commands(Layout(tmp_path)).end_unfinished("box")
