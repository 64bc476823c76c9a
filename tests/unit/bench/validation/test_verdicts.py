"""What attempts tell about a scenario."""

from dataclasses import replace

import pytest

from loopyard.bench.results import FunctionResult, Result, State
from loopyard.bench.validation.from_server import reference
from loopyard.bench.validation.verdicts import Verdict, judge


def _result(agent: str, score: float, state: str = "complete") -> Result:
    return Result("s", agent, State.SCORED, 1.0, score=score, functions=[FunctionResult("f", score, state, "")])


def _lost(agent: str) -> Result:
    return Result("s", agent, State.INFRASTRUCTURE_FAILED, 1.0, reason="the box went down")


NOP, GOOD = _result("nop", 0.0), _result("oracle", 1.0)


@pytest.mark.parametrize(
    ("nop", "oracle", "verdict", "word"),
    [
        ([NOP, NOP], [GOOD, GOOD], Verdict.SOUND, ""),
        ([_result("nop", 0.5)] * 2, [GOOD, GOOD], Verdict.SOUND, ""),
        ([_result("nop", 1.0)] * 2, [GOOD, GOOD], Verdict.BROKEN, "doing nothing"),
        ([NOP, NOP], [_result("oracle", 0.9)] * 2, Verdict.BROKEN, "does not solve"),
        ([_result("nop", 0.0, "error")] * 2, [GOOD, GOOD], Verdict.BROKEN, "error"),
        ([NOP, NOP], [GOOD, _result("oracle", 0.5)], Verdict.FLAKY, "1 and 0.5"),
        ([NOP, _result("nop", 0.0, "error")], [GOOD, GOOD], Verdict.FLAKY, "0 (complete) and 0 (error)"),
        ([NOP, _lost("nop")], [GOOD, GOOD], Verdict.UNKNOWN, "went down"),
        ([NOP, NOP], [GOOD, _lost("oracle")], Verdict.UNKNOWN, "went down"),
    ],
)
def test_the_verdict_and_its_reason(nop: list[Result], oracle: list[Result], verdict: Verdict, word: str) -> None:
    judgement = judge("s", {"nop": nop, "oracle": oracle}, has_reference=True)
    assert judgement.verdict == verdict
    assert word in " ".join(judgement.reasons)
    assert bool(judgement.reasons) == (verdict != Verdict.SOUND)


def test_a_box_that_is_never_set_up_is_the_scenarios_fault() -> None:
    lost = [
        replace(_lost(name), state=State.BROKEN_SCENARIO, setup_failure="no such tool") for name in ("nop", "oracle")
    ]
    judgement = judge("s", {"nop": lost[:1] * 2, "oracle": lost[1:] * 2}, has_reference=True)
    assert judgement.verdict == Verdict.BROKEN
    assert judgement.reasons == ["its box could not be set up (4 of 4 attempts): no such tool"]


def test_what_was_lost_is_told_once() -> None:
    judgement = judge("s", {"nop": [_lost("nop")] * 2, "oracle": [GOOD]}, has_reference=True)
    assert judgement.verdict == Verdict.UNKNOWN
    assert judgement.reasons == ["2 times: nop: infrastructure failed: the box went down"]


def test_without_a_reference_output_nothing_is_known_to_solve_it() -> None:
    judgement = judge("s", {"nop": [NOP, NOP]}, has_reference=False)
    assert judgement.verdict == Verdict.BROKEN


@pytest.mark.parametrize(
    ("contents", "kind"),
    [
        ("diff --git a/x b/x\n--- a/x\n+++ b/x\n", "patch"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n", "patch"),
        ("Some words.\n\ndiff --git a/x b/x\n", "patch"),
        ("echo hello > out.txt", "script"),
        ("git diff --stat", "script"),
    ],
)
def test_a_reference_output_of_a_server_is_a_patch_if_it_looks_like_one(contents: str, kind: str) -> None:
    found = reference(contents)
    assert found is not None
    assert found.type == kind
    assert reference(" \n") is None
