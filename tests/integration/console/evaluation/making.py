"""Hostile text, and an evaluation that has it in every field."""

from dataclasses import dataclass, field
from typing import Any

from runloop_api_client import Runloop
from runloop_api_client.types import ScenarioRunView

from tests.integration.benchmark_job.making import agent, wait
from tests.integration.scenario.definitions import bash, scenario

SCRIPT = "<script>window.hit=1</script><img src=x onerror=window.hit=2><svg/onload=window.hit=3>"
TERMINAL = "\x1b]0;title\x07\x1b]52;c;aGl0\x07\x1b]8;;javascript:window.hit=4\x07link\x1b]8;;\x07\x1b[31mred\x1b[0m"
BIDI = "\u202etxet\u2066"
EVIL = f"\"'>{SCRIPT}{BIDI}{{{{ 7777*7 }}}}"
"""Markup, direction controls, and a template: to stand in any field."""

_HOSTILE_FILE = f"printf '%s\\n' '{SCRIPT}{BIDI}' > \"$HOME/<img src=x onerror=window.hit=6>\""
_COLOURED = "printf '\\033]0;title\\007\\033[31mred\\033[0m\\n'"
SOLVE = f"echo right > ~/answer; {_HOSTILE_FILE}; printf '%s\\n' '{SCRIPT}'; {_COLOURED}"
RIGHT = f"printf '%s\\n' '{SCRIPT}'; grep -qx right ~/answer && echo score=1.0 || echo score=0.0"
HALF = "grep -qx right ~/answer && echo score=0.5 || { echo 'no answer'; echo score=0.25; }"


@dataclass
class Evaluation:
    """What was made. `runs` are the job's scenario runs by scenario, oldest first."""

    benchmark_id: str
    job_id: str
    scenario_ids: list[str]
    benchmark_run_ids: list[str]
    runs: dict[str, list[ScenarioRunView]] = field(default_factory=dict[str, list[ScenarioRunView]])


def evaluate(client: Runloop) -> Evaluation:
    """A benchmark of four scenarios, all fields hostile, that a job of two agents has tried."""
    fields: dict[str, Any] = {
        "reference_output": SOLVE,
        "metadata": {EVIL: EVIL},
        "input_context": {"problem_statement": f"{EVIL}\n[link](javascript:window.hit=5)\n{'L' * 100_000}"},
    }
    ids = [
        client.scenarios.create(**scenario(bash("right", RIGHT, 0.5), bash("half", HALF, 0.5), **one)).id
        for one in (
            {"name": f"first {EVIL}", **fields},
            {"name": "second", "reference_output": SOLVE},
            {"name": "puts back", "reference_output": f"sudo -n touch /etc/mine; {SOLVE}"},
            {
                "name": "broken",
                "reference_output": SOLVE,
                "environment_parameters": {"launch_parameters": {"launch_commands": ["echo not here >&2; exit 3"]}},
            },
        )
    ]
    benchmark = client.benchmarks.create(
        name=f"benchmark {EVIL}", description=EVIL, attribution=EVIL, metadata={EVIL: EVIL}, scenario_ids=ids
    )
    job = client.benchmark_jobs.create(
        name=f"job {EVIL}",
        spec={
            "type": "benchmark",
            "benchmark_id": benchmark.id,
            "agent_configs": [agent("oracle"), agent("nop")],
            "orchestrator_config": {"n_concurrent_trials": 4},
        },
    )
    over = wait(client, job.id)
    found = Evaluation(benchmark.id, job.id, ids, [one.benchmark_run_id for one in over.benchmark_outcomes or []])
    for run_id in found.benchmark_run_ids:
        for run in reversed(list(client.benchmark_runs.list_scenario_runs(run_id))):
            found.runs.setdefault(run.scenario_id, []).append(run)
    return found
