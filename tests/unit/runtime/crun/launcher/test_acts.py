"""The lock of an act is let go of with the act."""

import fcntl
import os
from pathlib import Path

import pytest

from loopyard.runtime.crun.launcher.acts import Acts


def _is_free(lock: Path) -> bool:
    file = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def _open() -> set[int]:
    """The descriptors that are open, but for the one that lists them."""
    found = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return {number for number in found if Path(f"/proc/self/fd/{number}").exists()}


def test_a_worker_has_the_file_of_the_lock_open_only_while_it_acts(tmp_path: Path) -> None:
    lock = tmp_path / "acts.lock"
    acts = Acts(str(lock))
    for _ in range(2):
        before = _open()
        with acts.begin(harmless=False):
            assert not _is_free(lock)
            (during,) = _open() - before
            assert os.path.samefile(f"/proc/self/fd/{during}", lock)  # noqa: PTH121
            assert not os.get_inheritable(during)
        assert _is_free(lock)
        assert _open() == before


def test_an_act_that_fails_lets_go_too(tmp_path: Path) -> None:
    acts = Acts(str(tmp_path / "acts.lock"))
    with pytest.raises(LookupError), acts.begin(harmless=False):
        raise LookupError
    acts.wait_for_others()
