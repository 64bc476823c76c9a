"""Finds what COPY and ADD take, here or elsewhere, and the digests that decide whether it was copied before."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import cast

from loopyard.dockerfile.digests import digest, file_digest
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.plan import CopyStep, GitRepository, Url
from loopyard.dockerfile.plan import Path as SourcePath
from loopyard.dockerfile.selection import Selected, select, subtree
from loopyard.runtime.crun.building.copying import CopyInputs, FetchedFile, SelectedEntry, goes_into_folder
from loopyard.runtime.crun.building.fetching import Fetcher
from loopyard.runtime.crun.building.merged import Entry, Merged
from loopyard.runtime.crun.building.removal import delete_folder
from loopyard.runtime.crun.building.writing import attributes_of
from loopyard.runtime.images import BuildFailed


class CopySources:
    """For one build. `fetching` gives what fetches from elsewhere; `most_bytes` is what a step may write."""

    def __init__(self, fetching: Callable[[], Awaitable[Fetcher]], most_bytes: int) -> None:
        self._fetching = fetching
        self._most_bytes = most_bytes
        self._known: dict[str, str] = {}
        """Digests of files, by where they are. Nobody changes them."""

    async def find(
        self, step: CopyStep, tree: Merged, below: Merged, told: Callable[[str], None]
    ) -> tuple[CopyInputs, list[str]]:
        """Find all that a step copies to the files `below`, of `tree` and of elsewhere, and the digests of it.

        Raises:
            BuildFailed, DockerfileError: Something is not there.
        """
        selected, parts = await self._select(step, tree, below)
        fetched: dict[str, FetchedFile] = {}
        for source in step.sources:
            if isinstance(source, Url):
                fetched[source.url] = await self._fetch(source, told)
                parts.append(await asyncio.to_thread(file_digest, str(fetched[source.url].file)))
            elif isinstance(source, GitRepository):
                more, commit = await self._clone(source, told)
                selected += more
                parts.append(commit)
        return CopyInputs(cast("list[SelectedEntry]", selected), fetched), parts

    def digest(self, selected: Iterable[Selected]) -> str:
        """Digest files with their names, modes and owners."""
        return digest(selected, self._content, extra=_owner)

    def _content(self, entry: object) -> str:
        real = cast("Entry", entry).real
        if real not in self._known:
            self._known[real] = file_digest(real)
        return self._known[real]

    async def _select(self, step: CopyStep, tree: Merged, below: Merged) -> tuple[list[Selected], list[str]]:
        if not any(isinstance(source, SourcePath) for source in step.sources):
            return [], []

        def select_all() -> tuple[list[Selected], str]:
            into = goes_into_folder(step, below)
            selected = list(select(tree, step, into_folder=into))
            if not into and sum(one.top and one.entry.kind != "folder" for one in selected) > 1:
                message = "With several sources the destination is a folder: it must end with /."
                raise DockerfileError(step.place, message)
            return selected, self.digest(selected)

        selected, found = await asyncio.to_thread(select_all)
        return selected, [found]

    async def _clone(self, source: GitRepository, told: Callable[[str], None]) -> tuple[list[Selected], str]:
        """Fetch a repository; what of it is copied, and the name of its commit."""
        folder, commit = await (await self._fetching()).clone(source, self._most_bytes, told)
        if source.checksum is not None and not commit.startswith(source.checksum):
            message = f"ADD {source.remote}: its commit is {commit}, not {source.checksum}."
            raise BuildFailed("build_failed", message)

        def files() -> list[Selected]:
            if not source.keep_git_folder:
                delete_folder(folder / ".git")
            return list(subtree(Merged((str(folder),)), source.subfolder))

        found = await asyncio.to_thread(files)
        if not found or found[0].entry.kind != "folder":
            raise BuildFailed("build_failed", f"ADD {source.remote}: it has no folder {source.subfolder}.")
        return found, commit

    async def _fetch(self, source: Url, told: Callable[[str], None]) -> FetchedFile:
        file, known = await (await self._fetching()).download(source.url, self._most_bytes, told)
        if source.checksum is not None:
            kind = source.checksum.partition(":")[0]
            found = await asyncio.to_thread(_checksum, file, kind)
            if found != source.checksum:
                message = f"ADD {source.url}: its checksum is {found}, not {source.checksum}."
                raise BuildFailed("build_failed", message)
        name, modified = known.get("name"), known.get("modified")
        return FetchedFile(
            source.name or (name if isinstance(name, str) else None),
            file,
            modified if isinstance(modified, float) else None,
        )


def _owner(entry: object) -> str:
    """The owner of something that is copied, and the extended attributes that it keeps."""
    given = cast("Entry", entry)
    owner = f"{given.status.st_uid}:{given.status.st_gid}"
    if given.kind not in ("file", "folder") or not (attributes := attributes_of(given.real)):
        return owner
    return "\0".join((owner, *(f"{name}={value.hex()}" for name, value in attributes.items())))


def _checksum(file: Path, kind: str) -> str:
    with file.open("rb") as stream:
        return f"{kind}:{hashlib.file_digest(stream, kind).hexdigest()}"
