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


_PROGRAM = """
#include <dlfcn.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    struct passwd *me = getpwuid(getuid());
    printf("%s of musl\\n", me ? me->pw_name : "nobody");
    return dlopen("libc.so", RTLD_NOW) == NULL;
}
"""
"""Asks the C library, which it is linked with when it is started, who it is."""


def musl_archive(folder: Path) -> Path:
    """A tar of a root file system as Alpine's are: a busybox for a shell, musl as the C library, and a program that is
    linked with it when it starts. Nothing of glibc."""
    root = folder / "musl-root"
    for name in ("bin", "lib", "etc"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in _APPLETS:
        (root / "bin" / name).symlink_to("busybox")
    (loader,) = Path("/lib").glob("ld-musl-*.so.1")
    shutil.copy(loader.resolve(), root / "lib" / loader.name)
    (root / "lib/libc.so").symlink_to(loader.name)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    source = folder / "whoami.c"
    source.write_text(_PROGRAM)
    subprocess.run(["musl-gcc", "-o", str(root / "bin/made-for-musl"), str(source)], check=True)
    archive = folder / "musl.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    return archive
