"""The disks in the pool, by the launcher that sees them."""

from loopyard.runtime.crun.launcher.client import LauncherClient
from loopyard.runtime.crun.launcher.requests import ListDisks
from loopyard.runtime.layout import Layout


class Pool:
    def __init__(self, layout: Layout, launcher: LauncherClient) -> None:
        self._layout = layout
        self._launcher = launcher

    async def snapshots(self) -> set[str]:
        """The snapshots that there is a disk of, half-made ones included."""
        return await self._names("snapshots")

    async def boxes(self) -> set[str]:
        """The sandboxes that there is a disk of."""
        return await self._names("boxes") | await self._names("grounds")

    async def shared(self) -> set[str]:
        """The shared folders that there are, those that are half deleted included, under the names that they have."""
        return await self._names("shared")

    async def _names(self, kind: str) -> set[str]:
        found: set[str] = set()
        names = [""]
        while names:  # an answer has only so many
            folder = str(self._layout.pool / kind)
            names = (await self._launcher.ask(ListDisks(folder, after=names[-1]))).names
            found |= {name.removesuffix(".new") for name in names}
        return found
