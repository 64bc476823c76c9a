"""A server that ends without sandboxes leaves no rules and no cgroups on the host."""

import os
import subprocess
from pathlib import Path

import pytest

from loopyard.kit.ids import new_id
from loopyard.runtime.config import CrunConfig
from loopyard.runtime.crun.host import cgroups
from loopyard.runtime.crun.opening import open_crun
from loopyard.runtime.crun.provider import CrunRuntime
from loopyard.runtime.protocol import SandboxSpec
from tests.integration.runtime.box import Box

pytestmark = pytest.mark.anyio

ONE = new_id("box")


def _tables() -> list[str]:
    listed = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True)
    return [line.split()[-1] for line in listed.stdout.splitlines()]


def _own(runtime: CrunRuntime) -> tuple[str, str]:
    """The names of its table and of its cgroup."""
    instance = runtime._instance  # pyright: ignore[reportPrivateUsage]
    return instance.table, os.path.dirname(instance.cgroup("one"))  # noqa: PTH120


async def test_a_stop_without_sandboxes_leaves_no_rules_and_no_cgroups(tmp_path: Path) -> None:
    config = CrunConfig(images=Path(os.environ["LOOPYARD_RUNTIME__IMAGES"]), disk_gib=4, ready_sandboxes=2)
    runtime = await open_crun(config, tmp_path / "data")
    table, cgroup = _own(runtime)
    await runtime.create(SandboxSpec(id=ONE))
    assert await Box(runtime, ONE).sure("echo works") == "works"
    assert table in _tables()
    await runtime.close()
    assert table in _tables()  # what runs needs it
    runtime = await open_crun(config, tmp_path / "data")
    assert _own(runtime) == (table, cgroup)
    assert await Box(runtime, ONE).sure("echo works") == "works"
    await runtime.destroy(ONE)
    await runtime.close()
    assert table not in _tables()
    assert cgroups.folders(cgroup) == []
