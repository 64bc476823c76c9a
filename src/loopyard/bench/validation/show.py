"""Shows what came of a validation: a table for people, JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loopyard.bench.put_back import warning
from loopyard.bench.report import details, score_text
from loopyard.bench.results import State
from loopyard.bench.validation.verdicts import NOP, REFERENCE, Judgement, Verdict

_STYLES = {Verdict.SOUND: "green", Verdict.BROKEN: "bold red", Verdict.FLAKY: "bold yellow", Verdict.UNKNOWN: "yellow"}


def table(console: Console, judgements: Sequence[Judgement]) -> None:
    """Print the table, then why any scenario in it is not sound, then how many are."""
    columns = Table("scenario", NOP, REFERENCE, "time", "verdict", header_style="bold")
    for judgement in judgements:
        scores = [" ".join(score_text(one) for one in judgement.results.get(agent, [])) for agent in (NOP, REFERENCE)]
        seconds = sum(result.seconds for results in judgement.results.values() for result in results)
        verdict = f"[{_STYLES[judgement.verdict]}]{judgement.verdict}[/]"
        columns.add_row(escape(judgement.scenario), *(score or "-" for score in scores), f"{seconds:.1f} s", verdict)
    console.print(columns)
    for judgement in judgements:
        told = [line for result in judgement.results.get(REFERENCE, []) for line in warning(result)]
        for line in told[:1]:
            console.print(line, soft_wrap=True)
        for note in judgement.notes:
            console.print(f"[bold]{escape(judgement.scenario)}[/]: [yellow]note:[/] {escape(note)}", soft_wrap=True)
        for reason in judgement.reasons:
            console.print(f"[bold]{escape(judgement.scenario)}[/]: {escape(reason)}", soft_wrap=True)
        if judgement.verdict != Verdict.SOUND:
            for results in judgement.results.values():
                scored = (result for result in results if result.state == State.SCORED)  # the reasons tell the rest
                for line in (line for result in scored for line in details(result)):
                    console.print(line, soft_wrap=True)
    sound = sum(judgement.verdict == Verdict.SOUND for judgement in judgements)
    console.print(f"{sound} of {len(judgements)} scenarios are sound")


def document(judgements: Sequence[Judgement], times: int, status: int) -> dict[str, Any]:
    """The content of the `--json` file."""
    return {
        "times": times,
        "exit_status": status,
        "scenarios": [
            {
                "scenario": judgement.scenario,
                "verdict": judgement.verdict,
                "reasons": list(judgement.reasons),
                "notes": list(judgement.notes),
                "attempts": {agent: [asdict(one) for one in own] for agent, own in judgement.results.items()},
            }
            for judgement in judgements
        ],
    }
