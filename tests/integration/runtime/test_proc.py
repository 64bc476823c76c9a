"""Signals to groups of processes reach the group of that very process, and never the caller's own."""

import os
import signal
import subprocess
import time
from collections.abc import Generator

import pytest

from loopyard.runtime import proc

_LEADER_AND_CHILD = ("sh", "-c", "sleep 60 & echo $!; wait")


@pytest.fixture
def leader() -> Generator[subprocess.Popen[str]]:
    """The first process of a group of its own, in which another runs."""
    process = subprocess.Popen(_LEADER_AND_CHILD, stdout=subprocess.PIPE, text=True, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def _child(leader: subprocess.Popen[str]) -> int:
    assert leader.stdout is not None
    return int(leader.stdout.readline())


def _is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            if proc.stat_fields(pid)[0] in (b"Z", b"X"):
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("kernel", ["of this host", "before 6.9"])
def test_the_whole_group_gets_it(leader: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch, kernel: str) -> None:
    if kernel == "before 6.9":
        monkeypatch.setattr(proc, "_TO_GROUP", 1 << 30)  # which no kernel knows
    child = _child(leader)
    proc.kill_group(leader.pid, signal.SIGKILL)
    assert leader.wait(5) == -signal.SIGKILL
    assert _is_gone(child)


def test_the_group_of_one_that_is_not_its_first_gets_it(leader: subprocess.Popen[str]) -> None:
    proc.kill_group(_child(leader), signal.SIGKILL)
    assert leader.wait(5) == -signal.SIGKILL


def test_one_that_has_the_number_of_another_gets_nothing(leader: subprocess.Popen[str]) -> None:
    ticks = proc.start_ticks(leader.pid)
    with pytest.raises(ProcessLookupError):
        proc.send_signal(leader.pid, ticks - 1, signal.SIGKILL)
    assert leader.poll() is None
    proc.send_signal(leader.pid, ticks, signal.SIGTERM)
    assert leader.wait(5) == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        proc.send_signal(leader.pid, ticks, signal.SIGTERM)


def test_the_own_group_and_one_that_is_gone_get_nothing(leader: subprocess.Popen[str]) -> None:
    with pytest.raises(ProcessLookupError):
        proc.kill_group(os.getpid(), signal.SIGKILL)
    leader.kill()
    leader.wait()
    with pytest.raises(ProcessLookupError):
        proc.kill_group(leader.pid, signal.SIGKILL)
