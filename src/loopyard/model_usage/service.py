"""Tells what calls of models have used."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.model_usage.models import ModelWishes
from loopyard.model_usage.repository import ModelUsageRepository, UsageKey
from loopyard.model_usage.schemas import (
    BudgetView,
    ModelUsageView,
    ModelView,
    RunModelUsageListView,
    RunModelUsageView,
)
from loopyard.model_usage.sums import NOTHING, Sums


async def of_devbox(session: AsyncSession, devbox_id: str) -> ModelUsageView:
    """Usage of a devbox."""
    return (await _of_devboxes(session, [devbox_id]))[0]


async def of_runs(session: AsyncSession, devboxes: Mapping[str, str], *, has_more: bool) -> RunModelUsageListView:
    """Usage of each scenario run; `devboxes` maps the runs' ids to those of their devboxes."""
    usages = await _of_devboxes(session, list(devboxes.values()))
    views = [
        RunModelUsageView(scenario_run_id=run_id, model_usage=usage)
        for run_id, usage in zip(devboxes, usages, strict=True)
    ]
    return RunModelUsageListView(runs=views, has_more=has_more)


async def _of_devboxes(session: AsyncSession, devbox_ids: Sequence[str]) -> list[ModelUsageView]:
    kept = await ModelUsageRepository(session).sums_of_devboxes(devbox_ids)
    wishes = await ModelUsageRepository(session).wishes_of_devboxes(devbox_ids)
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
