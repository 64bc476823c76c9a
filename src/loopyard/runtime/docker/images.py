"""The base image in the engine, and snapshots, which are images there too."""

import asyncio
import io
import json
import logging
import os
import shutil
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

from loopyard.runtime.base_image.making import BASE_HOOK, BASE_PACKAGES, ensure_base
from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.docker.tags import Tags, exists
from loopyard.runtime.errors import RuntimeUnavailable
from loopyard.runtime.programs import search_path

log = logging.getLogger("loopyard.runtime.image")

_PIECE_BYTES = 1 << 20
_REPOSITORY = "loopyard-base"


async def ensure_base_image(engine: Engine, images: Path, ca_bundle: Path | None, debian: str) -> str:
    """The name of the base image in the engine, made if it is not there: of the same root file system as the crun
    provider's where this host can make that, else from the image `debian`.

    Raises:
        RuntimeUnavailable: It could not be made.
    """
    if os.geteuid() == 0 and shutil.which("mmdebstrap", path=search_path()) is not None:
        root = await ensure_base(images, ca_bundle)
        name = f"{_REPOSITORY}:{root.name}"
        if not await exists(engine, name):
            log.warning("copying the base image into the engine; this happens once")
            await _import(engine, root, name)
        return name
    name = f"{_REPOSITORY}:{debian.replace('/', '-').replace(':', '-')}"
    if not await exists(engine, name):
        log.warning("building the base image from %s; this happens once", debian)
        await _build(engine, debian, name, ca_bundle)
    return name


_WHOLE = (0, 1)
"""Exit statuses of tar for a whole archive. 1 tells that a file changed meanwhile: builds on crun link the files of the
base, which changes how many names they have, and nothing else."""


async def _import(engine: Engine, root: Path, name: str) -> None:
    tar = await asyncio.create_subprocess_exec(
        "tar", "-C", str(root), "--numeric-owner", "--xattrs", "-cf", "-", ".", stdout=asyncio.subprocess.PIPE
    )
    output = tar.stdout
    if output is None:
        raise RuntimeUnavailable("tar gave no output.")

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await output.read(_PIECE_BYTES):
            yield piece

    repository, _, tag = name.partition(":")
    try:
        said = await engine.ask(
            "POST", "images/create", params={"fromSrc": "-", "repo": repository, "tag": tag}, data=pieces()
        )
    finally:
        status = await tar.wait()
    if status in _WHOLE and isinstance(said, dict) and not await exists(engine, name):  # Podman overhears the name
        made = str(cast("dict[str, Any]", said).get("status"))
        await engine.ask("POST", f"images/{made}/tag", params={"repo": repository, "tag": tag})
    if status not in _WHOLE or not await exists(engine, name):
        raise RuntimeUnavailable(f"The base image could not be copied into the engine: {said}")


async def _build(engine: Engine, debian: str, name: str, ca_bundle: Path | None) -> None:
    files = {"hook": BASE_HOOK.encode(), "host.crt": b""}
    if ca_bundle is not None and ca_bundle.exists():
        files["host.crt"] = ca_bundle.read_bytes()
    files["Dockerfile"] = f"""FROM {debian}
COPY hook host.crt /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends {" ".join(BASE_PACKAGES)} \\
    && sh /tmp/hook / && cat /tmp/host.crt >>/etc/ssl/certs/ca-certificates.crt \\
    && rm -rf /tmp/hook /tmp/host.crt /var/lib/apt/lists/*
""".encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    said = await engine.ask(
        "POST",
        "build",
        params={"t": name, "rm": "true", "forcerm": "true"},
        data=context.getvalue(),
        headers={"Content-Type": "application/x-tar"},
    )
    if not await exists(engine, name):
        raise RuntimeUnavailable(f"The base image could not be built from {debian}: {_end_of(said)}")


def _end_of(said: Any) -> str:
    """The error among the lines of JSON that a build answers with."""
    for line in reversed(str(said).splitlines()):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if "error" in row:
            return str(row["error"])
    return str(said)[-400:]


class Snapshots(Tags):
    """The snapshots of one server."""

    def __init__(self, engine: Engine, server: str) -> None:
        super().__init__(engine, server, "snapshot")

    async def take(self, container: str, snapshot_id: str) -> int | None:
        """Keep a container's disk. Returns the bytes of its own layer. Raises aiodocker.DockerError."""
        if not await self.has(snapshot_id):
            params = {"container": container, "repo": self.repository, "tag": snapshot_id, "pause": "true"}
            await self._engine.ask("POST", "commit", params=params, json={}, timeout=None)
        history: list[dict[str, Any]] = await self._engine.ask("GET", f"images/{self.name(snapshot_id)}/history")
        return int(history[0]["Size"]) if history else None
