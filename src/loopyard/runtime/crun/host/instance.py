"""This server's share of the host: a block of uid ranges, addresses and names that no other server here uses."""

import fcntl
import ipaddress
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loopyard.runtime.crun.host import cgroups
from loopyard.runtime.crun.host.uids import UIDS
from loopyard.runtime.errors import RuntimeUnavailable
from loopyard.runtime.layout import read_json, subfolders, write_whole
from loopyard.runtime.memory import memory_folder
from loopyard.runtime.programs import search_path

RUN = Path("/run/loopyard")
"""Gone with the machine's power, like the sandboxes."""

_CGROUP = "/loopyard"
"""The cgroup above those of all servers."""

SLOTS = 1024
BLOCKS = 32
_FIRST_RANGE = 16384
"""The first uid range taken: uids from 2^30 on, which no distribution hands out."""


@dataclass(frozen=True, slots=True)
class Instance:
    """Block of slots of one server. Slots are numbered from 0 to 1023."""

    block: int
    network: str

    @property
    def folder(self) -> Path:
        return RUN / str(self.block)

    @property
    def crun_root(self) -> Path:
        """Where crun keeps the state of this server's sandboxes."""
        return self.folder / "crun"

    def state(self, sandbox_id: str) -> Path:
        """State that crun keeps there of one sandbox."""
        return self.crun_root / sandbox_id

    @property
    def attached(self) -> Path:
        """Where commands that end with the server keep things. A short path: sockets' names are limited."""
        return self.folder / "att"

    def root(self, sandbox_id: str) -> Path:
        """Where a sandbox's root file system is mounted while it starts: outside of the private data folder."""
        return self.folder / "roots" / sandbox_id

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        """The addresses of all its sandboxes: a /21."""
        return list(ipaddress.IPv4Network(self.network).subnets(new_prefix=21))[self.block]

    @property
    def table(self) -> str:
        """The name of its nftables table."""
        return f"loopyard_{self.block}"

    @property
    def link_prefix(self) -> str:
        """Prefix of the names of its network links."""
        return f"ly{self.block}-"

    def link(self, slot: int) -> str:
        return f"{self.link_prefix}{slot}"

    def addresses(self, slot: int) -> tuple[str, str]:
        """The host's and the sandbox's end of a slot's network, a /31."""
        return str(self.subnet[2 * slot]), str(self.subnet[2 * slot + 1])

    def slot_at(self, address: str) -> int | None:
        """The slot whose sandbox has this address; None if it is none of this block's."""
        offset = int(ipaddress.IPv4Address(address)) - int(self.subnet.network_address)
        return offset // 2 if 0 <= offset < 2 * SLOTS and offset % 2 else None

    def uid_base(self, slot: int) -> int:
        return (_FIRST_RANGE + self.block * SLOTS + slot) * UIDS

    def slot_of(self, uid_base: int) -> int:
        """Whose range that is."""
        return uid_base // UIDS - _FIRST_RANGE - self.block * SLOTS

    def cgroup(self, sandbox_id: str) -> str:
        return f"{_CGROUP}/{self.block}/{sandbox_id}"


def claim(data_dir: Path, network: str) -> tuple[Instance, int]:
    """The block of the server that keeps its data in `data_dir`: the one it had before, else a free one. Also a
    descriptor that holds it until it is closed, or the process ends.

    Raises:
        RuntimeUnavailable: All are taken, or another process works on this data folder.
    """
    with _all_blocks():
        owners = {block: _owner(RUN / str(block)) for block in _blocks()}
        block = next((number for number, owner in owners.items() if owner == str(data_dir)), None)
        if block is not None and _locked(_lock(block)):
            raise RuntimeUnavailable(f"Another process runs the sandboxes of {data_dir}. Stop it first.")
        if block is None:
            block = next((number for number in range(BLOCKS) if not _taken(number, owners.get(number))), None)
        if block is None:
            raise RuntimeUnavailable(f"{BLOCKS} servers have sandboxes on this host already; no more fit.")
        instance = Instance(block, network)
        instance.crun_root.mkdir(parents=True, exist_ok=True)
        write_whole(instance.folder / "owner.json", str(data_dir))
        held = os.open(_lock(block), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
    return instance, held


def abandoned(own: int) -> list[int]:
    """The blocks of other servers that do not run, and have no sandbox that does. What they had is gone but for names
    and rules; their next start makes those anew."""
    with _all_blocks():
        return [block for block in _blocks() if block != own and not _taken(block, _owner(RUN / str(block)))]


def clear(block: int, own: Instance) -> bool:
    """Remove what an abandoned block left; false if it is in use now."""
    with _all_blocks():
        if block == own.block or _taken(block, _owner(RUN / str(block))):
            return False
        other = Instance(block, own.network)
        _remove_rules(other)
        shutil.rmtree(other.folder, ignore_errors=True)
        shutil.rmtree(memory_folder(str(block)), ignore_errors=True)
    return True


def leave(own: Instance) -> None:
    """Remove the rules and cgroups of a server that ends without a sandbox that runs. It has its block still."""
    with _all_blocks():
        _remove_rules(own)
        others = (block for block in _blocks() if block != own.block)
        if not any(_taken(block, _owner(RUN / str(block))) for block in others):
            cgroups.remove_empty(_CGROUP)


def _remove_rules(of: Instance) -> None:
    table = ("nft", "delete", "table", "inet", of.table)
    subprocess.run(table, check=False, capture_output=True, env={**os.environ, "PATH": search_path()})
    cgroups.remove(f"{_CGROUP}/{of.block}")


def _blocks() -> list[int]:
    return [int(name) for name in subfolders(RUN) if name.isdigit()]


def _lock(block: int) -> Path:
    return RUN / str(block) / "lock"


@contextmanager
def _all_blocks() -> Generator[None]:
    RUN.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = os.open(RUN / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _owner(folder: Path) -> str | None:
    return read_json(folder / "owner.json")


def _taken(block: int, owner: str | None) -> bool:
    """True if a block's server runs, or has sandboxes that do."""
    if owner is None:
        return False
    if _locked(_lock(block)):
        return True
    crun_root = RUN / str(block) / "crun"
    return any(_alive(read_json(crun_root / name / "status")) for name in subfolders(crun_root))


def _locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _alive(status: dict[str, int] | None) -> bool:
    if status is None:
        return False
    return Path(f"/proc/{status['pid']}").exists()
