"""A sandbox is made fit to be judged: nothing that was in it before has a hand in that."""

from pathlib import Path

import pytest

from loopyard.runtime.grading import GradingIsolation, GradingIsolator, SharedFolder
from loopyard.runtime.protocol import Runtime
from tests.integration.runtime.box import Box, MakeBox

pytestmark = pytest.mark.anyio

SYSTEM = ["/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64"]


@pytest.fixture
def isolation(runtime: Runtime) -> GradingIsolation:
    if not isinstance(runtime, GradingIsolator):
        pytest.skip("this provider does not isolate grading, and says so")
    return runtime.grading_isolation


async def test_all_that_runs_is_ended_but_what_is_spared(isolation: GradingIsolation, box: Box) -> None:
    spared = await box.start("bash", "-c", "sleep 600 & echo $!; wait")
    await box.until_said(spared, b"\n")
    other = await box.start("bash", "-c", "trap '' TERM; sleep 600")
    await box.sure("setsid sleep 600 >/dev/null 2>&1 & sudo setsid sleep 600 >/dev/null 2>&1 &")
    await box.start("bash", "-c", "b() { b | b & }; b; sleep 1; exit 0")
    await isolation.stop_all(box.id, spare=[spared, "never-started"])
    assert await box.sure("pgrep -c sleep; pgrep -c bash") == "1\n1"
    assert (await box.end(other)).exit_status == 137
    await isolation.stop_all(box.id)
    assert await box.sure("pgrep -c sleep || true") == "0"


async def test_what_was_changed_is_put_back_and_cannot_be_changed_again(isolation: GradingIsolation, box: Box) -> None:
    await box.sure("sudo mkdir /usr/work; sudo chown user /usr/work; echo mine > ~/.profile; sudo rm /usr/bin/less")
    await isolation.take_baseline(box.id)
    await box.sure(
        "echo left > /usr/work/out; echo theirs > ~/.profile; mkdir ~/.config; touch ~/.config/x ~/kept;"
        "sudo touch /etc/ld.so.preload /usr/local/bin/git; sudo rm /usr/bin/grep; sudo cp /bin/true /usr/bin/less;"
        "sudo cp /bin/true /usr/bin/sed; sudo mkdir /lib32; sudo rm /dev/stdout; sudo ln -s /tmp/x /dev/stdout"
    )
    await isolation.take_baseline(box.id)
    folder_for_link = "import os, shutil; os.unlink('/lib64'); shutil.copytree('/usr/lib64', '/lib64')"
    await box.sure(f'sudo python3 -c "{folder_for_link}"')
    await isolation.stop_all(box.id)
    for _ in range(2):
        await isolation.restore(box.id, [*SYSTEM, "/home/user/.profile", "/home/user/.config"], keep="/usr/work")
    assert await box.sure("cat /usr/work/out ~/.profile; ls -A ~ | grep -c before-scoring") == "left\nmine\n1"
    assert await box.sure("ls ~/.config /etc/ld.so.preload /usr/local/bin/git /usr/bin/less /lib32 2>&1 | wc -l") == "5"
    assert await box.sure("echo seen | sed s/s/S/ | grep S > /dev/stdout; readlink /lib64; cat ~/kept") == (
        "Seen\nusr/lib64"
    )
    for change in ("touch /usr/bin/x", "umount -l /usr", "mount -o remount,rw /usr", "mv /usr /usr2", "rm -rf /etc"):
        assert (await box.run("sudo", "sh", "-c", change)).status != 0
    assert await box.sure("echo more > /usr/work/more && sudo touch /opt/x && sudo id -u") == "0"


async def test_what_is_put_back_is_told_and_nothing_else(isolation: GradingIsolation, box: Box) -> None:
    await box.sure(
        "sudo sh -c 'mkdir -p /usr/work /opt/old/in; echo 1 > /opt/old/in/file; echo 1 > /opt/same; rm /usr/bin/less;"
        "echo 1 > /usr/work/x'"
    )
    await isolation.take_baseline(box.id)
    await box.sure(
        "sudo sh -c 'cat /opt/same; ls -lR /etc > /dev/null; echo 2 > /usr/work/x; rm -r /opt/old/in;"
        "mkdir -p /opt/new/deep; touch /opt/new/deep/file; rm /usr/bin/grep; cp /bin/true /usr/bin/sed;"
        "cp /bin/true /usr/bin/less; chmod 700 /usr/games; rm -r /usr/share/misc; mkdir /usr/share/misc;"
        "cd /home/user; echo x > .bashrc; ln -s /etc .config; touch .config/hidden; rm -r .profile; touch kept'"
    )
    assert await isolation.restore_report(box.id) is None
    home = [f"/home/user/{name}" for name in (".bashrc", ".config", ".profile", ".local")]
    await isolation.stop_all(box.id)
    for _ in range(2):
        await isolation.restore(box.id, [*SYSTEM, "/opt", *home], keep="/usr/work")
    found = await isolation.restore_report(box.id)
    assert found is not None
    assert found.complete
    misc = [path for path in found.removed if path.startswith("/usr/share/misc/")]
    assert sorted(found.added) == ["/etc/hidden", "/home/user/.config", "/opt/new", "/usr/bin/less"]
    assert sorted(set(found.removed) - set(misc)) == ["/home/user/.profile", "/opt/old/in", "/usr/bin/grep"]
    assert sorted(found.changed) == ["/home/user/.bashrc", "/usr/bin/sed", "/usr/games"]
    assert found.count == len(found.added) + len(found.removed) + len(found.changed)


async def test_of_many_changes_the_first_are_told_and_how_many_there_are(isolation: GradingIsolation, box: Box) -> None:
    await isolation.take_baseline(box.id)
    await box.sure("sudo sh -c 'cd /opt; seq 30000 | xargs touch; cd /usr/bin; mkdir 0-first'")
    await isolation.stop_all(box.id)
    await isolation.restore(box.id, ["/usr", "/opt"])
    found = await isolation.restore_report(box.id)
    assert found is not None
    assert (found.complete, len(found.added), found.added[0]) == (False, 100, "/usr/bin/0-first")
    assert 10_000 < found.count < 30_000


async def test_a_home_that_became_a_link_of_the_hosts_is_not_followed(isolation: GradingIsolation, box: Box) -> None:
    await box.sure("echo mine > ~/.profile")
    await isolation.take_baseline(box.id)
    await box.sure("sudo sh -c 'mv /home/user /home/user2; ln -s /root /home/user; touch /root/.gitconfig'")
    await isolation.stop_all(box.id)
    await isolation.restore(box.id, ["/home/user/.profile", "/home/user/.gitconfig"])
    found = await isolation.restore_report(box.id)
    assert found is not None
    assert (found.added, found.changed, found.removed) == ([], [], ["/home/user/.profile"])


async def test_a_shared_folder_is_the_same_in_every_sandbox(
    isolation: GradingIsolation, make_box: MakeBox, tmp_path: Path
) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\necho tool\n")
    folder = SharedFolder("for-tests", {"tool": program})
    one, two = await make_box(), await make_box()
    await one.sure("sudo ln -s /tmp /.shared; sudo touch /tmp/tool")
    await isolation.share(one.id, folder, "/.shared/here", writable=True)
    assert await one.sure("/.shared/here/tool; sudo sh -c 'echo 1 > /.shared/here/note'") == "tool"
    assert (await one.run("sh", "-c", "touch /.shared/here/x")).status != 0
    await isolation.share(one.id, folder, "/.shared/here")
    await isolation.share(two.id, folder, "/.shared/here")
    for box in (one, two):
        assert await box.sure("cat /.shared/here/note; stat -c %u /.shared/here/note") == "1\n0"
        assert (await box.run("sudo", "touch", "/.shared/here/x")).status != 0


async def test_a_sandbox_that_was_sealed_can_be_stopped_started_and_destroyed(
    isolation: GradingIsolation, runtime: Runtime, make_box: MakeBox
) -> None:
    box = await make_box()
    await isolation.take_baseline(box.id)
    await box.sure("sudo touch /usr/bin/theirs; echo own > own")
    await isolation.restore(box.id, SYSTEM)
    await runtime.suspend(box.id)
    await make_box(id=box.id)
    assert await box.sure("cat own; ls /usr/bin/theirs") == "own\n/usr/bin/theirs"
    await isolation.restore(box.id, SYSTEM)
    assert (await box.run("ls", "/usr/bin/theirs")).status != 0
