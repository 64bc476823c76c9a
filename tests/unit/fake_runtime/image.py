"""The disk that sandboxes start from."""

from functools import cache

from tests.unit.fake_runtime.disk import ROOT, Device, Disk, File, Folder, Link, Node
from tests.unit.fake_runtime.programs import PROGRAMS

_FILES = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "/etc/os-release": 'NAME="In memory"\n',
}
_FOLDERS = ("boot", "dev", "etc", "home", "media", "mnt", "opt", "proc", "run", "srv", "sys", "usr", "usr/bin",
    "usr/local", "usr/local/bin", "usr/share", "usr/share/zoneinfo", "var", "var/lib")  # fmt: skip
_DEVICES = ("null", "zero", "urandom", "tty")


@cache
def base_disk() -> Disk:
    """The base image. Copy it: all sandboxes are made of this one."""
    disk = Disk()
    for name in _FOLDERS:
        _put(disk, f"/{name}", Folder(mode=0o755))
    _put(disk, "/root", Folder(mode=0o700))
    _put(disk, "/tmp", Folder(mode=0o1777))
    for name in ("bin", "sbin"):
        _put(disk, f"/{name}", Link(mode=0o777, target="usr/bin"))
    for path, content in _FILES.items():
        _put(disk, path, File(mode=0o644, data=bytearray(content.encode())))
    _put(disk, "/etc/shadow", File(mode=0o600, data=bytearray(b"root:*:1::::::\n")))
    for name in _DEVICES:
        _put(disk, f"/dev/{name}", Device(mode=0o666, kind=name))
    for name in PROGRAMS:
        _put(disk, f"/usr/bin/{name}", File(mode=0o755, program=name, data=bytearray(f"\x7fprogram {name}".encode())))
    return disk


def _put(disk: Disk, path: str, node: Node) -> None:
    disk.add(path, node, ROOT)
