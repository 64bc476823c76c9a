"""Part of a reference output that is lost before scoring: its changes of the box's system."""

import zipfile
from typing import Any

from rich.markup import escape
from runloop_api_client import APIError, AsyncRunloop

from loopyard.bench.manifest import manifest_of
from loopyard.bench.results import PutBack, Result

_NAMED = 3


async def put_back(client: AsyncRunloop, run_id: str) -> PutBack | None:
    """Restored paths as the logs of a scored run list them; None if nothing was restored, or the server does not report
    it."""
    try:
        told: dict[str, Any] = (await manifest_of(client, run_id)).get("put_back") or {}
    except (APIError, OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    paths = [str(one) for kind in ("added", "changed", "removed") for one in told.get(kind, [])]
    return PutBack(paths, int(told["count"])) if paths else None


def warning(result: Result) -> list[str]:
    """A line of Rich markup that says so; none if nothing was put back."""
    if result.put_back is None:
        return []
    named = ", ".join(result.put_back.paths[:_NAMED])
    count = result.put_back.count
    return [
        f"[bold]{escape(result.scenario)}[/]: [yellow]the reference output changes {count} "
        f"{'path' if count == 1 else 'paths'} of the system, which scorers do not see[/] "
        f"({escape(named)}{', ...' if count > min(_NAMED, len(result.put_back.paths)) else ''}): "
        'set "loopyard.system_files" = "as_left" in its metadata if they count'
    ]
