"""Scopes: the kinds of resources a key may use, and whether it may change them."""

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum
from typing import Self


class Resource(StrEnum):
    """A kind of resource that rights are given on, as the wire names it."""

    DEVBOXES = "RESOURCE_TYPE_DEVBOXES"
    BLUEPRINTS = "RESOURCE_TYPE_BLUEPRINTS"
    SNAPSHOTS = "RESOURCE_TYPE_SNAPSHOTS"
    BENCHMARKS = "RESOURCE_TYPE_BENCHMARKS"
    SCENARIOS = "RESOURCE_TYPE_SCENARIOS"
    AGENTS = "RESOURCE_TYPE_AGENTS"
    OBJECTS = "RESOURCE_TYPE_OBJECTS"
    ACCOUNT = "RESOURCE_TYPE_ACCOUNT"


class Level(IntEnum):
    """A right on a kind of resource; the greater one holds the lesser."""

    NONE = 0
    READ = 1
    WRITE = 2

    @property
    def wire(self) -> str:
        """Its name on the wire."""
        return f"ACCESS_LEVEL_{self.name}"

    @classmethod
    def of(cls, name: str) -> Self:
        """The level that the wire names so."""
        return cls[name.removeprefix("ACCESS_LEVEL_")]


class Scopes:
    """The rights of a restricted key: a level for each kind of resource, NONE where nothing is said. Immutable."""

    __slots__ = ("_levels",)

    def __init__(self, levels: Mapping[Resource, Level]) -> None:
        self._levels = {resource: level for resource, level in levels.items() if level > Level.NONE}

    @classmethod
    def load(cls, stored: Mapping[str, str]) -> "Scopes":
        """The scopes that `dump` gave. A kind of resource that is not known any more gives no right."""
        known = {each.value for each in Resource}
        return cls({Resource(name): Level.of(level) for name, level in stored.items() if name in known})

    def dump(self) -> dict[str, str]:
        """As rows have it: names of resources to names of levels, as the wire has them."""
        return {resource.value: level.wire for resource, level in self._levels.items()}

    def level(self, resource: Resource) -> Level:
        return self._levels.get(resource, Level.NONE)

    def missing(self, needs: Iterable[tuple[Resource, Level]]) -> tuple[Resource, Level] | None:
        """The first of the rights needed that these scopes lack; None if they have all."""
        for resource, level in needs:
            if self.level(resource) < level:
                return resource, level
        return None

    def cover(self, other: "Scopes") -> bool:
        """True if these rights include all the other ones."""
        return self.missing(other._levels.items()) is None
