"""A whole scenario run, on a scenario whose scoring takes no time of its own."""

import asyncio
from typing import Any

from runloop_api_client.lib.polling import PollingConfig

from benchmarks.context import Context
from benchmarks.loopyard import Loopyard
from benchmarks.result import Measure, Series, timed

_POLL_SECONDS = 0.005
_POLL = PollingConfig(interval_seconds=_POLL_SECONDS, max_attempts=100_000)
_SCENARIO: dict[str, Any] = {
    "name": "nothing-to-do",
    "input_context": {"problem_statement": "Nothing."},
    "scoring_contract": {
        "scoring_function_parameters": [
            {
                "name": "always",
                "weight": 1.0,
                "scorer": {"type": "bash_script_scorer", "bash_script": "echo 'score=1.0'"},
            }
        ]
    },
}


async def scenario_run(context: Context) -> list[Measure]:
    """Start a run, wait for its environment, score it, complete it; one after another."""
    loopyard, official, count = context.loopyard, context.official, context.counts.scenario_runs
    scenario_id = await make_scenario(loopyard)

    async def by_official_client() -> None:
        run = await official.scenarios.start_run_and_await_env_ready(scenario_id=scenario_id, polling_config=_POLL)
        ended = await official.scenarios.runs.score_and_complete(run.id, polling_config=_POLL)
        _check(ended.to_dict())

    series = [
        Series("loopyard", "HTTP", await timed(count, lambda: run_once(loopyard, scenario_id))),
        Series("loopyard", "official client", await timed(count, by_official_client)),
    ]
    await loopyard.shut_down_all()
    note = f"States are asked for every {_POLL_SECONDS * 1000:g} ms; the official client's own default is 1 s."
    return [Measure("run", "scenario run, start to completed", series, note=note)]


async def make_scenario(loopyard: Loopyard) -> str:
    return (await loopyard.post("/v1/scenarios", **_SCENARIO))["id"]


async def run_once(loopyard: Loopyard, scenario_id: str) -> str:
    """One run from its start until it is completed. Returns its id."""
    run = await loopyard.post("/v1/scenarios/start_run", scenario_id=scenario_id)
    await loopyard.wait_running(run["devbox_id"])
    path = f"/v1/scenarios/runs/{run['id']}"
    run = await loopyard.post(f"{path}/score")
    while run["state"] in ("running", "scoring"):
        await asyncio.sleep(_POLL_SECONDS)
        run = await loopyard.get(path)
    _check(await loopyard.post(f"{path}/complete"))
    return run["id"]


def _check(run: dict[str, Any]) -> None:
    if run["state"] != "completed" or run["scoring_contract_result"]["score"] != 1.0:
        raise RuntimeError(f"the run was not scored: {run}")
