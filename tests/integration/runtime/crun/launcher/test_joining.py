"""A command that joins a sandbox by itself is what `crun exec` would have made of it."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from loopyard.runtime.crun.provider import CrunRuntime
from loopyard.runtime.protocol import CommandSpec, Limits, Runtime, User
from tests.integration.runtime.box import ROOT, Box, MakeBox

pytestmark = pytest.mark.anyio

_WHO_AM_I = """
grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Sig|NSpid)' /proc/self/status | grep -v NSpid
for kind in cgroup ipc mnt net pid pid_for_children user uts; do readlink /proc/self/ns/$kind; done
cat /proc/self/cgroup /proc/self/limits
umask; pwd; env | sort; ls /proc/self/fd; cut -d' ' -f5-8 /proc/self/stat | grep -c .
"""


@pytest.fixture
def crun(runtime: Runtime) -> CrunRuntime:
    if not isinstance(runtime, CrunRuntime):
        pytest.skip("other providers do not join sandboxes")
    return runtime


async def _by_crun(box: Box, script: str, **fields: object) -> str:
    """What a command says that crun itself starts: those that end with the server."""
    attached = await box.runtime.attach_command(box.id, CommandSpec("", ["sh", "-c", script], **fields))  # type: ignore[arg-type]
    said = b""
    os.set_blocking(attached.stdout, True)
    while part := await asyncio.to_thread(os.read, attached.stdout, 65536):
        said += part
    for descriptor in (attached.stdin, attached.stdout, attached.stderr):
        if descriptor is not None:
            os.close(descriptor)
    return said.decode().strip()


@pytest.mark.parametrize("user", [User(), ROOT, User("other", 1234)])
@pytest.mark.usefixtures("crun")
async def test_it_has_the_same_rights_limits_and_namespaces(make_box: MakeBox, user: User) -> None:
    box = await make_box(environment={"ONE": "1"}, user=user)
    asked = {"environment": {"TWO": "a=b"}}
    expected = await _by_crun(box, _WHO_AM_I, **asked)
    assert "Seccomp:\t2" in expected
    for _ in range(20):  # sooner or later by a helper that has been in the sandbox before
        assert (await box.run("sh", "-c", _WHO_AM_I, **asked)).text == expected
    assert await box.sure("cat /proc/self/oom_score_adj") == "500"  # of this, some versions of crun take no notice


@pytest.mark.usefixtures("crun")
async def test_it_is_in_the_cgroups_of_the_sandbox(make_box: MakeBox) -> None:
    box = await make_box(user=ROOT)
    first = _only("/dev/init", await box.sure("readlink /proc/1/ns/pid"))
    for _ in range(4):
        running = await box.start("sleep", "61")
        command = _only("sleep", await box.sure("readlink /proc/1/ns/pid"))
        assert (command / "cgroup").read_text() == (first / "cgroup").read_text()
        assert (command / "cgroup").read_text() != Path("/proc/self/cgroup").read_text()
        await box.runtime.signal_command(box.id, running, signal.SIGKILL, group=True)
        await box.end(running)


@pytest.mark.usefixtures("crun")
async def test_a_sandbox_with_all_the_processes_it_may_have_still_takes_a_command(make_box: MakeBox) -> None:
    box = await make_box(limits=Limits(pids=40))
    for _ in range(3):
        await box.sure("true")
    await box.run("sh", "-c", "while :; do sleep 1000 & done")
    await box.start("sleep", "1000")  # it takes the place of what has just ended
    assert (await box.run("sh", "-c", "sleep 0 & wait")).status == 2
    assert (await box.run("sh", "-c", "echo still here")).text == "still here"


async def test_who_waits_in_a_sandbox_cannot_be_seen_there_and_ends_with_it(
    crun: CrunRuntime, make_box: MakeBox
) -> None:
    box = await make_box(user=ROOT)
    for _ in range(20):  # more than twice the workers that there are, whichever takes the next
        await box.sure("true")
    await asyncio.sleep(0.1)
    assert await box.sure("cat /proc/[0-9]*/comm") == "init\ncat"
    mounts = await box.sure("readlink /proc/1/ns/mnt")
    await asyncio.sleep(0.1)
    held = [process for process in _everybody() if _namespace(process, "mnt") == mounts]
    # The sandbox's first process; besides it helpers, one for each worker that has started two commands in a row there.
    (_, *helpers) = sorted(held, key=lambda process: _program(process) != "/dev/init")
    assert helpers
    assert all("loopyard.runtime.crun.launcher" in (helper / "cmdline").read_text() for helper in helpers)
    await crun.destroy(box.id)
    for _ in range(100):
        if not any(_namespace(process, "mnt") == mounts for process in held):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("somebody is in the sandbox's namespaces still")


def _everybody() -> list[Path]:
    return list(Path("/proc").glob("[0-9]*"))


def _only(program: str, processes: str) -> Path:
    """The process of this program in a process namespace, as the host sees it."""
    inside = [process for process in _everybody() if _namespace(process, "pid") == processes]
    (found,) = (process for process in inside if _program(process) == program)
    return found


def _program(process: Path) -> str:
    return (process / "cmdline").read_text().split("\0")[0]


def _namespace(process: Path, kind: str) -> str | None:
    try:
        return str((process / "ns" / kind).readlink())
    except OSError:
        return None
