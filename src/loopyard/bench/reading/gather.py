"""Finds results by what users call them: a file, or the id of a benchmark run or job on a server."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from runloop_api_client import AsyncRunloop

from loopyard.bench.reading import from_file
from loopyard.bench.reading.attempt import Attempt, Unreadable
from loopyard.bench.reading.contender import Contender, contenders
from loopyard.bench.reading.from_server import JOB_PREFIX, RUN_PREFIX, ServerReader


def gather(runs: Sequence[str]) -> list[Attempt]:
    """The attempts of all the runs, in their order.

    Args:
        runs: Files of `loopyard bench run --json`, and ids on the server that RUNLOOP_BASE_URL and RUNLOOP_API_KEY
            name.

    Raises:
        Unreadable: One cannot be read.
    """
    return asyncio.run(_gather(runs))


async def _gather(runs: Sequence[str]) -> list[Attempt]:
    if not any(_on_server(run) for run in runs):
        return [attempt for run in runs for attempt in from_file.read(Path(run))]
    url, key = os.environ.get("RUNLOOP_BASE_URL"), os.environ.get("RUNLOOP_API_KEY")
    if not url or not key:
        named = next(run for run in runs if _on_server(run))
        raise Unreadable(f"{named} is on a server: set RUNLOOP_BASE_URL and RUNLOOP_API_KEY to its address and key")
    attempts: list[Attempt] = []
    async with AsyncRunloop(base_url=url, bearer_token=key, max_retries=1) as client:
        reader = ServerReader(client)
        for run in runs:
            attempts += await reader.read(run) if _on_server(run) else from_file.read(Path(run))
    return attempts


def _on_server(run: str) -> bool:
    if Path(run).is_file():
        return False
    if run.startswith((RUN_PREFIX, JOB_PREFIX)):
        return True
    raise Unreadable(f"{run} is neither a file, nor the id of a benchmark run ({RUN_PREFIX}…) or job ({JOB_PREFIX}…)")


def choose(run: str) -> Contender:
    """The one contender that `RUN` or `RUN:AGENT` names.

    Raises:
        Unreadable: It cannot be read, or does not say which of several agents is meant.
    """
    source, agent = run, None
    if not Path(run).is_file() and ":" in run:
        source, _, agent = run.rpartition(":")
    found = contenders(gather([source]))
    names = [one.agent for one in found]
    if agent is not None:
        for one in found:
            if one.agent == agent:
                return one
        raise Unreadable(f"{source} has no agent {agent!r}; it has: {', '.join(names) or 'none'}")
    if len(found) != 1:
        told = f"has several agents; name one: {', '.join(f'{source}:{name}' for name in names)}"
        raise Unreadable(f"{source} {told if found else 'has no results'}")
    return found[0]
