"""The users of an image, as its `/etc/passwd` and `/etc/group` name them."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from loopyard.runtime.crun.syscalls import RESOLVE_IN_ROOT, openat2
from loopyard.runtime.protocol import User

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


@dataclass(slots=True)
class Additions:
    """What must be put into a root file system so that a user exists there: path to (content, mode), folder to uid."""

    files: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    folders: dict[str, int] = field(default_factory=dict[str, int])


class Accounts:
    """Reads an image's users. `image` is the folder of its root file system."""

    def __init__(self, image: Path) -> None:
        self.passwd = _read(image, "etc/passwd")
        self.group = _read(image, "etc/group")
        self._shadow = _read(image, "etc/shadow")
        self.has_bash = _exists(image, "bin/bash")
        self._found: dict[User, Account | None] = {}

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
        row = f"{user.name}:x:{user.uid}:{user.uid}::{user.home}:{shell}"
        files = {
            "etc/passwd": (_with_line(_without(self.passwd, user.name), row), 0o644),
            "etc/group": (_with_line(_without(self.group, user.name), f"{user.name}:x:{user.uid}:"), 0o644),
        }
        if self._shadow:
            files["etc/shadow"] = (
                _with_line(_without(self._shadow, user.name), f"{user.name}:*:19000:0:99999:7:::"),
                0o640,
            )
        folders = {"etc/sudoers.d": 0, "home": 0, user.home.lstrip("/"): user.uid}
        files[f"etc/sudoers.d/{user.name}"] = (f"{user.name} ALL=(ALL:ALL) NOPASSWD:ALL\n", 0o440)
        return account, Additions(files, folders)


def _with_line(text: str, line: str) -> str:
    return f"{text.rstrip()}\n{line}\n".lstrip()


def _without(text: str, name: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(f"{name}:"))


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
