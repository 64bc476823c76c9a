"""Benchmark runs through the official client, with real scenario runs."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from runloop_api_client import APIStatusError, ConflictError, Runloop
from runloop_api_client.lib.polling import PollingConfig
from runloop_api_client.types import BenchmarkRunView, BenchmarkView, ScenarioRunView

from tests.integration.scenario.definitions import bash, scenario

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)
FAILING = {"launch_parameters": {"launch_commands": ["exit 1"]}}


def _benchmark(api: Runloop, *scores: str, **fields: Any) -> BenchmarkView:
    """A benchmark of scenarios that score what is printed."""
    parts = [api.scenarios.create(**scenario(bash("s", f"echo score={score}"))).id for score in scores]
    return api.benchmarks.create(name="run", scenario_ids=parts, **fields)


def _started(api: Runloop, run: BenchmarkRunView, scenario_id: str) -> ScenarioRunView:
    return api.scenarios.start_run(scenario_id=scenario_id, benchmark_run_id=run.id)


def _completed(api: Runloop, run: BenchmarkRunView, scenario_id: str) -> ScenarioRunView:
    started = _started(api, run, scenario_id)
    return api.scenarios.runs.score_and_complete(started.id, polling_config=POLL)


def _refused(call: Any, *arguments: Any) -> Any:
    with pytest.raises(APIStatusError) as raised:
        call(*arguments)
    return raised.value.status_code, raised.value.response.json()["code"], raised.value.response.json().get("field")


def _pending(run: BenchmarkRunView) -> Any:
    return run.to_dict()["pending_scenarios"]


@pytest.mark.semantic
def test_a_run_goes_from_start_to_score(api: Runloop) -> None:
    made = _benchmark(api, "1", "0.5", "nothing")
    run = api.benchmarks.start_run(
        benchmark_id=made.id, run_name="first", metadata={"k": "v"}, run_profile={"purpose": "testing"}
    )
    assert (run.state, run.benchmark_id, run.name, run.metadata) == ("running", made.id, "first", {"k": "v"})
    assert (run.purpose, run.score, run.duration_ms) == ("testing", None, None)
    assert _pending(run) == made.scenario_ids
    first = _completed(api, run, made.scenario_ids[0])
    assert (first.benchmark_run_id, first.purpose) == (run.id, "testing")
    assert _pending(api.benchmark_runs.retrieve(run.id)) == made.scenario_ids[1:]
    second = _started(api, run, made.scenario_ids[1])
    api.scenarios.runs.score_and_await(second.id, polling_config=POLL)
    ended = api.benchmark_runs.complete(run.id)
    assert (ended.state, ended.score) == ("completed", 0.75)
    assert ended.duration_ms is not None
    assert _pending(ended) == made.scenario_ids[2:]
    # What was scored is completed with it.
    assert api.scenarios.runs.retrieve(second.id).state == "completed"
    assert api.devboxes.retrieve(second.devbox_id).status == "shutdown"
    assert api.benchmark_runs.complete(run.id) == ended
    assert api.benchmark_runs.retrieve(run.id) == ended
    assert [each.id for each in api.benchmark_runs.list_scenario_runs(run.id)] == [second.id, first.id]
    page = api.benchmark_runs.list_scenario_runs(run.id, state="completed", limit=1)
    assert (len(page.runs), page.has_more, page.total_count) == (1, True, 2)
    assert api.benchmark_runs.list_scenario_runs(run.id, search=first.id).total_count == 1
    assert api.benchmark_runs.list_scenario_runs(run.id, state="failed").runs == []


@pytest.mark.semantic
def test_one_without_a_score_counts_as_zero_and_one_that_was_never_run_does_not_count(api: Runloop) -> None:
    made = _benchmark(api, "1", "1", "1")
    run = api.benchmarks.start_run(benchmark_id=made.id)
    _completed(api, run, made.scenario_ids[0])
    api.scenarios.runs.complete(_started(api, run, made.scenario_ids[1]).id)
    assert api.benchmark_runs.complete(run.id).score == 0.5


@pytest.mark.semantic
def test_a_run_in_which_nothing_was_run_has_no_score(api: Runloop) -> None:
    run = api.benchmarks.start_run(benchmark_id=_benchmark(api).id)
    ended = api.benchmark_runs.complete(run.id)
    assert (ended.state, ended.score) == ("completed", None)


@pytest.mark.semantic
def test_a_run_in_which_only_the_infrastructure_failed_has_failed(api: Runloop) -> None:
    part = api.scenarios.create(**scenario(environment_parameters=FAILING)).id
    run = api.benchmarks.start_run(benchmark_id=api.benchmarks.create(name="x", scenario_ids=[part]).id)
    started = _started(api, run, part)
    with pytest.raises(Exception, match="fail"):
        api.devboxes.await_running(started.devbox_id, polling_config=POLL)
    assert api.scenarios.runs.retrieve(started.id).state == "failed"
    ended = api.benchmark_runs.complete(run.id)
    assert (ended.state, ended.score) == ("failed", None)
    assert api.benchmark_runs.complete(run.id) == ended
    with pytest.raises(ConflictError):
        api.benchmark_runs.cancel(run.id)


@pytest.mark.semantic
def test_a_run_is_not_completed_while_a_scenario_run_goes_on(api: Runloop) -> None:
    part = api.scenarios.create(**scenario(bash("s", "sleep 1; echo score=1"))).id
    run = api.benchmarks.start_run(benchmark_id=api.benchmarks.create(name="x", scenario_ids=[part]).id)
    started = _started(api, run, part)
    assert _refused(api.benchmark_runs.complete, run.id) == (409, "wrong_state", None)
    api.scenarios.runs.score(started.id)
    assert _refused(api.benchmark_runs.complete, run.id) == (409, "busy", None)
    api.scenarios.runs.await_scored(started.id, polling_config=POLL)
    assert api.benchmark_runs.complete(run.id).score == 1.0


@pytest.mark.semantic
def test_cancel_ends_the_run_its_scenario_runs_and_their_devboxes(api: Runloop) -> None:
    made = _benchmark(api, "1", "0.5", "0.25")
    run = api.benchmarks.start_run(benchmark_id=made.id)
    done = _completed(api, run, made.scenario_ids[0])
    scored = _started(api, run, made.scenario_ids[1])
    api.scenarios.runs.score_and_await(scored.id, polling_config=POLL)
    starting = _started(api, run, made.scenario_ids[2])
    canceled = api.benchmark_runs.cancel(run.id)
    assert (canceled.state, canceled.score) == ("canceled", None)
    assert canceled.duration_ms is not None
    assert api.scenarios.runs.retrieve(done.id) == done
    for each in (scored, starting):
        assert api.scenarios.runs.retrieve(each.id).state == "canceled"
        assert api.devboxes.retrieve(each.devbox_id).status == "shutdown"
    assert api.benchmark_runs.cancel(run.id) == canceled
    assert _refused(api.benchmark_runs.complete, run.id) == (409, "wrong_state", None)


@pytest.mark.semantic
def test_nothing_is_started_in_a_run_that_is_over(api: Runloop) -> None:
    made = _benchmark(api, "1")
    for end in (api.benchmark_runs.complete, api.benchmark_runs.cancel):
        run = api.benchmarks.start_run(benchmark_id=made.id)
        end(run.id)
        before = api.devboxes.list(limit=1).total_count
        assert _refused(_started, api, run, made.scenario_ids[0]) == (409, "wrong_state", "benchmark_run_id")
        assert api.devboxes.list(limit=1).total_count == before


@pytest.mark.semantic
def test_a_run_profile_is_inherited_and_a_scenario_runs_own_goes_first(api: Runloop) -> None:
    secret = api.secrets.create(name=f"S_{uuid.uuid4().hex}", value="hidden")
    made = _benchmark(api, "1", required_environment_variables=["A"], required_secret_names=[secret.name])
    run = api.benchmarks.start_run(
        benchmark_id=made.id,
        run_profile={
            "env_vars": {"A": "outer", "B": "outer"},
            "secrets": {"TOKEN": secret.name},
            "purpose": "outer",
            "launch_parameters": {"keep_alive_time_seconds": 600, "launch_commands": ["echo outer > order"]},
            "mounts": [{"type": "file_mount", "target": "outer", "content": "o"}],
        },
    )
    assert (run.environment_variables, run.secrets_provided) == (
        {"A": "outer", "B": "outer"},
        {"TOKEN": secret.name},
    )
    started = api.scenarios.start_run_and_await_env_ready(
        scenario_id=made.scenario_ids[0],
        benchmark_run_id=run.id,
        run_profile={
            "env_vars": {"B": "inner", "C": "inner"},
            "launch_parameters": {"launch_commands": ["echo inner >> order"]},
            "mounts": [{"type": "file_mount", "target": "inner", "content": "i"}],
        },
        polling_config=POLL,
    )
    assert started.environment_variables == {"A": "outer", "B": "inner", "C": "inner"}
    assert (started.secrets_provided, started.purpose) == ({"TOKEN": secret.name}, "outer")
    shown = api.devboxes.execute_and_await_completion(
        started.devbox_id, command="echo $A $B $C $TOKEN; cat order outer inner"
    )
    assert shown.stdout == "outer inner inner hidden\nouter\ninner\noi"
    assert api.devboxes.retrieve(started.devbox_id).launch_parameters.keep_alive_time_seconds == 600
    api.benchmark_runs.cancel(run.id)


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("profile", "status", "field"),
    [
        ({}, 400, "runProfile.envVars"),
        ({"envVars": {"A": "1"}}, 400, "runProfile.secrets"),
        ({"envVars": {"A": "1"}, "secrets": {"TOKEN": "no-such-secret"}}, 400, "runProfile.secrets"),
        ({"envVars": {"A": "1"}, "secrets": {"X": "TOKEN"}}, 400, "runProfile.secrets"),
        (
            {"envVars": {"A": "1"}, "secrets": {"X": "TOKEN"}, "launchParameters": {"network_policy_id": "npo_none"}},
            404,
            "runProfile.launchParameters.network_policy_id",
        ),
        ({"launchParameters": {"keep_alive_time_seconds": 0}}, 400, None),
    ],
)
def test_what_a_benchmark_requires_is_checked_before_anything_is_made(
    api: Runloop, profile: dict[str, Any], status: int, field: str | None
) -> None:
    made = api.benchmarks.create(name="x", required_environment_variables=["A"], required_secret_names=["TOKEN"])
    body = {"benchmark_id": made.id, "runProfile": profile}
    with pytest.raises(APIStatusError) as raised:
        api.post("/v1/benchmarks/start_run", body=body, cast_to=object)
    assert raised.value.status_code == status
    if field is not None:
        assert raised.value.response.json()["field"] == field
    assert api.benchmark_runs.list(benchmark_id=made.id).total_count == 0


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [({}, 400, "benchmark_id"), ({"benchmark_id": "bmk_none"}, 404, "benchmark_id")],
)
def test_bad_starts_are_refused(api: Runloop, body: dict[str, Any], status: int, field: str) -> None:
    with pytest.raises(APIStatusError) as raised:
        api.post("/v1/benchmarks/start_run", body=body, cast_to=object)
    assert (raised.value.status_code, raised.value.response.json()["field"]) == (status, field)


@pytest.mark.semantic
def test_archived_scenarios_are_not_pending(api: Runloop) -> None:
    made = _benchmark(api, "1", "1")
    api.scenarios.archive(made.scenario_ids[0])
    assert _pending(api.benchmarks.start_run(benchmark_id=made.id)) == made.scenario_ids[1:]


@pytest.mark.semantic
def test_a_repeated_start_makes_one_run(api: Runloop) -> None:
    made = _benchmark(api)
    headers = {"x-request-id": uuid.uuid4().hex}
    assert len({api.benchmarks.start_run(benchmark_id=made.id, extra_headers=headers).id for _ in range(3)}) == 1
    assert api.benchmark_runs.list(benchmark_id=made.id).total_count == 1


@pytest.mark.semantic
def test_unknown_ids_are_not_found(api: Runloop) -> None:
    runs = api.benchmark_runs
    for call in (runs.retrieve, runs.complete, runs.cancel, runs.list_scenario_runs):
        assert _refused(call, "bmr_none") == (404, "not_found", "id")


@pytest.mark.semantic
def test_completes_at_the_same_time_agree(api: Runloop) -> None:
    made = _benchmark(api, "1", "0.5")
    run = api.benchmarks.start_run(benchmark_id=made.id)
    for part in made.scenario_ids:
        api.scenarios.runs.score_and_await(_started(api, run, part).id, polling_config=POLL)
    with ThreadPoolExecutor(6) as pool:
        ended = list(pool.map(api.benchmark_runs.complete, [run.id] * 6))
    assert {(each.state, each.score) for each in ended} == {("completed", 0.75)}
    assert len({each.duration_ms for each in ended}) == 1


def _outcome(call: Any, *arguments: Any, **options: Any) -> str:
    try:
        call(*arguments, **options)
    except ConflictError:
        return "refused"
    return "done"


@pytest.mark.semantic
def test_scenario_runs_that_are_completed_while_their_benchmark_run_is_canceled_end_one_way(api: Runloop) -> None:
    made = _benchmark(api, *["1"] * 6)
    run = api.benchmarks.start_run(benchmark_id=made.id)
    started = [_started(api, run, part) for part in made.scenario_ids]
    with ThreadPoolExecutor(8) as pool:
        completing = [pool.submit(_outcome, api.scenarios.runs.complete, each.id) for each in started[:5]]
        canceling = pool.submit(_outcome, api.benchmark_runs.cancel, run.id)
        starting = pool.submit(_outcome, _started, api, run, made.scenario_ids[0])
    assert canceling.result() == "done"
    after = [api.scenarios.runs.retrieve(each.id).state for each in started]
    expected = ["completed" if each.result() == "done" else "canceled" for each in completing]
    assert after == [*expected, "canceled"]
    assert api.benchmark_runs.retrieve(run.id).score is None
    rows = api.benchmark_runs.list_scenario_runs(run.id)
    assert rows.total_count == 6 + (starting.result() == "done")
    for each in rows:
        assert each.state in ("completed", "canceled")
        assert api.devboxes.retrieve(each.devbox_id).status == "shutdown"


@pytest.mark.semantic
def test_a_complete_and_a_start_at_the_same_time_exclude_each_other(api: Runloop) -> None:
    made = _benchmark(api, "1")
    for _ in range(5):
        run = api.benchmarks.start_run(benchmark_id=made.id)
        with ThreadPoolExecutor(2) as pool:
            starting = pool.submit(_outcome, _started, api, run, made.scenario_ids[0])
            completing = pool.submit(_outcome, api.benchmark_runs.complete, run.id)
        assert {starting.result(), completing.result()} == {"done", "refused"}
        if completing.result() == "refused":
            api.benchmark_runs.cancel(run.id)
