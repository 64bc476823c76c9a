"""Everything that is measured, by name, in the order in which it is."""

from collections.abc import Awaitable, Callable, Mapping

from benchmarks.context import Context
from benchmarks.measures.axons import axons
from benchmarks.measures.builds import builds, from_blueprint
from benchmarks.measures.burst import burst
from benchmarks.measures.console import console
from benchmarks.measures.crowd import execute_in_a_crowd
from benchmarks.measures.devboxes import create, execute
from benchmarks.measures.evaluation import evaluation, evaluation_memory
from benchmarks.measures.gateway import gateway
from benchmarks.measures.hostile import hostile
from benchmarks.measures.memory import idle_memory
from benchmarks.measures.run_lists import run_lists
from benchmarks.measures.scenario_runs import scenario_run
from benchmarks.measures.snapshots import snapshots
from benchmarks.measures.throughput import stream, transfer
from benchmarks.result import Measure

MEASURES: Mapping[str, Callable[[Context], Awaitable[list[Measure]]]] = {
    "create": create,
    "execute": execute,
    "burst": burst,
    "run": scenario_run,
    "evaluation": evaluation,
    "evaluation-memory": evaluation_memory,
    "memory": idle_memory,
    "crowd": execute_in_a_crowd,
    "snapshot": snapshots,
    "build": builds,
    "from-blueprint": from_blueprint,
    "stream": stream,
    "transfer": transfer,
    "gateway": gateway,
    "lists": run_lists,
    "axons": axons,
    "hostile": hostile,
    "console": console,
}
