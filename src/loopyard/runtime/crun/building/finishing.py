"""Makes the result of a build an image that sandboxes start from: one folder of links to the files of its layers."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from loopyard.dockerfile.oci import from_oci, to_oci
from loopyard.kit.host.environment import fault_of_environment
from loopyard.runtime.base_image.making import BASE
from loopyard.runtime.crun.building.bases import ROOT
from loopyard.runtime.crun.building.buildah import Storage
from loopyard.runtime.crun.building.solving import Result
from loopyard.runtime.crun.building.unpacking import ImageFolder
from loopyard.runtime.crun.host.uids import UIDS
from loopyard.runtime.crun.sandbox import image_config
from loopyard.runtime.crun.sandbox.accounts import Accounts
from loopyard.runtime.crun.sandbox.image_config import ImageConfig
from loopyard.runtime.images import STARTS_IN_WORKDIR, BuildFailed, ImageSettings
from loopyard.runtime.layout import write_whole
from loopyard.runtime.protocol import User

_ID_LETTERS = 32


async def finish(
    storage: Storage,
    folder: ImageFolder,
    result: Result,
    steps: Iterable[str],
    image_id: str,
    note: Path,
    told: Callable[[str], None],
) -> ImageSettings:
    """Keep the result as the image `image_id`, of which the file `note` tells. `steps` are the keys of its steps.

    Raises:
        BuildFailed: It is no image that sandboxes could start from.
    """
    config = to_oci(result.config)
    root = _root(storage.images, result, config)
    if not root.is_dir():
        told("Unpacking the image for devboxes.")
        await folder.finish(result.files.merged.layers, root)
    async with storage.keeping():
        known = image_config.known(root)
        if known is None or result.files.root == root:
            known = settings_of(config, root)
            if not root.name.startswith(f"{BASE}-"):
                image_config.write(root, known)
    write_whole(note, {"root": root.name, "config": config, "steps": sorted(steps)})
    link = storage.images / f"{image_id}.new"
    link.unlink(missing_ok=True)
    link.symlink_to(root.name)
    link.rename(storage.images / image_id)
    run = (*known.entrypoint, *known.command) if known.entrypoint else ()
    return ImageSettings(known.user, run, runs=bool(known.entrypoint or known.command), working_directory=known.cwd)


def _root(images: Path, result: Result, config: Mapping[str, Any]) -> Path:
    """The folder of the image; that of its base where it is the same."""
    files = result.files
    if not files.layers and result.config == result.base and files.root.name.startswith((ROOT, f"{BASE}-")):
        return files.root
    named = json.dumps([files.root.name, files.layers and files.key, config], sort_keys=True)
    return images / f"{ROOT}{hashlib.sha256(named.encode()).hexdigest()[:_ID_LETTERS]}"


def settings_of(given: Mapping[str, Any], root: Path) -> ImageConfig:
    """Give what an OCI configuration means for sandboxes on the files in `root`.

    Raises:
        BuildFailed: No program could be started there.
    """
    config = from_oci(given)
    environment = {name: value for name, value in config.env if name}
    if (fault := fault_of_environment(environment)) is not None:
        raise BuildFailed("build_failed", f"ENV: {fault}.")
    cwd = config.workdir or "/"
    starts_there = dict(config.labels).get(STARTS_IN_WORKDIR) == "true"
    return ImageConfig(
        environment=environment,
        cwd=cwd if cwd != "/" or starts_there else None,
        user=_user(config.user, root),
        entrypoint=list(config.entrypoint or ()),
        command=list(config.cmd or ()),
    )


def _user(named: str, root: Path) -> User | None:
    """The user that USER names, by name or number, if the image says who that is."""
    name, _, group = named.partition(":")
    if not name:
        return None
    accounts = Accounts(root)
    number = int(name[:20]) if name.isdigit() else -1
    if number >= UIDS:
        message = f"USER names the id {number}, which is too large: sandboxes have ids up to {UIDS - 1}."
        raise BuildFailed("build_failed", message)
    account = accounts.find(User(name, number))
    if account is None and number < 0:
        account = accounts.named(name)
    gid = _gid(group, accounts)
    if account is not None:
        return User(account.name, account.uid, gid)
    return User(f"user{number}", number, gid) if number > 0 else User("root", 0, gid) if number == 0 else None


def _gid(named: str, accounts: Accounts) -> int | None:
    """The group that USER names after the colon, by name or number; None for the user's own."""
    if not named:
        return None
    if (gid := accounts.group_id(named)) is not None:
        return gid
    if named.isdigit() and int(named[:20]) < UIDS:
        return int(named)
    raise BuildFailed("build_failed", f"USER names the group {named}, which /etc/group of the image does not have.")
