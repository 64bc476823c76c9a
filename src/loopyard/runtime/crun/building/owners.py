"""Users and groups that instructions name, as the account files of an image know them."""

from dataclasses import replace

from loopyard.runtime.crun.building.merged import Merged
from loopyard.runtime.crun.host.uids import UIDS
from loopyard.runtime.crun.sandbox.accounts import Account, Accounts
from loopyard.runtime.images import BuildFailed


def accounts_of(files: Merged) -> Accounts:
    """The users of a root file system."""
    return Accounts.of(files.read("etc/passwd"), files.read("etc/group"))


def account(named: str, files: Merged) -> Account:
    """Find who a RUN is run as: `user`, or `user:group`, by names or numbers; root for nothing.

    Raises:
        BuildFailed: The image does not know them, or a number is larger than sandboxes have.
    """
    user, _, group = named.partition(":")
    known = accounts_of(files)
    gid = None if not group else group_id(group, known)
    number = _number(user, "user") if user.isdigit() else None
    if not user:
        number = 0
    found = known.named(user) or (known.numbered(number) if number is not None else None)
    if found is None:
        if number is None:
            raise BuildFailed("build_failed", f"USER names {user}, whom /etc/passwd of the image does not have.")
        found = Account("root" if number == 0 else user, number, 0, (0,), "/root" if number == 0 else "/", "/bin/sh")
    _check(found.uid, "user")
    if gid is not None:
        return found.in_group(gid)
    others = tuple(one for one in found.groups if one != found.gid)  # engines do not name the first one twice
    return replace(found, groups=others) if others else found


def owner(named: str, files: Merged) -> tuple[int, int]:
    """The numbers of `--chown`.

    Raises:
        BuildFailed: The image does not know them, or a number is larger than sandboxes have.
    """
    user, _, group = named.partition(":")
    known = accounts_of(files)
    if user.isdigit():
        uid = _number(user, "user")
        gid = uid if not group else group_id(group, known)
        return uid, gid
    found = known.named(user)
    if found is None:
        raise BuildFailed("build_failed", f"--chown names {user}, whom /etc/passwd of the image does not have.")
    return _check(found.uid, "user"), found.gid if not group else group_id(group, known)


def group_id(named: str, known: Accounts) -> int:
    found = known.group_id(named)
    if found is not None:
        return _check(found, "group")
    if named.isdigit():
        return _number(named, "group")
    raise BuildFailed("build_failed", f"The group {named} is not in /etc/group of the image.")


def _number(text: str, what: str) -> int:
    return _check(int(text[:20]), what)


def _check(number: int, what: str) -> int:
    if number >= UIDS:
        message = f"The {what} id {number} is too large: sandboxes have ids up to {UIDS - 1}."
        raise BuildFailed("build_failed", message)
    return number
