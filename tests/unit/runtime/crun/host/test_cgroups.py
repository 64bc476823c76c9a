"""What is read of cgroups and written to them, in files as the kernel has them in both versions of their file system.

A machine has one of them only; the kernel's own is tried by
`tests/integration/runtime/conformance/serial/test_sandbox_limits.py` and `tests/slow/serial/blueprint/test_cpu.py`.
"""

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopyard.runtime.crun.building import enter
from loopyard.runtime.crun.host import cgroups, requirements
from loopyard.runtime.crun.launcher import grading
from loopyard.runtime.crun.launcher.requests import Content, Done, StopAll
from loopyard.runtime.crun.sandbox import usage
from loopyard.runtime.protocol import SandboxUsage

BUILD = "/loopyard/1/bpt_a"
V1 = ("memory", "cpu", "cpuacct", "pids", "unified")


@dataclass
class Tree:
    """A file system of cgroups in a folder, with one cgroup `BUILD`."""

    top: Path
    version: int

    def folder(self, controller: str) -> Path:
        return self.top / ("" if self.version == 2 else controller) / BUILD.lstrip("/")

    def write(self, controller: str, name: str, content: str) -> None:
        (self.folder(controller) / name).write_text(content)

    def killed(self, times: int) -> None:
        """The kernel has killed something for its memory."""
        if self.version == 2:
            self.write("memory", "memory.events", f"low 0\nhigh 0\nmax 12\noom 1\noom_kill {times}\noom_group_kill 0\n")
        else:
            self.write("memory", "memory.oom_control", f"oom_kill_disable 0\nunder_oom 0\noom_kill {times}\n")


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def tree(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    tree = Tree(tmp_path / "cgroup", request.param)
    for controller in V1 if tree.version == 1 else ("",):
        tree.folder(controller).mkdir(parents=True)
    if tree.version == 2:
        (tree.top / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    for module in (requirements, usage, enter):
        monkeypatch.setattr(module, "_CGROUPS", tree.top)
    monkeypatch.setattr(cgroups, "_TOP", tree.top)
    monkeypatch.setattr(grading, "_CGROUPS", str(tree.top))
    return tree


def test_the_version_is_told_by_the_file_that_only_the_second_has(tree: Tree) -> None:
    assert requirements.has_cgroup2() == (tree.version == 2)


def test_a_build_joins_the_cgroups_that_have_its_limits(tree: Tree) -> None:
    enter._join(BUILD)  # pyright: ignore[reportPrivateUsage]
    joined = {file.parent for file in tree.top.rglob("cgroup.procs")}
    assert joined == {tree.folder(controller) for controller in ("memory", "cpu", "pids")}
    assert {file.read_text() for file in tree.top.rglob("cgroup.procs")} == {str(os.getpid())}


@pytest.mark.parametrize("times", [0, 2])
def test_a_sandbox_that_was_killed_for_its_memory_is_known(tree: Tree, times: int) -> None:
    assert not requirements.out_of_memory(BUILD)  # nothing is there to be read
    tree.killed(times)
    assert requirements.out_of_memory(BUILD) == (times > 0)
    assert not requirements.out_of_memory("/loopyard/1/other")


def test_what_is_used_is_read_in_the_units_of_each(tree: Tree) -> None:
    tree.write("pids", "pids.current", "7\n")
    if tree.version == 2:
        tree.write("memory", "memory.current", "4096\n")
        tree.write("cpu", "cpu.stat", "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n")
    else:
        tree.write("memory", "memory.usage_in_bytes", "4096\n")
        tree.write("cpuacct", "cpuacct.usage", "2500000000\n")
    assert usage.usage(BUILD) == SandboxUsage(memory_bytes=4096, cpu_seconds=2.5, processes=7)
    assert usage.usage("/loopyard/1/other") is None


def test_all_folders_of_a_cgroup_are_found_and_removed(tree: Tree) -> None:
    (tree.folder("memory") / "below").mkdir()
    found = cgroups.folders(BUILD)
    assert set(found) == {tree.folder(controller) for controller in (V1 if tree.version == 1 else ("",))}
    cgroups.remove(BUILD)
    assert not any(folder.exists() for folder in found)


def test_swap_is_limited_where_the_kernel_counts_it(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swaps = tmp_path / "swaps"
    monkeypatch.setattr(requirements, "_SWAPS", swaps)
    assert not requirements.can_limit_swap()
    if tree.version == 2:
        swaps.write_text("Filename\tType\tSize\tUsed\tPriority\n")
    else:
        (tree.top / "memory" / "memory.memsw.limit_in_bytes").write_text("0\n")
    assert requirements.can_limit_swap()


def _sandbox(tree: Tree, bundle: Path, limit: int) -> None:
    """A sandbox in the cgroup, with its configuration; nothing runs in it."""
    bundle.mkdir()
    (bundle / "config.json").write_text(json.dumps({"linux": {"resources": {"pids": {"limit": limit}}}}))
    tree.write("pids", "cgroup.procs", "")
    tree.write("pids", "pids.current", "1\n")


def test_the_limit_on_processes_is_put_back_though_a_kill_left_it_at_nothing(tree: Tree, tmp_path: Path) -> None:
    _sandbox(tree, tmp_path / "bundle", 4096)
    tree.write("pids", "pids.max", "0")  # the worker was killed when the last process had just ended
    told: list[Content] = []

    def answer(content: Content, descriptors: Sequence[int] = ()) -> None:
        assert not descriptors
        told.append(content)

    grading.stop_all(answer, StopAll(str(tmp_path / "bundle"), BUILD, init=1, spare=[]))
    assert (tree.folder("pids") / "pids.max").read_text() == "4096"
    assert told == [Done()]


def _dying(tree: Tree, monkeypatch: pytest.MonkeyPatch, *, stubborn: int, seconds: float) -> None:
    """Three processes, of which one is gone after each kill that comes so many seconds later, but for the stubborn."""
    left, clock = [101, 102, 103], [0.0]

    def kill(pids: set[int], folder: str) -> None:
        assert (pids, folder) == (set(left), str(tree.folder("pids")))
        clock[0] += seconds
        if len(left) > stubborn:
            left.pop()
        tree.write("pids", "cgroup.procs", "\n".join(map(str, [1, *left])))

    monkeypatch.setattr(cgroups, "kill", kill)
    monkeypatch.setattr(grading.time, "monotonic", lambda: clock[0])
    tree.write("pids", "cgroup.procs", "1\n101\n102\n103\n")


def test_processes_that_die_slowly_are_waited_for_as_long_as_they_become_fewer(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sandbox(tree, tmp_path / "bundle", 4096)
    _dying(tree, monkeypatch, stubborn=0, seconds=15)
    told: list[Content] = []

    def answer(content: Content, descriptors: Sequence[int] = ()) -> None:
        assert not descriptors
        told.append(content)

    grading.stop_all(answer, StopAll(str(tmp_path / "bundle"), BUILD, init=1, spare=[]))
    assert told == [Done()]


def test_processes_that_do_not_die_are_told(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _sandbox(tree, tmp_path / "bundle", 4096)
    _dying(tree, monkeypatch, stubborn=2, seconds=5)
    with pytest.raises(OSError, match="2 processes cannot be ended"):
        grading.stop_all(_tell_nobody, StopAll(str(tmp_path / "bundle"), BUILD, init=1, spare=[]))
    assert (tree.folder("pids") / "pids.max").read_text() == "4096"


def _tell_nobody(content: Content, descriptors: Sequence[int] = ()) -> None:
    raise AssertionError("it is not done")


def test_many_processes_are_killed_after_one_look_at_their_cgroup(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def listed(folder: Path) -> set[int]:
        nonlocal looks
        looks += 1
        assert folder == tree.folder("pids")
        return set()

    monkeypatch.setattr(cgroups, "listed", listed)
    cgroups.kill(range(4194304, 4194304 + 4096), tree.folder("pids"))
    assert 1 <= looks <= 16


@pytest.mark.parametrize("is_listed", [True, False])
def test_only_a_process_that_is_in_the_cgroup_still_is_killed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, is_listed: bool
) -> None:
    killed: list[int] = []

    def send(process: int, number: int) -> None:
        assert f"Pid:\t{os.getpid()}\n" in Path(f"/proc/self/fdinfo/{process}").read_text()
        killed.append(number)

    monkeypatch.setattr(signal, "pidfd_send_signal", send)
    tree.write("pids", "cgroup.procs", f"1\n{os.getpid()}\n" if is_listed else "1\n")
    cgroups.kill([os.getpid()], tree.folder("pids"))
    assert killed == ([signal.SIGKILL] if is_listed else [])


def test_a_number_that_nobody_has_is_killed_by_nobody(tree: Tree) -> None:
    tree.write("pids", "cgroup.procs", "4194305\n")
    cgroups.kill([4194305], tree.folder("pids"))
