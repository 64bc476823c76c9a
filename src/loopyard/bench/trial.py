"""Carries out one trial on a server: a run is started, the agent has its turn in the box, its work is scored."""

import asyncio
import re
import shlex
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from runloop_api_client import APIError, AsyncRunloop, NotFoundError, RunloopError
from runloop_api_client.lib.polling import PollingConfig, PollingTimeout
from runloop_api_client.types import DevboxAsyncExecutionDetailView, ScenarioRunView

from loopyard.agent.invocation import FOLDER, AgentInvocation
from loopyard.bench.agents import Oracle
from loopyard.bench.journal import Entry
from loopyard.bench.manifest import manifest_of
from loopyard.bench.model_usage_of_server import of_run
from loopyard.bench.plan import PlannedTrial
from loopyard.bench.put_back import put_back
from loopyard.bench.results import AgentResult, FunctionResult, Result, State
from loopyard.bench.wire_errors import describe
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.host.linux import KILLED, TIMED_OUT
from loopyard.runtime.protocol import OUT_OF_MEMORY_LINE

READY_SECONDS = 1800
"""How long a box may take to be made, launch commands included."""

_POLL_SECONDS = 0.25
_GRACE_SECONDS = 10
"""Between the polite and the final signal to an agent that is out of time."""
_SLACK_SECONDS = 120
_CLEANUP_SECONDS = 30
_SHOWN_LINES = "100"
_TIMED_OUT = {TIMED_OUT, KILLED}
_NOT_IN_VARIABLES = re.compile(r"[^A-Za-z0-9_]")

Phase = Callable[[str], None]
"""Told what the trial is doing now, in a word or two."""


class InfrastructureFailed(Exception):
    """The trial could not be carried out, and so says nothing about the agent. The message says why."""


@dataclass(slots=True)
class _Progress:
    """Facts known so far, for a trial that ends early."""

    run: ScenarioRunView | None = None
    setup_failure: str | None = None
    agent_result: AgentResult | None = None


async def carry_out(
    client: AsyncRunloop,
    scenario_id: str,
    trial: PlannedTrial,
    entry: Entry,
    *,
    benchmark: str,
    agent_timeout: float,
    phase: Phase,
) -> Result:
    """Run one trial from its start to its score. Whatever happens, its box is shut down at the end.

    A trial that an earlier bench began is taken up where its agent had its turn, and begun anew where it had not.

    Args:
        client: The server.
        scenario_id: The scenario there.
        trial: What to do.
        entry: What is known of it, and where what comes is kept.
        benchmark: The name that the run's metadata gets.
        agent_timeout: Seconds for the agent's turn. What it has done by then is scored.
        phase: Told what is being done.

    Returns:
        The result; a failure of the infrastructure is one, and so is a cancellation.
    """
    begun = time.monotonic()
    known = _Progress()
    state, reason, scored = State.SCORED, None, None
    try:
        scored = await _attempt(client, scenario_id, trial, entry, known, benchmark, agent_timeout, phase)
    except InfrastructureFailed as failure:
        state, reason = State.INFRASTRUCTURE_FAILED, str(failure)
    except (APIError, RunloopError, PollingTimeout) as error:
        state, reason = State.INFRASTRUCTURE_FAILED, await _why(client, known, error)
    except asyncio.CancelledError:
        state, reason = State.CANCELED, "interrupted"
    finally:
        if scored is None and known.run is not None:
            phase("ending")
            await cancel(client, known.run.id)
    contract = scored.scoring_contract_result if scored else None
    result = Result(
        scenario=trial.scenario.name,
        agent=trial.agent.name,
        state=state,
        seconds=time.monotonic() - begun,
        score=contract.score if contract else None,
        expected_score=trial.agent.expected_score,
        reason=reason,
        run_id=known.run.id if known.run else None,
        devbox_id=known.run.devbox_id if known.run else None,
        agent_result=known.agent_result,
        functions=[
            FunctionResult(one.scoring_function_name, one.score, one.state, one.output)
            for one in (contract.scoring_function_results if contract else [])
        ],
        model_usage=await of_run(client, known.run.id) if known.run and state != State.CANCELED else None,
        setup_failure=known.setup_failure,
        put_back=await put_back(client, scored.id) if scored and isinstance(trial.agent, Oracle) else None,
    )
    failpoint("bench.scored")
    entry.ended(result)
    return result


async def _attempt(
    client: AsyncRunloop,
    scenario_id: str,
    trial: PlannedTrial,
    entry: Entry,
    known: _Progress,
    benchmark: str,
    agent_timeout: float,
    phase: Phase,
) -> ScenarioRunView:
    phase("making a box")
    known.agent_result = entry.agent_result
    known.run = run = await _taken_up(client, entry) or await _start(
        client, scenario_id, trial, entry, known, benchmark
    )
    if run.state == "running" and not entry.turn_over:
        await client.devboxes.await_running(run.devbox_id, polling_config=_patience(READY_SECONDS))
        if trial.turn is not None:
            phase("agent at work")
            directory = trial.scenario.environment.working_directory
            known.agent_result = await _take_turn(client, run.devbox_id, trial.turn, directory, agent_timeout)
        entry.took_turn(known.agent_result)
    phase("scoring")
    patience = _patience(trial.scenario.scorer_timeout_sec + _SLACK_SECONDS)
    scored = run
    if run.state != "completed":
        scored = await _scored(client, run.id, patience)
    if scored.scoring_contract_result is None:
        raise InfrastructureFailed(f"the run is {scored.state} without a score")
    return scored


async def _taken_up(client: AsyncRunloop, entry: Entry) -> ScenarioRunView | None:
    """The run that an earlier bench left, if it is scored or can be; one whose agent was at work is canceled."""
    if entry.run_id is None:
        return None
    try:
        run = await client.scenarios.runs.retrieve(entry.run_id)
    except NotFoundError:
        return None
    if run.state in ("scoring", "scored") or (run.state == "running" and entry.turn_over):
        return run
    if run.state == "completed" and run.scoring_contract_result is not None:
        return run
    await cancel(client, run.id)
    return None


async def _start(
    client: AsyncRunloop, scenario_id: str, trial: PlannedTrial, entry: Entry, known: _Progress, benchmark: str
) -> ScenarioRunView:
    run = await _ask(client, scenario_id, trial, entry.starting(), known, benchmark)
    if run.state != "running":  # asked for by an earlier bench, and over
        run = await _ask(client, scenario_id, trial, entry.starting(anew=True), known, benchmark)
    failpoint("bench.started")
    entry.started(run.id)
    return run


async def _ask(
    client: AsyncRunloop, scenario_id: str, trial: PlannedTrial, request_id: str, known: _Progress, benchmark: str
) -> ScenarioRunView:
    """Start the run. A cancellation waits for the answer: a run whose id nobody knows could not be ended."""
    starting = asyncio.ensure_future(
        client.scenarios.start_run(
            scenario_id=scenario_id,
            run_name=f"{trial.scenario.name} by {trial.agent.name}",
            metadata={"agent": trial.agent.name, "benchmark": benchmark},
            run_profile={
                "env_vars": dict(trial.environment),
                "secrets": {_variable(name): name for name in trial.scenario.required_secret_names},
                "purpose": "bench",
            },
            extra_headers={"x-request-id": request_id},
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        known.run = await starting
        raise


def _variable(secret: str) -> str:
    """The variable that a secret is in: its name, with underscores for what no variable's name may hold."""
    return _NOT_IN_VARIABLES.sub("_", secret)


async def _scored(client: AsyncRunloop, run_id: str, patience: PollingConfig) -> ScenarioRunView:
    """Score the run and complete it. One whose time for scoring was over is over by itself, with the score it got."""
    try:
        return await client.scenarios.runs.score_and_complete(run_id, polling_config=patience)
    except RunloopError as error:
        if isinstance(error, APIError):
            raise
        ended = await client.scenarios.runs.retrieve(run_id)
        if ended.state != "timeout" or ended.scoring_contract_result is None:
            raise
        return ended


async def _take_turn(
    client: AsyncRunloop, devbox_id: str, turn: AgentInvocation, directory: str | None, seconds: float
) -> AgentResult:
    script = f"{FOLDER}/agent.sh"
    variables = {name: f"{FOLDER}/env/{name}" for name in turn.environment}
    written = {variables[name]: value for name, value in turn.environment.items()}
    for path, contents in {**turn.files, **written, script: turn.command}.items():
        await client.devboxes.write_file_contents(devbox_id, file_path=path, contents=contents)
    lines = [f"cd -- {shlex.quote(directory)} || exit"] if directory else []
    # From files, since the text of a command may be shorter than a variable.
    lines += [f'{name}="$(cat {path} && echo .)"; export {name}="${{{name}%.}}"' for name, path in variables.items()]
    lines.append(f"exec timeout --kill-after={_GRACE_SECONDS} {seconds:g} bash {script}")
    begun = time.monotonic()
    execution = await client.devboxes.execute_async(devbox_id, command="\n".join(lines))
    ended = await client.devboxes.executions.await_completed(
        execution.execution_id, devbox_id=devbox_id, polling_config=_patience(seconds + _GRACE_SECONDS + _SLACK_SECONDS)
    )
    status = ended.exit_status if ended.exit_status is not None else KILLED
    timed_out = status in _TIMED_OUT and time.monotonic() - begun >= seconds
    last = (ended.stderr or "").rstrip("\n").rpartition("\n")[2]
    out_of_memory = status != 0 and last.startswith(OUT_OF_MEMORY_LINE)
    return AgentResult(status, timed_out, _output(ended), out_of_memory)


def _output(execution: DevboxAsyncExecutionDetailView) -> str:
    parts = [part.strip("\n") for part in (execution.stdout, execution.stderr) if part and part.strip()]
    return "\n".join(parts)


async def _why(client: AsyncRunloop, known: _Progress, error: Exception) -> str:
    """The error, and what the server knows of its cause."""
    reasons, run = [describe(error)], known.run
    if run is not None:
        try:
            devbox = await client.devboxes.retrieve(run.devbox_id)
            told = [entry.failure_reason for entry in devbox.state_transitions if entry.failure_reason]
            if devbox.status in ("failure", "shutdown"):
                ending = devbox.failure_reason or devbox.shutdown_reason or "no reason given"
                reasons = [f"the box ended: {devbox.status} ({ending})", *told]
                if await _setup_failed(client, run.id):
                    known.setup_failure = "\n".join(told) or ending
            else:
                now = await client.scenarios.runs.retrieve(run.id)
                reasons.append(f"the run is {now.state}, its box is {devbox.status}")
        except APIError as second:
            reasons.append(f"the server does not say more: {describe(second)}")
    return "\n".join(reasons)


async def _setup_failed(client: AsyncRunloop, run_id: str) -> bool:
    """True if the server has recorded that the scenario's own setup of the box failed."""
    try:
        return (await manifest_of(client, run_id)).get("setup_failed", False)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False


async def cancel(client: AsyncRunloop, run_id: str) -> None:
    """Cancel the run, which shuts its box down. A run that has ended by itself is left as it is."""
    try:
        await client.scenarios.runs.cancel(run_id, timeout=_CLEANUP_SECONDS)
    except APIError:
        return


def _patience(seconds: float) -> PollingConfig:
    return PollingConfig(
        interval_seconds=_POLL_SECONDS, max_attempts=int(seconds / _POLL_SECONDS) + 1, timeout_seconds=seconds
    )
