"""Rows of lists of scenario runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.console.outcomes import Outcome, of_run
from loopyard.kit.clock import now_ms
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.run.repository import JSON_NAMES, PLAIN_NAMES, ScenarioRunRepository
from loopyard.scenario.run.states import FINAL

_NAMES: tuple[str, ...] = (*PLAIN_NAMES, *JSON_NAMES)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list. `agent` is what its metadata say, `seconds` how long it took or takes until now."""

    id: str
    name: str | None
    scenario_id: str
    scenario_name: str
    benchmark_run_id: str | None
    agent: str | None
    state: str
    outcome: Outcome
    score: float | None
    start_time_ms: int
    seconds: float
    reason: str | None


async def rows_of(session: AsyncSession, account_id: str, listed: Sequence[Row[Any]]) -> list[RunRow]:
    """Rows for a page of `ScenarioRunRepository.list_page`."""
    found: list[dict[str, Any]] = [dict(zip(_NAMES, row, strict=True)) for row in listed]
    names = await ScenarioRepository(session).names_of({run["scenario_id"] for run in found}, account_id)
    failed = await ScenarioRunRepository(session).failures([run["id"] for run in found if run["state"] in FINAL])
    return [_row(run, names, *failed.get(run["id"], (None, None))) for run in found]


def _row(run: Mapping[str, Any], names: dict[str, str], fault: str | None, reason: str | None) -> RunRow:
    result: dict[str, Any] = orjson.loads(run["scoring_contract_result"] or "null") or {}
    metadata: dict[str, str] = orjson.loads(run["metadata"] or "{}")
    scenario_id: str = run["scenario_id"]
    score = None if result.get("score") is None else float(result["score"])
    duration = run["duration_ms"]
    spent = now_ms() - run["start_time_ms"] if duration is None else duration
    return RunRow(
        id=run["id"],
        name=run["name"],
        scenario_id=scenario_id,
        scenario_name=names.get(scenario_id, scenario_id),
        benchmark_run_id=run["benchmark_run_id"],
        agent=metadata.get("agent"),
        state=run["state"],
        outcome=of_run(run["state"], score, fault),
        score=score,
        start_time_ms=run["start_time_ms"],
        seconds=max(0, spent) / 1000,
        reason=reason,
    )
