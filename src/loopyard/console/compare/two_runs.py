"""Two scenario runs side by side."""

import asyncio
from dataclasses import dataclass
from typing import Any

from loopyard.benchmark_job.trial.runner import AGENT_COMMAND
from loopyard.console.compare.difference import Difference, difference_of
from loopyard.console.page import Page
from loopyard.console.scenario_runs.detail import SEE_LOGS, RunShown, gather
from loopyard.console.scenario_runs.work import outputs
from loopyard.runtime.protocol import Runtime


@dataclass(frozen=True, slots=True)
class TextPair:
    """A text of each of the runs, and what differs between them."""

    title: str
    note: str | None
    difference: Difference


async def two_runs(page: Page, a: str, b: str) -> dict[str, Any]:
    """Context of the page of two runs: output of the agents, and each scorer's output.

    Raises:
        NotFound: One of them is not there.
    """
    first, second = await gather(page, a), await gather(page, b)
    texts: list[tuple[str, str | None, str, str]] = []
    if page.may(SEE_LOGS):
        texts += await _agents(page, first, second)
    theirs = {one.function.name: one for one in second.scorers}
    for one in first.scorers:
        if (other := theirs.get(one.function.name)) is not None and (one.output or other.output):
            note = f"score {_score(one.score)} and {_score(other.score)}"
            texts.append((f"Output of scorer {one.function.name}", note, one.output, other.output))
    pairs = [
        TextPair(title, note, await asyncio.to_thread(difference_of, mine, others))
        for title, note, mine, others in texts
    ]
    ours = {one.function.name: one for one in first.scorers}
    return {
        "a": first,
        "b": second,
        "pairs": pairs,
        "lines": [(name, ours.get(name), theirs.get(name)) for name in dict.fromkeys([*ours, *theirs])],
        "is_same_scenario": first.run.scenario_id == second.run.scenario_id,
    }


async def _agents(page: Page, first: RunShown, second: RunShown) -> list[tuple[str, str | None, str, str]]:
    """Commands and output of both runs: of the agent's own command, where both were jobs' trials, else the
    commands themselves."""
    runtime = page.parts.get(Runtime)
    if all(any(one.id == AGENT_COMMAND for one in shown.work.agent) for shown in (first, second)):
        ours = await outputs(runtime, first.run.devbox_id, AGENT_COMMAND)
        theirs = await outputs(runtime, second.run.devbox_id, AGENT_COMMAND)
        return [
            (f"The agent's {stream}", None, _text(ours[at]), _text(theirs[at]))
            for at, stream in enumerate(("output", "errors"))
            if _text(ours[at]) or _text(theirs[at])
        ]
    ours_ran, theirs_ran = ("\n".join(one.command for one in shown.work.agent) for shown in (first, second))
    return [("Commands", None, ours_ran, theirs_ran)] if ours_ran or theirs_ran else []


def _text(tail: Any) -> str:
    return "" if tail is None else tail.text


def _score(score: float | None) -> str:
    return "none" if score is None else f"{score:.3g}"
