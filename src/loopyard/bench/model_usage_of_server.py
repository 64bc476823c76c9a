"""Model usage of runs, asked of a server by the official client."""

from collections.abc import AsyncIterator
from typing import Any

from runloop_api_client import APIError, AsyncRunloop

from loopyard.bench.model_usage import ModelUsage, of_view

_PAGE = 1000


async def of_run(client: AsyncRunloop, run_id: str) -> ModelUsage | None:
    """The model usage of a scenario run; None if it made no calls, or the server does not tell."""
    try:
        return of_view(await client.get(f"/v1/scenarios/runs/{run_id}/model_usage", cast_to=object))
    except APIError:
        return None


async def of_benchmark_run(client: AsyncRunloop, run_id: str) -> dict[str, ModelUsage]:
    """Usage of each scenario run of a benchmark run, of those that made calls; nothing if the server does not
    tell."""
    try:
        return {name: usage async for name, usage in _pages(client, run_id)}
    except APIError:
        return {}


async def _pages(client: AsyncRunloop, run_id: str) -> AsyncIterator[tuple[str, ModelUsage]]:
    after: dict[str, object] = {}
    while True:
        path = f"/v1/benchmark_runs/{run_id}/model_usage"
        page: Any = await client.get(path, cast_to=object, options={"params": {"limit": _PAGE, **after}})
        for one in page["runs"]:
            if (usage := of_view(one["model_usage"])) is not None:
                yield one["scenario_run_id"], usage
        if not page["has_more"] or not page["runs"]:
            return
        after = {"starting_after": page["runs"][-1]["scenario_run_id"]}
