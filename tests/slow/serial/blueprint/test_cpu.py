"""A step of a build has no more of the processors than it may."""

import json
import time
from pathlib import Path

from tests.integration.devbox.waiting import wait_until
from tests.serving import ServerProcess, serving

CORES = 0.5
CGROUPS = Path("/sys/fs/cgroup")


def _folder(server: ServerProcess, build_id: str) -> Path:
    """The cgroup that limits the processors of a build's step, on cgroup v1 or v2."""
    top = CGROUPS if (CGROUPS / "cgroup.controllers").exists() else CGROUPS / "cpu"
    made = server.data_dir / "sandboxes" / f"{build_id}.step.1" / "meta.json"
    wait_until(made.exists, lambda: "the step has not begun")
    name = json.loads(made.read_text())["name"]  # it may be one that was made ready before
    wait_until(lambda: any((top / "loopyard").glob(f"*/{name}")), lambda: f"there is no cgroup {name}")
    return next((top / "loopyard").glob(f"*/{name}"))


def _used_seconds(folder: Path) -> float:
    """What its processes have had of the processors."""
    if (folder / "cpu.max").exists():
        return _row(folder, "usage_usec") / 1e6
    accounts = CGROUPS / "cpuacct" / folder.relative_to(CGROUPS / "cpu")
    return int((accounts / "cpuacct.usage").read_text()) / 1e9


def _row(folder: Path, name: str) -> int:
    rows = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
    return int(rows[name])


def _limit(folder: Path) -> float:
    """In cores."""
    if (folder / "cpu.max").exists():
        quota, period = (folder / "cpu.max").read_text().split()
    else:
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    return int(quota) / int(period)


def test_a_step_that_burns_the_processors_is_held_to_its_limit(tmp_path: Path) -> None:
    env = {"LOOPYARD_BUILDS__CPU_CORES": str(CORES)}
    with serving(tmp_path / "data", env=env) as server, server.client() as client:
        burn = "for each in 1 2 3; do while :; do :; done & done; wait"
        blueprint = client.blueprints.create(name="burns", system_setup_commands=[burn])
        try:
            step = _folder(server, blueprint.id)
            wait_until(lambda: _limit(step) == CORES, lambda: "it has another limit")
            begun, used, held = time.monotonic(), _used_seconds(step), _row(step, "nr_throttled")
            wait_until(lambda: _row(step, "nr_throttled") > held + 20, lambda: "nothing holds it back")
            assert _used_seconds(step) - used < (time.monotonic() - begun + 0.2) * CORES
        finally:
            client.blueprints.delete(blueprint.id)
