"""The scorers that need more than bash, through the official client, in real sandboxes."""

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from runloop_api_client import APIStatusError, BadRequestError, Runloop
from runloop_api_client.lib.polling import PollingConfig
from runloop_api_client.types import ScenarioRunView, ScoringFunctionParam

from tests.integration.scenario.definitions import bash, scenario
from tests.serving import ServerProcess, serving

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> Generator[Runloop]:
    with server.client(max_retries=0) as client:
        yield client


def _function(name: str, weight: float = 1.0, **scorer: Any) -> ScoringFunctionParam:
    return {"name": name, "weight": weight, "scorer": scorer}  # type: ignore[typeddict-item]


def _python(name: str, script: str, weight: float = 1.0, **fields: Any) -> ScoringFunctionParam:
    # Not the default, which not every machine can get: what the base image has will do.
    fields.setdefault("python_version_constraint", ">=3.11,<4")
    return _function(name, weight, type="python_script_scorer", python_script=script, **fields)


def _scored(api: Runloop, *functions: ScoringFunctionParam, do: str = "", **fields: Any) -> ScenarioRunView:
    made = api.scenarios.create(**scenario(*functions, **fields))
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    if do:
        assert api.devboxes.execute_and_await_completion(run.devbox_id, command=do).exit_status == 0
    return api.scenarios.runs.score_and_complete(run.id, polling_config=POLL)


def _results(run: ScenarioRunView) -> dict[str, tuple[float, str, str]]:
    assert run.scoring_contract_result is not None
    results = run.scoring_contract_result.scoring_function_results
    return {result.scoring_function_name: (result.score, result.state, result.output) for result in results}


def test_ast_grep_finds_code_by_its_structure(api: Runloop) -> None:
    def sought(name: str, pattern: str, directory: str = "src", **fields: Any) -> ScoringFunctionParam:
        return _function(name, 0.125, type="ast_grep_scorer", pattern=pattern, search_directory=directory, **fields)

    run = _scored(
        api,
        sought("plain", "print($X, end=$Y)", lang="python"),
        sought("escaped", r"print(\$X, end=\$Y)", "/home/user/src"),
        sought("quoted", r"print(\"b\", end=\"\")", lang="python"),
        sought("elsewhere", "print($X, end=$Y)", "other"),
        sought("missing", "exec($X)", lang="python"),
        sought("nowhere", "print($X)", "no/such/folder"),
        sought("unknown", "print($X)", lang="no-such-language"),
        sought("not-run", "$(touch /home/user/ran)`touch /home/user/ran`"),
        # A configuration that the agent leaves has no say: it could name a library to be loaded.
        do='mkdir src other; echo \'print("b",   end="")\' > src/a.py; echo "ruleDirs: [none" > sgconfig.yml',
    )
    results = _results(run)
    assert {name: result[:2] for name, result in results.items()} == {
        "plain": (1.0, "complete"),
        "escaped": (1.0, "complete"),
        "quoted": (1.0, "complete"),
        "elsewhere": (0.0, "complete"),
        "missing": (0.0, "complete"),
        "nowhere": (0.0, "complete"),
        "unknown": (0.0, "error"),
        "not-run": (0.0, "complete"),
    }
    assert "src/a.py:1:" in results["plain"][2]
    assert "no-such-language" in results["unknown"][2]


def test_a_python_script_has_an_environment_of_its_own(api: Runloop) -> None:
    where = "import six, sys; print(six.__version__, sys.prefix, file=sys.stderr); print('score=0.1'); print(' 0.75 ')"
    alone = (
        "import sys\n"
        "for name in ('six', 'planted'):\n"
        "    try:\n        __import__(name)\n    except ImportError:\n        continue\n"
        "    sys.exit(f'{name} came from outside')\n"
        "print(open('answer').read())"
    )
    run = _scored(
        api,
        _python("with", where, 0.25, requirements_contents="six==1.16.0\n"),
        _python("without", alone, 0.25),
        _python("none", "pass", 0.25),
        _python("impossible", "print(1)", 0.25, python_version_constraint="==2.4.99"),
        do="echo 1 > answer; echo 'raise SystemExit(9)' > planted.py; cp planted.py six.py",
    )
    results = _results(run)
    assert {name: result[:2] for name, result in results.items()} == {
        "with": (0.75, "complete"),
        "without": (1.0, "complete"),
        "none": (0.0, "error"),
        "impossible": (0.0, "error"),
    }
    assert "1.16.0 /.loopyard/python/envs/" in results["with"][2]
    assert "could not be made" in results["impossible"][2]
    assert "2.4.99" in results["impossible"][2]


def test_a_python_that_can_not_be_fetched_is_an_error_that_says_what_to_do(api: Runloop) -> None:
    closed = api.network_policies.create(name=f"closed-{time.time_ns()}", allow_all=False)
    run = _scored(
        api,
        _python("there", "print(1)", 0.5),
        _python("not-there", "print(1)", 0.5, python_version_constraint="==3.8.20"),
        environment_parameters={"launch_parameters": {"network_policy_id": closed.id}},
    )
    results = _results(run)
    assert run.state == "completed"
    assert results["there"] == (1.0, "complete", "1")
    score, state, output = results["not-there"]
    assert (score, state) == (0.0, "error")
    assert output.startswith("The Python environment could not be made: ")
    assert "Failed to download" in output
    hint = output.splitlines()[-1]
    assert hint.startswith("[loopyard] The image has no Python ==3.8.20, and uv could not fetch one.")
    assert all(told in hint for told in ("python_version_constraint", "LOOPYARD_SCORERS__PYTHON_MIRROR"))


def test_pythons_are_fetched_from_the_mirror_that_is_set(tmp_path: Path) -> None:
    settings = {"LOOPYARD_SCORERS__PYTHON_MIRROR": "http://127.0.0.1:9/mirror", "LOOPYARD_SCORERS__PYTHON": "==3.8.20"}
    with serving(tmp_path / "data", env=settings) as mirrored, mirrored.client() as api:
        function = _python("any", "print(1)", python_version_constraint=None)
        score, state, output = _results(_scored(api, function))["any"]
    assert (score, state) == (0.0, "error")
    assert "Failed to download `http://127.0.0.1:9/mirror/" in output
    assert "The image has no Python ==3.8.20" in output


def test_a_python_environment_is_made_once_for_all_runs(api: Runloop) -> None:
    function = _python("once", "import idna, os; print(os.stat(idna.__file__).st_ino, 1)\nprint(1)")
    function["scorer"]["requirements_contents"] = "idna==3.10\n"  # type: ignore[typeddict-unknown-key]
    write = "import idna, pathlib; pathlib.Path(idna.__file__).write_text('')"
    writing = _python("writes", write, 0.5)
    writing["scorer"]["requirements_contents"] = "idna==3.10\n"  # type: ignore[typeddict-unknown-key]
    first = _results(_scored(api, function))["once"]
    assert first[:2] == (1.0, "complete"), first
    # What runs in a box cannot change it for the others.
    spoiled = _results(_scored(api, writing, bash("root", "sudo rm -rf /.loopyard/python/envs; echo score=0", 0.5)))
    assert spoiled["writes"][1] == "error"
    assert "Read-only file system" in spoiled["writes"][2]
    assert "Read-only file system" in spoiled["root"][2]
    assert _results(_scored(api, function))["once"] == first


def test_a_custom_scorer_runs_the_script_that_was_registered_when_the_run_began(api: Runloop) -> None:
    kind = f"ratio-{time.time_ns()}"
    script = 'python3 -c \'import json, os; c = json.loads(os.environ["RL_SCORER_CONTEXT"]); print(c["a"] / c["b"])\''
    scorer = api.scenarios.scorers.create(type=kind, bash_script=script)
    params = {"a": 1, "b": 4, "text": "'\"$HOME`x`\né"}
    told = 'printf %s "$RL_SCORER_CONTEXT" > ~/context; echo score=0.5; echo score=1'
    other = api.scenarios.scorers.create(type=f"{kind}-b", bash_script=told)
    made = api.scenarios.create(
        **scenario(
            _function("ratio", 0.5, type="custom_scorer", custom_scorer_type=kind, scorer_params=params),
            _function("told", 0.5, type="custom_scorer", custom_scorer_type=other.type),
        )
    )
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    api.scenarios.scorers.update(scorer.id, type=kind, bash_script="echo score=1")
    api.scenarios.runs.score_and_await(run.id, polling_config=POLL)
    assert api.devboxes.read_file_contents(run.devbox_id, file_path="context") == "{}"
    ended = api.scenarios.runs.complete(run.id)
    assert {name: result[:2] for name, result in _results(ended).items()} == {
        "ratio": (0.25, "complete"),
        "told": (1.0, "complete"),
    }
    assert api.scenarios.retrieve(made.id).scoring_contract.scoring_function_parameters[0].scorer.to_dict() == {
        "type": "custom_scorer",
        "custom_scorer_type": kind,
        "scorer_params": params,
    }
    assert _results(_scored(api, *made.scoring_contract.scoring_function_parameters))["ratio"][0] == 1.0  # type: ignore[arg-type]
    # Its type is gone: the scenario cannot be run any more, nor made.
    api.scenarios.scorers.update(scorer.id, type=f"{kind}-renamed", bash_script="echo score=1")
    with pytest.raises(BadRequestError) as raised:
        api.scenarios.start_run(scenario_id=made.id)
    assert kind in str(raised.value)


@pytest.mark.parametrize(
    ("scorer", "field"),
    [
        ({"type": "custom_scorer", "custom_scorer_type": "never-registered"}, "custom_scorer_type"),
        ({"type": "custom_scorer", "custom_scorer_type": "x", "scorer_params": "y" * 120_001}, "scorer_params"),
        ({"type": "python_script_scorer", "python_script": ""}, "python_script"),
        (
            {"type": "python_script_scorer", "python_script": "x", "python_version_constraint": "/tmp/python"},
            "python_version_constraint",
        ),
        (
            {"type": "python_script_scorer", "python_script": "x", "python_version_constraint": "--help"},
            "python_version_constraint",
        ),
        ({"type": "ast_grep_scorer", "pattern": "", "search_directory": "."}, "pattern"),
        ({"type": "ast_grep_scorer", "pattern": "x", "search_directory": ".", "lang": "--rewrite=y"}, "lang"),
    ],
)
def test_scorers_that_cannot_be_are_refused_by_field(api: Runloop, scorer: dict[str, Any], field: str) -> None:
    with pytest.raises(APIStatusError) as raised:
        api.scenarios.create(**scenario(_function("bad", **scorer)))
    assert raised.value.status_code == 400
    assert raised.value.response.json()["field"].endswith(field), raised.value.response.json()


def test_what_scores_in_no_time_is_kept_when_the_time_is_over(api: Runloop) -> None:
    made = api.scenarios.create(
        **scenario(
            bash("quick", "echo score=1", 0.4),
            bash("slow", "echo so far; sleep 60; echo score=1", 0.3),
            bash("late", "echo score=1", 0.3),
            scorer_timeout_sec=2,
        )
    )
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    api.scenarios.runs.score(run.id)
    while (ended := api.scenarios.runs.retrieve(run.id)).state == "scoring":
        time.sleep(0.05)
    assert ended.state == "timeout"
    assert ended.scoring_contract_result is not None
    assert ended.scoring_contract_result.score == pytest.approx(0.4)
    results = _results(ended)
    assert [result[:2] for result in results.values()] == [(1.0, "complete"), (0.0, "error"), (0.0, "error")]
    assert results["slow"][2].startswith("The time for scoring, 2 seconds, was over")
    assert "so far" in results["slow"][2]
    assert api.devboxes.retrieve(run.devbox_id).status == "shutdown"
    manifest = json.loads(_logs(api, run.id)["manifest.json"])
    assert (manifest["state"], manifest["fault"]) == ("timeout", "model")


def _logs(api: Runloop, run_id: str) -> dict[str, bytes]:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(api.scenarios.runs.download_logs(run_id).read())) as file:
        return {name: file.read(name) for name in file.namelist()}
