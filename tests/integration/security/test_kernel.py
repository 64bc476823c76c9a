"""Ways out through the kernel, each really tried by the box's root, and each shut."""

import os
import platform
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.security.conftest import Box

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are x86_64's")

REFUSED = {"EPERM", "EACCES", "ENOSYS"}


def test_nothing_can_be_mounted(box: Box) -> None:
    assert box.python("print(syscall(165, b'none', b'/mnt', b'tmpfs', 0, 0))") == "EPERM"
    assert box.python("print(syscall(430, b'tmpfs', 0))") == "EPERM"
    assert box.python("print(syscall(428, -100, b'/', 1))") == "EPERM"
    assert box.root("mount -t proc proc /mnt").exit_status != 0
    assert box.root("mount -o remount,rw /sys").exit_status != 0
    assert box.root("umount /proc/sys").exit_status != 0


def test_no_namespaces_can_be_made_or_joined(box: Box) -> None:
    for flag in (0x10000000, 0x00020000, 0x40000000, 0x20000000):
        assert box.python(f"print(syscall(272, {flag}))") == "EPERM"
        assert box.python(f"print(syscall(56, {flag} | 17, 0, 0, 0, 0))") == "EPERM"
    assert box.python("print(syscall(435, 0, 0))") == "ENOSYS"  # clone3: its flags cannot be looked at
    assert box.python("print(syscall(308, os.open('/proc/1/ns/net', os.O_RDONLY), 0))") in REFUSED
    assert box.user("unshare -Ur true").exit_status != 0


@pytest.mark.parametrize(("kind", "major", "minor"), [("b", 254, 0), ("b", 7, 0), ("c", 1, 1), ("c", 10, 200)])
def test_devices_can_neither_be_made_nor_opened(box: Box, kind: str, major: int, minor: int) -> None:
    result = box.root(f"rm -f /tmp/dev; mknod /tmp/dev {kind} {major} {minor} && head -c1 /tmp/dev")
    assert result.exit_status != 0
    assert box.python("print(sorted(os.listdir('/dev')))").count("vda") == 0


def test_the_kernels_tracing_loading_and_keys_are_shut(box: Box) -> None:
    calls = {
        "bpf": "syscall(321, 5, bytes(128), 128)",
        "perf_event_open": "syscall(298, bytes(128), 0, -1, -1, 0)",
        "io_uring_setup": "syscall(425, 8, bytes(120))",
        "userfaultfd": "syscall(323, 0)",
        "keyctl": "syscall(250, 0, -3, 1)",
        "add_key": "syscall(248, b'user', b'x', b'y', 1, -3)",
        "request_key": "syscall(249, b'user', b'x', 0, -3)",
        "init_module": "syscall(175, b'', 0, b'')",
        "finit_module": "syscall(313, 0, b'', 0)",
        "kexec_load": "syscall(246, 0, 0, 0, 0)",
        "reboot": "syscall(169, 0xfee1dead, 672274793, 0x4321fedc, 0)",
        "swapon": "syscall(167, b'/tmp/x', 0)",
        "settimeofday": "syscall(164, struct.pack('qq', 0, 0), 0)",
        "open_by_handle_at": "syscall(304, 3, struct.pack('Ii', 8, 1) + bytes(8), 0)",
        "quotactl": "syscall(179, 0x80000700, b'/', 0, 0)",
        "iopl": "syscall(172, 3)",
        "syslog": "syscall(103, 3, bytes(100), 100)",
        "pivot_root": "syscall(155, b'/', b'/')",
        "acct": "syscall(163, b'/tmp/x')",
    }
    lines = "\n".join(f"print({name!r}, {call})" for name, call in calls.items())
    answers = dict(line.split() for line in box.python(lines).splitlines())
    assert {name for name, answer in answers.items() if answer not in REFUSED} == set()
    assert set(answers) == set(calls)


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/sys/fs/cgroup/memory/release_agent",
        "/proc/1/oom_score_adj",
    ],
)
def test_the_hosts_settings_cannot_be_written(box: Box, path: str) -> None:
    before = Path(path).read_bytes() if os.access(path, os.R_OK) and "sysrq" not in path else b""
    assert box.root(f"echo -n '-1000' > {path}").exit_status != 0
    if before and "/proc/1/" not in path:
        assert Path(path).read_bytes() == before


def test_its_own_cgroup_can_be_read_and_nothing_else(box: Box) -> None:
    """A box sees its limits there. It can neither change them nor see another box's."""
    code = """
    views = [line.split()[1] for line in open('/proc/mounts') if line.split()[2] in ('cgroup', 'cgroup2')]
    found = set()
    for folder, _, files in (each for view in views for each in os.walk(view)):
        found |= {attempt(lambda: os.open(f'{folder}/{name}', os.O_WRONLY)) for name in files}
        found.add(attempt(lambda: os.mkdir(f'{folder}/mine')))
    print(len(views) > 0, *found)
    """
    assert set(box.python(code).split()) <= REFUSED | {"EROFS", "True"}
    seen = box.python("print([name for _, folders, _ in os.walk('/sys/fs/cgroup') for name in folders])")
    assert "dbx_" not in seen
    assert "loopyard" not in seen
    assert box.root(
        "for one in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,rw $one && exit; done; exit 1"
    ).exit_status
    assert box.root("mkdir -p /tmp/cg && mount -t cgroup -o memory cgroup /tmp/cg").exit_status != 0
    assert box.root("mkdir -p /tmp/cg && mount -t cgroup2 none /tmp/cg").exit_status != 0


def test_masked_files_of_proc_and_sys_show_nothing(box: Box) -> None:
    assert box.root("head -c 10 /proc/kcore | wc -c").stdout.strip() == "0"
    assert box.root("cat /proc/keys /proc/timer_list | wc -c").stdout.strip() == "0"
    assert box.root("ls /sys/firmware | wc -l").stdout.strip() == "0"
    assert box.root("dmesg").exit_status != 0


def test_raw_sockets_and_other_families_are_shut(box: Box) -> None:
    code = """
    for family, kind, protocol in ((2, 3, 1), (2, 3, 255), (17, 3, 0x300), (17, 2, 0x300), (38, 5, 0), (40, 1, 0)):
        print(attempt(lambda: socket.socket(family, kind, protocol) and 'open'))
    """
    assert set(box.python(code).splitlines()) <= REFUSED | {"EAFNOSUPPORT"}
    assert box.root("ip link set eth0 down").exit_status != 0
    assert box.root("ip addr add 10.231.9.9/8 dev eth0").exit_status != 0


def test_what_init_runs_cannot_be_overwritten(box: Box) -> None:
    host = Path("/usr/bin/catatonit").read_bytes()
    for path in ("/dev/init", "/proc/1/exe"):
        answer = box.python(f"print(attempt(lambda: os.open({path!r}, os.O_WRONLY)))")
        assert answer in {*REFUSED, "ETXTBSY", "EROFS"}, answer
    assert Path("/usr/bin/catatonit").read_bytes() == host


def test_a_command_cannot_overwrite_the_runtime_that_started_it(box: Box) -> None:
    """CVE-2019-5736: a command that is a link to /proc/self/exe would be the host's own crun."""
    crun = Path("/usr/bin/crun").read_bytes()
    box.root("ln -sf /proc/self/exe /tmp/evil; cp /tmp/evil /tmp/copied 2>/dev/null || true")
    code = """
    import time
    end = time.time() + 3
    while time.time() < end:
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                if 'crun' in os.readlink(f'/proc/{pid}/exe'):
                    os.close(os.open(f'/proc/{pid}/exe', os.O_RDWR))
                    print('opened')
            except OSError:
                pass
    """
    box.client.devboxes.write_file_contents(box.id, file_path="/tmp/watch.py", contents=f"import os\n{_dedent(code)}")
    box.user("sudo -n sh -c 'python3 /tmp/watch.py > /tmp/watched 2>&1 &'")
    for _ in range(20):
        box.user("/tmp/evil --version")
    box.user("sleep 3")
    assert "opened" not in box.root("cat /tmp/watched").stdout
    assert Path("/usr/bin/crun").read_bytes() == crun


def _dedent(code: str) -> str:
    import textwrap

    return textwrap.dedent(code)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_file_capabilities_and_setuid_reach_no_further_than_the_box(box: Box) -> None:
    assert box.root("cp /bin/bash /tmp/rootsh && chmod 4755 /tmp/rootsh").exit_status == 0
    assert box.user("/tmp/rootsh -p -c 'id -u -r; cat /etc/shadow | wc -l'").stdout.split()[0] == "1000"
    assert box.user("/tmp/rootsh -p -c 'head -c1 /etc/shadow | wc -c'").stdout.strip() == "1", "the box's own root"
    for out in (
        "mount -t tmpfs none /mnt",
        "echo 1 > /proc/sysrq-trigger",
        "mknod /tmp/vda b 254 0",
    ):
        assert box.user(f"/tmp/rootsh -p -c '{out}'").exit_status != 0, out
    box.user("nohup /tmp/rootsh -p -c 'exec sleep 4711' >/dev/null 2>&1 &")
    deadline = time.monotonic() + 120
    while not (found := [one for one in psutil.process_iter() if _command(one) == ["sleep", "4711"]]):
        assert time.monotonic() < deadline
    [sleeper] = found
    assert min(sleeper.uids()) >= 1 << 30, "whoever it is inside, on the host it is nobody"
    sleeper.kill()

    forbidden = 1 << 21 | 1 << 12 | 1 << 16 | 1 << 19  # SYS_ADMIN, NET_ADMIN, SYS_MODULE, SYS_PTRACE
    for name, version in (("/tmp/capable", 0x02000000), ("/tmp/effective", 0x02000001)):
        written = f"struct.pack('<5I', {version}, {forbidden}, {forbidden}, 0, 0)"
        set_on = f"os.system('cp /bin/bash {name}'); os.setxattr('{name}', 'security.capability', {written})"
        box.python(f"attempt(lambda: exec({set_on!r}))")
    assert box.user("/tmp/effective -c 'echo runs'").stdout == "", "it asks for more than can be had here"
    assert box.user("/tmp/capable -c 'mount -t tmpfs none /mnt'").exit_status != 0
    for status in (
        box.root("cat /proc/self/status").stdout,
        box.user("/tmp/capable -c 'cat /proc/self/status'").stdout,
    ):
        sets = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
        assert len(sets) == 5
        assert not any(int(held, 16) & forbidden for held in sets.values()), sets
    mapping = box.user("cat /proc/self/uid_map").stdout.split()
    assert int(mapping[0]) == 0
    assert int(mapping[1]) >= 1 << 30
    assert int(mapping[2]) == 65536


def test_nothing_of_the_host_is_left_open_in_a_command(box: Box) -> None:
    # The third is the listing itself.
    assert box.python("print(sorted(os.listdir('/proc/self/fd')))", as_root=False) == "['0', '1', '2', '3']"
    own = box.python(
        "print(os.listdir('/proc/1/fd'), [attempt(lambda: os.readlink(f'/proc/1/fd/{n}')) for n in '012'])"
    )

    assert own.count("/dev/null") == 3
