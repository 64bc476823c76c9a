"""What a report says to people, as titled tables of text that any format can show."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from loopyard.bench.reading.attempt import Ending
from loopyard.bench.reading.comparison import Change, Comparison
from loopyard.bench.reading.statistics.interval import Estimate
from loopyard.bench.reading.summary import TOLERANCE, ScorerSummary, Summary

SHOWN_REASON = 200
"""Characters of a failure's reason; JSON has all."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a title. Columns whose name begins with `>` have numbers. Notes stand below."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list[str])


def of_report(summaries: Sequence[Summary]) -> list[Section]:
    """Scores, pass rates, scorers, scenarios and failures of all contenders; sections without rows are left out."""
    sections = [
        _scores(summaries),
        Section(
            "Pass rates",
            ["agent", "source", "> k", "> pass@k", "95 % interval", "> pass^k", "95 % interval", "> scenarios"],
            [
                [one.agent, one.source, str(rate.k), *_estimate(rate.at), *_estimate(rate.hat), str(rate.at.clusters)]
                for one in summaries
                for rate in one.passing
            ],
        ),
        Section(
            "Scorers",
            ["agent", "source", "scorer", "> mean", "95 % interval", "> scores", "> errors"],
            [
                [one.agent, one.source, each.name, *_estimate(each.score), str(each.score.n), str(each.errors)]
                for one in summaries
                for each in one.scorers
            ],
        ),
        _scenarios(summaries),
        _failures(summaries),
    ]
    return _told([section for section in sections if section.rows], summaries)


def of_comparison(found: Comparison) -> list[Section]:
    """The difference, then the regressions, then the rest."""
    counts = [found.regressions, found.improvements, found.unchanged, found.not_compared]
    difference = [_signed(found.difference.mean), _interval(found.difference)] if found.difference else ["-", "-"]
    worse = [one for one in found.changes if one.difference is not None and one.difference < -TOLERANCE]
    better = [one for one in found.changes if one.difference is not None and one.difference > TOLERANCE]
    apart = [one for one in found.changes if one.difference is None]
    columns = ["scenario", "> A", "> attempts", "> B", "> attempts", "> B - A"]
    sections = [
        Section(
            "Difference",
            ["> B - A", "95 % interval", "> regressions", "> improvements", "> unchanged", "> not compared"],
            [[*difference, *map(str, counts)]],
            [f"A: {found.a.agent} in {found.a.source}", f"B: {found.b.agent} in {found.b.source}"],
        ),
        Section("Regressions", columns, [_change(one) for one in worse]),
        Section("Improvements", columns, [_change(one) for one in reversed(better)]),
        Section("Not compared: no score of one of them", columns, [_change(one) for one in apart]),
        _scores([found.a, found.b]),
        _failures([found.a, found.b]),
    ]
    return [section for section in sections if section.rows]


def _told(sections: Sequence[Section], summaries: Sequence[Summary]) -> list[Section]:
    """Without the column `source` where there is one only; the first section names it then."""
    if len({one.source for one in summaries}) != 1:
        return list(sections)
    narrow: list[Section] = []
    for position, section in enumerate(sections):
        at = section.columns.index("source")
        columns = section.columns[:at] + section.columns[at + 1 :]
        rows = [row[:at] + row[at + 1 :] for row in section.rows]
        notes = [*section.notes, f"Source: {summaries[0].source}"] if position == 0 else section.notes
        narrow.append(Section(section.title, columns, rows, notes))
    return narrow


def _scores(summaries: Sequence[Summary]) -> Section:
    columns = ["agent", "source", "> mean", "95 % interval", "> scenarios", "> counted", "not plainly scored"]
    columns += ["> time", "> median", "> cost"]
    rows = [
        [
            one.agent,
            one.source,
            *(_estimate(one.score) if one.score else ("-", "-")),
            str(one.score.clusters if one.score else 0),
            str(one.score.n if one.score else 0),
            ", ".join(f"{count} {name}" for name, count in one.endings.items() if count and name != Ending.SCORED),
            _seconds(one.seconds_total),
            _seconds(one.seconds_median),
            _cost(one),
        ]
        for one in summaries
    ]
    notes: list[str] = []
    if any(one.endings["infrastructure failed"] for one in summaries):
        notes.append("Failures of the infrastructure say nothing about the agent and count in no score.")
    if any(one.endings["timeout"] for one in summaries):
        notes.append("A run that was out of time counts as 0, unless it was scored.")
    if any(one.score is not None and one.score.low is None for one in summaries):
        notes.append("No interval: too few scenarios, or all alike.")
    return Section("Scores", columns, rows, notes)


def _scenarios(summaries: Sequence[Summary]) -> Section:
    rows = [
        [one.agent, one.source, each.scenario, _number(each.mean), f"{each.passed}/{each.counted}", _lost(each.scorers)]
        for one in summaries
        for each in sorted(one.scenarios, key=lambda each: 2.0 if each.mean is None else each.mean)
    ]
    columns = ["agent", "source", "scenario", "> mean", "> passed", "scorers below 1"]
    return Section("Scenarios, the lowest scores first", columns, rows)


def _lost(scorers: Sequence[ScorerSummary]) -> str:
    told = [
        f"{one.name} {one.score.mean:.2f}" + (f" ({one.errors} in error)" if one.errors else "")
        for one in scorers
        if one.score.mean < 1 - TOLERANCE or one.errors
    ]
    return ", ".join(told)


def _failures(summaries: Sequence[Summary]) -> Section:
    rows = [
        [one.agent, one.source, each.scenario, each.run_id or "-", _short(each.reason)]
        for one in summaries
        for each in one.failures
    ]
    return Section("Failures of the infrastructure", ["agent", "source", "scenario", "run", "reason"], rows)


def _change(one: Change) -> list[str]:
    difference = "-" if one.difference is None else _signed(one.difference)
    return [one.scenario, _number(one.a), str(one.a_attempts), _number(one.b), str(one.b_attempts), difference]


def _estimate(found: Estimate) -> tuple[str, str]:
    return f"{found.mean:.3f}", _interval(found)


def _interval(found: Estimate) -> str:
    return "-" if found.low is None or found.high is None else f"{found.low:.3f} to {found.high:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    if value < 100:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _cost(one: Summary) -> str:
    if one.cost_usd is None:
        return "-"
    known = "" if one.cost_known == one.attempts else f" ({one.cost_known} of {one.attempts})"
    return f"${one.cost_usd:.2f}{known}"


def _short(reason: str | None) -> str:
    text = " ".join((reason or "no reason given").split())
    return text if len(text) <= SHOWN_REASON else f"{text[:SHOWN_REASON]}…"
