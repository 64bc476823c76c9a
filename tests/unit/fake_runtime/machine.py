"""A machine in memory: one disk, the processes on it, and how programs are found and started."""

import errno
import os
import posixpath

from tests.unit.fake_runtime.disk import SEARCH, Disk, File, Folder, Who, allows, fail
from tests.unit.fake_runtime.process import Body, Process

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Machine:
    """What the processes of one sandbox share. Ends with `stop`."""

    def __init__(self, disk: Disk, hostname: str) -> None:
        self.disk = disk
        self.hostname = hostname
        self.processes: dict[int, Process] = {}
        self._last_pid = 1  # that of the first process, which does nothing here

    def next_pid(self) -> int:
        self._last_pid += 1
        return self._last_pid

    def signal_group(self, group: int, number: int) -> None:
        for process in list(self.processes.values()):
            if process.group == group:
                process.signal(number)

    def stop(self) -> None:
        """Kill everything."""
        for process in list(self.processes.values()):
            process.signal(9)


def load(process: Process, argv: list[str]) -> tuple[Body, list[str]]:
    """What a command line runs, and its arguments, which a script's interpreter comes before.

    Raises:
        OSError: It cannot be run: ENOENT, EACCES or ENOEXEC.
    """
    from tests.unit.fake_runtime.programs import PROGRAMS

    place = find(process, argv[0])
    file = process.disk.get(place, process.who)
    if isinstance(file, Folder) or not isinstance(file, File) or not allows(file, process.who, SEARCH):
        fail(errno.EACCES, argv[0])
    if file.program is not None:
        return PROGRAMS[file.program], argv
    if file.data.startswith(b"#!"):
        line = file.data[2:].partition(b"\n")[0].decode()
        return load(process, [*line.split(maxsplit=1), place, *argv[1:]])
    return load(process, ["/bin/sh", place, *argv[1:]])


def find(process: Process, name: str) -> str:
    """Where a program is. Raises OSError (ENOENT)."""
    if "/" in name:
        return process.path(name)
    for folder in process.environment.get("PATH", PATH).split(":"):
        place = posixpath.join(folder, name)
        try:
            file = process.disk.get(process.path(place), process.who)
        except OSError:
            continue
        if isinstance(file, File) and file.mode & 0o111:
            return process.path(place)
    return fail(errno.ENOENT, name)


async def execute(process: Process, argv: list[str]) -> int:
    """Be a program: the status it ends with, or 127 and 126 with the reason where there is none."""
    try:
        body, process.argv = load(process, argv)
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        reason = "command not found" if missing and "/" not in argv[0] else os.strerror(error.errno or 0)
        await process.complain(f"{argv[0]}: {reason}")
        return 127 if missing else 126
    return await body(process)


def enter(process: Process, folder: str) -> None:
    """Make a folder the process's own. Raises OSError."""
    found = process.disk.folder(process.path(folder), process.who)
    if not allows(found, process.who, SEARCH):
        fail(errno.EACCES, folder)
    process.cwd = posixpath.normpath(process.path(folder))


def who_is(disk: Disk, name: str) -> tuple[Who, str, str] | None:
    """A user by name or number, their name, and their home."""
    for line in disk.file("/etc/passwd").data.decode().splitlines():
        known = line.split(":")
        if name in (known[0], known[2]):
            return Who(int(known[2]), int(known[3])), known[0], known[5]
    return None


def name_of(disk: Disk, number: int, *, group: bool = False) -> str:
    """The name of a user or a group, or the number where there is none."""
    file = "/etc/group" if group else "/etc/passwd"
    for line in disk.file(file).data.decode().splitlines():
        known = line.split(":")
        if known[2] == str(number):
            return known[0]
    return str(number)
