"""The users of an image, as its `/etc/passwd` and `/etc/group` name them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loopyard.runtime.protocol import User
from loopyard.runtime.syscalls import RESOLVE_IN_ROOT, openat2

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Account:
    """A user with numbers: what a process needs to run as them."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str

    def in_group(self, gid: int | None) -> "Account":
        """The same, with this group and no other; None changes nothing. So engines read `USER name:group`."""
        return self if gid is None else replace(self, gid=gid, groups=(gid,))


@dataclass(frozen=True, slots=True)
class Additions:
    """Changes to a root file system so that a user exists there: a row in each account file, by its path; folders to
    uids; and files to content and mode."""

    name: str
    uid: int
    rows: Mapping[str, str]
    folders: Mapping[str, int]
    files: Mapping[str, tuple[str, int]]


class Accounts:
    """Reads an image's users. `image` is the folder of its root file system."""

    def __init__(self, image: Path) -> None:
        self.passwd = _read(image, "etc/passwd")
        self.group = _read(image, "etc/group")
        self.has_bash = _exists(image, "bin/bash")
        self._found: dict[User, Account | None] = {}

    @classmethod
    def of(cls, passwd: str, group: str) -> "Accounts":
        """The users that the text of account files names."""
        made = cls.__new__(cls)
        made.passwd, made.group, made.has_bash, made._found = passwd, group, False, {}
        return made

    def find(self, user: User) -> Account | None:
        """The user by name, or else by number."""
        if user not in self._found:
            self._found[user] = self._find(user)
        return self._found[user]

    def _find(self, user: User) -> Account | None:
        rows = self._rows()
        named = [row for row in rows if row[0] == user.name]
        numbered = [row for row in rows if row[2] == str(user.uid)]
        row = next((row for row in named if int(row[2]) == user.uid), None) or next(iter(numbered), None)
        return None if row is None else self._account(row)

    def named(self, name: str) -> Account | None:
        """The user of this name, whatever the number."""
        row = next((row for row in self._rows() if row[0] == name), None)
        return None if row is None else self._account(row)

    def numbered(self, uid: int) -> Account | None:
        """The first user of this number."""
        row = next((row for row in self._rows() if int(row[2]) == uid), None)
        return None if row is None else self._account(row)

    def group_id(self, name: str) -> int | None:
        """The number of the group of this name."""
        rows = (line.split(":") for line in self.group.splitlines())
        return next((int(row[2]) for row in rows if len(row) >= 3 and row[0] == name and row[2].isdigit()), None)

    def _rows(self) -> list[list[str]]:
        rows = [row for line in self.passwd.splitlines() if len(row := line.split(":")) >= 7]
        return [row for row in rows if row[2].isdigit() and row[3].isdigit()]

    def _account(self, row: list[str]) -> Account:
        return Account(row[0], int(row[2]), int(row[3]), self._groups_of(row[0], int(row[3])), row[5] or "/", row[6])

    def _groups_of(self, name: str, gid: int) -> tuple[int, ...]:
        groups = {gid}
        for line in self.group.splitlines():
            row = line.split(":")
            if len(row) >= 4 and row[2].isdigit() and name in row[3].split(","):
                groups.add(int(row[2]))
        return tuple(sorted(groups))

    def add(self, user: User) -> tuple[Account, Additions]:
        """A user that the image lacks: with a group and a home of their own, and sudo without a password."""
        shell = "/bin/bash" if self.has_bash else "/bin/sh"
        account = Account(user.name, user.uid, user.uid, (user.uid,), user.home, shell)
        rows = {
            "etc/passwd": f"{user.name}:x:{user.uid}:{user.uid}::{user.home}:{shell}",
            "etc/group": f"{user.name}:x:{user.uid}:",
            "etc/shadow": f"{user.name}:*:19000:0:99999:7:::",
        }
        folders = {"etc/sudoers.d": 0, "home": 0, user.home.lstrip("/"): user.uid}
        files = {f"etc/sudoers.d/{user.name}": (f"{user.name} ALL=(ALL:ALL) NOPASSWD:ALL\n", 0o440)}
        return account, Additions(user.name, user.uid, rows, folders, files)


def _read(image: Path, path: str) -> str:
    try:
        top = os.open(image, os.O_RDONLY | os.O_DIRECTORY)
        try:
            file = openat2(top, path, os.O_RDONLY | os.O_NONBLOCK, 0, RESOLVE_IN_ROOT)
        finally:
            os.close(top)
        with os.fdopen(file, "rb") as stream:
            return stream.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _exists(image: Path, path: str) -> bool:
    top = os.open(image, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(openat2(top, path, os.O_PATH, 0, RESOLVE_IN_ROOT))
    except OSError:
        return False
    finally:
        os.close(top)
    return True
