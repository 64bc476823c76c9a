"""Everything that is measured, by name, in the order in which it is."""

from collections.abc import Awaitable, Callable, Mapping

from benchmarks.context import Context
from benchmarks.measures.burst import burst
from benchmarks.measures.devboxes import create, execute
from benchmarks.measures.memory import idle_memory
from benchmarks.measures.run_lists import run_lists
from benchmarks.measures.scenario_runs import scenario_run
from benchmarks.result import Measure

MEASURES: Mapping[str, Callable[[Context], Awaitable[list[Measure]]]] = {
    "create": create,
    "execute": execute,
    "burst": burst,
    "run": scenario_run,
    "memory": idle_memory,
    "lists": run_lists,
}
