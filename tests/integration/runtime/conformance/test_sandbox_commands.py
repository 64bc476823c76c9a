"""How commands start, what they see, and how they end."""

import asyncio
import hashlib

import pytest

from loopyard.runtime.errors import CommandNotFound
from loopyard.runtime.protocol import CommandResult
from tests.integration.runtime.box import ROOT, Box, MakeBox

pytestmark = pytest.mark.anyio


async def test_arguments_arrive_as_they_are(box: Box) -> None:
    odd = ["a b", "", "$HOME", "'\"\\", "*", "-n", "ä\n\tö", "%s"]
    ran = await box.run("python3", "-c", "import sys; print(repr(sys.argv[1:]))", *odd)
    assert ran.text == repr(odd)


@pytest.mark.semantic
@pytest.mark.parametrize("status", [0, 1, 3, 127, 255])
async def test_the_exit_status_is_the_commands_own(box: Box, status: int) -> None:
    assert (await box.shell(f"exit {status}")).result == CommandResult(exit_status=status)


@pytest.mark.semantic
@pytest.mark.parametrize(("name", "number"), [("TERM", 15), ("KILL", 9), ("SEGV", 11)])
async def test_a_death_by_signal_is_told_as_a_shell_tells_it(box: Box, name: str, number: int) -> None:
    assert (await box.shell(f"kill -{name} $$")).result == CommandResult(exit_status=128 + number)


@pytest.mark.semantic
async def test_a_command_starts_in_the_users_home_with_their_environment(box: Box) -> None:
    assert await box.sure("pwd; id -un; id -u; id -g; echo $HOME $USER $SHELL; umask") == (
        "/home/user\nuser\n1000\n1000\n/home/user user /bin/bash\n0022"
    )


@pytest.mark.semantic
async def test_a_command_as_root_starts_in_roots_home(box: Box) -> None:
    assert await box.sure("pwd; id -u; echo $HOME $USER", user=ROOT) == "/root\n0\n/root root"


@pytest.mark.semantic
async def test_a_commands_environment_comes_on_top_of_the_sandboxes(make_box: MakeBox) -> None:
    box = await make_box(environment={"ONE": "box", "TWO": "box", "HOME": "/tmp"})
    ran = await box.run("sh", "-c", "echo $ONE $TWO $THREE $HOME", environment={"TWO": "command", "THREE": "a=b c"})
    assert ran.text == "box command a=b c /tmp"


@pytest.mark.semantic
async def test_a_command_starts_where_it_is_told(box: Box) -> None:
    await box.sure("mkdir '/tmp/a folder'")
    assert await box.sure("pwd", cwd="/tmp/a folder") == "/tmp/a folder"


@pytest.mark.semantic
async def test_a_missing_program_is_127_with_the_reason(box: Box) -> None:
    for program in ("no-such-program", "/no/such/program", "./none"):
        ran = await box.run(program, "argument")
        assert (ran.status, ran.result.lost) == (127, False)
        assert ran.stdout == b""
        assert b"no such file" in ran.stderr.lower() or b"not found" in ran.stderr.lower()


@pytest.mark.semantic
async def test_a_program_that_may_not_run_is_126_with_the_reason(box: Box) -> None:
    await box.write("/home/user/data", b"#!/bin/sh\n", mode=0o644)
    ran = await box.run("/home/user/data")
    assert (ran.status, ran.result.lost) == (126, False)
    assert b"permission denied" in ran.stderr.lower()


@pytest.mark.semantic
async def test_a_missing_folder_to_start_in_is_told(box: Box) -> None:
    ran = await box.run("true", cwd="/no/such/folder")
    assert (ran.status in (126, 127), ran.result.lost) == (True, False)
    assert b"/no/such/folder" in ran.stderr


@pytest.mark.semantic
async def test_a_folder_that_is_not_the_users_to_enter_stays_closed(box: Box) -> None:
    for command in (["ls", "."], ["true"]):
        ran = await box.run(*command, cwd="/root")
        assert (ran.status, ran.result.lost) == (126, False), command
        assert b"permission denied" in ran.stderr.lower()
        assert b"/root" in ran.stderr


@pytest.mark.semantic
async def test_a_command_id_that_was_used_runs_once(box: Box) -> None:
    for _ in range(3):
        assert (await box.shell("echo run >> runs; cat runs", id="once")).stdout == b"run\n"
    await asyncio.gather(*(box.start("sh", "-c", "echo run >> many; sleep 0.2", id="at-once") for _ in range(5)))
    await box.end("at-once")
    assert await box.sure("cat many") == "run"


@pytest.mark.semantic
async def test_starting_returns_before_the_command_ends(box: Box) -> None:
    async with asyncio.timeout(60):
        command_id = await box.start("sleep", "1000")
    assert (await box.runtime.commands(box.id))[command_id] is None


@pytest.mark.semantic
async def test_all_commands_are_listed(box: Box) -> None:
    ended = await box.start("false")
    await box.end(ended)
    running = await box.start("sleep", "1000")
    assert await box.runtime.commands(box.id) == {ended: CommandResult(exit_status=1), running: None}


@pytest.mark.semantic
async def test_many_commands_at_once_all_end_with_their_own_output(box: Box) -> None:
    rans = await asyncio.gather(*(box.shell(f"echo {number}; exit {number}") for number in range(30)))
    assert [(ran.text, ran.status) for ran in rans] == [(str(number), number) for number in range(30)]


@pytest.mark.semantic
async def test_commands_that_do_not_end_keep_no_others_waiting(box: Box) -> None:
    await box.sure("mkfifo gate")
    waiting = await asyncio.gather(*(box.start("sh", "-c", "read line < gate; echo $line") for _ in range(40)))
    assert await box.sure("echo through") == "through"
    opening = await box.start("sh", "-c", "while sleep 0.01; do echo open > gate; done", timeout_seconds=60)
    ended = await asyncio.gather(*(box.end(command) for command in waiting))
    assert {result.exit_status for result in ended} == {0}
    await box.runtime.signal_command(box.id, opening, 9)


@pytest.mark.semantic
async def test_several_may_wait_for_one_command(box: Box) -> None:
    command_id = await box.start("sh", "-c", "sleep 0.3; exit 4")
    results = await asyncio.gather(*(box.end(command_id) for _ in range(5)))
    assert {result.exit_status for result in results} == {4}


@pytest.mark.semantic
async def test_what_is_asked_of_an_unknown_command_is_told(box: Box) -> None:
    runtime = box.runtime
    with pytest.raises(CommandNotFound):
        await runtime.wait_command(box.id, "unknown")
    with pytest.raises(CommandNotFound):
        await runtime.read_output(box.id, "unknown", "stdout")
    with pytest.raises(CommandNotFound):
        await runtime.output_size(box.id, "unknown", "stdout")
    with pytest.raises(CommandNotFound):
        await runtime.wait_output(box.id, "unknown", "stdout", 0, 1)
    with pytest.raises(CommandNotFound):
        await runtime.write_stdin(box.id, "unknown", b"")
    with pytest.raises(CommandNotFound):
        await runtime.signal_command(box.id, "unknown", 15)


@pytest.mark.semantic
async def test_without_standard_input_there_is_nothing_to_read(box: Box) -> None:
    assert (await box.shell("cat; echo end")).stdout == b"end\n"


@pytest.mark.semantic
async def test_input_is_written_piece_by_piece_and_closed(box: Box) -> None:
    command_id = await box.start("cat", attach_stdin=True)
    await box.runtime.write_stdin(box.id, command_id, b"one\n")
    assert await box.until_said(command_id, b"one\n") == b"one\n"
    await box.runtime.write_stdin(box.id, command_id, b"t\xff\x00wo\n")
    await box.runtime.write_stdin(box.id, command_id, b"three", eof=True)
    assert (await box.end(command_id)).exit_status == 0
    assert await box.output(command_id) == b"one\nt\xff\x00wo\nthree"
    with pytest.raises(CommandNotFound):
        await box.runtime.write_stdin(box.id, command_id, b"late")


@pytest.mark.semantic
async def test_much_input_arrives_whole(box: Box) -> None:
    command_id = await box.start("sh", "-c", "sleep 0.5; sha256sum", attach_stdin=True)
    part = bytes(range(256)) * 4096
    for _ in range(8):
        await box.runtime.write_stdin(box.id, command_id, part)
    await box.runtime.write_stdin(box.id, command_id, b"", eof=True)
    await box.end(command_id)
    assert (await box.output(command_id)).split()[0].decode() == hashlib.sha256(part * 8).hexdigest()


@pytest.mark.semantic
async def test_no_input_can_be_written_where_none_is_attached(box: Box) -> None:
    command_id = await box.start("sleep", "100")
    with pytest.raises(CommandNotFound):
        await box.runtime.write_stdin(box.id, command_id, b"hello")
