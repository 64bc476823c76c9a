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
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[4]))

from loopyard.runtime.crun.building.stack import Stack
from loopyard.runtime.crun.launcher.placing import append
from loopyard.runtime.crun.syscalls import files_owned_by

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = ("/proc", "/dev", "/sys", "/run/.containerenv")
_LENT = ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname")
_MOST_BYTES = 1 << 20
_KINDS = ("pid", "ipc", "uts", "mount", "user", "cgroup")


def main() -> None:
    settings: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    arguments = sys.argv[2:]
    stack = Stack(Path(settings["stacks"]) / Path(arguments[-1]).name, settings["user_namespace"], settings["uid_base"])
    told = Path(settings["steps"]) / f"{stack.folder.name}.json"
    files = told.with_suffix(".files")
    if "create" in arguments:
        given = json.loads((Path(arguments[arguments.index("--bundle") + 1]) / "config.json").read_text())
        note_files(given["mounts"], files)
        configuration = close_in(given, settings, stack)
        told.write_text(json.dumps(configuration))  # beside buildah's own, that would lie on the disk
        arguments.insert(arguments.index("create") + 1, f"--config={told}")
    elif "delete" in arguments:
        note_memory(settings)
        ended = subprocess.run([*settings["crun"], *arguments], check=False)
        told.unlink(missing_ok=True)
        with suppress(OSError):
            keep_lines(files, stack, settings["uid_base"])
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


def note_files(mounts: list[dict[str, Any]], note: Path) -> None:
    """Write down what is in those files of the network that buildah lends to the step."""
    lent = {one["destination"]: one["source"] for one in mounts if one["destination"] in _LENT}
    content = {path: (source, _rows(Path(source))) for path, source in lent.items()}
    note.write_text(
        json.dumps({path: (source, [row.hex() for row in rows]) for path, (source, rows) in content.items()})
    )


def keep_lines(note: Path, stack: Stack, uid_base: int) -> None:
    """Put what the step added to the files that were lent to it into those of the image, where devboxes find it."""
    if not note.exists():
        return
    lent: dict[str, tuple[str, list[str]]] = json.loads(note.read_text())
    note.unlink()
    for path, (source, known) in lent.items():
        added = [row for row in _rows(Path(source)) if row.hex() not in known]
        if added and stack.root.is_dir():
            root = os.open(stack.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            with files_owned_by(uid_base, uid_base):
                append(root, path.lstrip("/"), added)
            os.close(root)


def _rows(file: Path) -> list[bytes]:
    try:
        with file.open("rb") as stream:
            return stream.read(_MOST_BYTES).splitlines()
    except OSError:
        return []


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
