"""The scoring contract: what is refused, and how results are weighed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopyard.kit.errors import BadRequest
from loopyard.scorer import contract
from loopyard.scorer.contract import ScoringFunction, ScoringFunctionResult
from loopyard.scorer.scorer import ScorerPaths


def _function(name: str, weight: float, script: str = "x") -> ScoringFunction:
    scorer = {"type": "bash_script_scorer", "bash_script": script}
    return ScoringFunction.model_validate({"name": name, "weight": weight, "scorer": scorer})


def _result(name: str, score: float) -> ScoringFunctionResult:
    return ScoringFunctionResult(scoring_function_name=name, score=score, output="", state="complete")


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(sum))
def test_weights_that_sum_to_one_are_taken_and_full_scores_are_one(parts: list[int]) -> None:
    weights = [part / sum(parts) for part in parts]
    functions = [_function(f"f{n}", weight) for n, weight in enumerate(weights)]
    contract.check(functions, "f")
    assert contract.weigh(weights, [_result(f.name, 1.0) for f in functions]).score == pytest.approx(1.0)
    assert contract.weigh(weights, [_result(f.name, 0.0) for f in functions]).score == 0.0


@pytest.mark.parametrize("weights", [[0.9], [0.5, 0.4], [0.5, 0.51], [0.0], [0.333, 0.333, 0.333]])
def test_weights_that_do_not_sum_to_one_are_refused(weights: list[float]) -> None:
    functions = [_function(f"f{n}", weight) for n, weight in enumerate(weights)]
    with pytest.raises(BadRequest) as raised:
        contract.check(functions, "f")
    assert raised.value.field == f"f.{len(weights) - 1}.weight"


def test_more_than_is_taken_is_refused() -> None:
    with pytest.raises(BadRequest):
        contract.check([_function("f", 1.0, "x" * (contract.MAX_CONTRACT_BYTES + 1))], "f")
    with pytest.raises(BadRequest):
        contract.check([_function(f"f{n}", 1.0 if n == 0 else 0.0) for n in range(contract.MAX_FUNCTIONS + 1)], "f")


def test_what_is_stored_is_loaded_and_the_digest_tells_contracts_apart() -> None:
    functions = [_function("a", 0.5), _function("b", 0.5)]
    assert contract.load(contract.dump(functions)) == functions
    assert contract.digest(contract.load(contract.dump(functions))) == contract.digest(functions)
    assert contract.digest(functions) != contract.digest(list(reversed(functions)))


def test_a_scorers_own_files_are_protected_and_the_tests_files_are_not() -> None:
    scorer = {"type": "test_based_scorer", "test_command": "sh t", "test_files": [{"file_path": "t"}]}
    function = ScoringFunction.model_validate({"name": "a", "weight": 1, "scorer": scorer})
    job = function.scorer.job(ScorerPaths("/scoring/0", "/work"))
    own = ["/scoring/0/command.sh", "/scoring/0/plan.json", "/scoring/0/results.zip"]
    assert [(file.path, file.protected) for file in job.files] == [*((path, True) for path in own), ("/work/t", False)]
    assert job.argv[0] == "/bin/bash"
