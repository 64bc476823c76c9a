"""The families of pages, in the order of the navigation."""

from collections.abc import Sequence

from loopyard.console.account import pages as account
from loopyard.console.axons import pages as axons
from loopyard.console.benchmark_runs import pages as benchmark_runs
from loopyard.console.benchmarks import pages as benchmarks
from loopyard.console.blueprints import pages as blueprints
from loopyard.console.compare import pages as compare
from loopyard.console.devboxes import pages as devboxes
from loopyard.console.family import Family
from loopyard.console.jobs import pages as jobs
from loopyard.console.leaderboard import pages as leaderboard
from loopyard.console.objects import pages as objects
from loopyard.console.overview import pages as overview
from loopyard.console.resources import pages as resources
from loopyard.console.scenario_runs import pages as scenario_runs
from loopyard.console.scenarios import pages as scenarios

FAMILIES: Sequence[Family] = (
    overview.FAMILY,
    devboxes.FAMILY,
    scenario_runs.FAMILY,
    scenarios.FAMILY,
    jobs.FAMILY,
    benchmark_runs.FAMILY,
    benchmarks.FAMILY,
    compare.FAMILY,
    leaderboard.FAMILY,
    blueprints.FAMILY,
    objects.FAMILY,
    *resources.FAMILIES,
    axons.FAMILY,
    account.FAMILY,
)
