"""The groups that a user has in a sandbox that runs: those of a login there now, not only those of the image."""

import os
import stat
from dataclasses import dataclass

from loopyard.runtime.crun.host.uids import UIDS
from loopyard.runtime.crun.sandbox.accounts import Account
from loopyard.runtime.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

_MOST_BYTES = 64 << 10
"""A larger file is not looked at: each command waits for this."""

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS


@dataclass(frozen=True, slots=True)
class KnownGroups:
    """The groups of the user called `name`, as the file of this version told them."""

    name: str
    version: tuple[int, ...]
    groups: tuple[int, ...]


def groups_now(pid: int, account: Account, known: KnownGroups | None) -> KnownGroups | None:
    """The groups of a user by `/etc/group` of the sandbox whose first process is `pid`. `known` is what was read last.

    None where that is no ordinary file, is too large, or cannot be read.
    """
    try:
        top = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            file = openat2(top, "etc/group", _FLAGS, 0, _RESOLVE)
        finally:
            os.close(top)
    except OSError:
        return None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            return None
        version = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if known is not None and (known.name, known.version) == (account.name, version):
            return known
        content = os.pread(file, _MOST_BYTES, 0)
    except OSError:
        return None
    finally:
        os.close(file)
    return KnownGroups(account.name, version, _groups(content, account))


def _groups(content: bytes, account: Account) -> tuple[int, ...]:
    name, groups = account.name.encode(), {account.gid}
    for row in (line.split(b":") for line in content.splitlines()):
        if len(row) >= 4 and row[2].isdigit() and len(row[2]) <= 5 and name in row[3].split(b","):
            groups.add(int(row[2]))
    return tuple(sorted(group for group in groups if group < UIDS))
