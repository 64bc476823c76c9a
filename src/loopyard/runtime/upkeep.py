"""Protocol of garbage collectors: orphans on a host, and how they are freed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Kind = Literal[
    "boxes", "snapshots", "shared", "images", "layers", "objects", "builds", "requests", "axons", "recordings"
]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that nothing refers to. `name` is unique among its kind."""

    kind: Kind
    name: str


class Keeper(Protocol):
    """Knows all that there is of some kind, and what of it is in use."""

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:
        """Orphans: things that nothing refers to. Caches count once they are so old."""
        ...

    async def free(self, leftover: Leftover) -> bool:
        """Free one of them. Looks once more whether it is in use: false if it is now, or cannot be freed just now."""
        ...


@runtime_checkable
class HasKeepers(Protocol):
    """A provider that leaves things on its host."""

    @property
    def keepers(self) -> Sequence[Keeper]:
        """Garbage collectors of the provider."""
        ...
