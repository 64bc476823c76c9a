"""Shows how a bench goes on: bars on a terminal, a line for each event elsewhere."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from loopyard.bench.plan import PlannedTrial
from loopyard.bench.report import score_text
from loopyard.bench.results import Result, State


class Bars:
    """A bar over all trials, and under it a line with its own clock for each that is under way."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._all = progress.add_task("[bold]trials[/]", total=total)
        self._lines: dict[int, TaskID] = {}

    def doing(self, trial: PlannedTrial, what: str) -> None:
        text = f"{_title(trial)}: {what}"
        if id(trial) in self._lines:
            self._progress.update(self._lines[id(trial)], description=text)
        else:
            self._lines[id(trial)] = self._progress.add_task(text, total=None)

    def finished(self, trial: PlannedTrial, result: Result) -> None:
        if (line := self._lines.pop(id(trial), None)) is not None:
            self._progress.remove_task(line)
        self._progress.advance(self._all)
        if result.state != State.CANCELED:
            self._progress.console.print(_ending(trial, result))

    def kept(self, trial: PlannedTrial, result: Result) -> None:
        self._progress.advance(self._all)
        self._progress.console.print(_before(trial, result))


class Lines:
    """A line for each trial that has ended."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._ended = 0

    def doing(self, trial: PlannedTrial, what: str) -> None:
        pass

    def finished(self, trial: PlannedTrial, result: Result) -> None:
        self._ended += 1
        self._console.print(f"{self._ended}/{self._total} {_ending(trial, result)}")

    def kept(self, trial: PlannedTrial, result: Result) -> None:
        self._ended += 1
        self._console.print(f"{self._ended}/{self._total} {_before(trial, result)}")


@contextmanager
def shown(console: Console, total: int) -> Generator[Bars | Lines]:
    """Progress display that fits the console: bars where they can move, lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console, total)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), _Count(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bars(progress, total)


@contextmanager
def waiting(console: Console) -> Generator[tuple[Callable[[str], None], Callable[[], None]]]:
    """Two calls: one shows what is being waited for, with a clock on a terminal; the other ends that."""
    if not console.is_terminal:
        yield (lambda text: console.print(escape(text), soft_wrap=True)), (lambda: None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        line = progress.add_task("")
        yield (lambda text: progress.update(line, description=escape(text))), progress.stop


class _Count(MofNCompleteColumn):
    """How many are done, where that is known."""

    def render(self, task: Task) -> Text:
        return Text("") if task.total is None else super().render(task)


def _title(trial: PlannedTrial) -> str:
    return f"{escape(trial.scenario.name)} by {escape(trial.agent.name)}"


def _ending(trial: PlannedTrial, result: Result) -> str:
    what = f"score {score_text(result)}" if result.state == State.SCORED else str(result.state)
    if result.setup_failure is not None:
        what = "its box could not be set up"
    return f"{_title(trial)}: {what}{' [red](broken)[/]' if result.broken else ''} in {result.seconds:.1f} s"


def _before(trial: PlannedTrial, result: Result) -> str:
    return f"{_title(trial)}: score {score_text(result)}, from before"
