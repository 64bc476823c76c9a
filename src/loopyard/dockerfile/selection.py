"""Selection of the files that COPY, ADD and bind mounts take: which, in what order, and where each goes.

It works on a `Tree`, so that a folder on disk and the merged layers of a stage are selected from alike. What is in a
tree is hostile: links are only followed inside of it, by the tree.
"""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from loopyard.dockerfile import bounds
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.ignore import Matcher, Results, bracket
from loopyard.dockerfile.patterns import BadPattern, check_wildcards, compiled, quoted
from loopyard.dockerfile.plan import ContextRef, CopyStep, Path, Place


class Entry(Protocol):
    """Something in a tree. `target` is where a link leads."""

    @property
    def kind(self) -> Literal["folder", "file", "link", "other"]: ...

    @property
    def mode(self) -> int: ...

    @property
    def target(self) -> str: ...


class Tree(Protocol):
    """Files below a root. Paths are relative to it; the root's own is empty."""

    def find(self, path: str, *, follow: bool = True) -> Entry | None:
        """Entry at a path, through links that stay inside; the last one only if `follow`."""
        ...

    def resolve(self, path: str) -> str | None:
        """The path without links in it; None where nothing is there."""
        ...

    def children(self, path: str) -> Sequence[tuple[str, Entry]]:
        """Entries of a folder, in the order of names."""
        ...


@dataclass(frozen=True, slots=True)
class Selected:
    """Something to be copied: its path in the tree, without links, and where it goes below the destination; there,
    empty is the destination itself. `top` tells that it is what a source names, and not something below it."""

    path: str
    below: str
    entry: Entry
    top: bool = False


def select(tree: Tree, step: CopyStep, *, into_folder: bool) -> Iterator[Selected]:
    """Entries that a step copies from a tree, folders before what is in them. `into_folder` tells whether the
    destination is a folder: by `CopyStep.into_folder`, or since it is one.

    Pipes, sockets and devices are left out, as BuildKit does. Of a context, what its ignore file names is not in the
    tree any more (`loopyard.dockerfile.context`).

    Raises:
        DockerfileError: A source is not there, is a pattern without meaning, or leads to too many files.
    """
    selector = _Selector(tree, step)
    for source in step.sources:
        if isinstance(source, Path):
            yield from selector.source(source, into_folder=into_folder)


def subtree(tree: Tree, path: str) -> Iterator[Selected]:
    """All that is at a path and below it, as a bind mount shows it."""
    resolved = tree.resolve(path)
    entry = None if resolved is None else tree.find(resolved)
    waiting = [] if resolved is None or entry is None else [Selected(resolved, "", entry, top=True)]
    while waiting:
        one = waiting.pop()
        yield one
        if one.entry.kind == "folder":
            waiting += [
                Selected(posixpath.join(one.path, name), posixpath.join(one.below, name), inside)
                for name, inside in reversed(tree.children(one.path))
            ]


@dataclass(frozen=True, slots=True)
class _Visit:
    """Something on the way down: whether it is wanted by itself, and which patterns matched it."""

    one: Selected
    wanted: bool
    excluded: Results
    matched: Results


class _Selector:
    def __init__(self, tree: Tree, step: CopyStep) -> None:
        self._tree = tree
        self._step = step
        self._place: Place = step.place
        self._count = 0
        try:
            self._exclude = Matcher(step.exclude)
        except BadPattern as bad:
            raise DockerfileError(step.place, f"--exclude: {bad}.") from bad

    def source(self, source: Path, *, into_folder: bool) -> Iterator[Selected]:
        try:
            if self._step.parents:
                yield from self._with_parents(source)
                return
            pattern = "" if source.pattern == "." else source.pattern
            if not is_pattern(pattern):
                yield from self._whole(pattern, source, into_folder=into_folder)
                return
            # A pattern that matches nothing copies nothing.
            for path in sorted(self._matching(pattern)):
                if not self._exclude.matches(posixpath.basename(path)):
                    yield from self._whole(path, source, into_folder=into_folder)
        except BadPattern as bad:
            raise DockerfileError(self._place, f"{source.as_written[:100]!r}: {bad}.") from bad

    def _missing(self, source: Path) -> DockerfileError:
        from_context = isinstance(self._step.origin, ContextRef)
        where = "the build context, or its ignore file leaves it out" if from_context else "what it is copied from"
        return DockerfileError(self._place, f"{source.as_written[:200]!r} is not in {where}.")

    def _whole(self, path: str, source: Path, *, into_folder: bool) -> Iterator[Selected]:
        resolved = self._tree.resolve(path)
        entry = None if resolved is None else self._tree.find(resolved)
        if resolved is None or entry is None:
            raise self._missing(source)
        if entry.kind == "folder":
            yield Selected(resolved, "", entry, top=True)
            yield from self._held_back(self._walked(resolved, None))
        elif entry.kind == "file":
            name = posixpath.basename(path)
            if not self._exclude.matches(name):
                yield Selected(resolved, name if into_folder else "", entry, top=True)

    @staticmethod
    def _held_back(visits: Iterator[_Visit]) -> Iterator[Selected]:
        """Entries that are wanted, and before it the folders that it is in."""
        pending: list[Selected] = []
        for visit in visits:
            while pending and not visit.one.below.startswith(pending[-1].below + "/"):
                pending.pop()
            if visit.wanted:
                yield from pending
                pending.clear()
                yield visit.one
            else:
                pending.append(visit.one)

    def _walked(self, begin: str, patterns: Matcher | None) -> Iterator[_Visit]:
        """Depth first, in the order of names: what is wanted, and folders in which something may be."""
        waiting = self._inside(begin, "", (), (), patterns)
        while waiting:
            visit = waiting.pop()
            yield visit
            one = visit.one
            if one.entry.kind == "folder":
                waiting += self._inside(one.path, one.below, visit.excluded, visit.matched, patterns)

    def _inside(
        self, folder: str, below: str, excluded: Results, matched: Results, patterns: Matcher | None
    ) -> list[_Visit]:
        """Entries of a folder, the last name first."""
        found: list[_Visit] = []
        for name, entry in self._tree.children(folder):
            self._counted()
            one = Selected(posixpath.join(folder, name), posixpath.join(below, name), entry)
            out, excluded_now = self._exclude.match(one.below, excluded) if self._exclude else (False, ())
            hit, matched_now = patterns.match(one.below, matched) if patterns else (True, ())
            wanted = hit and not out
            if entry.kind == "folder":
                below_it = (not out or self._exclude.may_keep_below(one.below)) and (
                    hit or patterns is None or patterns.may_match_below(one.below)
                )
                if wanted or below_it:
                    found.append(_Visit(one, wanted, excluded_now, matched_now))
            elif wanted and entry.kind != "other":
                found.append(_Visit(one, wanted, excluded_now, matched_now))
        found.reverse()
        return found

    def _counted(self) -> None:
        self._count += 1
        if self._count > bounds.MOST_ENTRIES:
            raise DockerfileError(self._place, f"More than {bounds.MOST_ENTRIES} files cannot be copied in one step.")

    # Patterns.

    def _matching(self, pattern: str) -> Iterator[str]:
        """The paths that match, part by part; links to folders are only followed before the first wildcard."""
        parts = pattern.split("/")
        fixed = next(index for index, part in enumerate(parts) if is_pattern(part))
        begin = self._tree.resolve("/".join(parts[:fixed]))
        waiting = [] if begin is None else [(begin, fixed)]
        while waiting:
            folder, index = waiting.pop()
            expression = compiled(f"(?s)^{_translated(parts[index])}$")
            for name, entry in self._tree.children(folder):
                self._counted()
                path = posixpath.join(folder, name)
                printable = name if name.isascii() else name.encode(errors="surrogateescape").decode(errors="replace")
                if expression.search(printable) is None:
                    continue
                if index + 1 < len(parts):
                    if entry.kind == "folder":
                        waiting.append((path, index + 1))
                else:
                    yield path

    def _with_parents(self, source: Path) -> Iterator[Selected]:
        """Entries that a source of `--parents` matches; each keeps its path from the pivot on."""
        pattern = source.pattern
        root = source.pivot
        if root:
            pattern = pattern[len(root) :].lstrip("/") or "."
        begin = self._tree.resolve(root)
        if begin is None:
            raise self._missing(source)
        matcher = None if pattern == "." else Matcher([pattern])
        found = False
        for one in self._held_back(self._walked(begin, matcher)):
            found = True
            yield one
        if not found and not is_pattern(pattern) and pattern != ".":
            raise self._missing(source)


def is_pattern(text: str) -> bool:
    """Tells whether a path has wildcards."""
    at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] in "*?[":
            return True
        at += 1
    return False


def _translated(pattern: str) -> str:
    """A name's pattern, as Go's filepath.Match has it, as a regular expression."""
    check_wildcards(pattern)
    made: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if made[-1:] != ["[^/]*"]:
                made.append("[^/]*")
        elif character == "?":
            made.append("[^/]")
        elif character == "[":
            at, inside = bracket(pattern, at)
            made.append(inside)
        elif character == "\\":
            if at >= len(pattern):
                raise BadPattern("syntax error in pattern")
            made.append(quoted(pattern[at]))
            at += 1
        else:
            made.append(quoted(character))
    return "".join(made)
