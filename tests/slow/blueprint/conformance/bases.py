"""The image that the cases begin with: a busybox with some users and a program for attributes, made here."""

import shutil
import subprocess
from pathlib import Path

_PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1234:1235::/home/app:/bin/sh\n"
_GROUP = "root:x:0:\nappg:x:1235:\nshared:x:2000:app\n"
_ATTRIBUTES = r"""
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
static void show(const char *path) {
    static char names[65536], value[65536];
    ssize_t all = llistxattr(path, names, sizeof names);
    for (char *name = names; name < names + all; name += strlen(name) + 1) {
        if (strncmp(name, "user.", 5) && strcmp(name, "security.capability")) continue;
        ssize_t size = lgetxattr(path, name, value, sizeof value);
        printf("%s=", name);
        for (ssize_t at = 0; at < size; at++) printf("%02x", (unsigned char) value[at]);
        printf(",");
    }
}
int main(int count, char **given) {
    static char value[65536];
    if (count == 2) return show(given[1]), 0;
    size_t size = strlen(given[3]) / 2;
    for (size_t at = 0; at < size; at++) sscanf(given[3] + 2 * at, "%2hhx", (unsigned char *) value + at);
    if (lsetxattr(given[1], given[2], value, size, 0) == 0) return 0;
    perror("attributes");
    return 1;
}
"""
"""A program: `attributes FILE` shows extended attributes, `attributes FILE NAME HEXADECIMAL` sets one."""

_REACH = r"""
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int count, char **given) {
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(atoi(given[2]))};
    place.sin_addr.s_addr = inet_addr(given[1]);
    alarm(5);
    return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *) &place, sizeof place) != 0;
}
"""
"""A program: `reach ADDRESS PORT` ends with 0 if there is a server."""

_ADDGROUP = """#!/bin/sh
id=1000
while [ $# -gt 1 ]; do case "$1" in -g) id=$2; shift;; esac; shift; done
echo "$1:x:$id:" >>/etc/group
"""
_ADDUSER = """#!/bin/sh
id=1000 shell=/bin/sh group= home= make=yes
while [ $# -gt 1 ]; do
    case "$1" in
        -u) id=$2; shift ;; -G) group=$2; shift ;; -h) home=$2; shift ;; -s) shell=$2; shift ;; -g) shift ;;
        -H) make= ;;
    esac
    shift
done
home=${home:-/home/$1}
[ -n "$group" ] || { group=$1; grep -q "^$1:" /etc/group || echo "$1:x:$id:" >>/etc/group; }
gid=$(grep "^$group:" /etc/group | cut -d: -f3)
echo "$1:x:$id:$gid::$home:$shell" >>/etc/passwd
[ -z "$make" ] || { mkdir -p "$home" && chown "$id:$gid" "$home"; }
"""
"""Commands that the busybox of Debian does not have."""


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
    for name, program in (("attributes", _ATTRIBUTES), ("reach", _REACH)):
        source = folder / f"{name}.c"
        source.write_text(program)
        subprocess.run(["musl-gcc", "-static", "-O1", "-o", str(root / "bin" / name), str(source)], check=True)
    for name, script in (("addgroup", _ADDGROUP), ("adduser", _ADDUSER)):
        (root / "bin" / name).write_text(script)
        (root / "bin" / name).chmod(0o755)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text(_PASSWD)
    (root / "etc/group").write_text(_GROUP)
    archive = folder / "base.tar"
    subprocess.run(
        ["tar", "-C", str(root), "--owner=0", "--group=0", "--numeric-owner", "-cf", str(archive), "."], check=True
    )
    return archive
