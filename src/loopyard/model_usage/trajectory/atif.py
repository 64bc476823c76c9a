"""Writes conversations as trajectories: ATIF-v1.7, the format of Harbor."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from loopyard.model_usage.metering.meter import Outcome
from loopyard.model_usage.sums import CallReport
from loopyard.model_usage.trajectory.threads import Said, Thread, sort_out

SCHEMA = "ATIF-v1.7"

_NOTES = (
    "Made of the calls that went through Loopyard's gateway. The conversation with the most calls is the trajectory, "
    "the others are subagent_trajectories. One whose past was rewritten, by a summary say, is one of its own."
)


@dataclass(frozen=True, slots=True)
class Names:
    """Names that a recording does not hold."""

    session_id: str
    agent: str = "agent"
    version: str = "unknown"


class NothingRecorded(Exception):
    """A recording has no call that was answered."""


def trajectory(lines: Sequence[dict[str, Any]], names: Names) -> dict[str, Any]:
    """The trajectory of one run.

    Raises:
        NothingRecorded: There is nothing to make it of.
    """
    threads = sort_out(lines)
    if not threads:
        raise NothingRecorded("there is no answered call of a model in it")
    root, *others = [_one(thread, names, number) for number, thread in enumerate(threads)]
    root["notes"] = _NOTES
    costs = [cost for thread in threads for call in thread.calls if (cost := _cost(call)) is not None]
    if costs:
        root["final_metrics"]["total_cost_usd"] = math.fsum(costs)
    if others:
        root["subagent_trajectories"] = others
    return root


def _one(thread: Thread, names: Names, number: int) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    open_calls: dict[str, dict[str, Any]] = {}
    for said in thread.said:
        loose = _observe(said, open_calls)
        if said.turn.role == "agent":
            steps.append(_agent_step(said, open_calls))
        elif said.turn.text or loose:
            text = "\n".join(filter(None, (said.turn.text, *loose)))
            steps.append({"source": said.turn.role, "message": text})
    models = Counter(model for call in thread.calls if (model := _model(call)))
    metrics = [step["metrics"] for step in steps if "metrics" in step]
    costs = [one["cost_usd"] for one in metrics if "cost_usd" in one]
    agent: dict[str, Any] = {"name": names.agent, "version": names.version}
    if models:
        agent["model_name"] = models.most_common(1)[0][0]
    if thread.tools:
        agent["tool_definitions"] = thread.tools
    found: dict[str, Any] = {
        "schema_version": SCHEMA,
        "session_id": names.session_id,
        "trajectory_id": f"{names.session_id}-{number}",
        "agent": agent,
        "steps": [{"step_id": number, **step} for number, step in enumerate(steps, 1)],
        "final_metrics": {
            "total_prompt_tokens": _sum(metrics, "prompt_tokens"),
            "total_completion_tokens": _sum(metrics, "completion_tokens"),
            "total_cached_tokens": _sum(metrics, "cached_tokens"),
            "total_steps": len(steps),
        },
    }
    if costs:
        found["final_metrics"]["total_cost_usd"] = math.fsum(costs)
    if thread.unanswered:
        found["extra"] = {"unanswered_calls": thread.unanswered}
    return found


def _observe(said: Said, open_calls: dict[str, dict[str, Any]]) -> list[str]:
    """Give what tools gave to the steps that called them; the texts of those that nobody called."""
    loose: list[str] = []
    for result in said.turn.results:
        step = open_calls.pop(result.call_id, None)
        if step is None:
            loose.append(result.text)
            continue
        observation = step.setdefault("observation", {"results": []})
        observation["results"].append({"source_call_id": result.call_id, "content": result.text})
    return loose


def _agent_step(said: Said, open_calls: dict[str, dict[str, Any]]) -> dict[str, Any]:
    turn, call = said.turn, said.by
    step: dict[str, Any] = {"source": "agent", "message": turn.text}
    if call is None:
        step["is_copied_context"] = True
    else:
        step["timestamp"] = datetime.fromtimestamp(call["start_time_ms"] / 1000, UTC).isoformat()
        step["llm_call_count"] = 1
        if model := _model(call):
            step["model_name"] = model
        step["metrics"] = _metrics(call)
    if turn.reasoning:
        step["reasoning_content"] = turn.reasoning
    if turn.calls:
        step["tool_calls"] = [
            {"tool_call_id": one.id, "function_name": one.name, "arguments": one.arguments} for one in turn.calls
        ]
        open_calls.update({one.id: step for one in turn.calls})
    return step


def _metrics(call: dict[str, Any]) -> dict[str, Any]:
    report = _report(call)
    if report.outcome != Outcome.COUNTED:
        return {"extra": {"call_id": call["id"], "outcome": report.outcome.value}}
    tokens = report.tokens
    more = {"reasoning_tokens": tokens.reasoning, "cache_write_tokens": tokens.cache_write}
    found: dict[str, Any] = {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "cached_tokens": tokens.cache_read,
        "extra": {"call_id": call["id"], **{name: value for name, value in more.items() if value}},
    }
    if (cost := _cost(call)) is not None:
        found["cost_usd"] = cost
    return found


def _report(call: dict[str, Any]) -> CallReport:
    try:
        return CallReport.model_validate(call.get("usage"))
    except ValidationError:
        return CallReport(outcome=Outcome.UNTOLD)


def _cost(call: dict[str, Any]) -> float | None:
    nano = _report(call).nano_usd
    return None if nano is None else nano / 10**9


def _model(call: dict[str, Any]) -> str | None:
    return _report(call).model or None


def _sum(metrics: Iterable[dict[str, Any]], name: str) -> int:
    return sum(one.get(name, 0) for one in metrics)
