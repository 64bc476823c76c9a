"""Files that are written from outside: what they keep, and who may write them, as for a command of the same user."""

import os
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from loopyard.runtime.config import CrunConfig
from loopyard.runtime.crun.exec import files
from loopyard.runtime.crun.opening import open_crun
from loopyard.runtime.crun.provider import CrunRuntime
from loopyard.runtime.errors import FileAccessDenied, FileUnsuitable
from loopyard.runtime.protocol import SandboxSpec
from tests.integration.runtime.box import ROOT, Box

pytestmark = pytest.mark.anyio

_PYTHON = """
import os, sys
path = sys.argv[1]
print(os.listxattr(path), {name: os.getxattr(path, name).hex() for name in os.listxattr(path)})
"""


@pytest.fixture(scope="module")
async def box(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Box]:
    data: Path = tmp_path_factory.mktemp("files")
    images = Path(os.environ["LOOPYARD_RUNTIME__IMAGES"])
    runtime = await open_crun(CrunConfig(images=images, disk_gib=20, ready_sandboxes=0), data)
    await runtime.create(SandboxSpec(id="box"))
    yield Box(runtime, "box")
    await runtime.destroy("box")
    await runtime.forget("box")
    await runtime.close()


async def _show(box: Box, path: str) -> str:
    ran = await box.run("python3", "-c", _PYTHON, path, user=ROOT)
    return (await box.sure(f"stat -c '%u:%g %a' {path}", user=ROOT)) + ran.text


async def test_root_keeps_owner_group_mode_and_attributes(box: Box) -> None:
    await box.sure(
        "cd /srv && echo old > kept && chown 1000:33 kept && chmod 640 kept && "
        'python3 -c \'import os; os.setxattr("kept", "user.note", b"mine")\'',
        user=ROOT,
    )
    before, inode = await _show(box, "/srv/kept"), await box.sure("stat -c %i /srv/kept")
    await box.write("/srv/kept", b"new", user=ROOT)
    assert await _show(box, "/srv/kept") == before
    assert "user.note" in before
    assert await box.read("/srv/kept", user=ROOT) == b"new"
    assert await box.sure("stat -c %i /srv/kept") != inode


async def test_root_keeps_access_lists_and_capabilities(box: Box) -> None:
    make = """
import os, struct
os.chdir("/srv")
open("listed", "w").write("old")
os.chmod("listed", 0o750)
entries = [(1, 7, 0xFFFFFFFF), (2, 6, 1000), (4, 5, 0xFFFFFFFF), (16, 7, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr("listed", "system.posix_acl_access", acl)
os.setxattr("listed", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
"""
    ran = await box.run("python3", "-c", make, user=ROOT)
    assert ran.status == 0, ran.stderr
    before = await _show(box, "/srv/listed")
    assert "posix_acl_access" in before
    assert "security.capability" in before
    await box.write("/srv/listed", b"new", user=ROOT)
    assert await _show(box, "/srv/listed") == before
    await box.sure("ln /srv/listed /srv/other", user=ROOT)
    await box.write("/srv/listed", b"newer", user=ROOT)
    assert await _show(box, "/srv/listed") == before


async def test_a_user_keeps_the_group_and_loses_what_a_command_would(box: Box) -> None:
    await box.sure("echo old > ~user/tool; chown user:33 ~user/tool; chmod 6775 ~user/tool", user=ROOT)
    await box.write("tool", b"new")
    assert await box.sure("stat -c '%u:%g %a' tool") == "1000:33 775"


@pytest.mark.parametrize("place", ["/home/user", "/srv/shared", "/tmp"])
async def test_a_file_that_its_user_may_not_write_stays(box: Box, place: str) -> None:
    await box.sure(f"mkdir -p {place} && chmod a+rwx {place}", user=ROOT)
    await box.sure(f"cd {place} && echo old > closed && chmod 444 closed")
    inode = await box.sure(f"stat -c %i {place}/closed")
    with pytest.raises(FileAccessDenied):
        await box.write(f"{place}/closed", b"new")
    assert await box.read(f"{place}/closed") == b"old\n"
    assert await box.sure(f"stat -c '%i %a' {place}/closed") == f"{inode} 444"
    await box.write(f"{place}/closed", b"root's", user=ROOT)
    assert await box.sure(f"stat -c '%U %a' {place}/closed; cat {place}/closed") == "user 444\nroot's"


async def test_root_reads_and_writes_what_is_closed_to_others(box: Box) -> None:
    await box.sure("mkdir -m 700 deep; echo secret > deep/one; chmod 600 deep/one")
    assert await box.read("/home/user/deep/one", user=ROOT) == b"secret\n"
    await box.write("/home/user/deep/one", b"by root", user=ROOT)
    await box.write("/home/user/deep/new/two", b"by root", user=ROOT)
    assert await box.sure("cat deep/one; stat -c '%U %a' deep/one deep/new/two") == "by rootuser 600\nroot 644"


@pytest.mark.parametrize("path", ["/proc/1/oom_score_adj", "/tmp/way", "/sys/kernel/notes", "/proc/kmsg"])
async def test_the_kernels_own_files_are_left_to_commands(box: Box, path: str) -> None:
    await box.sure("ln -sfn /proc/1/oom_score_adj /tmp/way", user=ROOT)
    before = await box.sure("cat /proc/1/oom_score_adj", user=ROOT)
    with pytest.raises((FileUnsuitable, FileAccessDenied)):
        await box.write(path, b"-1000", user=ROOT)
    assert await box.sure("cat /proc/1/oom_score_adj", user=ROOT) == before
    with pytest.raises(FileAccessDenied):
        await box.read("/proc/kmsg", user=ROOT)


async def test_the_users_groups_count(box: Box) -> None:
    await box.sure("mkdir -p /srv/team; chown root:33 /srv/team; chmod 2770 /srv/team", user=ROOT)
    with pytest.raises(FileAccessDenied):
        await box.write("/srv/team/file", b"theirs")
    runtime = cast("CrunRuntime", box.runtime)
    view = runtime._viewpoint(box.id, None)  # pyright: ignore[reportPrivateUsage]
    member = replace(view, account=replace(view.account, groups=(33, *view.account.groups)))
    before = os.getgroups()
    writing = files.open_for_writing(member, "/srv/team/file", None)
    writing.write(b"ours")
    writing.commit()
    writing.close()
    assert os.getgroups() == before
    assert await box.sure("stat -c '%u:%g' /srv/team/file", user=ROOT) == "1000:33"


async def test_a_group_that_the_user_got_since_counts_for_commands_and_files(box: Box) -> None:
    await box.sure("groupadd -g 7100 since && usermod -aG since user", user=ROOT)
    await box.sure("mkdir -p /srv/since && chgrp since /srv/since && chmod 2770 /srv/since", user=ROOT)
    await box.sure("touch /srv/since/by-command")
    await box.write("/srv/since/by-call", b"ours")
    assert await box.sure("stat -c '%u:%g' /srv/since/by-*; id -G") == "1000:7100\n1000:7100\n1000 7100"
    await box.sure("gpasswd -d user since", user=ROOT)
    with pytest.raises(FileAccessDenied):
        await box.write("/srv/since/by-call", b"theirs")
    for content in ("user:x:1000:\nodd:x:99999999999:user\nroot:x:0:\n:::user\n", "\x00\xff"):
        await box.write("/etc/group", content.encode(), user=ROOT)
        assert await box.sure("id -g") == "1000"
    await box.sure("rm /etc/group; mkfifo /etc/group", user=ROOT)
    assert await box.sure("id -u") == "1000"


@pytest.mark.parametrize("name", ["漢" * 80, "漢" * 85, "a" * 255, "é" * 127], ids=["80", "85", "ascii", "two bytes"])
async def test_a_name_may_have_all_the_bytes_that_the_kernel_takes(box: Box, name: str) -> None:
    await box.write(f"names/{name}", b"one")
    await box.write(f"names/{name}", b"two")
    assert await box.read(f"names/{name}") == b"two"
    with pytest.raises(FileUnsuitable):
        await box.write(f"names/{name}" + "a" * (256 - len(name.encode())), b"")
