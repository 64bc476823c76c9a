"""What a server's sandboxes occupy on the host, found without asking the server."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

RUN = Path("/run/loopyard")
CGROUPS = Path("/sys/fs/cgroup")


class Host:
    """The traces of the one server that keeps its data in `data_dir`. The server must have been started before."""

    def __init__(self, data_dir: Path, spare_slots: int) -> None:
        self.data = data_dir
        self.spare_slots = spare_slots
        self._block: str | None = None
        self._others: set[str] = set()

    def begin(self) -> None:
        """Call it after each start. A server that comes to a share of the host which it did not have before may find
        leftovers of another one there, which are none of its own."""
        if self._block == self.block:
            return
        self._block = self.block
        self._others = _cgroups(self.block) | _names(RUN / self.block / "crun", RUN / self.block / "roots")

    @property
    def block(self) -> str:
        for owner in RUN.glob("*/owner.json"):
            if json.loads(owner.read_text()) == str(self.data):
                return owner.parent.name
        raise AssertionError(f"no server has ever run on {self.data}")

    def launcher(self, server_pid: int) -> int:
        """The process id of the server's launcher. One that was killed is missing until the next has begun."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            children = [path.read_text().split() for path in Path(f"/proc/{server_pid}/task").glob("*/children")]
            for pid in {pid for pids in children for pid in pids}:
                with contextlib.suppress(OSError):
                    if b"loopyard.runtime.crun.launcher" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        return int(pid)
            time.sleep(0.02)
        raise AssertionError("the server has had no launcher for 120 s")

    def traces(self, server_pid: int) -> dict[str, set[str]]:
        """Kind of trace to the ids of the sandboxes that it is of."""
        block, launcher = self.block, self.launcher(server_pid)
        pool = Path(f"/proc/{launcher}/root{self.data}/pool")
        mounts = [line.split()[4] for line in Path(f"/proc/{launcher}/mountinfo").read_text().splitlines()]
        inner = (f"{self.data}/sandboxes", f"{self.data}/ready", f"{RUN}/{block}/")
        inside = [Path(mount) for mount in mounts if mount.startswith(inner)]
        return {
            "folders": _names(self.data / "sandboxes"),
            "disks": self._of_devboxes(_names(pool / "boxes")),
            "crun": self._of_devboxes(_names(RUN / block / "crun") - self._others),
            "roots": self._of_devboxes(_names(RUN / block / "roots") - self._others),
            "cgroups": self._of_devboxes(_cgroups(block) - self._others),
            "mounts": {str(path) for path in inside},
        }

    def _of_devboxes(self, names: set[str]) -> set[str]:
        """The same by the devboxes' ids. Sandboxes that are ready for devboxes to come are left out."""
        owners: dict[str, str] = {}
        for meta in (self.data / "sandboxes").glob("*/meta.json"):
            with contextlib.suppress(FileNotFoundError):
                owners[json.loads(meta.read_text())["name"]] = meta.parent.name
        kept = self.ready()
        return {owners.get(name, name) for name in names if name in owners or name not in kept}

    def ready(self) -> set[str]:
        """The sandboxes that were made before anybody asked for one, those that devboxes have got included."""
        return _names(self.data / "ready")

    def links(self) -> set[str]:
        """The host's ends of the sandboxes' network links, prepared ones included."""
        listed = json.loads(subprocess.check_output(["ip", "-json", "link", "show"]))
        names: list[str] = [link["ifname"] for link in listed]
        return {name for name in names if name.startswith(f"ly{self.block}-")}

    def processes(self, sandbox_id: str) -> set[int]:
        """The processes of a sandbox, by their cgroup."""
        found: set[int] = set()
        for cgroup in Path("/proc").glob("[0-9]*/cgroup"):
            try:
                if sandbox_id in cgroup.read_text():
                    found.add(int(cgroup.parent.name))
            except OSError:
                continue
        return found

    def wait_for_only(
        self,
        server_pid: int,
        running: Iterable[str],
        stopped: Iterable[str] = (),
        *,
        fresh: bool = False,
        seconds: float = 120,
    ) -> None:
        """Wait until the host holds these sandboxes and nothing of any other. A server keeps the network links of
        sandboxes that ended for the next ones; one that is `fresh` has had none.

        Raises:
            AssertionError: It does not within the time; the message says what is there.
        """
        up = set(running)
        kept = up | set(stopped)
        wanted = {"folders": kept, "disks": kept, "crun": up, "cgroups": up, "roots": set[str](), "mounts": set[str]()}
        deadline = time.monotonic() + seconds
        while True:
            found = self.traces(server_pid)
            links = self.links()
            most = len(up) + self.spare_slots if fresh else 1024
            if found == wanted and len(up) <= len(links) <= most:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"wanted {wanted}, found {found}, links {sorted(links)}")
            time.sleep(0.1)


def _cgroups(block: str) -> set[str]:
    """On cgroup v1 there is one tree for each controller."""
    return {name for top in (CGROUPS, *CGROUPS.glob("*")) for name in _names(top / "loopyard" / block, folders=True)}


def _names(*parents: Path, folders: bool = False) -> set[str]:
    """What is in some folders, as far as these are there."""
    found: set[str] = set()
    for parent in parents:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found |= {path.name for path in parent.iterdir() if not folders or path.is_dir()}
    return found
