"""The folders that sandboxes stand on, and the users in them."""

from pathlib import Path

from loopyard.runtime.base_image.making import BASE
from loopyard.runtime.crun.sandbox import image_config
from loopyard.runtime.crun.sandbox.accounts import Accounts
from loopyard.runtime.crun.sandbox.image_config import ImageConfig
from loopyard.runtime.errors import ImageNotFound, SnapshotNotFound
from loopyard.runtime.layout import Layout, read_json


class Roots:
    """`images` is the folder of images."""

    def __init__(self, images: Path, layout: Layout) -> None:
        self._images = images
        self._layout = layout
        self._accounts: dict[Path, Accounts] = {}
        self._configs: dict[Path, tuple[image_config.Version | None, ImageConfig]] = {}

    def of_image(self, name: str | None) -> Path:
        """The root file system of an image; of the base image for None.

        Raises:
            ImageNotFound.
        """
        root = self._images / (name or BASE)
        if not root.is_dir():
            raise ImageNotFound(f"There is no image {name} on this host.")
        return root.resolve()

    def of_snapshot(self, snapshot_id: str) -> Path:
        """The image below a snapshot.

        Raises:
            SnapshotNotFound.
        """
        known = read_json(self._layout.snapshot_file(snapshot_id))
        if known is None:
            raise SnapshotNotFound(f"There is no snapshot {snapshot_id} on this host.")
        return Path(known["image"])

    def config(self, root: Path) -> ImageConfig:
        """The settings of an image. Their file is read once, unless a build or another server writes another."""
        version = image_config.version(root)
        known = self._configs.get(root)
        if known is None or known[0] != version:
            known = self._configs[root] = (version, image_config.read(root))
        return known[1]

    def accounts(self, root: Path) -> Accounts:
        """The users of an image."""
        if root not in self._accounts:
            self._accounts[root] = Accounts(root)
        return self._accounts[root]
