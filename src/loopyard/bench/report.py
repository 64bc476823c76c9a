"""Shows what came of a bench: a table for people, JSON for programs."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loopyard.bench.put_back import warning
from loopyard.bench.results import Result, State, summarize
from loopyard.bench.runner import Pace
from loopyard.kit.host.exhaustion import reason

SHOWN_LINES = 15
"""Of each output in what is shown for people. The JSON has all that the server gave."""

_STYLES = {
    State.SCORED: "green",
    State.INFRASTRUCTURE_FAILED: "yellow",
    State.BROKEN_SCENARIO: "bold red",
    State.CANCELED: "dim",
}


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the table, then why anything in it is not as it should be, then a line for each agent."""
    table = Table("scenario", "agent", "score", "time", "state", header_style="bold")
    for name in ("score", "time"):
        next(column for column in table.columns if column.header == name).justify = "right"
    for result in results:
        state = "[bold red]broken[/]" if result.broken else f"[{_STYLES[result.state]}]{result.state}[/]"
        table.add_row(
            escape(result.scenario), escape(result.agent), score_text(result), f"{result.seconds:.1f} s", state
        )
    console.print(table)
    for line in broken_scenarios(results):
        console.print(line, soft_wrap=True)
    for result in results:
        for line in (*warning(result), *details(result)):
            console.print(line, soft_wrap=True)
    for summary in summarize(results):
        mean = "no score" if summary.mean_score is None else f"mean score {summary.mean_score:.3f}"
        apart = [
            f"{count} {words}"
            for count, words in (
                (summary.scored, "scored"),
                (summary.broken, "broken"),
                (summary.infrastructure_failed, "infrastructure failed, not counted"),
                (summary.canceled, "canceled"),
            )
            if count
        ]
        console.print(f"[bold]{escape(summary.agent)}[/]: {mean} ({', '.join(apart)})")


def broken_scenarios(results: Sequence[Result]) -> list[str]:
    """Why no attempt at a scenario could begin, once for each scenario and as the first attempt says it, as Rich
    markup."""
    failures: dict[str, list[str | None]] = {}
    for result in results:
        if result.state == State.BROKEN_SCENARIO:
            failures.setdefault(result.scenario, []).append(result.setup_failure)
    lines: list[str] = []
    for scenario, said in failures.items():
        times = "1 attempt" if len(said) == 1 else f"{len(said)} attempts"
        head = f"[bold]{escape(scenario)}[/]: [red]the scenario is broken[/]: its box could not be set up ({times})"
        lines += [head, *_tail(said[0])]
    return lines


def details(result: Result) -> list[str]:
    """Why a result is not as it should be, or how its agent ended, as Rich markup; no lines if all is well, nor where
    `broken_scenarios` tells it."""
    lines: list[str] = []
    head = f"[bold]{escape(result.scenario)}[/] by {escape(result.agent)}"
    if result.state == State.INFRASTRUCTURE_FAILED:
        lines = [f"{head}: [yellow]infrastructure failed[/], which says nothing about the agent", *_tail(result.reason)]
    elif result.broken and result.state == State.SCORED:
        lines = [f"{head}: [red]the scenario is broken[/]: {escape('; '.join(result.faults))}"]
        for function in result.functions:
            lines += [
                f"  scorer {escape(function.name)}: {function.score:g} ({function.state})",
                *_tail(function.output),
            ]
    elif failed := [function for function in result.functions if function.state == "error"]:
        for function in failed:
            lines += [f"{head}: the scorer {escape(function.name)} ended in an error", *_tail(function.output)]
    agent = result.agent_result
    if agent is not None and (agent.timed_out or agent.exit_status != 0 or result.broken):
        how = "ran out of time" if agent.timed_out else f"exited with {agent.exit_status}"
        if agent.out_of_memory:
            how = f"ran out of memory ({how})"
        elif agent.exit_status != 0 and (words := reason(agent.output)) is not None:
            how += f" ({words})"
        lines += [f"{head}: the agent {how}; what it had done was scored", *_tail(agent.output)]
    return lines


def score_text(result: Result) -> str:
    return "-" if result.score is None else f"{result.score:.3f}"


def _tail(text: str | None) -> list[str]:
    """The last lines, indented; a note where some are left out."""
    lines = (text or "").strip().splitlines() or ["(no output)"]
    left_out = len(lines) - SHOWN_LINES
    note = [f"    ... {left_out} lines before"] if left_out > 0 else []
    return note + [f"    {escape(line)}" for line in lines[-SHOWN_LINES:]]


def document(benchmark: str, results: Sequence[Result], pace: Pace, status: int) -> dict[str, Any]:
    """The content of the `--json` file. Scores are 0.0 to 1.0, times are seconds."""
    return {
        "benchmark": benchmark,
        "concurrency": pace.concurrency,
        "agent_timeout_seconds": pace.agent_timeout,
        "exit_status": status,
        "agents": [asdict(summary) for summary in summarize(results)],
        "results": [
            {**asdict(result), "broken": result.broken, "faults": result.faults, "seconds": round(result.seconds, 3)}
            for result in results
        ],
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace the file at once: a reader sees the old content or the new.

    Raises:
        OSError: It cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)
