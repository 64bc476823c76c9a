"""Small images that tests build on, made here: nothing is pulled."""

import shutil
import subprocess
from pathlib import Path

_APPLETS = ("sh", "ls", "cat", "echo", "id", "mkdir", "sleep", "env", "pwd", "dd", "rm", "true", "false", "wc", "yes")


def busybox_archive(folder: Path) -> Path:
    """A tar of a root file system that is one static program: no bash, no users, no C library."""
    root = folder / "busybox-root"
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in _APPLETS:
        (root / "bin" / name).symlink_to("busybox")
    archive = folder / "busybox.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    return archive


def import_image(loopyard: Path, archive: Path, name: str, *options: str) -> str:
    """Import it by the command line, and return what that printed."""
    done = subprocess.run(
        [str(loopyard), "image", "import", str(archive), name, *options],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
