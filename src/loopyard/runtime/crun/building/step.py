"""What buildah takes for its OCI runtime: makes each RUN as closed in as a sandbox, then calls crun.

Run as `python -I -S step.py SETTINGS ARGUMENT...` with nothing but the standard library: buildah calls it several times
for each RUN. Of buildah's configuration it keeps the command and what is mounted from elsewhere; the rest is the
sandboxes' own. The root is buildah's, stacked anew so that the step's root is nobody on the host, and yet owns what it
writes as uid 0 in the layer.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[4]))

from loopyard.runtime.crun.building.stack import Stack

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = ("/proc", "/dev", "/sys", "/run/.containerenv")
_KINDS = ("pid", "ipc", "uts", "mount", "user", "cgroup")


def main() -> None:
    settings: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    arguments = sys.argv[2:]
    stack = Stack(Path(settings["stacks"]) / Path(arguments[-1]).name, settings["user_namespace"], settings["uid_base"])
    told = Path(settings["steps"]) / f"{stack.folder.name}.json"
    if "create" in arguments:
        given = Path(arguments[arguments.index("--bundle") + 1]) / "config.json"
        configuration = close_in(json.loads(given.read_text()), settings, stack)
        told.write_text(json.dumps(configuration))  # beside buildah's own, that would lie on the disk
        arguments.insert(arguments.index("create") + 1, f"--config={told}")
    elif "delete" in arguments:
        note_memory(settings)
        ended = subprocess.run([*settings["crun"], *arguments], check=False)
        told.unlink(missing_ok=True)
        stack.take_down()
        sys.exit(ended.returncode)
    os.execv(settings["crun"][0], [*settings["crun"], *arguments])  # noqa: S606


def close_in(configuration: dict[str, Any], settings: dict[str, Any], stack: Stack) -> dict[str, Any]:
    """An OCI configuration, changed to what a sandbox's is."""
    process = configuration["process"]
    process.pop("apparmorProfile", None)
    process.pop("selinuxLabel", None)
    given = [entry.partition("=")[0] for entry in process.get("env", [])]
    more = [f"{name}={value}" for name, value in settings["environment"].items() if name not in given]
    process["env"] = [*process.get("env", []), *more]
    template = settings["process_root" if process["user"]["uid"] == 0 else "process_other"]
    for name in ("capabilities", "noNewPrivileges", "rlimits", "oomScoreAdj"):
        process[name] = template[name]
    upper = stack.put_up(configuration["root"]["path"])
    Path(settings["upper"]).write_text(upper)
    kept = [stack.bind(one) for one in configuration["mounts"] if not one["destination"].startswith(_OWN)]
    own: dict[str, Any] = settings["linux"]
    configuration |= {
        "root": {"path": str(stack.root)},
        "hostname": "build",
        "mounts": [*settings["mounts"], *kept],
        "linux": {**own, "namespaces": [{"type": kind} for kind in _KINDS]},
    }
    configuration.pop("hooks", None)
    return configuration


def note_memory(settings: dict[str, Any]) -> None:
    """Before crun removes the cgroup: write down whether the kernel has killed anything in it for its memory."""
    cgroup = settings["linux"]["cgroupsPath"].lstrip("/")
    for file in (_CGROUPS / cgroup / "memory.events", _CGROUPS / "memory" / cgroup / "memory.oom_control"):
        try:
            rows = [line.split() for line in file.read_text().splitlines()]
        except OSError:
            continue
        if any(len(row) == 2 and row[0] == "oom_kill" and int(row[1]) > 0 for row in rows):
            Path(settings["out_of_memory"]).touch()


if __name__ == "__main__":
    main()
