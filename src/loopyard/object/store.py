"""Protocol of a store of objects' contents. Every call can be repeated after a crash."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loopyard.object.states import ContentType


class ContentMissing(Exception):
    """The store has no content of this object."""


@dataclass(frozen=True, slots=True)
class Download:
    """Name and type under which a download is saved."""

    object_id: str
    name: str
    content_type: ContentType


MEDIA_TYPES: dict[str, str] = {
    "unspecified": "application/octet-stream",
    "text": "text/plain; charset=utf-8",
    "binary": "application/octet-stream",
    "gzip": "application/gzip",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
}


class ObjectStore(Protocol):
    shared: bool
    """True if others may keep objects there that this server knows nothing of."""

    async def open(self) -> None:
        """At start: clear away what an earlier process left half done."""
        ...

    async def upload_url(self, object_id: str, base_url: str, seconds: int) -> str:
        """A URL that takes the content by PUT, without a key, until `seconds` have passed. What is cut off leaves
        nothing; what is sent again replaces what was sent before. `base_url` is this server's own."""
        ...

    async def download_url(self, download: Download, base_url: str, seconds: int) -> str:
        """A URL that gives the content by GET, without a key, until `seconds` have passed."""
        ...

    async def seal(self, object_id: str) -> int:
        """Make what was uploaded the final content, which no upload changes any more; its size in bytes.

        Raises:
            ContentMissing: Nothing was uploaded.
            TooLarge: What was uploaded is more than an object may have; it is deleted.
        """
        ...

    def read(self, object_id: str) -> AsyncIterator[bytes]:
        """The final content, in chunks. Memory use does not grow with it. Raises on the first step.

        Raises:
            ContentMissing: There is none.
        """
        ...

    def local_file(self, object_id: str) -> Path | None:
        """The file with the final content, which is only read; None where it is not on this host.

        Raises:
            ContentMissing: There is none.
        """
        ...

    def contents(self) -> AsyncIterator[str]:
        """The ids of all objects that it has anything of; one may come twice."""
        ...

    async def delete(self, object_id: str) -> None:
        """Delete all of an object. Does nothing if there is nothing."""
        ...
