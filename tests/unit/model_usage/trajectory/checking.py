"""Checks trajectories by the rules of ATIF. Harbor's own code checks some in the integration layer."""

from datetime import datetime
from typing import Any

_STEP = {
    "step_id", "timestamp", "source", "model_name", "message", "reasoning_content", "tool_calls", "observation",
    "metrics", "is_copied_context", "llm_call_count",
}  # fmt: skip
_AGENT_ONLY = {"model_name", "reasoning_content", "tool_calls", "metrics", "llm_call_count", "is_copied_context"}
_TOP = {
    "schema_version", "session_id", "trajectory_id", "agent", "steps", "notes", "final_metrics", "extra",
    "subagent_trajectories",
}  # fmt: skip


def check(trajectory: dict[str, Any], ids: set[str] | None = None) -> None:
    """Fail unless it is as ATIF-v1.7 has it."""
    ids = set() if ids is None else ids
    assert trajectory.keys() <= _TOP
    assert trajectory["schema_version"] == "ATIF-v1.7"
    assert trajectory["trajectory_id"] not in ids
    ids.add(trajectory["trajectory_id"])
    assert trajectory["agent"].keys() <= {"name", "version", "model_name", "tool_definitions"}
    assert [step["step_id"] for step in trajectory["steps"]] == list(range(1, len(trajectory["steps"]) + 1))
    assert trajectory["steps"]
    for step in trajectory["steps"]:
        _check_step(step)
    assert trajectory["final_metrics"]["total_steps"] == len(trajectory["steps"])
    for other in trajectory.get("subagent_trajectories", []):
        check(other, ids)


def _check_step(step: dict[str, Any]) -> None:
    assert step.keys() <= _STEP
    assert isinstance(step["message"], str)
    if step["source"] != "agent":
        assert step["source"] in ("system", "user")
        assert not step.keys() & _AGENT_ONLY
    if "timestamp" in step:
        datetime.fromisoformat(step["timestamp"])
    calls = {call["tool_call_id"] for call in step.get("tool_calls", [])}
    for call in step.get("tool_calls", []):
        assert isinstance(call["arguments"], dict)
        assert isinstance(call["tool_call_id"], str)
    for result in step.get("observation", {}).get("results", []):
        assert result["source_call_id"] in calls
        assert isinstance(result["content"], str)
