"""A thread that could not take on another user's ids for files has its own again."""

import pytest

from loopyard.runtime.crun.exec import viewpoint
from loopyard.runtime.crun.exec.viewpoint import Viewpoint, acting_as
from loopyard.runtime.crun.sandbox.accounts import Account


def test_ids_that_were_taken_on_in_part_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    asked_for_groups: list[object] = []

    def set_ids(uid: int, gid: int) -> None:
        asked.append((uid, gid))
        if uid:
            raise PermissionError("setfsuid had no effect")

    monkeypatch.setattr(viewpoint, "set_fs_ids", set_ids)
    monkeypatch.setattr(viewpoint, "set_groups", asked_for_groups.append)
    view = Viewpoint(1, 1, 65536, Account("user", 1000, 1000, (), "/home/user", "/bin/bash"))
    with pytest.raises(PermissionError), acting_as(view):
        pass
    assert asked == [(66536, 66536), (0, 0)]
