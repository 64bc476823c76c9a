"""An import from its beginning to its end: tasks become scenario folders, or scenarios of a server."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runloop_api_client import APIError, AsyncRunloop

from loopyard.bench.catalog import publish
from loopyard.bench.importing.draft import Draft, Drafts, write
from loopyard.bench.loader import FolderFault, load
from loopyard.bench.local_server import ServerFailed, check_usable
from loopyard.bench.wire_errors import describe


def chosen(found: Drafts, *, skip_bad: bool) -> Sequence[Draft]:
    """The scenarios that are to be imported: all, or with `skip_bad` the sound ones.

    Raises:
        FolderFault: Some tasks have faults and may not be skipped, or none is left.
    """
    if found.faults and not (skip_bad and found.sound):
        raise FolderFault(list(found.faults))
    return found.sound


def to_folder(drafts: Sequence[Draft], folder: Path) -> list[Path]:
    """Write scenario folders. Returns them.

    Raises:
        FolderFault: One of them exists already, or what was written is no sound scenario.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = write(drafts, folder)
    for place in written:
        load(place)
    return written


def to_server(drafts: Sequence[Draft]) -> dict[str, str]:
    """Make scenarios, and what their boxes are made of, on the server that RUNLOOP_BASE_URL and RUNLOOP_API_KEY name.
    Scenarios of these names are brought up to date. Returns the ids by name.

    Raises:
        FolderFault: The server does not take some of them.
        ServerFailed: No server is named, or it cannot be used.
    """
    url, key = os.environ.get("RUNLOOP_BASE_URL"), os.environ.get("RUNLOOP_API_KEY")
    if not url or not key:
        raise ServerFailed("set RUNLOOP_BASE_URL and RUNLOOP_API_KEY, or write scenario folders with --to FOLDER")
    with tempfile.TemporaryDirectory(prefix="loopyard-import-") as folder:
        write(drafts, Path(folder))
        return asyncio.run(_publish(url, key, Path(folder)))


async def _publish(url: str, key: str, folder: Path) -> dict[str, str]:
    async with AsyncRunloop(base_url=url, bearer_token=key) as client:
        try:
            await check_usable(client)
            return await publish(client, load(folder).scenarios)
        except APIError as error:
            raise ServerFailed(f"{url} cannot be used: {describe(error)}") from error
