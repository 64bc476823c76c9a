"""The scoring contract: what is refused, and how results are weighed."""

import hashlib
import json
import re

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


def _custom(name: str, kind: str, weight: float = 0.5, **fields: object) -> ScoringFunction:
    scorer = {"type": "custom_scorer", "custom_scorer_type": kind, **fields}
    return ScoringFunction.model_validate({"name": name, "weight": weight, "scorer": scorer})


def _refused(functions: list[ScoringFunction]) -> tuple[str | None, str]:
    with pytest.raises(BadRequest) as refused:
        contract.check(functions, "f")
    return refused.value.field, refused.value.message


def test_a_refusal_names_the_field_and_says_why() -> None:
    assert _refused([]) == ("f", "f: give 1 to 100 scoring functions.")
    many = [_function(f"f{n}", 1.0 if n == 0 else 0.0) for n in range(101)]
    assert _refused(many) == ("f", "f: give 1 to 100 scoring functions.")
    contract.check(many[:100], "f")
    twice = [_function("a", 0.5), _function("b", 0.25), _function("a", 0.25)]
    assert _refused(twice) == ("f.2.name", "f.2.name: the name a is used twice; each needs its own.")
    light = [_function("a", 0.5), _function("b", 0.25)]
    assert _refused(light) == ("f.1.weight", "f.1.weight: the weights must sum to 1.0; they sum to 0.75.")
    heavy = _function("a", 1.0, "x" * contract.MAX_CONTRACT_BYTES)
    assert _refused([heavy]) == ("f", "f: all together may have at most 16 MiB.")


@pytest.mark.parametrize(("weight", "good"), [(0.9999991, True), (0.9999989, False)])
def test_weights_may_miss_one_by_a_millionth(weight: float, good: bool) -> None:
    function = _function("a", weight)
    if good:
        contract.check([function], "f")
    else:
        assert _refused([function])[0] == "f.0.weight"


def test_a_contract_may_just_have_sixteen_mebibytes() -> None:
    assert contract.MAX_CONTRACT_BYTES == 16_777_216
    empty = len(json.dumps([_function("a", 1.0, "x").model_dump(mode="json")], separators=(",", ":")))
    contract.check([_function("a", 1.0, "x" * (contract.MAX_CONTRACT_BYTES - empty + 1))], "f")
    with pytest.raises(BadRequest):
        contract.check([_function("a", 1.0, "x" * (contract.MAX_CONTRACT_BYTES - empty + 2))], "f")


def test_fields_that_say_nothing_are_not_stored_and_make_no_other_digest() -> None:
    scorer = {"type": "python_script_scorer", "python_script": "x"}
    plain = ScoringFunction.model_validate({"name": "a", "weight": 1.0, "scorer": scorer})
    told = {**scorer, "requirements_contents": None}
    (stored,) = contract.dump([ScoringFunction.model_validate({"name": "a", "weight": 1.0, "scorer": told})])
    assert stored == {"name": "a", "weight": 1.0, "scorer": scorer}
    stable = "bd56e027a99f40cf178a340fa0339a8d198d08fb5d0690b8962abd860a798bf0"
    assert contract.digest([plain]) == stable


def test_each_registered_type_is_needed_once_from_where_it_is_first() -> None:
    functions = [_function("a", 0.1), _custom("b", "mine"), _custom("c", "yours"), _custom("d", "mine")]
    assert contract.custom_types(functions) == {"mine": 1, "yours": 2}
    contract.check_registered(functions, {"mine": "x", "yours": "y", "more": "z"}, "f")
    with pytest.raises(BadRequest) as refused:
        contract.check_registered(functions, {"mine": "x"}, "f")
    assert refused.value.field == "f.2.scorer.custom_scorer_type"
    assert refused.value.message == f"{refused.value.field}: no scorer of type yours is registered."


def test_a_run_has_the_scripts_of_its_start() -> None:
    stored = contract.dump([_function("a", 0.5), _custom("b", "mine", scorer_params={"ä": 1})])
    digest, fixed = contract.fix(stored, {"mine": "echo 1"}, "scenario_id")
    assert fixed[0] == stored[0]
    assert fixed[1] == {
        "name": "b",
        "weight": 0.5,
        "scorer": {
            "type": "registered_script",
            "custom_scorer_type": "mine",
            "bash_script": "echo 1",
            "context": '{"ä":1}',
        },
    }
    assert [function.name for function in contract.load_run(fixed)] == ["a", "b"]
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert contract.fix(stored, {"mine": "echo 1", "more": ""}, "scenario_id") == (digest, fixed)
    assert contract.fix(stored, {"mine": "echo 2"}, "scenario_id")[0] != digest
    with pytest.raises(BadRequest) as refused:
        contract.fix(stored, {}, "scenario_id")
    assert refused.value.field == "scenario_id.1.scorer.custom_scorer_type"


def test_the_score_is_the_weighted_mean_and_within_its_range() -> None:
    results = [_result("a", 1.0), _result("b", 0.5), _result("c", 0.0)]
    weighed = contract.weigh([0.25, 0.5, 0.25], results)
    assert (weighed.score, weighed.scoring_function_results) == (0.5, results)
    assert contract.weigh([1.0, 1.0, 2.0], results).score == 0.375
    assert contract.weigh([1.0], [_result("a", 1.5)]).score == 1.0
    assert contract.weigh([1.0], [_result("a", -0.5)]).score == 0.0
    with pytest.raises(ValueError, match="zip"):
        contract.weigh([1.0], results)


def test_the_digest_of_a_runs_contract_leaves_out_what_says_nothing() -> None:
    scorer = {"type": "python_script_scorer", "python_script": "x"}
    stored = [{"name": "a", "weight": 1.0, "scorer": scorer}]
    digest, fixed = contract.fix(stored, {}, "scenario_id")
    assert fixed == stored
    (function,) = contract.load_run(stored)
    text = json.dumps(function.model_dump(exclude_none=True), separators=(",", ":"))
    assert digest == hashlib.sha256(f"[{text}]".encode()).hexdigest()
