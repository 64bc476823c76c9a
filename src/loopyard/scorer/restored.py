"""Tells whoever reads a scorer's output that the scorer did not find the system as the agent left it."""

from loopyard.runtime.sealing import RestoreReport
from loopyard.scorer.contract import ScoringFunctionResult


def noted(result: ScoringFunctionResult, put_back: RestoreReport | None) -> ScoringFunctionResult:
    """The result, with a line about what was put back at the end of its output if that may be why it is below 1."""
    if put_back is None or put_back.count == 0 or result.score >= 1:
        return result
    output = f"{result.output}\n{_line(put_back)}" if result.output else _line(put_back)
    return result.model_copy(update={"output": output})


def _line(put_back: RestoreReport) -> str:
    named = [*put_back.added, *put_back.changed, *put_back.removed]
    count = f"{put_back.count}{'' if put_back.complete else ' or more'} {'path' if put_back.count == 1 else 'paths'}"
    verb = "was" if put_back.count == 1 else "were"
    return (
        f"[loopyard] Before scoring, {count} of the system that the agent had changed {verb} put back"
        f" ({named[0]}{', ...' if put_back.count > 1 else ''}; manifest.json in the run's logs lists them): if that"
        " is part of the solution, set loopyard.system_files to as_left in the scenario's metadata."
    )
