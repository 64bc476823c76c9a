"""A family of pages, as the console takes it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter

from loopyard.console.page import Page

BASE = "/console"
"""Path that the console is mounted at: paths in templates begin with it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the navigation, offered to those who may call `operation`."""

    group: str
    title: str
    path: str
    """Below /console, such as `/devboxes`."""
    operation: str | None
    """The operation of the API that the page stands for, as `auth.operations` names it; None for everyone."""
    for_operator: bool = False
    """True if it is for unrestricted keys of the server's own account only."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that a search found."""

    kind: str
    title: str
    path: str
    """Below /console."""
    detail: str = ""


Find = Callable[[Page, str], Awaitable[Sequence[Hit]]]
"""Finds by a part of a name, for a caller who may see it; at most a few hits."""


@dataclass(frozen=True, slots=True)
class Family:
    router: APIRouter
    navigation: Sequence[Entry] = ()
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    """Prefixes of ids to the paths below /console that their pages are at: `{"dbx": "/devboxes/"}`."""
    find: Find | None = None
