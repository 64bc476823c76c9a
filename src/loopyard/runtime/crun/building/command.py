"""The folder of a build, and the command line that does it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopyard.runtime.base_image.making import BASE
from loopyard.runtime.crun import host, network, oci
from loopyard.runtime.crun.accounts import Account
from loopyard.runtime.crun.building.buildah import Storage
from loopyard.runtime.crun.building.enter import Way
from loopyard.runtime.crun.building.logins import logins
from loopyard.runtime.images import BASE_NAME, FILES_NAME, BuildSpec
from loopyard.runtime.layout import subfolders, write_whole
from loopyard.runtime.programs import search_path

_AUTHORITIES = "/dev/.loopyard-ca-certificates.crt"
"""Where a step finds the host's certificate authorities: on a file system that leaves nothing in the image."""

_SECRET = "LOOPYARD_SECRET_"  # noqa: S105
"""What buildah's variables with the values of secrets begin with. Steps do not get them."""

_TRUSTING = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What all builds of a server stand on. `run` is a folder in memory: what lies there are secrets, too."""

    run: Path
    crun: str
    ca_bundle: Path | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sandbox's processes are. `host_address` is the host's end of its network."""

    pid: int
    uid_base: int
    cgroup: str
    host_address: str


def prepare(
    spec: BuildSpec, work: Path, storage: Storage, ground: Ground, place: Place, tags: Mapping[str, str]
) -> Way:
    """Write down all that buildah needs; the way to start it."""
    for name in ("context", "files", "tmp", "root"):
        (work / name).mkdir(mode=0o700)
    (work / "tmp").chmod(0o755)
    runs = _runs(ground, spec.id)
    for name in ("crun", "steps"):
        (runs / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    (work / "Dockerfile").write_text(spec.dockerfile)
    for name, content in spec.files.items():
        (work / "files" / name).write_bytes(content)
    asked = network.nameservers() or [place.host_address]
    (work / "resolv.conf").write_text("".join(f"nameserver {address}\n" for address in asked))
    settings = _settings(spec, work, ground, place, runs)
    (runs / "step.json").write_text(json.dumps(settings))
    runtime = work / "runtime"
    step = Path(__file__).with_name("step.py")
    runtime.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{step}" "{runs}/step.json" "$@"\n')
    runtime.chmod(0o700)
    context = spec.context or work / "context"
    base, images = tags[BASE], {name: tag for name, tag in tags.items() if name != BASE}
    secrets = {**spec.secrets, **spec.hidden}
    argv = [
        str(shutil.which("buildah", path=search_path())),
        *storage.arguments,
        "bud",
        "--layers",
        "--pull=false",
        "--isolation=oci",
        f"--runtime={runtime}",
        "--network=host",
        f"--signature-policy={storage.policy}",
        f"--iidfile={work / 'image'}",
        f"--file={work / 'Dockerfile'}",
        f"--build-context={FILES_NAME}={work / 'files'}",
        f"--build-context={BASE_NAME}=container-image://{base}",
        *(f"--build-context={name}=container-image://{tag}" for name, tag in images.items()),
        *(f"--build-arg={name}={value}" for name, value in spec.build_args.items()),
        *(f"--secret=id={name},env={_SECRET}{name}" for name in secrets),
        *_login_arguments(spec, runs),
        str(context),
    ]
    environment = {"PATH": search_path(), "HOME": "/root", "LANG": "C.UTF-8"}
    environment["TMPDIR"] = "/var/tmp"  # noqa: S108
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")
    environment |= {name: os.environ[name] for name in proxies if name in os.environ}
    # From files buildah would copy them to its storage; from variables, into memory.
    environment |= {f"{_SECRET}{name}": value for name, value in secrets.items()}
    shown = [sys.prefix, sys.base_prefix, str(Path(__file__).parents[3]), str(context)]
    return Way(
        argv=argv,
        environment=environment,
        cgroup=place.cgroup,
        network=f"/proc/{place.pid}/ns/net",
        root=str(work / "root"),
        shown=shown,
        writable=[str(storage.root), str(storage.run_root), str(runs), str(work)],
        temporary=str(work / "tmp"),
        resolv_conf=str(work / "resolv.conf"),
    )


def _login_arguments(spec: BuildSpec, runs: Path) -> list[str]:
    known = logins(spec.login)
    if not known:
        return []
    file = runs / "logins.json"
    file.write_text(json.dumps(known))
    return [f"--authfile={file}"]


def _settings(spec: BuildSpec, work: Path, ground: Ground, place: Place, runs: Path) -> dict[str, Any]:
    """What `step` makes of each RUN."""
    limits = spec.limits
    root, other = (Account("", uid, uid, (uid,), "/", "/bin/sh") for uid in (0, 1))
    files = host.most_open_files()
    own = oci.configuration(
        work,
        work,
        Path(oci.INIT),
        "build",
        place.uid_base,
        f"{place.cgroup}.step",
        limits,
        limit_swap=host.can_limit_swap(),
    )
    mounts = [one for one in own["mounts"] if one["destination"] != oci.INIT]
    environment = dict(spec.secrets)
    if ground.ca_bundle is not None and ground.ca_bundle.exists():
        shutil.copyfile(ground.ca_bundle, work / "authorities")
        (work / "authorities").chmod(0o644)
        options = ["bind", "ro", "nosuid", "nodev", "noexec"]
        mounts.append(
            {"destination": _AUTHORITIES, "type": "bind", "source": str(work / "authorities"), "options": options}
        )
        environment = {**dict.fromkeys(_TRUSTING, _AUTHORITIES), **environment}
    return {
        "crun": [ground.crun, "--root", str(runs / "crun"), "--cgroup-manager=cgroupfs"],
        "steps": str(runs / "steps"),
        "environment": environment,
        "process_root": oci.process(root, [], "/", {}, files),
        "process_other": oci.process(other, [], "/", {}, files),
        "mounts": mounts,
        "linux": own["linux"],
        "user_namespace": f"/proc/{place.pid}/ns/user",
        "uid_base": place.uid_base,
        "stacks": "/var/tmp",  # noqa: S108  (what the step finds there is the build's own folder)
        "upper": str(work / "upper"),
        "out_of_memory": str(out_of_memory(work)),
    }


def start() -> list[str]:
    """The command that does it. It is told the way, in JSON, by standard input."""
    return [sys.executable, "-m", "loopyard.runtime.crun.building.enter"]


def _runs(ground: Ground, build_id: str) -> Path:
    """Where a build's steps keep what they are told, and crun their state."""
    return ground.run / "builds" / build_id


def stop_steps(ground: Ground, build_id: str) -> None:
    """End what a build that was cut off has left running."""
    runs = _runs(ground, build_id)
    if not runs.is_dir():
        return
    for name in subfolders(runs / "crun"):
        # On a hybrid of cgroup v1 and v2 crun works only where the v2 part is out of sight.
        hide = 'umount /sys/fs/cgroup/unified && mount -t tmpfs none /sys/fs/cgroup/unified; exec "$@"'
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", hide, "sh"]
        command += [ground.crun, "--root", str(runs / "crun"), "--cgroup-manager=cgroupfs", "delete", "--force", name]
        subprocess.run(command, check=False, capture_output=True, timeout=60)
    shutil.rmtree(runs, ignore_errors=True)


def out_of_memory(work: Path) -> Path:
    """The file that is there when a step was killed for its memory."""
    return work / "out-of-memory"


def upper(work: Path) -> Path | None:
    """Where the present step's changes are."""
    file = work / "upper"
    return Path(file.read_text()) if file.exists() else None


def image_id(work: Path) -> str:
    return (work / "image").read_text().strip().removeprefix("sha256:")


def write_tag(file: Path, tag: str) -> None:
    """Keep what buildah's storage calls an image."""
    write_whole(file, {"tag": tag})
