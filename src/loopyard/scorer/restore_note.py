"""Note to whoever reads a scorer's output: the scorer did not find the system as the agent left it."""

from loopyard.runtime.grading import RestoreReport
from loopyard.scorer.contract import ScoringFunctionResult


def with_restore_note(result: ScoringFunctionResult, report: RestoreReport | None) -> ScoringFunctionResult:
    """The result, with a line about what was put back at the end of its output if that may be why it is below 1."""
    if report is None or report.count == 0 or result.score >= 1:
        return result
    output = f"{result.output}\n{_line(report)}" if result.output else _line(report)
    return result.model_copy(update={"output": output})


def _line(report: RestoreReport) -> str:
    paths = [*report.added, *report.changed, *report.removed]
    count = f"{report.count}{'' if report.complete else ' or more'} {'path' if report.count == 1 else 'paths'}"
    verb = "was" if report.count == 1 else "were"
    return (
        f"[loopyard] Before scoring, {count} of the system that the agent had changed {verb} put back"
        f" ({paths[0]}{', ...' if report.count > 1 else ''}; manifest.json in the run's logs lists them): if that"
        " is part of the solution, set loopyard.system_files to as_left in the scenario's metadata."
    )
