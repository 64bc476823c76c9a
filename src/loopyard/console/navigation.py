"""The navigation: what the families offer, for those who may see it."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from loopyard.console.family import Entry, Family, Find
from loopyard.console.page import Page


class Navigation:
    def __init__(self, families: Sequence[Family]) -> None:
        entries = [entry for family in families for entry in family.navigation]
        order = list(dict.fromkeys(entry.group for entry in entries))
        self._entries = sorted(entries, key=lambda entry: order.index(entry.group))
        self.links: Mapping[str, str] = {prefix: path for family in families for prefix, path in family.links.items()}
        self.finds: Sequence[Find] = [family.find for family in families if family.find is not None]

    def groups(self, page: Page) -> Sequence[tuple[str, Sequence[Entry]]]:
        """The lines that the caller may follow, by group."""
        offered = [entry for entry in self._entries if _is_for(entry, page)]
        return [(name, list(lines)) for name, lines in groupby(offered, key=lambda entry: entry.group)]

    def path_of(self, given: str) -> str | None:
        """The page of an id; None if it is no id that has one."""
        prefix, _, rest = given.partition("_")
        path = self.links.get(prefix)
        return None if path is None or not rest.isalnum() else f"/console{path}{given}"


def _is_for(entry: Entry, page: Page) -> bool:
    if entry.for_operator and not page.is_operator:
        return False
    return entry.operation is None or page.may(entry.operation)
