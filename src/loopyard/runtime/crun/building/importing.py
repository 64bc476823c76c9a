"""Takes in images and root file systems: an archive is unpacked once, to where builds and devboxes stand on it.

buildah would write a large one four times. It has only a stub of such an image: its name and its configuration, by
which the image is found, listed and removed like any other. The name is given last, so that one that was cut off has
none.
"""

import asyncio
import json
import os
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from loopyard.runtime.crun.building.buildah import IMPORTED, REPOSITORY, SIZE_FILE, BuildahFailed, Storage
from loopyard.runtime.crun.building.changes import options_of
from loopyard.runtime.crun.building.image_archives import ArchivedImage, BrokenArchive, find_image
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
    """Make an image of an archive: of a root file system, as it is or compressed, or of an image. `options` are of
    `buildah config`, and say how it is used, before what the archive says. Call it while the storage is in use.

    Raises:
        BuildahFailed: It is no archive, or it cannot be kept.
    """
    made = storage.images / f"image-{secrets.token_hex(16)}.new"
    made.mkdir(mode=0o755)
    made.chmod(0o755)
    try:
        image = await asyncio.to_thread(find_image, archive)
        if image is None:
            size, said = await _unpack(archive, made), list[str]()
        else:
            size = await _unpack_layers(archive, image, made)
            said = options_of(image.config)
        private = f"{REPOSITORY}:{secrets.token_hex(16)}"
        change = shlex.join(["--label", f"{IMPORTED}=true", *said, *options])
        image_id = (await storage.script(_STUB.replace("{change}", change), NAME=private)).split()[-1]
        root = storage.images / f"image-{image_id[:_ID_LETTERS]}"
        made.rename(root)
        config = await storage.configuration(image_id) if image is None or options else image.config
        write_whole(root.with_name(f"{root.name}.oci.json"), config)
        write_whole(root.with_name(f"{root.name}.{SIZE_FILE}"), size)
        await storage.ask("tag", private, name)
        await storage.remove(private)
    except BrokenArchive as fault:
        raise BuildahFailed(str(fault)) from fault
    finally:
        await asyncio.to_thread(delete_folder, made)


async def _unpack_layers(archive: Path, image: ArchivedImage, folder: Path) -> int:
    """Unpack the layers of an image one over the other. Returns their size in bytes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loopyard.runtime.crun.building.layering", str(archive), str(folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate(json.dumps(image.layers).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise BuildahFailed(errors.decode(errors="replace").strip()[-2000:])
    return int(output)


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
    if (folder / "oci-layout").is_file() and (folder / "blobs").is_dir():
        raise BuildahFailed("the archive of an image is compressed; unpack it first, such as by gunzip")
    found = _TOTAL.search(errors)
    return int(found[1]) if found else 0
