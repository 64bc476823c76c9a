"""Verdicts on a scenario, drawn from the attempts at it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from loopyard.bench.agents import Nop, Oracle
from loopyard.bench.results import SCORE_TOLERANCE, Result, State

NOP, REFERENCE = Nop().name, Oracle().name


class Verdict(StrEnum):
    """`SOUND`: doing nothing never scores 1, the reference output always does. `FLAKY`: the same attempt comes out
    differently. `UNKNOWN`: the infrastructure failed, or the attempts were canceled."""

    SOUND = "sound"
    BROKEN = "broken"
    FLAKY = "flaky"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A scenario's verdict, with the reasons for any but `SOUND`, and its results by agent, one for each attempt.
    `notes` are what its author should see to, whatever the verdict."""

    scenario: str
    verdict: Verdict
    reasons: Sequence[str]
    results: dict[str, list[Result]]
    notes: Sequence[str] = ()


def judge(scenario: str, results: dict[str, list[Result]], *, has_reference: bool) -> Judgement:
    """The verdict on a scenario of these results."""
    everything = [result for own in results.values() for result in own]
    lost = [result for result in everything if result.state != State.SCORED]
    flaky = [reason for agent, own in results.items() for reason in _differences(agent, own)]
    broken = [reason for agent, own in results.items() for reason in _faults(agent, own)]
    broken += _setup_failures(everything)
    if not has_reference:
        broken.append("it has no reference output, so nothing tells that it can be solved")
    if flaky:
        return Judgement(scenario, Verdict.FLAKY, [*flaky, *broken], results)
    if broken:
        return Judgement(scenario, Verdict.BROKEN, broken, results)
    if lost:
        counts = Counter(f"{result.agent}: {result.state}: {result.reason or 'no reason given'}" for result in lost)
        reasons = [reason if count == 1 else f"{count} times: {reason}" for reason, count in counts.items()]
        return Judgement(scenario, Verdict.UNKNOWN, reasons, results)
    return Judgement(scenario, Verdict.SOUND, [], results)


def _setup_failures(results: Sequence[Result]) -> list[str]:
    """Why no attempt could begin, as the first of them says it."""
    failures = [result.setup_failure for result in results if result.state == State.BROKEN_SCENARIO]
    count = f"{len(failures)} of {len(results)} attempts"
    return [f"its box could not be set up ({count}): {failures[0]}"] if failures else []


def _differences(agent: str, results: Sequence[Result]) -> list[str]:
    """Where attempts of one agent came out differently."""
    scored = [result for result in results if result.state == State.SCORED and result.score is not None]
    found: list[str] = []
    scores = [result.score or 0.0 for result in scored]
    if scores and max(scores) - min(scores) > SCORE_TOLERANCE:
        found.append(f"{agent} scored {' and '.join(f'{score:g}' for score in scores)}")
    for functions in zip(*(result.functions for result in scored), strict=False):
        told = [(function.score, function.state) for function in functions]
        if len(set(told)) > 1:
            shown = " and ".join(f"{score:g} ({state})" for score, state in told)
            found.append(f"{agent}: the scorer {functions[0].name} gave {shown}")
    return found


def _faults(agent: str, results: Sequence[Result]) -> list[str]:
    found: dict[str, None] = {}
    for result in results:
        if result.state != State.SCORED or result.score is None:
            continue
        if agent == NOP and result.score >= 1 - SCORE_TOLERANCE:
            found[f"{agent} scored {result.score:g}: doing nothing solves it"] = None
        if agent == REFERENCE and result.score < 1 - SCORE_TOLERANCE:
            found[f"{agent} scored {result.score:g}: the reference output does not solve it"] = None
        for function in result.functions:
            if function.state == "error":
                found[f"{agent}: the scorer {function.name} ended in an error"] = None
    return list(found)
