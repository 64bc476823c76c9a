"""The image that the cases begin with: a busybox with some users, made here."""

import shutil
import subprocess
from pathlib import Path

_PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1234:1235::/home/app:/bin/sh\n"
_GROUP = "root:x:0:\nappg:x:1235:\nshared:x:2000:app\n"


def base_archive(folder: Path) -> Path:
    """A tar of its root file system."""
    root = folder / "root"
    for name in ("bin", "etc", "tmp", "root", "proc", "dev", "sys", "run", "var"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in applets:
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text(_PASSWD)
    (root / "etc/group").write_text(_GROUP)
    archive = folder / "base.tar"
    subprocess.run(
        ["tar", "-C", str(root), "--owner=0", "--group=0", "--numeric-owner", "-cf", str(archive), "."], check=True
    )
    return archive
