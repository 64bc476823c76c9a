"""Sections of a report for people: titled tables of text that any format can show."""

from collections.abc import Sequence

from loopyard.bench.reading.attempt import AttemptEnd
from loopyard.bench.reading.comparison import Change, Comparison
from loopyard.bench.reading.section import Section, dollars, estimate, interval, known, number, seconds, signed, tokens
from loopyard.bench.reading.summary import TOLERANCE, ScorerSummary, Summary
from loopyard.bench.reading.usage_sections import of_changes, of_usage

SHOWN_REASON = 200
"""Characters of a failure's reason; JSON has all."""


def of_report(summaries: Sequence[Summary]) -> list[Section]:
    """Scores, pass rates, scorers, scenarios and failures of all contenders; sections without rows are left out."""
    sections = [
        _scores(summaries),
        Section(
            "Pass rates",
            ["agent", "source", "> k", "> pass@k", "95 % interval", "> pass^k", "95 % interval", "> scenarios"],
            [
                [one.agent, one.source, str(rate.k), *estimate(rate.at), *estimate(rate.hat), str(rate.at.clusters)]
                for one in summaries
                for rate in one.passing
            ],
        ),
        Section(
            "Scorers",
            ["agent", "source", "scorer", "> mean", "95 % interval", "> scores", "> errors"],
            [
                [one.agent, one.source, each.name, *estimate(each.score), str(each.score.n), str(each.errors)]
                for one in summaries
                for each in one.scorers
            ],
        ),
        of_usage(summaries),
        _scenarios(summaries),
        _failures(summaries),
    ]
    return _told([section for section in sections if section.rows], summaries)


def of_comparison(found: Comparison) -> list[Section]:
    """The difference, then the regressions, then the rest."""
    counts = [found.regressions, found.improvements, found.unchanged, found.not_compared]
    difference = [signed(found.difference.mean), interval(found.difference)] if found.difference else ["-", "-"]
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
        of_usage([found.a, found.b]),
        of_changes(found.changes),
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
            *(estimate(one.score) if one.score else ("-", "-")),
            str(one.score.clusters if one.score else 0),
            str(one.score.n if one.score else 0),
            ", ".join(f"{count} {name}" for name, count in one.endings.items() if count and name != AttemptEnd.SCORED),
            seconds(one.seconds_total),
            seconds(one.seconds_median),
            _cost(one),
        ]
        for one in summaries
    ]
    notes: list[str] = []
    if any(one.endings["infrastructure failed"] for one in summaries):
        notes.append("Failures of the infrastructure say nothing about the agent and count in no score.")
    if any(one.endings.get("broken scenario") for one in summaries):
        notes.append("A broken scenario, whose box could be set up in no attempt, counts in no score.")
    if any(one.endings["timeout"] for one in summaries):
        notes.append("A run that was out of time counts as 0, unless it was scored.")
    if any(one.score is not None and one.score.low is None for one in summaries):
        notes.append("No interval: too few scenarios, or all alike.")
    return Section("Scores", columns, rows, notes)


def _scenarios(summaries: Sequence[Summary]) -> Section:
    scenarios = [
        (one, each)
        for one in summaries
        for each in sorted(one.scenarios, key=lambda each: 2.0 if each.mean is None else each.mean)
    ]
    used = any(each.tokens is not None or each.cost_usd is not None for _, each in scenarios)
    rows = [
        [
            *(one.agent, one.source, each.scenario, number(each.mean), f"{each.passed}/{each.counted}"),
            *((tokens(each.tokens), dollars(each.cost_usd)) if used else ()),
            _lost(each.scorers),
        ]
        for one, each in scenarios
    ]
    columns = ["agent", "source", "scenario", "> mean", "> passed"]
    columns += ["> tokens", "> cost"] if used else []
    notes = ["Tokens and cost are of one attempt, on average."] if used else []
    return Section("Scenarios, the lowest scores first", [*columns, "scorers below 1"], rows, notes)


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
    difference = "-" if one.difference is None else signed(one.difference)
    return [one.scenario, number(one.a), str(one.a_attempts), number(one.b), str(one.b_attempts), difference]


def _cost(one: Summary) -> str:
    if one.cost_usd is None:
        return "-"
    return f"{dollars(one.cost_usd)}{known(one.cost_known, one.attempts)}"


def _short(reason: str | None) -> str:
    text = " ".join((reason or "no reason given").split())
    return text if len(text) <= SHOWN_REASON else f"{text[:SHOWN_REASON]}…"
