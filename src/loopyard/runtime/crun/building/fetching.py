"""Fetches images and files from elsewhere, in the network and the cgroup of a sandbox, where no more is seen of the
host than that needs."""

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from loopyard.dockerfile.plan import GitRepository
from loopyard.kit.host.linux import CA_BUNDLE
from loopyard.runtime.crun.building.buildah import Storage, tagged
from loopyard.runtime.crun.building.enter import Way
from loopyard.runtime.crun.building.logins import logins
from loopyard.runtime.crun.building.means import Place
from loopyard.runtime.crun.building.saying import without_paths
from loopyard.runtime.crun.building.watching import Watch
from loopyard.runtime.crun.host import network
from loopyard.runtime.images import BuildFailed, RegistryLogin
from loopyard.runtime.programs import search_path

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")
_REGISTRIES = "CONTAINERS_REGISTRIES_CONF"
"""Variable that names another file than the host's own `/etc/containers/registries.conf`."""

_AUTHORITIES = "authorities.pem"
_TRUSTING = ("SSL_CERT_FILE", "GIT_SSL_CAINFO")
"""Variables by which buildah, Python and git are told whom to trust."""

_MOST_LINE_BYTES = 1 << 16
_ID = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_CLONE = """set -eu
export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_NOSYSTEM=1 GIT_ALLOW_PROTOCOL=http:https:git GIT_ASKPASS=/bin/false
git() { command "$0" -c core.hooksPath=/dev/null -c advice.detachedHead=false "$@"; }
cd "$1"
git init --quiet .
git remote add origin "$2"
git fetch --quiet --depth 1 origin "$3" 2>/dev/null || {
    git fetch --quiet --tags origin "+refs/heads/*:refs/remotes/origin/*"
    git fetch --quiet origin "$3" 2>/dev/null || git rev-parse --quiet --verify "$3^{commit}" > .git/FETCH_HEAD
}
git checkout --quiet --detach FETCH_HEAD
[ -z "$4" ] || [ ! -f .gitmodules ] || git submodule --quiet update --init --recursive --depth 1
git remote set-url origin "$5"
git rev-parse HEAD
"""
"""Fetches a commit. Its `$0` is git; then come the folder, the remote, the reference, whether with submodules, and
the remote as it is kept: without a password."""
_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_DIGEST = "sha256:"
"""Beginning of an image's id, by which buildah would find it too."""

_OWN = re.compile(r"(localhost/)?loopyard(-base)?(?:[:@]|$)")
"""Names that older versions gave to blueprints of any account."""


def check_reference(name: str) -> None:
    """Refuse what is no name of an image in a registry, such as a file's.

    Raises:
        BuildFailed.
    """
    if not _REFERENCE.fullmatch(name) or name.startswith(_DIGEST):
        raise BuildFailed("build_failed", f"{name}: this is no name of an image.")
    if _OWN.match(name):
        raise BuildFailed("build_failed", f"{name}: this is a name of the server's own images.")


class Fetcher:
    """For one build. `work` is a folder of its own, `memory` one in memory, `place` a sandbox of the build's.
    `ca_bundle` holds certificate authorities that are trusted besides the host's own, None for none."""

    def __init__(self, storage: Storage, work: Path, memory: Path, place: Place, ca_bundle: Path | None) -> None:
        self._storage = storage
        self._work = work
        self._memory = memory
        self._place = place
        self._ca_bundle = ca_bundle

    async def pull(self, name: str, login: RegistryLogin | None, told: Callable[[str], None]) -> str:
        """Fetch an image from a registry into the storage, and return its id there. The registry is asked also if the
        image is here: it decides who gets it.

        Raises:
            BuildFailed: It cannot be had.
        """
        check_reference(name)
        known, options = logins(login), list[str]()
        if known:
            file = self._memory / "logins.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(known))
            options.append(f"--authfile={file}")
        argv = [str(shutil.which("buildah", path=search_path())), *self._storage.arguments, "pull", "--policy=always"]
        argv += [f"--signature-policy={self._storage.policy}", *options, tagged(name)]
        writable = [str(self._storage.root), str(self._storage.run_root), str(self._memory)]
        status, last = await self._run(argv, writable, told)
        if status != 0:
            said = last or f"buildah ended with {status}."
            raise BuildFailed("build_failed", f"The image {name} cannot be fetched: {said}")
        if not _ID.fullmatch(last):
            raise BuildFailed("build_failed", f"The image {name} cannot be fetched: buildah did not say what it has.")
        return last

    async def download(self, url: str, most_bytes: int, told: Callable[[str], None]) -> tuple[Path, dict[str, object]]:
        """Fetch a file by HTTP, and return where it is and what is known of it: `name`, `modified`.

        Raises:
            BuildFailed: It cannot be had.
        """
        target = self._work / f"fetched-{secrets.token_hex(8)}"
        argv = [sys.executable, "-I", str(Path(__file__).with_name("download.py")), url, str(target), str(most_bytes)]
        status, last = await self._run(argv, [str(self._work)], told)
        if status != 0:
            reason = "out_of_disk" if status == 3 else "build_failed"
            raise BuildFailed(reason, f"ADD {url}: {last or f'the download ended with {status}.'}")
        return target, json.loads(last)

    async def clone(self, source: GitRepository, most_bytes: int, told: Callable[[str], None]) -> tuple[Path, str]:
        """Fetch a commit of a repository, and return its folder and the commit's name.

        Raises:
            BuildFailed: It cannot be had.
        """
        git = shutil.which("git", path=search_path())
        if git is None:
            raise BuildFailed("build_failed", f"ADD {source.remote}: the host has no git.")
        folder = self._work / f"repository-{secrets.token_hex(8)}"
        folder.mkdir(mode=0o755)
        submodules = "yes" if source.submodules else ""
        argv = [
            "/bin/sh",
            "-c",
            _CLONE,
            git,
            str(folder),
            source.remote,
            source.ref or "HEAD",
            submodules,
            _without_password(source.remote),
        ]
        watch = Watch([folder], most_bytes)
        cloning = asyncio.create_task(self._run(argv, [str(self._work)], told))
        watching = asyncio.create_task(watch.run())
        try:
            await asyncio.wait({cloning, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watch.too_much:
                raise BuildFailed("out_of_disk", f"ADD {source.remote}: it is larger than a step may write.")
            status, last = await cloning
        finally:
            for task in (cloning, watching):
                task.cancel()
            await asyncio.wait({cloning, watching})
        if status != 0 or not _COMMIT.fullmatch(last):
            raise BuildFailed("build_failed", f"ADD {source.remote}: {last or f'git ended with {status}.'}")
        return folder, last

    async def _run(self, argv: list[str], writable: list[str], told: Callable[[str], None]) -> tuple[int, str]:
        """Run a program there. Returns its exit status and its last line, or the last that tells of an error."""
        async with self._root() as (root, temporary, resolving):
            environment = {"PATH": search_path(), "HOME": "/root", "LANG": "C.UTF-8"}
            environment["TMPDIR"] = "/var/tmp"  # noqa: S108
            environment |= {name: os.environ[name] for name in (*_PROXIES, _REGISTRIES) if name in os.environ}
            if authorities := await asyncio.to_thread(self._authorities):
                (temporary / _AUTHORITIES).write_bytes(authorities)
                environment |= dict.fromkeys(_TRUSTING, f"/var/tmp/{_AUTHORITIES}")  # noqa: S108
            registries = [os.environ[_REGISTRIES]] if _REGISTRIES in os.environ else []
            way = Way(
                argv=argv,
                environment=environment,
                cgroup=self._place.cgroup,
                network=f"/proc/{self._place.pid}/ns/net",
                root=str(root),
                shown=[sys.prefix, sys.base_prefix, str(Path(__file__).parents[3]), *registries],
                writable=writable,
                temporary=str(temporary),
                resolv_conf=str(resolving),
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "loopyard.runtime.crun.building.enter",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                limit=_MOST_LINE_BYTES,
            )
            assert process.stdin is not None  # noqa: S101
            process.stdin.write(json.dumps(way).encode())
            process.stdin.close()
            try:
                last = await _follow(process, lambda line: told(without_paths(line)))
                status = await process.wait()
                return status, last if status == 0 else without_paths(last)
            finally:
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()

    def _authorities(self) -> bytes:
        """The certificate authorities to trust; empty if the host's own are all."""
        if self._ca_bundle is None or self._ca_bundle == Path(CA_BUNDLE) or not self._ca_bundle.exists():
            return b""
        hosts = Path(os.environ.get("SSL_CERT_FILE", CA_BUNDLE))
        return b"\n".join(file.read_bytes() for file in (hosts, self._ca_bundle) if file.exists())

    @asynccontextmanager
    async def _root(self) -> AsyncGenerator[tuple[Path, Path, Path]]:
        folder = self._work / f"enter-{secrets.token_hex(8)}"
        root, temporary, resolving = folder / "root", folder / "tmp", folder / "resolv.conf"
        for one in (root, temporary):
            one.mkdir(mode=0o700, parents=True)
        temporary.chmod(0o755)
        asked = network.nameservers() or [self._place.host_address]
        resolving.write_text("".join(f"nameserver {address}\n" for address in asked))
        try:
            yield root, temporary, resolving
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _without_password(remote: str) -> str:
    """A URL without the user and the password that it may have."""
    parts = urlsplit(remote)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else remote


async def _follow(process: asyncio.subprocess.Process, told: Callable[[str], None]) -> str:
    """Pass on each line but the last. Returns that, or the last that tells of an error."""
    assert process.stdout is not None  # noqa: S101
    last, error, rest = "", "", b""
    while chunk := await process.stdout.read(_MOST_LINE_BYTES):
        *lines, rest = re.split(rb"\r?\n|\r", rest + chunk)
        if len(rest) > _MOST_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            if last:
                told(last)
            last = line.decode(errors="replace").rstrip()
            error = last if last.startswith(("Error:", "error ")) else error
    if rest:
        last = rest.decode(errors="replace").rstrip()
    return error or last
