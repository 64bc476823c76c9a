"""Model usage of an attempt, as the server's gateway counted it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

from runloop_api_client import APIError, AsyncRunloop

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Tokens and cost of the calls that went through gateways.

    `input_tokens` has the cached ones in it, `output_tokens` the reasoning. `uncounted` calls may have used more,
    `unpriced` ones have tokens but no known price. `cost_usd` is None where none has one.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    uncounted: int = 0
    unpriced: int = 0
    cost_usd: float | None = None

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def is_whole(self) -> bool:
        """True if all tokens are known."""
        return not self.uncounted

    @property
    def is_priced(self) -> bool:
        """True if the whole cost is known."""
        return self.cost_usd is not None and not self.uncounted and not self.unpriced


def of_view(told: object) -> ModelUsage | None:
    """Usage that the server reports, if any call was made."""
    if not isinstance(told, Mapping):
        return None
    view = cast("Mapping[str, Any]", told)
    names = [field.name for field in fields(ModelUsage) if field.name not in ("uncounted", "cost_usd")]
    try:
        numbers: dict[str, Any] = {name: int(view[name]) for name in names}
        numbers["uncounted"] = int(view["cut_off"]) + int(view["untold"])
        cost = view["cost_usd"]
        usage = ModelUsage(**numbers, cost_usd=None if cost is None else float(cost))
    except (KeyError, TypeError, ValueError):
        return None
    return usage if usage.calls else None


async def of_run(client: AsyncRunloop, run_id: str) -> ModelUsage | None:
    """The model usage of a scenario run; None if it made no calls, or the server does not tell."""
    try:
        return of_view(await client.get(f"/v1/scenarios/runs/{run_id}/model_usage", cast_to=object))
    except APIError:
        return None


async def of_benchmark_run(client: AsyncRunloop, run_id: str) -> dict[str, ModelUsage]:
    """Usage of each scenario run of a benchmark run that made calls; empty if the server does not report it."""
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
