"""Many scenario runs, some at a time: how many in a minute, what part of their time is not the task's own, and whether
the server's memory stays flat."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.context import Context
from benchmarks.held import Own, own
from benchmarks.loopyard import Loopyard
from benchmarks.peers.engine import Engine
from benchmarks.result import Measure, Series, Subject

AT_ONCE = 16
TASK_SECONDS = 1.0
"""What a task takes whose time is set against the rest."""

_TRIVIAL = "echo hello > ~/out.txt"
_LONGER = f"sleep {TASK_SECONDS:g}; {_TRIVIAL}"
_CHECK = "grep -qx hello ~/out.txt && echo score=1.0 || echo score=0.0"
_POLL_SECONDS = 0.05
_JOB_POLL_SECONDS = 0.2
_SETTLE_SECONDS = 3
_CHECKPOINTS = 10
_HOW = (
    f"{AT_ONCE} at a time. Each makes a box, runs the task in it, checks its work, and ends the box. HTTP: a client "
    f"drives each run and asks for its state every {_POLL_SECONDS * 1000:g} ms; job: the server drives them as one "
    "benchmark job; run --rm: the task and its check are one command of a container."
)


async def evaluation(context: Context) -> list[Measure]:
    """Runs per minute of a task that takes no time, and the overhead on one that takes a second."""
    count = context.counts.evaluations
    rates: list[Series] = []
    shares: list[Series] = []
    for how, way in (("HTTP", _by_http), ("job", _by_job)):
        trivial = await way(context.plain, _TRIVIAL, count)
        _add("loopyard", how, rates, shares, trivial, await way(context.plain, _LONGER, count))
    await context.plain.shut_down_all()
    for engine in context.engines:
        trivial = await _by_engine(engine, _TRIVIAL, count)
        _add(engine.subject, "run --rm", rates, shares, trivial, await _by_engine(engine, _LONGER, count))
    title = f"{count} scenario runs, {AT_ONCE} at a time"
    note = f"{_HOW} 100 % less the {TASK_SECONDS:g} s that the task takes by itself, of each run from start to end."
    return [
        Measure("evaluation", f"{title}: runs per minute", rates, unit="/min", note=_HOW),
        Measure("evaluation-overhead", f"{title}: time that is not the task's own", shares, unit="%", note=note),
    ]


async def evaluation_memory(context: Context) -> list[Measure]:
    """What the server's process, and those that it started, hold with no box alive, while thousands of runs go by."""
    loopyard, total = context.plain, context.counts.evaluations_for_memory
    step = max(total // _CHECKPOINTS, 1)
    scenario_id = await _make_scenario(loopyard, _TRIVIAL)
    seen: list[Own] = []
    for _ in range(_CHECKPOINTS):
        await _crowd(step, lambda: _run(loopyard, scenario_id, _TRIVIAL))
        # Each run has ended its box. To ask for a list of them all would be what is measured.
        await asyncio.sleep(_SETTLE_SECONDS)
        seen.append(await asyncio.to_thread(own, context.plain_server.pid))
    kinds = {
        "server": [one.process / 1024**2 for one in seen],
        "launcher and network": [one.children / 1024**2 for one in seen],
        "each worker": [sum(one.workers) / max(len(one.workers), 1) / 1024**2 for one in seen],
    }
    half = _CHECKPOINTS // 2
    title = f"memory of the server, each {step} of {step * _CHECKPOINTS} scenario runs"
    notes = [f"MiB that are the processes' own, without mapped files, after each {step} runs."]
    facts: dict[str, Any] = {"runs_between": step, "workers": [len(one.workers) for one in seen]}
    series: list[Series] = []
    for name, samples in kinds.items():
        growth = _slope(samples[half:]) * 1000 / step
        told = ", ".join(f"{sample:.1f}" for sample in samples)
        notes.append(f"{name}: {told}; over the second half {growth:+.1f} MiB in 1,000 runs.")
        facts[f"{name}: MiB per 1000 runs in second half"] = round(growth, 2)
        series.append(Series("loopyard", f"{name}, first half", samples[:half]))
        series.append(Series("loopyard", f"{name}, second half", samples[half:]))
    notes.append(f"The launcher's workers were {min(facts['workers'])} to {max(facts['workers'])}.")
    return [Measure("evaluation-memory", title, series, unit="MiB", note=" ".join(notes), facts=facts)]


class _Crowd:
    """What many attempts gave: the seconds of each that succeeded, of all together, and why others failed."""

    def __init__(self, seconds: list[float], whole: float, errors: list[str], failed: int) -> None:
        self.seconds, self.whole, self.errors, self.failed = seconds, whole, errors, failed


def _add(
    subject: Subject, how: str, rates: list[Series], shares: list[Series], trivial: _Crowd, longer: _Crowd
) -> None:
    per_minute = [len(trivial.seconds) * 60 / trivial.whole] if trivial.seconds else []
    rates.append(Series(subject, how, per_minute, trivial.failed, trivial.errors))
    parts = [100 * (1 - TASK_SECONDS / seconds) for seconds in longer.seconds]
    shares.append(Series(subject, how, parts, longer.failed, longer.errors))


async def _crowd(count: int, action: Callable[[], Awaitable[object]]) -> _Crowd:
    """Do it `count` times, `AT_ONCE` at a time, after one time that does not count."""
    await action()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> float:
        async with gate:
            begun = time.perf_counter()
            await action()
            return time.perf_counter() - begun

    begun = time.perf_counter()
    results = await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
    whole = time.perf_counter() - begun
    seconds = [result for result in results if isinstance(result, float)]
    errors = sorted({str(result)[:300] for result in results if isinstance(result, BaseException)})
    return _Crowd(seconds, whole, errors, count - len(seconds))


async def _by_http(loopyard: Loopyard, task: str, count: int) -> _Crowd:
    scenario_id = await _make_scenario(loopyard, task)
    return await _crowd(count, lambda: _run(loopyard, scenario_id, task))


async def _run(loopyard: Loopyard, scenario_id: str, task: str) -> None:
    run = await loopyard.post("/v1/scenarios/start_run", scenario_id=scenario_id)
    await loopyard.wait_running(run["devbox_id"])
    await loopyard.execute(run["devbox_id"], task)
    path = f"/v1/scenarios/runs/{run['id']}"
    run = await loopyard.post(f"{path}/score")
    while run["state"] in ("running", "scoring"):
        await asyncio.sleep(_POLL_SECONDS)
        run = await loopyard.get(path)
    run = await loopyard.post(f"{path}/complete")
    if run["state"] != "completed" or run["scoring_contract_result"]["score"] != 1.0:
        raise RuntimeError(f"the run was not scored: {run}")


async def _by_job(loopyard: Loopyard, task: str, count: int) -> _Crowd:
    """The same as one job of the server's, of as many scenarios; the agent applies their reference output."""
    scenarios = [await _make_scenario(loopyard, task) for _ in range(count)]
    spec: dict[str, Any] = {
        "type": "scenarios",
        "scenario_ids": scenarios,
        "agent_configs": [{"type": "job_agent", "name": "oracle"}],
        "orchestrator_config": {"n_concurrent_trials": AT_ONCE},
    }
    begun = time.perf_counter()
    job = await loopyard.post("/v1/benchmark_jobs", name="evaluation", spec=spec)
    while job["state"] not in ("completed", "failed", "cancelled", "timeout"):
        await asyncio.sleep(_JOB_POLL_SECONDS)
        job = await loopyard.get(f"/v1/benchmark_jobs/{job['id']}")
    whole = time.perf_counter() - begun
    outcomes = [outcome for run in job["benchmark_outcomes"] or () for outcome in run["scenario_outcomes"]]
    scored = [outcome["duration_ms"] / 1000 for outcome in outcomes if outcome["score"] == 1.0]
    others = [str(outcome["failure_reason"] or outcome["score"]) for outcome in outcomes if outcome["score"] != 1.0]
    if job["failure_reason"]:
        others.append(job["failure_reason"])
    return _Crowd(scored, whole, sorted(set(others)), count - len(scored))


async def _by_engine(engine: Engine, task: str, count: int) -> _Crowd:
    line = f"{task}; {_CHECK} | grep -q score=1.0"
    return await _crowd(count, lambda: engine.run_by_command_line(line, "--rm"))


async def _make_scenario(loopyard: Loopyard, task: str) -> str:
    scorer = {"type": "bash_script_scorer", "bash_script": _CHECK}
    made = await loopyard.post(
        "/v1/scenarios",
        name="evaluation",
        input_context={"problem_statement": task},
        reference_output=task,
        scoring_contract={"scoring_function_parameters": [{"name": "said-it", "weight": 1.0, "scorer": scorer}]},
    )
    return made["id"]


def _slope(samples: list[float]) -> float:
    """By how much each sample is greater than the one before, by the least squares."""
    middle, mean = (len(samples) - 1) / 2, sum(samples) / len(samples)
    above = sum((place - middle) * (sample - mean) for place, sample in enumerate(samples))
    return above / sum((place - middle) ** 2 for place in range(len(samples)))
