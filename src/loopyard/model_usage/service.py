"""Tells what calls of models have used."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.paging import PageQuery
from loopyard.model_usage import repository
from loopyard.model_usage.models import ModelWishes
from loopyard.model_usage.repository import UsageKey
from loopyard.model_usage.schemas import (
    BudgetView,
    ModelUsageView,
    ModelView,
    RunModelUsageListView,
    RunModelUsageView,
)
from loopyard.model_usage.sums import NOTHING, Sums


async def of_devbox(session: AsyncSession, devbox_id: str) -> ModelUsageView:
    """What a devbox has used."""
    return (await _of_devboxes(session, [devbox_id]))[0]


async def of_benchmark_run(
    session: AsyncSession, account_id: str, benchmark_run_id: str, query: PageQuery
) -> RunModelUsageListView:
    """What each scenario run of a benchmark run has used, newest first."""
    runs = await repository.runs_in_benchmark(session, account_id, benchmark_run_id, query)
    page = runs[: query.limit]
    usages = await _of_devboxes(session, [devbox_id for _, devbox_id in page])
    views = [
        RunModelUsageView(scenario_run_id=run_id, model_usage=usage)
        for (run_id, _), usage in zip(page, usages, strict=True)
    ]
    return RunModelUsageListView(runs=views, has_more=len(runs) > query.limit)


async def _of_devboxes(session: AsyncSession, devbox_ids: Sequence[str]) -> list[ModelUsageView]:
    kept = await repository.of_devboxes(session, devbox_ids)
    wishes = await repository.all_wishes(session, devbox_ids)
    return [_view(kept.get(devbox_id, []), wishes.get(devbox_id)) for devbox_id in devbox_ids]


def _view(kept: Sequence[tuple[UsageKey, Sums]], wishes: ModelWishes | None) -> ModelUsageView:
    total = NOTHING
    for _, sums in kept:
        total += sums
    models = [
        ModelView(model=key.model or None, host=key.host, api=key.api, **_told(sums))
        for key, sums in sorted(kept, key=lambda one: -one[1].tokens)
    ]
    return ModelUsageView(**_told(total), models=models, budget=_budget(wishes))


def _told(sums: Sums) -> dict[str, Any]:
    named = {name: getattr(sums, name) for name in _NUMBERS}
    priced = sums.counted + sums.cut_off - sums.unpriced > 0 and (sums.nano_usd > 0 or sums.counted > sums.unpriced)
    return {**named, "calls": sums.calls, "cost_usd": sums.nano_usd / 10**9 if priced else None}


_NUMBERS = (
    "counted",
    "cut_off",
    "untold",
    "failed",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)


def _budget(wishes: ModelWishes | None) -> BudgetView | None:
    if wishes is None or (wishes.max_nano_usd is None and wishes.max_tokens is None):
        return None
    most = None if wishes.max_nano_usd is None else wishes.max_nano_usd / 10**9
    return BudgetView(max_cost_usd=most, max_tokens=wishes.max_tokens, refused=wishes.refused)
