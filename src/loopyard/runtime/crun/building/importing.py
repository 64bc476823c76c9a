"""Takes in root file systems: an archive is unpacked once, into the folder that builds and devboxes stand on.

buildah would write a large one four times. It has only a stub of such an image: its name and its configuration, by
which the image is found, listed and removed like any other. The name is given last, so that one that was cut off has
none.
"""

import asyncio
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from loopyard.runtime.crun.building.buildah import IMPORTED, REPOSITORY, SIZE_FILE, BuildahFailed, Storage
from loopyard.runtime.crun.building.removal import delete_folder
from loopyard.runtime.layout import write_whole
from loopyard.runtime.programs import search_path

_ID_LETTERS = 32
_TOTAL = re.compile(rb"Total bytes read: (\d+)")
_ATTRIBUTES = ("--xattrs", "--xattrs-include=user.*", "--xattrs-include=security.capability")

_STUB = """set -eu
container=$(buildah "$@" from --pull-never scratch)
trap 'buildah "$@" rm "$container" >/dev/null' EXIT
buildah "$@" config {change} "$container" >/dev/null
buildah "$@" commit --quiet "$container" "$NAME"
"""


async def import_archive(storage: Storage, archive: Path, name: str, options: Sequence[str] = ()) -> None:
    """Make an image of a root file system's archive: tar, as it is or compressed. `options` are of `buildah config`,
    and say how it is used. Call it while the storage is in use.

    Raises:
        BuildahFailed: It is no archive, or it cannot be kept.
    """
    made = storage.images / f"image-{secrets.token_hex(16)}.new"
    made.mkdir(mode=0o755)
    made.chmod(0o755)
    try:
        size = await _unpack(archive, made)
        private = f"{REPOSITORY}:{secrets.token_hex(16)}"
        change = shlex.join(["--label", f"{IMPORTED}=true", *options])
        image_id = (await storage.script(_STUB.replace("{change}", change), NAME=private)).split()[-1]
        root = storage.images / f"image-{image_id[:_ID_LETTERS]}"
        made.rename(root)
        write_whole(root.with_name(f"{root.name}.oci.json"), await storage.configuration(image_id))
        write_whole(root.with_name(f"{root.name}.{SIZE_FILE}"), size)
        await storage.ask("tag", private, name)
        await storage.remove(private)
    finally:
        await asyncio.to_thread(delete_folder, made)


async def _unpack(archive: Path, folder: Path) -> int:
    """Unpack an archive, with owners and modes as it says. Returns its size in bytes, without compression."""
    process = await asyncio.create_subprocess_exec(
        "tar",
        "--extract",
        "--totals",
        "--numeric-owner",
        "--same-owner",
        "--preserve-permissions",
        *_ATTRIBUTES,
        f"--file={archive}",
        f"--directory={folder}",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PATH": search_path(), "LC_ALL": "C"},
    )
    try:
        _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise BuildahFailed(f"tar ended with {process.returncode}: {errors.decode(errors='replace').strip()[-2000:]}")
    found = _TOTAL.search(errors)
    return int(found[1]) if found else 0
