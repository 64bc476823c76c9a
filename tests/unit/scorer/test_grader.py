"""Grading: what a run of a scoring function counts, and what its result says."""

from typing import Any, cast

import pytest

from loopyard.devbox.execution.models import Execution
from loopyard.runtime.grading import RestoreReport
from loopyard.runtime.protocol import Runtime, User
from loopyard.scorer.contract import RunFunction, ScoringFunctionResult
from loopyard.scorer.function_runs import FunctionRun
from loopyard.scorer.grader import MAX_STDERR_BYTES, MAX_STDOUT_BYTES, Grader
from loopyard.scorer.request import ScoringRequest
from loopyard.scorer.restore_note import with_restore_note

pytestmark = pytest.mark.anyio


class _Outputs:
    """A runtime that has kept outputs, by the ids of commands and streams."""

    def __init__(self, outputs: dict[tuple[str, str], bytes]) -> None:
        self._outputs = outputs

    async def output_size(self, sandbox_id: str, command_id: str, stream: str) -> int:
        assert sandbox_id == "dbx_1"
        return len(self._outputs[command_id, stream])

    async def read_output(self, sandbox_id: str, command_id: str, stream: str, offset: int, size: int) -> bytes:
        assert sandbox_id == "dbx_1"
        return self._outputs[command_id, stream][offset : offset + size]

    async def is_truncated(self, sandbox_id: str, command_id: str, stream: str) -> bool:
        assert (sandbox_id, (command_id, stream) in self._outputs) == ("dbx_1", True)
        return False


def _function(name: str = "f", weight: float = 1.0, **scorer: Any) -> RunFunction:
    given = scorer or {"type": "bash_script_scorer", "bash_script": "x"}
    return RunFunction.model_validate({"name": name, "scorer": given, "weight": weight})


def _execution(status: int | None = 0, *, name: str = "score.0", timed_out: bool = False) -> Execution:
    times = {"start_time_ms": 1_000, "end_time_ms": 3_500}
    return Execution(devbox_id="dbx_1", id=name, exit_status=status, timed_out=timed_out, lost=False, **times)


REQUEST = ScoringRequest("dbx_1", User(), None, 90, "key", [])
NOTHING = RestoreReport([], [], [], 0, complete=True)


async def _graded(
    stdout: bytes, stderr: bytes = b"", *, execution: Execution | None = None, function: RunFunction | None = None
) -> ScoringFunctionResult:
    ran = execution or _execution()
    runtime = cast("Runtime", _Outputs({(ran.id, "stdout"): stdout, (ran.id, "stderr"): stderr}))
    run = FunctionRun(function or _function(), ran, out_of_time=ran.timed_out)
    graded = await Grader(runtime).grade(REQUEST, [run], None)
    (result,) = graded.scoring_function_results
    assert graded.score == result.score
    return result


async def test_the_last_score_counts_and_the_output_is_both_streams_ends() -> None:
    result = await _graded(b"score=0.25\nscore=0.75\n\n", b"a warning\n")
    assert (result.score, result.state, result.scoring_function_name) == (0.75, "complete", "f")
    assert result.output == "score=0.25\nscore=0.75\na warning"


@pytest.mark.parametrize(
    ("stdout", "stderr", "output"),
    [
        (b"score=1", b"", "score=1"),
        (b"\nscore=1\n", b"\n\n", "\nscore=1"),
        (b"score=1 X\n", b"b X\n", "score=1 X\nb X"),
        (b"score=1 ", b"b ", "score=1 \nb "),
    ],
)
async def test_an_empty_stream_leaves_no_line(stdout: bytes, stderr: bytes, output: str) -> None:
    assert (await _graded(stdout, stderr)).output == output


async def test_what_gives_no_score_is_an_error_with_its_reason_first() -> None:
    result = await _graded(b"hello\n", b"no\n")
    assert (result.score, result.state) == (0.0, "error")
    reason = "It printed no score; print 'score=' and a number from 0.0 to 1.0 to standard output."
    assert result.output == f"{reason}\nhello\nno"
    assert (await _graded(b"")).output == reason


async def test_the_exit_status_is_judged() -> None:
    command = _function(type="command_scorer", command="x")
    assert (await _graded(b"", function=command)).score == 1.0
    assert (await _graded(b"", function=command, execution=_execution(1))).score == 0.0
    ended = await _graded(b"score=1", execution=_execution(3))
    assert ended.output == "The script exited with status 3.\nscore=1"


async def test_an_execution_without_a_status_was_killed() -> None:
    result = await _graded(b"score=1", execution=_execution(None))
    assert (result.state, result.output) == ("error", "The script was ended by signal 9.\nscore=1")


async def test_what_was_stopped_by_its_time_has_no_score() -> None:
    result = await _graded(b"score=1", execution=_execution(137, timed_out=True))
    assert (result.score, result.state) == (0.0, "error")
    assert result.output == "The time for scoring, 90 seconds, was over, and this one was stopped.\nscore=1"


async def test_the_ends_of_long_streams_are_shown_and_a_score_is_found_before_them() -> None:
    assert (MAX_STDOUT_BYTES, MAX_STDERR_BYTES) == (12_288, 4_096)
    result = await _graded(b"score=0.5\n" + b"x" * 500_000, b"y" * 10_000)
    assert result.score == 0.5
    assert result.output == f"{'x' * 12_288}\n{'y' * 4_096}"
    just = await _graded(b"score=0.5\n" + b"x" * (12_288 - 10))
    assert just.output == "score=0.5\n" + "x" * (12_288 - 10)


async def test_a_score_further_than_a_mebibyte_from_the_end_is_not_looked_for() -> None:
    assert (await _graded(b"score=1\n" + b"x" * (1024**2 - 8))).score == 1.0
    assert (await _graded(b"score=1\n" + b"x" * (1024**2 - 7))).state == "error"


async def test_characters_that_no_store_takes_are_replaced_and_none_is_cut() -> None:
    assert (await _graded(b"a\x00b\nscore=1")).output == "a\ufffdb\nscore=1"
    cut = await _graded(b"score=1\n" + "ä".encode() * 7_000 + b"!")
    assert cut.output == "ä" * 6_143 + "!"


async def test_a_run_that_failed_says_why_and_the_mean_is_weighed() -> None:
    runtime = cast("Runtime", _Outputs({("score.1", "stdout"): b"score=1", ("score.1", "stderr"): b""}))
    runs = [
        FunctionRun(_function("a", 0.75), failure="Its file could not be written."),
        FunctionRun(_function("b", 0.25), _execution(name="score.1")),
    ]
    graded = await Grader(runtime).grade(REQUEST, runs, NOTHING)
    failed, scored = graded.scoring_function_results
    assert (failed.scoring_function_name, failed.score, failed.state) == ("a", 0.0, "error")
    assert failed.output == "Its file could not be written."
    assert (scored.scoring_function_name, scored.score, scored.output) == ("b", 1.0, "score=1")
    assert graded.score == 0.25


async def test_what_was_restored_is_noted_where_it_may_matter() -> None:
    outputs = {("score.0", "stdout"): b"score=0.5", ("score.0", "stderr"): b""}
    runtime = cast("Runtime", _Outputs(outputs))
    report = RestoreReport(["/usr/x"], [], ["/etc/y"], 2, complete=True)
    graded = await Grader(runtime).grade(REQUEST, [FunctionRun(_function(), _execution())], report)
    lines = graded.scoring_function_results[0].output.split("\n")
    assert lines[0] == "score=0.5"
    assert lines[1].startswith("[loopyard] Before scoring, 2 paths of the system that the agent had changed were put b")


def _result(score: float, output: str = "out") -> ScoringFunctionResult:
    return ScoringFunctionResult(scoring_function_name="f", score=score, output=output, state="complete")


def test_a_note_stands_at_the_end_of_a_result_below_one() -> None:
    report = RestoreReport([], ["/usr/x"], ["/etc/y"], 1, complete=True)
    note = (
        "[loopyard] Before scoring, 1 path of the system that the agent had changed was put back (/usr/x; manifest.json"
        " in the run's logs lists them): if that is part of the solution, set loopyard.system_files to as_left in the"
        " scenario's metadata."
    )
    assert with_restore_note(_result(0.99), report).output == f"out\n{note}"
    assert with_restore_note(_result(0.0, ""), report).output == note
    for result, told in ((_result(1.0), report), (_result(0.0), NOTHING), (_result(0.0), None)):
        assert with_restore_note(result, told) is result


def test_a_note_counts_what_is_not_listed() -> None:
    report = RestoreReport([], [], ["/etc/y"], 20_000, complete=False)
    output = with_restore_note(_result(0.0), report).output
    assert "20000 or more paths of the system that the agent had changed were put back (/etc/y, ...; " in output


def test_how_long_a_run_took() -> None:
    assert FunctionRun(_function(), _execution()).seconds == 2.5
    assert FunctionRun(_function(), failure="x").seconds == 0.0
    unknown = _execution()
    unknown.end_time_ms = None
    assert FunctionRun(_function(), unknown).seconds == 0.0


def test_two_paths_are_more_than_the_one_that_is_named() -> None:
    report = RestoreReport(["/usr/x"], ["/usr/y"], [], 2, complete=True)
    assert "were put back (/usr/x, ...; manifest.json" in with_restore_note(_result(0.0), report).output
