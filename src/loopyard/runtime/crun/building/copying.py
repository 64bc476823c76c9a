"""Carries out COPY, ADD and WORKDIR: writes files into a layer, in a thread."""

import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from loopyard.dockerfile.plan import CopyStep, InlineFile, WorkdirStep
from loopyard.runtime.crun.building import owners
from loopyard.runtime.crun.building.archives import is_archive, unpack
from loopyard.runtime.crun.building.merged import Entry, Merged
from loopyard.runtime.crun.building.running import shown
from loopyard.runtime.crun.building.writing import CannotWrite, TooMuch, Writer, attributes_of
from loopyard.runtime.images import BuildFailed

_FILE_MODE, _FETCHED_MODE = 0o644, 0o600


class SelectedEntry(Protocol):
    """Something to be copied; see `loopyard.dockerfile.selection.Selected`."""

    @property
    def below(self) -> str: ...

    @property
    def top(self) -> bool: ...

    @property
    def entry(self) -> Entry: ...


class Stopped(Exception):
    """The build was ended meanwhile."""


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file that was fetched for a source of ADD; `name` is None where nothing says what it is called."""

    name: str | None
    file: Path
    modified: float | None


@dataclass(frozen=True, slots=True)
class CopyInputs:
    """Give what a COPY or ADD copies besides inline files: what was selected, and what was fetched."""

    selected: Sequence[SelectedEntry] = ()
    fetched: Mapping[str, FetchedFile] = field(default_factory=dict[str, FetchedFile])


class Copier:
    """Of one step. `upper` is the changes of the layer, `below` the layers under it. `stopped` ends the work."""

    def __init__(self, upper: Path, below: Merged, most_bytes: int, stopped: threading.Event) -> None:
        def check() -> None:
            if stopped.is_set():
                raise Stopped

        self._below = below
        self._most_bytes = most_bytes
        self._writer = Writer(str(upper), below.layers, most_bytes, check)

    def copy(self, step: CopyStep, given: CopyInputs) -> None:
        """Do what COPY or ADD says.

        Raises:
            BuildFailed: Something is in its way, or is not there.
        """
        owner = None if step.owner is None else owners.owner(step.owner, self._below)
        try:
            self._copy(step, given, owner)
            self._writer.finish()
        except CannotWrite as error:
            raise BuildFailed("build_failed", _told(step, str(error))) from error
        except TooMuch as error:
            message = f"The build wrote more than {self._most_bytes >> 30} GiB."
            raise BuildFailed("out_of_disk", message) from error

    def _copy(self, step: CopyStep, given: CopyInputs, owner: tuple[int, int] | None) -> None:
        target = self._followed(step.destination.strip("/"))
        into = goes_into_folder(step, self._below)
        for one in given.selected:
            if self._unpacks(step, one.entry):
                with open(one.entry.real, "rb") as archive:  # noqa: PTH123
                    unpack(archive, target, self._writer, owner)
            else:
                self._put(step, one, "/".join(part for part in (target, one.below) if part), owner)
        for source in step.sources:
            if isinstance(source, InlineFile):
                mode = _FILE_MODE if step.mode is None else step.mode.apply(_FILE_MODE, is_folder=False)
                path = f"{target}/{source.name}" if into else target
                self._writer.content(path, io.BytesIO(source.content), mode, owner or (0, 0))
        for fetched in given.fetched.values():
            self._put_fetched(step, fetched, target, owner, into=into)

    def _followed(self, target: str) -> str:
        """The destination behind the links that it may be: what is copied to a link is found where that leads."""
        return self._below.walk(target)[0]

    def _put_fetched(
        self, step: CopyStep, fetched: FetchedFile, target: str, owner: tuple[int, int] | None, *, into: bool
    ) -> None:
        with fetched.file.open("rb") as stream:
            if step.unpack and is_archive(stream):
                unpack(stream, target, self._writer, owner)
                return
            if into and fetched.name is None:
                message = "the URL has no name of a file at its end, so the destination must name one"
                raise BuildFailed("build_failed", _told(step, message))
            mode = _FETCHED_MODE if step.mode is None else step.mode.apply(_FETCHED_MODE, is_folder=False)
            moment = 0 if fetched.modified is None else int(fetched.modified * 1e9)
            path = f"{target}/{fetched.name}" if into else target
            self._writer.content(path, stream, mode, owner or (0, 0), (moment, moment))

    def _put(self, step: CopyStep, one: SelectedEntry, path: str, owner: tuple[int, int] | None) -> None:
        entry = one.entry
        status = entry.status
        is_folder = entry.kind == "folder"
        mode = None if step.mode is None else step.mode.apply(entry.mode, is_folder=is_folder)
        if not is_folder:
            self._writer.file(path, entry, mode=mode, owner=owner)
            return
        resolved = self._writer.folder(path, owner=owner or (0, 0))
        if not one.top:  # the destination itself keeps what it has, or is like any new folder
            whose = owner or (status.st_uid, status.st_gid)
            times = (status.st_atime_ns, status.st_mtime_ns)
            kept = attributes_of(entry.real)
            self._writer.change_folder(resolved, entry.mode if mode is None else mode, whose, times, kept)

    def _unpacks(self, step: CopyStep, entry: Entry) -> bool:
        if step.command != "ADD" or entry.kind != "file" or step.unpack is False:
            return False
        with open(entry.real, "rb") as stream:  # noqa: PTH123
            return is_archive(stream)

    def make_workdir(self, step: WorkdirStep) -> None:
        """Make the folder, unless it is there.

        Raises:
            BuildFailed: Something else is there.
        """
        try:
            owner = None
            if step.user:
                found = owners.account(step.user, self._below)
                owner = (found.uid, found.gid)
            self._writer.folder(step.path.strip("/"), owner=owner or (0, 0))
        except CannotWrite as error:
            raise BuildFailed("build_failed", f"{shown(step)}: {error}") from error


def goes_into_folder(step: CopyStep, below: Merged) -> bool:
    """Tell whether the destination is a folder: it is said to be one, or is one."""
    if step.into_folder:
        return True
    found = below.find(step.destination)
    return found is not None and found.kind == "folder"


def _told(step: CopyStep, message: str) -> str:
    place = step.place
    return f"{place.file}:{place.line}:{place.column}: {shown(step)}: {message}"
