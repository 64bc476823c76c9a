"""Starts a program in a sandbox that runs, as `crun exec` does, without starting crun for it.

It goes one way: a process that has begun to join a sandbox is good for nothing else. No file of the sandbox is read by
this process's Python, and nothing is imported once it has begun.
"""

import contextlib
import errno
import os
import resource
import signal
import stat
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from loopyard.runtime import syscalls
from loopyard.runtime.crun.launcher.requests import JoinTarget
from loopyard.runtime.proc import start_ticks

_NAMESPACES = (
    syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWCGROUP
)
_DEFAULT_SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
_UMASK = 0o022

_CAPABILITIES: list[str] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
]
"""In the order of their numbers (capability.h)."""


class ProgramRefused(Exception):
    """The program cannot be started, and that is due to what was asked, or to what is in the sandbox. `not_started`
    is false where rights or the form of what is in the sandbox are in the way: the folder to start it in cannot be
    entered, or the program may not be executed."""

    def __init__(self, exit_status: int, message: str, *, not_started: bool = True) -> None:
        super().__init__(message)
        self.exit_status = exit_status
        self.not_started = not_started


class SandboxFull(BlockingIOError):
    """The sandbox has all the processes that it may have. crun may still be able to start one more."""


class NamespaceExec:
    """This process, in a sandbox: with all rights that the sandbox's root could have, but not yet among what counts
    against its limits. In the sandbox nobody sees it, since it keeps its own process namespace; only what it starts is
    in the sandbox's.
    """

    def __init__(self, sandbox: JoinTarget) -> None:
        """Join a sandbox.

        Raises:
            OSError: The host does not let this process join.
        """
        self.first = os.pidfd_open(sandbox.pid)
        """A descriptor of the sandbox's first process."""
        if start_ticks(sandbox.pid) != sandbox.ticks:
            raise ProcessLookupError("the sandbox is gone")
        with open(f"{sandbox.state}/seccomp.bpf", "rb") as file:
            judge = file.read()
        self._cgroups = [os.open(f"{top}{sandbox.cgroup}/cgroup.procs", os.O_WRONLY) for top in _hierarchies()]
        self._counting = os.open(f"{_counting_hierarchy()}{sandbox.cgroup}", os.O_PATH | os.O_DIRECTORY)
        _limit(sandbox.open_files, sandbox.oom_score)
        syscalls.set_dumpable(dumpable=False)
        _leave_session_keyring()
        os.umask(_UMASK)
        syscalls.setns(self.first, _NAMESPACES)
        syscalls.filter_calls(judge)

    def spawn(self, process: Mapping[str, Any], streams: Sequence[int]) -> int:
        """Start a program there, as this process's last act.

        Args:
            process: As in OCI's `process.json`: `args`, `env`, `cwd`, `user` and `capabilities`. Where it has
                `entered`, `args` and `cwd` in there are taken instead, and the folder is entered with the rights of the
                user.
            streams: Its standard input, output and error.

        Returns its process id, in this process's own namespace.

        Raises:
            ProgramRefused: The program cannot be started.
            SandboxFull: The sandbox has all the processes that it may have.
            OSError: The host does not let it be started.
        """
        environment = dict(variable.split("=", 1) for variable in process["env"])
        bounding, held = (_bits(process["capabilities"].get(kind, ())) for kind in ("bounding", "effective"))
        user = process["user"]
        syscalls.hand_on_none_from(3)
        for cgroup in self._cgroups:
            os.write(cgroup, b"0")
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        _enter(process["cwd"])
        syscalls.drop_from_bounding(number for number in range(_last_capability() + 1) if not bounding >> number & 1)
        os.setgroups(user.get("additionalGids", ()))
        os.setresgid(user["gid"], user["gid"], user["gid"])
        os.setresuid(user["uid"], user["uid"], user["uid"])
        syscalls.set_capabilities(held)
        entered: Mapping[str, Any] | None = process.get("entered")
        if entered is not None:
            _enter(entered["cwd"])
        argv: list[str] = (entered or process)["args"]
        try:
            return _start(argv, environment, streams)
        except BlockingIOError as error:
            if not self._has_all_processes():
                raise
            raise SandboxFull(error.errno, f"{argv[0]}: fork: {error.strerror}") from error

    def _has_all_processes(self) -> bool:
        """True if the sandbox has as many processes as it may have."""
        most, now = (self._read_count(name) for name in ("pids.max", "pids.current"))
        return most is not None and now is not None and now >= most

    def _read_count(self, name: str) -> int | None:
        file = os.open(name, os.O_RDONLY, dir_fd=self._counting)
        try:
            content = os.read(file, 64).strip()
            return int(content) if content.isdigit() else None
        finally:
            os.close(file)


def warm_up() -> None:
    """Do beforehand all that changes nothing: a forked process copies the memory that it touches first."""
    for top in _hierarchies():
        os.close(os.open(f"{top}/cgroup.procs", os.O_WRONLY))
    environment = {"PATH": "/usr/bin"}
    with open("/proc/self/oom_score_adj") as file:
        _limit(resource.getrlimit(resource.RLIMIT_NOFILE)[1], int(file.read()))
    start_ticks(os.getpid())
    syscalls.set_dumpable(dumpable=True)
    with contextlib.suppress(OSError):
        _leave_session_keyring()
    syscalls.drop_from_bounding(number for number in range(_last_capability() + 1) if number < 0)
    os.setgroups(os.getgroups())
    os.setresgid(-1, -1, -1)
    os.setresuid(-1, -1, -1)
    _bits(["CAP_CHOWN"])
    _enter("/")
    with contextlib.suppress(ProgramRefused):
        _start(["/"], environment, (0, 1, 2))


def _limit(open_files: int, oom_score: int) -> None:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(oom_score))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))


def _leave_session_keyring() -> None:
    """Have a session keyring that nobody else has: the server's may hold keys of its operator's login."""
    try:
        syscalls.join_new_session_keyring()
    except OSError as error:
        if error.errno != errno.ENOSYS:  # a kernel without keys
            raise


def _enter(folder: str) -> None:
    """Change to a folder of the sandbox.

    Raises:
        ProgramRefused: That is not possible, or it is a folder outside of the sandbox: a path such as /proc/self/fd/7
            may lead to one by a descriptor (CVE-2024-21626). The kernel then has no path for it from the root.
    """
    try:
        os.chdir(folder)
        is_inside = os.getcwd().startswith("/")
    except OSError as error:
        raise ProgramRefused(126, f"{folder}: {error.strerror}", not_started=False) from error
    if not is_inside:
        raise ProgramRefused(126, f"{folder}: not in the sandbox", not_started=False)


def _start(argv: list[str], environment: Mapping[str, str], streams: Sequence[int]) -> int:
    program = _program(argv[0], environment.get("PATH", ""))
    actions = [(os.POSIX_SPAWN_DUP2, descriptor, target) for target, descriptor in enumerate(streams)]
    try:
        return os.posix_spawn(
            program, argv, environment, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
        )
    except OSError as error:
        if error.errno == errno.EAGAIN:
            raise
        not_started = error.errno in (errno.E2BIG, errno.ENOENT)  # else its own rights or form are in the way
        raise ProgramRefused(126, f"{argv[0]}: {error.strerror}", not_started=not_started) from error
    except ValueError as error:
        raise ProgramRefused(126, f"{argv[0]}: {error}") from error


def _program(name: str, path: str) -> str:
    """Where the program is, as a shell would look for it. Raises ProgramRefused."""
    found = [name] if "/" in name else [f"{folder or '.'}/{name}" for folder in path.split(":")]
    closed = False
    for candidate in found:
        if os.access(candidate, os.X_OK) and not stat.S_ISDIR(os.stat(candidate).st_mode):
            return candidate
        closed |= _is_closed(candidate)
    if closed:
        raise ProgramRefused(126, f"{name}: Permission denied", not_started=False)
    raise ProgramRefused(127, f"{name}: not found")


def _is_closed(path: str) -> bool:
    """True if there is something, or a folder on the way to it that cannot be entered."""
    try:
        os.lstat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _bits(names: Sequence[str]) -> int:
    return sum(1 << _CAPABILITIES.index(name.removeprefix("CAP_")) for name in names)


@cache
def _last_capability() -> int:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return int(file.read())


@cache
def _hierarchies() -> tuple[str, ...]:
    """Where cgroups are mounted: the hierarchy of version 2 if it is the only one, else those of version 1."""
    kinds: dict[str, list[str]] = {"cgroup": [], "cgroup2": []}
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            kind = after.split(" ", 1)[0]
            if kind in kinds:
                kinds[kind].append(before.split(" ")[4])
    return tuple(kinds["cgroup"] or kinds["cgroup2"])


@cache
def _counting_hierarchy() -> str:
    """The hierarchy in which the kernel limits the number of processes."""
    tops = _hierarchies()
    return next((top for top in tops if "pids" in os.path.basename(top).split(",")), tops[0])
