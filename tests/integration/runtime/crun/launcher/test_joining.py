"""A command that joins a sandbox by itself is what `crun exec` would have made of it."""

import asyncio
import ctypes
import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from loopyard.runtime import syscalls
from loopyard.runtime.crun.launcher import joining
from loopyard.runtime.crun.launcher.requests import JoinTarget
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


@pytest.mark.parametrize("user", [ROOT, User()])
@pytest.mark.usefixtures("crun")
async def test_no_descriptor_of_the_host_is_a_folder_to_start_in(make_box: MakeBox, user: User) -> None:
    box = await make_box(user=user)
    for kind in ("self/fd", "self/task/self/fd", "thread-self/fd"):
        for number in range(3, 16):
            ran = await box.run("sh", "-c", "pwd -P; ls", cwd=f"/proc/{kind}/{number}")
            assert (ran.status, ran.stdout) == (126, b""), ran
    for cwd in ("/proc/self/cwd", "/proc/self/root"):
        assert (await box.run("ls", cwd=cwd)).status == 126
    assert (await box.run("pwd", cwd="/proc/1/root/tmp")).text in ("/tmp", "")  # of root: the same folder


@pytest.mark.usefixtures("crun")
async def test_no_descriptor_of_the_host_is_a_folder_to_start_in_by_crun(make_box: MakeBox) -> None:
    box = await make_box(user=ROOT)
    for number in range(3, 16):
        said = await _by_crun(box, "ls -d ../../../../../../../dev/init; pwd -P", cwd=f"/proc/self/fd/{number}")
        assert said in ("", "../../../../../../../dev/init\n/"), said


def test_a_folder_outside_of_the_root_is_refused(tmp_path: Path) -> None:
    def enter() -> None:
        outside = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        (tmp_path / "proc").mkdir()
        syscalls.mount("proc", str(tmp_path / "proc"), "proc", 0)
        os.chroot(tmp_path)
        joining._enter("/proc")  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(joining.ProgramRefused, match=f"/proc/self/fd/{outside}"):
            joining._enter(f"/proc/self/fd/{outside}")  # pyright: ignore[reportPrivateUsage]

    assert _in_a_child(enter) == 0


async def test_who_joins_leaves_the_session_keyring_of_the_server(crun: CrunRuntime, make_box: MakeBox) -> None:
    box = await make_box()
    known = crun._running(box.id)  # pyright: ignore[reportPrivateUsage]
    traces = crun._where.of(box.id)  # pyright: ignore[reportPrivateUsage]
    own = _session_keyring()

    def join() -> None:
        target = JoinTarget(known.pid, known.start_ticks, str(traces.state), traces.cgroup, 1024, 500)
        joining.NamespaceExec(target)
        assert _session_keyring() not in (own, -1)

    def allow_all(_: bytes) -> None:
        """Stand in for the filter, which forbids to ask."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syscalls, "filter_calls", allow_all)
        assert _in_a_child(join) == 0
    assert _session_keyring() == own


def _in_a_child(act: Callable[[], None]) -> int:
    """Do it in a process of its own. Returns its exit status."""
    if (pid := os.fork()) == 0:
        status = 1
        try:
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _session_keyring() -> int:
    number = {"x86_64": 250}.get(os.uname().machine, 219)
    return ctypes.CDLL(None).syscall(ctypes.c_long(number), 0, ctypes.c_int(-3), 0)


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
