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


def test_a_worker_has_the_file_of_the_lock_open_only_while_it_acts(tmp_path: Path) -> None:
    lock = tmp_path / "acts.lock"
    acts = Acts(str(lock))
    for _ in range(2):
        before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the one that is listed here is of the list itself
        with acts.begin(harmless=False):
            assert not _is_free(lock)
            (during,) = set(os.listdir("/proc/self/fd")) - before  # noqa: PTH208
            assert os.path.samefile(f"/proc/self/fd/{during}", lock)  # noqa: PTH121
            assert not os.get_inheritable(int(during))
        assert _is_free(lock)
        assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_an_act_that_fails_lets_go_too(tmp_path: Path) -> None:
    acts = Acts(str(tmp_path / "acts.lock"))
    with pytest.raises(LookupError), acts.begin(harmless=False):
        raise LookupError
    acts.wait_for_others()
