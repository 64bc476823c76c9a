"""A sandbox is made fit to be judged: nothing that was in it before has a hand in that."""

from pathlib import Path

import pytest

from loopyard.runtime.protocol import Runtime
from loopyard.runtime.sealing import Sealing, SealsSandboxes, SharedFolder
from tests.runtime.box import Box, MakeBox

pytestmark = pytest.mark.anyio

SYSTEM = ["/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64"]


@pytest.fixture
def sealing(runtime: Runtime) -> Sealing:
    if not isinstance(runtime, SealsSandboxes):
        pytest.skip("this provider does not seal sandboxes, and says so")
    return runtime.sealing


async def test_all_that_runs_is_ended_but_what_is_spared(sealing: Sealing, box: Box) -> None:
    spared = await box.start("bash", "-c", "sleep 600 & echo $!; wait")
    await box.until_said(spared, b"\n")
    other = await box.start("bash", "-c", "trap '' TERM; sleep 600")
    await box.sure("setsid sleep 600 >/dev/null 2>&1 & sudo setsid sleep 600 >/dev/null 2>&1 &")
    await box.start("bash", "-c", "b() { b | b & }; b; sleep 1; exit 0")
    await sealing.stop_all(box.id, spare=[spared, "never-started"])
    assert await box.sure("pgrep -c sleep; pgrep -c bash") == "1\n1"
    assert (await box.end(other)).exit_status == 137
    await sealing.stop_all(box.id)
    assert await box.sure("pgrep -c sleep || true") == "0"


async def test_what_was_changed_is_put_back_and_cannot_be_changed_again(sealing: Sealing, box: Box) -> None:
    await box.sure("sudo mkdir /usr/work; sudo chown user /usr/work; echo mine > ~/.profile; sudo rm /usr/bin/less")
    await sealing.mark(box.id)
    await box.sure(
        "echo left > /usr/work/out; echo theirs > ~/.profile; mkdir ~/.config; touch ~/.config/x ~/kept;"
        "sudo touch /etc/ld.so.preload /usr/local/bin/git; sudo rm /usr/bin/grep; sudo cp /bin/true /usr/bin/less;"
        "sudo cp /bin/true /usr/bin/sed; sudo mkdir /lib32; sudo rm /dev/stdout; sudo ln -s /tmp/x /dev/stdout"
    )
    await sealing.mark(box.id)
    folder_for_link = "import os, shutil; os.unlink('/lib64'); shutil.copytree('/usr/lib64', '/lib64')"
    await box.sure(f'sudo python3 -c "{folder_for_link}"')
    await sealing.stop_all(box.id)
    for _ in range(2):
        await sealing.restore(box.id, [*SYSTEM, "/home/user/.profile", "/home/user/.config"], keep="/usr/work")
    assert await box.sure("cat /usr/work/out ~/.profile; ls -A ~ | grep -c before-scoring") == "left\nmine\n1"
    assert await box.sure("ls ~/.config /etc/ld.so.preload /usr/local/bin/git /usr/bin/less /lib32 2>&1 | wc -l") == "5"
    assert await box.sure("echo seen | sed s/s/S/ | grep S > /dev/stdout; readlink /lib64; cat ~/kept") == (
        "Seen\nusr/lib64"
    )
    for change in ("touch /usr/bin/x", "umount -l /usr", "mount -o remount,rw /usr", "mv /usr /usr2", "rm -rf /etc"):
        assert (await box.run("sudo", "sh", "-c", change)).status != 0
    assert await box.sure("echo more > /usr/work/more && sudo touch /opt/x && sudo id -u") == "0"


async def test_a_shared_folder_is_the_same_in_every_sandbox(
    sealing: Sealing, make_box: MakeBox, tmp_path: Path
) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\necho tool\n")
    folder = SharedFolder("for-tests", {"tool": program})
    one, two = await make_box(), await make_box()
    await one.sure("sudo ln -s /tmp /.shared; sudo touch /tmp/tool")
    await sealing.share(one.id, folder, "/.shared/here", writable=True)
    assert await one.sure("/.shared/here/tool; sudo sh -c 'echo 1 > /.shared/here/note'") == "tool"
    assert (await one.run("sh", "-c", "touch /.shared/here/x")).status != 0
    await sealing.share(one.id, folder, "/.shared/here")
    await sealing.share(two.id, folder, "/.shared/here")
    for box in (one, two):
        assert await box.sure("cat /.shared/here/note; stat -c %u /.shared/here/note") == "1\n0"
        assert (await box.run("sudo", "touch", "/.shared/here/x")).status != 0


async def test_a_sandbox_that_was_sealed_can_be_stopped_started_and_destroyed(
    sealing: Sealing, runtime: Runtime, make_box: MakeBox
) -> None:
    box = await make_box()
    await sealing.mark(box.id)
    await box.sure("sudo touch /usr/bin/theirs; echo own > own")
    await sealing.restore(box.id, SYSTEM)
    await runtime.suspend(box.id)
    await make_box(id=box.id)
    assert await box.sure("cat own; ls /usr/bin/theirs") == "own\n/usr/bin/theirs"
    await sealing.restore(box.id, SYSTEM)
    assert (await box.run("ls", "/usr/bin/theirs")).status != 0
