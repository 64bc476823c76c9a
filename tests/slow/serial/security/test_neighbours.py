"""Other boxes, the host's files and the host's strength: out of reach."""

import os
import time
from pathlib import Path

import psutil
from runloop_api_client import APIStatusError

from tests.integration.security.conftest import Box
from tests.serving import ServerProcess

MIB = 1 << 20

_MANY_FILES = """
import errno, time
end = time.time() + 60
number, outcome = 0, "time"
try:
    while time.time() < end:
        open(f"/tmp/{number:0>200}", "x").close()
        number += 1
except OSError as error:
    outcome = errno.errorcode[error.errno]
print(outcome)
"""


def test_other_boxes_processes_cannot_be_seen_or_traced(box: Box, other: Box) -> None:
    other.user("nohup sleep 600 >/dev/null 2>&1 &")
    [victim] = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "600"]]
    assert "sleep 600" not in box.root("ps axww").stdout
    assert box.python(f"print(attempt(lambda: os.kill({victim.pid}, 0)))") == "ESRCH"
    assert box.python(f"print(syscall(101, 16, {victim.pid}, 0, 0))") == "ESRCH"
    assert victim.is_running()


def test_each_box_has_uids_of_its_own(box: Box, other: Box) -> None:
    ranges = [one.user("cat /proc/self/uid_map").stdout.split()[1] for one in (box, other)]
    assert ranges[0] != ranges[1]


def test_a_box_has_no_file_of_another_or_of_the_host(box: Box, other: Box, server: ServerProcess) -> None:
    other.user("echo secret-of-the-neighbour > ~/secret")
    assert box.root("cat /home/user/secret").exit_status != 0
    assert box.root(f"ls {server.data_dir}").exit_status != 0
    mounts = box.root("cat /proc/self/mountinfo").stdout
    assert "btrfs" not in mounts
    found = box.root("find / -xdev -name 'loopyard.db' -o -xdev -name 'api-key' 2>/dev/null").stdout
    assert found == ""


def test_links_that_change_while_files_are_called_never_lead_to_the_host(box: Box, server: ServerProcess) -> None:
    """The box swaps a folder for a link to the host's root all the time, while the server reads and writes below it."""
    code = """
    import os
    os.makedirs('/tmp/race/real/etc', exist_ok=True)
    open('/tmp/race/real/etc/hostname', 'w').write('inside')
    os.chmod('/tmp/race', 0o777)
    os.symlink('/proc/1/root', '/tmp/race/link1')
    os.symlink('../../../../../../..', '/tmp/race/link2')
    import time
    end = time.time() + 8
    while time.time() < end:
        for target in ('real', 'link1', 'link2'):
            try:
                os.unlink('/tmp/race/now')
            except OSError:
                pass
            os.symlink(target, '/tmp/race/now')
    """
    box.client.devboxes.write_file_contents(
        box.id, file_path="/tmp/race.py", contents="\n".join(line[4:] for line in code.splitlines())
    )
    box.user("python3 /tmp/race.py >/dev/null 2>&1 &")
    inside = {"inside", box.user("cat /etc/hostname").stdout}
    host = Path("/etc/hostname").read_text()
    assert host not in inside
    tried = 0
    end = time.monotonic() + 6
    while time.monotonic() < end:
        try:
            text = box.client.devboxes.read_file_contents(box.id, file_path="/tmp/race/now/etc/hostname")
            assert text in inside
            box.client.devboxes.write_file_contents(box.id, file_path="/tmp/race/now/tmp/planted", contents="x")
        except APIStatusError as error:
            assert error.status_code in (400, 403, 404), error  # noqa: PT017
        tried += 1
    assert tried > 100
    assert not Path("/tmp/planted").exists()


def test_a_fork_bomb_stays_in_its_box(box: Box, other: Box) -> None:
    box.client.devboxes.execute_async(box.id, command="bomb() { bomb | bomb & }; bomb; sleep 20")
    time.sleep(3)
    assert other.user("echo fine").stdout == "fine\n"
    assert len(psutil.pids()) < 4096 + 1500
    box.client.devboxes.shutdown(box.id)


def test_a_memory_hog_is_killed_and_nobody_else(server: ServerProcess, other: Box) -> None:
    with server.client() as client:
        hog = client.devboxes.create_and_await_running(launch_parameters={"resource_size_request": "X_SMALL"})
        result = client.devboxes.execute_sync(hog.id, command="python3 -c 'x = bytearray(3 << 30)'")
        assert result.exit_status == 137
        assert other.user("echo fine").stdout == "fine\n"
        client.devboxes.shutdown(hog.id)


def test_a_full_disk_is_the_boxs_own(server: ServerProcess, other: Box) -> None:
    with server.client() as client:
        sized = {"resource_size_request": "CUSTOM_SIZE", "custom_cpu_cores": 1, "custom_gb_memory": 2}
        filler = client.devboxes.create_and_await_running(
            launch_parameters={**sized, "custom_disk_size": 2}  # type: ignore[typeddict-item]
        )
        fill = "fallocate -l 1900M ~/most; head -c 1G /dev/zero > ~/fill; sync; stat -c %s ~/most ~/fill; rm ~/fill"
        most, rest = map(int, client.devboxes.execute_sync(filler.id, command=fill).stdout.split())
        assert (most, most + rest <= 2 << 30) == (1900 << 20, True)
        client.devboxes.write_file_contents(filler.id, file_path="fill.py", contents=_MANY_FILES)
        result = client.devboxes.execute_sync(filler.id, command="python3 fill.py", timeout=180)
        assert result.stdout.strip() in ("ENOSPC", "EDQUOT", "time")
        assert other.user("echo fine > ~/fine && cat ~/fine").stdout == "fine\n"
        client.devboxes.shutdown(filler.id)


def test_endless_output_is_cut_on_the_host(server: ServerProcess) -> None:
    """Each stream is kept up to a limit; the command is not stopped for it, nor the server's memory used."""
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running()
        before = psutil.Process(server.pid).memory_info().rss
        run = client.devboxes.execute_async(devbox.id, command="timeout 6 yes | cat")
        time.sleep(8)
        kept = sum(f.stat().st_size for f in (server.data_dir / "commands" / devbox.id / run.execution_id).iterdir())
        assert kept <= (2 << 30) + MIB
        assert psutil.Process(server.pid).memory_info().rss < before + 200 * MIB
        client.devboxes.shutdown(devbox.id)


def test_a_cpu_hog_leaves_the_others_responsive(server: ServerProcess, other: Box) -> None:
    with server.client() as client:
        hog = client.devboxes.create_and_await_running(launch_parameters={"resource_size_request": "X_SMALL"})
        client.devboxes.execute_async(hog.id, command="for i in $(seq 50); do (while :; do :; done) & done; wait")
        time.sleep(1)
        times: list[float] = []
        for _ in range(10):
            begun = time.monotonic()
            assert other.user("echo fine").stdout == "fine\n"
            times.append(time.monotonic() - begun)
        assert sorted(times)[5] < 2
        client.devboxes.shutdown(hog.id)


def test_an_execution_cannot_fill_the_host_through_its_output(box: Box, server: ServerProcess) -> None:
    """Standard output is a pipe: what can be done to a file of the host's (allocate, truncate, reopen) cannot."""
    free = os.statvfs(server.data_dir).f_bavail
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running()
        code = "import os\ntry:\n    os.posix_fallocate(1, 0, 1 << 40)\nexcept OSError as e:\n    print(e.errno)\n"
        client.devboxes.write_file_contents(devbox.id, file_path="a.py", contents=code)
        assert client.devboxes.execute_sync(devbox.id, command="python3 a.py").stdout.strip() == "29"
        client.devboxes.shutdown(devbox.id)
    assert abs(os.statvfs(server.data_dir).f_bavail - free) < (10 << 30) // 4096
