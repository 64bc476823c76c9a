"""The base image: a small Debian or Ubuntu of the host's own release, made once by mmdebstrap."""

import asyncio
import fcntl
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from loopyard.runtime.base_image import apt
from loopyard.runtime.errors import RuntimeUnavailable
from loopyard.runtime.programs import search_path

log = logging.getLogger("loopyard.runtime.image")

BASE = "base"

_SHOWN_LINES = 15

BASE_PACKAGES = [
    "bash",
    "coreutils",
    "git",
    "curl",
    "ca-certificates",
    "python3",
    "python3-pip",
    "python3-venv",
    "procps",
    "less",
    "sudo",
    "openssh-client",
    "iproute2",
    "iputils-ping",
    "patch",
    "xz-utils",
    "zstd",
    "rsync",
    "openssh-sftp-server",
]

BASE_HOOK = """set -eu
root=$1
useradd --root "$root" --create-home --shell /bin/bash --uid 1000 user
echo 'user ALL=(ALL:ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/user"
chmod 440 "$root/etc/sudoers.d/user"
# apt's own unprivileged user cannot be changed to everywhere; the box is the sandbox already.
echo 'APT::Sandbox::User "root";' >"$root/etc/apt/apt.conf.d/90sandbox"
echo 'Acquire::Languages "none";' >>"$root/etc/apt/apt.conf.d/90sandbox"
printf '[global]\\nbreak-system-packages = true\\ndisable-pip-version-check = true\\nroot-user-action = ignore\\n' \\
    >"$root/etc/pip.conf"
# Empty, as in published images: a sandbox has its own, and a build may copy them.
rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
touch "$root/etc/resolv.conf" "$root/etc/hostname"
rm -rf "$root/var/cache/apt/archives/"*.deb
"""

_AUTHORITIES = "/usr/local/share/ca-certificates"
"""Where the image has those that its own distribution does not ship."""

_KEPT_VARIABLES = ("HOME", "TMPDIR", "APT_CONFIG", *(f"{of}_proxy" for of in ("http", "https", "ftp", "all", "no")))
"""Variables of the server's environment that the making sees, in small or capital letters. Programs of the packages run
then, and what else is set here, such as where Python puts what it compiles, would shape the image."""


async def ensure_base(images: Path, ca_bundle: Path | None, told: Callable[[str], None] = log.info) -> Path:
    """Make the base image unless it is there. It takes about half a minute and needs the host's package mirror. One
    that differs from another that is there only in its authorities is made of that, in some seconds.

    Args:
        images: Where it is kept.
        ca_bundle: Certificate authorities that it trusts besides Debian's own.
        told: Gets a line for each step of the making.

    Returns its folder.

    Raises:
        RuntimeUnavailable: It could not be made; the message holds the end of what mmdebstrap said.
    """
    try:
        images.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RuntimeUnavailable(f"The folder for images, {images}, cannot be used: {error.strerror}.") from error
    recipe = _digest(f"{BASE_PACKAGES}{BASE_HOOK}{_KEPT_VARIABLES}{apt.release()}".encode())
    authorities = _digest(ca_bundle.read_bytes() if ca_bundle is not None and ca_bundle.exists() else b"")
    name = f"{BASE}-{recipe}-{authorities}"
    async with _locked(images / "lock"):
        if not (images / name).is_dir():
            like = next(images.glob(f"{BASE}-{recipe}-*/"), None)
            if like is None:
                await _make(images, name, ca_bundle, told)
            else:
                await _make_like(like, images, name, ca_bundle)
        link = images / BASE
        if not link.is_symlink() or link.readlink() != Path(name):
            temporary = images / f"{BASE}.new"
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(name)
            temporary.rename(link)
    return images / name


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


async def _make(images: Path, name: str, ca_bundle: Path | None, told: Callable[[str], None]) -> None:
    log.warning("making the base image of the sandboxes; this happens once and takes about half a minute")
    with tempfile.TemporaryDirectory(prefix="making-", dir=images) as folder:
        work = Path(folder)
        hook = work / "hook"
        hook.write_text(BASE_HOOK + _trust(ca_bundle))
        sources = work / "sources"
        sources.mkdir()
        command = [
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(BASE_PACKAGES)}",
            '--aptopt=Acquire::Retries "3"',
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            f'--customize-hook=sh {hook} "$1"',
            apt.codename(),
            str(work / "root"),
            *apt.own_sources(sources),
        ]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(),
        )
        try:
            last = await _follow(process, told)
            await process.wait()
        finally:
            if process.returncode is None:  # the server is ending; mmdebstrap alone would wait for what it runs
                os.killpg(process.pid, signal.SIGTERM)
                await process.wait()
        if process.returncode != 0:
            raise RuntimeUnavailable(
                f"The base image could not be made (mmdebstrap ended with {process.returncode}):\n{last}"
            )
        (work / "root").rename(images / name)
    for old in images.glob(f"{BASE}-*"):
        if old.name != name:
            log.info("the base image %s is out of date; sandboxes that run keep it until they end", old.name)


async def _make_like(like: Path, images: Path, name: str, ca_bundle: Path | None) -> None:
    """Make it of another one, which differs in its authorities only. All other files are the same ones: nothing ever
    writes to those of an image, and the tools for authorities put new files in the place of old ones."""
    log.info("making the base image of %s, with other authorities", like.name)
    with tempfile.TemporaryDirectory(prefix="making-", dir=images) as folder:
        root, hook = Path(folder) / "root", Path(folder) / "hook"
        hook.write_text(f"""set -eu
root=$1
cp --archive --link "$2" "$root"
rm -f "$root{_AUTHORITIES}"/host-*.crt
{_trust(ca_bundle)}
chroot "$root" update-ca-certificates --fresh
""")
        process = await asyncio.create_subprocess_exec(
            *("sh", str(hook), str(root), str(like)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        said, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeUnavailable(f"The base image could not be made of {like}:\n{said.decode(errors='replace')}")
        root.rename(images / name)


def _environment() -> dict[str, str]:
    kept = {name for known in _KEPT_VARIABLES for name in (known, known.upper())}
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PATH": search_path()}


async def _follow(process: asyncio.subprocess.Process, told: Callable[[str], None]) -> str:
    """Pass on the steps that mmdebstrap tells. Returns the end of all that it said."""
    assert process.stdout is not None  # noqa: S101
    last: deque[str] = deque(maxlen=_SHOWN_LINES)
    async for line in process.stdout:
        text = line.decode(errors="replace").rstrip()
        last.append(text)
        if text.startswith("I: "):
            told(text.removeprefix("I: "))
    return "\n".join(last)


def _trust(ca_bundle: Path | None) -> str:
    """Shell lines that make the image trust the host's authorities that it does not know by itself."""
    if ca_bundle is None or not ca_bundle.exists():
        return ""
    certificates = [
        f"-----BEGIN CERTIFICATE-----{part.partition('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n"
        for part in ca_bundle.read_text(errors="replace").split("-----BEGIN CERTIFICATE-----")[1:]
    ]
    known = {_normal(file) for file in _shipped_authorities()}
    own = [text for text in certificates if _normal(text) not in known]
    lines = [f'mkdir -p "$root{_AUTHORITIES}"']
    for index, text in enumerate(own):
        lines.append(f"cat >\"$root{_AUTHORITIES}/host-{index}.crt\" <<'PEM'\n{text}PEM")
    return "\n".join([*lines, 'chroot "$root" update-ca-certificates'])


def _shipped_authorities() -> list[str]:
    folder = Path("/usr/share/ca-certificates/mozilla")
    return [file.read_text(errors="replace") for file in folder.glob("*.crt")]


def _normal(certificate: str) -> str:
    return "".join(certificate.split())


@asynccontextmanager
async def _locked(path: Path) -> AsyncGenerator[None]:
    """Held against other servers that share the folder; freed with the process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        for leftover in path.parent.glob("making-*"):  # of a server that was killed meanwhile
            await asyncio.to_thread(shutil.rmtree, leftover, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)
