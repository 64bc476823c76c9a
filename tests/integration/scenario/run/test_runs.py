"""Runs through the official client, in real sandboxes: from start to score to end."""

import io
import json
import os
import signal
import time
import uuid
import zipfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from runloop_api_client import APIStatusError, BadRequestError, ConflictError, Runloop
from runloop_api_client.lib.polling import PollingConfig
from runloop_api_client.types import ScenarioRunView, ScoringFunctionParam

from tests.integration.scenario.definitions import bash, checked, command, scenario
from tests.serving import ServerProcess

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> Generator[Runloop]:
    with server.client(max_retries=0) as client:
        yield client


def _error(error: APIStatusError) -> dict[str, Any]:
    return error.response.json()


def _run(api: Runloop, devbox_id: str, line: str) -> str | None:
    """Run a command that must succeed. Returns what it printed."""
    ended = api.devboxes.execute_and_await_completion(devbox_id, command=line)
    assert ended.exit_status == 0, ended
    return ended.stdout


def _ready(api: Runloop, *functions: ScoringFunctionParam, **fields: Any) -> ScenarioRunView:
    made = api.scenarios.create(**scenario(*functions, **fields))
    return api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)


def _scored(api: Runloop, *functions: ScoringFunctionParam, do: str | None = None, **fields: Any) -> ScenarioRunView:
    """Start, let an agent do something, score and complete."""
    run = _ready(api, *functions, **fields)
    if do is not None:
        _run(api, run.devbox_id, do)
    return api.scenarios.runs.score_and_complete(run.id, polling_config=POLL)


@pytest.mark.semantic
def test_start_answers_at_once_and_the_run_goes_its_way(api: Runloop) -> None:
    made = api.scenarios.create(**scenario(bash("half", "echo score=0.5; echo note >&2")))
    began = time.time()
    run = api.scenarios.start_run(
        scenario_id=made.id,
        run_name="first",
        metadata={"k": "v"},
        run_profile={"env_vars": {"GREETING": "hi"}, "purpose": "testing"},
    )
    assert (run.state, run.scenario_id, run.name, run.metadata) == ("running", made.id, "first", {"k": "v"})
    assert (run.purpose, run.environment_variables, run.secrets_provided) == ("testing", {"GREETING": "hi"}, {})
    assert (run.scoring_contract_result, run.duration_ms, run.benchmark_run_id) == (None, None, None)
    assert run.start_time_ms is not None
    assert began - 1 < run.start_time_ms / 1000 < time.time() + 1
    devbox = api.devboxes.await_running(run.devbox_id, polling_config=POLL)
    assert (devbox.initiator_type, devbox.initiator_id) == ("scenario", run.id)
    assert _run(api, run.devbox_id, "echo $GREETING") == "hi\n"
    assert api.scenarios.runs.score(run.id).state == "scoring"
    scored = api.scenarios.runs.await_scored(run.id, polling_config=POLL)
    assert scored.scoring_contract_result is not None
    assert scored.scoring_contract_result.to_dict() == {
        "score": 0.5,
        "scoring_function_results": [
            {"scoring_function_name": "half", "score": 0.5, "output": "score=0.5\nnote", "state": "complete"}
        ],
    }
    assert api.devboxes.retrieve(run.devbox_id).status == "running"
    completed = api.scenarios.runs.complete(run.id)
    assert (completed.state, completed.scoring_contract_result) == ("completed", scored.scoring_contract_result)
    assert completed.duration_ms is not None
    assert api.devboxes.retrieve(run.devbox_id).status == "shutdown"
    assert api.scenarios.runs.retrieve(run.id) == completed
    (listed,) = api.scenarios.runs.list(search=run.id).runs
    assert listed == completed


@pytest.mark.semantic
def test_every_scorer_type_and_the_weighted_score(api: Runloop) -> None:
    ended = _scored(
        api,
        bash("bash", "echo score=0.2; echo score=0.4", 0.5),
        command("passes", "test -f done", 0.2),
        command("fails", "exit 7", 0.1),
        checked("tests", "sh t/check.sh", {"t/check.sh": "grep -q yes done"}, 0.2),
        do="echo yes > done",
    )
    result = ended.scoring_contract_result
    assert result is not None
    assert result.score == pytest.approx(0.5 * 0.4 + 0.2 + 0.2)
    assert [(r.scoring_function_name, r.score, r.state) for r in result.scoring_function_results] == [
        ("bash", 0.4, "complete"),
        ("passes", 1.0, "complete"),
        ("fails", 0.0, "complete"),
        ("tests", 1.0, "complete"),
    ]


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo nothing", "no score"),
        ("echo score=1.5", "not from 0.0 to 1.0"),
        ("echo score=-0.1", "not from 0.0 to 1.0"),
        ("echo score=nan", "not from 0.0 to 1.0"),
        ("echo score=inf", "not from 0.0 to 1.0"),
        ("echo score=", "not a number"),
        ("echo score=1; echo score=high", "not a number"),
        ("echo score=1 >&2", "no score"),
        ("echo score=1; exit 3", "status 3"),
        ("echo score=1; kill -9 $$", "signal 9"),
    ],
)
def test_a_scorer_without_a_valid_score_is_an_error_that_says_why(api: Runloop, script: str, reason: str) -> None:
    ended = _scored(api, bash("bad", script, 0.5), bash("good", "echo score=1", 0.5))
    assert ended.state == "completed"
    assert ended.scoring_contract_result is not None
    assert ended.scoring_contract_result.score == 0.5
    bad, good = ended.scoring_contract_result.scoring_function_results
    assert (bad.state, bad.score, good.state, good.score) == ("error", 0.0, "complete", 1.0)
    assert reason in bad.output


@pytest.mark.semantic
def test_scoring_is_done_in_the_working_directory_as_the_boxs_user(api: Runloop) -> None:
    ended = _scored(
        api,
        bash("where", "pwd; id -un; stat -c %U .; echo score=1"),
        environment_parameters={"working_directory": "/srv/deep/work"},
        do="cd /srv/deep/work && touch mine",
    )
    assert ended.scoring_contract_result is not None
    (result,) = ended.scoring_contract_result.scoring_function_results
    assert result.output.splitlines() == ["/srv/deep/work", "user", "user", "score=1"]


@pytest.mark.semantic
def test_a_working_directory_may_be_relative_to_the_home(api: Runloop) -> None:
    for path in ("work/it", "~/work/it"):
        run = _ready(api, environment_parameters={"working_directory": path})
        listed = _run(api, run.devbox_id, "stat -c %U:%n work work/it")
        assert listed == "user:work\nuser:work/it\n"
        api.scenarios.runs.cancel(run.id)


@pytest.mark.semantic
def test_test_files_are_the_servers_whatever_the_agent_left_there(api: Runloop) -> None:
    ended = _scored(
        api,
        checked("tests", "sh check.sh && sh sub/check.sh", {"check.sh": "test -f real", "sub/check.sh": "exit 0"}),
        do="echo 'exit 0' > check.sh; chmod 400 check.sh",
    )
    assert ended.scoring_contract_result is not None
    (result,) = ended.scoring_contract_result.scoring_function_results
    assert (result.score, result.state) == (0.0, "complete")


@pytest.mark.parametrize("trick", ["mkdir check.sh", "touch sub", "mkfifo check.sh"])
def test_a_place_that_takes_no_test_file_is_an_error_of_the_scorer(api: Runloop, trick: str) -> None:
    ended = _scored(api, checked("tests", "true", {"check.sh": "exit 0", "sub/check.sh": "exit 0"}), do=trick)
    assert ended.scoring_contract_result is not None
    (result,) = ended.scoring_contract_result.scoring_function_results
    assert (result.score, result.state) == (0.0, "error")
    assert "could not be written" in result.output


def test_a_folder_that_the_agent_has_closed_takes_test_files(api: Runloop) -> None:
    files = {"check.sh": "exit 0", "sub/check.sh": "exit 0"}
    ended = _scored(api, checked("tests", "sh check.sh && sh sub/check.sh", files), do="mkdir sub && chmod 500 sub")
    assert ended.scoring_contract_result is not None
    (result,) = ended.scoring_contract_result.scoring_function_results
    assert (result.score, result.state) == (1.0, "complete")


@pytest.mark.semantic
def test_any_script_text_reaches_the_box_as_it_is(api: Runloop) -> None:
    text = "'\"`$(exit 9)`\\ é \u2028 $HOME\n"
    script = f"cat > copy <<'END'\n{text}END\n# {'x' * 300_000}\nprintf score=; test \"$(wc -c < copy)\" = " + str(
        len(text.encode())
    )
    ended = _scored(api, bash("large", script + " && echo 1 || echo 0"))
    assert ended.scoring_contract_result is not None
    assert ended.scoring_contract_result.score == 1.0


@pytest.mark.semantic
def test_output_is_bounded_and_the_score_is_still_found(api: Runloop) -> None:
    ended = _scored(api, bash("loud", "seq 1 200000; echo score=0.75; seq 1 2000"))
    assert ended.scoring_contract_result is not None
    (result,) = ended.scoring_contract_result.scoring_function_results
    assert result.score == 0.75
    assert len(result.output) < 20_000
    assert result.output.endswith("\n2000")


@pytest.mark.semantic
def test_scoring_that_is_asked_for_early_waits_for_the_devbox(api: Runloop) -> None:
    made = api.scenarios.create(**scenario())
    run = api.scenarios.start_run(scenario_id=made.id)
    ended = api.scenarios.runs.score_and_complete(run.id, polling_config=POLL)
    assert ended.scoring_contract_result is not None
    assert ended.scoring_contract_result.score == 1.0


@pytest.mark.semantic
def test_scoring_again_does_not_score_again(api: Runloop) -> None:
    run = _ready(api, bash("once", "echo run >> ~/runs; sleep 0.5; echo score=$((1 / $(wc -l < ~/runs)))"))
    assert api.scenarios.runs.score(run.id).state == "scoring"
    assert api.scenarios.runs.score(run.id).state == "scoring"
    scored = api.scenarios.runs.await_scored(run.id, polling_config=POLL)
    assert api.scenarios.runs.score(run.id) == scored
    assert _run(api, run.devbox_id, "cat ~/runs") == "run\n"
    api.scenarios.runs.complete(run.id)


@pytest.mark.semantic
def test_a_later_change_of_the_scenario_does_not_change_how_a_run_is_scored(api: Runloop) -> None:
    run = _ready(api, bash("first", "echo score=0.25"))
    api.scenarios.update(
        run.scenario_id, scoring_contract={"scoring_function_parameters": [bash("second", "echo score=1")]}
    )
    ended = api.scenarios.runs.score_and_complete(run.id, polling_config=POLL)
    assert ended.scoring_contract_result is not None
    assert ended.scoring_contract_result.score == 0.25


@pytest.mark.semantic
def test_complete_without_a_score(api: Runloop) -> None:
    run = _ready(api)
    ended = api.scenarios.runs.complete(run.id)
    assert (ended.state, ended.scoring_contract_result) == ("completed", None)
    assert api.scenarios.runs.complete(run.id) == ended
    for call in (api.scenarios.runs.score, api.scenarios.runs.cancel):
        with pytest.raises(ConflictError) as raised:
            call(run.id)
        assert raised.value.response.headers["x-should-retry"] == "false"


@pytest.mark.semantic
def test_complete_while_scoring_is_refused_for_now(api: Runloop) -> None:
    run = _ready(api, bash("slow", "sleep 1; echo score=1"))
    api.scenarios.runs.score(run.id)
    with pytest.raises(ConflictError) as raised:
        api.scenarios.runs.complete(run.id)
    assert _error(raised.value)["code"] == "busy"
    api.scenarios.runs.await_scored(run.id, polling_config=POLL)
    assert api.scenarios.runs.complete(run.id).state == "completed"


@pytest.mark.semantic
@pytest.mark.parametrize("state", ["starting", "running", "scoring", "scored"])
def test_cancel_ends_the_run_and_its_devbox(api: Runloop, state: str) -> None:
    made = api.scenarios.create(**scenario(bash("s", "echo score=1" if state == "scored" else "sleep 30")))
    run = api.scenarios.start_run(scenario_id=made.id)
    if state != "starting":
        api.devboxes.await_running(run.devbox_id, polling_config=POLL)
    if state in ("scoring", "scored"):
        api.scenarios.runs.score(run.id)
    if state == "scored":
        api.scenarios.runs.await_scored(run.id, polling_config=POLL)
    canceled = api.scenarios.runs.cancel(run.id)
    assert canceled.state == "canceled"
    assert (canceled.scoring_contract_result is not None) == (state == "scored")
    assert api.devboxes.retrieve(run.devbox_id).status == "shutdown"
    assert api.scenarios.runs.cancel(run.id) == canceled
    for call in (api.scenarios.runs.score, api.scenarios.runs.complete):
        with pytest.raises(ConflictError):
            call(run.id)


def _wait_over(api: Runloop, run_id: str) -> ScenarioRunView:
    deadline = time.monotonic() + 120
    while (run := api.scenarios.runs.retrieve(run_id)).state in ("running", "scoring", "scored"):
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
    return run


def _fault(api: Runloop, run_id: str) -> str | None:
    """Whose fault the end of a run was, which only its logs tell."""
    with zipfile.ZipFile(io.BytesIO(api.scenarios.runs.download_logs(run_id).read())) as file:
        return json.loads(file.read("manifest.json"))["fault"]


def test_a_run_whose_devboxs_time_ends_times_out(api: Runloop) -> None:
    made = api.scenarios.create(**scenario(bash("s", "sleep 60")))
    profiles: list[dict[str, Any]] = [
        {"launch_parameters": {"keep_alive_time_seconds": 2}},
        {"launch_parameters": {"lifecycle": {"after_idle": {"idle_time_seconds": 1, "on_idle": "shutdown"}}}},
    ]
    runs = [api.scenarios.start_run(scenario_id=made.id, run_profile=profile) for profile in profiles]  # type: ignore[arg-type]
    scoring = api.scenarios.start_run(scenario_id=made.id, run_profile=profiles[0])  # type: ignore[arg-type]
    api.scenarios.runs.score(scoring.id)
    for run in (*runs, scoring):
        ended = _wait_over(api, run.id)
        assert (ended.state, ended.scoring_contract_result) == ("timeout", None)
        assert _fault(api, run.id) == "model"


@pytest.mark.semantic
def test_a_scored_run_is_complete_when_its_devbox_ends(api: Runloop) -> None:
    run = _ready(api)
    api.scenarios.runs.score_and_await(run.id, polling_config=POLL)
    api.devboxes.shutdown(run.devbox_id)
    ended = api.scenarios.runs.retrieve(run.id)
    assert ended.state == "completed"
    assert ended.scoring_contract_result is not None


@pytest.mark.semantic
def test_a_run_whose_devbox_is_shut_down_is_canceled(api: Runloop) -> None:
    run = _ready(api)
    api.devboxes.shutdown(run.devbox_id)
    assert api.scenarios.runs.retrieve(run.id).state == "canceled"


def test_a_run_whose_devbox_cannot_start_fails(api: Runloop) -> None:
    made = api.scenarios.create(
        **scenario(environment_parameters={"launch_parameters": {"launch_commands": ["exit 1"]}})
    )
    run = api.scenarios.start_run(scenario_id=made.id)
    assert _wait_over(api, run.id).state == "failed"
    scoring = api.scenarios.start_run(scenario_id=made.id)
    api.scenarios.runs.score(scoring.id)
    ended = _wait_over(api, scoring.id)
    assert (ended.state, ended.scoring_contract_result) == ("failed", None)
    assert (_fault(api, run.id), _fault(api, scoring.id)) == ("infrastructure", "infrastructure")


def test_a_devbox_that_goes_down_under_the_scoring_is_no_score(api: Runloop) -> None:
    run = _ready(api, bash("slow", "touch ~/began; sleep 60; echo score=1"))
    api.scenarios.runs.score(run.id)
    _wait_for_file(api, run.devbox_id, "began")  # a command could be among what is ended before the scoring
    os.kill(_init_of(run.devbox_id), signal.SIGKILL)
    ended = _wait_over(api, run.id)
    assert (ended.state, ended.scoring_contract_result) == ("failed", None)
    assert _fault(api, run.id) == "infrastructure"
    assert api.devboxes.retrieve(run.devbox_id).status == "failure"


def test_a_scorer_that_cannot_be_started_is_no_score(api: Runloop) -> None:
    made = api.scenarios.create(**scenario(command("unstarted", "true"), metadata={"loopyard.system_files": "as_left"}))
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    api.devboxes.execute_and_await_completion(run.devbox_id, command="sudo rm -f /bin/bash /usr/bin/bash")
    api.scenarios.runs.score(run.id)
    ended = _wait_over(api, run.id)
    assert (ended.state, ended.scoring_contract_result) == ("failed", None)
    assert _fault(api, run.id) == "infrastructure"


def test_a_scorer_that_ends_with_127_by_itself_is_scored(api: Runloop) -> None:
    run = _ready(api, command("missing", "no-such-program", 0.5), command("said", "exit 126", 0.5))
    api.scenarios.runs.score(run.id)
    scored = api.scenarios.runs.await_scored(run.id, polling_config=POLL)
    assert scored.scoring_contract_result is not None
    assert scored.scoring_contract_result.score == 0.0


def _wait_for_file(api: Runloop, devbox_id: str, path: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(APIStatusError):
            api.devboxes.read_file_contents(devbox_id, file_path=path)
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} has not come")


def _init_of(devbox_id: str) -> int:
    """The first process of a devbox, as the host sees it."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_first = (process / "status").read_text().split("NSpid:")[1].splitlines()[0].split()[1:] == ["1"]
            if is_first and devbox_id in (process / "cgroup").read_text():
                return int(process.name)
    raise AssertionError(f"no first process of {devbox_id}")


@pytest.mark.semantic
def test_what_a_scenario_requires_is_checked_before_anything_is_made(api: Runloop) -> None:
    made = api.scenarios.create(**scenario(required_environment_variables=["A", "B"]))
    before = api.devboxes.list(limit=1).total_count
    with pytest.raises(BadRequestError) as raised:
        api.scenarios.start_run(scenario_id=made.id, run_profile={"env_vars": {"A": "1"}})
    assert _error(raised.value)["field"] == "runProfile.envVars"
    assert "B" in raised.value.message
    secret = api.scenarios.create(**scenario(required_secret_names=["TOKEN"]))
    with pytest.raises(BadRequestError) as raised:
        api.scenarios.start_run(scenario_id=secret.id)
    assert _error(raised.value)["field"] == "runProfile.secrets"
    with pytest.raises(BadRequestError) as raised:
        api.scenarios.start_run(scenario_id=secret.id, run_profile={"secrets": {"TOKEN": "no-such-secret"}})
    assert _error(raised.value)["field"] == "runProfile.secrets"
    assert api.devboxes.list(limit=1).total_count == before
    assert api.scenarios.runs.list(scenario_id=made.id).total_count == 0
    run = api.scenarios.start_run(scenario_id=made.id, run_profile={"env_vars": {"A": "1", "B": "2"}})
    api.scenarios.runs.cancel(run.id)


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"scenario_id": "scn_none"}, 404, "scenario_id"),
        ({}, 400, "scenario_id"),
        ({"benchmark_run_id": "bmr_none"}, 404, "benchmark_run_id"),
        ({"runProfile": {"launchParameters": {"keep_alive_time_seconds": 0}}}, 400, None),
        ({"runProfile": {"mounts": [{"type": "agent_mount", "agent_id": "a", "agent_name": None}]}}, 404, None),
        ({"runProfile": {"launchParameters": {"network_policy_id": "npo"}}}, 404, None),
    ],
)
def test_bad_starts_are_refused(api: Runloop, body: dict[str, Any], status: int, field: str | None) -> None:
    made = api.scenarios.create(**scenario())
    if body:
        body = {"scenario_id": made.id, **body}
    with pytest.raises(APIStatusError) as raised:
        api.post("/v1/scenarios/start_run", body=body, cast_to=object)
    assert raised.value.status_code == status
    named = _error(raised.value)["field"]
    assert named == field if field else named.startswith("runProfile.")


@pytest.mark.semantic
def test_the_run_profile_is_honoured(api: Runloop) -> None:
    made = api.scenarios.create(
        **scenario(
            environment_parameters={
                "launch_parameters": {"launch_commands": ["echo ours > order"], "resource_size_request": "MEDIUM"}
            }
        )
    )
    run = api.scenarios.start_run_and_await_env_ready(
        scenario_id=made.id,
        run_profile={
            "launch_parameters": {"launch_commands": ["echo theirs >> order"], "keep_alive_time_seconds": 600},
            "mounts": [{"type": "file_mount", "target": "given", "content": "mounted"}],
        },
        polling_config=POLL,
    )
    assert _run(api, run.devbox_id, "cat order given") == "ours\ntheirs\nmounted"
    launch = api.devboxes.retrieve(run.devbox_id).launch_parameters
    assert (launch.resource_size_request, launch.keep_alive_time_seconds) == ("MEDIUM", 600)
    api.scenarios.runs.cancel(run.id)


@pytest.mark.semantic
def test_a_repeated_start_makes_one_run(api: Runloop) -> None:
    made = api.scenarios.create(**scenario())
    headers = {"x-request-id": uuid.uuid4().hex}
    runs = {api.scenarios.start_run(scenario_id=made.id, extra_headers=headers).id for _ in range(3)}
    assert len(runs) == 1
    assert api.scenarios.runs.list(scenario_id=made.id).total_count == 1
    api.scenarios.runs.cancel(runs.pop())
