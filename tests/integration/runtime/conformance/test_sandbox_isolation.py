"""Who one is inside, and what that is worth outside."""

import contextlib
from pathlib import Path

import pytest

from loopyard.runtime.protocol import Runtime, User
from tests.integration.runtime.box import ROOT, Box, MakeBox

pytestmark = pytest.mark.anyio


@pytest.mark.semantic
async def test_the_user_is_who_the_sandbox_says(make_box: MakeBox) -> None:
    box = await make_box(user=User("alice", 1234))
    assert await box.sure("id -un; id -u; pwd; echo x > mine; stat -c %U mine; sudo id -u") == (
        "alice\n1234\n/home/alice\nalice\n0"
    )
    await box.write("file", b"content")
    assert await box.sure("stat -c %U file") == "alice"


@pytest.mark.semantic
async def test_a_sandbox_can_belong_to_root(make_box: MakeBox) -> None:
    box = await make_box(user=ROOT)
    assert await box.sure("id -u; pwd") == "0\n/root"
    await box.write("file", b"")
    assert await box.sure("ls") == "file"


@pytest.mark.semantic
async def test_sudo_works_without_a_password(box: Box) -> None:
    assert await box.sure(
        "sudo -n id -u; sudo -n sh -c 'echo x > /etc/new; chown 1:2 /etc/new; stat -c %u:%g /etc/new'"
    ) == ("0\n1:2")


async def test_root_inside_is_nobody_on_the_host(runtime: Runtime, box: Box) -> None:
    if not runtime.features.user_namespaces:
        pytest.skip("this provider's engine maps no users on this host")
    await box.start("sleep", "987654", user=ROOT)
    await box.sure("until pgrep -fx 'sleep 987654'; do sleep 0.1; done")
    owners: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0") == [b"sleep", b"987654"]:
                owners.append(process.stat().st_uid)
    assert owners
    assert all(owner >= 65536 for owner in owners)


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -t tmpfs none /mnt",
        "mount --bind /etc /mnt",
        "unshare --mount true",
        "mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk",
        "echo 1 > /proc/sys/kernel/sysrq",
        "echo /tmp/x > /proc/sys/kernel/core_pattern",
        "echo b > /proc/sysrq-trigger",
        "cat /proc/kcore | head -c 1 | grep .",
        "swapon /dev/null",
        "hostname stolen",
        "dmesg",
        "chroot /proc/1/root /bin/true && nsenter -t 1 -m -p true",
        "insmod /tmp/x.ko",
        "ls /var/run/docker.sock",
    ],
)
async def test_root_inside_cannot(box: Box, attempt: str) -> None:
    assert (await box.shell(attempt, user=ROOT)).status != 0


@pytest.mark.semantic
async def test_a_sandbox_sees_only_its_own_processes(make_box: MakeBox) -> None:
    one, two = await make_box(), await make_box()
    await one.start("sleep", "424242")
    assert await two.sure("pgrep -fx 'sleep 424242' || echo none") == "none"


async def test_a_command_is_given_no_descriptors_but_its_own(box: Box) -> None:
    assert await box.sure(
        "for fd in /proc/self/fd/*; do readlink $fd; done | grep -vE '^(pipe:|/dev/null|/proc/)' || echo none"
    ) == ("none")


@pytest.mark.semantic
async def test_sandboxes_do_not_see_each_others_files(make_box: MakeBox) -> None:
    one, two = await make_box(), await make_box()
    await one.sure("echo secret > /tmp/shared; sudo rm /usr/bin/less")
    assert await two.sure("test ! -e /tmp/shared && test -e /usr/bin/less && echo apart") == "apart"
